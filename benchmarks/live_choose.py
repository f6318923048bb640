"""How live is to smooth, and how often a change must be seen: `python -m benchmarks.live_choose DATA [--folder DIR]`.

DATA is that of `benchmarks.live`. Smoothings, margins and numbers of windows that must agree are compared on the half
of the artists that its model is trained on: mixes of a quarter of them at a time, by a model of the others. Nothing of
the mix that `benchmarks.live` plays is used here.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import genrescope
from benchmarks import mixes
from benchmarks.live import SEED, Followed, folds, followed, store_of, trained
from genrescope import audio
from genrescope.inference import stream as streams
from genrescope.inference.averages import Reading
from genrescope.inference.playing import Playing
from genrescope.modelfile import shelf

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.mixes import Passage
    from genrescope.inference.averages import Window
    from genrescope.inference.chunks import Run
    from genrescope.inference.verdict import Verdict
    from genrescope.sources.track import Track

SMOOTHINGS, MARGINS, AGAINS = (0.0, 2.0, 4.0, 6.0, 8.0, 12.0), (0.0, 0.1, 0.2, 0.3), (2, 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_choose", description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--folder", help="keep the store and the models there; by default nothing is kept")
    parser.add_argument("--model", help="a model that is trained already, such as `genres`, on all of these artists")
    given = parser.parse_args()
    with contextlib.ExitStack() as held:
        choose(given.data, Path(given.folder or held.enter_context(tempfile.TemporaryDirectory())), given.model)


def choose(data: str, folder: Path, model: str | None = None) -> None:
    """Print how each smoothing and margin does on the clips that are not in the mix."""
    store, tracks = store_of(data, folder)
    own, _ = folds(store, tracks, 2)
    heard = []
    for number, played in enumerate([own] if model else folds(store, own, 4)):
        others = [track for track in own if track not in played]
        path = trained(store, others, folder / f"fold-{number}") if model is None else shelf.get(model)[1]
        heard.append(_windows(path, mixes.order(played, seed=SEED)))
    for again, smoothing, margin in itertools.product(AGAINS, SMOOTHINGS, MARGINS):
        parts = [_simulated(*each, smoothing=smoothing, margin=margin, again=again) for each in heard]
        print(f"{again} windows, smoothing {smoothing:4.1f} s, margin {margin:.2f}: {_together(parts)}", flush=True)


class _Recorded(Playing):
    """Keeps the windows that it is given."""

    windows: list[Window]

    def see(self, window: Window, run: Run) -> Verdict | None:
        self.windows.append(window)
        return super().see(window, run)


def _windows(model: Path, passages: Sequence[Sequence[Track]]) -> tuple[Reading, list[Window], list[Passage]]:
    """Return the windows of a mix, scored, and its passages."""
    classifier = genrescope.load(model, device="cpu")
    stream = streams.Stream(classifier.header, classifier._scorer, every=1.0, keep_up=False, threads=1)
    reading, found = Reading(classifier.header), list[mixes.Passage]()
    stream._playing = recorded = _Recorded(reading, every=1.0)
    recorded.windows = []
    for _ in stream.verdicts(mixes.joined(passages, found), audio.SAMPLE_RATE):
        pass
    return reading, recorded.windows, found


class _Endless:
    """A run that has everything."""

    seconds, lost = float("inf"), 0.0

    def received(self, seconds: float) -> float:
        return time.monotonic()


def _simulated(reading: Reading, windows: Sequence[Window], passages: Sequence[Passage], **options: Any) -> Followed:
    playing, run = Playing(reading, every=1.0, **options), _Endless()
    verdicts = [playing.see(window, run) for window in windows]  # type: ignore[arg-type]  # it has what is asked for
    return followed([(each.time, each.genre) for each in verdicts if each is not None], passages)


def _together(parts: Sequence[Followed]) -> Followed:
    hours = sum(part.hours for part in parts)
    return Followed(
        tuple(itertools.chain.from_iterable(part.delays for part in parts)), sum(part.changes for part in parts),
        sum(part.false for part in parts), sum(part.right * part.hours for part in parts) / hours, hours,
    )  # fmt: skip


if __name__ == "__main__":
    main()
