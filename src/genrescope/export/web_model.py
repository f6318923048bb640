"""What the page of an exported model knows of it: the facts that the service answers, and where its windows lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import genrescope
from genrescope import modelfile
from genrescope.features.placement import Choice
from genrescope.features.spec import KaldiSpec
from genrescope.inference.classifier import fingerprint_of
from genrescope.inference.explain import band_edges
from genrescope.inference.model_facts import model_facts

if TYPE_CHECKING:
    from genrescope.export.onnx_file import Checked


def facts(done: Checked, name: str) -> str:
    """Return the facts as JSON.

    Args:
        done: what was exported.
        name: as the model was given.
    """
    fingerprint = fingerprint_of(modelfile.fingerprint(done.model), Choice())
    known = model_facts(done.model, name=name, fingerprint=fingerprint)
    local = {"front": _front(done), "windows": _windows(done), "genrescope": genrescope.__version__}
    return json.dumps(known | {"local": local}, ensure_ascii=False, allow_nan=False)


def _front(done: Checked) -> dict[str, Any]:
    """Return which samples a window takes; `before` stands before the first, and `short_by` are no whole frame."""
    spec, module = done.model.header.front_end, done.traced.front_end[1]
    kaldi = isinstance(spec, KaldiSpec)
    return {
        "samples": module.samples,
        "hop": spec.hop,
        "before": 0 if kaldi else module.win_length // 2,
        "short_by": module.win_length if kaldi else 0,
        "frame_seconds": spec.seconds(1),
        "bands": band_edges(spec).tolist(),
    }


def _windows(done: Checked) -> dict[str, Any]:
    header = done.model.header
    return {
        "length": header.windows.frames,
        "step": header.windows.hop or header.windows.frames,
        "spread": header.windows.placement == "spread",
        "repeat": header.windows.padding == "repeat",
        "features": header.front_end.width,
    }
