"""Scores: what a network makes of windows, and windows of their tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from genrescope.features.windows import FRAMES, place
from genrescope.training.recipe_sections import FITTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from genrescope.features.windows import FrameBank, Windows
    from genrescope.store.store import StoredTrack
    from genrescope.training.recipe import Recipe

BATCH = 32
"""Windows in a batch when nothing is learnt."""


@torch.inference_mode()
def window_scores(model: nn.Module, bank: FrameBank, windows: Windows, *, length: int = FRAMES) -> Tensor:
    """Return each window's probabilities, float32 of shape (windows, genres), on the CPU.

    The network is put into evaluation mode and back.
    """
    was_training = model.training
    model.eval()
    try:
        cut = bank.batches(windows.split(BATCH), length=length)
        scores = [model(images).float().softmax(dim=1).cpu() for _, images in cut]
    finally:
        model.train(was_training)
    return torch.cat(scores)


def track_scores(scores: Tensor, tracks: Tensor, *, count: int) -> Tensor:
    """Let the windows vote: return each track's mean probabilities, shape (count, genres).

    Args:
        scores: shape (windows, genres).
        tracks: int64 (windows,), the track of each window.
        count: number of tracks.
    """
    total = torch.zeros(count, scores.shape[1]).index_add_(0, tracks, scores)
    return total / torch.bincount(tracks, minlength=count).clamp(min=1)[:, None]


def verdicts(scores: Tensor, windows: Windows, *, verdict: str, count: int) -> Tensor:
    """Return each track's probabilities by the recipe's own verdict: `first` window, or `vote` of all."""
    if verdict == "vote":
        return track_scores(scores, windows.tracks, count=count)
    first = torch.ones(len(windows), dtype=torch.bool)
    first[1:] = windows.tracks[1:] != windows.tracks[:-1]
    return track_scores(scores[first], windows.tracks[first], count=count)


def loss_and_error(
    model: nn.Module, bank: FrameBank, tracks: list[StoredTrack], labels: list[str], recipe: Recipe
) -> tuple[float | None, float | None]:
    """Return cross-entropy and error rate on tracks by the recipe's own verdict, or None twice where there are none."""
    if not tracks:
        return None, None
    verdict = recipe.evaluation.verdict
    frames = recipe.scored_frames if recipe.model.name == FITTED else recipe.windows.frames
    hop = recipe.windows.hop(frames)
    placed = place(tracks, "all" if verdict == "vote" else "first", length=frames, hop=hop)
    scores = window_scores(model, bank, placed, length=frames)
    return loss_and_error_of(scores, placed, tracks, labels, verdict=verdict)


def loss_and_error_of(
    scores: Tensor, windows: Windows, tracks: Sequence[StoredTrack], labels: Sequence[str], *, verdict: str
) -> tuple[float, float]:
    """Return the mean cross-entropy of windows, and the share of tracks that were taken for another genre.

    Args:
        scores: probabilities of shape (windows, genres).
        windows: whose each is.
        tracks: what was scored.
        labels: the genres, in the order of the scores.
        verdict: as `verdicts` takes it.
    """
    truth = torch.tensor([labels.index(track.genre) for track in tracks])
    loss = F.nll_loss(scores.clamp(min=1e-30).log(), truth[windows.tracks])
    decided = verdicts(scores, windows, verdict=verdict, count=len(tracks)).argmax(dim=1)
    return float(loss), float((decided != truth).float().mean())
