"""What damages a store is found, named and mended; what is whole is kept; labels change in one step."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest
from cli_support import here
from conftest import genre_folders, tone, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.store import header, store
from genrescope.store.journal import JOURNAL_FILE, PARTIAL_FILE
from genrescope.store.prepare import Progress, prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILES = (store.FRAMES_FILE, header.STORE_FILE, header.TRACKS_FILE, header.INDEX_FILE)


class _StopError(Exception):
    pass


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return genre_folders(tmp_path_factory.mktemp("journal") / "music", ("jazz", "rock"), tracks=3, seconds=0.4)


@pytest.fixture(scope="module")
def made(data: Path) -> Path:
    prepare(str(data), data.parent / "store", jobs=1)
    return data.parent / "store"


def frames(folder: Path) -> dict[str, bytes]:
    opened = store.open_store(folder, verify=True)
    return {
        each.id: opened.frames[each.first_frame : each.first_frame + each.frames].tobytes() for each in opened.tracks
    }


def zeros(path: Path, begin: int, size: int) -> None:
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(bytes(size))


# -- a finished store ---------------------------------------------------------------------------------------------


def test_frames_that_were_altered_are_refused_by_train_and_computed_again(
    data: Path, made: Path, tmp_path: Path
) -> None:
    shutil.copytree(made, folder := tmp_path / "store")
    middle = store.open_store(folder).tracks[1]
    zeros(folder / store.FRAMES_FILE, 128 + middle.first_frame * 256, 512)
    with pytest.raises(DataError, match=rf"damaged: the frames of {middle.id}; prepare the store again"):
        store.open_store(folder, verify=True)
    prepared = prepare(str(data), folder, jobs=1)
    assert (prepared.repaired, prepared.computed, prepared.kept) == ((middle.id,), 1, 5)
    assert frames(folder) == frames(made)
    assert prepare(str(data), folder, jobs=1).computed == 0


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["cut", "empty", "zeros", "gone", "edited"])
def test_whatever_is_damaged_is_never_accepted_and_always_mended(
    data: Path, made: Path, tmp_path: Path, name: str, damage: str
) -> None:
    shutil.copytree(made, folder := tmp_path / "store")
    path = folder / name
    size = path.stat().st_size
    if damage == "gone":
        path.unlink()
    elif damage == "edited":
        held = bytearray(path.read_bytes())
        held[-3] ^= 1
        path.write_bytes(held)
    elif damage == "zeros":
        zeros(path, 0, size)
    else:
        os.truncate(path, size // 2 if damage == "cut" else 0)
    with pytest.raises(DataError):
        store.open_store(folder, verify=True)
    done = here("prepare", data, "--out", folder, "--jobs", "1")
    assert done.code == 0, done
    assert ("repaired: " in done.err) == (damage != "gone" or name in (header.INDEX_FILE, header.TRACKS_FILE))
    assert frames(folder) == frames(made)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 30))
def test_any_bytes_that_change_are_found(data: Path, made: Path, tmp_path: Path, seed: int) -> None:
    chosen = random.Random(seed)
    folder = tmp_path / str(seed)
    shutil.copytree(made, folder, dirs_exist_ok=True)
    path = folder / chosen.choice(FILES)
    held = bytearray(path.read_bytes())
    before = bytes(held)
    for _ in range(4):
        held[chosen.randrange(len(held))] = chosen.randrange(256)
    path.write_bytes(held)
    try:
        assert frames(folder) == frames(made)
    except DataError:
        assert bytes(held) != before
    prepare(str(data), folder, jobs=1)
    assert frames(folder) == frames(made)


# -- a power loss while it is made --------------------------------------------------------------------------------


def stopping_after(count: int) -> Callable[[Progress], None]:
    def stop(at: Progress) -> None:
        if at.item is not None and at.done >= count:
            raise _StopError

    return stop


def test_zeros_under_a_journal_that_vouches_for_them_are_computed_again(data: Path, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with pytest.raises(_StopError):
        prepare(str(data), folder, jobs=1, on_track=stopping_after(4))
    size = (folder / PARTIAL_FILE).stat().st_size
    zeros(folder / PARTIAL_FILE, size - 300, 300)  # what was not on the disk yet
    prepared = prepare(str(data), folder, jobs=1)
    assert len(prepared.repaired) == 1
    assert (prepared.computed, prepared.kept) == (3, 3)
    assert frames(folder) == frames(made)


@pytest.mark.parametrize("line", [0, 2])
def test_a_line_of_zeros_in_the_journal_costs_a_track_at_most(
    data: Path, made: Path, tmp_path: Path, line: int
) -> None:
    folder = tmp_path / "store"
    with pytest.raises(_StopError):
        prepare(str(data), folder, jobs=1, on_track=stopping_after(4))
    lines = (folder / JOURNAL_FILE).read_bytes().split(b"\n")
    lines[line] = bytes(len(lines[line]))
    (folder / JOURNAL_FILE).write_bytes(b"\n".join(lines))
    assert prepare(str(data), folder, jobs=1).kept == (4 if line == 0 else 3)
    assert frames(folder) == frames(made)


# -- labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(6))
def test_labels_change_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Killed before any of its writes, an update leaves the old store or the new one, never a mixture or a dead end."""
    for name in "ab":
        write(tmp_path / f"{name}.wav", tone(200 if name == "a" else 300))
    listing, folder = tmp_path / "list.csv", tmp_path / "store"
    listing.write_text("path,genre\na.wav,rock\nb.wav,jazz\n", encoding="utf-8")
    old = prepare(str(listing), folder, jobs=1).store
    listing.write_text("path,genre\na.wav,blues\nb.wav,jazz\n", encoding="utf-8")
    left = [steps]
    replace = os.replace

    def killed(source: Path, target: Path) -> None:
        if str(target).startswith(str(folder)):
            if not left[0]:
                raise _StopError
            left[0] -= 1
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.os.replace", killed)
        try:
            prepare(str(listing), folder, jobs=1)
        except _StopError:
            seen = store.open_store(folder, verify=True)
            assert seen.genres == (("jazz", "rock") if steps < 3 else ("blues", "jazz"))
            assert (seen.fingerprint == old.fingerprint) == (steps < 3)
            assert {row.genre for row in store.index_rows(folder)} == set(seen.genres)
        else:
            assert steps == 5
    prepared = prepare(str(listing), folder, jobs=1)
    assert (prepared.store.genres, prepared.computed, prepared.repaired) == (("blues", "jazz"), 0, ())
    assert {path.name for path in folder.iterdir()} == set(FILES)
