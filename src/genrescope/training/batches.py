"""What an epoch shows the network: which windows, in what order, and how they are changed.

Everything random is drawn from the seed and the epoch's number, never carried on from the epoch before, so an epoch
that is begun again after an interruption is the same.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import torch

from genrescope.features import windows
from genrescope.training.augment import Augment
from genrescope.training.job import targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Generator, Tensor

    from genrescope.features.windows import FrameBank, Windows
    from genrescope.store.store import Store, StoredTrack
    from genrescope.training.recipe import Recipe

_PLACES, _CHANGES = 1 << 32, 1 << 33  # what the numbers of an epoch's places and changes are counted from


class Batches:
    """The training windows, batch by batch."""

    def __init__(
        self,
        store: Store,
        bank: FrameBank,
        tracks: Sequence[StoredTrack],
        labels: Sequence[str],
        *,
        recipe: Recipe,
        seed: int,
    ) -> None:
        self._bank, self._tracks, self._recipe, self._seed = bank, tracks, recipe, seed
        self._augment = Augment(recipe.augment, store.spec)
        self._targets = torch.from_numpy(targets_of(tracks, labels))
        self._fixed = None
        its = recipe.windows
        if its.train == "random":
            self._weights = balanced(tracks, its.balance)
            # Dealt genre by genre and artist by artist, so that theirs too are as many as they should be.
            self._dealt = torch.tensor(sorted(range(len(tracks)), key=lambda n: (tracks[n].genre, tracks[n].group)))
        else:
            self._fixed = windows.place(tracks, its.train, length=its.frames)

    @property
    def windows(self) -> int:
        """Windows in an epoch."""
        if self._fixed is not None:
            return len(self._fixed)
        return len(self._tracks) * self._recipe.windows.crops

    def __len__(self) -> int:
        return math.ceil(self.windows / self._recipe.training.batch_size)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, counted from 1.

        Yields:
            Log-mels, float32 (batch, 1, n_mels, frames), and the probability of each genre, float32 (batch, genres):
            they add up to 1 where a track has one genre.
        """
        shown = self._shown(number)
        size = self._recipe.training.batch_size
        generator = generator_for(self._seed, _CHANGES + number)
        for placed, images in self._bank.batches(shown.split(size), length=self._recipe.windows.frames):
            target = self._targets[placed.tracks].to(images.device)
            draws = self._augment.draw(len(placed), generator)
            yield self._augment.apply(images, target, draws)

    def _shown(self, number: int) -> Windows:
        its = self._recipe.windows
        if self._fixed is not None:
            order = draw_order(len(self._fixed), self._seed, 0 if its.order == "fixed" else number)
            return self._fixed.take(order)
        generator = generator_for(self._seed, _PLACES + number)
        chosen = self._dealt[_deal(self._weights[self._dealt], self.windows, generator)]
        return windows.draw(self._tracks, chosen, length=its.frames, generator=generator)


def balanced(tracks: Sequence[StoredTrack], balance: str) -> Tensor:
    """Return each track's share of the random windows, float64 (tracks,).

    Args:
        tracks: the training tracks.
        balance: `tracks`, all alike; `genres`, every genre as often. Where tracks have several genres all are alike.
    """
    if balance == "tracks" or any(len(track.labels) > 1 for track in tracks):
        return torch.full((len(tracks),), 1 / len(tracks), dtype=torch.float64)
    size = Counter(track.genre for track in tracks)
    return torch.tensor([1 / size[track.genre] / len(size) for track in tracks], dtype=torch.float64)


def _deal(weights: Tensor, count: int, generator: Generator) -> Tensor:
    """Draw positions so that each comes up as often as its weight says, give or take one: systematic resampling."""
    begin = torch.rand((), generator=generator, dtype=torch.float64)
    points = (torch.arange(count, dtype=torch.float64) + begin) / count
    dealt = torch.searchsorted(torch.cumsum(weights, dim=0), points, right=True).clamp(max=len(weights) - 1)
    return dealt[torch.randperm(count, generator=generator)]


def draw_order(count: int, seed: int, epoch: int) -> Tensor:
    """Draw an epoch's order of windows; `epoch` 0 stands for the one order of all epochs."""
    return torch.randperm(count, generator=generator_for(seed, -1 - epoch))


def generator_for(seed: int, number: int) -> Generator:
    """Return a fresh source of randomness for one use."""
    return torch.Generator().manual_seed(epoch_seed(seed, number))


def epoch_seed(seed: int, epoch: int) -> int:
    """Mix a seed and an epoch's number (negative for orders) so that neighbours share nothing."""
    return (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**63
