"""Compact VGG: plain 3x3 convolutions, halved five times, then pooled over all that is left.

Global pooling takes windows of any length and leaves 0.4 million parameters where the published network's dense layer
has 134. Source of the shape: K. Simonyan and A. Zisserman, Very deep convolutional networks, 2014; of global pooling:
M. Lin et al., Network in network, 2013.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.models.inputs import Normalise
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence


class VGG(nn.Module):
    """Convolutions that are halved in time and frequency, then the mean and the maximum over time.

    Args:
        channels: of each convolution; each is followed by a pooling that halves both axes.

    Attributes:
        width: features in an embedding.
    """

    def __init__(self, genres: int, *, channels: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.normalise = Normalise()
        sizes = [1, *channels]
        self.features = nn.Sequential(*(_pooled_convolution(i, o) for i, o in zip(sizes, channels, strict=False)))
        self.width = 2 * channels[-1]
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.width, genres))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, frames)."""
        return cast("Tensor", self.classifier(self.embed(images)))

    def logits_and_embeddings(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of one pass, as `forward` and `embed` return them."""
        embedded = self.embed(images)
        return cast("Tensor", self.classifier(embedded)), embedded

    def embed(self, images: Tensor) -> Tensor:
        """Return the input of the classifier, of shape (batch, width), from log-mels of (batch, 1, 128, frames)."""
        features = self.features(self.normalise(images)).mean(dim=2)
        return torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)


def _pooled_convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
    )


@register
def vgg_16(genres: int, *, dropout: float = 0.3) -> VGG:
    """Five convolutions of 16 to 256 channels: 397,946 parameters at ten genres, 0.31 GFLOP for 256 frames."""
    return VGG(genres, channels=(16, 32, 64, 128, 256), dropout=dropout)
