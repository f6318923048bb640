"""Tags as they may be met: odd letters, many genres, huge pictures, doubled and unknown frames, padding or none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import mutagen
import mutagen.flac
import mutagen.mp4
from hypothesis import given
from hypothesis import strategies as st
from tag_support import sound_file
from tagging_support import fast_start, ogg_flac

from genrescope import audio
from genrescope.tags import formats, ogg
from genrescope.tags.change import Change
from genrescope.tags.edits import Edit, inverse, pieces, tidy
from genrescope.tags.read import read

if TYPE_CHECKING:
    from pathlib import Path

LIBRARY: Any = mutagen  # it has no types
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40)
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co"])
WORD = st.text(LETTERS, min_size=1).filter(lambda word: not word.isdigit() and not word.startswith("("))
GENRES = st.lists(WORD, min_size=1, max_size=30, unique=True)
BLOB = st.one_of(
    st.binary(max_size=300), st.integers(10_000, 300_000).map(lambda size: bytes(range(256)) * (size // 256))
)
FIELDS = {"GENRESCOPE_MODEL": ("genres 0",), "GENRESCOPE_CONFIDENCE": ("0.9", "0.5")}


def changed(data: bytes, change: Change) -> bytes:
    """Return a file with a change, after it was seen that it can be undone."""
    edits = formats.edits_of(data, change)
    new = b"".join(pieces(data, edits))
    assert b"".join(pieces(new, inverse(data, edits))) == data
    return new


def same_sound(path: Path, before: bytes, after: bytes) -> bool:
    """Whether two files have the same packets."""
    ids = []
    for data in (before, after):
        path.write_bytes(data)
        ids.append(audio.sound_id(path))
    return ids[0] == ids[1]


@given(st.binary(max_size=200), st.lists(st.tuples(st.integers(0, 200), st.integers(0, 9), st.binary(max_size=20))))
def test_edits_can_be_undone(data: bytes, wanted: list[tuple[int, int, bytes]]) -> None:
    edits, place = [], 0
    for skipped, length, new in wanted:
        start = min(place + skipped, len(data))
        place = min(start + length, len(data))
        edits.append(Edit(start, place, new))
        place += 1
        if place > len(data):
            break
    edits = tidy(data, edits)
    new = b"".join(pieces(data, edits))
    assert b"".join(pieces(new, inverse(data, edits))) == data


# -- ID3v2 --------------------------------------------------------------------------------------------------------


def frame(name: str, body: bytes, version: int) -> bytes:
    """Return a frame as bytes, made without what is tested."""
    size = len(body)
    if version == 2:
        return name.encode() + size.to_bytes(3, "big") + body
    sevens = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    return name.encode() + (sevens if version == 4 else size.to_bytes(4, "big")) + b"\0\0" + body


@st.composite
def id3_tags(draw: st.DrawFn) -> tuple[int, list[bytes], bytes]:
    """Return a version, the frames of a tag in their order, and its padding."""
    version = draw(st.sampled_from([2, 3, 4]))
    names = {"text": "TT2" if version == 2 else "TIT2", "genre": "TCO" if version == 2 else "TCON"}
    frames = []
    for kind in draw(st.lists(st.sampled_from(["text", "own", "blob", "unknown", "genre"]), max_size=12)):
        text = draw(TEXT)
        if kind in names:
            coded = b"\x03" + text.encode() if version == 4 else b"\x01" + text.encode("utf-16")
            frames.append(frame(names[kind], coded, version))
        elif kind == "own":
            frames.append(
                frame("TXX" if version == 2 else "TXXX", b"\0Serato\0" + draw(st.binary(max_size=50)), version)
            )
        elif kind == "blob":
            frames.append(frame("GEO" if version == 2 else "GEOB", draw(BLOB), version))
        else:
            frames.append(frame("XQ1" if version == 2 else "XQ12", draw(BLOB), version))
    return version, frames, bytes(draw(st.sampled_from([0, 0, 5, 100, 3000])))


@given(id3_tags(), GENRES)
def test_every_other_frame_of_id3_stays_to_the_byte(
    tmp_path: Path, tag: tuple[int, list[bytes], bytes], genres: list[str]
) -> None:
    version, frames, padding = tag
    sound = sound_file(".mp3").read_bytes()
    body = b"".join(frames) + padding
    data = b"ID3" + bytes([version, 0, 0, *(len(body) >> shift & 127 for shift in (21, 14, 7, 0))]) + body + sound
    new = changed(data, Change(tuple(genres), FIELDS))
    assert new[3] == version
    assert new.endswith(sound)
    others = [each for each in frames if not each.startswith((b"TCON", b"TCO\0"))]
    others = [each for each in others if not re.match(rb"TCO[^N]", each)]
    assert new[10:].startswith(b"".join(others))
    assert same_sound(tmp_path / "song.mp3", data, new)
    expected = tuple(genres) if version == 4 else ("; ".join(genres),)
    (tmp_path / "song.mp3").write_bytes(new)
    assert read(tmp_path / "song.mp3").genres == expected
    again = changed(new, Change(("Rock",), dict.fromkeys(FIELDS, ())))
    assert again[10:].startswith(b"".join(others))
    assert b"GENRESCOPE" not in again


# -- Vorbis comments ----------------------------------------------------------------------------------------------

ENTRIES = st.lists(
    st.tuples(st.sampled_from([b"TITLE", b"Genre", b"GENRE", b"x", b"METADATA_BLOCK_PICTURE"]), BLOB), max_size=12
)


def comment(entries: list[bytes]) -> bytes:
    """Return a Vorbis comment as bytes, made without what is tested."""
    sized = [b"vendor \xff", *entries]
    held = [len(each).to_bytes(4, "little") + each for each in sized]
    return held[0] + len(entries).to_bytes(4, "little") + b"".join(held[1:])


@given(ENTRIES, st.sampled_from([0, 4, 100, 8192, 1 << 20]), BLOB, GENRES)
def test_every_other_entry_and_block_of_flac_stays_to_the_byte(
    tmp_path: Path, pairs: list[tuple[bytes, bytes]], padding: int, picture: bytes, genres: list[str]
) -> None:
    entries = [name + b"=" + value for name, value in pairs]
    original = sound_file(".flac").read_bytes()
    start = 4 + 4 + 34
    audio_start = start
    last = original[4] & 128
    while not last:
        last = original[audio_start] & 128
        audio_start += 4 + int.from_bytes(original[audio_start + 1 : audio_start + 4], "big")
    held = comment(entries)
    blocks = [(2, b"test" + picture[:900]), (4, held), (1, bytes(padding))]
    body = b"".join(
        bytes([kind | (128 if number == 2 else 0)]) + len(block).to_bytes(3, "big") + block
        for number, (kind, block) in enumerate(blocks)
    )
    data = b"fLaC" + bytes([original[4] & 127]) + original[5:start] + body + original[audio_start:]
    new = changed(data, Change(tuple(genres), FIELDS))
    others = [entry for entry in entries if not entry.lower().startswith(b"genre=")]
    assert all(entry in new for entry in others)
    assert blocks[0][1] in new
    assert new.endswith(original[audio_start:])
    path = tmp_path / "song.flac"
    assert same_sound(path, data, new)
    opener = LIBRARY.flac.FLAC
    found = opener(path)
    assert found.tags["genre"] == genres
    assert len(found.tags) == len(others) + len(genres) + 3


@given(st.lists(st.integers(0, 200_000), max_size=8), GENRES, st.sampled_from([".ogg", ".opus", "flac.ogg"]))
def test_ogg_of_any_size_keeps_its_pages_in_order(
    tmp_path: Path, sizes: list[int], genres: list[str], kind: str
) -> None:
    path = tmp_path / "song.ogg"
    data = ogg_flac(path).read_bytes() if kind == "flac.ogg" else sound_file(kind).read_bytes()
    values = tuple("x" * size for size in sizes)
    large = changed(data, Change(tuple(genres), {"LONG": values}))
    assert same_sound(path, data, large)
    assert read(path).genres == tuple(genres)
    assert_pages(large)
    small = changed(large, Change(("Rock",), {"LONG": ()}))
    assert same_sound(path, large, small)
    assert_pages(small)
    assert abs(len(small) - len(data)) < 400


def assert_pages(data: bytes) -> None:
    """Every page of a stream has the next number, and its own checksum."""
    pages = list(ogg._pages(data, 0))
    assert [page.number for page in pages] == list(range(len(pages)))
    for page in pages:
        whole = data[page.start : page.end]
        assert ogg.checksum(whole[:22] + bytes(4) + whole[26:]) == whole[22:26]


# -- MP4 ----------------------------------------------------------------------------------------------------------


@given(BLOB, GENRES, st.lists(TEXT, max_size=5), st.booleans())
def test_every_other_atom_of_mp4_stays_and_the_sound_is_found(
    tmp_path: Path, picture: bytes, genres: list[str], texts: list[str], fast: bool
) -> None:
    path = tmp_path / "song.m4a"
    if fast:
        fast_start(path)
    else:
        path.write_bytes(sound_file(".m4a").read_bytes())
    opener = LIBRARY.mp4.MP4
    file = opener(path)
    file["covr"] = [LIBRARY.mp4.MP4Cover(picture, 13)]
    for number, text in enumerate(texts):
        file[f"----:com.apple.iTunes:FIELD {number}"] = [text.encode()]
    file.save(padding=lambda _: 0)
    data = path.read_bytes()
    new = changed(data, Change(tuple(genres), FIELDS))
    assert same_sound(path, data, new)
    found = opener(path)
    assert found["\xa9gen"] == genres
    assert bytes(found["covr"][0]) == picture
    assert all(found[key] == file[key] for key in file if key.startswith("----"))
