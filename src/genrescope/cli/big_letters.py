"""Large letters for a terminal: words of A to Z, digits, blanks and hyphens, in rows of blocks."""

from __future__ import annotations

_GLYPHS = {
    "A": "111 101 111 101 101", "B": "110 101 110 101 110", "C": "111 100 100 100 111", "D": "110 101 101 101 110",
    "E": "111 100 110 100 111", "F": "111 100 110 100 100", "G": "111 100 101 101 111", "H": "101 101 111 101 101",
    "I": "111 010 010 010 111", "J": "011 001 001 101 111", "K": "101 101 110 101 101", "L": "100 100 100 100 111",
    "M": "10001 11011 10101 10001 10001", "N": "1001 1101 1011 1001 1001", "O": "111 101 101 101 111",
    "P": "111 101 111 100 100", "Q": "1110 1010 1010 1110 0011", "R": "110 101 110 101 101", "S": "111 100 111 001 111",
    "T": "111 010 010 010 010", "U": "101 101 101 101 111", "V": "101 101 101 101 010",
    "W": "10001 10001 10101 11011 10001", "X": "101 101 010 101 101", "Y": "101 101 010 010 010",
    "Z": "111 001 010 100 111", "0": "111 101 101 101 111", "1": "010 110 010 010 111", "2": "111 001 111 100 111",
    "3": "111 001 011 001 111", "4": "101 101 111 001 001", "5": "111 100 111 001 111", "6": "111 100 111 101 111",
    "7": "111 001 010 010 010", "8": "111 101 111 101 111", "9": "111 101 111 001 111", " ": "00 00 00 00 00",
    "-": "000 000 111 000 000", ".": "0 0 0 0 1", "&": "110 100 011 101 111", "/": "001 001 010 100 100",
}  # fmt: skip


def large(text: str) -> list[str] | None:
    """Return a text as five rows of blocks, two columns a dot; None where a sign has no large form.

    Example:
        >>> for row in large("jz"):
        ...     print(row)
          ████  ██████
            ██      ██
            ██    ██
        ██  ██  ██
        ██████  ██████
    """
    glyphs = [_GLYPHS.get(letter) for letter in text.upper()]
    rows = [[] for _ in range(5)]  # type: list[list[str]]
    for glyph in glyphs:
        if glyph is None:
            return None
        for row, dots in zip(rows, glyph.split(), strict=True):
            row.append("".join("██" if dot == "1" else "  " for dot in dots))
    return ["  ".join(row).rstrip() for row in rows]
