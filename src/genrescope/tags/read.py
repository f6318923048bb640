"""Tags: what a music file says about itself, whatever its format.

mutagen reads ID3 (all versions, in mp3, wav and aiff, several in a row, and before other formats), APEv2, Vorbis
comments, MP4 atoms and ASF; FFmpeg, through PyAV, the INFO chunks of wav, QuickTime's own tags, and the formats that
mutagen does not know. A format's own tags count; the others fill in what those lack.
"""

from __future__ import annotations

import contextlib
import errno
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import audio
from genrescope.errors import AudioError
from genrescope.tags import id3_tag
from genrescope.tags.artists import main_artist

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SOURCE = "GENRESCOPE_SOURCE"
"""The custom field that names the program which wrote the genre (`tags.tagging`)."""

_NAMES = {
    # Names by which formats call a field, the better first: ID3v2, MP4, ASF, then Vorbis comments, APEv2 and FFmpeg.
    "genres": ("tcon", "\xa9gen", "wm/genre", "wm/genreid", "genre", "txxx:genre", "----:com.apple.itunes:genre"),
    "artist": ("tpe1", "\xa9art", "author", "artist", "artists", "----:com.apple.itunes:artist"),
    "album_artist": (
        "tpe2", "aart", "wm/albumartist", "albumartist", "album artist", "album_artist", "txxx:album artist",
        "txxx:albumartist", "----:com.apple.itunes:album artist",
        "----:com.apple.itunes:albumartist",
    ),
    "title": ("tit2", "\xa9nam", "title"),
    "album": ("talb", "\xa9alb", "wm/albumtitle", "album"),
    "compilation": ("tcmp", "cpil", "wm/iscompilation", "compilation"),
    "source": tuple(f"{before}{SOURCE}".lower() for before in ("", "txxx:", "----:com.apple.itunes:")),
}  # fmt: skip

_FIELD_OF = {name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names)}

_NO_SOUND = {"probesize": "4096", "analyzeduration": "1"}  # FFmpeg would decode some of it to know more than tags

_Fields = dict[str, list[str]]
"""The values of those fields of `Tags` that a file has."""


@dataclass(frozen=True)
class Tags:
    """What a file's tags say. Texts are as they stand there; empty where nothing stands.

    Attributes:
        genres: the values of its genre, in their order.
        artist: its artist; of several the first.
        album_artist: its album's artist; of several the first.
        title: its title.
        album: its album.
        compilation: whether its album is called a compilation.
        predicted: whether `genrescope tag` wrote the genres, so that they are a model's and not a person's.
    """

    genres: tuple[str, ...] = ()
    artist: str = ""
    album_artist: str = ""
    title: str = ""
    album: str = ""
    compilation: bool = False
    predicted: bool = False

    @property
    def group(self) -> str:
        """The artist whose songs must stay on one side of a split, as `main_artist` has it."""
        return main_artist(self.artist, self.album_artist, compilation=self.compilation)


def read(path: Path) -> Tags:
    """Read a file's tags; all empty where it has none.

    Raises:
        AudioError: they cannot be read; it names each reader tried and its reason.
    """
    try:
        if fault := audio.irregular(path):  # a pipe would be waited for
            raise OSError(errno.EINVAL, fault)
        path.open("rb").close()
    except OSError as error:
        raise AudioError(str(path), [("file", error.strerror or str(error))]) from error
    fields: _Fields = {}
    attempts: list[tuple[str, str]] = []
    for name, reader in (("mutagen", _by_mutagen), ("FFmpeg", _by_ffmpeg)):
        try:
            fields = reader(path) | fields
        except Exception as error:  # damaged tags make readers throw all kinds of things
            attempts.append((name, _reason(error, path)))
        if {"genres", "artist"} <= fields.keys():
            break
    if attempts and not fields and attempts[0][0] == "mutagen":
        raise AudioError(str(path), attempts if len(attempts) > 1 else [*attempts, ("FFmpeg", "no tags")])
    return _tags(fields)


def _tags(fields: _Fields) -> Tags:
    first = {field: fields.get(field, [""])[0] for field in _NAMES}
    return Tags(
        genres=tuple(fields.get("genres", ())),
        artist=first["artist"],
        album_artist=first["album_artist"],
        title=first["title"],
        album=first["album"],
        compilation=first["compilation"].lower() in ("1", "true", "yes"),
        predicted=bool(fields.get("genres") and first["source"]),
    )


# -- mutagen ------------------------------------------------------------------------------------------------------


def _by_mutagen(path: Path) -> _Fields:
    import mutagen
    from mutagen.id3 import ID3FileType

    try:
        file = mutagen.File(path)
    except mutagen.MutagenError:
        if (fields := _bare(path)) is not None:  # tags before sound that mutagen does not know, as in AAC with ID3
            return fields
        raise
    if file is None:
        return _by_ffmpeg(path)
    fields = _of_mpeg(path, file.tags) if isinstance(file, ID3FileType) else _texts(file.tags)
    return _leading_id3(path) | fields


def _leading_id3(path: Path) -> _Fields:
    """Return what the ID3v2 tags at a file's beginning say, whatever the format; of several the first counts."""
    fields: _Fields = {}
    with path.open("rb") as file:
        for _ in range(id3_tag.STACKED):
            start = file.tell()
            head = file.read(10)
            size = id3_tag.size_at(head, 0, len(head))
            if size is None:
                break
            fields = _texts(_id3(io.BytesIO(head + file.read(size - 10)))) | fields
            file.seek(start + size)
    return fields


def _of_mpeg(path: Path, id3: Any) -> _Fields:
    """Return what ID3v2 says, then APEv2, then ID3v1, which is cut at thirty letters; mutagen joins the two ID3."""
    ape = _ape(path)
    return _texts(id3) | ape | _texts(_id3(path, load_v1=False)) if ape else _texts(id3)


def _bare(path: Path) -> _Fields | None:
    """Return what ID3 and APEv2 say, whatever the sound; None where there is neither."""
    id3 = _id3(path)
    return _of_mpeg(path, id3) or (None if id3 is None else {})


def _id3(path: Path | io.BytesIO, *, load_v1: bool = True) -> Any:
    from mutagen import MutagenError
    from mutagen.id3 import ID3

    opener: Any = ID3  # it has no types
    try:
        return opener(path, load_v1=load_v1)
    except MutagenError:
        return None


def _ape(path: Path) -> _Fields:
    from mutagen import MutagenError
    from mutagen.apev2 import APEv2

    opener: Any = APEv2  # it has no types
    try:
        return _texts(opener(path))
    except MutagenError:
        return {}


def _texts(tags: Any) -> _Fields:
    """Return what tags that mutagen read say; pictures and what nobody asks for are left alone."""
    keys = () if tags is None else tags.keys()
    return _fields((key, tags[key]) for key in keys if key.lower() in _FIELD_OF)


def _fields(items: Iterable[tuple[str, Any]]) -> _Fields:
    """Sort the items of tags into fields; of two names of one field the better counts, of two equal ones the last."""
    held: dict[tuple[str, int], list[str]] = {}
    for name, value in items:
        place = _FIELD_OF.get(name.lower())
        if place is not None and (texts := _cleaned(_parts(value))):
            held[place] = texts
    return {field: held[field, rank] for field, rank in sorted(held, key=lambda place: -place[1])}


def _parts(value: Any) -> Iterable[Any]:
    """Return the values of a tag: ID3 frames keep them in `text`, MP4 has bare truths, APEv2 and others lists."""
    value = getattr(value, "text", value)
    return [value] if isinstance(value, str | bytes | bool | int) else list(value)


def _cleaned(values: Iterable[Any]) -> list[str]:
    """Return values as texts without blanks at their ends, empty ones left out."""
    texts = (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values)
    split = (part.strip() for text in texts for part in text.split("\x00"))
    return [part for part in split if part]


# -- FFmpeg -------------------------------------------------------------------------------------------------------


def _by_ffmpeg(path: Path) -> _Fields:
    import av

    with contextlib.ExitStack() as stack:
        try:
            opened: Any = "file:" + str(path).encode().decode()  # a colon in a name could be taken for a protocol
        except UnicodeEncodeError:  # a name in an old encoding
            opened = stack.enter_context(path.open("rb"))
        file = stack.enter_context(av.open(opened, metadata_errors="replace", options=_NO_SOUND))
        held = [*(stream.metadata for stream in file.streams.audio), file.metadata]
        return _fields((name, text) for metadata in held for name, text in metadata.items())


def _reason(error: Exception, path: Path) -> str:
    """Return the first line of what a reader says, without the path that the caller names anyway."""
    text = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return text.replace(f": {str(path)!r}", "").replace(repr(str(path)), "it").strip()
