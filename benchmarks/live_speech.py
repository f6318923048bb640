"""How well `genrescope live` tells speech from music: `python -m benchmarks.live_speech SPEECH MUSIC [--fit]`.

SPEECH is a folder in which each folder that holds files is one speaker (LibriSpeech, unpacked, is one). MUSIC is DATA
with artists. Half of the speakers and half of the artists choose the weights of `genrescope.inference.speech` and when
speech begins (`--fit` prints them); the report is on the others.

A speaker's files are joined, up to two minutes. They are played between two pieces of music of 12 seconds, and said
within 6 seconds where speech is shown by then. Music is played clip by clip; what counts is the time that it is called
speech, though there is singing and rap in it.

Weights are those of a logistic regression on measurements of 3 seconds; speakers are there three times, as they are and
with noise 20 and 12 dB below them. Noise alone, even or rising and falling as applause does, is in the report only.
Speech begins at the highest of several logits at which 98 % of the speakers are found within 6 seconds, each by weights
that were chosen without it.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope import audio
from genrescope.errors import AudioError
from genrescope.evaluation.metrics import wilson
from genrescope.features.speech_measures import SECONDS, measures
from genrescope.inference.speech import MEASUREMENTS, Speech
from genrescope.sources.data import read_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[Any]

RATE, LONGEST, AROUND, WITHIN, SEED = 16_000, 120.0, 12.0, 6.0, 5
NOISES = (20.0, 12.0)  # dB below the speech
STEPS, WANTED, APART = np.arange(0.0, 4.0, 0.5), 0.98, 1.0  # of `BEGINS`; APART from it is `ENDS`
STRENGTH = 0.03  # the inverse of the regularisation
FOLDS, NOISE = 5, 60


@dataclass(frozen=True, eq=False)
class Passage:
    """Sound of one kind.

    Attributes:
        source: who speaks, or who plays.
        kind: the corpus, or the genre.
        is_speech: which of them.
        wave: the sound at `RATE`.
    """

    source: str
    kind: str
    is_speech: bool
    wave: Floats

    @property
    def chooses(self) -> bool:
        """Whether it belongs to the half that chooses."""
        return hashlib.sha256(self.source.encode()).digest()[0] % 2 == 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_speech", description=__doc__)
    parser.add_argument("speech", type=Path)
    parser.add_argument("music")
    parser.add_argument("--fit", action="store_true", help="print the weights, and nothing else")
    given = parser.parse_args()
    passages = [*speakers(given.speech), *clips(given.music)]
    if given.fit:
        fit([each for each in passages if each.chooses])
    else:
        print(report([each for each in passages if not each.chooses]))


def speakers(folder: Path) -> Iterator[Passage]:
    """Yield what each speaker says, by folder."""
    for place in sorted({path.parent for path in folder.rglob("*") if path.is_file()}):
        waves = []
        for path in sorted(place.iterdir()):
            try:
                waves.append(audio.decode(path, rate=RATE))
            except AudioError:
                print(f"left out: {path}")
        wave = np.concatenate(waves)[: int(LONGEST * RATE)] if waves else np.empty(0, np.float32)
        if len(wave) >= (WITHIN + SECONDS) * RATE:
            kind = place.relative_to(folder).parts[0]
            yield Passage(str(place.relative_to(folder)), kind, True, wave)


def clips(data: str) -> Iterator[Passage]:
    """Yield clips of music."""
    for track in read_data(data)[1]:
        yield Passage(f"artist {track.group}", track.genre, False, audio.decode(track.path, rate=RATE))


# -- choosing -----------------------------------------------------------------------------------------------------


def fit(passages: Sequence[Passage]) -> None:
    """Print the weights, and when speech begins."""
    random = np.random.default_rng(SEED)
    rows = [(each, cut(each.wave)) for each in passages]
    rows += [(each, cut(noisy(each.wave, below, random))) for each in passages if each.is_speech for below in NOISES]
    x = np.concatenate([measures(windows, RATE) for _, windows in rows])
    speech = np.concatenate([np.full(len(windows), each.is_speech) for each, windows in rows])
    sources = np.concatenate([np.full(len(windows), each.source) for each, windows in rows])
    weights, bias = learnt(x, speech)
    lengths = [len(windows) for _, windows in rows]
    begins = chosen(rows, np.split(left_out(x, speech, sources), np.cumsum(lengths)[:-1]))
    artists = {each.source for each in passages if not each.is_speech}
    print(f"{len(set(sources[speech]))} speakers, {len(artists)} artists, {len(x)} measurements")
    print("WEIGHTS =", "(" + ", ".join(f"{each:.4g}" for each in weights) + ")", f"\nBIAS = {bias:.4g}")
    print(f"BEGINS, ENDS = {begins}, {begins - APART}")


def cut(wave: Floats) -> Floats:
    """Return a measurement's sound each second, of shape (measurements, samples)."""
    length = round(SECONDS * RATE)
    windows: Floats = np.lib.stride_tricks.sliding_window_view(wave, length)[::RATE].astype(np.float32)
    return windows


def noise_of(length: int, random: np.random.Generator) -> Floats:
    """Return noise somewhere between white and brown."""
    spectrum = np.fft.rfft(random.standard_normal(length))
    found: Floats = np.fft.irfft(spectrum / np.maximum(1, np.arange(len(spectrum))) ** random.uniform(0, 1), length)
    return found


def noises(random: np.random.Generator) -> Iterator[Passage]:
    """Yield passages of noise, every second one rising and falling."""
    seconds = np.arange(round(AROUND * RATE)) / RATE
    for number in range(NOISE):
        wave = noise_of(len(seconds), random)
        wave *= 0.1 / wave.std()
        if number % 2:
            wave *= 10 ** (0.5 * np.sin(2 * np.pi * random.uniform(0.05, 0.3) * seconds + random.uniform(0, 6)))
        yield Passage(f"noise {number}", "noise", False, wave.astype(np.float32))


def noisy(wave: Floats, below: float, random: np.random.Generator) -> Floats:
    """Return a wave with noise."""
    noise = noise_of(len(wave), random)
    share = np.sqrt(np.mean(np.square(wave)) / np.mean(np.square(noise)) / 10 ** (below / 10))
    found: Floats = (wave + share * noise).astype(np.float32)
    return found


def learnt(x: Floats, speech: Floats) -> tuple[Floats, float]:
    """Return weights and bias of a logistic regression in which speech and music weigh the same."""
    from sklearn.linear_model import LogisticRegression

    mean, spread = x.mean(axis=0), x.std(axis=0)
    model = LogisticRegression(C=STRENGTH, max_iter=5000, class_weight="balanced").fit((x - mean) / spread, speech)
    weights = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - weights @ mean)


def left_out(x: Floats, speech: Floats, sources: Floats) -> Floats:
    """Return the logit of each measurement by weights that were chosen without its speaker or artist."""
    from sklearn.model_selection import GroupKFold

    found = np.empty(len(x))
    for own, others in GroupKFold(FOLDS).split(x, groups=sources):
        weights, bias = learnt(x[own], speech[own])
        found[others] = x[others] @ weights + bias
    return found


def chosen(rows: Sequence[tuple[Passage, Floats]], logits: Sequence[Floats]) -> float:
    """Print what each logit at which speech may begin would do, and return the one that is chosen."""
    clean = {each.source: found for (each, _), found in reversed([*zip(rows, logits, strict=True)]) if each.is_speech}
    music = np.concatenate([means(found) for (each, _), found in zip(rows, logits, strict=True) if not each.is_speech])
    best = float(STEPS[0])
    for begins in STEPS:
        share = np.mean([means(found)[0] > begins for found in clean.values()])
        print(f"from {begins}: {share:.1%} of the speakers in {WITHIN:g} s; {np.mean(music > begins):.2%} of the music")
        best = float(begins) if share >= WANTED else best
    return best


def means(logits: Floats) -> Floats:
    """Return the means of neighbours, as `Speech` has them."""
    return np.convolve(logits, np.full(MEASUREMENTS, 1 / MEASUREMENTS), "valid")


# -- the report ---------------------------------------------------------------------------------------------------


def report(passages: Sequence[Passage]) -> str:
    """Return how well speech and music of the other half are told apart."""
    music = [each for each in passages if not each.is_speech]
    around = itertools.cycle(each.wave[: int(AROUND * RATE)] for each in music[:: max(1, len(music) // 97)])
    spoken = {each: between(each, next(around), next(around)) for each in passages if each.is_speech}
    lines = [f"## Speech and music, {len(spoken)} speakers, {len(music)} clips", "", *_of_speech(spoken), ""]
    played = [*_of_music(music), *_of_music([*noises(np.random.default_rng(SEED))])]
    return "\n".join([*lines, *played])


def between(passage: Passage, before: Floats, after: Floats) -> Floats:
    """Return whether speech was shown, each second from the beginning of a passage that is played between music."""
    shown = states(np.concatenate([before, passage.wave, after]))
    return shown[len(before) // RATE :]


def states(wave: Floats) -> Floats:
    """Return whether speech is shown after each second of sound."""
    speech = Speech(RATE)
    for _ in speech.passing([wave]):
        pass
    return np.array([bool(speech.at(float(second))) for second in range(1, len(wave) // RATE + 1)])


def _of_speech(spoken: dict[Passage, Floats]) -> Iterator[str]:
    kinds = defaultdict(list)
    for passage in spoken:
        kinds[passage.kind].append(passage)
    for kind, some in [*sorted(kinds.items()), ("all", [*spoken])]:
        soon = sum(bool(spoken[each][: int(WITHIN)].any()) for each in some)
        low, high = wilson(soon, len(some))
        held, delays, over = [], [], []
        for each in some:
            length = len(each.wave) // RATE
            held.append(spoken[each][int(WITHIN) : length].mean())
            first = np.flatnonzero(spoken[each][:length])
            delays.append(first[0] + 1 if len(first) else np.inf)
            rest = np.flatnonzero(~spoken[each][length:])
            over.append(rest[0] + 1 if len(rest) else np.inf)
        yield (
            f"{kind}: {soon} of {len(some)} said within {WITHIN:g} s ({soon / len(some):.0%}, {low:.0%} to "
            f"{high:.0%}); delay median {np.median(delays):.0f} s, p90 {np.percentile(delays, 90, method='lower'):.0f} "
            f"s; after {WITHIN:g} s said {np.mean(held):.0%} of the time; over after {np.median(over):.0f} s of music"
        )


def _of_music(music: Sequence[Passage]) -> Iterator[str]:
    found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for each in music:
        shown = states(each.wave)
        for kind in (each.kind, "all") if each.kind != "noise" else ("noise",):
            found[kind].append((each.source, int(shown.sum()), len(shown)))
    random = np.random.default_rng(SEED)
    for kind, rows in found.items():
        artists = {source for source, _, _ in rows}
        own = [[row[1:] for row in rows if row[0] == artist] for artist in artists]
        sums = np.array([np.sum(each, axis=0) for each in own])
        drawn = sums[random.integers(0, len(sums), (2000, len(sums)))].sum(axis=1)
        low, high = np.percentile(drawn[:, 0] / drawn[:, 1], [2.5, 97.5])
        called, seconds = sums.sum(axis=0)
        clips_called = sum(each > 0 for _, each, _ in rows)
        least, most = wilson(clips_called, len(rows))
        yield (
            f"{kind}: called speech {called} of {seconds} s ({called / seconds:.2%}, {low:.2%} to {high:.2%} over "
            f"artists), in {clips_called} of {len(rows)} clips ({least:.1%} to {most:.1%}) of {len(artists)} artists"
        )


if __name__ == "__main__":
    main()
