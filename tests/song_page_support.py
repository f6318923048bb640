"""A song in the listening page: real sound, and answers that a test decides, line by line as the service sends them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from conftest import tone
from page_browser import add
from page_support import LABELS

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

RATE = 22050
VIEW = "document.querySelector('song-view')"
LAYERS = "document.querySelector('song-layers')"
DRAWN = f"() => {LAYERS}.sound && {LAYERS}.spectrogram.tiles.size && !{LAYERS}.spectrogram.asked.size"


def wav(samples: Any) -> bytes:
    """Return samples as a WAV file."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, RATE, format="WAV")
    return stream.getvalue()


def upload(name: str, content: bytes) -> Any:
    """Return a file for an input."""
    return {"name": name, "mimeType": "audio/wav", "buffer": content}


def two_tones(seconds: float = 12.0) -> bytes:
    """Return a song whose first half is a tone of 440 Hz and whose second half is one of 3,000 Hz."""
    return wav(np.concatenate([tone(hz, rate=RATE, seconds=seconds / 2) for hz in (440.0, 3000.0)]))


def windows(*genres: str | None, high: float = 0.8, length: float = 3.0) -> list[dict[str, Any]]:
    """Return windows of three seconds with these genres; None is silence."""
    low = (1 - high) / (len(LABELS) - 1)
    return [
        {
            "start": length * place, "end": length * (place + 1), "silent": genre is None,
            "scores": [high if label == genre else low for label in LABELS],
        }
        for place, genre in enumerate(genres)
    ]  # fmt: skip


def result(found: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return the answer that these windows amount to."""
    loud = [window["scores"] for window in found if not window["silent"]] or [[0.0] * len(LABELS)]
    means = dict(zip(LABELS, np.mean(loud, axis=0).tolist(), strict=True))
    scores = dict(sorted(means.items(), key=lambda pair: -pair[1]))
    genre = next(iter(scores))
    return {
        "name": "song", "genre": genre, "confidence": scores[genre], "scores": scores, "labels": [], "unknown": False,
        "seconds": found[-1]["end"], "silent": float(np.mean([window["silent"] for window in found])), "tags": {},
        "warnings": [], "windows": found, "segments": [],
    } | fields  # fmt: skip


def lines(*events: dict[str, Any]) -> str:
    """Return events as the service sends them."""
    return "".join(json.dumps(event) + "\n" for event in events)


def answered(route: Route, found: list[dict[str, Any]], **fields: Any) -> None:
    """Answer a song with these windows."""
    made = result(found, **fields)
    events = lines(
        {"event": "decoding"},
        {"event": "windows", "seconds": made["seconds"], "from": 0, "windows": found},
        {"event": "result", "result": made},
    )
    route.fulfill(body=events, content_type="application/x-ndjson")


def answer(page: Page, found: list[dict[str, Any]], **fields: Any) -> None:
    """Answer every song from now on with these windows."""
    page.route("**/v1/predict*", lambda route: answered(route, found, **fields))


def refuse(page: Page, sentence: str) -> None:
    """Answer every song with an error."""
    said = lines({"event": "error", "error": sentence, "status": 422})
    page.route("**/v1/predict*", lambda route: route.fulfill(body=said, content_type="application/x-ndjson"))


def hold(page: Page) -> list[Route]:
    """Let songs wait; their requests come into the list."""
    held: list[Route] = []
    page.route("**/v1/predict*", lambda route: held.append(route))  # noqa: PLW0108  Playwright takes no built-in function
    return held


def show(page: Page, content: bytes | None = None, name: str = "song.wav") -> None:
    """Give the page a song, and wait until it is answered and drawn."""
    add(page, upload(name, two_tones() if content is None else content))
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(100)


def scores_at(page: Page, seconds: float) -> None:
    """Tell the view of windows until a second, as if they had just come."""
    script = f"""windows => {{
        const song = session.chosen;
        Object.assign(song, {{ state: "scoring", seconds: 12, windows, progress: {{ done: {seconds}, total: 12 }} }});
        session.dispatchEvent(new CustomEvent("changed", {{ detail: song }}));
    }}"""
    page.evaluate(script, windows(*["rock"] * round(seconds / 3)))
    page.wait_for_timeout(100)


def centre(page: Page, selector: str) -> tuple[float, float, float, float]:
    """Return the left edge, the top, the width and the height of an element, in CSS pixels."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def column(page: Page, canvas: str, x: float) -> list[list[int]]:
    """Return the colours of a canvas from top to bottom, at a share of its width."""
    script = """([name, x]) => {
        const canvas = document.querySelector(`song-layers canvas.${name}`), { width, height } = canvas;
        const copy = new OffscreenCanvas(1, height), pen = copy.getContext("2d", { willReadFrequently: true });
        pen.drawImage(canvas, -Math.floor(x * (width - 1)), 0);
        return [...pen.getImageData(0, 0, 1, height).data];
    }"""
    found = page.evaluate(script, [canvas, x])
    return [found[place : place + 4] for place in range(0, len(found), 4)]


def pixel(page: Page, canvas: str, x: float, y: float) -> list[int]:
    """Return the colour of a canvas at shares of its width and height."""
    found = column(page, canvas, x)
    return found[int(y * (len(found) - 1))]


def darkest(page: Page, x: float) -> float:
    """Return where the spectrogram is darkest at a share of its width: 0 at the top, 1 at the bottom."""
    sums = [sum(colour[:3]) for colour in column(page, "spectrogram", x)]
    return int(np.argmin(sums)) / len(sums)
