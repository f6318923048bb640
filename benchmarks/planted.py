"""Copies of clips with faults planted in them: what `check` must find, and what it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.encoding import encode
from genrescope import audio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

RATE = audio.SAMPLE_RATE
Sound: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recipe:
    """How a copy is made.

    Attributes:
        kind: what `check` should call it: a fault's kind, or `exact` or `near` for a duplicate.
        variant: what is done, in words.
        family: variants that are counted together.
        make: writes the copy of a wave beside a stem; returns its path.
    """

    kind: str
    variant: str
    family: str
    make: Callable[[Sound, Path, np.random.Generator], Path]


@dataclass(frozen=True)
class Planted:
    """A copy that was made."""

    path: Path
    original: str
    recipe: Recipe


def plant(originals: dict[str, Path], folder: Path, recipes: Sequence[Recipe], *, seed: int = 0) -> Iterator[Planted]:
    """Make a copy of every original by every recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in originals.items():
        wave = audio.decode(path)
        for number, recipe in enumerate(recipes):
            rng = np.random.default_rng([seed, number, *name.encode()])
            yield Planted(recipe.make(wave, folder / f"{name}-{number:02d}", rng), name, recipe)


# -- writers ----------------------------------------------------------------------------------------------------


def with_sndfile(
    wave: Sound, stem: Path, ending: str = "wav", *, rate: int = RATE, subtype: str | None = "PCM_16"
) -> Path:
    """Write with libsndfile."""
    import soundfile

    path = stem.with_name(f"{stem.name}.{ending}")
    soundfile.write(path, wave, rate, subtype=subtype, format={"aif": "AIFF"}.get(ending))
    return path


def with_ffmpeg(wave: Sound, stem: Path, ending: str, codec: str, kbps: int, *, rate: int = RATE) -> Path:
    """Encode with FFmpeg at a bit rate."""
    import soxr

    path = stem.with_name(f"{stem.name}.{ending}")
    samples = wave if rate == RATE else soxr.resample(wave, RATE, rate)
    encode(path, samples[:, None], rate, codec, kbps=kbps)
    return path


# -- duplicates -------------------------------------------------------------------------------------------------


def _encoded(wave: Sound, stem: Path, _: np.random.Generator, *, ending: str, codec: str, kbps: int, rate: int) -> Path:
    return with_ffmpeg(wave, stem, ending, codec, kbps, rate=rate)


def _cut(wave: Sound, stem: Path, rng: np.random.Generator, *, seconds: float) -> Path:
    count = round(seconds * RATE)
    begin = int(rng.integers(0, len(wave) - count))
    return with_sndfile(wave[begin : begin + count], stem)


def _shifted(wave: Sound, stem: Path, _: np.random.Generator, *, seconds: float) -> Path:
    return with_sndfile(wave[round(seconds * RATE) :], stem)


def _louder(wave: Sound, stem: Path, _: np.random.Generator, *, decibel: float) -> Path:
    return with_sndfile(np.clip(wave * np.float32(10 ** (decibel / 20)), -1, 1), stem)


def _faster(wave: Sound, stem: Path, _: np.random.Generator, *, percent: float) -> Path:
    """Change speed and pitch together, as a turntable does."""
    import soxr

    return with_sndfile(soxr.resample(wave, RATE * (1 + percent / 100), RATE, "VHQ"), stem)


def _container(wave: Sound, stem: Path, _: np.random.Generator, *, ending: str, subtype: str) -> Path:
    exact = np.round(np.clip(wave, -1, 32767 / 32768) * 32768) / np.float32(32768)  # as 16 bits hold it
    return with_sndfile(exact.astype(np.float32), stem, ending, subtype=subtype)


def _vorbis(wave: Sound, stem: Path, _: np.random.Generator, *, quality: float) -> Path:
    import soundfile

    path = stem.with_name(f"{stem.name}.ogg")
    soundfile.write(path, wave, RATE, format="OGG", subtype="VORBIS", compression_level=1 - quality)
    return path


CODECS = (
    ("mp3", "libmp3lame", RATE, (32, 64, 128)),
    ("opus", "libopus", 48_000, (24, 48, 96)),
    ("m4a", "aac", RATE, (32, 64, 96)),
)

NEAR = (
    *(
        Recipe(
            "near",
            f"{ending} {kbps} kbit/s",
            "re-encoded",
            partial(_encoded, ending=ending, codec=codec, kbps=kbps, rate=rate),
        )
        for ending, codec, rate, rates in CODECS
        for kbps in rates
    ),
    *(Recipe("near", f"ogg quality {q}", "re-encoded", partial(_vorbis, quality=q)) for q in (0.0, 0.3, 0.7)),
    *(Recipe("near", f"cut to {s} s", "trimmed", partial(_cut, seconds=s)) for s in (3.0, 5.0, 8.0, 15.0)),
    *(Recipe("near", f"shifted by {s} s", "shifted", partial(_shifted, seconds=s)) for s in (0.1, 0.5, 2.0, 5.0, 10.0)),
    *(Recipe("near", f"{db:+} dB", "gain", partial(_louder, decibel=db)) for db in (-20, -12, -6, 3, 6)),
    *(Recipe("near", f"{p:+} % speed", "speed", partial(_faster, percent=p)) for p in (-1.0, -0.5, 0.5, 1.0)),
)  # fmt: skip
"""Copies of the same recording that differ in their samples."""

EXACT = tuple(
    Recipe("exact", f"{ending} {subtype}", "container", partial(_container, ending=ending, subtype=subtype))
    for ending, subtype in (
        ("wav", "PCM_16"),
        ("flac", "PCM_16"),
        ("au", "PCM_16"),
        ("aif", "PCM_16"),
        ("wav", "FLOAT"),
    )
)
"""Copies with the same samples in another container; they are duplicates of each other."""


# -- faults -----------------------------------------------------------------------------------------------------


def _bytes(wave: Sound, stem: Path, rng: np.random.Generator, *, ending: str, content: str) -> Path:
    path = stem.with_name(f"{stem.name}.{ending}")
    path.write_bytes(b"" if content == "none" else rng.bytes(100_000))
    return path


def _without_sound(wave: Sound, stem: Path, _: np.random.Generator) -> Path:
    return with_sndfile(wave[:0], stem)


def _cut_off(wave: Sound, stem: Path, rng: np.random.Generator, *, ending: str, subtype: str) -> Path:
    path = with_sndfile(wave, stem, ending, subtype=subtype)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * rng.uniform(0.3, 0.9))])
    return path


def _silent(wave: Sound, stem: Path, _: np.random.Generator, *, share: float, level: float = 0.0) -> Path:
    count = round(len(wave) * share)
    return with_sndfile(np.concatenate([wave[count:], np.full(count, level, np.float32)]), stem)


def _with_nan(wave: Sound, stem: Path, rng: np.random.Generator) -> Path:
    broken = wave.copy()
    broken[int(rng.integers(len(wave)))] = np.nan
    return with_sndfile(broken, stem, subtype="FLOAT")


def _short(wave: Sound, stem: Path, _: np.random.Generator) -> Path:
    return with_sndfile(wave[: 2 * RATE], stem)


def _clipped(wave: Sound, stem: Path, _: np.random.Generator, *, level: float) -> Path:
    """Clip one sample in a hundred, at a level."""
    loud = np.float32(np.quantile(np.abs(wave), 0.99))
    return with_sndfile(np.clip(wave / loud, -1, 1) * np.float32(level), stem)


def _misnamed(wave: Sound, stem: Path, _: np.random.Generator, *, ending: str, codec: str) -> Path:
    path = with_ffmpeg(wave, stem, "mp3", "libmp3lame", 64) if codec == "mp3" else with_sndfile(wave, stem, codec)
    return path.rename(path.with_suffix(f".{ending}"))


def _at_rate(wave: Sound, stem: Path, _: np.random.Generator, *, rate: int) -> Path:
    import soxr

    return with_sndfile(soxr.resample(wave, RATE, rate), stem, rate=rate)


def _upsampled(wave: Sound, stem: Path, _: np.random.Generator, *, rate: int) -> Path:
    import soxr

    return with_sndfile(soxr.resample(soxr.resample(wave, RATE, rate), rate, RATE), stem)


def _stereo(wave: Sound, stem: Path, rng: np.random.Generator, *, other: float) -> Path:
    """A second channel that is the first one times a number, with faint noise of its own."""
    noise = rng.normal(0, 1e-4, len(wave)).astype(np.float32) if other else np.zeros(1, np.float32)
    return with_sndfile(np.stack([wave, wave * np.float32(other) + noise * np.ones_like(wave)], axis=1), stem)


FAULTS = (
    Recipe("unreadable", "random bytes", "unreadable", partial(_bytes, ending="wav", content="random")),
    Recipe("unreadable", "random bytes, .mp3", "unreadable", partial(_bytes, ending="mp3", content="random")),
    Recipe("empty", "no bytes", "empty", partial(_bytes, ending="wav", content="none")),
    Recipe("empty", "a header alone", "empty", _without_sound),
    *(
        Recipe("truncated", f"{ending} cut off", "truncated", partial(_cut_off, ending=ending, subtype=subtype))
        for ending, subtype in (("wav", "PCM_16"), ("flac", "PCM_16"), ("aif", "PCM_16"), ("ogg", "VORBIS"))
    ),
    Recipe("silent", "zeros", "silent", partial(_silent, share=1.0)),
    Recipe("mostly-silent", "70 % zeros", "mostly-silent", partial(_silent, share=0.7)),
    Recipe("constant", "0.25 throughout", "constant", partial(_silent, share=1.0, level=0.25)),
    Recipe("non-finite", "one NaN", "non-finite", _with_nan),
    Recipe("too-short", "2 s", "too-short", _short),
    Recipe("clipped", "at full scale", "clipped", partial(_clipped, level=1.0)),
    Recipe("clipped", "then made softer", "clipped", partial(_clipped, level=0.5)),
    Recipe("wrong-extension", "mp3 named .wav", "wrong-extension", partial(_misnamed, ending="wav", codec="mp3")),
    Recipe("wrong-extension", "flac named .ogg", "wrong-extension", partial(_misnamed, ending="ogg", codec="flac")),
    Recipe("unusual-rate", "37,800 Hz", "unusual-rate", partial(_at_rate, rate=37_800)),
    Recipe("one-sided", "right channel silent", "one-sided", partial(_stereo, other=0.0)),
    Recipe("out-of-phase", "right channel upside down", "out-of-phase", partial(_stereo, other=-1.0)),
    Recipe("low-bandwidth", "16 kHz file", "low-bandwidth", partial(_at_rate, rate=16_000)),
    Recipe("low-bandwidth", "upsampled from 16 kHz", "low-bandwidth", partial(_upsampled, rate=16_000)),
    Recipe("low-bandwidth", "upsampled from 8 kHz", "low-bandwidth", partial(_upsampled, rate=8_000)),
)
"""Copies that cannot be used, or that are not what they seem."""
