"""What networks do to a log-mel before they look at it; measured on the training tracks, kept with the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable


class Normalise(nn.Module):
    """Take away each band's usual level and the window's own loudness, and bring the rest to unit variance.

    Without its own loudness a window looks the same at -20 dB; what is left of each band against the data set's mean
    is timbre.

    Args:
        n_mels: number of bands.

    Attributes:
        mean: (n_mels,), each band's mean over the training tracks.
        scale: (), standard deviation of what is left.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, n_mels: int = 128) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_mels))
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def measure(self, pieces: Iterable[Tensor]) -> None:
        """Measure mean and scale.

        Args:
            pieces: log-mels of shape (frames, n_mels), of whole tracks.
        """
        count, total, squares, loudness = 0, torch.zeros(len(self.mean)).double(), 0.0, []
        for piece in pieces:
            levels = piece.double()
            count += len(levels)
            total += levels.sum(dim=0)
            squares += float(levels.square().sum())
            loudness.append((len(levels), float(levels.mean())))
        mean = total / count
        # Of all bands' squares what their means make up, and what the pieces' own loudness makes up, is taken away.
        left = squares - count * float(mean.square().sum())
        left -= len(mean) * sum(size * (level - float(mean.mean())) ** 2 for size, level in loudness)
        self.mean.copy_(mean)
        self.scale.fill_(max(1e-3, (max(0.0, left) / count / len(mean)) ** 0.5))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise log-mels of shape (batch, 1, n_mels, frames)."""
        left = images - self.mean[:, None]
        return (left - left.mean(dim=(2, 3), keepdim=True)) / self.scale


def coordinates(images: Tensor) -> Tensor:
    """Return images of (batch, channels, n_mels, frames) with one more channel that says how high a band is, -1 to 1.

    Convolutions are blind to place; in a spectrogram, unlike in a photograph, the place along one axis is a pitch.
    Source: R. Liu et al., An intriguing failing of convolutional neural networks and the CoordConv solution, 2018.
    """
    height = torch.linspace(-1, 1, images.shape[2], dtype=images.dtype, device=images.device)
    return torch.cat([images, height[:, None].expand_as(images[:, :1])], dim=1)
