"""The level of frames, measured on the frames alone, so that a store and a file agree on what is silence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

Levels = npt.NDArray[np.float32]

SILENCE = 1e-3
"""Amplitude (root mean square) below which a moment counts as silent: -60 dB of full scale."""
_MOMENT = 0.05  # seconds, where a frame is a single sample
_ENERGY = {"hamming": 0.54**2 + 0.46**2 / 2, "hann": 0.375}  # mean of the squared window


def silent_windows(
    frames: npt.NDArray[np.floating[Any]], starts: Sequence[int], length: int, spec: Spec
) -> npt.NDArray[np.bool_]:
    """Return which windows hold no moment that is louder than silence.

    Args:
        frames: a track's frames, (frames, width).
        starts: first frame of each window.
        length: frames in a window; the last one may reach beyond the end.
        spec: the front end that made the frames.

    Example:
        >>> from genrescope.features.spec import WaveSpec
        >>> wave = np.concatenate([np.zeros(16_000), 0.1 * np.ones(16_000)]).astype(np.float32)
        >>> silent_windows(wave[:, None], [0, 8_000, 16_000], 16_000, WaveSpec(16_000)).tolist()
        [True, False, False]
    """
    loud = np.concatenate([[0], np.cumsum(levels(frames, spec) >= SILENCE)])
    begin = np.minimum(np.asarray(starts, dtype=np.int64), len(frames))
    silent: npt.NDArray[np.bool_] = loud[np.minimum(begin + length, len(frames))] == loud[begin]
    return silent


def levels(frames: npt.NDArray[np.floating[Any]], spec: Spec) -> Levels:
    """Return the amplitude of each frame's sound (root mean square; 1 is full scale), float32 (frames,).

    Neighbouring triangles of a mel filterbank add up to one, so the powers of the bands, each by its triangle's
    height, add up to half of the frame's power spectrum. By Parseval's theorem that is `n_fft / 2` times the energy
    of the windowed frame.
    """
    if isinstance(spec, LogMelSpec):
        return _of_log_mel(frames, spec)
    if isinstance(spec, KaldiSpec):
        return _of_kaldi(frames, spec)
    moment = round(_MOMENT * spec.sample_rate)
    edges = np.arange(0, len(frames), moment)
    squares = np.add.reduceat(np.square(frames[:, 0], dtype=np.float32), edges)
    counts = np.diff(edges, append=len(frames))
    return np.repeat(np.sqrt(squares / counts), counts)


def band_weights(spec: LogMelSpec) -> Levels:
    """Return what the powers of a frame's bands are weighted with to add up to its mean square, float32 (n_mels,)."""
    from genrescope.features.logmel import mel_edges

    edges = mel_edges(spec)
    heights = 2 / (edges[2:] - edges[:-2])  # Slaney's norm: triangles of area one
    weights: Levels = (2 / (spec.n_fft**2 * _ENERGY[spec.window] * heights)).astype(np.float32)
    return weights


def _of_log_mel(frames: npt.NDArray[np.floating[Any]], spec: LogMelSpec) -> Levels:
    values = frames.astype(np.float32)
    power = np.exp(values) - np.float32(spec.floor) if spec.compression == "log" else (10**values - 1) / spec.gain
    found: Levels = np.sqrt(np.maximum(power, 0) @ band_weights(spec))
    return found


def _of_kaldi(frames: npt.NDArray[np.floating[Any]], spec: KaldiSpec) -> Levels:
    from genrescope.features.kaldi import kaldi_centres

    power = np.exp(frames.astype(np.float32) * (2 * spec.std) + spec.mean) - np.float32(spec.floor * 1.05)
    angle = 2 * np.pi * kaldi_centres(spec) / spec.sample_rate
    emphasis = 1 - 2 * spec.pre_emphasis * np.cos(angle) + spec.pre_emphasis**2
    energy = spec.win_length * _ENERGY["hann"]
    found: Levels = np.sqrt(
        np.maximum(power / emphasis.astype(np.float32), 0).sum(axis=1) * (2 / (spec.n_fft * energy))
    )
    return found.astype(np.float32)
