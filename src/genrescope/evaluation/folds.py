"""The folds of a cross-validation: their run folders, and the split of each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrescope import splits
from genrescope.errors import DataError
from genrescope.results import CROSSVAL_NAME
from genrescope.splits import Split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SPLIT_FILE = "split.csv"


@dataclass(frozen=True)
class Fold:
    """A fold whose turn it is to be held out: its part in the split, its number (from 1), and its run folder."""

    name: str
    number: int
    folds: int
    path: Path


def folds_of(split: Split, out: Path) -> list[Fold]:
    """Return the folds in order, each with a run folder of its own."""
    parts = list(split.counts)
    if len(parts) < 2 or set(parts) & set(splits.PARTS):
        raise DataError(
            f"the split {split.method} has the parts {', '.join(parts)}, which are no folds; make folds with: "
            "genrescope split make STORE --folds 5 --out folds.csv"
        )
    names = [re.sub(r"\W+", "-", part.casefold().removeprefix("fold")).strip("-_") for part in parts]
    if len(set(names)) < len(names) or "" in names:
        names = [str(number) for number in range(1, len(parts) + 1)]
    return [
        Fold(part, number, len(parts), out / f"fold-{name}")
        for number, (part, name) in enumerate(zip(parts, names, strict=True), start=1)
    ]


def refuse_other(out: Path, split: Split, folds: Sequence[Fold], *, resume: bool) -> None:
    """Never train into a folder that holds another run, or folds of another split."""
    if (out / "run.json").exists():
        raise DataError(f"{out} holds a run; choose another --out for the cross-validation")
    begun = any((fold.path / "run.json").exists() for fold in folds) or (out / CROSSVAL_NAME).exists()
    if begun and not resume:
        raise DataError(f"{out} holds a cross-validation already; go on with it by --resume, or choose another --out")
    if begun and (out / SPLIT_FILE).exists() and splits.read(out / SPLIT_FILE).fingerprint != split.fingerprint:
        raise DataError(f"{out} holds a cross-validation over other folds; choose another --out")


def held_out(split: Split, fold: str) -> Split:
    """Return the split whose test part is one fold, and whose training part is all others."""
    parts = {track_id: "test" if part == fold else "train" for track_id, part in split.parts.items()}
    return Split(parts, f"{split.method}, fold {fold.removeprefix('fold').strip()}", split.notes)
