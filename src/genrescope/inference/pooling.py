"""What is averaged over the windows of a track: their probabilities, or their logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from genrescope.features.placement import Pooling


def pooled(scores: Tensor, *, pooling: Pooling, exclusive: bool) -> Tensor:
    """Return what is averaged of probabilities of shape (windows, labels): themselves, or their logits."""
    if pooling == "probabilities":
        return scores
    return scores.clamp(min=1e-30).log() if exclusive else scores.logit(eps=1e-7)


def unpooled(mean: Tensor, *, pooling: Pooling, exclusive: bool) -> Tensor:
    """Return the probabilities of averages of what `pooled` returns, of shape (tracks, labels)."""
    if pooling == "probabilities":
        return mean
    return mean.softmax(dim=1) if exclusive else mean.sigmoid()
