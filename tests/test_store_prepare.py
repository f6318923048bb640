"""A store is the same however it was made: in one go or in pieces, by one process or several, killed or not."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from conftest import RATE, encode, genre_folders, noise, tone, write

from genrescope import audio
from genrescope.check.listen import listen
from genrescope.errors import AudioError, DataError, OutputError
from genrescope.features.front_end import frames_of
from genrescope.features.logmel import LogMel
from genrescope.features.spec import LogMelSpec
from genrescope.sources.data import read_data
from genrescope.sources.listing import Listing
from genrescope.sources.track import Track
from genrescope.store import store
from genrescope.store.index import read_index
from genrescope.store.prepare import Progress, prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENRES = ("blues", "jazz", "rock")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return genre_folders(tmp_path / "music", GENRES, tracks=3, seconds=0.5)


def content(folder: Path) -> dict[str, Any]:
    """Return all that a store says, and each track's own frames, whatever their place in the array."""
    opened = store.open_store(folder, verify=True)
    header = json.loads((folder / store.STORE_FILE).read_text(encoding="utf-8"))
    frames = {
        track.id: hashlib.sha256(
            opened.frames[track.first_frame : track.first_frame + track.frames].tobytes()
        ).hexdigest()
        for track in opened.tracks
    }
    return {
        "frames": frames,
        "index": (folder / store.INDEX_FILE).read_text(encoding="utf-8"),
        "header": {name: value for name, value in header.items() if not name.startswith("checksum")},  # of places too
    }


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def states(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}


# -- what a store holds -----------------------------------------------------------------------------------------


def test_a_store_holds_every_track_s_log_mel_in_half_precision(data: Path, tmp_path: Path) -> None:
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept, prepared.failed) == (9, 0, ())
    opened = prepared.store
    assert opened.frames.dtype == np.float16
    assert [track.id for track in opened.tracks] == sorted(track.id for track in opened.tracks)
    assert opened.genres == GENRES
    assert sum(track.frames for track in opened.tracks) == len(opened.frames)
    log_mel = LogMel()
    for track in opened.tracks:
        frames, samples = frames_of(data / track.path, log_mel)
        assert track.seconds == pytest.approx(samples / RATE, abs=1e-6)
        own = opened.frames[track.first_frame : track.first_frame + track.frames]
        np.testing.assert_array_equal(own, frames)


def test_only_the_files_of_a_store_are_left(data: Path, tmp_path: Path) -> None:
    prepare(str(data), tmp_path / "store", jobs=0)
    assert {path.name for path in (tmp_path / "store").iterdir()} == {
        store.STORE_FILE, store.FRAMES_FILE, store.TRACKS_FILE, store.INDEX_FILE,
    }  # fmt: skip


def test_one_process_and_two_make_the_same_bytes(data: Path, tmp_path: Path) -> None:
    seen: list[list[tuple[int, str]]] = []
    for jobs in (1, 2):
        told: list[Progress] = []
        prepare(str(data), tmp_path / f"store-{jobs}", jobs=jobs, on_track=told.append)
        assert told[0].item is None
        seen.append([(step.done, step.item.id) for step in told if step.item])
    assert seen[0] == seen[1]
    assert [done for done, _ in seen[0]] == list(range(1, 10))
    assert bytes_of(tmp_path / "store-1") == bytes_of(tmp_path / "store-2")


def test_genres_can_be_chosen(data: Path, tmp_path: Path) -> None:
    prepared = prepare(str(data), tmp_path / "store", jobs=0, genres=["jazz", "rock"])
    assert prepared.store.genres == ("jazz", "rock")
    with pytest.raises(DataError, match='did you mean "jazz"'):
        prepare(str(data), tmp_path / "other", jobs=0, genres=["jaz"])


def test_groups_of_a_list_reach_the_store(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(200))
    write(tmp_path / "b.wav", tone(300))
    (tmp_path / "list.csv").write_text("path,genre,group\na.wav,rock,The As\nb.wav,jazz,\n", encoding="utf-8")
    opened = prepare(str(tmp_path / "list.csv"), tmp_path / "store", jobs=0).store
    assert [track.group for track in opened.tracks] == ["The As", ""]
    assert opened.has_groups


@pytest.mark.parametrize(
    "name",
    [
        "with space.wav",
        "caf\u00e9.wav",
        "\u97f3\u697d \U0001f3b5.wav",
        'quote"and,comma.wav',
        "tab\there.wav",
        "line\nbreak.wav",
    ],
)
def test_any_file_name_makes_the_round_trip(tmp_path: Path, name: str) -> None:
    write(tmp_path / "music" / "rock" / name, tone(200))
    write(tmp_path / "music" / "jazz" / "plain.wav", tone(300))
    for _ in range(2):
        opened = prepare(str(tmp_path / "music"), tmp_path / "store", jobs=0).store
        assert f"rock/{name}" in [track.id for track in opened.tracks]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only names that are text")
def test_a_file_name_in_an_old_encoding_is_prepared_too(tmp_path: Path) -> None:
    made = write(tmp_path / "music" / "rock" / "plain.wav", tone(200))
    write(tmp_path / "music" / "jazz" / "plain.wav", tone(300))
    made.rename(made.with_name(os.fsdecode(b"caf\xe9.wav")))
    prepared = prepare(str(tmp_path / "music"), tmp_path / "store", jobs=0)
    assert len(prepared.store.tracks) == 2
    again = prepare(str(tmp_path / "music"), tmp_path / "store", jobs=0)
    assert again.computed == 0


# -- files that cannot be used ----------------------------------------------------------------------------------


def test_a_bad_file_is_named_and_left_out(data: Path, tmp_path: Path) -> None:
    (data / "jazz" / "broken.mp3").write_text("not music at all " * 50)
    (data / "rock" / "empty.wav").touch()
    (data / "rock" / "away.wav").symlink_to(tmp_path / "nowhere.wav")
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    reasons = {row.id: row.status for row in prepared.failed}
    assert set(reasons) == {"jazz/broken.mp3", "rock/empty.wav", "rock/away.wav"}
    assert "libsndfile" in reasons["jazz/broken.mp3"]
    assert "FFmpeg" in reasons["jazz/broken.mp3"]
    assert "empty" in reasons["rock/empty.wav"]
    rows = {row.id: row for row in read_index(tmp_path / "store" / store.INDEX_FILE)}
    assert len(rows) == 12
    assert rows["jazz/broken.mp3"].status == reasons["jazz/broken.mp3"]
    assert rows["jazz/jazz-00.wav"].status == "ok"
    assert len(prepared.store.tracks) == 9


def test_a_repaired_file_is_taken_up_by_the_next_run(data: Path, tmp_path: Path) -> None:
    bad = data / "jazz" / "broken.wav"
    bad.write_text("not music")
    prepare(str(data), tmp_path / "store", jobs=0)
    write(bad, tone(500))
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept, prepared.failed) == (1, 9, ())


def test_data_without_one_usable_file_is_an_error_with_an_example(tmp_path: Path) -> None:
    (tmp_path / "music" / "rock").mkdir(parents=True)
    (tmp_path / "music" / "rock" / "a.wav").write_text("not music")
    with pytest.raises(DataError, match=r"none of its 1 files could be used; rock/a\.wav: FFmpeg"):
        prepare(str(tmp_path / "music"), tmp_path / "store", jobs=0)


def test_whatever_a_decoder_throws_never_stops_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = audio.probe

    def failing(source: audio.Source) -> audio.AudioInfo:
        if "jazz-01" in str(source):
            raise MemoryError("no room")
        if "jazz-02" in str(source):
            raise AudioError(str(source), [("FFmpeg", "odd")])
        return probe(source)

    monkeypatch.setattr(audio, "probe", failing)
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert [row.status for row in prepared.failed] == ["it needs more memory than a file may take", "FFmpeg: odd"]


class _Deadly(type(pathlib.Path())):  # type: ignore[misc]
    """A path that ends the process that receives it, as a crashing decoder would."""

    def __reduce__(self) -> tuple[Callable[[int], object], tuple[int]]:
        return os._exit, (1,)


def test_a_file_that_kills_its_process_costs_only_itself(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, tracks = read_data(str(data))
    tracks[1] = Track(tracks[1].id, _Deadly(tracks[1].path), tracks[1].genre)
    monkeypatch.setattr("genrescope.store.prepare.list_data", lambda _, **__: Listing(root, tracks[:2]))
    prepared = prepare(str(data), tmp_path / "store", jobs=2)
    assert [(row.id, row.status) for row in prepared.failed] == [
        (tracks[1].id, "the decoder crashed; the file is probably damaged")
    ]
    assert [track.id for track in prepared.store.tracks] == [tracks[0].id]


# -- again, and after changes -----------------------------------------------------------------------------------


def test_a_second_run_touches_nothing(data: Path, tmp_path: Path) -> None:
    (data / "rock" / "broken.wav").write_text("not music")
    prepare(str(data), tmp_path / "store", jobs=0)
    before = states(tmp_path / "store")
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (1, 9)  # only the bad file is looked at again
    assert states(tmp_path / "store") == before


def test_a_changed_file_is_read_again(data: Path, tmp_path: Path) -> None:
    first = prepare(str(data), tmp_path / "store", jobs=0).store
    changed = write(data / "jazz" / "jazz-01.wav", noise(0.8))
    os.utime(changed, ns=(1, 1))
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (1, 8)
    assert prepared.store.fingerprint != first.fingerprint
    fresh = prepare(str(data), tmp_path / "fresh", jobs=0)
    assert content(tmp_path / "store") == content(tmp_path / "fresh")
    assert prepared.store.fingerprint == fresh.store.fingerprint


def test_added_and_removed_files_are_followed(data: Path, tmp_path: Path) -> None:
    prepare(str(data), tmp_path / "store", jobs=0)
    write(data / "jazz" / "new.wav", noise(0.7, seed=5))
    (data / "rock" / "rock-01.wav").unlink()
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (1, 8)
    (data / "blues" / "blues-00.wav").unlink()
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (0, 8)
    prepare(str(data), tmp_path / "fresh", jobs=0)
    assert content(tmp_path / "store") == content(tmp_path / "fresh")


def test_a_changed_label_needs_no_decoding(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", tone(200))
    write(tmp_path / "b.wav", tone(300))
    listing = tmp_path / "list.csv"
    listing.write_text("path,genre\na.wav,rock\nb.wav,jazz\n", encoding="utf-8")
    before = prepare(str(listing), tmp_path / "store", jobs=0).store
    listing.write_text("path,genre\na.wav,blues\nb.wav,jazz\n", encoding="utf-8")
    prepared = prepare(str(listing), tmp_path / "store", jobs=0)
    assert prepared.computed == 0
    assert prepared.store.genres == ("blues", "jazz")
    assert prepared.store.fingerprint != before.fingerprint


def test_another_front_end_makes_the_store_anew(data: Path, tmp_path: Path) -> None:
    prepare(str(data), tmp_path / "store", jobs=0)
    prepared = prepare(str(data), tmp_path / "store", jobs=0, spec=LogMelSpec(n_mels=40))
    assert (prepared.computed, prepared.kept) == (9, 0)
    assert prepared.store.frames.shape[1] == 40


# -- interruptions ----------------------------------------------------------------------------------------------


class _StopError(Exception):
    pass


def stopping_after(count: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.item is not None and progress.done >= count:
            raise _StopError

    return stop


@pytest.mark.parametrize("count", [1, 5, 9])
def test_an_interrupted_run_goes_on_where_it_stopped(data: Path, tmp_path: Path, count: int) -> None:
    with pytest.raises(_StopError):
        prepare(str(data), tmp_path / "store", jobs=0, on_track=stopping_after(count))
    assert not (tmp_path / "store" / store.STORE_FILE).exists()
    with pytest.raises(DataError, match="not a finished store"):
        store.open_store(tmp_path / "store")
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (9 - count, count)
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert bytes_of(tmp_path / "store") == bytes_of(tmp_path / "whole")


def test_an_interrupted_update_leaves_the_old_store_usable(data: Path, tmp_path: Path) -> None:
    prepare(str(data), tmp_path / "store", jobs=0)
    before = content(tmp_path / "store")
    for number in range(3):
        write(data / "jazz" / f"new-{number}.wav", noise(0.5, seed=number))
    with pytest.raises(_StopError):
        prepare(str(data), tmp_path / "store", jobs=0, on_track=stopping_after(11))
    assert content(tmp_path / "store") == before
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (1, 11)
    prepare(str(data), tmp_path / "fresh", jobs=0)
    assert content(tmp_path / "store") == content(tmp_path / "fresh")


def half_written(folder: Path) -> None:
    """Add what a kill in the middle of a write leaves: half a track of sound and half a line."""
    with (folder / "logmel.npy.partial").open("ab") as array:
        array.write(b"\x01" * 1001)
    with (folder / "journal.jsonl").open("a", encoding="utf-8") as journal:
        journal.write('{"id": "jazz/ja')


def test_half_a_track_and_half_a_line_are_forgotten(data: Path, tmp_path: Path) -> None:
    with pytest.raises(_StopError):
        prepare(str(data), tmp_path / "store", jobs=0, on_track=stopping_after(4))
    half_written(tmp_path / "store")
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (5, 4)
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert bytes_of(tmp_path / "store") == bytes_of(tmp_path / "whole")


def test_a_damaged_journal_costs_time_but_no_error_of_another_kind(data: Path, tmp_path: Path) -> None:
    with pytest.raises(_StopError):
        prepare(str(data), tmp_path / "store", jobs=0, on_track=stopping_after(4))
    journal = tmp_path / "store" / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = bytes(len(lines[2]))  # as a lost power supply leaves it
    journal.write_bytes(b"\n".join(lines))
    prepare(str(data), tmp_path / "store", jobs=0)
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert content(tmp_path / "store") == content(tmp_path / "whole")


@pytest.mark.parametrize("moment", ["array named", "tables written", "header written"])
def test_a_kill_among_the_last_steps_loses_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def stop(*_: object) -> None:
        raise _StopError

    with monkeypatch.context() as patch:
        if moment == "array named":
            patch.setattr("genrescope.store.header.write_text", stop)
        elif moment == "tables written":
            patch.setattr("genrescope.store.header.write_json", stop)
        else:
            remove = pathlib.Path.unlink

            def unlink(path: Path, missing_ok: bool = False) -> None:
                if path.name == "journal.jsonl":
                    raise _StopError
                remove(path, missing_ok)

            patch.setattr(pathlib.Path, "unlink", unlink)
        with pytest.raises(_StopError):
            prepare(str(data), tmp_path / "store", jobs=0)
    prepared = prepare(str(data), tmp_path / "store", jobs=0)
    assert (prepared.computed, prepared.kept) == (0, 9)
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert bytes_of(tmp_path / "store") == bytes_of(tmp_path / "whole")


def test_a_kill_before_the_first_note_does_not_lock_the_folder(data: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "logmel.npy.partial").write_bytes(b"half a header")
    assert prepare(str(data), tmp_path / "store", jobs=0).computed == 9


def test_an_interrupted_run_of_another_front_end_is_not_used(data: Path, tmp_path: Path) -> None:
    with pytest.raises(_StopError):
        prepare(str(data), tmp_path / "store", jobs=0, on_track=stopping_after(4), spec=LogMelSpec(n_mels=40))
    assert prepare(str(data), tmp_path / "store", jobs=0).computed == 9
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert content(tmp_path / "store") == content(tmp_path / "whole")


CHILD = """
import sys, time
from genrescope.store.prepare import prepare

def told(progress):
    if progress.item is not None:
        print(progress.done, flush=True)
        if progress.done == 4:
            time.sleep(600)

if __name__ == "__main__":
    prepare(sys.argv[1], sys.argv[2], jobs=2, on_track=told)
"""


def test_after_kill_9_the_next_run_does_only_the_rest_and_no_worker_survives(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    folder = tmp_path / "store"
    child = subprocess.Popen([sys.executable, str(script), str(data), str(folder)], stdout=subprocess.PIPE)
    workers: list[psutil.Process] = []
    try:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == b"4":
                break
        workers = psutil.Process(child.pid).children(recursive=True)
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    for orphan in alive:
        orphan.kill()
    assert not alive
    assert not (folder / store.STORE_FILE).exists()
    assert len((folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()) == 1 + 4
    prepared = prepare(str(data), folder, jobs=0)
    assert (prepared.computed, prepared.kept) == (5, 4)
    prepare(str(data), tmp_path / "whole", jobs=0)
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")


# -- where a store may go ---------------------------------------------------------------------------------------


def test_a_folder_with_other_things_is_left_alone(data: Path, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear")
    with pytest.raises(DataError, match="other things in it"):
        prepare(str(data), tmp_path / "letters", jobs=0)
    with pytest.raises(DataError, match="is a file"):
        prepare(str(data), tmp_path / "letters" / "dear.txt", jobs=0)
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["dear.txt"]


def test_a_full_disk_is_told_and_what_was_finished_is_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrescope.records import RecordWriter

    add = RecordWriter.add
    notes: list[Any] = []

    def full(writer: RecordWriter, facts: dict[str, Any]) -> None:
        if len(notes) == 3:
            raise OSError(28, "No space left on device")
        notes.append(facts)
        add(writer, facts)

    with monkeypatch.context() as patch:
        patch.setattr(RecordWriter, "add", full)
        with pytest.raises(OutputError, match="No space left on device"):
            prepare(str(data), tmp_path / "store", jobs=0)
    assert prepare(str(data), tmp_path / "store", jobs=0).kept == 3


def test_a_moved_store_still_opens(data: Path, tmp_path: Path) -> None:
    prepare(str(data), tmp_path / "store", jobs=0)
    shutil.move(tmp_path / "store", tmp_path / "elsewhere")
    assert len(store.open_store(tmp_path / "elsewhere").tracks) == 9


@pytest.mark.real
def test_real_faults_are_survived(real_clips: Path, tmp_path: Path) -> None:
    for name in ("metal.00042", "metal.00063"):
        source = next((real_clips / "genres" / "metal").glob(f"{name}.*"))
        target = tmp_path / "genres" / "metal" / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (tmp_path / "genres" / "jazz").mkdir()
    shutil.copy(real_clips / "faulty" / "jazz.00054.wav", tmp_path / "genres" / "jazz")
    prepared = prepare(f"gtzan:{tmp_path}", tmp_path / "store", jobs=0)
    assert [row.id for row in prepared.failed] == ["jazz.00054"]
    same = list(content(tmp_path / "store")["frames"].values())
    assert same[0] == same[1]  # one clip under two names, a known fault of the data set


@pytest.mark.parametrize("container", ["ogg", "webm", "flac"])
def test_damage_is_told_in_the_status_as_check_tells_it(tmp_path: Path, container: str) -> None:
    folder = tmp_path / "music" / "rock"
    folder.mkdir(parents=True)
    codec, rate = {"webm": ("libopus", 48_000), "flac": ("flac", 44_100)}.get(container, ("", 44_100))
    whole, cut = folder / f"whole.{container}", folder / f"cut.{container}"
    sound = noise(8, rate=rate)
    made = encode(whole, sound, rate, codec, container=container) if codec else write(whole, sound, rate)
    content = made.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    prepared = prepare(str(tmp_path / "music"), tmp_path / "store", jobs=2)
    (failed,) = prepared.failed
    assert failed.id.startswith("rock/cut")
    assert "truncated" in failed.status
    assert "could be read" in failed.status
    heard = listen(Track(failed.id, cut, "rock"), LogMel())
    assert (heard.fault, heard.reason) == ("truncated", failed.status)
    assert heard.seconds == pytest.approx(4, abs=1)
