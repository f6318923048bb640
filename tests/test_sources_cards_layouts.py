"""The cards of the other public data sets: what each reads out of its layout, and what it says of a damaged one."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest
from card_layouts import FMA_COLUMNS, LAYOUTS, MTG_HEADER, fma_row, touch, write_fma, write_mtg
from conftest import tone, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.sources import cards
from genrescope.sources.cards import ballroom, fma
from genrescope.store.prepare import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.sources.track import Track


def listed(name: str, root: Path) -> dict[str, Track]:
    """List a folder by a card, by id."""
    return {track.id: track for track in cards.card(name).tracks(root)}


def rock(track: int, bio: str = "") -> str:
    """Return a line of FMA's table."""
    return fma_row(track, artist=1, split="training", subset="small", genre="Rock", bio=bio)


def refusal(name: str, root: Path) -> str:
    """Return what a card says of a folder that it refuses."""
    with pytest.raises(DataError) as caught:
        cards.card(name).tracks(root)
    return str(caught.value)


# -- FMA --------------------------------------------------------------------------------------------------------


def test_fma_takes_genre_artist_and_part_from_its_table(tmp_path: Path) -> None:
    LAYOUTS["fma-medium"].write(tmp_path)
    tracks = listed("fma-medium", tmp_path)
    assert list(tracks) == ["000002", "000005", "000010", "000030", "139010"]
    assert {name: (each.genre, each.group, each.part) for name, each in tracks.items()} == {
        "000002": ("Hip-Hop", "1", "train"),
        "000005": ("Hip-Hop", "1", "train"),
        "000010": ("Pop", "6", "validation"),
        "000030": ("Soul-RnB", "9", "test"),
        "139010": ("Rock", "7", "test"),
    }
    assert tracks["139010"].path == tmp_path / "fma_medium" / "139" / "139010.mp3"


def test_a_track_without_a_top_genre_is_left_out(tmp_path: Path) -> None:
    LAYOUTS["fma-large"].write(tmp_path)
    assert "000020" not in listed("fma-large", tmp_path)
    assert "000040" in listed("fma-large", tmp_path)


@pytest.mark.parametrize(("name", "folder"), [("fma-small", "fma_large"), ("fma-medium", "fma_large")])
def test_a_smaller_size_is_found_in_the_folder_of_a_larger(tmp_path: Path, name: str, folder: str) -> None:
    LAYOUTS["fma-large"].write(tmp_path)
    assert {track.path.parts[-3] for track in listed(name, tmp_path).values()} == {folder}
    touch(tmp_path, f"{name.replace('-', '_')}/000/000002.mp3")
    assert {track.path.parts[-3] for track in listed(name, tmp_path).values()} == {name.replace("-", "_")}


def test_whole_tracks_are_never_taken_for_clips_nor_clips_for_whole_tracks(tmp_path: Path) -> None:
    LAYOUTS["fma-large"].write(tmp_path)
    assert "no folder fma_full;" in refusal("fma-full", tmp_path)
    LAYOUTS["fma-full"].write(tmp_path / "full")
    assert "no folder fma_small or fma_medium or fma_large;" in refusal("fma-small", tmp_path / "full")


def test_the_folder_of_the_audio_itself_does_as_well(tmp_path: Path) -> None:
    LAYOUTS["fma-small"].write(tmp_path)
    assert listed("fma-small", tmp_path / "fma_small") == listed("fma-small", tmp_path)


@pytest.mark.parametrize("there", [(), ("fma_small/000/000002.mp3",), ("fma_metadata/genres.csv",)])
def test_fma_without_its_table_says_what_to_unpack_and_where(tmp_path: Path, there: tuple[str, ...]) -> None:
    touch(tmp_path, *there)
    message = refusal("fma-small", tmp_path)
    assert message.startswith(f"{tmp_path}: ")
    for words in ("fma_metadata/tracks.csv", "fma_metadata.zip", "fma_small"):
        assert words in message


@pytest.mark.parametrize("column", [("set", "split"), ("set", "subset"), ("track", "genre_top"), ("artist", "id")])
def test_a_table_of_fma_without_a_needed_column_is_told(tmp_path: Path, column: tuple[str, str]) -> None:
    touch(tmp_path, "fma_small/000/000002.mp3")
    listing = write_fma(tmp_path, [], columns=[each for each in FMA_COLUMNS if each != column])
    assert f"{listing} has no column {'.'.join(column)}" in refusal("fma-small", tmp_path)


@pytest.mark.parametrize(
    "tail", [b"7,1,x\n", b"seven,0,,1,training,small,Rock,x\n", b"8,0,caf\xe9,1,training,small,Rock,x\n"]
)
def test_a_damaged_table_of_fma_is_told(tmp_path: Path, tail: bytes) -> None:
    touch(tmp_path, "fma_small/000/000002.mp3")
    listing = write_fma(tmp_path, [rock(2)])
    listing.write_bytes(listing.read_bytes() + tail)
    assert f"{listing} is damaged" in refusal("fma-small", tmp_path)


def test_an_empty_table_of_fma_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "fma_small/000/000002.mp3")
    write_fma(tmp_path, [])
    assert "lists no track of the size small" in refusal("fma-small", tmp_path)


def test_a_biography_of_any_length_is_read_and_the_module_s_limit_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    touch(tmp_path, "fma_small/000/000002.mp3")
    write_fma(tmp_path, [rock(2, "la\n" * 100_000)])
    assert list(listed("fma-small", tmp_path)) == ["000002"]
    assert csv.field_size_limit() == before


@given(track=st.integers(0, 999_999))
def test_the_path_of_a_track_follows_from_its_number(tmp_path_factory: pytest.TempPathFactory, track: int) -> None:
    root = tmp_path_factory.mktemp("fma")
    touch(root, "fma_small/checksums")
    write_fma(root, [rock(track)])
    (found,) = cards.card("fma-small").tracks(root)
    assert found.path.relative_to(root).as_posix() == f"fma_small/{track // 1000:03d}/{track:06d}.mp3"
    assert int(found.id) == track


def test_the_faults_of_the_card_of_fma_are_its_lists() -> None:
    assert (len(fma.NO_SOUND), len(fma.SHORT)) == (15, 6)
    assert set(fma.NO_SOUND) & set(fma.SHORT) == set()
    small = cards.card("fma-small").known_faults[0]
    assert [track for track in fma.NO_SOUND if f"{track:06d}" in small] == [99134, 108925, 133297]
    assert [track for track in fma.SHORT if f"{track:06d}" in small] == [98565, 98567, 98569]


def test_preparing_reports_the_listed_file_that_is_missing(tmp_path: Path) -> None:
    LAYOUTS["fma-small"].write(tmp_path / "fma")
    for name in ("000/000002", "000/000005"):
        sound = write(tmp_path / "sound.wav", tone(440.0, seconds=1.0))
        sound.replace(tmp_path / "fma" / "fma_small" / f"{name}.mp3")  # a wav under a false name: decoders do not mind
    (tmp_path / "fma" / "fma_small" / "139" / "139010.mp3").write_bytes(b"no sound")
    done = prepare(f"fma-small:{tmp_path / 'fma'}", tmp_path / "store", jobs=0)
    assert [(track.id, track.group, track.part) for track in done.store.tracks] == [
        ("000002", "1", "train"), ("000005", "1", "train"),
    ]  # fmt: skip
    assert {row.id: "No such file" in row.status for row in done.failed} == {"000010": True, "139010": False}


# -- Ballroom ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "BallroomData"])
def test_the_three_rumbas_are_one_genre_and_other_folders_none(tmp_path: Path, inside: str) -> None:
    touch(tmp_path / inside, "Rumba-American/a.wav", "Rumba-International/b.wav", "Rumba-Misc/c.wav", "Rumba/d.wav")
    touch(tmp_path / inside, "VienneseWaltz/e.wav", "nada/f.wav", "g.wav")
    assert {track.id: track.genre for track in listed("ballroom", tmp_path).values()} == {
        "a": "Rumba", "b": "Rumba", "c": "Rumba", "d": "Rumba", "e": "VienneseWaltz",
    }  # fmt: skip


def test_albums_are_groups_and_known_repeats_join_them(tmp_path: Path) -> None:
    LAYOUTS["ballroom"].write(tmp_path)
    group = {track.id: track.group for track in listed("ballroom", tmp_path).values()}
    joined = "AnaBelen_Veneo + Chrisanne2"
    assert group["Albums-AnaBelen_Veneo-11"] == group["Albums-Chrisanne2-12"] == joined
    assert group["Albums-AnaBelen_Veneo-13"] == joined
    assert group["Albums-Fire-08"] == group["Albums-Fire-09"] == "Fire"
    assert group["Media-104705"] == group["Albums-Secret_Garden-01"] == "Secret_Garden"
    assert group["Media-103402"] == group["Media-103415"] == "Media-103402"
    assert group["Media-103601"] == ""


def test_the_repeats_of_ballroom_are_thirteen_pairs() -> None:
    repeats = ballroom.known_repeats()
    assert sorted(each.kind for each in repeats) == ["exact"] * 4 + ["recording"] * 9
    assert all(len(set(each.tracks)) == 2 for each in repeats)
    assert len({track for each in repeats for track in each.tracks}) == 26


# -- Homburg ----------------------------------------------------------------------------------------------------


def test_homburg_has_its_artists_in_the_names_of_its_files(tmp_path: Path) -> None:
    LAYOUTS["homburg"].write(tmp_path)
    touch(tmp_path, "blues/untitled.mp3")
    assert {name: track.group for name, track in listed("homburg", tmp_path).items()} == {
        "alternative/50_Minutes-Nightwalk": "50 minutes",
        "alternative/The_Beeps-tell_me": "beeps",
        "rock/Beeps-Goin__Home": "beeps",  # one artist in two genres, in two spellings
        "rock/_REAL-FREE": "real",
        "blues/untitled": "",
    }


def test_homburg_that_was_unpacked_into_one_folder_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "50_Minutes-Nightwalk.mp3")
    assert str(tmp_path) in refusal("homburg", tmp_path)


# -- ISMIR04 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "ismir04_genre"])
def test_ismir04_takes_classes_artists_and_parts_from_its_lists(tmp_path: Path, inside: str) -> None:
    LAYOUTS["ismir04"].write(tmp_path)
    assert {
        track.id: (track.genre, track.group, track.part) for track in listed("ismir04", tmp_path / inside).values()
    } == {
        "training/classical/orinda/airs_de_cour/2-quel_espoir_(guedron)": ("classical", "orinda", "train"),
        "training/jazz/jane/jane's_book/3-don't": ("jazz_blues", "jane", "train"),
        "development/artist_14_album_1_track_1": ("rock_pop", "artist 14", "validation"),
        "evaluation/classical/orinda/airs_de_cour/9-chaconne": ("classical", "orinda", "test"),
        "evaluation/world/solace/iman/7-akhawat": ("world", "solace", "test"),
    }


def test_an_apostrophe_that_an_unpacker_changed_is_found(tmp_path: Path) -> None:
    LAYOUTS["ismir04"].write(tmp_path)
    track = listed("ismir04", tmp_path)["training/jazz/jane/jane's_book/3-don't"]
    assert track.path.name == "3-don_t.mp3"
    assert track.path.is_file()


@pytest.mark.parametrize("part", ["training", "development", "evaluation"])
def test_ismir04_without_one_of_its_lists_is_told(tmp_path: Path, part: str) -> None:
    LAYOUTS["ismir04"].write(tmp_path)
    (tmp_path / "ismir04_genre" / "metadata" / part / "tracklist.csv").unlink()
    assert f"metadata/{part}/tracklist.csv" in refusal("ismir04", tmp_path).replace("\\", "/")


@pytest.mark.parametrize("line", ["polka,a,b,c,1,polka/a.mp3", "classical,a,b", "classical,a,b,c,1,", '"open'])
def test_a_damaged_list_of_ismir04_is_told(tmp_path: Path, line: str) -> None:
    LAYOUTS["ismir04"].write(tmp_path)
    listing = tmp_path / "ismir04_genre" / "metadata" / "training" / "tracklist.csv"
    listing.write_text(listing.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    assert f"{listing} is damaged" in refusal("ismir04", tmp_path)


# -- MTG-Jamendo ------------------------------------------------------------------------------------------------


def mtg_row(track: int, *tags: str) -> str:
    """Return a line of a list of MTG-Jamendo."""
    return "\t".join(
        [f"track_{track:07d}", "artist_000001", "album_1", f"{track % 100:02d}/{track}.mp3", "60.0", *tags]
    )


def test_the_rarest_tag_is_the_genre_and_of_equals_the_first(tmp_path: Path) -> None:
    rows = {
        "train": [
            mtg_row(1, "genre---electronic", "genre---house"),
            mtg_row(2, "genre---electronic", "genre---techno"),
        ],
        "validation": [mtg_row(3, "genre---techno", "genre---house")],
        "test": [mtg_row(4, "genre---electronic", "genre---techno"), mtg_row(5, "genre---electronic", "genre---funk")],
    }  # electronic 4, techno 3, house 2, funk 1
    write_mtg(tmp_path, rows)
    touch(tmp_path, "audio/01/1.mp3")
    genres = {track.id[-1]: track.genre for track in cards.card("mtg-jamendo").tracks(tmp_path)}
    assert genres == {"1": "house", "2": "techno", "3": "house", "4": "techno", "5": "funk"}
    write_mtg(tmp_path, rows | {"test": [mtg_row(4, "genre---techno", "genre---house")]})  # now three each
    assert {track.id[-1]: track.genre for track in cards.card("mtg-jamendo").tracks(tmp_path)}["4"] == "house"


def test_tags_of_other_kinds_are_no_genres(tmp_path: Path) -> None:
    write_mtg(tmp_path, {"train": [mtg_row(1, "instrument---piano", "genre---rock", "mood/theme---calm")]})
    touch(tmp_path, "01/1.mp3")
    (track,) = cards.card("mtg-jamendo").tracks(tmp_path)
    assert (track.genre, track.group, track.part) == ("rock", "artist_000001", "train")
    assert track.path == tmp_path / "01" / "1.mp3"


@pytest.mark.parametrize("folder", ["", "audio", "audio-low", "raw_30s/audio", "raw_30s/audio-low"])
@pytest.mark.parametrize("ending", [".mp3", ".low.mp3"])
def test_the_audio_is_found_in_either_quality_wherever_it_was_put(tmp_path: Path, folder: str, ending: str) -> None:
    write_mtg(tmp_path, {"train": [mtg_row(1, "genre---rock"), mtg_row(2, "genre---rock")]})
    touch(tmp_path / folder, f"01/1{ending}")
    tracks = listed("mtg-jamendo", tmp_path)
    assert tracks["track_0000001"].path == tmp_path / folder / "01" / f"1{ending}"
    assert tracks["track_0000002"].path == tmp_path / folder / "02" / f"2{ending}"  # missing, in the same quality


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_mtg_jamendo_without_a_list_is_told(tmp_path: Path, part: str) -> None:
    LAYOUTS["mtg-jamendo"].write(tmp_path)
    (tmp_path / "data" / "splits" / "split-0" / f"autotagging_genre-{part}.tsv").unlink()
    assert f"no autotagging_genre-{part}.tsv in data/splits/split-0" in refusal("mtg-jamendo", tmp_path)


def test_mtg_jamendo_without_audio_is_told(tmp_path: Path) -> None:
    write_mtg(tmp_path, {"train": [mtg_row(1, "genre---rock")]})
    assert "14/214.low.mp3" in refusal("mtg-jamendo", tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "id\tpath\n", f"{MTG_HEADER}\ntrack_1\tartist_1\n", f"{MTG_HEADER}\n{mtg_row(1, 'instrument---piano')}\n"],
)
def test_a_damaged_list_of_mtg_jamendo_is_told(tmp_path: Path, text: str) -> None:
    LAYOUTS["mtg-jamendo"].write(tmp_path)
    listing = tmp_path / "data" / "splits" / "split-0" / "autotagging_genre-test.tsv"
    listing.write_text(text, encoding="utf-8")
    assert f"{listing} is damaged" in refusal("mtg-jamendo", tmp_path)


def test_the_archives_of_mtg_jamendo_unpack_to_what_its_card_reads() -> None:
    archives = cards.card("mtg-jamendo").archives
    places: dict[str, Any] = {}
    for archive in archives:
        places.setdefault(archive.into, []).append(archive.file)
    assert sorted(places["data/splits/split-0"]) == sorted(
        f"autotagging_genre-{part}.tsv" for part in ("train", "validation", "test")
    )
    assert places["audio-low"] == [f"raw_30s_audio-low-{number:02d}.tar" for number in range(100)]
