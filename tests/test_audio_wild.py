"""Files as people have them: claims in headers that are wrong, streams that change midway, damage, names that lie."""

from __future__ import annotations

import csv
import io
import os
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import RATE, encode, noise, pitch, tone, write
from hypothesis import given
from hypothesis import strategies as st

from genrescope import audio
from genrescope.audio import chunks, mpeg
from genrescope.audio.source import is_pipe, opened
from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"


def cases(*expected: str) -> list[dict[str, str]]:
    """Return the rows of the collected cases, or none where they do not lie beside this checkout."""
    table = CASES / "cases.csv"
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["expect"] in expected]


def fault_of(source: audio.Source) -> AudioError:
    with pytest.raises(AudioError) as caught:
        audio.decode(source)
    return caught.value


def changed(path: Path, change: Callable[[bytearray], None], name: str = "changed") -> Path:
    content = bytearray(path.read_bytes())
    change(content)
    other = path.with_name(f"{name}{path.suffix}")
    other.write_bytes(content)
    return other


@pytest.mark.skipif(not cases("seconds"), reason="the collected cases do not lie beside this checkout")
@pytest.mark.parametrize("row", cases("seconds"), ids=lambda row: row["file"])
def test_a_collected_file_has_its_length(row: dict[str, str]) -> None:
    wave = audio.decode(CASES / row["file"])
    assert len(wave) / RATE == pytest.approx(float(row["value"]), abs=0.1)
    if "440 Hz" in row["why"]:
        assert pitch(wave) == pytest.approx(440, abs=2)
    if "ends at 880 Hz" in row["why"]:
        assert pitch(wave[-RATE:]) == pytest.approx(880, abs=2)


@pytest.mark.skipif(not cases("fault"), reason="the collected cases do not lie beside this checkout")
@pytest.mark.parametrize("row", cases("fault"), ids=lambda row: row["file"])
def test_a_collected_file_has_its_fault(row: dict[str, str]) -> None:
    error = fault_of(CASES / row["file"])
    assert error.fault == row["value"]
    if "header says" in row["why"]:
        assert f"promises {float(row['why'].split()[2]):.0f}" in error.reason
        assert "could be read" in error.reason


# -- a count in a header is a claim ------------------------------------------------------------------------------


@given(count=st.sampled_from([0, 1, 2, 3, 0x7FFF_FFFF]) | st.integers(0, 0xFFFF_FFFF))
def test_an_mp3_is_heard_to_its_end_whatever_its_header_counts(tmp_path: Path, count: int) -> None:
    path = tmp_path / "song.mp3"
    if not path.exists():
        write(path, tone(440, rate=44_100, seconds=3), 44_100)
    content = bytearray(path.read_bytes())
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    content[at : at + 4] = struct.pack(">I", count)
    wave = audio.decode(bytes(content))
    assert len(wave) / RATE == pytest.approx(3, abs=0.1)
    assert pitch(wave) == pytest.approx(440, abs=2)


def test_an_mp3_is_as_claimed_only_where_every_frame_is_counted(tmp_path: Path) -> None:
    """Then libsndfile may read it; FFmpeg, which hears whatever there is, takes a fifth more time."""
    noises = {"variable": noise(3, rate=44_100), "constant": tone(440, rate=44_100, seconds=3)}
    for name, sound in noises.items():
        content = write(tmp_path / f"{name}.mp3", sound, 44_100).read_bytes()
        tagged = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + content + b"TAG".ljust(128, b"\0")
        for true in (content, tagged):
            assert mpeg.is_as_claimed(io.BytesIO(true))
        for false in (content[: len(content) // 2], content + content, content[:-1], b"", b"\xff", content[1:]):
            assert not mpeg.is_as_claimed(io.BytesIO(false))


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac"])
def test_joined_files_are_heard_one_after_the_other(tmp_path: Path, kind: str) -> None:
    """An mp3 and an Ogg stream may be joined as they are; of two joined flac files the first one is the file."""
    if kind == "flac":
        encode(tmp_path / "1.oga", tone(440, rate=48_000, seconds=2), 48_000, "flac", container="ogg")
        encode(tmp_path / "2.oga", tone(880, rate=48_000, seconds=3), 48_000, "flac", container="ogg")
    else:
        write(tmp_path / f"1.{kind}", tone(440, rate=48_000, seconds=2), 48_000)
        write(tmp_path / f"2.{kind}", tone(880, rate=48_000, seconds=3), 48_000)
    parts = [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    for joined, seconds in ((b"".join(parts), 5), (parts[0] * 2, 4)):
        wave = audio.decode(joined)
        assert len(wave) / RATE == pytest.approx(seconds, abs=0.15)
        assert pitch(wave[: 3 * RATE // 2]) == pytest.approx(440, abs=2)
    assert pitch(audio.decode(b"".join(parts))[-2 * RATE :]) == pytest.approx(880, abs=2)


def test_a_flac_is_heard_to_its_end_whatever_it_counts(tmp_path: Path) -> None:
    def count(content: bytearray) -> None:
        content[21] &= 0xF0
        content[22:26] = struct.pack(">I", RATE)

    path = changed(write(tmp_path / "song.flac", tone(440, seconds=3)), count)
    assert len(audio.decode(path)) == 3 * RATE


@pytest.mark.parametrize("ending", ["wav", "aiff", "au", "caf", "w64", "rf64"])
@pytest.mark.parametrize("stated", [0, 0x7F00_0008, -1])
def test_a_size_of_a_pipe_means_to_the_end(tmp_path: Path, ending: str, stated: int) -> None:
    import soundfile

    path = tmp_path / f"song.{ending}"
    soundfile.write(path, tone(440, seconds=2), RATE, format="RF64" if ending == "rf64" else None, subtype="PCM_16")
    with path.open("rb") as file:
        found = chunks.sound_chunk(file)
    assert found is not None
    assert found.stated is not None
    assert found.share == 1

    def state(content: bytearray) -> None:
        width = struct.calcsize(found.form)
        if width == 8 and stated > 0:
            pytest.skip("a field of eight bytes tells no such size")
        content[found.field : found.field + width] = struct.pack(found.form, stated % (1 << 8 * width))

    wave = audio.decode(changed(path, state))
    assert len(wave) / RATE == pytest.approx(2, abs=0.02)
    assert pitch(wave) == pytest.approx(440, abs=1)


def test_an_empty_wav_that_goes_on_is_empty(tmp_path: Path) -> None:
    path = write(tmp_path / "nothing.wav", np.zeros(0, np.float32))
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    assert fault_of(path).fault == "empty"


def test_a_wav_of_more_than_four_gigabytes_tells_only_the_rest_of_its_size(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", noise(3))
    place = path.read_bytes().find(b"data") + 4
    wrapped = changed(path, lambda content: content.__setitem__(slice(place, place + 4), struct.pack("<I", 1000)))
    assert len(audio.decode(wrapped)) == 3 * RATE


def test_words_in_a_comment_are_no_header(tmp_path: Path) -> None:
    """libsndfile's log holds a file's comments beside its own lines."""
    path = write(tmp_path / "song.wav", tone(440))
    words = b"x\ndata : 900000000 (should be 44100)\ndata : take 3 : x\n".ljust(64)
    comment = b"LIST" + struct.pack("<I", 12 + len(words)) + b"INFOICMT" + struct.pack("<I", len(words)) + words
    content = path.read_bytes()
    assert len(audio.decode(content[:36] + comment + content[36:])) == RATE


# -- streams that change midway ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mp3", "aac"])
@pytest.mark.parametrize("rates", [(44_100, 48_000), (48_000, 32_000, 44_100)])
def test_a_stream_that_changes_its_rate_keeps_its_speed(tmp_path: Path, kind: str, rates: tuple[int, ...]) -> None:
    joined = b""
    for rate in rates:
        path = tmp_path / f"{rate}.{kind}"
        sound = tone(440, rate=rate, seconds=2)
        made = write(path, sound, rate) if kind == "mp3" else encode(path, sound, rate, "aac", container="adts")
        joined += made.read_bytes()
    wave = audio.decode(joined)
    assert len(wave) / RATE == pytest.approx(2 * len(rates), abs=0.1 * len(rates))
    for number in range(len(rates)):
        assert pitch(wave[2 * RATE * number + RATE // 2 :][:RATE]) == pytest.approx(440, abs=2)


def test_a_stream_that_changes_its_channels_goes_on(tmp_path: Path) -> None:
    mono = write(tmp_path / "mono.mp3", tone(440, rate=44_100, seconds=2), 44_100).read_bytes()
    stereo = write(tmp_path / "stereo.mp3", tone(440, rate=44_100, seconds=2, channels=2), 44_100).read_bytes()
    for joined in (mono + stereo, stereo + mono):
        wave = audio.decode(joined)
        assert len(wave) / RATE == pytest.approx(4, abs=0.2)
        assert pitch(wave) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("channels", [7, 8, 16])
@pytest.mark.parametrize(("codec", "container"), [("pcm_f32le", "matroska"), ("pcm_s16le", "wav"), ("wavpack", "wv")])
def test_many_channels_are_all_heard(tmp_path: Path, channels: int, codec: str, container: str) -> None:
    import av

    path = tmp_path / f"many.{container}"
    sound = np.stack([tone(220 + 10 * number, seconds=0.5) for number in range(channels)], axis=1)
    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=RATE)
        stream.codec_context.layout = layout = f"{channels}c" if channels not in (7, 8) else f"{channels - 1}.1"
        form = stream.codec_context.codec.audio_formats[0].name
        converter = av.AudioResampler(format=form, layout=layout, rate=RATE)
        packed = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout=layout)
        packed.sample_rate, packed.pts = RATE, 0
        for frame in converter.resample(packed):
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    wave = audio.decode(path)
    assert len(wave) == pytest.approx(RATE // 2, abs=2)
    np.testing.assert_allclose(wave[:10_000], sound.mean(axis=1)[:10_000], atol=5e-3)


# -- damage ------------------------------------------------------------------------------------------------------

CONTAINERS = {
    "song.webm": ("libopus", "webm", 48_000),
    "song.mka": ("flac", "matroska", 44_100),
    "aac.mka": ("aac", "matroska", 44_100),
    "song.avi": ("libmp3lame", "avi", 44_100),
    "song.wma": ("wmav2", "asf", 44_100),
    "song.oga": ("flac", "ogg", 44_100),
    "song.flac": ("flac", "flac", 44_100),
    "fast.m4a": ("aac", "mp4", 44_100),
}


def whole(folder: Path, name: str) -> Path:
    codec, container, rate = CONTAINERS[name]
    path = folder / name
    return encode(path, noise(8, rate=rate), rate, codec, container=container, options={"movflags": "faststart"})


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("share", [0.6, 0.93])
def test_a_file_that_was_cut_says_how_much_was_heard(tmp_path: Path, name: str, share: float) -> None:
    path = whole(tmp_path, name)
    assert len(audio.decode(path)) / RATE == pytest.approx(8, abs=0.1)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    error = fault_of(path)
    assert error.fault == "truncated"
    told = re.search(r"([\d.]+) s(?: of [\d.]+ s)? could be read", error.reason)
    assert told is not None, error.reason
    assert float(told[1]) == pytest.approx(8 * share, abs=1)


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("taken_out", [True, False])
def test_a_hole_in_the_middle_is_told(tmp_path: Path, name: str, taken_out: bool) -> None:
    path = whole(tmp_path, name)
    content = path.read_bytes()
    begin, end = int(0.5 * len(content)), int(0.7 * len(content))
    path.write_bytes(content[:begin] + (b"" if taken_out else bytes(end - begin)) + content[end:])
    assert fault_of(path).fault in ("truncated", "damaged")


@pytest.mark.parametrize("name", ["song.flac", "song.oga"])
def test_a_flipped_bit_is_told(tmp_path: Path, name: str) -> None:
    path = whole(tmp_path, name)

    def flip(content: bytearray) -> None:
        content[len(content) // 2] ^= 0x10

    error = fault_of(changed(path, flip))
    assert error.fault == "damaged"


@pytest.mark.parametrize("container", ["matroska", "webm", "asf", "mp4", "avi"])
def test_pictures_that_go_on_after_the_sound_are_no_damage(tmp_path: Path, container: str) -> None:
    import av

    codec, picture = {"webm": ("libopus", "libvpx"), "asf": ("wmav2", "mpeg4")}.get(container, ("aac", "mpeg4"))
    path, rate = tmp_path / f"film.{container}", 48_000
    with av.open(str(path), "w", format=container) as file:
        film: Any = file.add_stream(picture, rate=5)
        film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
        stream: Any = file.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = "mono", 96_000
        queue = av.AudioFifo()
        whole = av.AudioFrame.from_ndarray(noise(3, rate=rate)[None], "fltp", "mono")
        whole.sample_rate, whole.pts = rate, 0
        for frame in av.AudioResampler(stream.codec_context.format.name, "mono", rate).resample(whole):
            queue.write(frame)
        while (piece := queue.read(stream.codec_context.frame_size or 960)) is not None:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
        for number in range(40):
            image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 6 * number, np.uint8), format="rgb24")
            image.pts = number
            file.mux(film.encode(image))
        file.mux(film.encode(None))
    assert len(audio.decode(path)) / RATE == pytest.approx(3, abs=0.15)


def test_a_tag_before_an_ogg_stream_is_no_damage(tmp_path: Path) -> None:
    content = write(tmp_path / "song.ogg", tone(440)).read_bytes()
    for tagged in (b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + content, content + b"TAG".ljust(128, b"\0")):
        assert len(audio.decode(tagged)) / RATE == pytest.approx(1, abs=0.05)


def test_a_jump_of_the_clock_is_no_damage(tmp_path: Path) -> None:
    """A recorder that paused, an editor that cut: all packets are there."""
    import av

    path = tmp_path / "paused.mka"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=RATE)
        for number in range(40):
            values = (32_767 * tone(440, seconds=0.1)).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(values, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, number * RATE // 10 + (5 * RATE if number >= 20 else 0)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert len(audio.decode(path)) / RATE == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("ending", ["mp3", "aac"])
def test_tags_between_the_frames_are_no_damage(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"song.{ending}"
    sound = noise(3, rate=44_100)
    part = (write(path, sound, 44_100) if ending == "mp3" else encode(path, sound, 44_100, "aac")).read_bytes()
    tag = b"ID3\x04\0\0\0\0\x0f\x76" + np.random.default_rng(0).bytes(2038)
    ape = b"APETAGEX" + struct.pack("<IIII8x", 2000, 32, 0, 0) + b"a" * 32
    wave = audio.decode(tag + part + tag + part + ape + b"TAG".ljust(128, b"\0"))
    assert len(wave) / RATE == pytest.approx(6, abs=0.3)


# -- content decides ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["au", "snd", "vox", "gsm", "raw", "mp3", "sw", "pcm", "ul", "al"])
@pytest.mark.parametrize("junk", [b"<html><body>" + b"words, words, words " * 2000, b"#EXTM3U\nsong.mp3\n" * 50])
def test_no_ending_makes_music_of_a_page(tmp_path: Path, ending: str, junk: bytes) -> None:
    path = tmp_path / f"page.{ending}"
    path.write_bytes(junk)
    assert fault_of(path).fault == "unreadable"


@given(seed=st.integers(0, 2**32 - 1))
def test_chance_is_no_music(seed: int) -> None:
    with pytest.raises(AudioError):
        audio.decode(np.random.default_rng(seed).bytes(60_000))


@pytest.mark.parametrize("ending", ["au", "wav", "mp3", "flac", "ogg", "txt", "m3u8"])
def test_a_wrong_ending_makes_no_difference(tmp_path: Path, ending: str) -> None:
    path = encode(tmp_path / "song.m4a", tone(440, seconds=2), RATE, "aac")
    wrong = path.rename(tmp_path / f"song.{ending}")
    assert pitch(audio.decode(wrong)) == pytest.approx(440, abs=1)


# -- work factors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 1, 999, 768_001, 10_000_000])
def test_a_rate_that_no_music_has_is_refused_at_once(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "song.wav", tone(440))
    error = fault_of(changed(path, lambda content: content.__setitem__(slice(24, 28), struct.pack("<I", rate))))
    if rate:
        assert f"a sample rate of {rate:,} Hz; accepted are 1,000 to 768,000 Hz" in error.reason


def test_a_thousand_channels_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", noise(0.05).reshape(-1, 1)[:1000].repeat(512, axis=1))
    assert "512 channels; accepted are 1 to 256" in fault_of(path).reason


@pytest.mark.parametrize("loudest", [1e13, 1e30, 3e38, -1e30])
def test_absurd_samples_are_refused(tmp_path: Path, loudest: float) -> None:
    sound = tone(440)
    sound[11_025] = loudest
    error = fault_of(write(tmp_path / "song.wav", sound, RATE, "FLOAT"))
    assert error.fault == "non-finite"
    assert "full scale is 1, the first at 0.500 s" in error.reason


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    pipe, device, song = tmp_path / "pipe.wav", tmp_path / "zero.wav", write(tmp_path / "song.wav", tone(440))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        assert "a pipe or a device" in fault_of(path).reason
    assert (is_pipe(pipe), is_pipe(device), is_pipe(song)) == (True, False, False)
    with opened(song) as file:
        assert file.read(4) == b"RIFF"
