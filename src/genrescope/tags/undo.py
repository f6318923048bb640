"""Files become again what they were before their tags were written, to the byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from genrescope.tags import replacing
from genrescope.tags.edits import TagError
from genrescope.tags.formats import contents
from genrescope.tags.journal import Content

if TYPE_CHECKING:
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
    found = Content.of(contents(entry.path))
    if found == entry.before:
        return "unchanged"
    if found != entry.after:
        raise TagError("it was changed since; what was changed last must be undone first")
    with replacing.held(entry.path, break_links=break_links) as known:
        restored = contents(entry.path, entry.undo)
        replacing.replace(
            entry.path, known, restored, check=lambda copy: _check(copy, entry), modified_ns=entry.modified_ns
        )
    return "restored"


def _check(copy: Path, entry: Entry) -> None:
    if Content.of(contents(copy)) != entry.before:
        raise TagError("it would not have been what it was; the journal does not fit")
