"""The listener: pre-trained taggers, and a linear head whose prior is the taggers' tags.

A genre's logit is `scale (mean logit of its tags, minus their mean level) + weights . embedding + bias`. With few
labels the tags dominate, with more labels the weights; genres without a tag are learnt from the embedding alone.
The embedding is the pooled layer of the first tagger.
The taggers depend on the level of mastered music: windows below -30 dB of full scale are raised to it.
All of it is linear in a window's features, so the mean of windows' logits is the logit of their mean.

The taggers cover more than the labels. Others have logits of their own, those of their tags, minus their mean level:
genres that are no labels (where they outweigh the labels, a song is probably none of them), or moods, eras and
instruments, which are reported beside the genres. One more logit grows with the distance from the training tracks: what
is unlike all of them, such as noise, is none of the labels either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from genrescope.features.level import band_weights
from genrescope.models.musicnn import FRONT_END, POOLED, Musicnn
from genrescope.models.registry import register

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


LEVEL = -30.0
"""Level (root mean square, in dB of full scale) that quieter windows are raised to, by 30 dB at most."""


FAR, FARTHEST = 20.0, 100.0
"""How fast the logit of what is unlike the training tracks grows, and the largest squared score of one feature.

A feature that was the same in all of a few training tracks would outweigh all others without that bound.
"""


class TagHead(nn.Module):
    """From the features of windows to the logits of genres.

    Args:
        genres: number of outputs.
        tags: number of tags of all taggers.
        features: numbers of the pooled layer.
        others: number of outputs beside the genres.
        negatives: whether one more output is learnt from examples of none of the genres.

    Attributes:
        prior: (genres, tags), how much each tag speaks for each genre; rows add up to 1, or to 0 without a tag.
        level: (tags,), each tag's usual logit.
        scale: (), what the tags' logits are multiplied by.
        centre: (features,), mean of the pooled layer over the training tracks.
        spread: (features,), its standard deviation times the root of the number of features.
        weights: (genres, features).
        bias: (genres,).
        others: (others, tags), how much each tag speaks for each of them; not there without others.
        other_level: (others,), the usual logit of its tags.
        away: (features,), the weights of the output of negative examples; not there without it.
        away_bias: (), its bias.
        limit: (), the mean squared standard score of the pooled layer that few training tracks exceed.
    """

    def __init__(self, genres: int, *, tags: int, features: int, others: int = 0, negatives: bool = False) -> None:
        super().__init__()
        self.tags, self.other_count = tags, others
        self.prior, self.level = nn.Parameter(torch.zeros(genres, tags)), nn.Parameter(torch.zeros(tags))
        self.weights, self.bias = nn.Parameter(torch.zeros(genres, features)), nn.Parameter(torch.zeros(genres))
        self.centre, self.spread = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.ones(features))
        self.scale, self.limit = nn.Parameter(torch.ones(())), nn.Parameter(torch.tensor(1e6))
        if others:
            self.others, self.other_level = nn.Parameter(torch.zeros(others, tags)), nn.Parameter(torch.zeros(others))
        self.negatives = negatives
        if negatives:
            self.away, self.away_bias = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.zeros(()))

    def with_others(self, features: Tensor) -> Tensor:
        """Return logits of genres, others, negative examples if any, and what is unlike the training tracks.

        They are of shape (batch, genres + others + 1), with negative examples (batch, genres + others + 2).
        """
        pooled, tags = features[:, : -self.tags], features[:, -self.tags :]
        standard = (pooled - self.centre) / self.spread
        squares = standard.square().clamp(max=FARTHEST / pooled.shape[1])
        far = FAR * (squares.sum(dim=1, keepdim=True) - self.limit)
        others = [tags @ self.others.T - self.other_level] if self.other_count else []
        if self.negatives:
            others.append((standard @ self.away + self.away_bias)[:, None])
        return torch.cat([cast("Tensor", self(features)), *others, far], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from features as `Listener.listen` returns them."""
        pooled, tags = features[:, : -self.tags], features[:, -self.tags :]
        known = self.scale * ((tags - self.level) @ self.prior.T)
        return known + ((pooled - self.centre) / self.spread) @ self.weights.T + self.bias


class Listener(nn.Module):
    """Taggers and a head.

    Args:
        genres: number of outputs.
        taggers: number of tags of each tagger by its name; the first one's pooled layer is the embedding.
        others: number of outputs beside the genres.
        negatives: as `TagHead` has it.

    Attributes:
        width: features in an embedding: the first tagger's.
    """

    width = Musicnn.width
    batch = Musicnn.batch

    def __init__(self, genres: int, *, taggers: Mapping[str, int], others: int = 0, negatives: bool = False) -> None:
        super().__init__()
        self.taggers = nn.ModuleList(Musicnn(tags) for tags in taggers.values())
        tags = sum(taggers.values())
        self.head = TagHead(genres, tags=tags, features=POOLED, others=others, negatives=negatives)

    @classmethod
    def of(cls, taggers: Sequence[nn.Module], genres: int, *, others: int = 0, negatives: bool = False) -> Listener:
        """Return a listener with copies of musicnn networks, ready to predict; its head knows nothing yet."""
        known = [cast("Musicnn", tagger) for tagger in taggers]
        tags = {str(number): tagger.tags.out_features for number, tagger in enumerate(known)}
        network = cls(genres, taggers=tags, others=others, negatives=negatives)
        for own, tagger in zip(network.taggers, known, strict=True):
            own.load_state_dict(tagger.state_dict())
        return network.eval()

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from log-mels of shape (batch, 1, 96, frames)."""
        return cast("Tensor", self.head(self.listen(windows)))

    def with_others(self, windows: Tensor) -> Tensor:
        """Return what `TagHead.with_others` makes of windows."""
        return self.head.with_others(self.listen(windows))

    def logits_and_embeddings(self, windows: Tensor, *, others: bool = False) -> tuple[Tensor, Tensor]:
        """Return logits, with `others` as `with_others` has them, and embeddings of one pass."""
        features, embedded = self._listen(windows)
        return self.head.with_others(features) if others else self.head(features), embedded

    def listen(self, windows: Tensor) -> Tensor:
        """Return the first tagger's pooled layer and the logits of all tags, of shape (batch, 1506 + tags)."""
        return self._listen(windows)[0]

    def _listen(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        windows = raised(windows)
        pooled = [tagger.pool(windows) for tagger in self._taggers()]
        embedded = [tagger.embed_pooled(each) for tagger, each in zip(self._taggers(), pooled, strict=True)]
        tags = [tagger.tags(each) for tagger, each in zip(self._taggers(), embedded, strict=True)]
        return torch.cat([pooled[0], *tags], dim=1), embedded[0]

    def embed(self, windows: Tensor) -> Tensor:
        """Return the first tagger's embedding, of shape (batch, width)."""
        return self._taggers()[0].embed(raised(windows))

    def _taggers(self) -> list[Musicnn]:
        return [cast("Musicnn", tagger) for tagger in self.taggers]


def raised(windows: Tensor) -> Tensor:
    """Return windows whose level is at least `LEVEL`; louder ones stay as they are.

    Args:
        windows: `log10(10000 power + 1)`, of shape (batch, 1, 96, frames).
    """
    weights = torch.from_numpy(band_weights(FRONT_END)).to(windows.device)
    power = (10**windows - 1) / FRONT_END.gain
    level = torch.einsum("bcmt,m->b", power, weights) / windows.shape[-1]
    least = 10 ** (LEVEL / 10)
    gain = (least / level.clamp(min=least / 1000)).clamp(min=1)[:, None, None, None]
    return torch.where(gain > 1, torch.log10(1 + FRONT_END.gain * gain * power), windows)


@register
def listener(genres: int, *, taggers: dict[str, int], others: int = 0, negatives: bool = False) -> Listener:
    """Two musicnn networks and a head: 1.6 million parameters, 5.6 GFLOP for 187 frames."""
    return Listener(genres, taggers=taggers, others=others, negatives=negatives)
