"""The service's page without a service: a small server whose answers the uploaded files themselves say.

An uploaded file is JSON: `genre`, `confidence`, `seconds`, and where wanted `unknown`, `warnings`, `silent` (share),
`error` (a sentence), `status` (of the first answer), `wait` (seconds before a window).
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from genrescope.pages.colours import colours

if TYPE_CHECKING:
    from collections.abc import Iterator

LABELS = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; "
    "img-src 'self' blob: data:; worker-src 'self'"
)
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def model(**others: Any) -> dict[str, Any]:
    """Return what GET /v1/model says of a model with the ten genres of GTZAN."""
    labels = others.get("labels", LABELS)
    return {
        "name": "genres", "fingerprint": "feedfacefeedface", "labels": labels, "exclusive": True, "sample_rate": 22050,
        "window_seconds": 3.0, "hop_seconds": 1.0, "thresholds": {}, "unknown": True, "licence": "CC BY 4.0",
        "citations": ["Some One (2020)"], "measured": "84.5 % of 290 test tracks, 95 % interval 79.9 to 88.2 %",
        "trained_on": {"name": "GTZAN", "licence": "research only", "citation": "Some One (2002)"}, "library": False,
        "colours": {name: colour.light for name, colour in colours(labels).items()},
        "colours_dark": {name: colour.dark for name, colour in colours(labels).items()},
    } | others  # fmt: skip


def windows(asked: dict[str, Any], labels: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return windows of three seconds; every fourth has the next genre."""
    found = []
    for number in range(max(1, int(asked.get("seconds", 30) // 3))):
        best = (labels.index(asked["genre"]) + (number % 4 == 3)) % len(labels)
        high = asked.get("confidence", 0.8)
        scores = [high if place == best else (1 - high) / (len(labels) - 1) for place in range(len(labels))]
        silent = number < asked.get("silent", 0) * asked.get("seconds", 30) / 3
        found.append({"start": 3 * number, "end": 3 * number + 3, "scores": scores, "silent": silent})
    return found


def result(name: str, asked: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the answer that a file asks for."""
    high = asked.get("confidence", 0.8)
    rest = {label: (1 - high) / (len(labels) - 1) for label in labels if label != asked["genre"]}
    return {
        "name": name, "genre": asked["genre"], "confidence": high, "scores": {asked["genre"]: high} | rest,
        "labels": [], "unknown": asked.get("unknown", False), "seconds": asked.get("seconds", 30),
        "silent": asked.get("silent", 0.0), "warnings": asked.get("warnings", []), "windows": windows(asked, labels),
        "segments": [],
    }  # fmt: skip


class Service:
    """What the fake service knows and was asked.

    Attributes:
        model: its answer to GET /v1/model.
        token: a token that it wants.
        library: songs of its library, as it answers them.
        asked: requests so far, as method and address.
    """

    def __init__(self, **fields: Any) -> None:
        self.model = model(**fields.pop("model", {}))
        self.token: str | None = fields.pop("token", None)
        self.library: list[dict[str, Any]] = fields.pop("library", [])
        self.asked: list[str] = []
        self.seen: set[bytes] = set()

    def stream(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request for live genres, which this service has not."""
        handler.send_error(404)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, service: Service, *arguments: Any) -> None:
        self.service = service
        super().__init__(*arguments)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Security-Policy": POLICY, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _json(self, value: Any, status: int = 200, **headers: str) -> None:
        self._answer(status, json.dumps(value).encode(), **headers)

    def _may(self) -> bool:
        token = self.service.token
        return token is None or self.headers.get("Authorization") == f"Bearer {token}"

    def do_GET(self) -> None:
        """Answer with a file of the page, or with JSON."""
        url = urlsplit(self.path)
        self.service.asked.append(f"GET {self.path}")
        web = files("genrescope.pages") / "web"
        name = "listen.html" if url.path == "/" else url.path.removeprefix("/web/")
        if "/" not in name and (web / name).is_file():
            self._answer(200, (web / name).read_bytes(), f"{_KINDS[name.rpartition('.')[2]]}; charset=utf-8")
        elif url.path != "/v1/live" and not self._may():
            self._json({"detail": "This service wants a token."}, 401)
        elif url.path == "/v1/model":
            self._json(self.service.model)
        elif url.path == "/v1/live":
            self.service.stream(self)
        elif url.path.startswith("/v1/library/"):
            self._library(url.path, parse_qs(url.query))
        else:
            self._json({"detail": "not found"}, 404)

    def _library(self, path: str, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].lower()
        songs = [song for song in self.service.library if words in song["title"].lower()]
        alike = [{"similarity": 0.9, "song": song} for song in songs[:3]]
        self._json({"songs": songs, "total": len(songs)} if path.endswith("songs") else {"songs": alike})

    def do_POST(self) -> None:
        """Answer an upload line by line."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.service.asked.append(f"POST {self.path}")
        content = body.partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]
        if not self._may():
            return self._json({"detail": "This service wants a token."}, 401)
        try:
            asked = json.loads(content)
        except ValueError:
            return self._json({"detail": "soundfile: Format not recognised."}, 422)
        if "status" in asked and content not in self.service.seen:
            self.service.seen.add(content)
            return self._json({"detail": "busy"}, asked["status"], Retry_After="1")
        return self._lines(asked)

    def _lines(self, asked: dict[str, Any]) -> None:
        labels = tuple(self.service.model["labels"])
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event(event="waiting", ahead=0)
        self._event(event="decoding")
        if "error" in asked:
            return self._event(event="error", error=asked["error"], status=422)
        for number, window in enumerate(windows(asked, labels)):
            time.sleep(asked.get("wait", 0))
            seconds = asked.get("seconds", 30)
            self._event(**{"event": "windows", "seconds": seconds, "from": number, "windows": [window]})
        return self._event(event="result", result=result("x", asked, labels))

    def _event(self, **values: Any) -> None:
        self.wfile.write(json.dumps(values).encode() + b"\n")
        self.wfile.flush()


@contextlib.contextmanager
def serving(service: Service) -> Iterator[str]:
    """Run a service; give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, service)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
