"""A split's name: a method, a file made here, or any split made elsewhere."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from conftest import stored

from genrescope import splits
from genrescope.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

TRACKS = [
    dataclasses.replace(stored(f"{genre}/{number}", genre, f"{genre} {number // 2}"), path=f"{genre}/take{number}.wav")
    for genre in ("rock", "jazz")
    for number in range(6)
]
PARTS = {track.id: "test" if track.id.endswith(("4", "5")) else "train" for track in TRACKS}


def write_lists(folder: Path) -> None:
    for part in ("train", "test"):
        names = [f"{track.path}\t{track.genre}" for track in TRACKS if PARTS[track.id] == part]
        (folder / f"{part}.txt").write_text("\n".join(names), encoding="utf-8")


def test_lists_a_folder_of_them_and_a_table_give_one_split(tmp_path: Path) -> None:
    write_lists(tmp_path)
    rows = [f"{track.path},{PARTS[track.id]}" for track in TRACKS]
    (tmp_path / "table.csv").write_text("\n".join(["filename,subset", *rows]), encoding="utf-8")
    lists = f"train={tmp_path / 'train.txt'},test={tmp_path / 'test.txt'}"
    found = [splits.choose(TRACKS, name) for name in (lists, str(tmp_path), str(tmp_path / "table.csv"))]
    assert [split.parts for split in found] == 3 * [dict(sorted(PARTS.items()))]
    assert len({split.fingerprint for split in found}) == 1
    methods = ["lists train.txt, test.txt", f"lists in the folder {tmp_path.name}", "file table.csv"]
    assert [split.method for split in found] == methods


def test_items_of_a_track_count_once_and_names_that_are_no_track_are_noted(tmp_path: Path) -> None:
    rows = [f"take{number}.{window}.png,{'tr' if number < 4 else 'val'}" for number in range(6) for window in range(9)]
    rows = [f"rock/{row}" for row in rows] + ["rock/take99.0.png,tr"]
    (tmp_path / "windows.csv").write_text("\n".join(["image,split", *rows]), encoding="utf-8")
    split = splits.choose(TRACKS, str(tmp_path / "windows.csv"))
    assert split.counts == {"train": 4, "validation": 2}
    assert split.notes == (
        "1 name is no track of the store, so nothing is known of them: rock/take99.0.png",
        "6 tracks of the store are not in the split and take no part",
    )


def test_a_track_in_two_parts_is_refused(tmp_path: Path) -> None:
    rows = [f"{track.path}.{window},{part}" for track in TRACKS for window, part in enumerate(("train", "test"))]
    (tmp_path / "windows.csv").write_text("\n".join(["image,split", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match="12 of the split's 12 tracks stand in two parts, such as jazz/0 in train and"):
        splits.choose(TRACKS, str(tmp_path / "windows.csv"))


def test_folds_made_elsewhere_are_folds(tmp_path: Path) -> None:
    rows = [f"{track.id},fold {number % 3}" for number, track in enumerate(TRACKS)]
    (tmp_path / "folds.csv").write_text("\n".join(["id,fold", *rows]), encoding="utf-8")
    assert splits.choose(TRACKS, str(tmp_path / "folds.csv"), folds=3).counts == {"fold 0": 4, "fold 1": 4, "fold 2": 4}
    with pytest.raises(DataError, match=r"has 3 parts \(fold 0, fold 1, fold 2\), not 2"):
        splits.choose(TRACKS, str(tmp_path / "folds.csv"), folds=2)


def test_a_method_comes_before_a_file_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random").mkdir()
    write_lists(tmp_path / "random")
    assert splits.choose(TRACKS, "random").method == "random (seed 0)"
    assert splits.choose(TRACKS, "./random").method == "lists in the folder random"


def test_files_are_found_beside_the_file_that_names_them(tmp_path: Path) -> None:
    write_lists(tmp_path)
    assert splits.located("train=train.txt,test=a, b.txt", tmp_path) == (
        f"train={tmp_path / 'train.txt'},test={tmp_path / 'a, b.txt'}"
    )
    assert splits.located("train.txt", tmp_path) == str(tmp_path / "train.txt")
    assert splits.located("stratified", tmp_path) == "stratified"
