"""A published audio network of Hugging Face transformers: waves in, the mean of every hidden layer out.

| kind | architectures | rate | window | what is taken |
|---|---|---|---|---|
| `ast` | `audio-spectrogram-transformer` | its own, 16 kHz | its own, 10.24 s | mean of the patches, every layer |
| `wave` | `hubert`, `wav2vec2`, `wavlm`, `mert_model` | its own | 10 s; 5 s for MERT | mean over time, every layer |
| `clap` | `clap`, `clap_audio_model` | its own, 48 kHz | its own, 10 s | the pooled output of the audio tower |

Sources: Y. Gong et al., AST: Audio Spectrogram Transformer, 2021; W.-N. Hsu et al., HuBERT, 2021; A. Baevski et al.,
wav2vec 2.0, 2020; Y. Li et al., MERT, 2023; Y. Wu et al., Large-scale contrastive language-audio pretraining, 2022.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from genrescope.audio import Wave

Features: TypeAlias = npt.NDArray[np.float32]
_T = TypeVar("_T")
Kind = Literal["ast", "wave", "clap"]

KINDS: dict[str, Kind] = {
    "audio-spectrogram-transformer": "ast",
    "hubert": "wave",
    "wav2vec2": "wave",
    "wavlm": "wave",
    "mert_model": "wave",
    "clap": "clap",
    "clap_audio_model": "clap",
}
"""The architectures that are known, by the name their configuration gives them."""

MEAN = "mean"
"""The layer that stands for the mean of all."""

BATCH = 8
"""Windows that the network hears at once."""

_SPECIAL_TOKENS = 2  # AST's class and distillation tokens, which stand before the patches
_LEAST_SECONDS: dict[Kind, float] = {"ast": 0.1, "wave": 1.0, "clap": 0.0}  # a shorter wave gets silence after it


@dataclass(frozen=True)
class Network:
    """A network as it was published.

    Attributes:
        name: its name on the hub, or that of its folder.
        model_type: its architecture, as its configuration calls it.
        kind: how it hears.
        rate: samples per second of what it hears.
        seconds: length of a window.
        layers: hidden layers, what goes into the first one included; 1 where only one output is used.
        width: numbers of a layer.
        identity: fingerprint of weights and input; equal for the same network, wherever it lies.
        revision: commit on the hub; empty for a folder.
        parameters: how many weights it has.
        model: the torch module, in evaluation mode.
        extractor: what makes its input of waves.
        device: where it is.
    """

    name: str
    model_type: str
    kind: Kind
    rate: int
    seconds: float
    layers: int
    width: int
    identity: str
    revision: str
    parameters: int
    model: Any
    extractor: Any
    device: str

    @property
    def window(self) -> int:
        """Samples in a window."""
        return round(self.seconds * self.rate)

    def check_layer(self, layer: int | None) -> str:
        """Return the layer's name, `mean` for None.

        Raises:
            DataError: the network has no such layer.
        """
        if layer is None:
            return MEAN
        if not 0 <= layer < self.layers:
            accepted = f"0 (what goes into the first) to {self.layers - 1}" if self.layers > 1 else "0, its only output"
            raise DataError(f"{self.name} has no layer {layer}; accepted are {accepted}; without --layer the mean")
        return str(layer)

    @torch.inference_mode()
    def hear(self, wave: Wave) -> Features:
        """Return the features of a wave's windows, float32 of shape (windows, layers, width).

        Args:
            wave: float32 of shape (samples,) at the network's rate.
        """
        batches = batches_of(windows_of(wave, self.window))
        return np.concatenate([self.layers_of(self.model, self.inputs(batch)).cpu().numpy() for batch in batches])

    def inputs(self, waves: Sequence[Wave]) -> dict[str, Tensor]:
        """Return what the module takes for windows of one length, on the CPU."""
        least = round(_LEAST_SECONDS[self.kind] * self.rate)
        waves = [np.pad(wave, (0, max(0, least - len(wave)))) for wave in waves]
        inputs = dict(self.extractor(waves, sampling_rate=self.rate, return_tensors="pt"))
        if "is_longer" in inputs:  # no window is, but the extractor of a fused CLAP calls one so, drawn at random
            inputs["is_longer"] = torch.zeros_like(inputs["is_longer"])
        return inputs

    def layers_of(self, model: Any, inputs: dict[str, Tensor]) -> Tensor:
        """Return the features of windows, float32 of shape (windows, layers, width), where the network is.

        Args:
            model: the network's own module, or a copy of it that has learnt more.
            inputs: what `inputs` returned.
        """
        out = model(**{name: its.to(self.device) for name, its in inputs.items()}, output_hidden_states=True)
        if self.kind == "clap":
            return out.pooler_output[:, None].float()  # type: ignore[no-any-return]
        first = _SPECIAL_TOKENS if self.kind == "ast" else 0
        return torch.stack([layer[:, first:].mean(dim=1) for layer in out.hidden_states], dim=1).float()

    def milliseconds(self) -> float:
        """Time the network on 30 s of noise on one core, as `compute` times our own."""
        from genrescope.evaluation import cost

        here = replace(self, model=self.model.cpu(), device="cpu")
        wave = np.random.default_rng(0).normal(0, 0.1, cost.SECONDS * self.rate).astype(np.float32)

        def once() -> float:
            begun = time.process_time()
            here.hear(wave)
            return 1000 * (time.process_time() - begun)

        try:
            return round(cost.timed(once, repeats=1), 1)
        finally:
            self.model.to(self.device)


def windows_of(wave: Wave, length: int) -> list[Wave]:
    """Cut a wave into windows: as many as fit best, evenly from its beginning to its end.

    So 30 s give three windows of 10.24 s, the neighbours sharing 0.36 s. A wave that is shorter is a window as it is.

    Example:
        >>> [len(window) for window in windows_of(np.zeros(30, np.float32), 10)]
        [10, 10, 10]
        >>> [len(window) for window in windows_of(np.zeros(7, np.float32), 10)]
        [7]
    """
    return [wave[start : start + length] for start in starts_of(len(wave), length)]


def starts_of(samples: int, length: int) -> list[int]:
    """Return where the windows begin that a wave of so many samples is cut into."""
    count = max(1, round(samples / length))
    starts: list[int] = np.linspace(0, max(0, samples - length), count).round().astype(int).tolist()
    return starts


def batches_of(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield windows in the batches that the network hears at once."""
    for first in range(0, len(items), BATCH):
        yield items[first : first + BATCH]
