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
    require("export", "an export")
    _refuse(out, int8=int8, data=data)
    loaded = modelfile.load(model)
    parts.refuse_published(loaded.header)
    heard = sounds(check, loaded.header.front_end.sample_rate)
    on_step("tracing the network")
    made = Traced.of(loaded)
    single = made.joined(made.network)
    on_step("comparing with torch")
    session = Session(single)
    parity = against_torch(loaded, session, heard)
    if not (parity.largest <= LIMIT and parity.largest_of_windows <= WINDOW_LIMIT):
        raise ModelFileError(
            f"{model}: exported, its scores differ from torch's by up to {parity.largest:.2g}, those of windows by "
            f"{parity.largest_of_windows:.2g}; accepted are {LIMIT:g} and {WINDOW_LIMIT:g}. Nothing was written"
        )
    written, cost = single, None
    if int8:
        on_step("quantising")
        written = made.joined(quantise.quantised(made.network))
        eight_bits = Session(written)
        cost = quantise.Cost(against(session, eight_bits, heard))
        if data is not None:
            cost = quantise.measured(loaded.header, session, eight_bits, cost.parity, data, on_track=on_track)
    facts = metadata(loaded, parity, cost)
    for key, value in facts.items():
        written.metadata_props.add(key=key, value=value)
    with replacing(out) as temporary:
        temporary.write_bytes(written.SerializeToString())
    write_text(out.parent / CARD_NAME, card.text(loaded, out, parity, cost, checked_on=[each.name for each in heard]))
    return Exported(out, out.parent / CARD_NAME, parity, cost)


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
        return cls(model, parts.front_end(model), parts.network(model), parts.pooling(model.header))

    def joined(self, network: onnx.ModelProto) -> onnx.ModelProto:
        """Return the whole model with this network."""
        traced, module = self.front_end
        return graph.joined(
            self.model.header, module, {"front_end": traced, "network": network, "pooling": self.pooling}
        )


def metadata(model: Model, parity: Parity, cost: quantise.Cost | None) -> dict[str, str]:
    """Return what the file says of itself; what is no text is JSON."""
    header = model.header
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
        "precision": "float32" if cost is None else "int8",
        "largest_difference_from_torch": parity.largest,
    }
    texts = {
        "model": str(header.recipe.get("name") or header.model),
        "fingerprint": modelfile.fingerprint(model),
        "licence": header.weights.licence,
        "citation": header.weights.citation,
        "training_data": header.data.name,
        "training_data_licence": header.data.licence,
        "training_data_citation": header.data.citation,
        "genrescope": genrescope.__version__,
    }
    return texts | {key: json.dumps(value, ensure_ascii=False) for key, value in facts.items()}


def _refuse(out: Path, *, int8: bool, data: str | None) -> None:
    if out.suffix.lower() != ".onnx":
        raise DataError(f"{out}: give a file that ends in .onnx")
    if data is not None and not int8:
        raise DataError("--data measures the cost of quantisation; give it together with --int8")
