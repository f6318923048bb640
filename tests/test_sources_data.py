"""DATA is a folder, a table or a card; what is wrong with it is told in its own words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.sources.data import read_data, select_genres
from genrescope.sources.track import Track
from genrescope.store.index import IndexRow, genre_counts, read_index, write_index

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=12)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def ids(data: str) -> list[str]:
    return [track.id for track in read_data(data)[1]]


# -- a folder of genre folders ----------------------------------------------------------------------------------


def test_a_folder_gives_a_track_for_every_audio_file_in_a_genre(tmp_path: Path) -> None:
    touch(tmp_path, "rock/b.wav", "rock/a.MP3", "jazz/album/c.flac", "jazz/cover.jpg", "jazz/._c.flac", "notes.txt")
    root, tracks = read_data(str(tmp_path))
    assert root == tmp_path
    assert [(track.id, track.genre, track.group) for track in tracks] == [
        ("jazz/album/c.flac", "jazz", ""),
        ("rock/a.MP3", "rock", ""),
        ("rock/b.wav", "rock", ""),
    ]
    assert all(track.path.is_file() for track in tracks)


@pytest.mark.parametrize(
    "name", ["hip hop/a b.wav", "caf\u00e9/\u97f3\u697d.ogg", "R&B, soul/'a\".mp3", "a/b/c/d/e.wav"]
)
def test_any_name_may_stand_in_a_folder(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    track = read_data(str(tmp_path))[1][0]
    assert (track.id, track.genre) == (name, name.partition("/")[0])


def test_a_folder_that_looks_like_a_file_is_no_track(tmp_path: Path) -> None:
    touch(tmp_path, "rock/album.wav/a.flac")
    assert ids(str(tmp_path)) == ["rock/album.wav/a.flac"]


def test_loose_files_without_genres_are_told_with_both_ways_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.wav")
    with pytest.raises(DataError, match=r"2 audio files .* but no genre folders.*CSV"):
        read_data(str(tmp_path))


def test_a_folder_without_audio_names_the_endings(tmp_path: Path) -> None:
    touch(tmp_path, "rock/readme.txt")
    with pytest.raises(DataError, match=r"no audio found.*\.flac"):
        read_data(str(tmp_path))


def test_a_path_that_is_nothing_names_the_three_forms(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"folder of genre folders, a CSV or TSV file .* card:folder"):
        read_data(str(tmp_path / "nowhere"))


# -- a table ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_table_gives_its_tracks_whatever_program_wrote_it(
    tmp_path: Path, mark: str, separator: str, line_end: str
) -> None:
    rows = [("path", "genre", "group", "year"), ("b c.wav", "rock", "The Bs", "1990"), ("a.wav", " jazz ", "", "")]
    text = mark + line_end.join(separator.join(row) for row in rows) + line_end
    (tmp_path / "list.csv").write_bytes(text.encode())
    root, tracks = read_data(str(tmp_path / "list.csv"))
    assert root == tmp_path
    assert tracks == [
        Track("a.wav", tmp_path / "a.wav", "jazz", ""),
        Track("b c.wav", tmp_path / "b c.wav", "rock", "The Bs"),
    ]


def test_a_table_needs_no_groups_and_may_name_absolute_paths(tmp_path: Path) -> None:
    away = tmp_path / "away" / "x.wav"
    (tmp_path / "list.csv").write_text(f'genre,path\nrock,"{away}"\njazz,sub\\y.wav\n', encoding="utf-8")
    tracks = {track.genre: track for track in read_data(str(tmp_path / "list.csv"))[1]}
    assert tracks["rock"].path == away
    assert tracks["jazz"].id == "sub/y.wav"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,genre\na.wav,rock\n", "has no column path; its first line names: file, genre"),
        ("path|genre\na.wav|rock\n", "has no column path, genre"),
        ("", "has no column path, genre"),
        ("path,genre\na.wav,rock\na.wav,jazz\n", "line 3: a.wav stands there twice"),
        ("path,genre\na.wav,\n", "line 2: path and genre must not be empty"),
        ("path,genre\na.wav\n", "line 2: 1 cells for 2 columns"),
        ("path,genre\nLove, Hate.mp3,rock\n", "line 2: 3 cells for 2 columns .* quotation marks"),
        ("path,genre\n\n\n\na.mp3,rock\nb.mp3,\n", "line 6: path and genre must not be empty"),
        ('path,genre\n"a\nb.mp3",rock\nc.mp3\n', "line 4: 1 cells"),
        ('path,genre\na.mp3,rock\n"b.mp3,rock\nc.mp3,rock\n', "line 3: .* is a quotation mark missing"),
        ("path,genre\n", "no audio found"),
    ],
)
def test_a_faulty_table_is_told_by_line_and_column(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        read_data(str(tmp_path / "list.csv"))


# -- a card -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "genres", "genres_original", "Data/genres_original"])
def test_a_card_lists_an_unpacked_copy_however_it_unpacks(tmp_path: Path, inside: str) -> None:
    touch(tmp_path / inside, "blues/blues.00000.wav", "rock/rock.00001.au", "rock/other.wav")
    assert ids(f"gtzan:{tmp_path}") == ["blues.00000", "rock.00001"]


def test_an_unknown_card_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no data set card called "gtzn"; did you mean "gtzan"'):
        read_data(f"gtzn:{tmp_path}")


def test_a_card_without_its_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_data(f"gtzan:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match="names no folder"):
        read_data("gtzan:")


@pytest.mark.real
def test_the_real_clips_are_all_listed(real_clips: Path) -> None:
    tracks = read_data(f"gtzan:{real_clips}")[1]
    assert len(tracks) == len({track.id for track in tracks}) >= 350
    assert {track.genre for track in tracks} == {track.id.split(".")[0] for track in tracks}


# -- choosing, counting, tables ---------------------------------------------------------------------------------


def test_genres_are_chosen_by_name(tmp_path: Path) -> None:
    tracks = [Track(f"{genre}/a.wav", tmp_path, genre) for genre in ("jazz", "rock", "pop")]
    assert [track.genre for track in select_genres(tracks, ["pop", "jazz"])] == ["jazz", "pop"]
    assert select_genres(tracks, None) == tracks
    with pytest.raises(DataError, match='no tracks of genre "rok"; did you mean "rock"'):
        select_genres(tracks, ["rok"])
    with pytest.raises(DataError, match="one of: jazz, pop, rock"):
        select_genres(tracks, ["zydeco"])


@given(genres=st.lists(st.sampled_from(["rock", "jazz", "pop"])))
def test_counts_add_up_and_stand_in_order(genres: list[str]) -> None:
    counts = genre_counts(genres)
    assert sum(counts.values()) == len(genres)
    assert list(counts) == sorted(counts)


@given(
    rows=st.lists(
        st.builds(
            IndexRow,
            id=TEXT, path=TEXT, genre=TEXT, group=TEXT, sha256=TEXT, status=TEXT,
            seconds=st.floats(0, 1e6), sample_rate=st.integers(0, 400_000), channels=st.integers(0, 64),
        ),
        max_size=5,
    )
)  # fmt: skip
def test_an_index_survives_its_file(tmp_path: Path, rows: list[IndexRow]) -> None:
    write_index(tmp_path / "index.csv", rows)
    assert read_index(tmp_path / "index.csv") == rows


def test_a_tab_in_a_table_s_values_does_not_make_it_tab_separated(tmp_path: Path) -> None:
    row = IndexRow("a\tb", "a\tb.wav", "rock", "", 1.0, 22_050, 1, "", "two\nlines")
    write_index(tmp_path / "index.csv", [row])
    assert read_index(tmp_path / "index.csv") == [row]


@pytest.mark.parametrize("column", ["seconds", "sample_rate", "channels"])
def test_a_damaged_index_says_how_to_go_on(tmp_path: Path, column: str) -> None:
    row = IndexRow("a", "a.wav", "rock", "", 1.0, 22_050, 1, "")
    names = [field.name for field in dataclasses.fields(IndexRow)]
    values = ["x" if name == column else str(getattr(row, name)) for name in names]
    (tmp_path / "index.csv").write_text(",".join(names) + "\n" + ",".join(values) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"is damaged .* prepare the store again"):
        read_index(tmp_path / "index.csv")
