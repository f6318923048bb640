"""What a split's name stands for: a method, a file made here, or a table, lists or a folder of lists made elsewhere."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.splits import foreign
from genrescope.splits.cautions import strangers
from genrescope.splits.files import Split, made_here, read
from genrescope.splits.making import default_method, is_fixed, make, methods

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.splits.duplicates import Pair
    from genrescope.store.store import StoredTrack

_NEXT_LIST = re.compile(r",(?=[^,=]+=)")  # a comma in a file's name is none


def choose(
    tracks: Sequence[StoredTrack],
    split: str | None,
    *,
    seed: int = 0,
    folds: int | None = None,
    pairs: Sequence[Pair] = (),
) -> Split:
    """Return the split that a name stands for.

    Args:
        tracks: what it splits.
        split: a method; a split file; a table, or a folder of lists, made elsewhere; lists, as `train=FILE,test=FILE`;
            or None for the default method. A method's name stands for the method, also where a file is called that.
        seed: of the method.
        folds: how many folds it must have; None for parts.
        pairs: the duplicates among the tracks.

    Raises:
        DataError: it is none of these, does not suit the tracks, or gives a track two parts.
    """
    split = split if split is not None else default_method(tracks)
    if not is_elsewhere(split):
        made = make(tracks, split, seed=seed, folds=None if is_fixed(split) else folds, pairs=pairs)
    elif Path(split).is_file() and made_here(Path(split)):
        made = read(Path(split))
        made = replace(made, notes=made.notes + strangers(made, tracks))
    else:
        made = one_part_each(match(tracks, split), tracks, method=_told(split))
    if folds is not None and len(made.counts) != folds:
        raise DataError(f"the split {made.method} has {len(made.counts)} parts ({', '.join(made.counts)}), not {folds}")
    return made


def is_elsewhere(split: str) -> bool:
    """Whether a split's name stands for files, not for a method.

    Example:
        >>> is_elsewhere("random"), is_elsewhere("train=a.txt,test=b.txt")
        (False, True)
    """
    return split not in methods() and (Path(split).exists() or "=" in split)


def located(split: str, beside: Path) -> str:
    """Return a split's name with its files taken from the folder `beside`, where they stand there.

    Example:
        >>> located("random", Path("music")), located("train=a.txt,test=b.txt", Path("music"))
        ('random', 'train=music/a.txt,test=music/b.txt')
    """
    if split not in methods() and (beside / split).exists():
        return str(beside / split)
    if "=" not in split or Path(split).exists():
        return split
    named = (each.partition("=") for each in _NEXT_LIST.split(split))
    return ",".join(f"{part}{equals}{beside / file}" for part, equals, file in named)


def match(tracks: Sequence[StoredTrack], split: str) -> foreign.Matched:
    """Read a split of files, as `choose` takes it, and look its names up among the tracks of a store.

    Raises:
        DataError: it cannot be read, or names no track of the store.
    """
    path = Path(split)
    if path.is_dir():
        names = foreign.read_folder(path)
    elif path.exists():
        names = foreign.read_table(path)
    else:
        names = foreign.read_lists(_NEXT_LIST.split(split))
    return foreign.match(tracks, names)


def one_part_each(found: foreign.Matched, tracks: Sequence[StoredTrack], *, method: str) -> Split:
    """Return a split made elsewhere as one of ours: a part for each track, the items of a track counted once.

    Raises:
        DataError: a track stands in two parts.
    """
    sides: dict[str, list[str]] = defaultdict(list)
    for part, its in found.items.items():
        for track_id in dict.fromkeys(its):
            sides[track_id].append(part)
    torn = sorted(track_id for track_id, parts in sides.items() if len(parts) > 1)
    if torn:
        raise DataError(
            f"{len(torn)} of the split's {len(sides)} tracks stand in two parts, such as {torn[0]} in "
            f"{' and '.join(sides[torn[0]])}; a track has one part. Make a split with: genrescope split make"
        )
    notes = [foreign.unmatched_told(found.unmatched)] if found.unmatched else []
    split = Split({track_id: parts[0] for track_id, parts in sorted(sides.items())}, method, tuple(notes))
    return replace(split, notes=split.notes + strangers(split, tracks))


def _told(split: str) -> str:
    """Return how a split made elsewhere is told, without the folders that it lies in."""
    path = Path(split)
    if path.exists():
        return f"{'lists in the folder' if path.is_dir() else 'file'} {path.name or path.resolve().name}"
    return "lists " + ", ".join(Path(each.partition("=")[2]).name for each in _NEXT_LIST.split(split))
