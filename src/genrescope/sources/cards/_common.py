"""What the cards share: reading the facts that are shipped, naming groups, refusing a folder of something else."""

from __future__ import annotations

import importlib.resources
from collections import defaultdict
from typing import TYPE_CHECKING

from genrescope.errors import DataError
from genrescope.linked import linked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from genrescope.sources.track import Track


def facts(name: str) -> list[list[str]]:
    """Read a file of `facts/`: a list for each line, cut at its tabs; lines with `#` tell where they come from.

    Example:
        >>> facts("gtzan_fault_filtered.txt")[0]
        ['train', 'blues 29-49,73-97']
    """
    text = importlib.resources.files(__package__).joinpath("facts", name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


def groups(names: Mapping[str, Iterable[str]], same: Iterable[Iterable[str]] = ()) -> dict[str, str]:
    """Put tracks that have a name in common, or are one recording, into one group.

    Args:
        names: the artists (or albums) of each track; none where they are unknown.
        same: tracks that are one recording, whether they are among `names` or not.

    Returns:
        The group of each track: its names, joined by ` + `; for copies without any the first id; empty where nothing
        is known. Two who sing together on one track are one group, with all that either sings alone: only so
        is nobody in two parts of a split.

    Example:
        >>> groups({"a": ["Ann"], "b": ["Bob"], "c": ["Ann", "Bob"], "d": ["Eve"], "e": []})
        {'a': 'Ann + Bob', 'b': 'Ann + Bob', 'c': 'Ann + Bob', 'd': 'Eve', 'e': ''}
    """
    links = [(("track", track), ("name", name)) for track, its in names.items() for name in its]
    for first, *others in map(sorted, same):
        links += [(("track", first), ("track", other)) for other in others]
    head_of = linked(links)
    together = defaultdict(list)
    for node in sorted(head_of):
        together[head_of[node]].append(node)
    label = {
        head: " + ".join(name for kind, name in nodes if kind == "name") or nodes[0][1]
        for head, nodes in together.items()
    }
    return {track: label.get(head_of.get(("track", track), ("", "")), "") for track in names}


def required(tracks: list[Track], root: Path, expected: str) -> list[Track]:
    """Return the tracks, of which there must be some.

    Args:
        tracks: what was found.
        root: where it was looked for.
        expected: a sentence that tells what should be there, and what to do.

    Raises:
        DataError: there are none.
    """
    if not tracks:
        raise DataError(f"{root}: {expected}")
    return tracks
