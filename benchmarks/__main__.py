"""Run the measurements and write `docs/benchmarks.md`: `python -m benchmarks [--data DATA] [SECTION...]`.

Sections that are not named stay as they are on the page.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import check, decoding, duplicates, log_mel, musicnn, predict, prepare, training
from benchmarks.measure import machine

if TYPE_CHECKING:
    from collections.abc import Callable

SECTIONS: dict[str, Callable[..., str]] = {
    "decoding": decoding.report,
    "log_mel": log_mel.report,
    "prepare": prepare.report,
    "predict": predict.report,
    "training": training.report,
    "duplicates": duplicates.report,
    "check": check.report,
    "musicnn": musicnn.report,
}
_MARK = "<!-- section: {} -->"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", help="DATA to measure on; by default synthesised music")
    parser.add_argument("--tensorflow", metavar="PYTHON", help="a Python with TensorFlow 2, for the section musicnn")
    parser.add_argument("--essentia", metavar="PYTHON", help="a Python with Essentia, for the section predict")
    parser.add_argument("--before", metavar="SRC", help="folder src of another checkout, for the section decoding")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="by default all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or _synthesised(Path(folder))
        told = "real clips (GTZAN)" if chosen.data else "synthesised music"
        told_how = " --data DATA" if chosen.data else ""
        sections = _sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() and chosen.sections else {}
        for name in chosen.sections or SECTIONS:
            print(f"measuring {name} ...", flush=True)
            peers = {"musicnn": [chosen.tensorflow], "decoding": [chosen.before], "predict": [chosen.essentia]}
            sections[name] = SECTIONS[name](data, *peers.get(name, []))
    header = (
        f"Written by `python -m benchmarks{told_how}`. Machine: {machine()}. Input: {told}, unless noted otherwise."
    )
    parts = ["# Benchmarks", "", header]
    for name in SECTIONS:
        if name in sections:
            parts += ["", _MARK.format(name), sections[name]]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {PAGE}")


def _sections(page: str) -> dict[str, str]:
    """Return the sections of the page by their names."""
    pieces = re.split(_MARK.format("(\\w+)"), page)[1:]
    return {name: text.strip() for name, text in zip(pieces[::2], pieces[1::2], strict=True)}


def _synthesised(folder: Path) -> str:
    from genrescope import synth

    synth.write_dataset(folder, synth.Collection(artists=6, tracks=3, seconds=30.0))
    return f"synth:{folder}"


if __name__ == "__main__":
    main()
