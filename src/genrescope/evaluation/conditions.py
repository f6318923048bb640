"""What happens to music on its way to a listener: each condition is one function, wave in, wave out.

All take and return float32 of shape (samples,). Those that stand for a channel keep the length; those of tempo and
excerpt change it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from genrescope import audio
from genrescope.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av import AudioFrame

    from genrescope.audio import Wave

    Change: TypeAlias = Callable[[Wave, int], Wave]

UNCHANGED = "unchanged"
_ORDER = 4  # of the low-pass; passed both ways it falls by 48 dB an octave and shifts nothing
_PIECE = 1 << 20  # samples given to a filter at once


@dataclass(frozen=True)
class Condition:
    """A change of the sound.

    Attributes:
        name: what it is called on the command line and in tables.
        description: what it does, in one sentence.
        change: the wave and its samples per second in, the changed wave out.
    """

    name: str
    description: str
    change: Change


def _mp3(wave: Wave, rate: int, *, kilobits: int) -> Wave:
    """Encode with LAME at a constant bit rate and decode; its header tells the decoder to take its delay off.

    LAME lowers the level by 5 % at these rates, so that less is clipped.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate, layout="mono")
        stream.bit_rate = 1000 * kilobits
        for frame in _frames(np.clip(wave, -1, 1), rate):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return _fitted(audio.decode(file.getvalue(), rate=rate), len(wave))


def _low_pass(wave: Wave, rate: int, *, hz: float) -> Wave:
    from scipy.signal import butter, sosfiltfilt

    if hz >= rate / 2:  # nothing lies there
        return wave
    sections = butter(_ORDER, hz, fs=rate, output="sos")
    margin = min(len(wave) - 1, rate // 10)
    return np.asarray(sosfiltfilt(sections, wave, padlen=margin), dtype=np.float32)


def _louder(wave: Wave, _: int, *, decibels: float) -> Wave:
    """Change the level; what passes full scale is clipped, as a file of integers would clip it."""
    gained: Wave = (wave * np.float32(10 ** (decibels / 20))).clip(-1, 1)
    return gained


def _noisy(wave: Wave, _: int, *, decibels: float) -> Wave:
    """Add white noise so many dB below the track's mean power; every track gets the same noise."""
    power = float(np.mean(np.square(wave, dtype=np.float64)))
    noise = np.random.default_rng(0).standard_normal(len(wave), dtype=np.float32)
    noisy: Wave = wave + noise * np.float32(np.sqrt(power * 10 ** (-decibels / 10)))
    return noisy


def _through_rate(wave: Wave, rate: int, *, hz: int) -> Wave:
    import soxr

    narrow = soxr.resample(wave, rate, hz, quality="HQ")
    return _fitted(np.asarray(soxr.resample(narrow, hz, rate, quality="HQ"), dtype=np.float32), len(wave))


def _transposed(wave: Wave, rate: int, *, semitones: float) -> Wave:
    """Play faster by resampling, which lifts the pitch, then stretch back to the old tempo."""
    import soxr

    factor = 2 ** (semitones / 12)
    higher = np.asarray(soxr.resample(wave, rate * factor, rate, quality="HQ"), dtype=np.float32)
    return _fitted(_stretched(higher, rate, tempo=1 / factor), len(wave))


def _stretched(wave: Wave, rate: int, *, tempo: float) -> Wave:
    """Change the tempo and keep the pitch: FFmpeg's `atempo`, which overlaps and adds what is most alike.

    A sound that is too short for it stays as it is.
    """
    import av
    import av.filter

    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
    graph.link_nodes(source, graph.add("atempo", f"{tempo:.9f}"), graph.add("abuffersink")).configure()
    pieces = []
    for frame in [*_frames(wave, rate), None]:
        graph.push(frame)
        while True:
            try:
                pieces.append(graph.pull().to_ndarray().reshape(-1))
            except (av.BlockingIOError, av.EOFError):
                break
    stretched = np.concatenate(pieces or [wave]).astype(np.float32, copy=False)
    return _fitted(stretched, max(1, round(len(wave) / tempo)))


def _middle(wave: Wave, rate: int, *, seconds: float) -> Wave:
    """Keep the middle; a shorter track stays as it is."""
    wanted = round(seconds * rate)
    begin = max(0, (len(wave) - wanted) // 2)
    return wave[begin : begin + wanted]


def _frames(wave: Wave, rate: int) -> Iterator[AudioFrame]:
    import av

    for begin in range(0, len(wave), _PIECE):
        piece = np.ascontiguousarray(wave[begin : begin + _PIECE], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate, begin
        yield frame


def _fitted(wave: Wave, samples: int) -> Wave:
    """Cut or fill with silence to a length: codecs and filters miss it by some samples."""
    return np.pad(wave[:samples], (0, max(0, samples - len(wave))))


def _all() -> Iterator[Condition]:
    yield Condition(UNCHANGED, "as it was decoded", lambda wave, _: wave)
    for kilobits in (128, 64):
        description = f"mp3 of {kilobits} kbit/s, one channel at the model's rate, and back"
        yield Condition(f"mp3-{kilobits}", description, partial(_mp3, kilobits=kilobits))
    for kilohertz in (8, 4):
        yield Condition(
            f"low-pass-{kilohertz}k",
            f"nothing above {kilohertz} kHz (Butterworth, 48 dB an octave)",
            partial(_low_pass, hz=1000.0 * kilohertz),
        )
    yield Condition("rate-16k", "resampled to 16 kHz and back", partial(_through_rate, hz=16_000))
    yield Condition("quiet-20", "20 dB quieter", partial(_louder, decibels=-20.0))
    yield Condition("loud-6", "6 dB louder, clipped at full scale", partial(_louder, decibels=6.0))
    for decibels in (20, 10):
        description = f"white noise {decibels} dB below the track's mean power"
        yield Condition(f"noise-{decibels}", description, partial(_noisy, decibels=float(decibels)))
    for sign, name in ((1, "up"), (-1, "down")):
        description = f"two semitones {name}, tempo kept"
        yield Condition(f"pitch-{name}-2", description, partial(_transposed, semitones=2.0 * sign))
    for sign, name, word in ((1, "up", "faster"), (-1, "down", "slower")):
        yield Condition(f"tempo-{name}-6", f"6 % {word}, pitch kept", partial(_stretched, tempo=1 + 0.06 * sign))
    for seconds in (10, 5, 3):
        yield Condition(f"middle-{seconds}", f"only the middle {seconds} s", partial(_middle, seconds=float(seconds)))


CONDITIONS = {condition.name: condition for condition in _all()}
"""Every condition by its name; the first leaves the sound as it is."""


def chosen(names: str | None) -> list[Condition]:
    """Return the conditions that a list such as `mp3-64,noise-10` names; the unchanged sound always comes first.

    Raises:
        DataError: a name is unknown, or there is none.

    Example:
        >>> [condition.name for condition in chosen("noise-10,mp3-64")]
        ['unchanged', 'noise-10', 'mp3-64']
    """
    if names is None:
        return list(CONDITIONS.values())
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    for name in wanted:
        if name not in CONDITIONS:
            raise DataError(f'no condition called "{name}"; {nearest(name, CONDITIONS)}')
    if not set(wanted) - {UNCHANGED}:
        raise DataError(
            f"no conditions given; accepted are {', '.join(name for name in CONDITIONS if name != UNCHANGED)}"
        )
    return [CONDITIONS[UNCHANGED], *(CONDITIONS[name] for name in wanted if name != UNCHANGED)]
