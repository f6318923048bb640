"""The model file: one `.safetensors` file that carries everything needed to use it."""

from genrescope.modelfile.file import (
    FILE_NAME,
    PROBE_NAME,
    TRUNK_NAME,
    TUNED_NAME,
    Bundle,
    Header,
    add_scores,
    load,
    load_tensors,
    locate,
    read_header,
    save,
    save_tensors,
)

__all__ = [
    "FILE_NAME",
    "PROBE_NAME",
    "TRUNK_NAME",
    "TUNED_NAME",
    "Bundle",
    "Header",
    "add_scores",
    "load",
    "load_tensors",
    "locate",
    "read_header",
    "save",
    "save_tensors",
]
