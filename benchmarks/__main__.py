"""Run the measurements and write `docs/benchmarks.md`: `python -m benchmarks [--data DATA] [SECTION...]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import check, duplicates, log_mel, prepare, training
from benchmarks.measure import machine

SECTIONS = {
    "log_mel": log_mel.report,
    "prepare": prepare.report,
    "training": training.report,
    "duplicates": duplicates.report,
    "check": check.report,
}
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--data", help="DATA to measure on; by default synthesised music")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="by default all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = chosen.data or _synthesised(Path(folder))
        told = "real clips (GTZAN)" if chosen.data else "synthesised music"
        told_how = " --data DATA" if chosen.data else ""
        parts = [
            "# Benchmarks",
            "",
            f"Written by `python -m benchmarks{told_how}`. Machine: {machine()}. Input: {told}.",
        ]
        for name in chosen.sections or SECTIONS:
            print(f"measuring {name} ...", flush=True)
            parts += ["", SECTIONS[name](data)]
    PAGE.write_text("\n".join(parts) + "\n", encoding="utf-8")
    print(f"written: {PAGE}")


def _synthesised(folder: Path) -> str:
    from genrescope import synth

    synth.write_dataset(folder, artists=6, tracks=3, seconds=30.0, on_track=lambda done, total: None)
    return f"synth:{folder}"


if __name__ == "__main__":
    main()
