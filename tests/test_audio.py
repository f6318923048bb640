"""Any file goes in, mono float32 at one rate comes out; what cannot be used is refused with every decoder's reason."""

from __future__ import annotations

import contextlib
import pickle
import struct
import tracemalloc
import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import psutil
import pytest
from conftest import RATE, encode, level_of, noise, pitch, sweep, tone, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.audio import reader
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOSSLESS = [
    ("wav", "PCM_U8", 1 / 127),
    ("wav", "PCM_16", 1e-4),
    ("wav", "PCM_24", 1e-6),
    ("wav", "PCM_32", 1e-6),
    ("wav", "FLOAT", 1e-6),
    ("wav", "DOUBLE", 1e-6),
    ("au", "PCM_16", 1e-4),
    ("au", "FLOAT", 1e-6),
    ("aiff", "PCM_16", 1e-4),
    ("aiff", "PCM_24", 1e-6),
    ("flac", "PCM_16", 1e-4),
    ("flac", "PCM_24", 1e-6),
]
LOSSY = ["ogg", "opus", "mp3"]
BY_FFMPEG = {
    "m4a": ("aac", None),
    "aac": ("aac", "adts"),
    "wma": ("wmav2", "asf"),
    "mka": ("aac", "matroska"),
    "mp4": ("aac", "mp4"),
    "alac.m4a": ("alac", "ipod"),
}


def make(folder: Path, kind: str, samples: np.ndarray[Any, np.dtype[np.float32]], rate: int) -> Path:
    """Write samples as a file of a kind that either decoder's library can write."""
    path = folder / f"sound.{kind}"
    if kind in BY_FFMPEG:
        codec, container = BY_FFMPEG[kind]
        return encode(path, samples, rate, codec, container=container, video=kind == "mp4")
    return write(path, samples, rate)


def by_librosa(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Decode with the peer that everybody knows; its imports warn of modules that Python 3.13 lacks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import librosa

        wave, _ = librosa.load(path, sr=RATE)
    return cast("np.ndarray[Any, np.dtype[np.float32]]", wave)


# -- what comes out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "subtype", "tolerance"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_lossless_files_give_the_mean_of_their_channels(
    tmp_path: Path, kind: str, subtype: str, tolerance: float, channels: int
) -> None:
    parts = [tone(300 * (1 + n), seconds=0.3, level=0.5) for n in range(channels)]
    path = write(tmp_path / f"sound.{kind}", np.stack(parts, axis=1), RATE, subtype)
    wave = audio.decode(path)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    np.testing.assert_allclose(wave, np.mean(parts, axis=0), atol=tolerance)


@pytest.mark.parametrize("kind", [*LOSSY, *BY_FFMPEG])
@pytest.mark.parametrize("channels", [1, 2])
def test_lossy_files_keep_pitch_level_and_length(tmp_path: Path, kind: str, channels: int) -> None:
    rate = 48_000 if kind == "opus" else 44_100
    path = make(tmp_path, kind, tone(1000, rate=rate, seconds=1.5, level=0.4, channels=channels), rate)
    wave = audio.decode(path)
    assert wave.dtype == np.float32
    assert pitch(wave) == pytest.approx(1000, abs=1)
    assert level_of(wave) == pytest.approx(0.4, rel=0.05)
    assert len(wave) / RATE == pytest.approx(1.5, abs=0.1)  # an encoder adds up to three of its frames


@pytest.mark.parametrize("kind", ["ogg", "m4a", "mp4"])
def test_six_channels_of_lossy_files_are_averaged(tmp_path: Path, kind: str) -> None:
    surround = tone(60, rate=48_000, level=0.3, channels=6)  # so low that the channel of low effects carries it
    wave = audio.decode(make(tmp_path, kind, surround, 48_000))
    assert pitch(wave) == pytest.approx(60, abs=1)
    assert level_of(wave) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000])
def test_every_rate_is_resampled_to_the_model_s(tmp_path: Path, rate: int) -> None:
    wave = audio.decode(write(tmp_path / "tone.wav", tone(440, rate=rate, level=0.5), rate, "FLOAT"))
    assert abs(len(wave) - RATE) <= 1
    np.testing.assert_allclose(wave[2000:-2000], tone(440)[2000 : len(wave) - 2000], atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000])
def test_m4a_of_every_rate_decodes_whole(tmp_path: Path, rate: int) -> None:
    wave = audio.decode(make(tmp_path, "m4a", tone(440, rate=rate, seconds=2), rate))
    assert 2 <= len(wave) / RATE < 2 + 3 * 1024 / rate
    assert pitch(wave) == pytest.approx(440, abs=1)


@pytest.mark.parametrize("kind", ["wav", "flac"])
@pytest.mark.parametrize(("rate", "channels"), [(22_050, 1), (44_100, 2), (48_000, 2), (16_000, 1)])
def test_decode_equals_librosa(tmp_path: Path, kind: str, rate: int, channels: int) -> None:
    sound = np.stack([noise(2, rate=rate, seed=seed) for seed in range(channels)], axis=1)
    path = write(tmp_path / f"noise.{kind}", sound, rate)
    expected = by_librosa(path)
    wave = audio.decode(path)
    assert abs(len(wave) - len(expected)) <= 1
    shared = min(len(wave), len(expected))
    np.testing.assert_allclose(wave[:shared], expected[:shared], atol=2e-6)


@pytest.mark.real
def test_real_clips_decode_as_by_librosa(real_clips: Path) -> None:
    for name in ("blues/blues.00000.wav", "rock/rock.00001.au", "jazz/jazz.00002.ogg"):
        path = real_clips / "genres" / name
        np.testing.assert_allclose(audio.decode(path), by_librosa(path), atol=1e-6)


@pytest.mark.parametrize("channels", [(1, 2), (2, 1)])
def test_a_recording_that_changes_its_channels_decodes_whole(tmp_path: Path, channels: tuple[int, int]) -> None:
    """Broadcasts do: two streams of ADTS frames joined are one stream."""
    parts = [make(tmp_path, "aac", tone(440, channels=number), RATE).read_bytes() for number in channels]
    wave = audio.decode(b"".join(parts))
    assert len(wave) / RATE == pytest.approx(2, abs=0.2)
    assert level_of(wave) == pytest.approx(0.5, rel=0.1)


def test_another_rate_can_be_asked_for(tmp_path: Path) -> None:
    wave = audio.decode(write(tmp_path / "tone.wav", tone(440)), rate=16_000)
    assert len(wave) == 16_000
    assert pitch(wave, 16_000) == pytest.approx(440, abs=1)


@given(
    kind=st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    rate=st.sampled_from([8000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]),
    channels=st.integers(1, 2),
    sound=st.tuples(st.floats(0.05, 0.8), st.floats(0.4, 1.2), st.floats(0.05, 0.8)),
)
def test_a_tone_below_both_limits_keeps_pitch_length_and_level(
    tmp_path: Path, kind: str, rate: int, channels: int, sound: tuple[float, float, float]
) -> None:
    place, seconds, level = sound
    hz = place * min(rate, RATE) / 2
    lossy = kind in LOSSY
    if lossy:
        hz = min(hz, 3000)  # the encoders' own low-pass filters are not ours to test
    samples = tone(hz, rate=rate, seconds=seconds, level=level, channels=channels)
    wave = audio.decode(write(tmp_path / f"tone.{kind}", samples, rate))
    assert pitch(wave) == pytest.approx(hz, abs=3)
    assert level_of(wave) == pytest.approx(level, rel=0.12 if lossy else 0.005)  # an mp3's encoder adds 11 %
    assert abs(len(wave) - len(samples) * RATE / rate) <= (0.1 * RATE if kind == "mp3" else 1)


# -- excerpts and blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "au", "aiff", "flac", *LOSSY, *BY_FFMPEG])
@pytest.mark.parametrize(("offset", "duration"), [(0.0, 1.0), (1.2345, 1.0), (3.3, 0.5), (5.5, None)])
def test_an_excerpt_equals_the_slice_of_the_whole(
    tmp_path: Path, kind: str, offset: float, duration: float | None
) -> None:
    rate = 48_000 if kind == "opus" else 44_100
    path = make(tmp_path, kind, sweep(rate=rate), rate)
    whole = audio.decode(path)
    first = round(offset * RATE)
    expected = whole[first:] if duration is None else whole[first : first + round(duration * RATE)]
    excerpt = audio.decode(path, offset=offset, duration=duration)
    assert abs(len(excerpt) - len(expected)) <= (1 if duration is None else 0)
    shared = min(len(excerpt), len(expected))
    np.testing.assert_allclose(excerpt[:shared], expected[:shared], atol=1e-3 if kind in LOSSY else 1e-5)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a"])
@pytest.mark.parametrize("offset", [0.5, 2.0, 3.7, 5.6])
def test_an_excerpt_that_needs_no_resampling_equals_the_slice(tmp_path: Path, kind: str, offset: float) -> None:
    path = make(tmp_path, kind, sweep(), RATE)
    expected = audio.decode(path)[round(offset * RATE) : round((offset + 0.3) * RATE)]
    excerpt = audio.decode(path, offset=offset, duration=0.3)
    np.testing.assert_allclose(excerpt, expected, atol=1e-5)


@given(
    rate=st.sampled_from([8000, 16_000, 22_050, 44_100, 48_000]),
    offset=st.floats(0, 1.9),
    duration=st.floats(0.001, 3),
)
def test_any_excerpt_of_any_rate_equals_the_slice(tmp_path: Path, rate: int, offset: float, duration: float) -> None:
    path = tmp_path / f"{rate}.wav"
    if not path.exists():
        write(path, sweep(rate=rate, seconds=2), rate, "FLOAT")
    first, wanted = round(offset * RATE), max(1, round(duration * RATE))
    expected = audio.decode(path)[first : first + wanted]
    excerpt = audio.decode(path, offset=offset, duration=duration)
    assert len(excerpt) == len(expected)
    np.testing.assert_allclose(excerpt, expected, atol=1e-5)


def test_an_excerpt_past_the_end_is_shorter_and_one_beyond_it_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "tone.wav", tone(440, seconds=2))
    assert len(audio.decode(path, offset=1.5, duration=10)) == RATE // 2
    with pytest.raises(AudioError, match="nothing at 5 s"):
        audio.decode(path, offset=5.0, duration=1.0)


@pytest.mark.parametrize(("offset", "duration"), [(-1.0, None), (0.0, 0.0), (0.0, -2.0)])
def test_impossible_excerpts_are_refused(tmp_path: Path, offset: float, duration: float | None) -> None:
    path = write(tmp_path / "tone.wav", tone(440))
    with pytest.raises(AudioError, match="accepted are 0 or more, and more than 0"):
        audio.decode(path, offset=offset, duration=duration)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a", "wma"])
@pytest.mark.parametrize(("offset", "duration"), [(0.0, None), (0.7, 1.9)])
def test_blocks_joined_equal_decode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, offset: float, duration: float | None
) -> None:
    path = make(tmp_path, kind, sweep(rate=44_100, seconds=4), 44_100)
    whole = audio.decode(path, offset=offset, duration=duration)
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.25)
    pieces = list(audio.blocks(path, offset=offset, duration=duration))
    assert len(pieces) > 5
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a"])
def test_memory_of_blocks_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 2.0)
    seconds = 60 if kind == "m4a" else 600
    path = make(tmp_path, kind, tone(200, rate=8000, seconds=seconds), 8000)
    next(audio.blocks(path))  # what is loaded once does not count
    tracemalloc.start()
    try:
        heard = sum(len(piece) for piece in audio.blocks(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert heard == pytest.approx(seconds * RATE, rel=0.01)
    assert peak < 2_000_000 < 4 * heard


def test_blocks_left_early_close_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK_SECONDS", 0.1)
    path = write(tmp_path / "tone.wav", tone(440))
    pieces = cast("Generator[audio.Wave]", audio.blocks(path))
    next(pieces)
    assert str(path) in {file.path for file in psutil.Process().open_files()}
    pieces.close()
    assert str(path) not in {file.path for file in psutil.Process().open_files()}


# -- probe, bytes, arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("wav", "WAV PCM_16"),
        ("au", "AU PCM_16"),
        ("aiff", "AIFF PCM_16"),
        ("flac", "flac flac"),
        ("ogg", "OGG VORBIS"),
        ("opus", "ogg opus"),
        ("mp3", "MP3 MPEG_LAYER_III"),
        ("m4a", "aac"),
        ("aac", "aac aac"),
        ("wma", "asf wmav2"),
        ("mka", "matroska,webm aac"),
        ("mp4", "aac"),
        ("alac.m4a", "alac"),
    ],
)
def test_probe_tells_length_rate_channels_and_codec(tmp_path: Path, kind: str, codec: str) -> None:
    path = make(tmp_path, kind, tone(440, rate=48_000, seconds=2, channels=2), 48_000)
    info = audio.probe(path)
    assert info.sample_rate == 48_000
    assert info.channels == 2
    assert info.seconds == pytest.approx(2, abs=0.1)
    assert info.codec.endswith(codec)
    assert audio.probe(path.read_bytes()) == info


def test_probe_does_not_invent_a_length(tmp_path: Path) -> None:
    path = write(tmp_path / "streamed.flac", tone(440, seconds=2))
    held = bytearray(path.read_bytes())
    held[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples: a streaming encoder leaves zeros
    held[22:26] = bytes(4)
    path.write_bytes(held)
    assert len(audio.decode(path)) == 2 * RATE
    seconds = audio.probe(path).seconds
    assert np.isnan(seconds) or seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "m4a"])
def test_bytes_decode_like_their_file(tmp_path: Path, kind: str) -> None:
    path = make(tmp_path, kind, tone(440, rate=44_100), 44_100)
    np.testing.assert_array_equal(audio.decode(path.read_bytes()), audio.decode(path))
    np.testing.assert_array_equal(audio.decode(str(path)), audio.decode(path))


@pytest.mark.parametrize(
    "name", ["a b.m4a", "caf\u00e9 \u97f3\u697d.m4a", "a%03d.m4a", "Mozart:Requiem.m4a", "-x.m4a", "caf\u00e9.flac"]
)
def test_no_file_name_confuses_the_decoders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kind = "flac" if name.endswith("flac") else "m4a"
    make(tmp_path, kind, tone(440), RATE).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert pitch(audio.decode(name)) == pytest.approx(440, abs=1)


def test_an_array_goes_through_the_same_door(tmp_path: Path) -> None:
    stereo = tone(440, rate=44_100, channels=2)
    path = write(tmp_path / "tone.wav", stereo, 44_100, "FLOAT")
    np.testing.assert_allclose(audio.from_array(stereo.T, rate=44_100), audio.decode(path), atol=1e-7)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.uint16])
def test_integer_arrays_are_of_full_scale(dtype: type[np.integer[Any]]) -> None:
    limits = np.iinfo(dtype)
    middle = (int(limits.max) + int(limits.min) + 1) // 2
    full = np.array([limits.min, middle, limits.max], dtype=dtype)
    wave = audio.from_array(full, rate=RATE)
    np.testing.assert_allclose(wave, [-1, 0, 1], atol=1.01 / (limits.max - middle + 1))
    assert np.abs(wave).max() <= 1


def test_a_list_and_double_precision_are_arrays_too() -> None:
    np.testing.assert_allclose(audio.from_array([0.0, 0.5, -0.5], rate=RATE), [0, 0.5, -0.5])
    assert audio.from_array(np.zeros(100), rate=RATE).dtype == np.float32


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros(0), RATE, "not empty"),
        (np.zeros((2, 3, 4)), RATE, "accepted are"),
        (np.zeros((1000, 2)), RATE, r"looks like \(samples, channels\); give .*: samples\.T"),
        (np.zeros((1000, 1)), RATE, "looks like"),
        (np.zeros((2, 256)), RATE, "ambiguous; accepted are .* at most 256 channels"),
        (np.zeros((1000, 1000)), RATE, "ambiguous"),
        (np.zeros(10, dtype=np.int64), RATE, "integers of 8, 16 or 32 bits"),
        (np.zeros(10), 0, "sample rate of 0 Hz"),
        (np.array([0.0, np.nan]), RATE, "non-finite"),
        (np.array([0.0, np.inf]), RATE, "non-finite"),
        (np.array(["a", "b"]), RATE, "clip"),
        (np.zeros(10, dtype=complex), RATE, "clip"),
    ],
)
def test_unusable_arrays_are_refused_by_name(samples: np.ndarray[Any, Any], rate: int, words: str) -> None:
    with pytest.raises(AudioError, match=words) as caught:
        audio.from_array(samples, rate=rate, name="clip")
    assert caught.value.name == "clip"


# -- what is refused, and in which words ------------------------------------------------------------------------


def refused(path: Path) -> AudioError:
    """Return the one error that decode, blocks and probe agree on as far as each can know."""
    with pytest.raises(AudioError) as caught:
        audio.decode(path)
    with pytest.raises(AudioError) as again:
        list(audio.blocks(path))
    assert again.value.attempts == caught.value.attempts
    assert str(path) in str(caught.value)
    for decoder, reason in caught.value.attempts:
        assert f"{decoder}: {reason}" in str(caught.value)
        assert reason
    return caught.value


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "missing.wav")
    assert error.attempts == (("file", "no such file"),)
    with pytest.raises(AudioError, match="no such file"):
        audio.probe(tmp_path / "missing.wav")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path).reason


def test_an_empty_file_and_no_bytes_are_told_from_damage(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp3"
    path.touch()
    assert "empty" in refused(path).reason
    with pytest.raises(AudioError, match="0 bytes in memory: file: empty"):
        audio.decode(b"")


def test_a_name_that_no_system_allows_is_an_audio_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError):
        audio.decode(tmp_path / ("x" * 300 + ".wav"))


@pytest.mark.parametrize("ending", ["mp3", "wav", "m4a", "flac", "raw"])
def test_text_under_an_audio_name_gives_both_decoders_reasons(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"notes.{ending}"
    path.write_text("This is no music, only words about it.\n" * 200)
    assert [decoder for decoder, _ in refused(path).attempts] == ["FFmpeg", "libsndfile"]


def test_a_header_without_samples_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    assert "empty" in refused(path).reason


@pytest.mark.parametrize("kind", ["wav", "au", "aiff", "flac", "mp3", "m4a", "wma"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    path = make(tmp_path, kind, noise(6, rate=44_100), 44_100)
    held = path.read_bytes()
    path.write_bytes(held[: int(share * len(held))])
    error = refused(path)
    if kind in ("wav", "au", "aiff", "mp3"):
        assert "truncated" in error.reason


def test_a_truncated_m4a_whose_header_stands_first_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fast.m4a"
    encode(path, noise(6, rate=44_100), 44_100, "aac", options={"movflags": "faststart"})
    held = path.read_bytes()
    assert held.find(b"moov") < held.find(b"mdat")
    path.write_bytes(held[: int(0.6 * len(held))])
    refused(path)


@pytest.mark.parametrize("stated", [0xFFFF_FFFF, 0x7FFF_FFFF, 0x7FFF_F000])
def test_a_streamed_wav_promises_no_length(tmp_path: Path, stated: int) -> None:
    """A program that writes to a pipe cannot go back: FFmpeg leaves all ones, SoX 0x7ffff000."""
    path = write(tmp_path / "piped.wav", tone(440))
    held = bytearray(path.read_bytes())
    place = held.find(b"data") + 4
    held[place : place + 4] = struct.pack("<I", stated)
    held[4:8] = struct.pack("<I", min(stated + 36, 0xFFFF_FFFF))
    path.write_bytes(held)
    assert len(audio.decode(path)) == RATE


def test_an_mp3_without_a_length_header_is_heard_to_its_end(tmp_path: Path) -> None:
    """With a variable bit rate its length cannot be guessed from the first frames."""
    loud_first = noise(6, rate=44_100, level=0.2)
    loud_first[: 3 * 44_100] *= 1e-4
    for sound in (loud_first, loud_first[::-1].copy()):
        path = encode(
            tmp_path / "variable.mp3",
            sound,
            44_100,
            "libmp3lame",
            options={"write_xing": "0"},
            codec_options={"flags": "+qscale", "global_quality": str(118 * 4)},
            tags={"comment": "Information"},
        )
        assert len(audio.decode(path)) / RATE == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_are_refused_with_their_place(tmp_path: Path, value: float) -> None:
    sound = tone(440, rate=44_100, channels=2)
    sound[11_025, 1] = value
    path = write(tmp_path / "broken.wav", sound, 44_100, "FLOAT")
    assert "non-finite samples (NaN or infinity), the first at 0.250 s" in refused(path).reason


def test_an_encrypted_m4a_is_refused_as_such(tmp_path: Path) -> None:
    path = make(tmp_path, "m4a", tone(440), RATE)
    held = path.read_bytes()
    entry = held.index(b"mp4a", held.index(b"stsd"))
    path.write_bytes(held[:entry] + b"enca" + held[entry + 4 :])
    assert "encrypted" in refused(path).reason


@pytest.mark.parametrize("title", ["Una sinfonia", "La encantadora", "drumsdrms"])
def test_words_in_a_title_are_no_copy_protection(tmp_path: Path, title: str) -> None:
    path = encode(tmp_path / "tagged.m4a", tone(440), RATE, "aac", tags={"title": title})
    assert pitch(audio.decode(path)) == pytest.approx(440, abs=1)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    path = encode(tmp_path / "silent.mp4", tone(440), RATE, "aac", video=True, sound=False)
    assert ("FFmpeg", "no audio stream") in refused(path).attempts


@pytest.mark.real
def test_the_corrupt_clip_of_gtzan_is_refused(real_clips: Path) -> None:
    path = real_clips / "faulty" / "jazz.00054.wav"
    assert [decoder for decoder, _ in refused(path).attempts] == ["FFmpeg", "libsndfile"]


def finite_or_refused(data: bytes) -> None:
    """Decode: nothing but a finite wave may come out, and no error but AudioError."""
    with contextlib.suppress(AudioError):
        assert np.isfinite(audio.decode(data)).all()


@given(data=st.binary(min_size=1, max_size=400), head=st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3"]))
def test_any_bytes_give_a_wave_or_an_audio_error(data: bytes, head: bytes) -> None:
    finite_or_refused(head + data)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(kind=st.sampled_from(["wav", "flac", "ogg", "mp3", "m4a"]), places=st.lists(st.floats(0, 1), min_size=1))
def test_a_damaged_file_gives_a_finite_wave_or_an_audio_error(tmp_path: Path, kind: str, places: list[float]) -> None:
    original = tmp_path / f"sound.{kind}"
    if not original.exists():
        make(tmp_path, kind, noise(0.5), RATE)
    held = bytearray(original.read_bytes())
    for place in places:
        held[int(place * (len(held) - 1))] ^= 0x55
    finite_or_refused(bytes(held))


def test_an_audio_error_survives_pickling() -> None:
    error = AudioError("song.mp3", [("libsndfile", "Format not recognised"), ("FFmpeg", "Invalid data")])
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, AudioError)
    assert (copy.name, copy.attempts, str(copy)) == (error.name, error.attempts, str(error))
