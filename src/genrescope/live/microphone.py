"""A microphone or a line input, through sounddevice."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.audio.resampling import resampled
from genrescope.errors import AudioError
from genrescope.extras import MissingPackageError, require
from genrescope.inference.chunks import Chunk
from genrescope.live.source import PIECE, finite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from genrescope.audio import Samples

_SILENT = 5.0  # seconds without any block, after which a device is gone
_MOST = 64  # blocks that wait here; whoever takes them is a thread that does nothing else


@dataclass(frozen=True)
class MicrophoneSource:
    """A microphone or line input.

    Attributes:
        device: its number, or a part of its name; None takes the system's default.
    """

    device: int | str | None = None

    speed, ends = 1.0, False

    @property
    def name(self) -> str:
        """What a message calls it."""
        return "the default input" if self.device is None else f"input {self.device}"

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield what it records.

        Raises:
            AudioError: there is no such device, or it has gone.
            MissingPackageError: sounddevice or PortAudio is not installed.
        """
        sounddevice = library()
        try:
            found = sounddevice.query_devices(self.device, "input")
            own, channels = round(found["default_samplerate"]), min(2, found["max_input_channels"])
            blocks: queue.Queue[Samples] = queue.Queue(_MOST)
            with sounddevice.InputStream(
                device=self.device, samplerate=own, channels=channels, blocksize=round(PIECE * own), dtype="float32",
                callback=lambda block, *_: None if blocks.full() else blocks.put_nowait(block.copy()),
            ):  # fmt: skip
                for wave in resampled(_taken(blocks), own, rate):
                    yield Chunk(wave, time.monotonic())
        except (sounddevice.PortAudioError, ValueError) as error:
            told = f"{error}; genrescope live --list-devices lists the inputs"
            raise AudioError(self.name, [("PortAudio", told)]) from error
        raise AudioError(self.name, [("PortAudio", f"no sound for {_SILENT:g} seconds")])


def _taken(blocks: queue.Queue[Samples]) -> Iterator[Samples]:
    """Yield the blocks until none come any more."""
    while True:
        try:
            yield finite(blocks.get(timeout=_SILENT))
        except queue.Empty:
            return


def inputs() -> list[tuple[int, str, int, int, bool]]:
    """Return number, name, channels, rate of each input, and whether it is the default.

    Raises:
        MissingPackageError: sounddevice or PortAudio is not installed.
    """
    sounddevice = library()
    default = sounddevice.default.device[0]
    return [
        (number, each["name"], each["max_input_channels"], round(each["default_samplerate"]), number == default)
        for number, each in enumerate(sounddevice.query_devices())
        if each["max_input_channels"] > 0
    ]


def library() -> Any:
    """Return the module sounddevice.

    Raises:
        MissingPackageError: it is not installed, or the library PortAudio is not.
    """
    require("live", "a microphone or line input")
    try:
        import sounddevice
    except OSError as error:
        raise MissingPackageError(
            f"a microphone or line input needs the library PortAudio: {error}. On Debian and Ubuntu: "
            "apt install libportaudio2. A file, the address of a stream, or - for stdin need neither"
        ) from None
    return sounddevice
