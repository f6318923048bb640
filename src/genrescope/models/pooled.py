"""Pooled statistics and an SVM: the classical baseline, with weights like any network's.

| statistic of a window | numbers |
|---|---|
| mean of each band, less the window's own level | 128 |
| standard deviation of each band, and of its change from frame to frame | 256 |
| cepstrum: mean (without the first, the level), standard deviation, that of its change | 39 + 40 + 40 |
| modulation spectrum: power of 32 band groups at 11 rates from 0.25 to 21.5 Hz, in logarithm | 352 |

Sources: G. Tzanetakis and P. Cook, Musical genre classification of audio signals, 2002 (statistics over a texture
window); C.-H. Lee et al., Automatic music genre classification based on modulation spectral analysis of spectral and
cepstral features, 2009.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from genrescope.models.inputs import relative
from genrescope.models.registry import register
from genrescope.models.svm import OneVsRestSVM

_CEPSTRA = 40
_GROUP = 4  # bands that share a modulation spectrum
SEGMENT, _STEP = 256, 128  # frames: 5.9 s, resolved to 0.17 Hz
_EDGES = (0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 21.5)  # Hz
_LEAST = 1e-3  # added to modulation power: what is as still as that is still


class Power(nn.Module):
    """The power of each frequency of segments; a module, so that an export can put matrix products in its place."""

    def forward(self, segments: Tensor) -> Tensor:
        """Return power of shape (..., length // 2 + 1) from segments of shape (..., length)."""
        return cast("Tensor", torch.fft.rfft(segments).abs().square())


def _cosines(n_mels: int) -> Tensor:
    """Return the transform from bands to cepstra, of shape (40, n_mels)."""
    place = (torch.arange(n_mels, dtype=torch.float64) + 0.5) * math.pi / n_mels
    cosines = torch.cos(torch.arange(_CEPSTRA, dtype=torch.float64)[:, None] * place) * math.sqrt(2 / n_mels)
    cosines[0] /= math.sqrt(2)
    return cosines.float()


def _rates(frame_rate: float) -> Tensor:
    """Return the weights with which a segment's frequencies count in each rate, of shape (11, frequencies)."""
    hz = torch.arange(SEGMENT // 2 + 1) * frame_rate / SEGMENT
    rates = torch.stack([(hz >= low) & (hz < high) for low, high in pairwise(_EDGES)]).float()
    return rates / rates.sum(dim=1, keepdim=True)


class PooledStatistics(nn.Module):
    """The statistics of the table above."""

    cosines: Tensor
    rates: Tensor

    def __init__(self, n_mels: int = 128, frame_rate: float = 22_050 / 512) -> None:
        super().__init__()
        device = torch.get_default_device()
        with torch.device("cpu"):  # on the meta device PyTorch would load its compiler, which takes a second
            cosines, rates = _cosines(n_mels), _rates(frame_rate)
        self.register_buffer("cosines", cosines.to(device))
        self.register_buffer("rates", rates.to(device))
        self.power: nn.Module = Power()
        self.features = 3 * n_mels + 3 * _CEPSTRA - 1 + len(rates) * (n_mels // _GROUP)

    def forward(self, images: Tensor) -> Tensor:
        """Return features of shape (batch, features) from log-mels of shape (batch, 1, n_mels, frames)."""
        if images.shape[3] < 3:
            raise ValueError(f"{images.shape[3]} frames; how a window changes shows in 3 or more")
        levels = relative(images[:, 0])
        cepstra = self.cosines @ levels
        return torch.cat(
            [
                levels.mean(dim=2) - levels.mean(dim=(1, 2))[:, None],
                levels.std(dim=2),
                levels.diff(dim=2).std(dim=2),
                cepstra.mean(dim=2)[:, 1:],
                cepstra.std(dim=2),
                cepstra.diff(dim=2).std(dim=2),
                self._modulation(levels),
            ],
            dim=1,
        )

    def _modulation(self, levels: Tensor) -> Tensor:
        batch, bands, frames = levels.shape
        groups = levels.reshape(batch, bands // _GROUP, _GROUP, frames).mean(dim=2)
        groups = groups - groups.mean(dim=2, keepdim=True)
        if groups.shape[2] < SEGMENT:
            groups = nn.functional.pad(groups, (0, SEGMENT - groups.shape[2]))
        segments = groups.unfold(2, SEGMENT, _STEP) * torch.hann_window(SEGMENT, device=levels.device)
        power = self.power(segments).mean(dim=2)
        told: Tensor = power @ self.rates.T + _LEAST
        return told.log().flatten(1)


class PooledSVM(OneVsRestSVM):
    """An SVM for each genre on the pooled statistics of a window.

    Args:
        vectors: support vectors: windows of the training tracks; one for each genre with a linear kernel.
        kernel: `rbf` or `linear`.

    Attributes:
        width: features in an embedding: the pooled statistics.
    """

    def __init__(self, genres: int, *, vectors: int, kernel: str) -> None:
        statistics = PooledStatistics()
        super().__init__(genres, features=statistics.features, vectors=vectors, kernel=kernel)
        self.statistics = statistics
        self.width = statistics.features

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, frames)."""
        return super().forward(self.embed(images))

    def logits_and_embeddings(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of one pass, as `forward` and `embed` return them."""
        embedded = self.embed(images)
        return super().forward(embedded), embedded

    def embed(self, images: Tensor) -> Tensor:
        """Return the pooled statistics, of shape (batch, width), from log-mels of shape (batch, 1, 128, frames)."""
        return cast("Tensor", self.statistics(images))


@register
def pooled_svm(genres: int, *, vectors: int = 1, kernel: str = "rbf") -> PooledSVM:
    """Statistics, and so many support vectors of 855 numbers: 0.0045 GFLOP for 430 frames at one vector."""
    return PooledSVM(genres, vectors=vectors, kernel=kernel)
