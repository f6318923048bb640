"""Splits are made of tracks: every track once, shares as asked, no group on two sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from conftest import stored
from hypothesis import assume, given
from hypothesis import strategies as st

from genrescope.data import splits
from genrescope.data.cards import official_splits
from genrescope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.data.store import StoredTrack

GENRES = ("blues", "jazz", "rock")


@st.composite
def shares(draw: st.DrawFn) -> dict[str, float]:
    """Draw shares of two or three parts, none below a tenth."""
    weights = draw(st.lists(st.integers(1, 5), min_size=2, max_size=3))
    return {part: weight / sum(weights) for part, weight in zip(splits.PARTS, weights, strict=False)}


@st.composite
def libraries(draw: st.DrawFn, *, at_least: int = 10) -> list[StoredTrack]:
    """Draw tracks of up to three genres, `at_least` of each."""
    counts = draw(st.lists(st.integers(at_least, 40), min_size=1, max_size=3))
    return [
        stored(f"{genre}/{number:03d}", genre)
        for genre, count in zip(GENRES, counts, strict=False)
        for number in range(count)
    ]


@st.composite
def grouped(draw: st.DrawFn, *, one_genre: bool) -> list[StoredTrack]:
    """Draw tracks in groups of up to eight; with `one_genre` all tracks of a group share a genre."""
    sizes = draw(st.lists(st.integers(1, 8), min_size=4, max_size=25))
    tracks = []
    for number, size in enumerate(sizes):
        genre = draw(st.sampled_from(GENRES))
        named = draw(st.integers(0, 9)) > 0  # one group in ten is unknown
        for place in range(size):
            own = genre if one_genre else draw(st.sampled_from(GENRES))
            tracks.append(stored(f"{number}-{place}", own, f"artist {number}" if named else ""))
    assume(any(track.group for track in tracks))
    return tracks


@given(tracks=libraries(), seed=st.integers(0, 2**31), asked=shares())
def test_random_gives_every_track_a_part_and_every_part_its_share(
    tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    split = splits.make(tracks, "random", seed=seed, shares=asked)
    assert set(split.parts) == {track.id for track in tracks}
    for part, share in asked.items():
        assert abs(len(split.ids(part)) - share * len(tracks)) < 1 + 1e-6


@given(tracks=libraries(), seed=st.integers(0, 2**31), asked=shares())
def test_stratified_gives_every_genre_the_same_shares(
    tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    split = splits.make(tracks, "stratified", seed=seed, shares=asked)
    assert set(split.parts) == {track.id for track in tracks}
    for genre in {track.genre for track in tracks}:
        ids = {track.id for track in tracks if track.genre == genre}
        for part, share in asked.items():
            assert abs(len(ids & set(split.ids(part))) - share * len(ids)) < 1 + 1e-6


@given(tracks=libraries(at_least=3), seed=st.integers(0, 99))
def test_stratified_leaves_no_part_without_a_genre(tracks: list[StoredTrack], seed: int) -> None:
    split = splits.make(tracks, "stratified", seed=seed)
    genre_of = {track.id: track.genre for track in tracks}
    for part in splits.PARTS:
        assert {genre_of[track_id] for track_id in split.ids(part)} == set(genre_of.values())


@given(tracks=grouped(one_genre=False), seed=st.integers(0, 2**31), asked=shares())
def test_no_group_stands_on_two_sides(tracks: list[StoredTrack], seed: int, asked: dict[str, float]) -> None:
    split = splits.make(tracks, "group", seed=seed, shares=asked)
    assert set(split.parts) == {track.id for track in tracks}
    sides = defaultdict(set)
    for track in tracks:
        if track.group:
            sides[track.group].add(split.parts[track.id])
    assert all(len(parts) == 1 for parts in sides.values())


@given(tracks=grouped(one_genre=True), seed=st.integers(0, 2**31), asked=shares())
def test_a_part_exceeds_its_share_of_a_genre_by_its_largest_group_at_most(
    tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    split = splits.make(tracks, "group", seed=seed, shares=asked)
    for genre in {track.genre for track in tracks}:
        own = [track for track in tracks if track.genre == genre]
        largest = max(Counter(track.group or track.id for track in own).values())
        held = Counter(split.parts[track.id] for track in own)
        for part, share in asked.items():
            assert held[part] <= share * len(own) + largest


@given(tracks=grouped(one_genre=True), seed=st.integers(0, 2**31))
def test_no_part_is_left_empty_where_there_are_groups_enough(tracks: list[StoredTrack], seed: int) -> None:
    split = splits.make(tracks, "group", seed=seed)
    assert set(split.parts.values()) == set(splits.PARTS)


def test_three_groups_fill_three_parts() -> None:
    tracks = [stored(name, "rock", name) for name in "abc"]
    assert sorted(splits.make(tracks, "group").parts.values()) == sorted(splits.PARTS)


@pytest.mark.parametrize("method", ["random", "stratified", "group"])
def test_the_same_seed_gives_the_same_split_and_another_seed_another(method: str) -> None:
    tracks = [stored(f"{genre}{n}", genre, f"{genre} artist {n // 3}") for genre in GENRES for n in range(30)]
    first = splits.make(tracks, method, seed=7)
    assert splits.make(tracks[::-1], method, seed=7) == first  # whatever the order of the tracks
    assert splits.make(tracks, method, seed=7).fingerprint == first.fingerprint
    assert splits.make(tracks, method, seed=8).fingerprint != first.fingerprint


def test_random_is_eighty_to_twenty_as_the_original() -> None:
    split = splits.make([stored(f"{n:04d}") for n in range(1000)], "random")
    assert split.counts == {"train": 800, "test": 200}


@given(
    parts=st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from([*splits.PARTS, "0", "fold 1"])
    )
)
def test_a_split_survives_its_file(tmp_path: Path, parts: dict[str, str]) -> None:
    split = splits.Split(parts, "made by hand")
    splits.write(split, tmp_path / "split.csv")
    found = splits.read(tmp_path / "split.csv")
    assert found.parts == parts
    assert found.fingerprint == split.fingerprint


def test_a_split_file_that_names_a_track_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("id,part\na,train\na,test\n", encoding="utf-8")
    with pytest.raises(DataError, match="track a stands there twice"):
        splits.read(tmp_path / "split.csv")


@pytest.mark.parametrize("text", ["", "track,part\na,train\n", "id\na\n"])
def test_a_split_file_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="has no column"):
        splits.read(tmp_path / "split.csv")


# -- words ------------------------------------------------------------------------------------------------------


def test_a_genre_of_one_track_is_told_with_a_way_out() -> None:
    tracks = [stored(f"r{n}", "rock") for n in range(9)] + [stored("j", "jazz")]
    with pytest.raises(DataError, match=r'genre "jazz" has 1 track, too few for 3 parts; .*--genres'):
        splits.make(tracks, "stratified")


def test_too_few_groups_and_no_groups_are_told_apart() -> None:
    with pytest.raises(DataError, match="no groups are known"):
        splits.make([stored(f"r{n}") for n in range(9)], "group")
    with pytest.raises(DataError, match="2 groups are too few for 3 parts"):
        splits.make([stored(f"r{n}", group=str(n % 2)) for n in range(9)], "group")


def test_unknown_methods_and_parts_name_the_nearest() -> None:
    tracks = [stored(f"r{n}") for n in range(9)]
    with pytest.raises(DataError, match='did you mean "stratified"'):
        splits.make(tracks, "stratifed")
    with pytest.raises(DataError, match='no part "vaildation"; did you mean "validation"'):
        splits.make(tracks, "stratified").ids("vaildation")


@pytest.mark.parametrize(
    "asked", [{"train": 0.8, "test": 0.3}, {"train": 1.2, "test": -0.2}, {"train": 1.0, "test": 0.0}]
)
def test_shares_that_do_not_add_up_are_refused(asked: dict[str, float]) -> None:
    with pytest.raises(DataError, match="add up to 1"):
        splits.make([stored(f"r{n}") for n in range(9)], "random", shares=asked)


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_groups_torn_apart_are_told(method: str) -> None:
    tracks = [stored(f"r{n:02d}", group=f"artist {n % 2}") for n in range(20)]
    assert any("2 of 2 groups stand on two sides" in note for note in splits.make(tracks, method).notes)
    assert not any("two sides" in note for note in splits.make(
        [stored(f"r{n:02d}", group=f"artist {n}") for n in range(20)], "group").notes)  # fmt: skip


def test_a_part_that_lacks_a_genre_is_told() -> None:
    tracks = [stored(f"r{n}") for n in range(99)] + [stored("j", "jazz")]
    notes = splits.make(tracks, "random").notes
    assert any("has no track of jazz" in note for note in notes)


# -- official splits --------------------------------------------------------------------------------------------


def test_the_official_split_of_gtzan_tells_how_many_of_its_tracks_are_present() -> None:
    tracks = [stored("blues.00029", "blues"), stored("genres/rock/rock.00038.wav", "rock"), stored("blues.00099"),
              stored("pop.00098", "pop"), stored("pop.00047", "pop")]  # fmt: skip
    split = splits.make(tracks, "gtzan-fault-filtered")
    assert split.parts == {
        "blues.00029": "train", "genres/rock/rock.00038.wav": "validation", "blues.00099": "test", "pop.00098": "train",
    }  # fmt: skip
    assert split.notes[0].startswith("tracks present: 2 of 443 train, 1 of 197 validation, 1 of 290 test; 1 tracks")


def test_a_whole_gtzan_has_the_published_numbers() -> None:
    published = official_splits()["gtzan-fault-filtered"].parts()
    genres = sorted({name.split(".")[0] for name in published})
    tracks = [stored(f"{genre}.{number:05d}", genre) for genre in genres for number in range(100)]
    split = splits.make(tracks, "gtzan-fault-filtered")
    assert split.counts == {"train": 443, "validation": 197, "test": 290}
    assert "70 tracks are not in the split" in split.notes[0]


def test_official_splits_are_fixed_and_suit_their_own_data_only() -> None:
    with pytest.raises(DataError, match="is fixed; leave out the shares"):
        splits.make([stored("blues.00029")], "gtzan-fault-filtered", shares={"train": 1.0})
    with pytest.raises(DataError, match="must contain ids such as"):
        splits.make([stored("my song")], "gtzan-fault-filtered")
