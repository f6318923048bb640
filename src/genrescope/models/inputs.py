"""What networks do to a log-mel before they look at it; measured on the training tracks, kept with the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable


FLOOR = 1e-6
"""The log-mel's own floor, added to each band's power before the logarithm."""
RELATIVE_FLOOR = 1e-5
"""Power against the window's mean that takes the floor's place: 50 dB below it."""


def relative(images: Tensor) -> Tensor:
    """Return log-mels as they would be if the mean power of each window were 1, with a floor 50 dB below that.

    At -20 dB a window looks the same, and what was recorded softly has no other silence than what was recorded loud.

    Args:
        images: log-mels of shape (..., n_mels, frames).
    """
    power = (images.exp() - FLOOR).clamp(min=0)
    level = power.mean(dim=(-2, -1), keepdim=True).clamp(min=FLOOR * RELATIVE_FLOOR)
    return (power / level + RELATIVE_FLOOR).log()


class Normalise(nn.Module):
    """Take away the window's own level and each band's usual one, and bring the rest to unit variance.

    What is left of each band against the data set's mean is timbre.

    Args:
        n_mels: number of bands.

    Attributes:
        mean: (n_mels,), each band's mean over the training tracks, of log-mels relative to their track's level.
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
        count, total, squares = 0, torch.zeros(len(self.mean)).double(), torch.zeros(len(self.mean)).double()
        for piece in pieces:
            levels = relative(piece.double().T)
            count += levels.shape[1]
            total += levels.sum(dim=1)
            squares += levels.square().sum(dim=1)
        mean = total / count
        variance = float((squares / count - mean.square()).mean())
        self.mean.copy_(mean)
        self.scale.fill_(max(1e-3, max(0.0, variance) ** 0.5))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise log-mels of shape (batch, 1, n_mels, frames)."""
        return (relative(images) - self.mean[:, None]) / self.scale
