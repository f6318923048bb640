"""Why a genre: what happens to its score when a part of the spectrogram is hidden.

Occlusion (M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, 2014): a patch of time and
frequency is replaced by the song's quiet level, and the song is scored again. It needs nothing of a model but its
scores, so it works for networks, SVMs and ensembles alike. It shows which parts change the score most when they are
hidden, not how the model came to it; what stands in two patches at once may show in neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
import torch

from genrescope import audio
from genrescope.features.front_end import make, stored
from genrescope.features.kaldi import kaldi_centres
from genrescope.features.logmel import mel_centres
from genrescope.features.spec import KaldiSpec, LogMelSpec
from genrescope.features.windows import Windows
from genrescope.inference.explanation import Explanation, Grid
from genrescope.inference.scorer import Scorer, track_scores
from genrescope.inference.songs import rate_of, samples_of, source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from genrescope.features.front_end import Frames
    from genrescope.features.spec import Spec
    from genrescope.inference.scorer import TrackScores
    from genrescope.inference.songs import Song
    from genrescope.modelfile import Model

_QUIET = 0.1  # the quantile of a band over the song that a hidden patch has


OnWindow: TypeAlias = "Callable[[int, int], None]"


def explain(
    model: Model,
    song: Song,
    *,
    sample_rate: int | None = None,
    start: float = 0.0,
    end: float | None = None,
    on_window: OnWindow = lambda done, total: None,
) -> Explanation:
    """Hide each patch of a song in turn, and score the song without it, all its windows each time.

    Args:
        model: in memory.
        song: as `Classifier.predict` takes it.
        sample_rate: samples per second of an array or a tensor.
        start: seconds where the part begins that is explained; it is scored by itself.
        end: seconds where it ends; None stands for the end of the song.
        on_window: called with the windows that are done, and the windows in all.

    Raises:
        AudioError, TypeError: as `Classifier.predict`.
        ValueError: as `Classifier.predict`, or `start` and `end` are no part of the song.
    """
    refuse_part(start, end)
    spec = model.header.front_end
    name, pieces = waveform_of(song, spec.sample_rate, sample_rate)
    waveform = _part(pieces, round(start * spec.sample_rate), None if end is None else round(end * spec.sample_rate))
    if not len(waveform):
        raise ValueError(f"{name} ends before {start:g} s, where the part to explain begins")
    return explain_frames(model, stored([waveform], make(spec)), name=name, start=start, on_window=on_window)


def refuse_part(start: float, end: float | None) -> None:
    """Refuse what is no part of a song.

    Raises:
        ValueError: `start` is negative or no number, or `end` is not behind it.
    """
    if not 0 <= start < np.inf or (end is not None and not start < end < np.inf):
        raise ValueError(f"start={start}, end={end}; accepted are seconds, start from 0, and end after start")


def explain_frames(
    model: Model,
    frames: Frames,
    *,
    name: str,
    start: float = 0.0,
    on_window: OnWindow = lambda done, total: None,
) -> Explanation:
    """Explain frames of a song.

    Args:
        model: in memory.
        frames: (frames, features), of its front end, as a store has them.
        name: the song.
        start: seconds of the song where they begin.
        on_window: called with the windows that are done, and the windows in all.
    """
    spec, labels, scorer = model.header.front_end, model.header.labels, Scorer.of(model)
    grid, found = Grid.over(len(frames), spec), scorer.track(frames)
    drops = found.scores.numpy()[:, None, None] - _hidden(
        frames, scorer, found, grid, exclusive=model.header.exclusive, on_window=on_window
    )
    order = np.argsort(-found.scores.numpy(), kind="stable")
    return Explanation(
        name,
        {labels[place]: float(found.scores[place]) for place in order},
        {labels[place]: drops[place] for place in order},
        start + np.array([spec.seconds(frame) for frame in grid.frames]),
        band_edges(spec),
        frames,
        _centres(spec),
    )


def waveform_of(song: Song, rate: int, sample_rate: int | None) -> tuple[str, Iterable[audio.Wave]]:
    """Return a song's name and its waveform at a rate, in pieces.

    Raises:
        AudioError, TypeError, ValueError: as `Classifier.predict`.
    """
    samples = samples_of(song)
    if samples is not None:
        return "array", [audio.from_array(samples, rate=rate_of(sample_rate), to_rate=rate)]
    if sample_rate is not None:
        raise ValueError("a file states its own rate; give `sample_rate` only with an array of samples")
    _, name, source = source_of(cast("audio.File", song))
    return name, audio.blocks(source, rate=rate)


def _part(pieces: Iterable[audio.Wave], first: int, last: int | None) -> audio.Wave:
    """Return the samples of a waveform from `first` to `last`; what follows is not decoded."""
    kept, at = [np.empty(0, np.float32)], 0
    for piece in pieces:
        kept.append(piece[max(0, first - at) : None if last is None else max(0, last - at)])
        at += len(piece)
        if last is not None and at >= last:
            break
    return np.concatenate(kept)


def _hidden(
    frames: Frames, scorer: Scorer, found: TrackScores, grid: Grid, *, exclusive: bool, on_window: OnWindow
) -> npt.NDArray[np.float32]:
    """Return a track's scores without each patch, float32 (labels, bands, spans)."""
    bands, spans = grid.shape
    length = scorer.windows.frames
    quiet = np.quantile(frames, _QUIET, axis=0).astype(frames.dtype)
    without = found.window_scores.repeat(bands * spans, 1, 1)  # (patches, windows, labels)
    voting = found.voting
    for done, window in enumerate(voting.tolist()):
        on_window(done, len(voting))
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


def band_edges(spec: Spec) -> npt.NDArray[np.float64]:
    """Return where the bands of patches begin, and the end of the last, in Hz; of a waveform 0 and half its rate."""
    centres = _centres(spec)
    if not isinstance(spec, LogMelSpec | KaldiSpec):
        return np.array([0.0, spec.sample_rate / 2])
    inner = [(centres[edge - 1] + centres[edge]) / 2 for edge in Grid.over(1, spec).features[1:-1]]
    return np.array([spec.f_min, *inner, spec.f_max])
