"""Models of every kind for the tests of exports, each traced once."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import noise, tone
from torch import nn
from torch.onnx._internal.exporter import _registration

from genrescope.export.check import Session
from genrescope.export.onnx_file import Traced
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import KaldiSpec, LogMelSpec
from genrescope.modelfile import Header, Model
from genrescope.models import registry
from genrescope.models.ensemble import SoftVoting
from genrescope.models.musicnn import FRONT_END

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.features.spec import Spec

LABELS = ("drone", "hiss", "pulse")


@pytest.fixture(scope="module", autouse=True)
def one_table() -> Iterator[None]:
    """Keep torch's table of operators, which it makes anew for each export: half the time of a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_registration.ONNXRegistry, "from_torchlib", staticmethod(_table))
        yield


@functools.cache
def _table(*arguments: Any, **options: Any) -> Any:
    return _FROM_TORCHLIB(*arguments, **options)


_FROM_TORCHLIB = _registration.ONNXRegistry.from_torchlib


class Means(nn.Module):
    """A network of one layer on the mean of a window's frames: quick to trace."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(128, len(LABELS))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layer(windows[:, 0].mean(dim=2))
        return found


def means(windows: WindowSpec, spec: Spec | None = None, **changes: Any) -> Model:
    torch.manual_seed(0)
    header = Header(
        model="own", labels=LABELS, front_end=spec or LogMelSpec(), windows=windows, made_with="0", **changes
    )
    return Model(header, Means().eval(), Path("own"))


def model(name: str, spec: Spec | None = None, windows: WindowSpec | None = None, **changes: Any) -> Model:
    """Return a model with weights at random, its logits spread so that scores are not all alike."""
    torch.manual_seed(0)
    options = changes.pop("options", {})
    network = registry.create(name, len(LABELS), **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.05 if parameter.ndim > 1 else parameter + 0.01)
    header = Header(
        model=name, options=options, labels=LABELS, front_end=spec or LogMelSpec(),
        windows=windows or WindowSpec(), made_with="0", **changes,
    )  # fmt: skip
    return Model(header, network, Path("model.safetensors"))


def waves(rate: int) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return music of several windows, of less than one, mostly silence, digital silence, and a moment."""
    song = noise(9.0, rate=rate, level=0.05) + tone(440, rate=rate, seconds=9.0, level=0.2)
    song[: 4 * rate] *= np.linspace(0, 1, 4 * rate, dtype=np.float32)
    return {
        "song": song, "short": song[-rate:], "mostly silent": np.concatenate([song, np.zeros(12 * rate, np.float32)]),
        "silence": np.zeros(7 * rate, np.float32), "moment": song[-100:],
    }  # fmt: skip


def listener(**changes: Any) -> Model:
    windows = WindowSpec(187, padding="repeat", pooling="logits")
    return model("listener", FRONT_END, windows, tags={"mood": ("calm", "wild")}, **changes)


def ensemble() -> Model:
    one = model("mgcc-small")
    members = [model("mgcc-small").network, registry.create("mgcc-small", 3).eval()]
    return Model(one.header, SoftVoting(members, temperatures=[1.0, 2.0]).eval(), Path("cv"))


KINDS: dict[str, Callable[[], Model]] = {
    "mgcc": lambda: model("mgcc-small"),
    "spread, repeat": lambda: means(WindowSpec(100, padding="repeat", placement="spread"), temperature=1.7),
    "vgg, overlapping, logits": lambda: model("vgg-16", windows=WindowSpec(96, hop=40, pooling="logits")),
    "Kaldi's filterbank": lambda: means(WindowSpec(), KaldiSpec(n_mels=128)),
    "svm": lambda: model("pooled-svm", windows=WindowSpec(215, padding="repeat"), options={"vectors": 5}),
    "scratch": lambda: model(
        "network-and-svm", windows=WindowSpec(256, padding="repeat"), options={"frames": 128, "vectors": 4}
    ),
    "cross-validation": ensemble,
    "listener": lambda: listener(
        unknown_above=0.5, options={"taggers": {"a": 5, "b": 4}, "others": 2, "negatives": True}
    ),
    "genres": lambda: listener(exclusive=False, options={"taggers": {"a": 5}, "others": 2}),
}


@functools.cache
def session_of(kind: str) -> tuple[Model, Traced, Session]:
    made = KINDS[kind]()
    traced = Traced.of(made)
    return made, traced, Session(traced.joined(traced.network))
