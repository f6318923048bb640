"""Files are replaced in one step or stay as they are: what is refused, what is kept, and what the journal knows."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tag_support import untagged
from tagging_support import CHANGE, GENRES, PICTURE, song

from genrescope.errors import DataError
from genrescope.tags import journal as journals
from genrescope.tags import replacing, verify
from genrescope.tags.change import Change
from genrescope.tags.edits import TagError
from genrescope.tags.formats import opened
from genrescope.tags.journal import Journal
from genrescope.tags.read import read
from genrescope.tags.undo import undo
from genrescope.tags.write import refusal, write

# -- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x1aE\xdf\xa3" + bytes(90), "Matroska"),
        (b"RF64" + bytes(90), "RF64"),
        (b"hello" * 30, "cannot be written, as those"),
        (b"fLaC\x00\x00\xff\xff" + bytes(10), "damaged"),
        (b"OggS" + bytes(60), "without Vorbis"),
        (b"OggS", "damaged at byte 0"),
        (b"\x00\x00\x00\x14ftypM4A " + bytes(12), "without a list"),
        (b"\x00\x00\x00\x14ftypM4A " + bytes(8) + b"\x00\x00\x10\x00moov" + bytes(20), "damaged at byte"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt \x00\x00\x00\x00" + bytes(40), "header counts 24 bytes, and the file has 60"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x14TCON\x00\x00\x00\x7f" + bytes(12) + b"\xff\xfb\x90\x00" * 40, "damaged"),
        (
            b"ID3\x03\x00\x00\x00\x00\x00\x14TCON\x00\x00\x00\x04" + bytes(12) + b"no sound at all",
            "cannot be written, as those",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_and_stays(
    tmp_path: Path, journal: Journal, content: bytes, reason: str
) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(content)
    with pytest.raises(TagError, match=reason):
        write(path, CHANGE, journal)
    assert reason in str(refusal(path, CHANGE))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path] or not list(tmp_path.glob(".genrescope-tag-*"))
    assert not journal.path.exists()


def test_read_only_files_and_hard_links_are_refused_and_links_may_be_broken(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "song.flac")
    path.chmod(0o444)
    with pytest.raises(TagError, match="read-only"):
        write(path, CHANGE, journal)
    path.chmod(0o644)
    twin = tmp_path / "twin.flac"
    twin.hardlink_to(path)
    with pytest.raises(TagError, match="2 names"):
        write(path, CHANGE, journal)
    assert refusal(path, CHANGE, break_links=True) is None
    assert write(path, CHANGE, journal, break_links=True)
    assert read(twin).genres == ()
    assert read(path).genres == GENRES


def test_a_folder_without_rights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = untagged(tmp_path / "song.flac")
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) != tmp_path)  # root may write everywhere
    assert refusal(path, CHANGE) == f"the folder {tmp_path} may not be written"


def test_the_file_behind_a_link_is_written(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "real" / "song.flac")
    link = tmp_path / "link.flac"
    link.symlink_to(path)
    write(link, CHANGE, journal)
    assert link.is_symlink()
    assert read(path).genres == GENRES


def test_two_at_once_are_refused_and_so_is_a_file_that_somebody_writes(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "song.flac")
    with replacing.held(path), pytest.raises(TagError, match="another process holds it"):
        write(path, CHANGE, journal)
    with path.open("r+b"), pytest.raises(TagError, match="open for writing"):
        write(path, CHANGE, journal)
    with path.open("rb"):  # a player
        assert write(path, CHANGE, journal)


def test_a_file_that_changes_meanwhile_is_not_replaced(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = untagged(tmp_path / "song.flac")
    other = untagged(tmp_path / "other.flac", hz=880).read_bytes()
    check = verify.check

    def change_it(*given: Any) -> None:
        check(*given)
        path.write_bytes(other)

    monkeypatch.setattr(verify, "check", change_it)
    with pytest.raises(TagError, match="just changed it"):
        write(path, CHANGE, journal)
    assert path.read_bytes() == other
    assert not list(tmp_path.glob(".genrescope-tag-*"))


@pytest.mark.parametrize("what", ["sound", "picture", "genre"])
def test_a_copy_that_is_not_the_same_never_takes_the_place(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    from genrescope.tags import write as module
    from genrescope.tags.edits import Edit

    path = song("rich.flac", tmp_path)
    before = path.read_bytes()
    places = {"sound": len(before) - 50, "picture": before.index(PICTURE) + 5000}
    if what == "genre":
        monkeypatch.setattr(
            module, "edits_of", lambda *_: [Edit(before.index(b"Other"), before.index(b"Other") + 1, b"Q")]
        )
    else:
        at = places[what]
        monkeypatch.setattr(module, "edits_of", lambda *_: [Edit(at, at + 1, bytes([before[at] ^ 1]))])
    with pytest.raises(TagError, match={"sound": "sound", "picture": "other tags", "genre": "read as Qther"}[what]):
        write(path, CHANGE, journal)
    assert path.read_bytes() == before


def test_decoded_sound_is_compared_to_the_bit(tmp_path: Path) -> None:
    one, other = untagged(tmp_path / "one.flac"), untagged(tmp_path / "other.flac", hz=441)
    verify.check_decoded(one, one)
    with pytest.raises(TagError, match="decoded sound"):
        verify.check_decoded(one, other)


# -- what the system knows of a file ------------------------------------------------------------------------------


def test_times_permissions_owner_and_attributes_stay(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "song.ogg")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    has_attributes = True
    try:
        os.setxattr(path, "user.rating", b"5")
    except OSError:
        has_attributes = False
    os.utime(path, ns=(1_000_000_000_123, 2_000_000_000_456))
    known = path.stat()
    write(path, CHANGE, journal)
    new = path.stat()
    assert (new.st_mtime_ns, new.st_atime_ns) == (2_000_000_000_456, 1_000_000_000_123)
    assert (new.st_uid, new.st_gid, stat.S_IMODE(new.st_mode)) == (known.st_uid, known.st_gid, 0o640)
    assert not has_attributes or os.getxattr(path, "user.rating") == b"5"
    write(path, Change(("Rock",)), journal, touch=True)
    assert path.stat().st_mtime_ns > 10**18


def test_what_a_killed_run_left_is_removed_and_what_is_in_use_stays(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "song.flac")
    left = replacing.temporary_of(tmp_path / "gone.flac")
    left.write_bytes(b"half")
    busy = replacing.temporary_of(tmp_path / "busy.flac")
    with replacing._made(busy):
        assert replacing.clean(tmp_path) == [left]
        assert busy.exists()
    replacing.temporary_of(path).write_bytes(b"half")
    assert write(path, CHANGE, journal)
    assert not replacing.temporary_of(path).exists()


def test_names_as_long_as_the_system_allows_are_no_problem(tmp_path: Path, journal: Journal) -> None:
    for name in ("ü" * 124 + ".flac", "a." + "long-ending" * 20, "caf\udce9.flac"):
        path = tmp_path / name
        path.write_bytes(untagged(tmp_path / "song.flac").read_bytes())
        assert write(path, CHANGE, journal)
        assert read(path).genres == GENRES
    assert [entry.path.name for entry in journals.read(journal.path)][-1] == "caf\udce9.flac"
    assert all(undo(entry) == "restored" for entry in journals.read(journal.path))


def test_a_file_that_is_cut_while_it_is_read_is_an_error_and_no_crash(tmp_path: Path) -> None:
    path = untagged(tmp_path / "song.wav")
    with opened(path) as data:
        assert data[0:4] == b"RIFF"
        os.truncate(path, 10_000)
        assert len(data) > 20_000
        with pytest.raises(OSError, match="shorter"):
            _ = data[5_000:20_000]


# -- the journal --------------------------------------------------------------------------------------------------


def test_a_file_that_was_changed_since_is_not_restored(tmp_path: Path, journal: Journal) -> None:
    path = untagged(tmp_path / "song.flac")
    write(path, CHANGE, journal)
    write(path, Change(("Rock",)), journal)
    first, second = journals.read(journal.path)
    with pytest.raises(TagError, match="changed since"):
        undo(first)
    assert undo(second) == "restored"
    assert undo(first) == "restored"


def test_a_journal_goes_on_and_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    path, place = untagged(tmp_path / "song.flac"), tmp_path / "deep" / "journal.jsonl"
    with Journal(place, {"model": "a"}) as opened:
        write(path, CHANGE, opened)
    with place.open("ab") as file:
        file.write(b'{"event": "begin", "numb')
    assert [(each.number, each.ended) for each in journals.read(place)] == [(1, True)]
    with Journal(place, {"model": "b"}) as opened:
        write(path, Change(("Rock",)), opened)
    assert [(each.number, each.written) for each in journals.read(place)] == [(1, GENRES), (2, ("Rock",))]


@pytest.mark.parametrize("content", ["", "x\n", '{"a": 1}\n', '{"journal": "genrescope tag", "format": 99}\n'])
def test_what_is_no_journal_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match="journal"):
        journals.read(path)
    with pytest.raises(DataError, match="journal"):
        Journal(path, {})
    assert path.read_text() == content
