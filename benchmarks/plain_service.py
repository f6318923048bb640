"""The plain way to serve a model: a handler that decodes with librosa and predicts, request by request.

`python -m benchmarks.plain_service MODEL KIND`; KIND is `async` (a coroutine, which works in the event loop) or
`threads` (a function, which FastAPI runs in its threads).
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import librosa
import uvicorn
from fastapi import FastAPI, File

import genrescope
from genrescope.serve.server import address, listen
from genrescope.serve.settings import Settings


def main(model: str, kind: str) -> None:
    classifier, app = genrescope.load(model, device="cpu"), FastAPI()
    rate = classifier.info.sample_rate

    def predicted(content: bytes) -> dict[str, Any]:
        wave, _ = librosa.load(io.BytesIO(content), sr=rate)
        return {"results": [classifier.predict(wave, sample_rate=rate).to_dict()]}

    def in_threads(files: Annotated[bytes, File()]) -> dict[str, Any]:
        return predicted(files)

    async def in_loop(files: Annotated[bytes, File()]) -> dict[str, Any]:
        return predicted(files)

    app.post("/v1/predict")(in_loop if kind == "async" else in_threads)
    settings = Settings(port=0)
    with listen(settings) as listening:
        print(f"served at {address(settings, listening)} ", file=sys.stderr, flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
