"""The model file: one `.safetensors` file that carries everything needed to use it."""

from genrescope.modelfile.file import (
    CROSSVAL_NAME,
    FILE_NAME,
    Model,
    add_scores,
    fingerprint,
    fold_runs,
    load,
    locate,
    mean_thresholds,
    read_header,
    save,
)
from genrescope.modelfile.header import FORMAT, Header, Requirement, Terms, TrainingData
from genrescope.modelfile.tensors import load_tensors, save_tensors

__all__ = [
    "CROSSVAL_NAME", "FILE_NAME", "FORMAT", "Header", "Model", "Requirement", "Terms", "TrainingData", "add_scores",
    "fingerprint", "fold_runs", "load", "load_tensors", "locate", "mean_thresholds", "read_header", "save",
    "save_tensors",
]  # fmt: skip
