"""Whatever the format and the kind of tag: genres are written, all else is as it was, and can be made so again."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import mediafile
import mutagen
import mutagen.id3
import numpy as np
import pytest
from tag_support import id3_1, untagged
from tagging_support import PICTURE, SONGS, song

from genrescope import audio
from genrescope.tags import journal as journals
from genrescope.tags import replacing, verify
from genrescope.tags.change import Change, checked_field, checked_word
from genrescope.tags.edits import TagError
from genrescope.tags.journal import Journal
from genrescope.tags.read import read
from genrescope.tags.undo import undo
from genrescope.tags.write import refusal, write

if TYPE_CHECKING:
    from collections.abc import Iterator

from genrescope.errors import DataError

MUTAGEN: Any = mutagen  # it has no types
GENRES = ("Hip-Hop", "Dąbrowa ☃ Ωλ")
FIELDS = {"GENRESCOPE_MODEL": ("genres 0123",), "Mood of it": ("calm", "Ü")}
CHANGE = Change(GENRES, FIELDS)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.jsonl", {}) as opened:
        yield opened


def has_one_text(path: Path) -> bool:
    """Whether the format has room for one text only."""
    return path.name in ("id3-2.3.mp3", "id3-2.2.mp3", "stuffed.mp3")


# -- every format -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SONGS)
def test_genres_are_written_and_all_else_stays_and_comes_back_to_the_byte(
    tmp_path: Path, journal: Journal, name: str
) -> None:
    path = song(name, tmp_path)
    before, fields, heard = path.read_bytes(), verify.fields_of(path), audio.decode(path, rate=48_000)
    tags = read(path)
    assert write(path, CHANGE, journal)
    new = read(path)
    assert new.genres == (("; ".join(GENRES),) if has_one_text(path) else GENRES)
    assert (new.artist, new.title, new.album, new.compilation) == (
        tags.artist,
        tags.title,
        tags.album,
        tags.compilation,
    )
    assert np.array_equal(audio.decode(path, rate=48_000), heard)
    kept = verify._others(fields, CHANGE)
    assert verify._others(verify.fields_of(path), CHANGE) == kept
    assert verify.values_of(path, "mood OF it") == (("calm; Ü",) if has_one_text(path) else ("calm", "Ü"))
    if name.startswith("rich") and path.suffix not in (".ogg", ".opus"):
        assert PICTURE in path.read_bytes()
    (entry,) = journals.read(journal.path)
    assert undo(entry) == "restored"
    assert path.read_bytes() == before
    assert undo(entry) == "unchanged"


@pytest.mark.parametrize("name", SONGS)
def test_a_second_change_takes_the_place_of_the_first(tmp_path: Path, journal: Journal, name: str) -> None:
    path = song(name, tmp_path)
    write(path, CHANGE, journal)
    first = verify.fields_of(path)
    write(path, Change(("Rock",), {"GENRESCOPE_MODEL": ("other",), "Mood of it": ()}), journal)
    assert read(path).genres == ("Rock",)
    assert verify.values_of(path, "GENRESCOPE_MODEL") == ("other",)
    assert verify.values_of(path, "Mood of it") == ()
    assert len(verify.fields_of(path)) < len(first)
    before = song(name, tmp_path / "again").read_bytes()
    for entry in reversed(journals.read(journal.path)):
        assert undo(entry) == "restored"
    assert len(path.read_bytes()) == len(before)  # ids of streams are random in Ogg


@pytest.mark.parametrize("name", [name for name in SONGS if not name.endswith((".dsf", ".aac", ".tta"))])
def test_other_programs_read_the_genres(tmp_path: Path, journal: Journal, name: str) -> None:
    path = song(name, tmp_path)
    write(path, CHANGE, journal)
    expected = ["; ".join(GENRES)] if has_one_text(path) else list(GENRES)
    if name != "flac.ogg":  # which it does not know
        assert mediafile.MediaFile(path).genres == expected
    with av.open(str(path)) as file:
        shown = [
            text
            for held in (file.metadata, *(s.metadata for s in file.streams))
            for k, text in held.items()
            if k.lower() == "genre"
        ]
    assert any(text.startswith("Hip-Hop") for text in shown)


def test_wav_has_the_genre_in_info_too(tmp_path: Path, journal: Journal) -> None:
    for name in ("info.wav", "bare.wav"):
        path = song(name, tmp_path)
        write(path, CHANGE, journal)
        data = path.read_bytes()
        text = "; ".join(GENRES).encode() + b"\0"
        assert b"IGNR" + len(text).to_bytes(4, "little") + text in data
        assert data.count(b"IGNR") == 1
    assert b"IART\x06\x00\x00\x00Bjork\0" in (tmp_path / "info.wav").read_bytes()


def test_all_tags_of_a_file_say_the_same(tmp_path: Path, journal: Journal) -> None:
    path = song("stacked.mp3", tmp_path)
    write(path, Change(("Jazz",)), journal)
    data = path.read_bytes()
    assert b"Other" not in data
    assert data.count(b"TCON") == 2
    assert data[-1] == 8  # ID3v1's number of Jazz
    assert MUTAGEN.apev2.APEv2(path)["Genre"] == "Jazz"


def test_a_genre_in_a_custom_field_goes_with_the_old_one(tmp_path: Path, journal: Journal) -> None:
    for name in ("rich.mp3", "rich.m4a"):
        path = song(name, tmp_path)
        file = MUTAGEN.File(path)
        if path.suffix == ".mp3":
            file.tags.add(MUTAGEN.id3.TXXX(encoding=3, desc="Genre", text=["Stale"]))
        else:
            file["----:com.apple.iTunes:GENRE"] = [b"Stale"]
        file.save()
        write(path, CHANGE, journal)
        assert b"Stale" not in path.read_bytes()
        assert read(path).genres == GENRES


def test_id3v1_has_no_number_for_a_genre_that_is_not_on_its_list(tmp_path: Path, journal: Journal) -> None:
    path = id3_1(tmp_path / "song.mp3", genre=12, artist="A")
    write(path, Change(("Zeuhl",)), journal)
    assert path.read_bytes()[-1] == 255
    assert read(path).genres == ("Zeuhl",)


@pytest.mark.parametrize(
    ("version", "expected"), [(3, b"TCON\0\0\0\x0a\0\0\0Rock, Pop"), (4, b"TCON\0\0\0\x09\0\0\x03Rock\0Pop")]
)
def test_a_tag_keeps_its_version_and_the_file_its_length(
    tmp_path: Path, journal: Journal, version: int, expected: bytes
) -> None:
    path = SONGS["rich.mp3"](tmp_path / "song.mp3") if version == 4 else song("id3-2.3.mp3", tmp_path)
    size = path.stat().st_size
    write(path, Change(("Rock", "Pop"), join=", "), journal)
    data = path.read_bytes()
    assert data[3] == version
    assert expected in data
    assert len(data) == size  # padding takes up what is added


def test_a_custom_field_leaves_the_genre_alone(tmp_path: Path, journal: Journal) -> None:
    for name in SONGS:
        path = song(name, tmp_path)
        before = read(path).genres
        write(path, Change(None, {"PREDICTED": ("Rock", "Pop")}), journal)
        assert read(path).genres == before
        assert verify.values_of(path, "PREDICTED") == (("Rock; Pop",) if has_one_text(path) else ("Rock", "Pop"))


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


# -- words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["", " ", "12", "(12)", "a\0b", 5, None, "\udce9"])
def test_what_players_take_for_something_else_is_no_genre(word: object) -> None:
    with pytest.raises(DataError, match="cannot be written as a genre"):
        checked_word(word, where="map")


@pytest.mark.parametrize("name", ["", "A", "A=B", "Ü", "a\nb", "genre", "ID3", " A", "a:b"])
def test_a_name_that_not_every_format_can_have_is_no_field(name: str) -> None:
    with pytest.raises(DataError, match="custom field"):
        checked_field(name)
