"""Accuracies of rows of tracks: what an interval knows of artists."""

from __future__ import annotations

import pytest

from genrescope.evaluation import metrics
from genrescope.evaluation.summary import summary
from genrescope.results import TrackRow


def row(place: int, *, right: bool, group: str = "") -> TrackRow:
    said = "jazz" if right else "rock"
    return TrackRow(
        id=f"track {place:02d}", genre="jazz", group=group, predicted=said, scores={"jazz": 0.6, "rock": 0.4},
        first=said, vote=said, windows=1, windows_right=int(right),
    )  # fmt: skip


@pytest.mark.parametrize("by_track", [False, True])
def test_tracks_of_an_artist_stand_and_fall_together(by_track: bool) -> None:
    """Four artists of five tracks each, one of them all wrong; a mapping goes before the rows' own artists."""
    groups = [f"artist {place // 5}" for place in range(20)]
    rows = [row(place, right=place >= 5, group="" if by_track else groups[place]) for place in range(20)]
    group_of = {each.id: group for each, group in zip(rows, groups, strict=True)} if by_track else None
    vote = summary(rows, ["jazz", "rock"], "vote", group_of=group_of).accuracy.vote
    assert (vote.correct, vote.total, vote.interval) == (15, 20, metrics.wilson(15, 20))
    assert vote.interval_by_groups == metrics.resampled_interval([0, 5, 5, 5], [5] * 4)
    assert vote.interval_by_groups == (0.25, 1.0)


def test_without_artists_there_is_one_interval() -> None:
    found = summary([row(place, right=place > 0) for place in range(4)], ["jazz", "rock"], "vote").accuracy
    assert found.first.interval_by_groups is found.vote.interval_by_groups is None
