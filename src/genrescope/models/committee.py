"""A network and a support vector machine that judge together.

A network hears patterns, a machine on pooled statistics hears averages; taught apart, they are wrong about different
songs. Their log-probabilities are averaged: a logarithmic opinion pool (C. Genest and J. Zidek, Combining probability
distributions, 1986).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genrescope.models.pooled import PooledSVM
from genrescope.models.registry import create, register


class Committee(nn.Module):
    """Judge a window by both; the network hears it in pieces, whose probabilities are averaged first.

    Args:
        network: takes windows of `frames`.
        machine: takes the whole window.
        frames: length of the network's pieces.
        share: the machine's weight, in [0, 1].
    """

    def __init__(self, network: nn.Module, machine: PooledSVM, *, frames: int, share: float) -> None:
        super().__init__()
        self.network, self.machine = network, machine
        self.frames, self.share = frames, share

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, a multiple of `frames`)."""
        if not images.shape[3] or images.shape[3] % self.frames:
            raise ValueError(f"{images.shape[3]} frames; the network's pieces have {self.frames}")
        pieces = torch.cat(torch.split(images, self.frames, dim=3))
        heard = self.network(pieces).float().softmax(dim=1)
        heard = heard.reshape(-1, len(images), heard.shape[1]).mean(dim=0).clamp(min=1e-30).log()
        return torch.lerp(heard, self.machine(images).log_softmax(dim=1), self.share)


@register
def committee(
    genres: int,
    *,
    network: str = "vgg-16",
    dropout: float = 0.3,
    frames: int = 128,
    vectors: int = 1,
    kernel: str = "rbf",
    share: float = 0.5,
) -> Committee:
    """A network of the registry and a machine, with the parameters of both: by default 0.16 GFLOP for 128 frames."""
    machine = PooledSVM(genres, vectors=vectors, kernel=kernel)
    return Committee(create(network, genres, dropout=dropout), machine, frames=frames, share=share)
