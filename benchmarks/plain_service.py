"""The plain way to serve a model: a handler that decodes with librosa and predicts, request by request.

`python -m benchmarks.plain_service MODEL KIND`; KIND is `async` (a coroutine, which works in the event loop),
`threads` (a function, which FastAPI runs in its threads), or `librosa` (a function whose log-mel is librosa's, too, and
whose network takes the threads that torch takes by default).
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import librosa
import numpy as np
import uvicorn
from fastapi import FastAPI, File

import genrescope
from genrescope.inference.scorer import Scorer
from genrescope.serve.server import address, listen
from genrescope.serve.settings import Settings


def main(model: str, kind: str) -> None:
    classifier, app = genrescope.load(model, device="cpu"), FastAPI()
    rate = classifier.info.sample_rate
    spec, scorer = classifier.header.front_end, Scorer.of(classifier.model)

    def predicted(content: bytes) -> dict[str, Any]:
        wave, _ = librosa.load(io.BytesIO(content), sr=rate)
        return {"results": [classifier.predict(wave, sample_rate=rate).to_dict()]}

    def by_librosa(files: Annotated[bytes, File()]) -> dict[str, Any]:
        wave, _ = librosa.load(io.BytesIO(files), sr=rate)
        return {"results": [{"genre": "", "scores": scorer.track(log_mel(wave, spec)).scores.tolist()}]}

    def in_threads(files: Annotated[bytes, File()]) -> dict[str, Any]:
        return predicted(files)

    async def in_loop(files: Annotated[bytes, File()]) -> dict[str, Any]:
        return predicted(files)

    app.post("/v1/predict")({"async": in_loop, "threads": in_threads, "librosa": by_librosa}[kind])
    settings = Settings(port=0)
    with listen(settings) as listening:
        print(f"served at {address(settings, listening)} ", file=sys.stderr, flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


def log_mel(wave: Any, spec: Any) -> Any:
    """Return the log-mel of a waveform as librosa computes it, float32 (frames, mels)."""
    mels = librosa.feature.melspectrogram(
        y=wave, sr=spec.sample_rate, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels, fmin=spec.f_min,
        fmax=spec.f_max, window=spec.window, pad_mode="constant",
    )  # fmt: skip
    compressed = np.log10(1 + spec.gain * mels) if spec.compression == "log10" else np.log(mels + spec.floor)
    return compressed.T.astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
