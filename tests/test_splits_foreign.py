"""Splits made elsewhere: whatever others call a track or a window of it, the right track is found, or none."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from conftest import stored
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.sources.cards import gtzan
from genrescope.splits import foreign
from genrescope.splits.audit import audit

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.store.store import StoredTrack


def track(track_id: str, path: str) -> StoredTrack:
    return dataclasses.replace(stored(track_id), path=path)


GTZAN = [track(f"{genre}.{n:05d}", f"{genre}/{genre}.{n:05d}.au") for genre in ("blues", "rock") for n in range(100)]
FOLDERS = [
    track(name, name)
    for name in ("rock/Queen/01 - Love.mp3", "rock/Abba/01 - Love.mp3", "pop/Song, Part 2.flac", "pop/b.side.ogg")
]


def found(tracks: list[StoredTrack], *names: str) -> list[str]:
    """Return the ids that names are matched to; the last part only keeps the matching from failing."""
    return foreign.match(tracks, {"test": names, "train": [tracks[-1].id]}).items["test"]


# -- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["blues.00012", "blues/blues.00012.au", "./blues/blues.00012.wav", "C:\\data\\blues.00012.mp3", "blues_00012.png",
     "/data/genres_original/blues/blues.00012.wav", "blues.00012.wav.npy"],
)  # fmt: skip
def test_a_track_is_known_by_id_path_stem_and_its_official_name(name: str) -> None:
    assert found(GTZAN, name) == ["blues.00012"]


@pytest.mark.parametrize(
    "name",
    ["blues.00012.0.wav", "blues.00012.9.wav", "blues.00012.wav#3", "blues.00012_w3", "blues.00012.wav/2",
     "clips/blues.00012-7.npy", "blues.00012_seg003.png", "blues.00012 (4).wav", "blues.00012_0.0_3.0.wav",
     "blues.00012.wav:0-30", "blues_00012_chunk_2.wav", "blues.00012[5]"],
)  # fmt: skip
def test_a_window_is_an_item_of_the_track_it_was_cut_from(name: str) -> None:
    assert found(GTZAN, name) == ["blues.00012"]


@given(number=st.integers(0, 99), mark=st.sampled_from("._#-/ "), word=st.sampled_from(["", "w", "seg", "chunk"]),
       window=st.integers(0, 9999), ending=st.sampled_from(["", ".wav", ".png", ".npy"]))  # fmt: skip
def test_any_separator_and_number_make_a_window(number: int, mark: str, word: str, window: int, ending: str) -> None:
    assert found(GTZAN, f"rock.{number:05d}{mark}{word}{window}{ending}") == [f"rock.{number:05d}"]


@pytest.mark.parametrize("name", ["blues.00100.wav", "jazz.00012.wav", "blues", "00012", "", "notes.txt"])
def test_a_name_that_is_no_track_stays_unmatched(name: str) -> None:
    matched = foreign.match(GTZAN, {"train": ["rock.00000"], "test": [name]})
    assert matched.items == {"train": ["rock.00000"], "test": []}
    assert matched.unmatched == (name,)


def test_a_name_that_could_mean_two_tracks_means_none() -> None:
    assert found(FOLDERS, "01 - Love.mp3") == []
    assert found(FOLDERS, "rock/Abba/01 - Love.mp3", "b.side.mp3", "Song, Part 2.wav") == [
        "rock/Abba/01 - Love.mp3", "pop/b.side.ogg", "pop/Song, Part 2.flac",
    ]  # fmt: skip
    assert found(FOLDERS, "Abba/01 - Love.wav", "D:\\music\\Abba\\01 - Love.mp3") == 2 * ["rock/Abba/01 - Love.mp3"]


def test_a_track_whose_own_name_ends_in_a_number_is_itself() -> None:
    tracks = [track("take", "take.wav"), track("take_2", "take_2.wav"), track("x", "x.wav")]
    assert found(tracks, "take_2.wav", "take.wav", "take_2_3.wav", "take_3.wav") == [
        "take_2", "take", "take_2", "take",
    ]  # fmt: skip


def test_names_of_another_data_set_are_refused() -> None:
    with pytest.raises(DataError, match=r"none of the split's 2 names, such as a\.wav, is a track of the store"):
        foreign.match(GTZAN, {"train": ["a.wav"], "test": ["b.wav"]})


# -- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "id,part\nblues.00001,train\nrock.00002,test\n",
        "# a comment\nFilename\tlabel\tSplit\nblues.00001.wav\tblues\ttraining\nrock.00002.wav\trock\teval\n",
        '\ufeffpath;subset\n"blues/blues.00001.wav";Train\nrock/rock.00002.wav;TEST\n\n',
        "fold,part,file\n1,train,./blues_00001.wav\n2,test,./rock_00002.wav\n",
    ],
)
def test_a_table_with_a_column_of_names_and_one_of_parts_is_a_split(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    names = foreign.read_table(tmp_path / "split.csv")
    assert foreign.match(GTZAN, names).items == {"train": ["blues.00001"], "test": ["rock.00002"]}


def test_folds_of_a_table_keep_their_names(tmp_path: Path) -> None:
    (tmp_path / "folds.csv").write_text("filename,fold\nblues.00001.wav,10\nrock.00002.wav,9\n", encoding="utf-8")
    names = foreign.read_table(tmp_path / "folds.csv")
    assert list(foreign.match(GTZAN, names).items) == ["9", "10"]


@pytest.mark.parametrize("text", ["", "blues.00001.wav\n", "filename,label\nblues.00001.wav,blues\n", "part\ntrain\n"])
def test_a_table_without_its_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"is no table of a split: .*--part train=FILE"):
        foreign.read_table(tmp_path / "split.csv")


LINES = {
    "names": "./blues_00001.wav\nblues_00002.wav\n",
    "with labels": "./blues_00001.wav\tblues\n./blues_00002.wav\tblues\n",
    "with numbers": "# made by hand\n./blues_00001.wav 0\n\n./blues_00002.wav 0\r\n",
    "with commas": '"blues.00001.wav",0\nblues.00002,blues\n',
    "a table": "label,filename\nblues,blues.00001.wav\nblues,blues.00002.wav\n",
}


@pytest.mark.parametrize("kind", LINES)
def test_a_list_has_a_name_on_each_line(kind: str, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(LINES[kind], encoding="utf-8")
    (tmp_path / "test.txt").write_text("rock.00001.wav", encoding="utf-8")
    names = foreign.read_lists([f"training={tmp_path / 'train.txt'}", f"fold 1={tmp_path / 'test.txt'}"])
    assert foreign.match(GTZAN, names).items == {
        "train": ["blues.00001", "blues.00002"], "fold 1": ["rock.00001"],
    }  # fmt: skip


def test_a_folder_of_lists_is_a_split_by_their_names(tmp_path: Path) -> None:
    for name, text in {
        "train_filtered.txt": "blues/blues.00001.wav\n",
        "valid_filtered.txt": "blues/blues.00002.wav\n",
        "test_filtered.txt": "blues/blues.00003.wav\n",
        "README.md": "about the tests\n",
        "train_and_test.txt": "blues/blues.00001.wav\n",
        "index.txt": "blues.00001.wav ::: somebody\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "test").mkdir()
    assert list(foreign.read_folder(tmp_path)) == ["train", "validation", "test"]
    (tmp_path / "test2_test.txt").write_text("", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"two lists for the part test: test2_test.txt, test_filtered.txt; .*--part test=.*test2_test"
    ):
        foreign.read_folder(tmp_path)


def test_a_folder_without_lists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("blues/blues.00001.wav\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no lists of two parts"):
        foreign.read_folder(tmp_path)


@pytest.mark.parametrize("given", ["train.txt", "=train.txt", "train="])
def test_a_list_without_its_part_is_refused(given: str) -> None:
    with pytest.raises(DataError, match="accepted is part=FILE"):
        foreign.read_lists([given])


def test_lists_of_one_part_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt cannot be read: No such file"):
        foreign.read_lists([f"train={tmp_path / 'gone.txt'}"])
    (tmp_path / "train.txt").write_text("a.wav\n", encoding="utf-8")
    with pytest.raises(DataError, match="all lists are of the part train"):
        foreign.read_lists([f"train={tmp_path / 'train.txt'}", f"training={tmp_path / 'train.txt'}"])


# -- a whole leak ---------------------------------------------------------------------------------------------------


def test_a_random_split_of_windows_shows_as_tracks_on_two_sides(tmp_path: Path) -> None:
    """Ten windows of each clip, dealt by window: the field's most common leak."""
    lines = [
        f"{each.id}.{window}.wav,{'test' if (7 * n + window) % 5 == 0 else 'train'}"
        for n, each in enumerate(GTZAN)
        for window in range(10)
    ]
    (tmp_path / "windows.csv").write_text("filename,split\n" + "\n".join(lines), encoding="utf-8")
    matched = foreign.match(GTZAN, foreign.read_table(tmp_path / "windows.csv"))
    report = audit(GTZAN, matched.items, [])
    assert report.items == {"train": 1600, "test": 400}
    assert report.parts == {"train": 200, "test": 200}
    assert Counter(leak.kind for leak in report.leaks) == {"track": 200}
    assert report.summary == "200 of 200 test tracks are training tracks themselves (100 %)"


@pytest.mark.real
def test_published_folds_of_gtzan_are_read_as_they_come(real_clips: Path) -> None:
    genres = sorted(path.name for path in (real_clips / "genres").iterdir())
    tracks = [stored(f"{genre}.{n:05d}", genre) for genre in genres for n in range(100)]
    lists = real_clips / "lists" / "artist_folds"
    names = foreign.read_lists([f"train={lists / 'f1_train.txt'}", f"test={lists / 'f1_test.txt'}"])
    matched = foreign.match(tracks, names)
    assert matched.unmatched == ()
    assert {part: len(ids) for part, ids in matched.items.items()} == {"train": 633, "test": 315}
    assert audit(tracks, matched.items, []).clean
    assert all(gtzan.track_id(each) == each for ids in matched.items.values() for each in ids)
