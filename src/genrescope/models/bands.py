"""Networks that know high from low: tall filters, a coordinate, and statistics of each band beside the convolutions.

A convolution treats a bass and a cymbal alike. Here the first layer sees 3x3 pictures beside tall, narrow ones (a
timbre) and long, flat ones (a rhythm), as in J. Pons and X. Serra, Designing efficient architectures for modeling
temporal features with convolutional neural networks, ICASSP 2017, and a channel that tells how high a band is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.models.inputs import Normalise, coordinates
from genrescope.models.layers import pooled_convolution
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHAPES = ((3, 3), (25, 1), (1, 25))


class Bands(nn.Module):
    """Filters of three shapes, then convolutions that are halved, then statistics over time of every band that is left.

    Args:
        genres: number of outputs.
        filters: of each of the three shapes.
        channels: of each later convolution; each is followed by a pooling that halves both axes.
        dropout: share of the pooled features that is dropped in training.
    """

    def __init__(self, genres: int, *, filters: int, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.shapes = nn.ModuleList(
            nn.Conv2d(2, filters, shape, padding=(shape[0] // 2, shape[1] // 2), bias=False) for shape in _SHAPES
        )
        wide = filters * len(_SHAPES)
        self.front = nn.Sequential(nn.BatchNorm2d(wide), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        sizes = [wide, *channels]
        self.features = nn.Sequential(*(pooled_convolution(i, o) for i, o in zip(sizes, channels, strict=False)))
        rows = 64 >> len(channels)
        self.mix = nn.Sequential(
            nn.Conv1d(channels[-1] * rows, channels[-1], 1, bias=False), nn.BatchNorm1d(channels[-1]), nn.ReLU()
        )
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * channels[-1], genres))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, frames)."""
        seen = coordinates(self.normalise(images))
        front = self.front(torch.cat([shape(seen) for shape in self.shapes], dim=1))
        moments = self.mix(self.features(front).flatten(1, 2))
        return cast("Tensor", self.classifier(torch.cat([moments.mean(dim=2), moments.amax(dim=2)], dim=1)))


@register
def bands_8(genres: int, *, dropout: float = 0.3) -> Bands:
    """Three times 8 filters, then 48 to 192 channels: 537,226 parameters at ten genres, 0.57 GFLOP for 256 frames."""
    return Bands(genres, filters=8, channels=(48, 96, 128, 192), dropout=dropout)
