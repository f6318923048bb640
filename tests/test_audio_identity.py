"""What identifies a file and its sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mutagen
import pytest
from tag_support import tagged

from genrescope.audio import FileKey, sound_id

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_has_one_key_by_every_path_and_another_once_written(tmp_path: Path) -> None:
    song, link = tmp_path / "a.bin", tmp_path / "b.bin"
    song.write_bytes(b"1")
    link.symlink_to(song)
    before = FileKey.of(song)
    assert FileKey.of(link) == before == FileKey.of(tmp_path / "." / "a.bin")
    song.write_bytes(b"22")
    assert FileKey.of(song) != before


@pytest.mark.parametrize("suffix", [".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav", ".aiff"])
def test_tags_do_not_change_a_sounds_id(tmp_path: Path, suffix: str) -> None:
    song = tagged(tmp_path / f"song{suffix}", genre=["Rock"], artist="A")
    before, content = sound_id(song), song.read_bytes()
    file = mutagen.File(song)
    for key in list(file.tags.keys()):
        del file.tags[key]
    file.save()
    assert song.read_bytes() != content
    assert sound_id(song) == before


def test_another_sound_has_another_id(tmp_path: Path) -> None:
    song = tagged(tmp_path / "song.flac", artist="A")
    other = tmp_path / "other.flac"
    content = bytearray(song.read_bytes())
    content[-100] ^= 1
    other.write_bytes(content)
    assert sound_id(other) != sound_id(song)


def test_what_is_no_sound_counts_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"no sound at all")
    (tmp_path / "b.mp3").write_bytes(b"no sound at all")
    assert sound_id(tmp_path / "a.mp3") == sound_id(tmp_path / "b.mp3")
    assert len(sound_id(tmp_path / "a.mp3")) == 32
