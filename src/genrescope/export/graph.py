"""The whole graph: windows are placed, scored one after the other in memory that does not grow, and pooled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.export.parts import OPSET
from genrescope.features.spec import KaldiSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import onnx

    from genrescope.export.front_end import WindowFrontEnd
    from genrescope.modelfile import Header

IR_VERSION = 10
"""The version of ONNX's file format; onnxruntime has it since 1.17."""


def joined(header: Header, front_end: WindowFrontEnd, parts: Mapping[str, onnx.ModelProto]) -> onnx.ModelProto:
    """Return one model from a waveform to a track's scores.

    Args:
        header: of the model.
        front_end: what the graph `front_end` was traced from.
        parts: the graphs `front_end`, `network` and `pooling`.
    """
    import onnx
    from onnx import helper

    text = _text(header, front_end, [output.name for output in parts["pooling"].graph.output])
    graph = onnx.parser.parse_graph(text)
    graphs = {name: part.graph for name, part in parts.items()}
    _fill(graph, graphs)
    opsets = {entry.domain: entry.version for part in parts.values() for entry in part.opset_import} | {"": OPSET}
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in opsets.items()],
    )


def _text(header: Header, front_end: WindowFrontEnd, outputs: Iterable[str]) -> str:
    """Return the graph in ONNX's own notation; `part.NAME` stands for a graph that is put in."""
    spec, windows, labels = header.front_end, header.windows, len(header.labels)
    kaldi = isinstance(spec, KaldiSpec)
    before = 0 if kaldi else front_end.win_length // 2
    shapes = {
        "window_scores": f"float[windows, {labels}]", "scores": f"float[{labels}]", "novelty": "float",
        "tags": f"float[{sum(map(len, header.tags.values()))}]", "unknown": "bool",
    }  # fmt: skip
    given = ", ".join(f"{shapes[name]} {name}" for name in outputs)
    length, hop, step = windows.frames, spec.hop, windows.hop or windows.frames
    return f"""
track (float[samples] waveform) => ({given}, float[windows] starts, bool[windows] silent) {{
    zero = Constant <value_ints = [0]> ()
    one = Constant <value_ints = [1]> ()
    hop = Constant <value_ints = [{hop}]> ()
    length = Constant <value_ints = [{length}]> ()
    count = Shape (waveform)
    short_by = Constant <value_ints = [{front_end.win_length if kaldi else 0}]> ()
    reach = Sub (count, short_by)
    inside = Max (reach, zero)
    hops = Div (inside, hop)
    total = Add (hops, one)
    over = Sub (total, length)
    room = Max (over, zero)
    {_SPREAD if windows.placement == "spread" else _GRID.format(step=step)}
    fill = Constant <value_ints = [{before}, {front_end.samples}]> ()
    padded = Pad (waveform, fill)
    logits, silences = Scan <num_scan_inputs = 1, body = window (int64 first) => (float[logit] row, bool[each] quiet) {{
        start = Reshape (first, one)
        begin = Mul (start, hop)
        width = Constant <value_ints = [{front_end.samples}]> ()
        end = Add (begin, width)
        piece = Slice (padded, begin, end)
        remaining = Sub (total, start)
        image, quiet = part.front_end (piece, remaining)
        rows = part.network (image)
        row = Squeeze (rows, zero)
    }}> (firsts)
    silent = Squeeze (silences, one)
    {", ".join(outputs)} = part.pooling (logits, silent)
    seconds = Constant <value_float = {spec.seconds(1)!r}> ()
    starts_in_frames = Cast <to = 1> (firsts)
    starts = Mul (starts_in_frames, seconds)
}}
"""


_GRID = """
    step = Constant <value_int = {step}> ()
    from_zero = Constant <value_int = 0> ()
    past = Add (room, one)
    until = Squeeze (past)
    firsts = Range (from_zero, until, step)
"""

_SPREAD = """
    total_d = Cast <to = 11> (total)
    length_d = Cast <to = 11> (length)
    room_d = Cast <to = 11> (room)
    one_d = Cast <to = 11> (one)
    fitting = Div (total_d, length_d)
    whole = Round (fitting)
    number = Max (whole, one_d)
    gaps = Sub (number, one_d)
    parts = Max (gaps, one_d)
    gap = Div (room_d, parts)
    number_i = Cast <to = 7> (number)
    last = Squeeze (number_i)
    from_zero = Constant <value_int = 0> ()
    by_one = Constant <value_int = 1> ()
    places = Range (from_zero, last, by_one)
    places_d = Cast <to = 11> (places)
    exact = Mul (places_d, gap)
    nearest = Round (exact)
    firsts = Cast <to = 7> (nearest)
"""


def _fill(graph: onnx.GraphProto, parts: Mapping[str, onnx.GraphProto]) -> None:
    """Put graphs in the place of the nodes that stand for them, here and in the bodies of loops."""
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _fill(attribute.g, parts)
        if node.domain == "part":
            _put(graph, node, parts[node.op_type])
        else:
            graph.node.append(node)


def _put(graph: onnx.GraphProto, node: onnx.NodeProto, part: onnx.GraphProto) -> None:
    """Append a graph's nodes and weights under names of their own, bound to the inputs and outputs of a node."""
    from onnx import compose, helper

    named = compose.add_prefix_graph(part, f"{node.op_type}/")
    for outer, inner in zip(node.input, named.input, strict=True):
        graph.node.append(helper.make_node("Identity", [outer], [inner.name]))
    for traced in (*named.node, *named.initializer):
        traced.ClearField("doc_string")
        del traced.metadata_props[:]  # lines of the programs that they were traced from
    graph.node.extend(named.node)
    graph.initializer.extend(named.initializer)
    for outer, inner in zip(node.output, named.output, strict=True):
        graph.node.append(helper.make_node("Identity", [inner.name], [outer]))
