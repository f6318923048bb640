"""Files to measure with: sound written by FFmpeg's encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path


def encode(
    path: Path, sound: Any, rate: int, codec: str = "aac", container: str | None = None, *, kbps: int = 96
) -> None:
    """Write (samples, channels) with one of FFmpeg's encoders, at so many kbit/s a channel."""
    import av

    layout = {1: "mono", 2: "stereo"}[sound.shape[1]]
    with av.open(str(path), "w", format=container) as file:
        stream: Any = file.add_stream(codec, rate=rate)
        stream.layout, stream.bit_rate = layout, 1000 * kbps * sound.shape[1]
        whole = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T, dtype=np.float32), "fltp", layout)
        whole.sample_rate, whole.pts = rate, 0
        queue = av.AudioFifo()
        for frame in av.AudioResampler(stream.codec_context.format.name, layout, rate).resample(whole):
            queue.write(frame)
        while (piece := queue.read(stream.codec_context.frame_size or 1024)) is not None:
            file.mux(stream.encode(piece))
        if (rest := queue.read(0, partial=True)) is not None:
            file.mux(stream.encode(rest))
        file.mux(stream.encode(None))
