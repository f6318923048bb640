"""Groups come from where the user says, a source that knows none is told, and copies join groups."""

from __future__ import annotations

import dataclasses
import random
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st
from tag_support import tagged, untagged

from genrescope.errors import DataError
from genrescope.sources import groups
from genrescope.sources.track import Track
from genrescope.sources.track_table import list_tracks
from genrescope.splits.duplicates import Pair
from genrescope.splits.groups import join

MUSIC = Path("/music")


def at(*names: str) -> list[Track]:
    """Return tracks at these paths below a folder that need not exist."""
    return [Track(name, MUSIC / name, "rock", "before") for name in names]


def found(tracks: list[Track], source: str, *, root: Path = MUSIC, table: Path | None = None) -> list[str]:
    return [track.group for track in groups.assign(tracks, root, source, table=table)]


# -- sources --------------------------------------------------------------------------------------------------------


def test_groups_come_from_the_tags(tmp_path: Path) -> None:
    paths = [
        tagged(tmp_path / "a.mp3", artist="The Beatles"),
        tagged(tmp_path / "b.flac", artist="Someone", album_artist="Beatles, The"),
        tagged(tmp_path / "c.ogg", artist="Singer feat. Guest", album_artist="Various Artists"),
        untagged(tmp_path / "d.wav"),
        tmp_path / "missing.mp3",
    ]
    tracks = [Track(path.name, path, "rock", "before") for path in paths]
    assert found(tracks, "tags", root=tmp_path) == ["beatles", "beatles", "singer", "", ""]


def test_everything_but_the_group_is_kept() -> None:
    track = Track("x/a.wav", MUSIC / "x/a.wav", "rock", "before", "test")
    assert groups.assign([track], MUSIC, "path:{group}/*") == [dataclasses.replace(track, group="x")]


def test_a_column_artist_gives_groups_where_there_is_no_column_group(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,genre,artist\na.wav,rock,The Bs\nb.wav,rock,Various Artists\n", encoding="utf-8")
    assert [track.group for track in list_tracks(table)] == ["bs", ""]
    table.write_text("path,genre,artist,group\na.wav,rock,The Bs,The Group\n", encoding="utf-8")
    assert [track.group for track in list_tracks(table)] == ["The Group"]


def test_groups_come_from_a_column_of_the_table(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text(
        "path,genre,group,Label,artist\na.wav,rock,g, Blue Note ,The Bs\nb\\c.wav,rock,g,,BS\n", encoding="utf-8"
    )
    tracks = list_tracks(table)
    assert found(tracks, "column:Label", table=table) == ["Blue Note", ""]
    assert found(tracks, "column:artist", table=table) == ["bs", "bs"]
    with pytest.raises(DataError, match=r"has no column label; its first line names: .*Label"):
        found(tracks, "column:label", table=table)
    with pytest.raises(DataError, match="need DATA to be a CSV or TSV file"):
        found(tracks, "column:Label")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{genre}/{group}/*", ["The Bs", "", ""]),
        ("{genre}/{artist}/**", ["bs", "cs", ""]),
        ("*/{group}/*/*", ["", "Cs", ""]),
        ("**/{group}/*", ["The Bs", "Album", "rock"]),
        ("**/{group} - *", ["", "", "Ds"]),
        ("{genre}/{artist} - {title}.wav", ["", "", "ds"]),
        ("rock/{group}", ["", "", "Ds - Song - Live.wav"]),
    ],
)
def test_groups_come_from_a_pattern_of_the_path(pattern: str, expected: list[str]) -> None:
    tracks = at("rock/The Bs/a.wav", "rock/Cs/Album/b.wav", "rock/Ds - Song - Live.wav")
    assert found(tracks, f"path:{pattern}") == expected


def test_signs_of_a_pattern_mean_themselves() -> None:
    tracks = at("a (1)/b+c.wav", "a [1]/b.wav")
    assert found(tracks, "path:{x} (1)/{group}.wav") == ["b+c", ""]
    assert found(tracks, "path:a [1]/{group}.*") == ["", "b"]


def test_groups_come_from_a_regular_expression() -> None:
    tracks = at("rock/1234-the bs.wav", "rock/xyz.wav")
    assert found(tracks, r"regex:(?P<group>\d{4})-") == ["1234", ""]
    assert found(tracks, r"regex:\d-(?P<artist>.+)\.wav$") == ["bs", ""]
    assert found(tracks, r"regex:rock/(?P<group>\d+)?") == ["1234", ""]


@pytest.mark.parametrize("key", ["id", "path"])
@pytest.mark.parametrize("separator", [",", "\t"])
def test_groups_come_from_a_table_of_their_own(tmp_path: Path, key: str, separator: str) -> None:
    tracks = at("rock/a.wav", "rock/b.wav", "rock/c.wav")
    rows = [(key, "note", "artist"), ("rock/a.wav", "", "The As"), ("rock\\b.wav", "", "AS"), ("else.wav", "", "x")]
    (tmp_path / "artists.csv").write_text("\n".join(map(separator.join, rows)), encoding="utf-8")
    assert found(tracks, f"file:{tmp_path / 'artists.csv'}") == ["as", "as", ""]


def test_paths_of_a_table_may_be_relative_to_it_or_absolute(tmp_path: Path) -> None:
    tracks = [Track(name, tmp_path / "music" / name, "rock") for name in ("a.wav", "b.wav", "c.wav")]
    text = f"path,group\nmusic/a.wav,One\n{tmp_path / 'music/b.wav'},Two\nc.wav, Three \n"
    (tmp_path / "groups.csv").write_text(text, encoding="utf-8")
    assert found(tracks, f"file:{tmp_path / 'groups.csv'}", root=tmp_path / "music") == ["One", "Two", "Three"]


def test_none_takes_the_groups_away() -> None:
    assert found(at("a.wav", "b.wav"), "none") == ["", ""]


def test_no_tracks_have_no_groups() -> None:
    assert groups.assign([], MUSIC, "tags") == []


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("tag", 'no source of groups called "tag"; did you mean "tags"'),
        ("colum:x", 'did you mean "column"'),
        ("column:", "after the colon something must follow"),
        ("column", "after the colon something must follow"),
        ("tags:x", "after the colon something must follow, or nothing"),
        ("", "one of: tags, column"),
        ("path:*/*", "must mark the group once"),
        ("path:{group}/{artist}", "must mark the group once"),
        ("path:{group}/{group}", "must mark the group once"),
        ("regex:(", "is no regular expression"),
        ("regex:.*", r"must have one part"),
        ("regex:(?P<artist>a)(?P<group>b)", r"must have one part"),
        ("file:/nowhere/artists.csv", "cannot be read as a table"),
    ],
)
def test_a_faulty_source_is_told(source: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        found(at("rock/a.wav"), source)


@pytest.mark.parametrize("text", ["", "id\na.wav\n", "name,artist\na.wav,x\n", "id,artist\n"])
def test_a_table_without_the_columns_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "artists.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"artists\.csv: a table of groups needs rows, a column id or path"):
        found(at("a.wav"), f"file:{tmp_path / 'artists.csv'}")


def test_a_source_that_knows_no_group_says_what_was_looked_at(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,genre,label\na.wav,rock,\n", encoding="utf-8")
    tracks = list_tracks(table)
    (tmp_path / "artists.csv").write_text("id,artist\nother.wav,x\n", encoding="utf-8")
    untagged(tmp_path / "a.wav")
    for source, looked_at in (
        ("tags", "tags of the files, the first of which is .*a.wav"),
        ("column:label", 'the column "label" of .*list.csv'),
        ("path:{group}/*", r"paths such as a\.wav, by \{group\}"),
        ("regex:(?P<group>x)", r"paths such as a\.wav"),
        (f"file:{tmp_path / 'artists.csv'}", r"the columns id and artist of .*whose first row is of other\.wav"),
    ):
        with pytest.raises(DataError, match=f"none of the 1 tracks has one. Looked at: .*{looked_at}"):
            found(tracks, source, root=tmp_path, table=table)


@given(
    source=st.one_of(st.text(max_size=12), st.sampled_from(groups.SOURCES)),
    path=st.text("a/{}*(\\", min_size=1, max_size=8),
)
def test_any_source_is_taken_or_told(source: str, path: str) -> None:
    tracks = at("rock/a/b.wav", "jazz/c.wav")
    assert error_of(lambda: found(tracks, source), DataError) != ""
    assert error_of(lambda: found(tracks, f"path:{path}"), DataError) != ""
    assert error_of(lambda: found(tracks, f"regex:{path}"), DataError) != ""


# -- joining groups that share a recording --------------------------------------------------------------------------

NAMES = [f"t{number}" for number in range(8)]
TRACKS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "", "g0", "g1", "g2", "g3", "t0", "t5"]))
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=8)


def joined(known: dict[str, str], pairs: list[tuple[str, str]]) -> dict[str, str]:
    tracks = [Track(track_id, Path(track_id), "rock", group) for track_id, group in known.items()]
    return join(tracks, [Pair(first, second, "near") for first, second in pairs])


def by_walking(known: dict[str, str], pairs: list[tuple[str, str]]) -> set[frozenset[str]]:
    """Return the sets of tracks that hang together, found another way: by walking from track to track."""
    beside: dict[str, set[str]] = defaultdict(set)
    same = [each for group in set(known.values()) - {""} for each in pairwise(t for t in known if known[t] == group)]
    for one, other in [*pairs, *same]:
        beside[one].add(other)
        beside[other].add(one)
    sets = set()
    for start in known:
        seen, waiting = {start}, [start]
        while waiting:
            new = beside[waiting.pop()] - seen
            seen |= new
            waiting += new
        sets.add(frozenset(seen & set(known)))
    return sets


@given(known=TRACKS, pairs=PAIRS)
def test_tracks_are_of_one_group_just_if_a_chain_joins_them(
    known: dict[str, str], pairs: list[tuple[str, str]]
) -> None:
    named = joined(known, pairs)
    assert set(named) == set(known)
    sets = by_walking(known, pairs)
    for one, group in known.items():
        its = next(each for each in sets if one in each)
        if len(its) == 1 and not group:
            assert named[one] == ""
        else:
            assert {other for other in known if named[other] == named[one]} == its


@given(known=TRACKS, pairs=PAIRS, seed=st.integers(0, 9))
def test_the_order_of_tracks_and_pairs_does_not_count(
    known: dict[str, str], pairs: list[tuple[str, str]], seed: int
) -> None:
    rng = random.Random(seed)
    tracks = dict(rng.sample(list(known.items()), len(known)))
    others = [rng.choice([(first, second), (second, first)]) for first, second in rng.sample(pairs, len(pairs))]
    assert joined(tracks, others + pairs[:1]) == joined(known, pairs)


@given(known=TRACKS, pairs=PAIRS)
def test_joining_again_changes_nothing(known: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    once = joined(known, pairs)
    assert joined(once, pairs) == once
    assert joined(known, []) == known


@given(known=TRACKS, pairs=PAIRS)
def test_a_joined_group_has_the_name_of_its_first(known: dict[str, str], pairs: list[tuple[str, str]]) -> None:
    named = joined(known, pairs)
    for name in set(named.values()) - {""}:
        its = [track_id for track_id in named if named[track_id] == name]
        assert name == min((known[each] for each in its if known[each]), default=name)
        if not any(known[each] for each in its):
            assert name.startswith(min(its))


def test_names_of_joined_groups() -> None:
    known = {"a": "queen", "b": "abba", "c": "", "d": "", "e": "", "f": "abba"}
    assert joined(known, [("a", "b"), ("c", "d")]) == {
        "a": "abba", "b": "abba", "c": "c", "d": "c", "e": "", "f": "abba",
    }  # fmt: skip
    assert joined({"a": "", "c": ""}, [("a", "b"), ("b", "c")]) == {"a": "a", "c": "a"}
    assert joined({"a": "", "b": "", "x": "a"}, [("a", "b")]) == {"a": "a (copies)", "b": "a (copies)", "x": "a"}


def test_long_chains_are_joined() -> None:
    number = 20_000
    known = {f"{each:05d}": "" for each in range(number)}
    named = joined(known, list(pairwise(reversed(known))))
    assert set(named.values()) == {"00000"}
