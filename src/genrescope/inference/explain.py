"""Why a genre: what happens to its score when a part of the spectrogram is hidden.

Occlusion (M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, 2014): a patch of time and
frequency is replaced by the song's quiet level, and the song is scored again. It needs nothing of a model but its
scores, so it works for networks, SVMs and ensembles alike. It shows which parts change the score most when they are
hidden, not how the model came to it; what stands in two patches at once may show in neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from genrescope import audio
from genrescope.features.front_end import make, stored
from genrescope.features.kaldi import kaldi_centres
from genrescope.features.logmel import mel_centres
from genrescope.features.spec import KaldiSpec, LogMelSpec
from genrescope.features.windows import Windows
from genrescope.inference.scorer import Scorer, track_scores
from genrescope.inference.songs import rate_of, samples_of, source_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from genrescope.features.front_end import Frames
    from genrescope.features.spec import Spec
    from genrescope.inference.scorer import TrackScores
    from genrescope.inference.songs import Song
    from genrescope.modelfile import Model

BANDS, MOST_SPANS = 8, 40
SPAN_SECONDS = 0.75
_QUIET = 0.1  # the quantile of a band over the song that a hidden patch has


@dataclass(frozen=True)
class Grid:
    """Patches of time and frequency.

    Attributes:
        frames: first frame of each span of time, and the end of the last.
        features: first feature of each band, and the end of the last.
    """

    frames: tuple[int, ...]
    features: tuple[int, ...]

    @classmethod
    def over(cls, frames: int, spec: Spec) -> Grid:
        """Return patches of about 0.75 s, or 40 spans in a longer song, by an eighth of the mel bands."""
        spans = int(np.clip(round(spec.seconds(frames) / SPAN_SECONDS), 1, min(MOST_SPANS, frames)))
        bands = min(BANDS, spec.width)
        return cls(_edges(frames, spans), _edges(spec.width, bands))

    @property
    def shape(self) -> tuple[int, int]:
        """How many bands and spans there are."""
        return len(self.features) - 1, len(self.frames) - 1


@dataclass(frozen=True)
class Explanation:
    """Where the evidence for the genres of a song lies.

    Attributes:
        name: the song.
        scores: by label, the highest first.
        drops: by label, float32 (bands, spans): how much its score falls when a patch is hidden; negative where it
            rises.
        times: (spans + 1,), seconds where spans begin, and the end of the last.
        hertz: (bands + 1,), frequencies where bands begin, and the end of the last; of a waveform 0 and half its rate.
        spectrogram: (frames, features), what the model takes.
        centres: (features,), frequency in the middle of every feature, in Hz; of a waveform empty.
    """

    name: str
    scores: dict[str, float]
    drops: dict[str, npt.NDArray[np.float32]] = field(repr=False)
    times: npt.NDArray[np.float64] = field(repr=False)
    hertz: npt.NDArray[np.float64] = field(repr=False)
    spectrogram: Frames = field(repr=False)
    centres: npt.NDArray[np.float64] = field(repr=False)

    @property
    def genre(self) -> str:
        """The label with the highest score."""
        return next(iter(self.scores))

    def strongest(self, label: str, count: int = 3) -> list[tuple[float, float, float, float, float]]:
        """Return the patches whose hiding costs a label most: start, end, lowest and highest frequency, and drop."""
        drops = self.drops[label]
        order = np.argsort(-drops, axis=None, kind="stable")[:count]
        places = zip(*np.unravel_index(order, drops.shape), strict=True)
        return [
            (
                float(self.times[t]), float(self.times[t + 1]), float(self.hertz[b]), float(self.hertz[b + 1]),
                float(drops[b, t]),
            )
            for b, t in places
        ]  # fmt: skip


def explain(model: Model, song: Song, *, sample_rate: int | None = None) -> Explanation:
    """Hide each patch of a song in turn, and score the song without it, all its windows each time.

    Args:
        model: in memory.
        song: as `Classifier.predict` takes it.
        sample_rate: samples per second of an array or a tensor.

    Raises:
        AudioError, TypeError, ValueError: as `Classifier.predict`.
    """
    spec, labels, scorer = model.header.front_end, model.header.labels, Scorer.of(model)
    name, waveform = waveform_of(song, spec.sample_rate, sample_rate)
    frames = stored([waveform], make(spec))
    grid, found = Grid.over(len(frames), spec), scorer.track(frames)
    drops = found.scores.numpy()[:, None, None] - _hidden(frames, scorer, found, grid, model.header.exclusive)
    order = np.argsort(-found.scores.numpy(), kind="stable")
    centres = _centres(spec)
    return Explanation(
        name,
        {labels[place]: float(found.scores[place]) for place in order},
        {labels[place]: drops[place] for place in order},
        np.array([spec.seconds(frame) for frame in grid.frames]),
        _borders(centres, grid, spec),
        frames,
        centres,
    )


def waveform_of(song: Song, rate: int, sample_rate: int | None) -> tuple[str, audio.Wave]:
    """Return a song's name and its waveform at a rate.

    Raises:
        AudioError, TypeError, ValueError: as `Classifier.predict`.
    """
    samples = samples_of(song)
    if samples is not None:
        return "array", audio.from_array(samples, rate=rate_of(sample_rate), to_rate=rate)
    if sample_rate is not None:
        raise ValueError("a file states its own rate; give `sample_rate` only with an array of samples")
    _, name, source = source_of(cast("audio.File", song))
    return name, audio.decode(source, rate=rate)


def _hidden(frames: Frames, scorer: Scorer, found: TrackScores, grid: Grid, exclusive: bool) -> npt.NDArray[np.float32]:
    """Return a track's scores without each patch, float32 (labels, bands, spans)."""
    bands, spans = grid.shape
    length = scorer.windows.frames
    quiet = np.quantile(frames, _QUIET, axis=0).astype(frames.dtype)
    without = found.window_scores.repeat(bands * spans, 1, 1)  # (patches, windows, labels)
    voting = found.voting
    for window in voting.tolist():
        start = found.starts[window]
        touched = [
            span for span in range(spans) if grid.frames[span] < start + length and grid.frames[span + 1] > start
        ]
        patches = [(band, span) for band in range(bands) for span in touched]
        piece = frames[start : start + length]
        copies = np.stack([_without(piece, start, grid, patch, quiet) for patch in patches])
        scores = _scored(copies, scorer)
        without[[band * spans + span for band, span in patches], window] = scores
    owners = torch.zeros_like(voting)
    pooled = [
        track_scores(each[voting], owners, count=1, pooling=scorer.windows.pooling, exclusive=exclusive)[0]
        for each in without
    ]
    return torch.stack(pooled, dim=1).reshape(-1, bands, spans).numpy()


def _without(piece: Frames, start: int, grid: Grid, patch: tuple[int, int], quiet: npt.NDArray[np.floating]) -> Frames:
    """Return a window's frames with a patch at the quiet level."""
    band, span = patch
    hidden = piece.copy()
    low, high = grid.features[band], grid.features[band + 1]
    first, end = max(0, grid.frames[span] - start), grid.frames[span + 1] - start
    hidden[first:end, low:high] = quiet[low:high]
    return hidden


def _scored(copies: Frames, scorer: Scorer) -> torch.Tensor:
    """Return the probabilities of windows that are given as frames of shape (windows, frames, features)."""
    count, frames = copies.shape[:2]
    starts = torch.arange(count) * frames
    bank = scorer.bank(copies.reshape(count * frames, -1))
    return scorer.window_scores(bank, Windows(starts, starts + frames, torch.arange(count)))


def _centres(spec: Spec) -> npt.NDArray[np.float64]:
    if isinstance(spec, LogMelSpec):
        return mel_centres(spec)
    return kaldi_centres(spec) if isinstance(spec, KaldiSpec) else np.empty(0)


def _borders(centres: npt.NDArray[np.float64], grid: Grid, spec: Spec) -> npt.NDArray[np.float64]:
    """Return the frequencies between bands: half way between the centres on both sides."""
    if not len(centres):
        return np.array([0.0, spec.sample_rate / 2])
    inner = [(centres[edge - 1] + centres[edge]) / 2 for edge in grid.features[1:-1]]
    return np.array([spec.f_min, *inner, spec.f_max])


def _edges(length: int, parts: int) -> tuple[int, ...]:
    return tuple(round(length * part / parts) for part in range(parts + 1))
