"""The listener: published taggers side by side, and a linear head that starts from what their tags know already.

A genre's logit is `scale (mean logit of its tags, less their usual level) + weights . pooled layer + bias`. Where
labels are few, the tags decide and labels correct them; genres without a tag are learnt from the pooled layer alone.
All of it is linear in a window's features, so the mean of windows' logits is the logit of their mean.

The taggers know more genres than a user's own. Each of those is a rival, whose logit is that of its tags, less their
usual level: where rivals outweigh the labels, a song is probably none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.models.musicnn import POOLED, Musicnn
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TagHead(nn.Module):
    """From the features of windows to the logits of genres.

    Args:
        genres: number of outputs.
        tags: number of tags of all taggers.
        features: numbers of the pooled layer.
        rivals: number of genres that the tags know and that are no outputs.

    Attributes:
        prior: (genres, tags), how much each tag speaks for each genre; rows add up to 1, or to 0 without a tag.
        level: (tags,), each tag's usual logit.
        scale: (), what the tags' logits are multiplied by.
        centre: (features,), mean of the pooled layer over the training tracks.
        spread: (features,), its standard deviation times the root of the number of features.
        weights: (genres, features).
        bias: (genres,).
        rivals: (rivals, tags), how much each tag speaks for each rival; not there without rivals.
        rival_level: (rivals,), the usual logit of its tags.
    """

    def __init__(self, genres: int, *, tags: int, features: int, rivals: int = 0) -> None:
        super().__init__()
        self.tags, self.rival_count = tags, rivals
        self.prior, self.level = nn.Parameter(torch.zeros(genres, tags)), nn.Parameter(torch.zeros(tags))
        self.weights, self.bias = nn.Parameter(torch.zeros(genres, features)), nn.Parameter(torch.zeros(genres))
        self.centre, self.spread = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.ones(features))
        self.scale = nn.Parameter(torch.ones(()))
        if rivals:
            self.rivals, self.rival_level = nn.Parameter(torch.zeros(rivals, tags)), nn.Parameter(torch.zeros(rivals))

    def open_set(self, features: Tensor) -> Tensor:
        """Return logits of the genres, then of their rivals, of shape (batch, genres + rivals)."""
        rivals = features[:, -self.tags :] @ self.rivals.T - self.rival_level
        return torch.cat([cast("Tensor", self(features)), rivals], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from features as `Listener.listen` returns them."""
        pooled, tags = features[:, : -self.tags], features[:, -self.tags :]
        known = self.scale * ((tags - self.level) @ self.prior.T)
        return known + ((pooled - self.centre) / self.spread) @ self.weights.T + self.bias


class Listener(nn.Module):
    """Taggers and a head.

    Args:
        genres: number of outputs.
        taggers: number of tags of each tagger by its name; the first one's pooled layer is learnt from.
        rivals: number of genres that the tags know and that are no outputs.

    Attributes:
        width: features in an embedding: the first tagger's.
    """

    width = Musicnn.width
    batch = Musicnn.batch

    def __init__(self, genres: int, *, taggers: Mapping[str, int], rivals: int = 0) -> None:
        super().__init__()
        self.taggers = nn.ModuleList(Musicnn(tags) for tags in taggers.values())
        self.head = TagHead(genres, tags=sum(taggers.values()), features=POOLED, rivals=rivals)

    @classmethod
    def of(cls, taggers: Sequence[nn.Module], genres: int, *, rivals: int = 0) -> Listener:
        """Return a listener with copies of musicnn networks, ready to predict; its head knows nothing yet."""
        known = [cast("Musicnn", tagger) for tagger in taggers]
        network = cls(
            genres, taggers={str(n): tagger.tags.out_features for n, tagger in enumerate(known)}, rivals=rivals
        )
        for own, tagger in zip(network.taggers, known, strict=True):
            own.load_state_dict(tagger.state_dict())
        return network.eval()

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 96, frames)."""
        return cast("Tensor", self.head(self.listen(windows)))

    def open_set(self, windows: Tensor) -> Tensor:
        """Return logits of the genres, then of their rivals, of shape (batch, genres + rivals)."""
        return self.head.open_set(self.listen(windows))

    def listen(self, windows: Tensor) -> Tensor:
        """Return the first tagger's pooled layer and the logits of all tags, of shape (batch, 1506 + tags)."""
        pooled = [tagger.pool(windows) for tagger in self._taggers()]
        tags = [tagger.judge(each) for tagger, each in zip(self._taggers(), pooled, strict=True)]
        return torch.cat([pooled[0], *tags], dim=1)

    def embed(self, windows: Tensor) -> Tensor:
        """Return the first tagger's embedding, of shape (batch, width)."""
        return self._taggers()[0].embed(windows)

    def _taggers(self) -> list[Musicnn]:
        return [cast("Musicnn", tagger) for tagger in self.taggers]


@register
def listener(genres: int, *, taggers: dict[str, int], rivals: int = 0) -> Listener:
    """Two musicnn networks and a head: 1.6 million parameters, 5.6 GFLOP for 187 frames."""
    return Listener(genres, taggers=taggers, rivals=rivals)
