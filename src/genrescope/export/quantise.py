"""Dynamic quantisation: weights of the network in 8 bits, and what that costs.

Front end and pooling stay in single precision.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import AudioError, DataError, ModelFileError
from genrescope.evaluation.metrics import share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx

    from genrescope.export.check import Parity, Session
    from genrescope.modelfile import Header
    from genrescope.results.figures import Share


@dataclass(frozen=True)
class Cost:
    """What quantisation costs.

    Attributes:
        parity: against the model in single precision, on the sounds of the check.
        before: accuracy on labelled tracks in single precision; None where none were given.
        after: accuracy in 8 bits.
        agree: the share of tracks whose genre is the same.
        data: the labelled tracks' name.
    """

    parity: Parity
    before: Share | None = None
    after: Share | None = None
    agree: Share | None = None
    data: str = ""


def quantised(network: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network's graph with weights in 8 bits; activations are quantised as they come.

    That is convolutions and dense layers (`Gemm`, which becomes `MatMul` first). The products of pooled statistics and
    SVMs span many orders of magnitude, more than 8 bits hold.

    Raises:
        ModelFileError: there is nothing to quantise.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    products = [node.name for node in network.graph.node if node.op_type == "MatMul"]
    if not any(node.op_type in ("Conv", "Gemm") for node in network.graph.node):
        raise ModelFileError(
            "it has neither convolutions nor dense layers, so there is nothing to quantise; leave out --int8"
        )
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)  # it asks for a pass that torch has made already
    try:
        with tempfile.TemporaryDirectory(prefix="genrescope-") as folder:
            path = Path(folder) / "network.onnx"
            quantize_dynamic(
                network,
                path,
                weight_type=QuantType.QUInt8,
                op_types_to_quantize=["Conv", "MatMul"],
                nodes_to_exclude=products,
            )
            return onnx.load(path)
    finally:
        logger.setLevel(before)


def measured(
    header: Header,
    single: Session,
    eight_bits: Session,
    parity: Parity,
    data: str,
    *,
    on_track: Callable[[int, int], None],
) -> Cost:
    """Return the accuracy of both on labelled audio.

    Args:
        header: of the model.
        single: the model in single precision.
        eight_bits: the quantised one.
        parity: of both.
        data: DATA.
        on_track: called with the tracks that are done, and the tracks in all.

    Raises:
        DataError: no track of it has a genre that the model knows.
    """
    rows = []
    for truth, waveform in _labelled(header, data, on_track):
        best = [header.labels[int(each.run(waveform)["scores"].argmax())] for each in (single, eight_bits)]
        rows.append((best[0] == truth, best[1] == truth, best[0] == best[1]))
    if not rows:
        raise DataError(f"{data}: no track in it can be decoded and has one of the labels {', '.join(header.labels)}")
    before, after, agree = (share(sum(column), len(rows)) for column in zip(*rows, strict=True))
    return Cost(parity, before, after, agree, data)


def _labelled(header: Header, data: str, on_track: Callable[[int, int], None]) -> Iterator[tuple[str, audio.Wave]]:
    from genrescope.sources.data import read_data

    tracks = [track for track in read_data(data)[1] if track.genre in header.labels]
    for number, track in enumerate(tracks):
        on_track(number, len(tracks))
        try:
            yield track.genre, audio.decode(track.path, rate=header.front_end.sample_rate)
        except AudioError:  # it is no cost of quantisation, and `prepare` names such files
            continue
