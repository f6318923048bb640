"""Splits are made of tracks: every track once, shares as asked, nothing that belongs together in two parts."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from conftest import stored
from hypothesis import assume, given
from hypothesis import strategies as st

from genrescope import splits
from genrescope.errors import DataError
from genrescope.sources.cards import official_splits
from genrescope.splits import dealing
from genrescope.splits.duplicates import Pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from genrescope.store.store import StoredTrack

GENRES = ("blues", "jazz", "rock")
BY_GROUP = ("group", "stratified-group")


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


@st.composite
def copied(draw: st.DrawFn, tracks: Sequence[StoredTrack], *, most: int = 3) -> list[Pair]:
    """Draw duplicates among tracks."""
    ids = st.sampled_from(sorted(track.id for track in tracks))
    drawn = draw(st.lists(st.tuples(ids, ids, st.sampled_from(["exact", "near"])), max_size=most))
    return [Pair(min(a, b), max(a, b), kind) for a, b, kind in drawn if a != b]


def sides(split: splits.Split, key_of: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the parts of every key."""
    found = defaultdict(set)
    for track_id, key in key_of.items():
        found[key].add(split.parts[track_id])
    return found


def groups_of(tracks: Iterable[StoredTrack]) -> dict[str, str]:
    return {track.id: track.group for track in tracks if track.group}


# -- shares ---------------------------------------------------------------------------------------------------------


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


@given(data=st.data(), tracks=libraries(), seed=st.integers(0, 2**31))
def test_stratified_keeps_duplicates_together(data: st.DataObject, tracks: list[StoredTrack], seed: int) -> None:
    pairs = data.draw(copied(tracks))
    for asked in ({"folds": 3}, {}):
        split = splits.make(tracks, "stratified", seed=seed, pairs=pairs, **asked)  # type: ignore[arg-type]
        assert set(split.parts) == {track.id for track in tracks}
        assert all(split.parts[pair.first] == split.parts[pair.second] for pair in pairs)
        assert not any("duplicates" in note for note in split.notes)


@pytest.mark.parametrize("method", BY_GROUP)
@given(data=st.data(), tracks=grouped(one_genre=False), seed=st.integers(0, 2**31), asked=shares())
def test_no_group_and_no_duplicate_stands_on_two_sides(
    method: str, data: st.DataObject, tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    pairs = data.draw(copied(tracks))
    joined = {part for pair in pairs for part in (pair.first.split("-")[0], pair.second.split("-")[0])}
    assume(len({track.id.split("-")[0] for track in tracks}) - len(joined) >= 3)
    split = splits.make(tracks, method, seed=seed, shares=asked, pairs=pairs)
    assert set(split.parts) == {track.id for track in tracks}
    assert all(len(parts) == 1 for parts in sides(split, groups_of(tracks)).values())
    assert all(split.parts[pair.first] == split.parts[pair.second] for pair in pairs)


@given(tracks=grouped(one_genre=True), seed=st.integers(0, 2**31), asked=shares())
def test_a_part_exceeds_its_share_of_a_genre_by_its_largest_group_at_most(
    tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    split = splits.make(tracks, "stratified-group", seed=seed, shares=asked)
    for genre in {track.genre for track in tracks}:
        own = [track for track in tracks if track.genre == genre]
        largest = max(Counter(track.group or track.id for track in own).values())
        held = Counter(split.parts[track.id] for track in own)
        for part, share in asked.items():
            assert held[part] <= share * len(own) + largest + 1e-6


@given(tracks=grouped(one_genre=False), seed=st.integers(0, 2**31), asked=shares())
def test_a_part_by_group_exceeds_its_share_by_the_largest_group_at_most(
    tracks: list[StoredTrack], seed: int, asked: dict[str, float]
) -> None:
    split = splits.make(tracks, "group", seed=seed, shares=asked)
    largest = max(Counter(track.group or track.id for track in tracks).values())
    for part, share in asked.items():
        assert split.counts[part] <= share * len(tracks) + largest + 1e-6


@pytest.mark.parametrize("method", BY_GROUP)
@given(tracks=grouped(one_genre=True), seed=st.integers(0, 2**31))
def test_no_part_is_left_empty_where_there_are_groups_enough(method: str, tracks: list[StoredTrack], seed: int) -> None:
    split = splits.make(tracks, method, seed=seed)
    assert set(split.parts.values()) == set(splits.PARTS)


def test_three_groups_fill_three_parts() -> None:
    tracks = [stored(name, "rock", name) for name in "abc"]
    assert sorted(splits.make(tracks, "group").parts.values()) == sorted(splits.PARTS)


def test_groups_are_dealt_so_that_genres_come_out_right() -> None:
    """The first group of a genre in the alphabet is its largest; each part can get its whole share and no more."""
    sizes = {"blues": (14, 3, 3), "jazz": (10, 4, 3, 3), "rock": (7, 7, 2, 2, 1, 1)}
    tracks = [
        stored(f"{genre} {number} {place}", genre, f"{genre} {number}")
        for genre, its in sizes.items()
        for number, size in enumerate(its)
        for place in range(size)
    ]
    split = splits.make(tracks, "stratified-group")
    held = Counter((track.genre, split.parts[track.id]) for track in tracks)
    for genre in GENRES:
        assert [held[genre, part] for part in splits.PARTS] == [14, 3, 3]


def test_the_parts_of_a_set_with_few_dominating_artists_are_balanced() -> None:
    """As in GTZAN: blues has nine artists in all, 28 clips of jazz are by one, and 35 of reggae."""
    sizes = {
        "blues": (17, 13, 12, 12, 12, 11, 11, 10, 2),
        "jazz": (28, 14, 9, 8, 6, 6, 5, 2, 2, *[1] * 20),
        "reggae": (35, 9, 7, 5, 4, 3, 3, 3, 3, *[1] * 28),
    }
    tracks = [
        stored(f"{genre} {number} {place}", genre, f"{genre} {number}")
        for genre, its in sizes.items()
        for number, size in enumerate(its)
        for place in range(size)
    ]
    for seed in range(3):
        split = splits.make(tracks, "stratified-group", seed=seed)
        for part, share in splits.SHARES.items():
            assert all(abs(n - 100 * share) <= 3 for n in per_genre(tracks, split)[part].values())
        folds = splits.make(tracks, "stratified-group", seed=seed, folds=5)
        counts = folds.counts.values()  # dealt genre by genre, the first fold would get 35 + 28 + 17
        assert max(counts) - min(counts) <= 12


def per_genre(tracks: Sequence[StoredTrack], split: splits.Split) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for track in tracks:
        found[split.parts[track.id]][track.genre] += 1
    return found


# -- folds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["random", "stratified"])
@given(tracks=libraries(), seed=st.integers(0, 2**31), folds=st.integers(2, 10))
def test_folds_are_of_near_equal_size(method: str, tracks: list[StoredTrack], seed: int, folds: int) -> None:
    split = splits.make(tracks, method, seed=seed, folds=folds)
    assert set(split.parts) == {track.id for track in tracks}
    assert list(split.counts) == [str(number) for number in range(1, folds + 1)]
    assert max(split.counts.values()) - min(split.counts.values()) <= 1


@given(tracks=libraries(), seed=st.integers(0, 2**31), folds=st.integers(2, 10))
def test_stratified_folds_have_the_same_number_of_each_genre(tracks: list[StoredTrack], seed: int, folds: int) -> None:
    held = per_genre(tracks, splits.make(tracks, "stratified", seed=seed, folds=folds))
    for genre in {track.genre for track in tracks}:
        counts = [held[str(number)][genre] for number in range(1, folds + 1)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("method", BY_GROUP)
@given(tracks=grouped(one_genre=True), seed=st.integers(0, 2**31), folds=st.integers(2, 4))
def test_folds_by_group_keep_groups_whole(method: str, tracks: list[StoredTrack], seed: int, folds: int) -> None:
    split = splits.make(tracks, method, seed=seed, folds=folds)
    assert set(split.parts) == {track.id for track in tracks}
    assert len(split.counts) == folds
    assert all(len(parts) == 1 for parts in sides(split, groups_of(tracks)).values())
    largest = max(Counter(track.group or track.id for track in tracks).values())
    if method == "group":
        assert max(split.counts.values()) <= len(tracks) / folds + largest + 1e-6


@pytest.mark.parametrize("folds", [-1, 0, 1, 10])
def test_numbers_of_folds_that_cannot_be_are_refused(folds: int) -> None:
    with pytest.raises(DataError, match=f"{folds} folds of 9 tracks; accepted are 2 or more"):
        splits.make([stored(f"r{n}") for n in range(9)], "random", folds=folds)


def test_folds_have_no_shares() -> None:
    with pytest.raises(DataError, match="give shares or folds, not both"):
        splits.make([stored("a"), stored("b")], "random", folds=2, shares={"train": 1.0})


# -- the same again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [{}, {"folds": 4}], ids=["parts", "folds"])
@pytest.mark.parametrize("method", ["random", "stratified", *BY_GROUP])
def test_the_same_seed_gives_the_same_split_and_another_seed_another(method: str, asked: dict[str, int]) -> None:
    tracks = [stored(f"{genre}{n}", genre, f"{genre} artist {n // 3}") for genre in GENRES for n in range(30)]
    pairs = [Pair("blues0", "blues17", "near"), Pair("jazz2", "rock3", "exact")]

    def make(seed: int, tracks: Sequence[StoredTrack] = tracks, pairs: Sequence[Pair] = pairs) -> splits.Split:
        return splits.make(tracks, method, seed=seed, pairs=pairs, **asked)  # type: ignore[arg-type]

    first = make(7)
    assert make(7, tracks[::-1], pairs[::-1]) == first  # whatever the order of the tracks
    assert make(7).fingerprint == first.fingerprint
    assert make(8).fingerprint != first.fingerprint


def test_random_is_eighty_to_twenty_as_the_original() -> None:
    split = splits.make([stored(f"{n:04d}") for n in range(1000)], "random")
    assert split.counts == {"train": 800, "test": 200}


def test_a_method_tells_all_that_is_needed_to_make_it_again() -> None:
    tracks = [stored(f"{n:02d}", group=str(n)) for n in range(40)]
    assert splits.make(tracks, "random").method == "random (seed 0)"
    assert splits.make(tracks, "stratified-group", seed=3, folds=5).method == "stratified-group (seed 3, 5 folds)"
    asked = {"train": 0.5, "test": 0.5}
    assert splits.make(tracks, "group", shares=asked).method == "group (seed 0, train 0.5, test 0.5)"


# -- files ----------------------------------------------------------------------------------------------------------

PARTS_BY_ID = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from([*splits.PARTS, "0", "fold 1"])
)
METHOD = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1)


@given(parts=PARTS_BY_ID, method=METHOD, data=st.sampled_from(["", "0123456789abcdef"]))
def test_a_split_survives_its_file(tmp_path: Path, parts: dict[str, str], method: str, data: str) -> None:
    split = splits.Split(parts, method, data=data)
    splits.write(split, tmp_path / "split.csv")
    assert splits.made_here(tmp_path / "split.csv")
    found = splits.read(tmp_path / "split.csv")
    assert found == split
    assert found.fingerprint == split.fingerprint


def test_a_split_file_tells_in_its_first_line_how_it_was_made(tmp_path: Path) -> None:
    tracks = [stored(f"{n:02d}", group=str(n)) for n in range(10)]
    split = dataclasses.replace(splits.make(tracks, "group", folds=2), data="0123456789abcdef")
    splits.write(split, tmp_path / "split.csv")
    first, header, *_ = (tmp_path / "split.csv").read_text(encoding="utf-8").splitlines()
    assert first == (
        f"# genrescope split: group (seed 0, 2 folds); fingerprint {split.fingerprint}; data 0123456789abcdef"
    )
    assert header == "id,part"


def test_a_split_file_that_was_edited_is_read_and_says_so(tmp_path: Path) -> None:
    split = splits.Split({"a": "train", "b": "test"}, "by hand (seed 1)")
    splits.write(split, tmp_path / "split.csv")
    text = (tmp_path / "split.csv").read_text(encoding="utf-8")
    (tmp_path / "split.csv").write_text(text.replace("b,test", "b,train"), encoding="utf-8")
    found = splits.read(tmp_path / "split.csv")
    assert found.parts == {"a": "train", "b": "train"}
    assert found.method == "by hand (seed 1), edited"
    assert split.fingerprint in found.notes[0]
    assert found.fingerprint in found.notes[0]


def test_a_split_file_made_elsewhere_is_called_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("part,id,note\ntrain,a,x\ntest,b,\n", encoding="utf-8")
    assert not splits.made_here(tmp_path / "mine.csv")
    assert splits.read(tmp_path / "mine.csv") == splits.Split({"a": "train", "b": "test"}, "file mine.csv")


def test_a_split_file_that_names_a_track_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "split.csv").write_text("id,part\na,train\na,test\n", encoding="utf-8")
    with pytest.raises(DataError, match="track a stands there twice"):
        splits.read(tmp_path / "split.csv")


@pytest.mark.parametrize("text", ["", "track,part\na,train\n", "id\na\n", "# my split\nid,part\na,train\n"])
def test_a_split_file_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="has no column"):
        splits.read(tmp_path / "split.csv")


def test_tracks_that_a_split_and_a_store_do_not_share_are_told() -> None:
    split = splits.Split({"a": "train", "b": "test", "gone": "test"}, "by hand")
    assert splits.strangers(split, [stored("a"), stored("b"), stored("new")]) == (
        "1 of the split's 3 tracks are not in the store, such as gone",
        "1 tracks of the store are not in the split and take no part",
    )
    assert splits.strangers(splits.Split({"a": "train"}, "by hand"), [stored("a")]) == ()
    with pytest.raises(DataError, match="none of the split's 3 tracks is in the store, whose first is x"):
        splits.strangers(split, [stored("x")])


# -- words ------------------------------------------------------------------------------------------------------


def test_a_genre_of_one_track_is_told_with_a_way_out() -> None:
    tracks = [stored(f"r{n}", "rock") for n in range(9)] + [stored("j", "jazz")]
    with pytest.raises(DataError, match=r'genre "jazz" has 1 track, too few for 3 parts; .*--genres'):
        splits.make(tracks, "stratified")


@pytest.mark.parametrize("method", BY_GROUP)
def test_too_few_groups_and_no_groups_are_told_apart(method: str) -> None:
    with pytest.raises(DataError, match="no groups are known"):
        splits.make([stored(f"r{n}") for n in range(9)], method)
    tracks = [stored(f"r{n}", group=str(n % 3)) for n in range(9)]
    with pytest.raises(DataError, match="3 groups are too few for 4 parts"):
        splits.make(tracks, method, folds=4)
    with pytest.raises(DataError, match="2 groups are too few for 3 parts"):  # two artists share a recording
        splits.make(tracks, method, pairs=[Pair("r0", "r1", "near")])


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


def test_the_method_where_none_is_asked_for_keeps_groups_whole_if_it_can() -> None:
    assert splits.default_method([stored("a"), stored("b", group="x")]) == "stratified-group"
    assert splits.default_method([stored("a"), stored("b")]) == "stratified"


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_groups_torn_apart_are_told(method: str) -> None:
    tracks = [stored(f"r{n:02d}", group=f"artist {n % 2}") for n in range(20)]
    assert any("2 of 2 groups are in two parts" in note for note in splits.make(tracks, method).notes)
    assert not any("two sides" in note for note in splits.make(
        [stored(f"r{n:02d}", group=f"artist {n}") for n in range(20)], "group").notes)  # fmt: skip


def test_what_is_not_known_of_groups_is_told() -> None:
    tracks = [stored(f"r{n:02d}") for n in range(20)]
    assert splits.make(tracks, "random").notes[0].startswith("no groups are known")
    some = [dataclasses.replace(track, group="x" if track.id < "r05" else "") for track in tracks]
    assert any("the group of 15 of 20 tracks is unknown" in note for note in splits.make(some, "group").notes)


def test_duplicates_on_two_sides_are_told_and_counted() -> None:
    tracks = [stored(f"r{n:02d}", group=f"artist {n}") for n in range(10)]
    parts = {track.id: "train" if track.id < "r05" else "test" for track in tracks}
    apart, together = Pair("r00", "r09", "near"), Pair("r01", "r02", "exact")
    assert splits.cautions(tracks, parts, [together]) == ()
    assert splits.cautions(tracks, parts, [apart, together])[0].startswith("1 pair of duplicates is in two parts")
    two = splits.cautions(tracks, parts, [apart, together, Pair("r03", "r08", "exact")])
    assert two[0].startswith("2 pairs of duplicates are in two parts")


def test_a_part_that_lacks_a_genre_is_told() -> None:
    tracks = [stored(f"r{n}") for n in range(99)] + [stored("j", "jazz")]
    notes = splits.make(tracks, "random").notes
    assert any("has no track of jazz" in note for note in notes)


def test_a_part_that_was_asked_for_and_is_empty_is_told() -> None:
    notes = splits.make([stored("a"), stored("b")], "random", shares=splits.SHARES).notes
    assert any(note.startswith("the part ") and note.endswith("has no track of rock") for note in notes)


# -- the dealer -----------------------------------------------------------------------------------------------------


@given(total=st.integers(0, 100), weights=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_a_total_is_divided_to_the_nearest_whole(total: int, weights: list[int]) -> None:
    asked = {str(number): weight / sum(weights) for number, weight in enumerate(weights)}
    counts = dealing.whole_counts(total, asked)
    assert sum(counts.values()) == total
    assert min(counts.values()) > 0 or total < len(asked)
    if all(share * total >= 1 for share in asked.values()):
        assert all(abs(counts[part] - share * total) < 1 + 1e-6 for part, share in asked.items())


@given(
    totals=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 50), min_size=1),
    parts=st.integers(2, 10),
)
def test_remainders_of_genres_even_out_over_equal_parts(totals: dict[str, int], parts: int) -> None:
    asked = {str(number): 1 / parts for number in range(parts)}
    targets = dealing.whole_targets(totals, asked)
    sizes = [sum(its.values()) for its in targets.values()]
    assert max(sizes) - min(sizes) <= 1
    assert all(sum(its[genre] for its in targets.values()) == total for genre, total in totals.items())


# -- official splits --------------------------------------------------------------------------------------------


def test_the_data_sets_own_split_is_taken_as_it_is() -> None:
    tracks = [dataclasses.replace(stored(f"r{n}"), part=part) for n, part in enumerate(["1", "2", "1", "", "10"])]
    split = splits.make(tracks, "official")
    assert split.parts == {"r0": "1", "r1": "2", "r2": "1", "r4": "10"}
    assert list(split.counts) == ["1", "2", "10"]
    assert split.method == "official"
    assert "1 tracks have no part" in split.notes[0]
    with pytest.raises(DataError, match="brings no split of its own"):
        splits.make([stored("a")], "official")
    with pytest.raises(DataError, match="official is fixed; leave out the folds"):
        splits.make(tracks, "official", folds=3)


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
