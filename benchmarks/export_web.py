"""The page of exported models in Chromium: `python -m benchmarks.export_web CLIPS MODEL...`; prints a Markdown table.

CLIPS is a folder of genre folders of 30 s clips; every 60th of them that the browser decodes is classified, one after
the other. Needs the package playwright and a Chromium.
"""

from __future__ import annotations

import functools
import http.server
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import machine
from tools.browser import chromium

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIPS = 60
_DONE = "() => session.songs.length > 0 && session.songs.every(s => s.state === 'done' || s.state === 'failed')"
_HEAD = ("model", "folder, MB", "page ready, s", "30 s clip, s", "times real time", "evidence for 30 s, s",
         "largest difference")  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    folder, *models = arguments
    clips = sorted(Path(folder).glob("*/*.ogg"))[::CLIPS]
    print(f"{machine()}; {len(clips)} clips of 30 s, one thread in Chromium without a window, median\n")
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}")
    for model in models:
        print(f"| {' | '.join(_row(model, clips))} |", flush=True)


def _row(name: str, clips: Sequence[Path]) -> list[str]:
    from playwright.sync_api import sync_playwright

    from genrescope import modelfile
    from genrescope.export.web import export_web

    model = modelfile.load(name)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as driver:
        written = export_web(name, Path(temporary) / "page")
        handler = functools.partial(_Quiet, directory=str(written.folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = driver.chromium.launch(executable_path=chromium())
        page = browser.new_page()
        begun = time.perf_counter()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function("() => window.session?.model")
        ready = time.perf_counter() - begun
        seconds, differences = zip(*(_clip(page, model, path) for path in clips), strict=True)
        window = page.evaluate("() => session.engine.window")
        browser.close()
        server.shutdown()
    each = statistics.median(seconds)
    evidence = 8 * (30 / 0.75 + 30 / window["seconds"]) * window["spent"]
    label = str(model.header.recipe.get("name") or model.header.model)
    return [label, f"{written.size / 1e6:.1f}", f"{ready:.1f}", f"{each:.2f}", f"{30 / each:.0f}", f"{evidence:.0f}",
            f"{max(differences):.1e}"]  # fmt: skip


def _clip(page: Any, model: Any, path: Path) -> tuple[float, float]:
    """Return the seconds of a clip, and the largest difference of a score from torch's in single precision."""
    from genrescope import audio
    from genrescope.export.check import by_torch

    begun = time.perf_counter()
    page.set_input_files("#files", str(path))
    page.wait_for_function(_DONE, polling=20)
    seconds = time.perf_counter() - begun
    result = page.evaluate("() => session.songs.at(-1).result")
    scores, _ = by_torch(model, audio.decode(path, rate=model.header.front_end.sample_rate))
    labels = model.header.labels
    return seconds, max(
        abs(result["scores"][label] - float(score)) for label, score in zip(labels, scores, strict=True)
    )


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep quiet."""


if __name__ == "__main__":
    main(sys.argv[1:])
