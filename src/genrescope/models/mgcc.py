"""The published network: three convolutions, two poolings, three dense layers.

| layer | filters | size/stride | output |
|---|---|---|---|
| convolution, batch norm, ReLU | 64 | 3x3/1 | 64 x 128 x 128 |
| max pooling | | 3x3/2 | 64 x 64 x 64 |
| convolution, batch norm, ReLU | 128 | 3x3/1 | 128 x 64 x 64 |
| max pooling | | 3x3/2 | 128 x 32 x 32 |
| convolution, batch norm, ReLU | 256 | 3x3/1 | 256 x 32 x 32 |
| dense, dropout | 512 | | 512 |
| dense, dropout | 512 | | 512 |
| dense | genres | | genres |

Everything is padded to keep its size ("same"); CNTK centres an odd pooling window on every second cell, which is
PyTorch's padding of one on both sides. Convolutions have no bias, dense layers have one, and there is no activation
between the dense layers, as in the original program.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from genrescope.models.registry import register


class MGCC(nn.Module):
    """The published network, at any width.

    Args:
        norm_samples: time constant of batch norm's running statistics, in samples, as CNTK has it (its default is
            5,000); 0 takes PyTorch's, a tenth of every batch.
        size: mels and frames of the image; both are halved twice.

    Attributes:
        width: features in an embedding: the outputs of the second dense layer.

    Initialised as CNTK names it: He normal for convolutions, `std = sqrt(2 / fan_in)`; Glorot uniform for dense
    layers, `limit = sqrt(6 / (fan_in + fan_out))`; biases zero, batch norm at identity.
    """

    def __init__(
        self,
        genres: int,
        *,
        filters: tuple[int, int, int] = (64, 128, 256),
        dense: int = 512,
        dropout: float = 0.5,
        norm_samples: float = 0.0,
        size: int = 128,
    ) -> None:
        super().__init__()
        first, second, third = filters
        self.width = dense
        self.features = nn.Sequential(
            *_convolution(1, first, norm_samples),
            nn.MaxPool2d(3, stride=2, padding=1),
            *_convolution(first, second, norm_samples),
            nn.MaxPool2d(3, stride=2, padding=1),
            *_convolution(second, third, norm_samples),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(third * (size // 4) ** 2, dense),
            nn.Dropout(dropout),
            nn.Linear(dense, dense),
            nn.Dropout(dropout),
            nn.Linear(dense, genres),
        )
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mel images of shape (batch, 1, 128, 128)."""
        return cast("Tensor", self.classifier(self.features(images)))

    def logits_and_embeddings(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of one pass, as `forward` and `embed` return them."""
        embedded = self.embed(images)
        return cast("Tensor", self.classifier[-1](embedded)), embedded

    def embed(self, images: Tensor) -> Tensor:
        """Return the input of the last dense layer, of shape (batch, width), from images of (batch, 1, 128, 128)."""
        return cast("Tensor", self.classifier[:-1](self.features(images)))


class CNTKBatchNorm(nn.BatchNorm2d):
    """Batch norm whose running statistics forget as CNTK's do.

    The first batch sets them; of each later batch of n samples they take `1 - exp(-n / samples)`. With CNTK's default
    of 5,000 samples they look back over many epochs of a small data set.
    """

    def __init__(self, channels: int, samples: float) -> None:
        super().__init__(channels)
        self.samples = samples

    def forward(self, images: Tensor) -> Tensor:
        """Normalise images of shape (batch, channels, height, width)."""
        if self.training:
            self.momentum = self.momentum_for(len(images))
        return super().forward(images)

    def momentum_for(self, images: int) -> float:
        """Return how much of the running statistics the next batch of so many images replaces."""
        begun = self.num_batches_tracked is not None and int(self.num_batches_tracked) > 0
        return -math.expm1(-images / self.samples) if begun else 1.0


def _convolution(inputs: int, outputs: int, norm_samples: float) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        CNTKBatchNorm(outputs, norm_samples) if norm_samples else nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
        return  # there is nothing to draw, and PyTorch would load its compiler for it, which takes a second
    if isinstance(module, nn.Conv2d):
        fan_in = module.in_channels * math.prod(module.kernel_size)
        module.weight.normal_(0, math.sqrt(2 / fan_in))
    elif isinstance(module, nn.Linear):
        limit = math.sqrt(6 / (module.in_features + module.out_features))
        module.weight.uniform_(-limit, limit)
        module.bias.zero_()


@register
def mgcc(genres: int, *, dropout: float = 0.5, norm_samples: float = 0.0) -> MGCC:
    """The network as published: 134,856,138 parameters at ten genres, 1.5 GFLOP for 128 frames.

    With its gradients it is three times as much work.
    """
    return MGCC(genres, dropout=dropout, norm_samples=norm_samples)


@register
def mgcc_small(genres: int, *, dropout: float = 0.5, norm_samples: float = 0.0) -> MGCC:
    """The same layers at a quarter of the width: 8,429,946 parameters at ten genres, 0.097 GFLOP for 128 frames."""
    return MGCC(genres, filters=(16, 32, 64), dense=128, dropout=dropout, norm_samples=norm_samples)
