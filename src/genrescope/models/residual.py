"""Residual short-chunk network: two convolutions a block with a way around them, halved six times.

Source: M. Won, A. Ferraro, D. Bogdanov and X. Serra, Evaluation of CNN-based automatic music tagging models, SMC 2020
("short-chunk CNN + Res"), at a fraction of its width, since a few hundred songs cannot fill 12 million weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.models.inputs import Normalise
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence


class Residual(nn.Module):
    """Residual blocks, then the maximum over time of what is left, and a dense layer.

    Args:
        genres: number of outputs.
        channels: of each block; each halves both axes.
        dropout: share of the pooled features that is dropped in training.
    """

    def __init__(self, genres: int, *, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.normalise = Normalise()
        sizes = [1, *channels]
        self.features = nn.Sequential(*(_Block(i, o) for i, o in zip(sizes, channels, strict=False)))
        rows, last = 128 >> len(channels), channels[-1]
        self.classifier = nn.Sequential(
            nn.Linear(2 * last * rows, last),
            nn.LayerNorm(last),  # a step may hold one window only
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(last, genres),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, frames)."""
        features = self.features(self.normalise(images)).flatten(1, 2)
        return cast("Tensor", self.classifier(torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))
        self.around = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(images)) + self.around(images))


@register
def residual_32(genres: int, *, dropout: float = 0.3) -> Residual:
    """Six blocks of 32 to 160 channels: 1,070,794 parameters at ten genres, 0.43 GFLOP for 256 frames."""
    return Residual(genres, channels=(32, 48, 64, 96, 128, 160), dropout=dropout)
