"""Files of tensors: the safetensors format, written whole or not at all, and read without running code."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

from genrescope.errors import ModelFileError, OutputError
from genrescope.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

_LARGEST_HEADER = 16_000_000  # bytes; safetensors itself takes six times as much, which takes seconds to read
_ALIGNMENT = 64  # bytes: what torch gives its own tensors


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str], *, shared: bool = False) -> None:
    """Write a safetensors file, whole or not at all; `shared` is that of `files.replacing`.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        with replacing(path, shared=shared) as temporary:
            temporary.touch()
            permissions = temporary.stat().st_mode & 0o777  # the user's own; the library lets nobody else read
            save_file(tensors, temporary, metadata)
            temporary.chmod(permissions)
    except SafetensorError as error:  # its words for a full disk and the like
        raise OutputError(f"cannot write {path}: {error}. Free some space, or write somewhere else") from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors and its metadata.

    A tensor whose place in the file is no multiple of 64 bytes is copied: matrix products round by the alignment of
    their weights, and a longer header, as `evaluate` writes it, must not change a prediction.

    Raises:
        ModelFileError: it is truncated, damaged or foreign.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            held = {name: _aligned(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
            return held, dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or truncated: {error}") from error


def _aligned(tensor: Tensor) -> Tensor:
    return tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor


def raw_header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the length of a safetensors file's JSON header, and the header.

    Raises:
        ModelFileError: it is no such file, or cut short.
    """
    with path.open("rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        text = file.read(size) if 0 < size <= _LARGEST_HEADER else b""
    try:
        raw: dict[str, Any] = json.loads(text if len(text) == size else b"")
        ends = [int(value["data_offsets"][1]) for name, value in raw.items() if name != "__metadata__"]
        if not isinstance(raw.get("__metadata__", {}), dict):
            raise TypeError("metadata")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise ModelFileError(f"{path} is no model file of genrescope: not a safetensors file, or cut short") from None
    missing = 8 + size + max(ends, default=0) - path.stat().st_size
    if missing > 0:
        raise ModelFileError(f"{path} is truncated: its last {missing:,} bytes are missing; copy it again")
    return size, raw
