"""Genres are written into a file's tags: all of the change, or nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope.errors import reason_of
from genrescope.tags import replacing, verify
from genrescope.tags.edits import Edit, TagError, inverse
from genrescope.tags.formats import contents, edits_of, opened
from genrescope.tags.journal import Content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.tags.change import Change
    from genrescope.tags.journal import Journal


def write(
    path: Path,
    change: Change,
    journal: Journal,
    *,
    present: Sequence[str] = (),
    touch: bool = False,
    break_links: bool = False,
    decoded: bool = False,
) -> bool:
    """Write a change into the tags of a file.

    A copy is changed, and takes the file's place once it is on the disk, has the same sound, the same other tags and
    pictures, owner, permissions and times, and the journal knows how to undo it.

    Args:
        path: the file; of a link the file that it leads to.
        change: what is to be written.
        journal: where the change is noted.
        present: the genres that the file has, for the journal.
        touch: whether the file's time changes, so that players that look for new times read it again.
        break_links: whether a file with several names is replaced under this one.
        decoded: whether the decoded sound is compared too, to the bit.

    Returns:
        Whether anything had to be changed.

    Raises:
        TagError: the file cannot be changed, or not without harm; the reason.
        OutputError: the journal cannot be written.
        OSError: the disk is full, say. The file is as it was.
    """
    target = Path(os.path.realpath(path))
    with replacing.held(target, break_links=break_links) as known:
        with opened(target) as data:
            edits = edits_of(data, change)
            if not edits:
                return False
            undo, old = inverse(data, edits), Content.of(contents(target))
        before = verify.Before.of(target)
        begun: list[int] = []

        def check(copy: Path) -> None:
            new = Content.of(contents(copy))
            verify.check(before, copy, change)
            _check_undo(copy, undo, old)
            if decoded:
                verify.check_decoded(target, copy)
            begun.append(
                journal.begin(
                    target, genres=present, written=change.genres or (), before=old, after=new, known=known, undo=undo
                )
            )

        modified = None if touch else known.st_mtime_ns
        replacing.replace(target, known, contents(target, edits), check=check, modified_ns=modified)
        journal.end(begun[0])
    return True


def refusal(path: Path, change: Change, *, break_links: bool = False) -> str | None:
    """Say why a change cannot be written into a file; None where nothing is in its way. Nothing is written."""
    target = Path(os.path.realpath(path))
    if reason := replacing.refusal(target, break_links=break_links):
        return reason
    try:
        with opened(target) as data:
            edits_of(data, change)
    except (TagError, OSError) as error:
        return reason_of(error)
    return None


def _check_undo(copy: Path, undo: Sequence[Edit], old: Content) -> None:
    """Refuse a change that could not be undone to the byte."""
    if Content.of(contents(copy, undo)) != old:
        raise TagError("the change could not have been undone to the byte")
