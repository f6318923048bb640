"""Windows of several songs in one batch, or each song by itself: `python -m benchmarks.joined_songs CLIPS MODEL...`.

The songs are decoded before. Times the scores of 16 clips of 30 s: by as many threads as there are cores, each with a
song of its own, and by batches of 2 to 8 songs, with the threads that torch takes for them. Prints a Markdown table.
"""

from __future__ import annotations

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import in_turn, machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.inference.classifier import Classifier
    from genrescope.inference.predictor import DecodedSong

SONGS, RUNS, JOINED = 16, 3, (2, 4, 8)


def main(folder: str, *models: str) -> None:
    import torch

    import genrescope

    clips = [path for path in sorted(Path(folder).glob("*/*")) if path.is_file()][:: 354 // SONGS][:SONGS]
    print(f"{machine()}; {SONGS} clips of 30 s, median of {RUNS} interleaved runs, songs a second\n")
    print(f"| model | a song a thread | {' | '.join(f'{count} songs a batch' for count in JOINED)} |")
    print(f"|{'---|' * (2 + len(JOINED))}")
    for name in models:
        classifier = genrescope.load(name, device="cpu")
        songs = [classifier.decode(clip) for clip in clips]
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:
            ways: dict[str, Callable[[], object]] = {"each": partial(_each, threads, classifier, songs)}
            ways |= {str(count): partial(joined, classifier, songs, count) for count in JOINED}
            found = in_turn(ways, runs=RUNS)
        rates = [f"{SONGS / statistics.median(seconds):.1f}" for seconds in found.seconds.values()]
        print(f"| {Path(name).name} | {' | '.join(rates)} |", flush=True)


def _each(threads: ThreadPoolExecutor, classifier: Classifier, songs: Sequence[DecodedSong]) -> None:
    list(threads.map(classifier.predict_decoded, songs))


def joined(classifier: Classifier, songs: Sequence[DecodedSong], count: int) -> None:
    """Score songs, so many in each batch."""
    import torch

    from genrescope.inference.scorer import Scorer

    scorer = Scorer.of(classifier.model)
    length = scorer.windows.frames
    with torch.inference_mode():
        for first in range(0, len(songs), count):
            images = [
                torch.from_numpy(song.frames[start : start + length].T.copy()).float()[None]
                for song in songs[first : first + count]
                for start in scorer.starts(song.frames)
            ]
            scorer.probabilities(classifier.model.network(torch.stack(images)))


if __name__ == "__main__":
    main(*sys.argv[1:])
