"""MP4 (m4a): single atoms of the list of tags are replaced, all others stay as they are to the byte.

The list lies in `moov.udta.meta.ilst`. Free space beside it takes up what is added. Where there is not enough, what
lies behind moves, and the tables that say where the sound is (`stco`, `co64`, `tfhd`, `tfra`) are changed to match.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from genrescope.tags.edits import Edit, TagError, growth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genrescope.tags.change import Change
    from genrescope.tags.edits import Data

_GENRE, _NUMBER, _FREE_FORM = b"\xa9gen", b"gnre", b"----"
_OWNER = b"com.apple.iTunes"
_HANDLER = bytes(8) + b"mdirappl" + bytes(9)
_ROOM = 1024  # bytes of free space beside a new list
_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mfra")
_HAS_BASE = 1  # flag of a fragment's header that says where its sound begins


@dataclass(frozen=True)
class _Atom:
    name: bytes
    start: int
    body: int
    end: int

    @property
    def is_short(self) -> bool:
        """Whether its size has four bytes, as those of all lists of tags."""
        return self.body - self.start == 8


def edits_of(data: Data, change: Change) -> list[Edit]:
    """Return the edits of an MP4 file.

    Raises:
        TagError: its atoms are damaged, or it cannot be changed without moving what must not move.
    """
    top = list(_atoms(data, 0, len(data)))
    moov = _first(top, b"moov")
    if moov is None:
        raise TagError("it is MP4 without a list of its contents (moov)")
    parents = _parents(data, moov)
    edits = _in_list(data, parents, change)
    edits += _from_free(_free(data, parents, top), growth(edits))
    edits += [resized for atom in parents if (resized := _resized(atom, edits)) is not None]
    return edits + list(_moved(data, top, _shift(edits)))


def _atoms(data: Data, place: int, end: int) -> Iterator[_Atom]:
    """Yield the atoms between two places; in a list a size of 0 ends it, in the file it means to the end."""
    while place + 8 <= end:
        head = data[place : place + 16]
        size, body = int.from_bytes(head[:4], "big"), place + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16], "big"), place + 16
        elif size == 0:
            if end < len(data):
                return
            size = end - place
        if size < body - place or place + size > end:
            raise TagError(f"its MP4 atoms are damaged at byte {place}")
        yield _Atom(head[4:8], place, body, place + size)
        place += size


def _first(atoms: Sequence[_Atom], name: bytes) -> _Atom | None:
    return next((atom for atom in atoms if atom.name == name), None)


def _inside(data: Data, atom: _Atom) -> list[_Atom]:
    """Return the atoms in one; `meta` has four bytes before them, but for QuickTime's."""
    skipped = 4 if atom.name == b"meta" and data[atom.body + 4 : atom.body + 8] != b"hdlr" else 0
    return list(_atoms(data, atom.body + skipped, atom.end))


def _parents(data: Data, moov: _Atom) -> list[_Atom]:
    """Return `moov`, `udta`, `meta`, `ilst`, as far as they are there."""
    found = [moov]
    for name in (b"udta", b"meta", b"ilst"):
        atom = _first(_inside(data, found[-1]), name)
        if atom is None:
            break
        found.append(atom)
    return found


def _in_list(data: Data, parents: list[_Atom], change: Change) -> list[Edit]:
    """Return the edits of the list; where it is missing, the one that inserts it with what is missing around it."""
    new = b"".join(_new(change))
    if len(parents) == 4:
        held = _inside(data, parents[3])
        removed = [Edit(atom.start, atom.end, b"") for atom in held if _is_replaced(data, atom, change)]
        return [*removed, Edit(parents[3].end, parents[3].end, new)]
    made = _atom(b"ilst", new)
    if len(parents) < 3:
        handler = _atom(b"hdlr", _HANDLER)
        made = _atom(b"meta", bytes(4) + handler + made + _atom(b"free", bytes(_ROOM)))
    if len(parents) < 2:
        made = _atom(b"udta", made)
    children = _inside(data, parents[-1])
    end = children[-1].end if children else parents[-1].end
    return [Edit(end, end, made)]


def _is_replaced(data: Data, atom: _Atom, change: Change) -> bool:
    if atom.name in (_GENRE, _NUMBER):
        return change.genres is not None
    if atom.name != _FREE_FORM:
        return False
    parts = {each.name: data[each.body + 4 : each.end] for each in _atoms(data, atom.body, atom.end)}
    name = parts.get(b"name", b"").decode("utf-8", "replace").casefold()
    if name == "genre":  # which some programs write beside the atom for it
        return change.genres is not None
    return parts.get(b"mean") == _OWNER and name in (field.casefold() for field in change.fields)


def _new(change: Change) -> Iterator[bytes]:
    """Yield the atoms that hold a change: each value is a `data` atom of text in UTF-8."""
    if change.genres:
        yield _atom(_GENRE, _values(change.genres))
    for name, values in change.fields.items():
        if values:
            head = _atom(b"mean", bytes(4) + _OWNER) + _atom(b"name", bytes(4) + name.encode())
            yield _atom(_FREE_FORM, head + _values(values))


def _values(values: Sequence[str]) -> bytes:
    return b"".join(_atom(b"data", (1).to_bytes(4, "big") + bytes(4) + value.encode()) for value in values)


def _atom(name: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4, "big") + name + body


def _free(data: Data, parents: list[_Atom], top: list[_Atom]) -> list[_Atom]:
    """Return free space that may take up what is added: beside the list, else behind `moov`."""
    beside = _inside(data, parents[2]) if len(parents) == 4 else []
    behind = [atom for atom in top if atom.start == parents[0].end]
    return [atom for atom in [*beside, *behind] if atom.name in (b"free", b"skip") and atom.is_short]


def _from_free(free: list[_Atom], added: int) -> list[Edit]:
    for atom in free:
        room = atom.end - atom.body - added
        if added and room >= 0:
            size = Edit(atom.start, atom.start + 4, (room + 8).to_bytes(4, "big"))
            return [size, Edit(atom.body, atom.body + max(added, 0), bytes(max(-added, 0)))]
    return []


def _resized(atom: _Atom, edits: list[Edit]) -> Edit | None:
    added = growth(each for each in edits if atom.start <= each.start and each.end <= atom.end)
    if not added:
        return None
    size = atom.end - atom.start + added
    if not atom.is_short or size >= 1 << 32:
        raise TagError("it is MP4 with a list of tags too large to change")
    return Edit(atom.start, atom.start + 4, size.to_bytes(4, "big"))


# -- where the sound is -------------------------------------------------------------------------------------------


def _shift(edits: list[Edit]) -> Callable[[int], int]:
    """Return the function that says where a byte of the original stands afterwards."""
    ordered = sorted((edit for edit in edits if edit.growth), key=lambda edit: edit.end)
    ends, added = [edit.end for edit in ordered], [0, *accumulate(edit.growth for edit in ordered)]
    return lambda place: place + added[bisect_right(ends, place)]


def _moved(data: Data, atoms: Sequence[_Atom], shift: Callable[[int], int]) -> Iterator[Edit]:
    """Yield the edits of all tables of places in the file."""
    for atom in atoms:
        if atom.name in _PARENTS:
            yield from _moved(data, _inside(data, atom), shift)
        elif atom.name in (b"stco", b"co64"):
            yield _table(data, atom, shift, width=4 if atom.name == b"stco" else 8)
        elif atom.name == b"tfhd" and data[atom.body + 3 : atom.body + 4][0] & _HAS_BASE:
            yield _numbers(data, atom.body + 8, atom.body + 16, shift, width=8)
        elif atom.name == b"tfra":
            yield from _fragments(data, atom, shift)


def _table(data: Data, atom: _Atom, shift: Callable[[int], int], *, width: int) -> Edit:
    start = atom.body + 8
    end = start + width * int.from_bytes(data[atom.body + 4 : start], "big")
    if end > atom.end:
        raise TagError("its table of where the sound is is damaged")
    return _numbers(data, start, end, shift, width=width)


def _fragments(data: Data, atom: _Atom, shift: Callable[[int], int]) -> Iterator[Edit]:
    """Yield the edits of an index of fragments: of each a time, a place, and three numbers of one to four bytes."""
    head = data[atom.body : atom.body + 16]
    width = 8 if head[0] else 4
    sizes = sum(1 + (head[11] >> place & 3) for place in (0, 2, 4))
    start, count = atom.body + 16, int.from_bytes(head[12:], "big")
    if start + count * (2 * width + sizes) > atom.end:
        raise TagError("its index of fragments is damaged")
    for place in range(start, start + count * (2 * width + sizes), 2 * width + sizes):
        yield _numbers(data, place + width, place + 2 * width, shift, width=width)


def _numbers(data: Data, start: int, end: int, shift: Callable[[int], int], *, width: int) -> Edit:
    held = data[start:end]
    places = (int.from_bytes(held[at : at + width], "big") for at in range(0, len(held), width))
    try:
        return Edit(start, end, b"".join(shift(place).to_bytes(width, "big") for place in places))
    except OverflowError as error:
        raise TagError("it is MP4 of 4 GB without room for tags") from error
