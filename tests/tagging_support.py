"""Songs of every format and kind of tag that can be written, with as much in their tags as real ones have."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import mutagen
import mutagen.apev2
import mutagen.asf
import mutagen.flac
import mutagen.id3
import mutagen.mp4
from conftest import encode, tone
from tag_support import ape, id3_1, id3_2_2, m4a_number, sound_file, tagged, untagged

from genrescope.tags.change import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
TEXTS = {
    "artist": "Björk feat. Ωμέγα",
    "album_artist": "Björk",
    "title": "お茶 & Ü",
    "album": "Débüt",
    "compilation": True,
}
GENRES = ("Hip-Hop", "Dąbrowa ☃ Ωλ")
CHANGE = Change(GENRES, {"GENRESCOPE_MODEL": ("genres 0123",), "Mood of it": ("calm", "Ü")})
LIBRARY: Any = mutagen  # it has no types
ID3 = LIBRARY.id3


def rich(path: Path, **texts: Any) -> Path:
    """Write a song with texts, a picture, and fields that few programs know."""
    tagged(path, genre=["Other"], **TEXTS, **texts)
    file = LIBRARY.File(path)
    if path.suffix in (".mp3", ".wav", ".aiff"):
        version = texts.get("version", 4)
        file.tags.add(ID3.APIC(encoding=0, mime="image/png", type=3, desc="cover", data=PICTURE))
        file.tags.add(ID3.PRIV(owner="traktor", data=bytes(range(200))))
        file.tags.add(ID3.GEOB(encoding=0, mime="application/octet-stream", desc="Serato Markers2", data=b"\1\1" * 99))
        file.tags.add(ID3.TXXX(encoding=1, desc="MusicBrainz Álbum Id", text=["b1a2"]))
        file.tags.add(ID3.COMM(encoding=1, lang="eng", desc="", text=["a comment"]))
        file.tags.add(ID3.POPM(email="a@b.c", rating=196, count=7))
        file.save(v2_version=version, v1=0) if path.suffix == ".mp3" else file.save(v2_version=version)
    elif path.suffix == ".m4a":
        file["covr"] = [LIBRARY.mp4.MP4Cover(PICTURE, 14)]
        file["----:com.apple.iTunes:INITIALKEY"] = [b"8A"]
        file["trkn"], file["tmpo"] = [(3, 12)], [120]
        file.save()
    elif path.suffix == ".wma":
        file["WM/Picture"] = LIBRARY.asf.ASFByteArrayAttribute(PICTURE)
        file["WM/Year"], file["Rating"] = ["1993"], [True]
        file.save()
    else:
        if path.suffix == ".flac":
            cover = LIBRARY.flac.Picture()
            cover.data, cover.mime, cover.type = PICTURE, "image/png", 3
            file.add_picture(cover)
        file["replaygain_track_gain"], file["comment"] = ["-3.2 dB"], ["one", "two\nlines"]
        file.save()
    return path


def with_ape(path: Path) -> Path:
    """Write a WavPack or TTA song with APEv2, a picture in it, or nothing."""
    codec = {".wv": "wavpack", ".tta": "tta"}[path.suffix]
    encode(path, tone(440, rate=48_000, seconds=0.5), 48_000, codec)
    opener: Any = mutagen.apev2.APEv2
    tags = opener()
    tags["Genre"], tags["Artist"], tags["Lyrics"] = ["Other"], ["A", "B"], "la\nla"
    tags["Cover Art (Front)"] = LIBRARY.apev2.APEValue(b"cover.png\0" + PICTURE, LIBRARY.apev2.BINARY)
    tags.save(path)
    return path


def dsf(path: Path) -> Path:
    """Write a DSF song of silence without tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    block = b"\x69" * 4096 * 4
    data = b"data" + struct.pack("<Q", 12 + len(block)) + block
    form = b"fmt " + struct.pack("<QIIIIIIQII", 52, 1, 0, 1, 1, 2822400, 1, 8 * len(block), 4096, 0)
    path.write_bytes(b"DSD " + struct.pack("<QQQ", 28, 28 + len(form) + len(data), 0) + form + data)
    return path


def ogg_flac(path: Path) -> Path:
    """Write FLAC in Ogg with a comment."""
    encode(
        path,
        tone(440, rate=48_000, seconds=0.5),
        48_000,
        "flac",
        container="ogg",
        tags={"genre": "Other", "title": "T"},
    )
    return path


def fast_start(path: Path) -> Path:
    """Write an m4a whose contents stand before its sound, without any free space."""
    options = {"movflags": "faststart"}
    return encode(path, tone(440, rate=48_000, seconds=0.5), 48_000, "aac", options=options, tags={"genre": "Other"})


def fragmented(path: Path) -> Path:
    """Write an m4a in fragments, as streams have it."""
    options = {"movflags": "empty_moov+default_base_moof", "frag_duration": "100000"}
    return encode(path, tone(440, rate=48_000, seconds=0.5), 48_000, "aac", options=options)


def stuffed(path: Path) -> Path:
    """Write an mp3 with ID3v2.3 whose bytes are stuffed (unsynchronised), as old programs did."""
    data = rich(path, version=3).read_bytes()
    size = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    body = data[10:size].rstrip(b"\0").replace(b"\xff", b"\xff\x00") + bytes(10)
    sevens = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\x00\x80" + sevens + body + data[size:])
    return path


def stacked(path: Path) -> Path:
    """Write an mp3 with two ID3v2 tags in a row, APEv2 and ID3v1."""
    first = rich(path.with_name("first.mp3")).read_bytes()
    both = ape(path.with_name("ape.mp3"), genre="Other", artist="A").read_bytes()
    second = tagged(path.with_name("second.mp3"), genre="Other", title="Second", version=3).read_bytes()
    sound = sound_file(".mp3").read_bytes()
    head = first.removesuffix(sound) + second.removesuffix(sound)
    return id3_1(path, genre=12, artist="A", sound=head + both)


def with_info(path: Path) -> Path:
    """Write a wav with INFO of an odd length, a chunk that nobody knows, and no ID3."""
    data = untagged(path).read_bytes()
    info = b"LIST" + struct.pack("<I", 4 + 8 + 4 + 8 + 6) + b"INFO" + b"IGNR" + struct.pack("<I", 3) + b"Oth\0"
    info += b"IART" + struct.pack("<I", 6) + b"Bjork\0"
    body = data[8:] + info + b"zzzz" + struct.pack("<I", 3) + b"abc\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


SONGS: dict[str, Callable[[Path], Path]] = {
    **{f"rich{suffix}": rich for suffix in (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wma", ".wav", ".aiff")},
    **{
        f"bare{suffix}": untagged
        for suffix in (".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wma", ".wav", ".aiff", ".aac")
    },
    "id3-2.3.mp3": lambda path: rich(path, version=3),
    "id3-2.2.mp3": lambda path: id3_2_2(path, genre="(12)", artist="Ä", title="T"),
    "id3-1.mp3": lambda path: id3_1(path, genre=12, artist="Someone", title="Song"),
    "ape.mp3": lambda path: ape(path, genre=["Other"], artist="A", album_artist="B"),
    "number.m4a": lambda path: m4a_number(path, 12),
    "stuffed.mp3": stuffed,
    "stacked.mp3": stacked,
    "info.wav": with_info,
    "apev2.wv": with_ape,
    "apev2.tta": with_ape,
    "bare.dsf": dsf,
    "flac.ogg": ogg_flac,
    "fast-start.m4a": fast_start,
    "fragments.m4a": fragmented,
}
"""How to make a song of each kind, by its file's name."""


def song(name: str, folder: Path) -> Path:
    """Write a song of `SONGS`."""
    folder.mkdir(parents=True, exist_ok=True)
    return SONGS[name](folder / name)


def predictions(path: Path, songs: Iterable[Path], scores: dict[str, float] | None = None, **facts: Any) -> Path:
    """Write a file of predictions as predict does."""
    scores = scores or {"hiphop": 0.9, "pop": 0.6, "rock": 0.1}
    best = max(scores, key=lambda label: scores[label])
    row = {
        "genre": best,
        "confidence": scores[best],
        "unknown": False,
        "labels": [label for label in scores if scores[label] >= 0.5],
        "scores": scores,
    }
    lines = (json.dumps({"path": str(each), **row, "model": "0123456789abcdef", **facts}) for each in songs)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path
