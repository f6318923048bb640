"""A convolutional front with attention over time: for windows of 10 to 30 s, where what matters may be far apart.

Source: M. Won, S. Chun and X. Serra, Toward interpretable music tagging with self-attention, 2019; of pooling by
attention: Q. Kong et al., Audio set classification with attention model, ICASSP 2018.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.models.inputs import Normalise
from genrescope.models.layers import pooled_convolution
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Sequence


class Attentive(nn.Module):
    """Convolutions to a vector every 0.37 s, one layer of self-attention, and a pooling that chooses moments.

    Args:
        genres: number of outputs.
        channels: of each convolution; each halves the bands, the first four also time.
        width: of the vectors.
        heads: of the attention.
        dropout: share of features that is dropped in training.
    """

    def __init__(self, genres: int, *, channels: Sequence[int], width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.normalise = Normalise()
        sizes = [1, *channels]
        self.features = nn.Sequential(
            *(
                pooled_convolution(i, o, pool=(2, 2 if n < 4 else 1))
                for n, (i, o) in enumerate(zip(sizes, channels, strict=False))
            )
        )
        rows = 128 >> len(channels)
        self.project = nn.Linear(channels[-1] * rows, width)
        self.attention = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout=dropout / 2, batch_first=True, norm_first=True
        )
        self.choose = nn.Linear(width, width, bias=False)  # one would be the same at every moment
        self.classifier = nn.Sequential(nn.LayerNorm(width), nn.Dropout(dropout), nn.Linear(width, genres))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, frames)."""
        moments = self.project(self.features(self.normalise(images)).flatten(1, 2).transpose(1, 2))
        moments = self.attention(moments + _positions(moments))
        shares = self.choose(moments).softmax(dim=1)
        return cast("Tensor", self.classifier((shares * moments).sum(dim=1)))


def _positions(moments: Tensor) -> Tensor:
    """Return sines and cosines of the place in time (A. Vaswani et al., Attention is all you need, 2017)."""
    _, count, width = moments.shape
    place = torch.arange(count, device=moments.device)[:, None]
    rates = torch.exp(torch.arange(0, width, 2, device=moments.device) * (-math.log(10_000) / width))
    return torch.stack([torch.sin(place * rates), torch.cos(place * rates)], dim=2).flatten(1).to(moments.dtype)


@register
def attentive_128(genres: int, *, dropout: float = 0.3) -> Attentive:
    """Six convolutions, vectors of 128, four heads: 520,762 parameters at ten genres, 0.27 GFLOP for 256 frames."""
    return Attentive(genres, channels=(16, 32, 64, 96, 128, 128), width=128, heads=4, dropout=dropout)
