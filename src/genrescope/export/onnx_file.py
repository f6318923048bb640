"""Export a model: traced, checked against torch, written with its metadata and a model card."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import genrescope
from genrescope import modelfile
from genrescope.errors import DataError, ModelFileError
from genrescope.export import card, graph, parts, quantise
from genrescope.export.check import LIMIT, WINDOW_LIMIT, Parity, Session, against, against_torch, sounds
from genrescope.extras import require
from genrescope.files import replacing, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import onnx

    from genrescope.export.front_end import WindowFrontEnd
    from genrescope.modelfile import Model

CARD_NAME = "MODEL_CARD.md"


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the ONNX file.
        card: the model card beside it.
        parity: of the single precision model with torch.
        cost: of quantisation; None without it.
    """

    path: Path
    card: Path
    parity: Parity
    cost: quantise.Cost | None


def export(
    model: str | Path,
    out: Path,
    *,
    check: Sequence[Path] = (),
    int8: bool = False,
    data: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    on_track: Callable[[int, int], None] = lambda *_: None,
) -> Exported:
    """Write a model as one ONNX file that takes a waveform and gives scores.

    Args:
        model: model file, run folder, folder of a cross-validation, or a name on the shelf.
        out: the file; `MODEL_CARD.md` is written beside it.
        check: audio files on which it is compared with torch; by default synthesised music.
        int8: quantise the weights of convolutions and dense layers.
        data: DATA, on which the cost of quantisation is measured.
        on_step: called with a word on what is being done.
        on_track: called with the tracks of `data` that are done, and the tracks in all.

    Raises:
        ModelFileError: the model cannot be exported, or a track's score differs from torch's by more than
            1e-4, or a window's by more than 1e-3.
        DataError: an argument contradicts another, or `data` has no track of the model's labels.
        AudioError: a file of `check` cannot be decoded.
        OutputError: the file cannot be written.
        MissingPackageError: a package of the extra `export` is not installed.
    """
    if out.suffix.lower() != ".onnx":
        raise DataError(f"{out}: give a file that ends in .onnx, or with --web a folder")
    done = checked(model, check=check, int8=int8, data=data, on_step=on_step, on_track=on_track)
    written = done.traced.joined(done.network)
    for key, value in metadata(done).items():
        written.metadata_props.add(key=key, value=value)
    with replacing(out) as temporary:
        temporary.write_bytes(written.SerializeToString())
    write_card(done, out.parent, card.FILE.format(file=out.name, rate=done.model.header.front_end.sample_rate))
    return Exported(out, out.parent / CARD_NAME, done.parity, done.cost)


@dataclass(frozen=True)
class Checked:
    """A model whose graphs were compared with torch.

    Attributes:
        model: the model.
        traced: its parts.
        network: the part that is written: in single precision, or quantised.
        parity: of the single precision model with torch.
        cost: of quantisation; None without it.
        sounds: names of the sounds of the comparison.
    """

    model: Model
    traced: Traced
    network: onnx.ModelProto
    parity: Parity
    cost: quantise.Cost | None
    sounds: tuple[str, ...]


def checked(
    model: str | Path,
    *,
    check: Sequence[Path],
    int8: bool,
    data: str | None,
    on_step: Callable[[str], None],
    on_track: Callable[[int, int], None],
) -> Checked:
    """Trace a model and compare it with torch; arguments and errors as `export` has them."""
    require("export", "an export")
    if data is not None and not int8:
        raise DataError("--data measures the cost of quantisation; give it together with --int8")
    loaded = modelfile.load(model)
    parts.refuse_published(loaded.header)
    played = sounds(check, loaded.header.front_end.sample_rate)
    on_step("tracing the network")
    traced = Traced.of(loaded)
    on_step("comparing with torch")
    session = Session(traced.joined(traced.network))
    parity = against_torch(loaded, session, played)
    if not (parity.largest <= LIMIT and parity.largest_of_windows <= WINDOW_LIMIT):
        raise ModelFileError(
            f"{model}: exported, its scores differ from torch's by up to {parity.largest:.2g}, those of windows by "
            f"{parity.largest_of_windows:.2g}; accepted are {LIMIT:g} and {WINDOW_LIMIT:g}. Nothing was written"
        )
    network, cost = traced.network, None
    if int8:
        on_step("quantising")
        network = quantise.quantised(traced.network)
        eight_bits = Session(traced.joined(network))
        cost = quantise.Cost(against(session, eight_bits, played))
        if data is not None:
            cost = quantise.measured(loaded.header, session, eight_bits, cost.parity, data, on_track=on_track)
    return Checked(loaded, traced, network, parity, cost, tuple(each.name for each in played))


def write_card(done: Checked, folder: Path, start: str) -> None:
    """Write the model card into a folder.

    Args:
        done: what was exported.
        folder: where it goes.
        start: how to get started, in Markdown.
    """
    write_text(folder / CARD_NAME, card.text(done.model, done.parity, done.cost, start=start, checked_on=done.sounds))


@dataclass(frozen=True)
class Traced:
    """A model's parts as ONNX graphs.

    Attributes:
        model: the model.
        front_end: from samples to one window, and the module that it was traced from.
        network: from one window to logits.
        pooling: from logits to scores.
    """

    model: Model
    front_end: tuple[onnx.ModelProto, WindowFrontEnd]
    network: onnx.ModelProto
    pooling: onnx.ModelProto

    @classmethod
    def of(cls, model: Model) -> Traced:
        """Trace a model."""
        network = parts.network(model)
        return cls(model, parts.front_end(model), network, parts.pooling(model.header, network))

    def joined(self, network: onnx.ModelProto) -> onnx.ModelProto:
        """Return the whole model with this network."""
        traced, module = self.front_end
        return graph.joined(
            self.model.header, module, {"front_end": traced, "network": network, "pooling": self.pooling}
        )


def metadata(done: Checked) -> dict[str, str]:
    """Return what the file says of itself; what is no text is JSON."""
    header = done.model.header
    step = header.windows.hop or header.windows.frames
    facts = {
        "labels": list(header.labels),
        "exclusive": header.exclusive,
        "sample_rate": header.front_end.sample_rate,
        "window_seconds": header.window_seconds,
        "hop_seconds": header.front_end.seconds(step) if header.windows.placement == "grid" else None,
        "temperature": header.temperature,
        "thresholds": header.thresholds,
        "unknown_above": header.unknown_above,
        "tags": {kind: list(tags) for kind, tags in header.tags.items()},
        "precision": "float32" if done.cost is None else "int8",
        "largest_difference_from_torch": done.parity.largest,
    }
    texts = {
        "model": str(header.recipe.get("name") or header.model),
        "fingerprint": modelfile.fingerprint(done.model),
        "licence": header.weights.licence,
        "citation": header.weights.citation,
        "training_data": header.data.name,
        "training_data_licence": header.data.licence,
        "training_data_citation": header.data.citation,
        "genrescope": genrescope.__version__,
    }
    return texts | {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}
