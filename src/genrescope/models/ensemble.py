"""Ensembles: models whose scores are averaged.

A network uses patterns, an SVM on pooled statistics uses averages; trained separately, they make errors on different
songs. Their log-probabilities are averaged: a logarithmic opinion pool (C. Genest and J. Zidek,
Combining probability distributions, 1986). Models of one kind, as the folds' of a cross-validation, are combined by
soft voting: the mean of their probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from genrescope.models.pooled import PooledSVM
from genrescope.models.registry import create, register

if TYPE_CHECKING:
    from collections.abc import Sequence


class NetworkAndSVM(nn.Module):
    """A network and an SVM on one window; the network gets it in pieces, whose probabilities are averaged first.

    Args:
        frames: length of the network's pieces.
        share: the SVM's weight, in [0, 1].

    Attributes:
        width: features in an embedding: those of the network.
    """

    def __init__(self, network: nn.Module, svm: PooledSVM, *, frames: int, share: float) -> None:
        if frames < 1 or not 0 <= share <= 1:
            raise ValueError(f"frames {frames}, share {share}; accepted are 1 or more, and 0 to 1")
        super().__init__()
        self.network, self.svm = network, svm
        self.frames, self.share = frames, share
        self.width = getattr(network, "width", 0)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 128, a multiple of `frames`)."""
        scores = self._of_pieces(self.network(self._pieces(images)).float().softmax(dim=1), len(images))
        return torch.lerp(_log(scores), self.svm(images).log_softmax(dim=1), self.share)

    def embed(self, images: Tensor) -> Tensor:
        """Return the mean of the network's embeddings of its pieces, of shape (batch, width)."""
        embedded: Tensor = self.network.embed(self._pieces(images))  # type: ignore[operator]
        return self._of_pieces(embedded, len(images))

    def _pieces(self, images: Tensor) -> Tensor:
        if not images.shape[3] or images.shape[3] % self.frames:
            raise ValueError(f"{images.shape[3]} frames; the network's pieces have {self.frames}")
        return torch.cat(torch.split(images, self.frames, dim=3))

    def _of_pieces(self, values: Tensor, windows: int) -> Tensor:
        return values.reshape(-1, windows, values.shape[1]).mean(dim=0)


class SoftVoting(nn.Module):
    """Average the probabilities of several networks with the same labels.

    Args:
        temperatures: what each one's logits are divided by.
        exclusive: whether labels exclude each other: softmax; else sigmoid.

    Attributes:
        width: features in an embedding: those of all members, one after the other.
    """

    def __init__(self, members: Sequence[nn.Module], *, temperatures: Sequence[float], exclusive: bool = True) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._temperatures, self._exclusive = tuple(temperatures), exclusive
        self.width = sum(getattr(member, "width", 0) for member in members)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits whose softmax (or sigmoid) is the mean of the members' probabilities, (batch, labels)."""
        logits = [
            member(images).float() / temperature
            for member, temperature in zip(self.members, self._temperatures, strict=True)
        ]
        if self._exclusive:
            return _log(torch.stack([each.softmax(dim=1) for each in logits]).mean(dim=0))
        return torch.stack([each.sigmoid() for each in logits]).mean(dim=0).logit(eps=1e-7)

    def embed(self, images: Tensor) -> Tensor:
        """Return the members' embeddings side by side, of shape (batch, width)."""
        return torch.cat([member.embed(images) for member in self.members], dim=1)  # type: ignore[operator]


def _log(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=1e-30).log()


@register
def network_and_svm(
    genres: int,
    *,
    network: str = "vgg-16",
    dropout: float = 0.3,
    frames: int = 128,
    vectors: int = 1,
    kernel: str = "rbf",
    share: float = 0.5,
) -> NetworkAndSVM:
    """A network of the registry and an SVM, with the parameters of both: by default 0.16 GFLOP for 128 frames."""
    svm = PooledSVM(genres, vectors=vectors, kernel=kernel)
    return NetworkAndSVM(create(network, genres, dropout=dropout), svm, frames=frames, share=share)
