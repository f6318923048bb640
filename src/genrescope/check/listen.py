"""Decode a file once and measure everything that the rules of `check` need."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope import audio
from genrescope.errors import AudioError, reason_of
from genrescope.features.front_end import parts
from genrescope.features.level import SILENCE
from genrescope.splits.landmarks import landmarks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio import AudioInfo, Samples, Wave
    from genrescope.features.logmel import LogMel
    from genrescope.sources.track import Track
    from genrescope.splits.landmarks import Landmarks

_MOMENT = 0.05  # seconds
_FULL_SCALE = 32_766 / 32_768  # the two highest values that 16 bits hold
_FLAT = 3  # samples in a row at the same extreme make a flat top
_SEGMENT = 2048  # samples: 10.8 Hz to a bin
_BAND = 10  # bins: 108 Hz
_LOWEST_CLIFF = 10  # bands: no cliff is sought below 1 kHz
_FLOOR = 1e-14  # -140 dB
_ABSURD = 1e12  # amplitude: sums of squares beyond overflow; floats scaled as 32-bit integers stay below


@dataclass(frozen=True)
class FileMeasurements:
    """What was measured of a file.

    Attributes:
        id: the track's id.
        bytes: the file's size.
        mtime_ns: when it was last changed; with the size it tells whether the file must be read again.
        fault: `empty`, `truncated`, `damaged`, `non-finite`, `unreadable`, or nothing.
        reason: what the decoders said; empty without a fault.
        seconds: length of the decoded sound; of a file with a fault, how much of it was decoded.
        sample_rate: of the file, per second.
        channels: of the file.
        codec: container and coding in the decoder's words.
        peak: greatest amplitude, 1 is full scale.
        silent: share of moments of 0.05 s whose level is below -60 dB of full scale.
        spread: greatest less smallest sample; 0 for a constant.
        clipped: share of samples in flat tops: three or more in a row at full scale or at the file's own extreme.
        balance: level of the louder channel above the other, in dB; 0 for mono.
        cancelled: level that mixing to mono takes away, in dB: 0 where both channels are equal, 3 where they have
            nothing in common, large where one is the other upside down.
        cutoff: frequency of the steepest fall of the spectrum that nothing rises above again, in Hz.
        cliff: how far the spectrum falls there, in dB.
        digest: equal for equal samples, whatever the container.
        marks: landmarks, for near duplicates.
    """

    id: str
    bytes: int = 0
    mtime_ns: int = 0
    fault: str = ""
    reason: str = ""
    seconds: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    codec: str = ""
    peak: float = 0.0
    silent: float = 0.0
    spread: float = 0.0
    clipped: float = 0.0
    balance: float = 0.0
    cancelled: float = 0.0
    cutoff: float = 0.0
    cliff: float = 0.0
    digest: str = ""
    marks: Landmarks = field(default_factory=lambda: np.zeros(0, np.int32), compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` takes, ready for JSON."""
        facts = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return facts | {"marks": base64.b85encode(self.marks.astype("<i4").tobytes()).decode()}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> FileMeasurements:
        """Return what `to_dict` was made of.

        Raises:
            TypeError: the facts are those of another version.
        """
        marks = np.frombuffer(base64.b85decode(facts["marks"]), dtype="<i4").astype(np.int32)
        return cls(**facts | {"marks": marks})


def listen(track: Track, log_mel: LogMel) -> FileMeasurements:
    """Decode a track's file once and measure it; what cannot be decoded is reported, not raised."""
    size = mtime = 0
    mono = _Mono()
    try:
        stat = track.path.stat()
        size, mtime = stat.st_size, stat.st_mtime_ns
        with np.errstate(over="ignore", invalid="ignore"):  # of absurd samples, which are reported instead
            return _measured(track, log_mel, mono, size, mtime)
    except Exception as error:  # one bad file never stops a run, whatever a decoder throws
        fault = error.fault if isinstance(error, AudioError) else "unreadable"
        seconds = round(mono.samples / log_mel.spec.sample_rate, 4)
        return FileMeasurements(track.id, size, mtime, fault, reason_of(error), seconds)


def _measured(track: Track, log_mel: LogMel, mono: _Mono, size: int, mtime: int) -> FileMeasurements:
    source = _Source()
    blocks = audio.blocks(track.path, rate=log_mel.spec.sample_rate, observe=source.add)
    marks = landmarks_of(parts(mono.passing(blocks), log_mel))
    if source.peak > _ABSURD:
        return FileMeasurements(
            track.id, size, mtime, "non-finite", f"samples as large as {source.peak:.0e}; full scale is 1"
        )
    cutoff, cliff = _cliff(mono.spectrum(), log_mel.spec.sample_rate)
    return FileMeasurements(
        id=track.id,
        bytes=size,
        mtime_ns=mtime,
        seconds=round(mono.samples / log_mel.spec.sample_rate, 4),
        **source.facts(),
        silent=round(mono.silent / max(1, mono.moments), 4),
        cutoff=round(cutoff),
        cliff=round(cliff, 1),
        digest=mono.digest.hexdigest(),
        marks=marks,
    )


class _Source:
    """Measures the sound as the file holds it: at its own rate, in its own channels."""

    def __init__(self) -> None:
        self.info: AudioInfo | None = None
        self.peak = 0.0
        self.low, self.high = math.inf, -math.inf
        self.clipped = self.samples = 0
        self.energy: npt.NDArray[np.float64] = np.zeros(1)
        self.mixed_energy = 0.0

    def add(self, info: AudioInfo, chunk: Samples) -> None:
        """Take a block of (frames, channels)."""
        self.info = info
        low, high = float(chunk.min()), float(chunk.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.peak = max(self.peak, abs(low), abs(high))
        self.samples += chunk.size
        self.clipped += _flat_tops(chunk, low, high)
        # Sums of squares in single precision are exact enough for a level in dB.
        energy = np.einsum("ij,ij->j", chunk, chunk).astype(np.float64)
        self.energy = self.energy + energy
        mix = chunk @ np.full(chunk.shape[1], 1 / chunk.shape[1], np.float32)  # numpy's mean of a short axis crawls
        self.mixed_energy += float(mix @ mix)

    def facts(self) -> dict[str, Any]:
        """Return what was measured, under the names that `FileMeasurements` has for it."""
        assert self.info is not None
        loudest, softest = float(self.energy.max()), float(self.energy.min())
        mean = float(self.energy.mean())
        audible = loudest > 0
        return {
            "sample_rate": self.info.sample_rate,
            "channels": self.info.channels,
            "codec": self.info.codec,
            "peak": round(self.peak, 6),
            "spread": self.high - self.low,
            "clipped": round(self.clipped / max(1, self.samples), 7),
            "balance": round(_decibel(loudest / max(softest, loudest * 1e-12)), 1) if audible else 0.0,
            "cancelled": round(_decibel(mean / max(self.mixed_energy, mean * 1e-12)), 1) if audible else 0.0,
        }


def _flat_tops(chunk: Samples, low: float, high: float) -> int:
    """Count the samples in runs of three or more at full scale, or exactly at the block's own extremes.

    Sound that was clipped and then made softer has its flat tops below full scale, all of one height. What is softer
    than -20 dB is left alone: the last bits of faint sound are full of such runs.
    """
    if max(-low, high) < 0.1:
        return 0
    count = 0
    for channel in chunk.T:
        for top in (channel >= min(high, _FULL_SCALE), channel <= max(low, -_FULL_SCALE)):
            at = np.flatnonzero(top)
            if len(at) >= _FLAT:
                edges = np.flatnonzero(np.diff(at, prepend=-9, append=at[-1] + 9) != 1)
                runs = np.diff(edges)
                count += int(runs[runs >= _FLAT].sum())
    return count


class _Mono:
    """Measures the waveform that is a model's input."""

    def __init__(self) -> None:
        self.samples = self.moments = self.silent = 0
        self.digest = hashlib.blake2b(digest_size=16)
        self._power: npt.NDArray[np.float64] = np.zeros(_SEGMENT // 2 + 1)
        self._window = np.hanning(_SEGMENT).astype(np.float32)

    def passing(self, blocks: Iterator[Wave]) -> Iterator[Wave]:
        """Measure the blocks as they pass."""
        for block in blocks:
            self._add(block)
            yield block

    def spectrum(self) -> npt.NDArray[np.float64]:
        """Return the power by bins of 10.8 Hz, summed over all segments that are not silent."""
        return self._power

    def _add(self, block: Wave) -> None:
        self.samples += len(block)
        self.digest.update((block + np.float32(0)).tobytes())  # a negative zero sounds as a positive one
        moment = round(_MOMENT * audio.SAMPLE_RATE)
        whole = block[: len(block) // moment * moment] if len(block) >= moment else block
        levels = np.sqrt(np.square(whole).reshape(-1, min(moment, len(whole))).mean(axis=1))
        self.moments += len(levels)
        self.silent += int((levels < SILENCE).sum())
        segments = block[: len(block) // _SEGMENT * _SEGMENT].reshape(-1, _SEGMENT)
        segments = segments[np.square(segments).mean(axis=1) > SILENCE**2]
        if len(segments):
            self._power += np.square(np.abs(np.fft.rfft(segments * self._window))).sum(axis=0)


def _cliff(power: npt.NDArray[np.float64], rate: int) -> tuple[float, float]:
    """Return the frequency and the height in dB of the spectrum's steepest fall that nothing rises above again.

    The level just below is the lowest of three bands of 108 Hz, that above the highest of all bands from the next but
    one up to the end, so that neither a gap in a tonal spectrum nor the slope of old recordings makes a cliff.
    """
    if not power.any():
        return 0.0, 0.0
    count = len(power) // _BAND
    bands = 10 * np.log10(power[: count * _BAND].reshape(count, _BAND).mean(axis=1) / power.max() + _FLOOR)
    above = np.maximum.accumulate(bands[::-1])[::-1]
    falls = [bands[at - 4 : at - 1].min() - above[at + 1] for at in range(_LOWEST_CLIFF, count - 1)]
    steepest = int(np.argmax(falls))
    return (steepest + _LOWEST_CLIFF) * _BAND * rate / _SEGMENT, max(0.0, float(falls[steepest]))


def _decibel(ratio: float) -> float:
    return 10 * math.log10(ratio)
