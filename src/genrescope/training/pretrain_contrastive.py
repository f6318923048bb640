"""Pre-training on a store without its labels: which two windows are of the same track?

Two windows of a track, each changed by itself, are to be alike, and unlike those of all other tracks in the batch.
Source of the loss (NT-Xent) and of the projection that is thrown away afterwards: T. Chen et al., A simple framework
for contrastive learning of visual representations, ICML 2020; of two windows of one recording as a pair: A. Saeed,
D. Grangier and N. Zeghidour, Contrastive learning of general-purpose audio representations, ICASSP 2021.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrescope.errors import DataError
from genrescope.features import windows
from genrescope.training import setup
from genrescope.training.augment import Augment
from genrescope.training.batches import generator_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe

_PAIRS = 1 << 36  # what the numbers of an epoch's pairs are counted from


def similarities(projected: Tensor, temperature: float) -> Tensor:
    """Return the cosine between any two rows over the temperature; a row is never compared with itself.

    Args:
        projected: (2 pairs, numbers).
        temperature: above 0.
    """
    unit = F.normalize(projected.float(), dim=1)
    return (unit @ unit.T / temperature).fill_diagonal_(-math.inf)


def partners(rows: int) -> Tensor:
    """Return the row of each row's partner, int64: the second windows stand below all first ones.

    Example:
        >>> partners(6).tolist()
        [3, 4, 5, 0, 1, 2]
    """
    return torch.arange(rows).roll(rows // 2)


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """Return the normalised, temperature-scaled cross-entropy of pairs.

    For a row i and its partner j it is `-log(exp(s(i, j) / t) / sum over k != i of exp(s(i, k) / t))`, with s the
    cosine; the mean over all rows is returned.

    Args:
        projected: (2 pairs, numbers), the second windows below all first ones.
        temperature: t, above 0.

    Example:
        >>> alike = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
        >>> round(float(nt_xent(alike, 0.1)), 4)
        0.0001
    """
    return F.cross_entropy(similarities(projected, temperature), partners(len(projected)).to(projected.device))


class ContrastiveTask:
    """Hear which windows are of the same track; nothing but where tracks begin and end is looked at.

    Args:
        recipe: one whose task is `contrastive`.
        store: the log-mels.
        tracks: what is learnt from.
        seed: of the pairs and their changes.
        device: where the windows go.
    """

    def __init__(
        self, recipe: Recipe, store: Store, tracks: Sequence[StoredTrack], *, seed: int, device: torch.device
    ) -> None:
        if len(tracks) < 2:
            raise DataError(
                f"{len(tracks)} track to learn from; two windows are compared with others, so take 2 or more"
            )
        self._recipe, self._store, self._tracks, self._seed = recipe, store, tracks, seed
        self._augment = Augment(recipe.augment, store.spec)
        self._length = self._augment.source_frames(recipe.windows.frames)
        self._bank = windows.FrameBank(
            store.frames, silence=store.spec.silence, device=device, padding=recipe.windows.padding
        )
        # Batches of nearly the same size, none of which holds one pair alone.
        self._round = max(1, min(math.ceil(2 * len(tracks) / recipe.training.batch_size), len(tracks) // 2))

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._round * self._recipe.windows.crops

    def head(self, width: int) -> nn.Module:
        """Return a fresh projection: one hidden layer, as wide as the trunk's features."""
        return nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, self._recipe.pretrain.projection, bias=False)
        )

    def normal(self) -> Iterator[Tensor]:
        """Yield the log-mels of the tracks."""
        return setup.whole_tracks(self._store, self._tracks)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, counted from 1.

        No track is twice in a batch: it would be told apart from itself.

        Yields:
            Log-mels (2 pairs, 1, n_mels, frames), the second windows below all first ones, and the track of each row.
        """
        generator = generator_for(self._seed, _PAIRS + number)
        for _ in range(self._recipe.windows.crops):
            order = torch.randperm(len(self._tracks), generator=generator)
            for chosen in torch.tensor_split(order, self._round):
                twice = torch.cat([chosen, chosen])
                placed = windows.draw(self._tracks, twice, length=self._length, generator=generator)
                draws = self._augment.draw(len(twice), generator)
                images = self._bank.cut(placed, length=self._length)
                unlabelled = torch.zeros(len(twice), 1, device=images.device)
                yield self._augment.apply(images, unlabelled, draws)[0], twice

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return NT-Xent at the recipe's temperature."""
        return nt_xent(outputs, self._recipe.pretrain.temperature)

    def score(self, outputs: Tensor, target: Tensor) -> dict[str, tuple[int, int]]:
        """Return how many windows are most like their partner, of how many."""
        nearest = similarities(outputs, 1.0).argmax(dim=1).cpu()
        return {"partner": (int((nearest == partners(len(outputs))).sum()), len(outputs))}

    def close(self) -> None:
        """There is nothing to end."""
