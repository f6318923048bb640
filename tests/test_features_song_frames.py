"""Of a long song only the windows that are scored are decoded, and they are those of the whole song."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import encode, noise, sweep, write

from genrescope import audio
from genrescope.audio.ffmpeg_reader import FFmpegReader
from genrescope.audio.soundfile_reader import SoundFileReader
from genrescope.errors import AudioError
from genrescope.features import song_frames
from genrescope.features.frame_file import ChosenFrames
from genrescope.features.front_end import make, stored
from genrescope.features.placement import Choice, WindowSpec
from genrescope.features.song_frames import Wanted, decode_frames, received
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 40.0
MUSICNN = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
SEEKING = ("wav", "aiff", "flac", "mp3", "ogg", "opus", "m4a", "alac")
WHOLE = ("wma", "mka", "aac")
CODECS = {
    "m4a": ("aac", "mp4", {"aac_pns": "0"}), "alac": ("alac", "mp4", {}), "wma": ("wmav2", "asf", {}),
    "mka": ("aac", "matroska", {}), "aac": ("aac", "adts", {}),
}  # fmt: skip


def music(rate: int, seconds: float = SECONDS) -> np.ndarray[Any, np.dtype[np.float32]]:
    one = sweep(rate=rate, seconds=seconds) + noise(seconds, rate=rate, level=0.02)
    return np.stack([one, 0.7 * np.roll(one, 20)], axis=1)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, found = tmp_path_factory.mktemp("songs"), {}
    for kind in (*SEEKING, *WHOLE):
        rate = 48_000 if kind == "opus" else 44_100
        path = folder / f"song.{kind}"
        if kind in CODECS:
            codec, container, options = CODECS[kind]
            found[kind] = encode(path, music(rate), rate, codec, container=container, codec_options=options)
        else:
            found[kind] = write_in_blocks(path, music(rate), rate)
    return found


def write_in_blocks(path: Path, sound: np.ndarray[Any, np.dtype[np.float32]], rate: int) -> Path:
    """Write as `write` does; libsndfile's encoders fail on a minute at once."""
    import soundfile

    container = {"opus": "OGG"}.get(path.suffix[1:], path.suffix[1:].upper())
    with soundfile.SoundFile(path, "w", rate, 2, "OPUS" if path.suffix == ".opus" else None, format=container) as file:
        for first in range(0, len(sound), 8192):
            file.write(sound[first : first + 8192])
    return path


def wanted(spec: Spec = MUSICNN, *, windows: int | None = 4, excerpt: float | None = None) -> Wanted:
    seconds = 3.0
    return Wanted(spec, WindowSpec(round(seconds * spec.frame_rate)), Choice(windows, excerpt))


def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the frames that decoders give."""
    counts: list[int] = []
    for reader in (FFmpegReader, SoundFileReader):
        chunks = reader.chunks

        def counted(self: Any, *where: Any, chunks: Any = chunks) -> Any:
            for chunk in chunks(self, *where):
                counts.append(len(chunk))
                yield chunk

        monkeypatch.setattr(reader, "chunks", counted)
    return counts


@pytest.mark.parametrize("spec", [MUSICNN, LogMelSpec()], ids=["16 kHz", "22 kHz"])
@pytest.mark.parametrize("kind", SEEKING)
def test_windows_are_those_of_the_whole_song(
    songs: dict[str, Path], kind: str, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = wanted(spec)
    waves = audio.decode(songs[kind], rate=spec.sample_rate)
    whole = stored([waves], make(spec))
    counts = decoded(monkeypatch)
    found = decode_frames(songs[kind], asked, make(spec))
    assert sum(counts) < 0.6 * SECONDS * 44_100
    assert isinstance(found.frames, ChosenFrames)
    assert abs(found.samples - len(waves)) <= (1024 if kind in ("m4a", "opus") else 0)  # the last packet
    starts = asked.starts(len(found.frames))
    assert len(starts) == 4
    for start in starts:
        window = found.frames[start : start + asked.windows.frames].astype(np.float32)
        expected = whole[start : start + asked.windows.frames].astype(np.float32)
        np.testing.assert_allclose(window, expected, rtol=0, atol=0.02 if kind == "opus" else 1e-2)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "m4a", "alac"])
def test_samples_that_need_no_resampling_are_the_same_to_the_bit(songs: dict[str, Path], kind: str) -> None:
    whole = audio.decode(songs[kind], rate=44_100)
    spans = [(44_100, 88_200), (441_000, 500_000), (1_500_000, 1_550_000)]
    found = audio.excerpts(songs[kind], rate=44_100, plan=lambda _: spans)
    assert found is not None
    assert [begin for begin, _ in found.waves] == [begin for begin, _ in spans]
    for (begin, end), (_, wave) in zip(spans, found.waves, strict=True):
        np.testing.assert_array_equal(wave, whole[begin:end])


@pytest.mark.parametrize("kind", WHOLE)
def test_formats_that_cannot_seek_to_the_sample_are_decoded_whole(songs: dict[str, Path], kind: str) -> None:
    asked = wanted()
    whole = stored([audio.decode(songs[kind], rate=16_000)], make(MUSICNN))
    found = decode_frames(songs[kind], asked, make(MUSICNN))
    assert len(found.frames) == len(whole)
    for start in asked.starts(len(whole)):
        end = start + asked.windows.frames
        np.testing.assert_allclose(found.frames[start:end], whole[start:end], rtol=0, atol=1e-4)


@pytest.mark.parametrize("spec", [MUSICNN, LogMelSpec(), KaldiSpec(), WaveSpec()], ids=["16k", "22k", "kaldi", "wave"])
@pytest.mark.parametrize("excerpt", [None, 9.0])
def test_every_front_end_has_the_frames_of_the_whole(songs: dict[str, Path], spec: Spec, excerpt: float | None) -> None:
    asked = wanted(spec, windows=3, excerpt=excerpt)
    whole = stored([audio.decode(songs["wav"], rate=spec.sample_rate)], make(spec))
    found = decode_frames(songs["wav"], asked, make(spec))
    for start in asked.starts(len(whole)):
        end = start + asked.windows.frames
        window, expected = found.frames[start:end].astype(np.float32), whole[start:end].astype(np.float32)
        np.testing.assert_allclose(window, expected, rtol=0, atol=1e-2)


def test_a_song_of_few_windows_is_decoded_whole(songs: dict[str, Path], tmp_path: Path) -> None:
    path = write(tmp_path / "short.wav", music(44_100, 30.0), 44_100)
    asked = wanted(windows=10)
    whole = stored(audio.blocks(path, rate=16_000), make(MUSICNN))
    held = asked.starts(len(whole))[-1] + asked.windows.frames
    np.testing.assert_array_equal(decode_frames(path, asked, make(MUSICNN)).frames[0:held], whole[:held])


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus", "m4a"])
@pytest.mark.parametrize("share", [0.3, 0.97])
def test_a_file_that_is_cut_off_is_refused_as_ever(
    songs: dict[str, Path], kind: str, share: float, tmp_path: Path
) -> None:
    content = songs[kind].read_bytes()
    path = tmp_path / songs[kind].name
    path.write_bytes(content[: int(share * len(content))])
    whole, chosen = (verdict(path, wanted(windows=windows)) for windows in (None, 4))
    assert chosen == whole
    assert "read" in whole or kind == "m4a"


def verdict(path: Path, asked: Wanted) -> str:
    """Return what is said of a file that may be damaged."""
    try:
        decode_frames(path, asked, make(MUSICNN))
    except AudioError as error:
        return str(error)
    return ""


def test_a_worker_sends_what_is_computed_here(songs: dict[str, Path]) -> None:
    bad = songs["wav"].with_name("bad.mp3")
    bad.write_text("Dear reader")
    for asked in (wanted(), wanted(windows=None)):
        with song_frames.frame_workers(asked, 2) as pool:
            found = []
            for path, sent in pool.streams([songs["mp3"], bad, songs["wav"]]):
                if path == bad:
                    with pytest.raises(AudioError, match=r"bad\.mp3"):
                        received(sent, asked)
                    continue
                found.append(received(sent, asked))
        for path, each in zip((songs["mp3"], songs["wav"]), found, strict=True):
            here = decode_frames(path, asked, make(MUSICNN))
            assert (len(each.frames), each.samples) == (len(here.frames), here.samples)
            for start in asked.starts(len(here.frames)):
                end = start + asked.windows.frames
                np.testing.assert_array_equal(each.frames[start:end], here.frames[start:end])


def test_workers_decode_and_compute_frames_without_torch(songs: dict[str, Path]) -> None:
    program = (
        "import sys; from pathlib import Path; from genrescope.features.front_end import make; "
        "from genrescope.features.placement import Choice, WindowSpec; from genrescope.store import prepare; "
        "from genrescope.features.song_frames import Wanted, decode_frames; "
        "from genrescope.features.spec import LogMelSpec; asked = Wanted(LogMelSpec(), WindowSpec(), Choice(2)); "
        "decode_frames(Path(sys.argv[1]), asked, make(asked.spec)); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, songs["mp3"]], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
