"""The model file: one `.safetensors` file that carries everything needed to use it.

Its JSON header holds architecture, front end, labels, window, recipe, data fingerprint, scores and licence; loading
it runs no code.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch

from genrescope.data.windows import Padding
from genrescope.errors import GenrescopeError, ModelFileError, OutputError
from genrescope.features.spec import Spec, from_dict, to_dict
from genrescope.files import replacing
from genrescope.models import registry

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1
FILE_NAME = "model.safetensors"
PROBE_NAME = "probe.safetensors"
"""What stands in a run folder where the network itself is another's and only its probe was fitted."""
TUNED_NAME = "tuned.safetensors"
"""What stands in a run folder where a published network was fine-tuned."""
TRUNK_NAME = "trunk.safetensors"
"""What a run of `pretrain` leaves: a network without labels, which is no model file."""
_KEY = "genrescope"
_LARGEST_HEADER = 100_000_000  # the limit of the safetensors format


@dataclass(frozen=True)
class Header:
    """What a model file says of itself.

    Attributes:
        model: the architecture's name in the registry.
        options: the keyword arguments it was made with.
        labels: the genres, in the order of the logits.
        front_end: the numbers of the front end.
        window: frames in a window.
        hop: frames from one window to the next; 0 stands for a whole window.
        padding: what fills a window that a song is too short for, `silence` or `repeat`.
        recipe: the whole recipe it was trained with.
        data: fingerprint of the store it was trained on.
        scores: its figures, by split, part and level, each with its interval.
        licence: on what terms the weights may be used.
        made_with: version of genrescope.
    """

    model: str
    options: dict[str, Any]
    labels: tuple[str, ...]
    front_end: Spec
    window: int
    recipe: dict[str, Any]
    data: str
    made_with: str
    hop: int = 0
    padding: Padding = "silence"
    scores: dict[str, Any] = field(default_factory=dict)
    licence: str = "unspecified: the terms of the training data apply"

    def to_json(self) -> str:
        """Return the header as it stands in the file."""
        values = {"format": FORMAT} | dataclasses.asdict(self) | {"front_end": to_dict(self.front_end)}
        return json.dumps(values, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read a header.

        Raises:
            ModelFileError: it is not one, or of a newer format.
        """
        try:
            values = json.loads(text)
            if values.pop("format") != FORMAT:
                raise ModelFileError(f"model format is not {FORMAT}; use a newer genrescope")
            values["front_end"] = from_dict(values["front_end"])
            values["labels"] = tuple(values["labels"])
            header = cls(**values)
            header._check_windows()
            return header
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"the header is damaged: {error}") from error

    def _check_windows(self) -> None:
        whole = all(type(number) is int for number in (self.window, self.hop))
        if not whole or self.window < 1 or self.hop < 0 or self.padding not in get_args(Padding):
            raise ValueError(f"windows of {self.window!r} frames, hop {self.hop!r}, padding {self.padding!r}")


@dataclass(frozen=True)
class Bundle:
    """A model in memory with its header.

    Attributes:
        header: what it says of itself.
        model: the network, in evaluation mode.
        path: the file it came from.
    """

    header: Header
    model: nn.Module
    path: Path


def locate(path: str | Path) -> Path:
    """Return the model file that `path` names: itself, or the one in a run folder.

    Raises:
        ModelFileError: there is none.
    """
    path = Path(path)
    if path.is_dir():
        if (path / PROBE_NAME).is_file():
            raise ModelFileError(
                f"{path} holds a probe on a published network, which is no model file; genrescope transfer has scored "
                "it, and compare and recipes take its scores"
            )
        if (path / TUNED_NAME).is_file():
            raise ModelFileError(
                f"{path} holds a fine-tuned published network, which is no model file; genrescope transfer has scored "
                "it, and compare and recipes take its scores"
            )
        if (path / TRUNK_NAME).is_file():
            raise ModelFileError(
                f"{path} holds a pre-trained network, which knows no genres yet. Teach it some with: genrescope train "
                f"STORE --recipe default --init-from {path} --out RUN"
            )
        if not (path / FILE_NAME).is_file():
            raise ModelFileError(
                f"{path} holds no {FILE_NAME}; is it a run folder, and has its training ended? Finish it with: "
                "genrescope train ... --resume"
            )
        return path / FILE_NAME
    if not path.is_file():
        raise ModelFileError(f"{path}: no such model file or run folder")
    return path


def save(path: str | Path, model: nn.Module, header: Header) -> None:
    """Write a model file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_tensors(Path(path), tensors, {_KEY: header.to_json()})


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Bundle:
    """Read a model file or a run folder's model.

    Raises:
        ModelFileError: there is none, or it is truncated, damaged, foreign or too new.
    """
    path = locate(path)
    header = read_header(path)
    try:
        tensors, _ = load_tensors(path)
        with torch.device("meta"):  # the file's weights take the place of fresh ones, which need not be drawn
            model = registry.create(header.model, len(header.labels), **header.options)
        model.load_state_dict(tensors, assign=True)
    except (GenrescopeError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be used: {error}") from error
    return Bundle(header, model.to(device).eval(), path)


def read_header(path: str | Path) -> Header:
    """Read only the header of a model file or a run folder's model.

    Raises:
        ModelFileError: as `load`.
    """
    path = locate(path)
    metadata = _raw_header(path)[1].get("__metadata__", {})
    if _KEY not in metadata:
        raise ModelFileError(
            f"{path} is a safetensors file, but not one of genrescope's: its header lacks front end and labels"
        )
    try:
        return Header.from_json(metadata[_KEY])
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def add_scores(path: str | Path, scores: dict[str, Any]) -> None:
    """Write figures into a model file's header; the weights are copied as they are.

    Raises:
        ModelFileError: the file is not a model file.
        OutputError: it cannot be written.
    """
    path = locate(path)
    header = read_header(path)
    size, raw = _raw_header(path)
    raw["__metadata__"][_KEY] = dataclasses.replace(header, scores=header.scores | scores).to_json()
    text = json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to eight bytes
    with replacing(path) as temporary, path.open("rb") as old, temporary.open("wb") as new:
        old.seek(8 + size)
        new.write(struct.pack("<Q", len(text)) + text)
        shutil.copyfileobj(old, new, 1 << 24)


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        with replacing(path) as temporary:
            temporary.touch()
            permissions = temporary.stat().st_mode & 0o777  # the user's own; the library lets nobody else read
            save_file(tensors, temporary, metadata)
            temporary.chmod(permissions)
    except SafetensorError as error:  # its words for a full disk and the like
        raise OutputError(f"cannot write {path}: {error}. Free some space, or write somewhere else") from error


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Read a safetensors file: its tensors and its metadata.

    Raises:
        ModelFileError: it is truncated, damaged or foreign.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path} is damaged or truncated: {error}") from error


def _raw_header(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the length of a safetensors file's JSON header, and the header."""
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
