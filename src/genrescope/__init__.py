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
    from genrescope.errors import GenrescopeError
    from genrescope.features.logmel import LogMel
    from genrescope.features.spec import LogMelSpec
    from genrescope.inference.classifier import Classifier, Prediction, load

__version__ = "0.1.0"

__all__ = [
    "Classifier",
    "GenrescopeError",
    "LogMel",
    "LogMelSpec",
    "Prediction",
    "decode",
    "load",
    "probe",
]

_HOMES = {
    "Classifier": "inference.classifier",
    "GenrescopeError": "errors",
    "LogMel": "features.logmel",
    "LogMelSpec": "features.spec",
    "Prediction": "inference.classifier",
    "decode": "audio",
    "load": "inference.classifier",
    "probe": "audio",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
