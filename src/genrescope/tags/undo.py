"""Files become again what they were before their tags were written, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from genrescope.tags import replacing
from genrescope.tags.edits import TagError, pieces
from genrescope.tags.formats import opened
from genrescope.tags.journal import Content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from genrescope.tags.journal import Entry

Outcome: TypeAlias = Literal["restored", "unchanged"]


def undo(entry: Entry, *, break_links: bool = False) -> Outcome:
    """Restore a file as it was before a change: its bytes, and when it had been written.

    Args:
        entry: the change, as a journal has it.
        break_links: whether a file with several names is restored under this one.

    Returns:
        `restored`, or `unchanged` where the file is as it was already.

    Raises:
        TagError: the file was changed since, or may not be replaced.
        OSError: it is not there, or the disk is full, say.
    """
    with opened(entry.path) as data:
        found = Content.of(pieces(data, ()))
    if found == entry.before:
        return "unchanged"
    if found != entry.after:
        raise TagError("it was changed since; what was changed last must be undone first")
    with replacing.held(entry.path, break_links=break_links) as known:
        replacing.replace(
            entry.path, known, _restored(entry), check=lambda copy: _check(copy, entry), modified_ns=entry.modified_ns
        )
    return "restored"


def _restored(entry: Entry) -> Iterator[bytes]:
    with opened(entry.path) as data:
        yield from pieces(data, entry.undo)


def _check(copy: Path, entry: Entry) -> None:
    with opened(copy) as data:
        if Content.of(pieces(data, ())) != entry.before:
            raise TagError("it would not have been what it was; the journal does not fit")
