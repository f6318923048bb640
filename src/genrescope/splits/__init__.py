"""Splits: which tracks train, validate and test. They are made of tracks, never of windows, so windows cannot leak."""

from genrescope.splits.cautions import cautions, strangers
from genrescope.splits.choosing import choose, is_elsewhere, located, match, one_part_each
from genrescope.splits.files import PARTS, Split, made_here, ordered, read, write
from genrescope.splits.making import SHARES, default_method, is_fixed, make, methods, recordings

__all__ = [
    "PARTS",
    "SHARES",
    "Split",
    "cautions",
    "choose",
    "default_method",
    "is_elsewhere",
    "is_fixed",
    "located",
    "made_here",
    "make",
    "match",
    "methods",
    "one_part_each",
    "ordered",
    "read",
    "recordings",
    "strangers",
    "write",
]
