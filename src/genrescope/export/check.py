"""An exported model against torch: the same sounds through both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from genrescope import audio
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.modelfile import Model
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt
    import onnx

    from genrescope.audio import Wave

LIMIT, WINDOW_LIMIT = 1e-4, 1e-3
"""The largest difference that a track's score may have, and a window's.

Frames are rounded to float16, as a store keeps them: a last digit may fall the other way, and a window averages less.
"""

_SONGS, _SECONDS = 3, 12.0


@dataclass(frozen=True)
class Sound:
    """A sound that a model is checked on: its name, and float32 (samples,) at the model's rate."""

    name: str
    waveform: Wave


@dataclass(frozen=True)
class Parity:
    """How far two runs of a model are apart.

    Attributes:
        sounds: on how many sounds.
        windows: of how many windows.
        largest: largest difference of a track's score.
        largest_of_windows: largest difference of a window's score.
        agree: how many sounds have the same highest score.
    """

    sounds: int
    windows: int
    largest: float
    largest_of_windows: float
    agree: int


class Session:
    """An exported model in onnxruntime, on one core."""

    def __init__(self, model: onnx.ModelProto) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, waveform: Wave) -> dict[str, npt.NDArray[np.float32]]:
        """Return each output by its name."""
        return dict(zip(self._names, self._session.run(None, {"waveform": waveform}), strict=True))


class SinglePrecision(nn.Module):
    """A network with gradients on, where musicnn is computed in float32 also on processors that multiply bfloat16."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.batch = getattr(network, "batch", 32)

    def forward(self, windows: Tensor) -> Tensor:
        """Return the network's logits."""
        with torch.inference_mode(False), torch.enable_grad():
            logits: Tensor = self.network(windows.clone())
            return logits.detach()

    def with_others(self, windows: Tensor) -> Tensor:
        """Return what the network's method returns."""
        with torch.inference_mode(False), torch.enable_grad():
            logits: Tensor = self.network.with_others(windows.clone())  # type: ignore[operator]
            return logits.detach()


def sounds(paths: Sequence[Path], rate: int) -> list[Sound]:
    """Decode files, or without any synthesise music.

    Raises:
        AudioError: a file cannot be decoded.
    """
    if paths:
        return [Sound(path.name, audio.decode(path, rate=rate)) for path in paths]
    from genrescope.synth import STYLES, compose

    return [Sound(style, compose(style, seconds=_SECONDS, sample_rate=rate)) for style in list(STYLES)[:_SONGS]]


def by_torch(model: Model, waveform: Wave) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the scores of a track (labels,) and of its windows (windows, labels), in float32 by torch."""
    exact = Model(model.header, SinglePrecision(model.network).eval(), model.path)
    with limited(1):
        found = Scorer.of(exact).track(stored([waveform], make(model.header.front_end)))
    return found.scores.numpy(), found.window_scores.numpy()


def against_torch(model: Model, session: Session, heard: Sequence[Sound]) -> Parity:
    """Compare an exported model with torch."""
    return _compared([(by_torch(model, sound.waveform), _scores(session, sound)) for sound in heard])


def against(float_session: Session, session: Session, heard: Sequence[Sound]) -> Parity:
    """Compare two exported models, as before and after quantisation."""
    return _compared([(_scores(float_session, sound), _scores(session, sound)) for sound in heard])


def _scores(session: Session, sound: Sound) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    found = session.run(sound.waveform)
    return found["scores"], found["window_scores"]


def _compared(
    pairs: Sequence[tuple[tuple[npt.NDArray[np.float32], ...], tuple[npt.NDArray[np.float32], ...]]],
) -> Parity:
    tracks, windows = (max(float(np.abs(one[place] - other[place]).max()) for one, other in pairs) for place in (0, 1))
    agree = sum(int(one[0].argmax() == other[0].argmax()) for one, other in pairs)
    return Parity(len(pairs), sum(len(one[1]) for one, _ in pairs), tracks, windows, agree)
