"""Validation: loss and error on held-out tracks; after every epoch, and deciding nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from genrescope.inference.scorer import Scorer, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from genrescope.features.spec import Spec
    from genrescope.features.windows import FrameBank, Windows, WindowSpec
    from genrescope.store.store import StoredTrack


@dataclass(frozen=True)
class Validation:
    """Scores a network that is still learning."""

    bank: FrameBank
    tracks: Sequence[StoredTrack]
    labels: Sequence[str]
    front_end: Spec
    windows: WindowSpec
    verdict: str

    def __call__(self, network: nn.Module) -> tuple[float | None, float | None]:
        """Return cross-entropy and error rate by the recipe's own verdict, or None twice where there are no tracks."""
        if not self.tracks:
            return None, None
        scorer = Scorer(network, front_end=self.front_end, windows=self.windows)
        placed = self.windows.place(self.tracks, "all" if self.verdict == "vote" else "first")
        scores = scorer.window_scores(self.bank, placed)
        return loss_and_error(scores, placed, self.tracks, self.labels, verdict=self.verdict)


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
