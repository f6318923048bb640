"""Packages that only some work needs: pip brings them with an extra of genrescope, and who lacks them is told so."""

from __future__ import annotations

from importlib.util import find_spec

from genrescope.errors import GenrescopeError

EXTRAS = {
    "train": {
        "lightning_fabric": "lightning-fabric", "matplotlib": "matplotlib", "PIL": "pillow", "scipy": "scipy",
        "sklearn": "scikit-learn", "tensorboardX": "tensorboardX",
    },
    "export": {"onnx": "onnx", "onnxruntime": "onnxruntime", "onnxscript": "onnxscript", "scipy": "scipy"},
    "search": {"usearch": "usearch"},
    "serve": {
        "fastapi": "fastapi", "prometheus_client": "prometheus-client", "python_multipart": "python-multipart",
        "uvicorn": "uvicorn", "websockets": "websockets",
    },
    "tables": {"pandas": "pandas", "pyarrow": "pyarrow"},
    "tune": {"optuna": "optuna"},
    "transfer": {"transformers": "transformers"},
    "beets": {"beets": "beets"},
    "live": {"sounddevice": "sounddevice"},
    "scale": {"pyarrow": "pyarrow", "ray": "ray"},
}  # fmt: skip
"""Of each extra, the packages by the modules that they bring."""


class MissingPackageError(GenrescopeError, ModuleNotFoundError):
    """A package that is not installed, and the extra that brings it."""


def require(extra: str, what: str) -> None:
    """Refuse work whose packages are not installed, before it begins.

    Args:
        extra: name of the extra.
        what: the work, as the message calls it.

    Raises:
        MissingPackageError: a package is missing; the message has the command that installs it.
    """
    if lacking := missing(extra):
        raise MissingPackageError(f"{what} needs {', '.join(lacking)}, an extra: pip install 'genrescope[{extra}]'")


def missing(extra: str) -> list[str]:
    """Return the packages of an extra that are not installed."""
    return [package for module, package in EXTRAS[extra].items() if find_spec(module) is None]
