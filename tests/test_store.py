"""A store that is whole opens; one that is damaged says so and how to make it again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import genre_folders

from genrescope.errors import DataError
from genrescope.features.spec import LogMelSpec
from genrescope.store import store
from genrescope.store.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = genre_folders(tmp_path / "music", ("jazz", "rock"), tracks=1, seconds=0.3)
    prepare(str(data), tmp_path / "store", jobs=0)
    return tmp_path / "store"


def test_a_store_gives_its_tracks_and_frames(folder: Path) -> None:
    opened = store.open_store(folder)
    assert opened.spec == LogMelSpec()
    assert [track.genre for track in opened.tracks] == ["jazz", "rock"]
    assert not opened.has_groups
    assert isinstance(opened.frames, np.memmap)
    assert opened.frames.shape == (sum(track.frames for track in opened.tracks), 128)
    assert len(opened.fingerprint) == 16


def test_what_is_written_to_frames_never_reaches_the_disk(folder: Path) -> None:
    before = (folder / store.FRAMES_FILE).read_bytes()
    opened = store.open_store(folder)
    opened.frames[:] = 0
    del opened
    assert (folder / store.FRAMES_FILE).read_bytes() == before


def test_no_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="genrescope prepare DATA --out"):
        store.open_store(tmp_path / "nowhere")


def edit_header(folder: Path, **changes: Any) -> None:
    path = folder / store.STORE_FILE
    header = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(header | changes), encoding="utf-8")


def drop_key(folder: Path, key: str) -> None:
    path = folder / store.STORE_FILE
    header = json.loads(path.read_text(encoding="utf-8"))
    del header[key]
    path.write_text(json.dumps(header), encoding="utf-8")


def cut(folder: Path, name: str, size: int) -> None:
    os.truncate(folder / name, size)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "header empty": lambda f: cut(f, store.STORE_FILE, 0),
    "header cut": lambda f: cut(f, store.STORE_FILE, 40),
    "header not text": lambda f: (f / store.STORE_FILE).write_bytes(b"\xff\xfe\x00"),
    "header a list": lambda f: (f / store.STORE_FILE).write_text("[]"),
    "header without front end": lambda f: drop_key(f, "front_end"),
    "header without fingerprint": lambda f: drop_key(f, "fingerprint"),
    "front end with an unknown number": lambda f: edit_header(f, front_end={"colour": 3}),
    "front end with impossible numbers": lambda f: edit_header(f, front_end={"hop": 500}),
    "format of the future": lambda f: edit_header(f, format=99),
    "array missing": lambda f: (f / store.FRAMES_FILE).unlink(),
    "array empty": lambda f: cut(f, store.FRAMES_FILE, 0),
    "array cut": lambda f: cut(f, store.FRAMES_FILE, 1000),
    "array cut in its header": lambda f: cut(f, store.FRAMES_FILE, 20),
    "array of another width": lambda f: np.save(f / store.FRAMES_FILE, np.zeros((28, 64), np.float16)),
    "array of another kind": lambda f: np.save(f / store.FRAMES_FILE, np.zeros((28, 128), np.float64)),
    "array too short": lambda f: np.save(f / store.FRAMES_FILE, np.zeros((5, 128), np.float16)),
    "array foreign": lambda f: (f / store.FRAMES_FILE).write_text("not an array"),
    "tracks missing": lambda f: (f / store.TRACKS_FILE).unlink(),
    "tracks empty": lambda f: cut(f, store.TRACKS_FILE, 0),
    "tracks not numbers": lambda f: (f / store.TRACKS_FILE).write_text(
        "id,first_frame,frames,bytes,mtime_ns\na,x,1,1,1\n"
    ),
    "tracks before the array": lambda f: (f / store.TRACKS_FILE).write_text(
        "id,first_frame,frames,bytes,mtime_ns\njazz/jazz-00.wav,-3,1,1,1\n"
    ),
    "tracks that the index lacks": lambda f: (f / store.TRACKS_FILE).write_text(
        "id,first_frame,frames,bytes,mtime_ns\nghost,0,1,1,1\n"
    ),
    "index missing": lambda f: (f / store.INDEX_FILE).unlink(),
    "index empty": lambda f: cut(f, store.INDEX_FILE, 0),
    "index cut": lambda f: cut(f, store.INDEX_FILE, 100),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_is_a_data_error(folder: Path, damage: str) -> None:
    DAMAGES[damage](folder)
    with pytest.raises(DataError) as caught:
        store.open_store(folder)
    assert str(folder) in str(caught.value)


def test_the_fingerprint_follows_labels_sound_and_front_end(folder: Path) -> None:
    from genrescope.store.index import read_index

    rows = read_index(folder / store.INDEX_FILE)
    spec = LogMelSpec()
    base = store.data_fingerprint(rows, spec)
    assert base == store.open_store(folder).fingerprint
    assert store.data_fingerprint(rows[::-1], spec) == base
    assert store.data_fingerprint(rows[:1], spec) != base
    assert store.data_fingerprint(rows, LogMelSpec(n_mels=64)) != base
