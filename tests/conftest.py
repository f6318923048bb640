"""What several tests share: sounds, files of every kind, and the real clips where a developer has them."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads torch: tests run side by side, a file a process

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from genrescope.store.store import StoredTrack
    from genrescope.tags.journal import Journal

RATE = 22_050

Samples = npt.NDArray[np.float32]

settings.register_profile(
    "genrescope",
    deadline=None,  # the machine may be busy
    max_examples=25,
    derandomize="CI" in os.environ,  # a change is judged by the same examples each time; elsewhere new ones are tried
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("genrescope")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and their children too


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Give a journal of written tags."""
    from genrescope.tags.journal import Journal

    with Journal(tmp_path / "journal.jsonl", {}) as opened:
        yield opened


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Work with one thread: a second one only waits where the machine is busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tone(hz: float, *, rate: int = RATE, seconds: float = 1.0, level: float = 0.5, channels: int = 1) -> Samples:
    """Return a sine of amplitude `level`: (samples,), or (samples, channels) for more than one channel."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (level * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    return wave if channels == 1 else np.repeat(wave[:, None], channels, axis=1)


def sweep(*, rate: int = RATE, seconds: float = 6.0, level: float = 0.4) -> Samples:
    """Return a sine whose frequency climbs from 200 Hz to 2 kHz: no two moments of it are alike."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (200 * time + 900 * time**2 / seconds)
    return (level * np.sin(phase)).astype(np.float32)


def noise(seconds: float = 1.0, *, rate: int = RATE, level: float = 0.1, seed: int = 0) -> Samples:
    """Return white noise of standard deviation `level`."""
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def pitch(wave: npt.NDArray[Any], rate: int = RATE) -> float:
    """Return the frequency of the highest peak of a wave's spectrum, in Hz."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave)), n=1 << 17))
    return float(np.argmax(spectrum) * rate / (1 << 17))


def level_of(wave: npt.NDArray[Any]) -> float:
    """Return the amplitude of the sine that has the power of a wave's middle half."""
    middle = wave[len(wave) // 4 : -(len(wave) // 4)]
    return float(np.sqrt(2 * np.mean(np.square(middle, dtype=np.float64))))


def write(path: Path, samples: Samples, rate: int = RATE, subtype: str | None = None) -> Path:
    """Write a file with libsndfile; the container follows from the name's ending."""
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    container = {".opus": "OGG", ".aif": "AIFF"}.get(path.suffix)
    subtype = subtype or ("OPUS" if path.suffix == ".opus" else None)
    soundfile.write(path, samples, rate, subtype=subtype, format=container)
    return path


def encode(
    path: Path,
    samples: Samples,
    rate: int,
    codec: str,
    *,
    container: str | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    video: bool = False,
    sound: bool = True,
) -> Path:
    """Write a file with FFmpeg: `samples` of shape (samples,) or (samples, channels), after a picture if asked."""
    import av

    layout = {1: "mono", 2: "stereo", 6: "5.1"}[1 if samples.ndim == 1 else samples.shape[1]]
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        file.metadata.update(tags or {})
        picture: Any = file.add_stream("mpeg4", rate=5) if video else None
        stream: Any = file.add_stream(codec, rate=rate, options=codec_options or {}) if sound else None
        if sound:
            stream.layout = layout
            stream.bit_rate = 96_000 * (1 if samples.ndim == 1 else samples.shape[1])
        if video:
            picture.width, picture.height, picture.pix_fmt = 32, 32, "yuv420p"
            for number in range(5):
                image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * number, np.uint8), format="rgb24")
                image.pts, image.time_base = number, Fraction(1, 5)
                file.mux(picture.encode(image))
            file.mux(picture.encode(None))
        if sound:
            planes = np.ascontiguousarray(samples.reshape(len(samples), -1).T, dtype=np.float32)
            whole = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            whole.sample_rate, whole.pts = rate, 0
            queue = av.AudioFifo()
            converter = av.AudioResampler(format=stream.codec_context.format.name, layout=layout, rate=rate)
            for frame in converter.resample(whole):
                queue.write(frame)
            while (piece := queue.read(stream.codec_context.frame_size or 1024)) is not None:
                file.mux(stream.encode(piece))
            if (rest := queue.read(0, partial=True)) is not None:
                file.mux(stream.encode(rest))
            file.mux(stream.encode(None))
    return path


def genre_folders(root: Path, genres: Sequence[str], *, tracks: int = 2, seconds: float = 1.0) -> Path:
    """Write a small data set: in each genre's folder tones and noise, no two files alike."""
    for number, genre in enumerate(genres):
        for track in range(tracks):
            hz = 150 * (number + 1) * (1 + 0.07 * track)
            sound = tone(hz, seconds=seconds, level=0.3) + noise(seconds, level=0.01, seed=100 * number + track)
            write(root / genre / f"{genre}-{track:02d}.wav", sound)
    return root


def stored(
    track_id: str, genre: str = "rock", group: str = "", *, first_frame: int = 0, frames: int = 128
) -> StoredTrack:
    """Return a track of a store that need not exist."""
    from genrescope.store.store import StoredTrack

    return StoredTrack(track_id, f"{track_id}.wav", genre, group, first_frame, frames, frames * 512 / RATE)


def error_of(call: Callable[[], object], *accepted: type[Exception]) -> str | None:
    """Call; return the message of an accepted error, or None when there was none. Others are raised."""
    try:
        call()
    except accepted as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """Give the folder of real GTZAN clips that lies beside a developer's checkout."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "gtzan"
    if not (folder / "genres").is_dir():
        pytest.skip("the real GTZAN clips do not lie beside this checkout (../shared/gtzan)")
    return folder
