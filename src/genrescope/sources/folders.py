"""A folder of genre folders as a data set, in the forms that people have it."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope import audio
from genrescope.errors import DataError, DataNotFoundError
from genrescope.sources import genre_map
from genrescope.sources.listing import Listing, some
from genrescope.sources.track import Track

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

_PARTS = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation", "validation": "validation",
    "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
"""Names of folders that are parts of a split, not genres."""
_ENDINGS = 8  # that are told of files left out


def list_folder(root: Path) -> Listing:
    """List the audio files under a folder of genre folders; the id is the path inside it.

    Folders `train` and `test` with genre folders in both are the data set's own parts. Where everything lies in one
    folder, and genre folders in that, the inner folder is read.

    Raises:
        DataError: there is no such folder; audio lies in it alone, outside of any genre; or one file lies under two
            genres.
    """
    walk = _walk(root)
    inner = _unwrapped(root, walk.files)
    parts = _parts(inner, walk.files)
    found = Listing(inner, _tracks(inner, walk.files, parts), unreadable=walk.unreadable)
    if inner != root:
        found.notes.append(
            f"all audio in {root} lies in {inner.relative_to(root).as_posix()}, which is read in its place"
        )
    if loose := [path.name for path in walk.files if path.parent == inner]:
        found.notes.append(f"left out beside the genre folders of {inner}, having no genre: {some(loose)}")
    if walk.left_out:
        found.notes.append(left_out(walk.left_out))
    if parts:
        found.notes.append(f"the folders {', '.join(sorted(parts))} are read as the data set's own parts, not genres")
    return found


def folder_tracks(root: Path) -> list[Track]:
    """List the audio files in the folders of `root`, each folder a genre, whatever its name.

    Raises:
        DataError: as `list_folder`.
    """
    return _tracks(root, _walk(root).files, {})


def left_out(endings: Counter[str]) -> str:
    """Tell how many files were left out because of their endings.

    Example:
        >>> from collections import Counter
        >>> left_out(Counter({".mid": 2, ".txt": 1}))
        '3 files left out, whose endings are not taken for audio: 2 .mid, 1 .txt'
    """
    counts = [f"{count} {ending}" for ending, count in sorted(endings.items(), key=lambda item: (-item[1], item[0]))]
    total = endings.total()
    files = f"{total} file{'' if total == 1 else 's'}"
    return f"{files} left out, whose endings are not taken for audio: {some(counts, _ENDINGS)}"


def same_file(path: Path) -> str:
    """Return what is equal for all names of a file: those through links, and those with `.` and `..` in them."""
    return os.path.realpath(path)


def _walk(root: Path) -> audio.Walk:
    if not root.is_dir():
        raise DataNotFoundError(f"{root}: no such folder")
    return audio.walk(root)


def _unwrapped(root: Path, files: Sequence[Path]) -> Path:
    """Return the folder within that has several genre folders, if all audio lies there and none of it loose.

    A single folder of single files stays what it is: one genre.
    """
    depth = len(root.parts)
    within = root
    while len(tops := {path.parts[depth] for path in files}) == 1:
        within, depth = within / tops.pop(), depth + 1
        if genre_map.load().find([within.name]).genre:  # one genre, with its artists in it
            return root
        if any(len(path.parts) <= depth + 1 for path in files):
            return root
    return within


def _parts(root: Path, files: Sequence[Path]) -> dict[str, str]:
    """Return the part of each folder, if the folders in `root` are the parts of a split with genre folders in them."""
    tops = {path.relative_to(root).parts[0] for path in files}
    parts = {top: _PARTS[top.lower()] for top in tops if top.lower() in _PARTS}
    deep = all(len(path.relative_to(root).parts) > 2 for path in files)
    return parts if deep and len(parts) == len(tops) and {"train"} < set(parts.values()) else {}


def _tracks(root: Path, files: Sequence[Path], parts: dict[str, str]) -> list[Track]:
    """Return the tracks of the files that do not lie loose in `root`."""
    inside = [path for path in files if path.parent != root]
    if files and not inside:
        raise DataError(
            f"{root}: {len(files)} audio files ({files[0].name}, ...) but no genre folders. Put the files of each "
            "genre into a folder of its name, or give a CSV file with the columns path and genre"
        )
    return _one_track_a_file([_track(path.relative_to(root), path, parts) for path in inside])


def _track(inside: Path, path: Path, parts: dict[str, str]) -> Track:
    genre, part = (inside.parts[1], parts[inside.parts[0]]) if parts else (inside.parts[0], "")
    return Track(inside.as_posix(), path, genre, part=part)


def _one_track_a_file(tracks: Sequence[Track]) -> list[Track]:
    """Leave out a file's further names in its genre.

    Raises:
        DataError: a file has names under several genres.
    """
    by_file = defaultdict(list)
    for track in tracks:
        by_file[same_file(track.path)].append(track)
    for names in by_file.values():
        other = next((track for track in names if track.genre != names[0].genre), None)
        if other is not None:
            raise DataError(
                f"{names[0].path} and {other.path} are one file under the genres {names[0].genre} and {other.genre}; "
                "a file has one genre, so remove one of the links"
            )
    return [names[0] for names in by_file.values()]
