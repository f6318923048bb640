"""From the rows of tracks that were scored to accuracies, genres, confusions and calibration."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from genrescope.evaluation import metrics
from genrescope.evaluation.calibration import calibration
from genrescope.results import Accuracies, Calibration, Share, Summary, TrackShare, WindowShare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.results import TrackRow, Verdict


def summary(
    rows: Sequence[TrackRow],
    labels: Sequence[str],
    verdict: Verdict,
    *,
    group_of: Mapping[str, str] | None = None,
) -> Summary:
    """Count tracks that were scored.

    Three accuracies are reported: by track from its first window alone (as the original system counts), by window,
    and by track from soft voting over its windows. The recipe's own verdict, `first` or `vote`, decides which of
    them the genres, the confusion matrix and the tracks' scores are made of.

    Args:
        group_of: the groups that intervals over whole artists resample, by track; None takes those of the rows.
    """
    truth = [labels.index(row.genre) for row in rows]
    predicted = [labels.index(row.predicted) for row in rows]
    counts = metrics.confusion(truth, predicted, len(labels))
    groups = [row.group if group_of is None else group_of[row.id] for row in rows]
    clusters = _clusters(rows, groups)
    return Summary(
        verdict=verdict,
        accuracy=Accuracies(
            first=_over_groups(rows, "first", groups),
            window=_window_share(rows),
            vote=_over_groups(rows, "vote", groups),
        ),
        macro_f1=metrics.macro_f1(truth, predicted, len(labels)),
        macro_f1_interval=metrics.macro_f1_interval(truth, predicted, len(labels)),
        macro_f1_interval_by_groups=(
            metrics.macro_f1_interval(truth, predicted, len(labels), clusters) if any(groups) else None
        ),
        genres=metrics.per_genre(counts, labels),
        labels=tuple(labels),
        confusion=tuple(map(tuple, counts.tolist())),
        confused=tuple(metrics.confused_pairs(counts, labels)),
        calibration=_calibrated(rows),
        tracks=tuple(rows),
    )


def track_share(rows: Sequence[TrackRow], verdict: Verdict) -> Share:
    """Return the share of tracks that a verdict, `first` or `vote`, gets right, with its interval."""
    return metrics.share(sum(row.right_by(verdict) for row in rows), len(rows))


def _over_groups(rows: Sequence[TrackRow], verdict: Verdict, groups: Sequence[str]) -> TrackShare:
    """Count tracks; where groups are known, give the wider interval too that knows which tracks are of one."""
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for row, name in zip(rows, _clusters(rows, groups), strict=True):
        total[name] += 1
        right[name] += row.right_by(verdict)
    wider = metrics.resampled_interval([right[name] for name in total], list(total.values())) if any(groups) else None
    return TrackShare(**dict(track_share(rows, verdict)), interval_by_groups=wider)


def _clusters(rows: Sequence[TrackRow], groups: Sequence[str]) -> list[str]:
    """Name what is resampled as a whole: the group of each track, or the track alone where its group is unknown."""
    return [f"group {group}" if group else f"track {row.id}" for row, group in zip(rows, groups, strict=True)]


def _window_share(rows: Sequence[TrackRow]) -> WindowShare:
    """Count windows; beside Wilson's interval give the wider one that knows which windows belong together."""
    right, total = [row.windows_right for row in rows], [row.windows for row in rows]
    share = metrics.share(sum(right), sum(total))
    return WindowShare(**dict(share), interval_by_tracks=metrics.resampled_interval(right, total))


def _calibrated(rows: Sequence[TrackRow]) -> Calibration:
    """Compare the tracks' confidences with their accuracy."""
    groups = [row.group for row in rows]
    return calibration([row.confidence for row in rows], [row.right for row in rows], groups if any(groups) else None)
