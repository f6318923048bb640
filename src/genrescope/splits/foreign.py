"""Splits made elsewhere: tables and lists of file names, matched to the tracks of a store.

Others name tracks by path, by file name, by number, or name the windows that they cut from them. Each name is looked
up as it is, then by what it shares with one track only; a window counts as an item of the track it was cut from.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError
from genrescope.files import read_text
from genrescope.sources import cards
from genrescope.splits.files import ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from genrescope.store.store import StoredTrack

NAME_COLUMNS = (
    "id", "path", "file", "filename", "file_name", "filepath", "file_path", "track_id", "track", "name", "audio",
    "audio_path", "clip", "song", "wav", "image",
)  # fmt: skip
"""Columns that name a track, the first that a table has is taken."""
PART_COLUMNS = ("part", "split", "subset", "fold", "set", "partition")
"""Columns that name a part."""

_ALIASES = {
    "train": ("train", "training", "tr", "trn", "learn"),
    "validation": ("validation", "valid", "val", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
_ENDINGS = {*audio.SUFFIXES, ".png", ".jpg", ".jpeg", ".npy", ".npz", ".pt", ".pkl", ".csv", ".txt", ".json", ".mel"}
_LISTS = {".txt", ".csv", ".tsv", ".lst", ".list", ""}
_WINDOW = re.compile(
    r"[\s._#/:@,;(\[-]+"
    r"(?:(?:w|win|window|s|sec|seg|segment|t|c|chunk|clip|crop|ex|excerpt|f|frame|i|n|no|p|part|patch|slice)[\s._-]*)?"
    r"\d+s?[)\]]?$",
    re.IGNORECASE,
)
_FILE = re.compile(rf".+?(?:{'|'.join(map(re.escape, sorted(_ENDINGS)))})(?=[\s,;\"])", re.IGNORECASE)
_NAMED = 3  # names in a message
_DEEP = 4  # marks of a window at a name's end, as in song_0.0_3.0


@dataclass(frozen=True)
class Matched:
    """A split made elsewhere, in a store's own terms.

    Attributes:
        items: the id of every item's track by part; a track stands there once for each of its items.
        unmatched: names that are no track of the store, in the order they were met.
    """

    items: Mapping[str, list[str]]
    unmatched: tuple[str, ...] = ()


def read_table(path: Path) -> dict[str, list[str]]:
    """Read a table with a column that names tracks and one that names their parts; return the names by part.

    Raises:
        DataError: it cannot be read, or lacks such columns.
    """
    name, part, rows = _columns(path)
    if name is None or part is None:
        raise DataError(
            f"{path} is no table of a split: its first line must name a column such as id, path or filename, and one "
            "such as part, split or fold. A list of one part's files is given as --part train=FILE"
        )
    names: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if len(row) > max(name, part) and row[name].strip() and row[part].strip():
            names[part_name(row[part])].append(row[name].strip())
    return dict(names)


def read_list(path: Path) -> list[str]:
    """Read the names of one part: a line each, whatever follows the name; or a table with a column that names tracks.

    Raises:
        DataError: it cannot be read.
    """
    name, _, rows = _columns(path)
    if name is not None:
        return [row[name].strip() for row in rows if len(row) > name and row[name].strip()]
    lines = (line.strip() for line in _text(path).split("\n"))
    return [name_in(line) for line in lines if line and not line.startswith("#")]


def read_folder(folder: Path) -> dict[str, list[str]]:
    """Read a folder of lists whose names tell their parts, as `train.txt` and `test_filtered.txt`.

    Raises:
        DataError: there are no two parts, or two lists of one.
    """
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.casefold() in _LISTS and path.is_file()):
        words = set(re.split(r"[\W_]+", path.stem.casefold()))
        parts = [part for part, aliases in _ALIASES.items() if words & set(aliases)]
        if len(parts) == 1:
            part = parts[0]
            if part in files:
                raise DataError(
                    f"{folder} has two lists for the part {part}: {files[part].name}, {path.name}; name the right one "
                    f"with --part {part}={files[part]}"
                )
            files[part] = path
    if len(files) < 2:
        raise DataError(
            f"{folder} holds no lists of two parts or more, such as train.txt and test.txt; name them with "
            "--part train=FILE --part test=FILE"
        )
    return {part: read_list(files[part]) for part in ordered(files)}


def read_lists(named: Sequence[str]) -> dict[str, list[str]]:
    """Read lists given as `part=file`; several of one part are read together.

    Raises:
        DataError: one is given in another way or cannot be read, or all are of one part.
    """
    names: dict[str, list[str]] = defaultdict(list)
    for each in named:
        part, equals, file = each.partition("=")
        if not (part.strip() and equals and file):
            raise DataError(f'--part "{each}"; accepted is part=FILE, as test=test.txt')
        names[part_name(part)] += read_list(Path(file))
    if len(names) < 2:
        raise DataError(f"all lists are of the part {', '.join(names)}; a split has two parts or more")
    return dict(names)


def part_name(text: str) -> str:
    """Return a part in our words.

    Example:
        >>> part_name("Valid"), part_name("training"), part_name("fold 3")
        ('validation', 'train', 'fold 3')
    """
    word = text.strip().casefold()
    return next((part for part, words in _ALIASES.items() if word in words), text.strip())


def name_in(line: str) -> str:
    r"""Return the name that a line of a list begins with; a label may follow it.

    Example:
        >>> name_in("./blues_00000.wav\tblues"), name_in("1, 2, 3.mp3 pop"), name_in("blues.00000,blues")
        ('./blues_00000.wav', '1, 2, 3.mp3', 'blues.00000')
    """
    if _without_ending(line) != line:
        return line.strip('"')
    file = _FILE.match(line)
    return (file.group() if file else re.split(r"\t|[,;](?=\S)", line, maxsplit=1)[0]).strip('" ')


def match(tracks: Sequence[StoredTrack], names: Mapping[str, Iterable[str]]) -> Matched:
    """Look up names, by part, among the tracks of a store.

    Raises:
        DataError: not one of them is known.
    """
    find = _Finder(tracks)
    items: dict[str, list[str]] = {part: [] for part in ordered(names)}
    unmatched: list[str] = []
    for part, its in names.items():
        for name in its:
            track_id = find(name)
            if track_id is None:
                unmatched.append(name)
            else:
                items[part].append(track_id)
    if not any(items.values()):
        first = f", such as {unmatched[0]}," if unmatched else ""
        raise DataError(
            f"none of the split's {len(unmatched)} names{first} is a track of the store, whose first is "
            f"{tracks[0].id}; give the store that the split was made for"
        )
    return Matched(items, tuple(unmatched))


def unmatched_told(names: Sequence[str]) -> str:
    """Say how many names are no tracks of the store, and name some."""
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    what = "1 name is no track" if len(names) == 1 else f"{len(names)} names are no tracks"
    return f"{what} of the store, so nothing is known of them: {some}"


class _Finder:
    """Finds the track that a name means."""

    def __init__(self, tracks: Sequence[StoredTrack]) -> None:
        self.ids = {track.id: track.id for track in tracks}
        self.tails = _unique(
            (tail, track.id) for track in tracks for own in (track.path, track.id) for tail in tails(own)
        )
        self.official = _official(tracks)

    def __call__(self, name: str) -> str | None:
        """Return the id of the track that a name means."""
        return self._whole(name) or self._by_window(name) or self._by_official(name)

    def _whole(self, name: str) -> str | None:
        if name in self.ids:
            return self.ids[name]
        return next((self.tails[tail] for tail in tails(name) if tail in self.tails), None)

    def _by_window(self, name: str) -> str | None:
        """Find what is left when the marks of a window are taken from a name's end, one after another."""
        rest = _without_ending(_slashes(name))
        for _ in range(_DEEP):
            shorter = _WINDOW.sub("", rest)
            if shorter in ("", rest):
                return None
            rest = shorter
            found = self._whole(rest)
            if found is not None:
                return found
        return None

    def _by_official(self, name: str) -> str | None:
        return next((found for track_id, ids in self.official if (found := ids.get(track_id(name) or ""))), None)


def tails(name: str) -> list[str]:
    """Return a path and what is left of it as folders are taken from its front, without the endings of files.

    Example:
        >>> tails("./blues/blues.00012.wav"), tails("Song.mp3.npy")
        (['blues/blues.00012', 'blues.00012'], ['Song'])
    """
    parts = [part for part in _without_ending(_slashes(name)).split("/") if part]
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _without_ending(name: str) -> str:
    while (ending := PurePosixPath(name).suffix.casefold()) in _ENDINGS and ending:
        name = name[: -len(ending)]
    return name


def _slashes(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    """Return the id that each key means; None where it means several."""
    found: dict[str, str | None] = {}
    for key, track_id in pairs:
        found[key] = track_id if found.get(key, track_id) == track_id else None
    return found


def _official(tracks: Sequence[StoredTrack]) -> list[tuple[Callable[[str], str | None], dict[str, str | None]]]:
    """Return the ways in which published splits name tracks, where most tracks of the store have such a name."""
    ways = []
    for track_id in dict.fromkeys(official.track_id for official in cards.official_splits().values()):
        named = [(name, track.id) for track in tracks if (name := track_id(track.id) or track_id(track.path))]
        if 2 * len(named) > len(tracks):
            ways.append((track_id, _unique(named)))
    return ways


def _columns(path: Path) -> tuple[int | None, int | None, list[list[str]]]:
    """Return where a table names tracks and parts, as far as it does, and its rows below the header."""
    text = _text(path)
    while text.startswith("#"):
        text = text.partition("\n")[2]
    mark = max("\t,;", key=text.partition("\n")[0].count)
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if row] or [[]]
    except csv.Error as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    named = [cell.strip().casefold() for cell in header]
    name, part = (
        next((named.index(each) for each in known if each in named), None) for known in (NAME_COLUMNS, PART_COLUMNS)
    )
    return name, part, rows


def _text(path: Path) -> str:
    try:
        return read_text(path).removeprefix("\ufeff")
    except OSError as error:
        told = f"{path} cannot be read: {error.strerror or error}"
        raise DataError(f"{told}; give a file, or lists as --part train=FILE --part test=FILE") from error
