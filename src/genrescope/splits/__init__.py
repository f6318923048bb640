"""Splits: which tracks train, validate and test. They are made of tracks, never of windows, so windows cannot leak."""

from genrescope.splits.cautions import cautions, strangers
from genrescope.splits.files import PARTS, Split, made_here, ordered, read, write
from genrescope.splits.making import SHARES, choose, default_method, is_fixed, make, methods, recordings

__all__ = [
    "PARTS",
    "SHARES",
    "Split",
    "cautions",
    "choose",
    "default_method",
    "is_fixed",
    "made_here",
    "make",
    "methods",
    "ordered",
    "read",
    "recordings",
    "strangers",
    "write",
]
