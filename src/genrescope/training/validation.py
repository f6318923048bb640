"""Validation: loss and error on held-out tracks; after every epoch, and deciding nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from genrescope.features.windows import place_all
from genrescope.inference.scorer import Scorer, verdicts
from genrescope.training.job import targets_of
from genrescope.training.thresholds import UNKNOWN, best_thresholds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from genrescope.features.placement import WindowSpec
    from genrescope.features.spec import Spec
    from genrescope.features.windows import FrameBank, Windows
    from genrescope.store.store import StoredTrack


@dataclass(frozen=True)
class Validation:
    """Scores a network that is still learning.

    Attributes:
        verdict: the recipe's own.
        exclusive: whether a track has one genre; else the error is the share of labels that are decided wrongly.
    """

    bank: FrameBank
    tracks: Sequence[StoredTrack]
    labels: Sequence[str]
    front_end: Spec
    windows: WindowSpec
    verdict: str
    exclusive: bool = True

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return cross-entropy and error rate by the recipe's own verdict, or None twice where there are no tracks."""
        if not self.tracks:
            return None, None
        scores, placed = self._scored(network)
        if not self.exclusive:
            loss = F.binary_cross_entropy(scores, self._targets[placed.tracks])
            decided = self._decided(scores, placed) > UNKNOWN
            return float(loss), float((decided != (self._targets > 0)).float().mean())
        return loss_and_error(scores, placed, self.tracks, self.labels, verdict=self.verdict)

    def thresholds(self, network: nn.Module) -> dict[str, float]:
        """Return the score from which each label counts: that with the highest F1, or 0.5 where there are no tracks."""
        if not self.tracks:
            return dict.fromkeys(self.labels, UNKNOWN)
        decided = self._decided(*self._scored(network))
        best = best_thresholds(decided.double().numpy(), self._targets.double().numpy())
        return dict(zip(self.labels, best.tolist(), strict=True))

    def _scored(self, network: nn.Module) -> tuple[Tensor, Windows]:
        scorer = Scorer(network, front_end=self.front_end, windows=self.windows, exclusive=self.exclusive)
        placed = place_all(self.windows, self.tracks, "all" if self.verdict == "vote" else "first")
        return scorer.window_scores(self.bank, placed), placed

    def _decided(self, scores: Tensor, placed: Windows) -> Tensor:
        return verdicts(scores, placed, verdict=self.verdict, count=len(self.tracks), exclusive=self.exclusive)

    @property
    def _targets(self) -> Tensor:
        return torch.from_numpy(targets_of(self.tracks, self.labels))


def loss_and_error(
    scores: Tensor, windows: Windows, tracks: Sequence[StoredTrack], labels: Sequence[str], *, verdict: str
) -> tuple[float, float]:
    """Return the mean cross-entropy of windows, and the share of tracks that were taken for another genre.

    Args:
        scores: probabilities of shape (windows, genres).
    """
    truth = torch.tensor([labels.index(track.genre) for track in tracks])
    loss = F.nll_loss(scores.clamp(min=1e-30).log(), truth[windows.tracks])
    decided = verdicts(scores, windows, verdict=verdict, count=len(tracks)).argmax(dim=1)
    return float(loss), float((decided != truth).float().mean())
