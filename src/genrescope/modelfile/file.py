"""The model file: written, found, read.

One `.safetensors` file carries everything that is needed to use a model: its JSON header has front end, windows,
architecture, labels, recipe, figures and terms. Loading it runs no code. The folder of a cross-validation loads too, as
the ensemble of its folds' models.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch

from genrescope.errors import GenrescopeError, ModelFileError
from genrescope.files import read_text, replacing
from genrescope.modelfile.header import Header
from genrescope.modelfile.tensors import load_tensors, raw_header, save_tensors
from genrescope.models import registry
from genrescope.models.ensemble import SoftVoting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

FILE_NAME = "model.safetensors"
CROSSVAL_NAME = "crossval.json"
"""What stands in the folder of a cross-validation, which names the folds' runs."""
_KEY = "genrescope"


@dataclass(frozen=True)
class Model:
    """A model in memory.

    Attributes:
        header: what it says of itself.
        network: windows in, logits out; in evaluation mode.
        path: the file that it came from, or the folder of a cross-validation.
    """

    header: Header
    network: nn.Module
    path: Path


def locate(path: str | Path) -> Path:
    """Return the model file that `path` names: itself, the one in a run folder, or one on the shelf.

    Raises:
        ModelFileError: there is none.
    """
    path = Path(path)
    if not path.exists():
        from genrescope.modelfile.catalogue import named

        return named(str(path))
    if path.is_dir():
        if not (path / FILE_NAME).is_file():
            raise ModelFileError(
                f"{path} holds no {FILE_NAME}; is it a run folder, and has its training ended? Finish it by the "
                "command that began it, with --resume"
            )
        return path / FILE_NAME
    return path


def save(path: str | Path, network: nn.Module, header: Header) -> None:
    """Write a model file, whole or not at all; weights that the header names elsewhere are left out.

    Raises:
        OutputError: it cannot be written.
        ModelFileError: a weight is not finite.
    """
    elsewhere = tuple(need.prefix for need in header.requires)
    state = {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(elsewhere)}
    _refuse_infinite(state, str(path))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_tensors(Path(path), tensors, {_KEY: header.to_json()})


def load(path: str | Path, *, device: str | torch.device = "cpu") -> Model:
    """Read a model file, the model of a run folder, or all models of a cross-validation's folder as an ensemble.

    What is no path that exists is a name on the shelf.

    Raises:
        ModelFileError: there is none, or it is truncated, damaged, foreign or of another format; or weights that it
            needs cannot be had.
    """
    if folds := fold_runs(Path(path)):
        return _ensemble(Path(path), [load(fold, device=device) for fold in folds])
    path = locate(path)
    header = read_header(path)
    try:
        tensors, _ = load_tensors(path)
        _refuse_infinite(tensors, "it")
        with torch.device("meta"):  # the file's weights take the place of fresh ones, which need not be drawn
            network = registry.create(header.model, len(header.labels), **header.options)
        _fill(network, tensors, header)
    except (GenrescopeError, RuntimeError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path} cannot be used: {error}") from error
    return Model(header, network.to(device).eval(), path)


def fingerprint(model: Model) -> str:
    """Return 16 hexadecimal digits that identify a model's header and every weight of its network.

    Where the file lies does not count; neither do scores, which are added to a file later.
    """
    header = model.header.model_copy(update={"scores": {}})
    digest = hashlib.sha256(header.to_json().encode("utf-8", "surrogatepass"))
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def read_header(path: str | Path) -> Header:
    """Read only the header of a model file or of a run folder's model.

    Raises:
        ModelFileError: as `load`.
    """
    path = locate(path)
    metadata = raw_header(path)[1].get("__metadata__", {})
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
    size, raw = raw_header(path)
    raw["__metadata__"][_KEY] = header.model_copy(update={"scores": header.scores | scores}).to_json()
    text = json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to eight bytes
    with replacing(path) as temporary, path.open("rb") as old, temporary.open("wb") as new:
        old.seek(8 + size)
        new.write(struct.pack("<Q", len(text)) + text)
        shutil.copyfileobj(old, new, 1 << 24)


def fold_runs(path: Path) -> list[Path]:
    """Return the run folders of a cross-validation's folds; none where `path` is something else.

    Raises:
        ModelFileError: the cross-validation's file is damaged.
    """
    file = path / CROSSVAL_NAME
    if not path.is_dir() or (path / FILE_NAME).is_file() or not file.is_file():
        return []
    try:
        return [path / str(fold["run"]) for fold in json.loads(read_text(file))["crossval"]["folds"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{file} is damaged: {error}") from error


def _ensemble(path: Path, models: list[Model]) -> Model:
    """Return an ensemble of the folds' models: the mean of their probabilities (soft voting)."""
    first = models[0].header
    for model in models[1:]:
        for name in ("labels", "front_end", "windows", "exclusive"):
            if getattr(model.header, name) != getattr(first, name):
                raise ModelFileError(f"{path}: its folds' models have different {name}, so they cannot vote together")
    network = SoftVoting(
        [model.network for model in models],
        temperatures=[model.header.temperature for model in models],
        exclusive=first.exclusive,
    )
    thresholds = mean_thresholds([model.header for model in models])
    changed = {"temperature": 1.0, "unknown_above": None, "thresholds": thresholds, "scores": {}}
    return Model(first.model_copy(update=changed), network.eval(), path)


def mean_thresholds(headers: Sequence[Header]) -> dict[str, float]:
    """Return the mean threshold of each label over the models of folds; empty where they have none."""
    return {
        label: fmean(each.thresholds.get(label, at) for each in headers) for label, at in headers[0].thresholds.items()
    }


def _fill(network: nn.Module, tensors: dict[str, Tensor], header: Header) -> None:
    """Give a network its weights."""
    elsewhere = tuple(need.prefix for need in header.requires)
    for name, expected in network.state_dict().items():
        if name in tensors and tensors[name].dtype != expected.dtype:
            raise RuntimeError(f"its weights {name} are {tensors[name].dtype}; {header.model} has {expected.dtype}")
    keys = network.load_state_dict(tensors, strict=False, assign=True)
    missing = [name for name in keys.missing_keys if not name.startswith(elsewhere)]
    if missing or keys.unexpected_keys:
        odd = [*missing, *keys.unexpected_keys]
        raise RuntimeError(f"its tensors are not those of {header.model}: {odd[0]} and {len(odd) - 1} more")
    if empty := [name for name, tensor in network.state_dict().items() if tensor.is_meta]:
        raise RuntimeError(f"neither it nor what it requires holds the weights {empty[0]} and {len(empty) - 1} more")


def _refuse_infinite(tensors: dict[str, Tensor], name: str) -> None:
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelFileError(f"{name} holds weights that are not finite ({key}); train the model again")
