"""An audit finds what was planted in two parts of a split, all of it and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from conftest import stored
from hypothesis import given
from hypothesis import strategies as st

from genrescope import splits
from genrescope.splits.audit import audit
from genrescope.splits.duplicates import Pair
from genrescope.splits.leaks import KINDS, Audit, Leak

if TYPE_CHECKING:
    from genrescope.store.store import StoredTrack

NAMES = ("first", "second", "third")


def library(count: int, *, artists: int = 0) -> list[StoredTrack]:
    """Return tracks a000, a001 and so on; with artists, each has one of so many in turn."""
    return [stored(f"a{n:03d}", group=f"artist {n % artists}" if artists else "") for n in range(count)]


def kinds(found: Audit) -> dict[str, int]:
    return {kind: sum(leak.kind == kind for leak in found.leaks) for kind in KINDS}


# -- laws -----------------------------------------------------------------------------------------------------------


@given(data=st.data(), count=st.integers(12, 40), learnt=st.sampled_from([None, ("first",), ("first", "second")]))
def test_exactly_what_was_planted_is_found(data: st.DataObject, count: int, learnt: tuple[str, ...] | None) -> None:
    """Tracks without anything in common are dealt out; then leaks are planted, none touching another's tracks."""
    ids = [f"a{n:03d}" for n in range(count)]
    part_of = {track_id: data.draw(st.sampled_from(NAMES)) for track_id in ids}
    part_of |= dict(zip(ids[:3], NAMES, strict=True))
    free = data.draw(st.permutations(ids))
    parts = {name: [track_id for track_id in ids if part_of[track_id] == name] for name in NAMES}
    planted: set[tuple[str, tuple[str, str], tuple[tuple[str, ...], ...]]] = set()
    pairs: list[Pair] = []
    groups: dict[str, str] = {}
    for kind in data.draw(st.lists(st.sampled_from(list(KINDS)), max_size=4)):
        a, b = sorted((free.pop(), free.pop()), key=lambda track_id: NAMES.index(part_of[track_id]))
        here, there = part_of[a], part_of[b]
        if kind == "track":
            there = NAMES[(NAMES.index(here) + 1) % 3]
            parts[there].append(a)
            here, there = sorted((here, there), key=NAMES.index)
            planted.add((kind, (here, there), ((a,), (a,))))
            continue
        if kind == "group":
            groups |= {a: f"artist {a}", b: f"artist {a}"}
        else:
            pairs.append(Pair(min(a, b), max(a, b), kind))
        if here != there:
            planted.add((kind, (here, there), ((a,), (b,))))
    if learnt is not None:
        planted = {each for each in planted if not set(each[1]) <= set(learnt)}
    tracks = [stored(track_id, group=groups.get(track_id, "")) for track_id in ids]
    found = audit(tracks, parts, pairs, learnt=learnt)
    # Parts are shown by name, so the order of a leak's two sides is that of the names.
    assert {(leak.kind, leak.parts, leak.tracks) for leak in found.leaks} == planted
    assert len(found.leaks) == len(planted)
    assert found.clean == (not planted)


@pytest.mark.parametrize("method", ["group", "stratified-group"])
@given(data=st.data(), sizes=st.lists(st.integers(1, 6), min_size=6, max_size=20), seed=st.integers(0, 999))
def test_a_split_by_group_audits_clean(method: str, data: st.DataObject, sizes: list[int], seed: int) -> None:
    tracks = [
        stored(f"{number}-{place}", data.draw(st.sampled_from(["jazz", "rock"])), f"artist {number}")
        for number, size in enumerate(sizes)
        for place in range(size)
    ]
    ids = st.sampled_from([track.id for track in tracks])
    drawn = data.draw(st.lists(st.tuples(ids, ids), max_size=2))
    pairs = [Pair(min(pair), max(pair), "near") for pair in drawn if pair[0] != pair[1]]
    for asked in ({}, {"folds": 3}):
        split = splits.make(tracks, method, seed=seed, pairs=pairs, **asked)  # type: ignore[arg-type]
        found = audit(tracks, split.by_part, pairs)
        assert found.clean
        assert found.leaks == ()
        assert all(each.touched == 0 for each in found.held_out)
        assert found.summary == "no track, duplicate or artist in two parts"


@given(data=st.data(), count=st.integers(4, 30), artists=st.integers(1, 6), seed=st.integers(0, 999))
def test_counts_agree_with_a_count_by_hand(data: st.DataObject, count: int, artists: int, seed: int) -> None:
    tracks = library(count, artists=artists)
    ids = st.sampled_from([track.id for track in tracks])
    drawn = data.draw(st.lists(st.tuples(ids, ids, st.sampled_from(["exact", "near"])), max_size=5))
    pairs = [Pair(min(a, b), max(a, b), kind) for a, b, kind in drawn if a != b]
    split = splits.make(tracks, "random", seed=seed, shares={"train": 0.5, "test": 0.5})
    found = audit(tracks, split.by_part, pairs)
    (held_out,) = found.held_out
    group_of = {track.id: track.group for track in tracks}
    taught = set(split.ids("train"))
    touched = {
        "group": {a for a in split.ids("test") if any(group_of[a] == group_of[b] for b in taught)},
        **{
            kind: {track_id for leak in found.leaks if leak.kind == kind for track_id in leak.tracks[1]}
            for kind in ("exact", "near")
        },
    }
    assert all(leak.parts == ("train", "test") for leak in found.leaks)
    assert held_out.tracks == len(split.ids("test"))
    assert held_out.by_kind == {kind: len(touched.get(kind, ())) for kind in KINDS}
    assert held_out.touched == len(set.union(*touched.values()))
    assert found.parts == split.counts == found.items
    assert found.grouped == found.tracks == count


# -- kinds ----------------------------------------------------------------------------------------------------------


def test_windows_of_a_track_in_two_parts_are_one_leak() -> None:
    parts = {"train": ["a000"] * 8 + ["a001"] * 10, "test": ["a000", "a000", "a002"]}
    found = audit(library(3, artists=3), parts, [])
    assert found.leaks == (Leak("track", ("train", "test"), (("a000",), ("a000",))),)
    assert found.items == {"train": 18, "test": 3}
    assert found.parts == {"train": 2, "test": 2}
    assert found.held_out[0].told == "1 of 2 test tracks is a training track itself (50 %)"


def test_a_chain_of_duplicates_is_one_recording_also_through_a_track_that_takes_no_part() -> None:
    pairs = [Pair("a000", "a001", "exact"), Pair("a001", "a002", "exact"), Pair("a002", "a003", "near")]
    found = audit(library(5), {"train": ["a000", "a004"], "test": ["a002", "a003"]}, pairs)
    assert [(leak.kind, leak.tracks) for leak in found.leaks] == [
        ("exact", (("a000",), ("a002",))), ("near", (("a000",), ("a003",))),
    ]  # fmt: skip


def test_an_artist_on_two_sides_is_told_with_all_tracks() -> None:
    found = audit(library(6, artists=2), {"train": ["a000", "a002", "a001"], "test": ["a004"]}, [])
    assert found.leaks == (Leak("group", ("train", "test"), (("a000", "a002"), ("a004",)), "artist 0"),)


def test_a_track_in_both_parts_does_not_make_its_artist_a_leak_of_its_own() -> None:
    found = audit(library(3, artists=3), {"train": ["a000", "a001"], "test": ["a000", "a002"]}, [])
    assert kinds(found) == {"track": 1, "exact": 0, "near": 0, "group": 0}
    assert found.held_out[0].by_kind == {"track": 1, "exact": 0, "near": 0, "group": 0}


def test_folds_are_compared_each_with_all_others() -> None:
    found = audit(library(6, artists=3), {"1": ["a000", "a003"], "2": ["a001", "a002"], "3": ["a004", "a005"]}, [])
    assert [(each.part, each.learnt, each.touched) for each in found.held_out] == [
        ("1", ("2", "3"), 0), ("2", ("1", "3"), 2), ("3", ("1", "2"), 2),
    ]  # fmt: skip
    assert found.between["1", "2"] == dict.fromkeys(KINDS, 0)
    assert found.between["2", "3"]["group"] == 2
    assert found.summary == "4 of 6 tracks share an artist with training tracks (67 %)"
    assert found.held_out[1].told.startswith("2 of 2 tracks of fold 2 share an artist")


def test_parts_that_are_both_learnt_may_share_what_they_like() -> None:
    tracks = library(4, artists=2)
    parts = {"train": ["a000"], "validation": ["a002"], "test": ["a001", "a003"]}
    assert not audit(tracks, parts, []).clean
    assert audit(tracks, parts, [], learnt=("train", "validation")).clean


def test_leaks_between_parts_that_are_not_learnt_are_told_apart() -> None:
    parts = {"train": ["a001"], "validation": ["a002"], "test": ["a000"]}
    found = audit(library(4, artists=2), parts, [])
    assert found.summary == "no training track is on another side, but 1 leak between validation and test"


def test_duplicates_with_two_labels_are_told_also_on_one_side() -> None:
    tracks = [stored("a", "pop"), stored("b", "rock"), stored("c", "rock"), stored("d", "jazz")]
    pairs = [Pair("a", "b", "near"), Pair("b", "c", "exact")]
    found = audit(tracks, {"train": ["a", "b", "c"], "test": ["d"]}, pairs)
    assert found.clean
    assert [(each.tracks, each.genres) for each in found.conflicts] == [(("a", "b", "c"), ("pop", "rock", "rock"))]
    assert audit(tracks, {"train": ["b", "c"], "test": ["d"]}, pairs).conflicts == ()


def test_ids_that_the_store_lacks_are_left_out() -> None:
    found = audit(library(2), {"train": ["a000", "gone"], "test": ["a001"]}, [Pair("a000", "gone", "near")])
    assert found.parts == {"train": 1, "test": 1}
    assert found.clean


# -- words ----------------------------------------------------------------------------------------------------------


def test_what_could_not_be_looked_for_is_said() -> None:
    parts = {"train": ["a000"], "test": ["a001"]}
    unknown = audit(library(2), parts, [])
    assert unknown.summary == "no track or duplicate in two parts; artists could not be checked: none is known"
    some = audit([stored("a000", group="x"), stored("a001")], parts, [])
    assert some.summary == "no track, duplicate or artist in two parts; the artist of 1 of 2 tracks is unknown"


def test_names_and_parts_that_were_not_checked_are_said() -> None:
    found = audit(library(2, artists=2), {"train": ["a000", "a001"], "test": []}, [], unmatched=["x", "y"])
    assert found.summary == (
        "no track, duplicate or artist in two parts; part test could not be checked: it has no track; "
        "2 names could not be checked"
    )
    assert found.held_out == ()


def test_each_kind_has_its_words_and_the_whole_is_told_where_there_are_several() -> None:
    tracks = library(8, artists=8)
    pairs = [Pair("a000", "a004", "exact"), Pair("a001", "a005", "near"), Pair("a001", "a006", "near")]
    found = audit(tracks, {"train": ["a000", "a001", "a002"], "test": ["a004", "a005", "a006", "a007"]}, pairs)
    assert found.summary == (
        "1 of 4 test tracks repeats a training track exactly (25 %), 2 are near duplicates of training tracks (50 %); "
        "3 in all (75 %)"
    )


def test_all_of_it_survives_json() -> None:
    tracks = library(6, artists=2)
    pairs = [Pair("a000", "a005", "near")]
    found = audit(tracks, {"train": ["a000"], "test": ["a005", "a001"]}, pairs, unmatched=["what.wav"])
    told: dict[str, Any] = json.loads(json.dumps(found.to_dict()))
    assert told["clean"] is False
    assert told["summary"] == found.summary
    assert told["parts"] == {"train": {"tracks": 1, "items": 1}, "test": {"tracks": 2, "items": 2}}
    assert told["leaks"] == [{"kind": "near", "parts": ["train", "test"], "tracks": [["a000"], ["a005"]]}]
    assert told["between"] == [{"parts": ["train", "test"], "track": 0, "exact": 0, "near": 1, "group": 0}]
    assert told["held_out"][0]["share"] == 0.5
    assert told["unmatched"] == ["what.wav"]
    short = found.to_dict(whole=False)
    assert "leaks" not in short
    assert (short["unmatched"], short["conflicts"]) == (1, 0)
