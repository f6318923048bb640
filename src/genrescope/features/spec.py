"""The numbers of every front end, apart from the arithmetic: what only reads or names them need not load torch.

A front end is named by its `kind` and a few numbers. `to_dict` and `from_dict` write and read them as files hold them.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from genrescope.audio import SAMPLE_RATE
from genrescope.files import fingerprint

_GAIN, _FLOOR = 10_000.0, 1e-6


class _Numbers:
    """What the numbers of all kinds have in common."""

    kind: ClassVar[str]
    sample_rate: int
    hop: int
    f_min: float
    f_max: float

    def seconds(self, frames: float) -> float:
        """Return how long a number of frames lasts, in seconds."""
        return frames * self.hop / self.sample_rate

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @property
    def fingerprint(self) -> str:
        """16 digits that identify the front end: equal for equal kinds and numbers."""
        return fingerprint(to_dict(self))  # type: ignore[arg-type]  # every kind is a spec

    def _check_rate(self) -> None:
        self._whole("sample_rate", 1000, 768_000)

    def _check_frames(self, length: str) -> None:
        """Refuse lengths of frames, hops and numbers of bands that are not whole, or out of range."""
        self._check_rate()
        self._whole(length, 2, 65_536)
        self._whole("hop", 1, getattr(self, length))
        self._whole("n_mels", 1, 1024)

    def _check_band(self) -> None:
        self._number("f_max", 0.0, self.sample_rate / 2)
        self._number("f_min", 0.0, self.sample_rate / 2)
        if self.f_min >= self.f_max:
            raise ValueError(f"mel bands from {self.f_min} to {self.f_max} Hz; accepted is f_min < f_max")

    def _whole(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} {value!r}; accepted is a whole number from {low} to {high}")

    def _number(self, name: str, low: float, high: float) -> None:
        """Refuse what is no number in the range (NaN is in none), and hold it as a float: 20 is the same as 20.0."""
        value = getattr(self, name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} {value!r}; accepted is a number from {low:g} to {high:g}")
        object.__setattr__(self, name, float(value))

    def _choice(self, name: str, *accepted: str) -> None:
        if getattr(self, name) not in accepted:
            words = " or ".join(f'"{each}"' for each in accepted)
            raise ValueError(f"{name} {getattr(self, name)!r}; accepted is {words}")


@dataclass(frozen=True)
class LogMelSpec(_Numbers):
    """A log-mel spectrogram of centred, zero-padded frames, on Slaney's mel scale, as librosa computes it.

    Attributes:
        sample_rate: samples per second of the waveform.
        n_fft: samples in a frame, and length of its Fourier transform; even.
        hop: samples from one frame to the next.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz.
        window: the window of a frame, `"hamming"` or `"hann"`; both periodic.
        compression: `"log"` for `log(power + floor)`, or `"log10"` for `log10(1 + gain power)`.
        floor: added to the power of every band before `"log"`, so that silence is finite.
        gain: multiplies the power of every band before `"log10"`.

    Raises:
        ValueError: a number is out of range, or the numbers contradict each other.

    Example:
        >>> LogMelSpec().frames(30 * 22050)
        1292

        The input of musicnn (Pons and Serra, 2019):

        >>> LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10").silence
        0.0
    """

    kind: ClassVar[str] = "log-mel"
    sample_rate: int = SAMPLE_RATE
    n_fft: int = 2048
    hop: int = 512
    n_mels: int = 128
    f_min: float = 0.0
    f_max: float = 11_025.0
    window: str = "hamming"
    compression: str = "log"
    floor: float = _FLOOR
    gain: float = _GAIN

    def __post_init__(self) -> None:
        self._check_frames("n_fft")
        if self.n_fft % 2:
            raise ValueError(f"n_fft {self.n_fft}; accepted is an even number")
        self._check_band()
        self._choice("window", "hamming", "hann")
        self._choice("compression", "log", "log10")
        self._number("floor", 1e-20, 1.0)
        self._number("gain", 1e-3, 1e12)
        if self.compression == "log" and self.gain != _GAIN:
            raise ValueError(f'gain {self.gain:g} has no part in compression "log"; set floor, or compression "log10"')
        if self.compression == "log10" and self.floor != _FLOOR:
            raise ValueError(f'floor {self.floor:g} has no part in compression "log10"; set gain, or compression "log"')

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform: one for each whole hop, and one more, since frames are centred."""
        return samples // self.hop + 1

    def samples(self, frames: int) -> int:
        """Return the least samples that give so many frames."""
        return max(1, (frames - 1) * self.hop)

    @property
    def dtype(self) -> str:
        """The type that a store keeps frames in; rounded to float16, `"log10"` moves tags of musicnn by 7e-4."""
        return "float16" if self.compression == "log" else "float32"

    @property
    def silence(self) -> float:
        """The value of every band in digital silence."""
        return math.log(self.floor) if self.compression == "log" else 0.0

    @property
    def width(self) -> int:
        """Features in a frame: the mel bands."""
        return self.n_mels


@dataclass(frozen=True)
class KaldiSpec(_Numbers):
    """Kaldi's filterbank features, normalised as AST takes them: `(log(power) - mean) / (2 std)`.

    A frame lies wholly inside the waveform. Its mean is subtracted, it is pre-emphasised, weighted by a symmetric Hann
    window, and filled with zeros to a power of two.

    Attributes:
        sample_rate: samples per second of the waveform.
        win_length: samples in a frame.
        hop: samples from one frame to the next.
        n_mels: number of mel bands.
        f_min: lower edge of the lowest band, in Hz.
        f_max: upper edge of the highest band, in Hz.
        pre_emphasis: `a` of `x[n] - a x[n - 1]`.
        floor: the least power of a band.
        mean: mean of the logarithm over the data that the network learnt from; AudioSet's by default.
        std: its standard deviation.

    Raises:
        ValueError: a number is out of range, or the numbers contradict each other.

    Example:
        >>> KaldiSpec().frames(10 * 16_000), KaldiSpec().n_fft
        (998, 512)
    """

    kind: ClassVar[str] = "kaldi"
    dtype: ClassVar[str] = "float16"
    sample_rate: int = 16_000
    win_length: int = 400
    hop: int = 160
    n_mels: int = 128
    f_min: float = 20.0
    f_max: float = 8000.0
    pre_emphasis: float = 0.97
    floor: float = 2.0**-23  # float32's epsilon
    mean: float = -4.2677393
    std: float = 4.5689974

    def __post_init__(self) -> None:
        self._check_frames("win_length")
        self._check_band()
        self._number("pre_emphasis", 0.0, 1.0)
        self._number("floor", 1e-20, 1.0)
        self._number("mean", -100.0, 100.0)
        self._number("std", 0.01, 1000.0)

    @property
    def n_fft(self) -> int:
        """Length of the Fourier transform: the power of two that holds a frame."""
        return 1 << (self.win_length - 1).bit_length()

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform; one that is shorter than a frame is filled with silence to one."""
        return max(0, samples - self.win_length) // self.hop + 1

    def samples(self, frames: int) -> int:
        """Return the least samples that give so many frames."""
        return (frames - 1) * self.hop + self.win_length

    @property
    def silence(self) -> float:
        """The value of every band in digital silence."""
        return (math.log(self.floor) - self.mean) / (2 * self.std)

    @property
    def width(self) -> int:
        """Features in a frame: the mel bands."""
        return self.n_mels


@dataclass(frozen=True)
class WaveSpec(_Numbers):
    """The waveform itself: a frame is one sample.

    Attributes:
        sample_rate: samples per second of the waveform.

    Raises:
        ValueError: the rate is out of range.

    Example:
        >>> WaveSpec(16_000).frames(16_000), WaveSpec(16_000).seconds(8000)
        (16000, 0.5)
    """

    kind: ClassVar[str] = "wave"
    dtype: ClassVar[str] = "float32"
    hop: ClassVar[int] = 1  # type: ignore[misc]  # no number that can be chosen, unlike the other kinds'
    silence: ClassVar[float] = 0.0
    width: ClassVar[int] = 1
    sample_rate: int = 16_000

    def __post_init__(self) -> None:
        self._check_rate()

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform: its samples."""
        return samples

    def samples(self, frames: int) -> int:
        """Return the least samples that give so many frames: as many."""
        return frames


Spec = LogMelSpec | KaldiSpec | WaveSpec
"""The numbers of any front end."""

_KINDS: dict[str, type[Spec]] = {each.kind: each for each in (LogMelSpec, KaldiSpec, WaveSpec)}


def to_dict(spec: Spec) -> dict[str, Any]:
    """Return the kind and all numbers of a front end, as JSON holds them.

    Example:
        >>> to_dict(WaveSpec(24_000))
        {'kind': 'wave', 'sample_rate': 24000}
    """
    return {"kind": spec.kind} | dataclasses.asdict(spec)


def from_dict(values: Any) -> Spec:
    """Return the front end that `to_dict` wrote; numbers that are not given are the kind's own.

    Raises:
        ValueError: it is no front end, its kind or a name is unknown, or a number is not accepted.

    Example:
        >>> from_dict({"kind": "kaldi", "n_mels": 64}).frame_rate
        100.0
    """
    if not isinstance(values, dict):
        raise ValueError(f"a front end is a table of names and numbers, not {type(values).__name__}")
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        known = ", ".join(f'"{name}"' for name in _KINDS)
        raise ValueError(f"front end of kind {kind!r}; this version knows {known}")
    names = {field.name for field in dataclasses.fields(_KINDS[kind])}
    unknown = sorted(str(name) for name in set(values) - names - {"kind"})
    if unknown:
        raise ValueError(f'{unknown[0]} is no number of the front end "{kind}"; it has {", ".join(sorted(names))}')
    return _KINDS[kind](**{name: value for name, value in values.items() if name != "kind"})
