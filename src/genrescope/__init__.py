"""genrescope: music genre classification that can be trusted.

The public names, loaded when first used so that `import genrescope` costs nothing:

Example:
    >>> import genrescope
    >>> genrescope.LogMelSpec().n_mels
    128
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genrescope.audio import decode, probe
    from genrescope.errors import (
        AudioError,
        DataError,
        GenrescopeError,
        ModelFileError,
        OutputError,
        RecipeError,
        TrainingError,
    )
    from genrescope.evaluation.crossval import cross_validate, cross_validate_any
    from genrescope.evaluation.evaluate import evaluate, evaluate_any
    from genrescope.features.logmel import LogMel
    from genrescope.features.spec import LogMelSpec
    from genrescope.inference.arrow import to_arrow, to_pandas
    from genrescope.inference.chunks import Chunk
    from genrescope.inference.classifier import Classifier
    from genrescope.inference.loading import load
    from genrescope.inference.model_info import ModelInfo
    from genrescope.inference.prediction import Failure, Prediction, WindowScores
    from genrescope.inference.verdict import Verdict
    from genrescope.models.registry import register
    from genrescope.store.prepare import prepare
    from genrescope.store.store import open_store
    from genrescope.training.job import Job
    from genrescope.training.progress import Watch
    from genrescope.training.recipe import load_any as load_recipe
    from genrescope.training.train import train

__version__ = "0.1.0"

_HOMES = {
    "AudioError": "errors",
    "Chunk": "inference.chunks",
    "Classifier": "inference.classifier",
    "DataError": "errors",
    "Failure": "inference.prediction",
    "GenrescopeError": "errors",
    "Job": "training.job",
    "LogMel": "features.logmel",
    "LogMelSpec": "features.spec",
    "ModelFileError": "errors",
    "ModelInfo": "inference.model_info",
    "OutputError": "errors",
    "Prediction": "inference.prediction",
    "RecipeError": "errors",
    "TrainingError": "errors",
    "Verdict": "inference.verdict",
    "Watch": "training.progress",
    "WindowScores": "inference.prediction",
    "cross_validate": "evaluation.crossval",
    "cross_validate_any": "evaluation.crossval",
    "decode": "audio",
    "evaluate": "evaluation.evaluate",
    "evaluate_any": "evaluation.evaluate",
    "load": "inference.loading",
    "load_recipe": "training.recipe:load_any",
    "open_store": "store.store",
    "prepare": "store.prepare",
    "probe": "audio",
    "register": "models.registry",
    "to_arrow": "inference.arrow",
    "to_pandas": "inference.arrow",
    "train": "training.train",
}

__all__ = [
    "AudioError",
    "Chunk",
    "Classifier",
    "DataError",
    "Failure",
    "GenrescopeError",
    "Job",
    "LogMel",
    "LogMelSpec",
    "ModelFileError",
    "ModelInfo",
    "OutputError",
    "Prediction",
    "RecipeError",
    "TrainingError",
    "Verdict",
    "Watch",
    "WindowScores",
    "cross_validate",
    "cross_validate_any",
    "decode",
    "evaluate",
    "evaluate_any",
    "load",
    "load_recipe",
    "open_store",
    "prepare",
    "probe",
    "register",
    "to_arrow",
    "to_pandas",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own = _HOMES[name].partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), own or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
