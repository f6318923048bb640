"""From the rows of tracks that were scored to accuracies, genres, confusions and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.evaluation import metrics
from genrescope.evaluation.calibration import calibration
from genrescope.results import Accuracies, Calibration, Interval, Share, Summary, TrackShare, WindowShare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.results import TrackRow, Verdict


def summary(
    rows: Sequence[TrackRow],
    labels: Sequence[str],
    verdict: Verdict,
    *,
    intervals_by_groups: Mapping[Verdict, Interval] | None = None,
) -> Summary:
    """Count tracks that were scored.

    Three accuracies are told: of every track by its first window alone (as the original system counts), of every
    window, and of every track when its windows vote. The recipe's own verdict, `first` or `vote`, decides which of
    them the genres, the confusion matrix and the tracks' scores are made of.

    Args:
        intervals_by_groups: of either accuracy of tracks, the interval that resamples whole artists.
    """
    truth = [labels.index(row.genre) for row in rows]
    counts = metrics.confusion(truth, [labels.index(row.predicted) for row in rows], len(labels))
    genres = metrics.per_genre(counts, labels)
    f1 = [figures.f1 for figures in genres.values() if figures.tracks and figures.f1 is not None]
    wider = intervals_by_groups or {}
    return Summary(
        verdict=verdict,
        accuracy=Accuracies(
            first=_with_groups(track_share(rows, "first"), wider.get("first")),
            window=_window_share(rows),
            vote=_with_groups(track_share(rows, "vote"), wider.get("vote")),
        ),
        macro_f1=sum(f1) / len(f1),
        genres=genres,
        labels=tuple(labels),
        confusion=tuple(map(tuple, counts.tolist())),
        confused=tuple(metrics.confused_pairs(counts, labels)),
        calibration=_calibrated(rows),
        tracks=tuple(rows),
    )


def track_share(rows: Sequence[TrackRow], verdict: Verdict) -> Share:
    """Return the share of tracks that a verdict, `first` or `vote`, gets right, with its interval."""
    return metrics.share(sum(row.right_by(verdict) for row in rows), len(rows))


def _with_groups(share: Share, interval: Interval | None) -> TrackShare:
    return TrackShare(**dict(share), interval_by_groups=interval)


def _window_share(rows: Sequence[TrackRow]) -> WindowShare:
    """Count windows; beside Wilson's interval give the wider one that knows which windows belong together."""
    right, total = [row.windows_right for row in rows], [row.windows for row in rows]
    share = metrics.share(sum(right), sum(total))
    return WindowShare(**dict(share), interval_by_tracks=metrics.resampled_interval(right, total))


def _calibrated(rows: Sequence[TrackRow]) -> Calibration:
    """Lay the tracks' confidences beside how often they were right."""
    groups = [row.group for row in rows]
    return calibration([row.confidence for row in rows], [row.right for row in rows], groups if any(groups) else None)
