"""A service with live genres for the tests of its page: it names the genre of a tone by its pitch."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import numpy as np
from page_support import Service

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

EVERY = 0.25  # seconds
SHARE = """withSound => {
    navigator.mediaDevices.getDisplayMedia = async () => {
        const picture = document.createElement('canvas');
        picture.getContext('2d');
        const context = new AudioContext(), tone = new OscillatorNode(context, { frequency: 3000 });
        const shared = context.createMediaStreamDestination();
        tone.connect(shared), tone.start();
        const sound = withSound ? shared.stream.getAudioTracks() : [];
        return window.shared = new MediaStream([...sound, ...picture.captureStream().getVideoTracks()]);
    };
}"""
"""JavaScript that has the page share a tab whose sound is a tone of 3 kHz, or one without sound."""
_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of RFC 6455
_TEXT, _BINARY, _CLOSE = 1, 2, 8


class Refusal(NamedTuple):
    """How the next stream is refused: with a status before the upgrade, or a code after it, and a reason."""

    status: int
    reason: str = ""


class LiveService(Service):
    """A fake service with live genres: a tone below 1 kHz is jazz, one above it rock.

    Attributes:
        refusals: of the next streams, one each.
        streams: queries of the streams that were accepted.
        protocols: what each stream that was asked for offered.
        drop: set to cut the connections of now off, without a word.
        skipped: windows that it says it has skipped.
    """

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields, model={"live": True})
        self.refusals: list[Refusal] = []
        self.streams: list[dict[str, list[str]]] = []
        self.protocols: list[str | None] = []
        self.drop = threading.Event()
        self.skipped = 0

    def stream(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a request for a WebSocket."""
        self.protocols.append(handler.headers["Sec-WebSocket-Protocol"])
        refusal = self.refusals.pop(0) if self.refusals else None
        if refusal and refusal.status < 1000:
            return handler.send_error(refusal.status)
        socket = _Socket(handler)
        if refusal:
            return socket.close(refusal.status, refusal.reason)
        query = parse_qs(urlsplit(handler.path).query)
        self.streams.append(query)
        return _Stream(self, socket, int(query["rate"][0])).run()


class _Socket:
    """The server's end of a WebSocket."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._in, self._out = handler.rfile, handler.wfile
        handler.close_connection = True
        key = handler.headers["Sec-WebSocket-Key"].encode()
        handler.send_response(101)
        for name, value in {
            "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Accept": base64.b64encode(hashlib.sha1(key + _KEY).digest()).decode(),
        }.items():  # fmt: skip
            handler.send_header(name, value)
        if handler.headers["Sec-WebSocket-Protocol"]:
            handler.send_header("Sec-WebSocket-Protocol", "genrescope")
        handler.end_headers()

    def read(self) -> tuple[int, bytes]:
        """Return the kind and the content of the next message."""
        kind, length = struct.unpack("BB", self._in.read(2))
        length &= 127
        if length >= 126:
            (length,) = struct.unpack(">H" if length == 126 else ">Q", self._in.read(2 if length == 126 else 8))
        mask = np.frombuffer(self._in.read(4), np.uint8)
        content = np.frombuffer(self._in.read(length), np.uint8)
        return kind & 15, (content ^ np.resize(mask, length)).tobytes()

    def send(self, **message: Any) -> None:
        """Send a message as JSON."""
        self._frame(_TEXT, json.dumps(message).encode())

    def close(self, code: int, reason: str = "") -> None:
        """Close with a code and a reason."""
        self._frame(_CLOSE, struct.pack(">H", code) + reason.encode())

    def _frame(self, kind: int, content: bytes) -> None:
        long = len(content) > 125
        head = (
            struct.pack(">BBH", 128 | kind, 126, len(content)) if long else struct.pack("BB", 128 | kind, len(content))
        )
        self._out.write(head + content)
        self._out.flush()


class _Stream:
    def __init__(self, service: LiveService, socket: _Socket, rate: int) -> None:
        self.service, self.socket, self.rate = service, socket, rate
        self.time, self.genre, self.begun = 0.0, "", 0.0

    def run(self) -> None:
        """Answer sound with verdicts until its end."""
        self.socket.send(type="ready", model={"name": "genres"}, every=EVERY, window=EVERY)
        held, size = b"", 2 * round(EVERY * self.rate)
        while not self.service.drop.is_set():
            kind, content = self.socket.read()
            if kind == _TEXT:
                self.verdict(self.genre, last=True)
                return self.socket.close(1000)
            if kind == _CLOSE:
                return None
            held += content
            while len(held) >= size:
                self.hear(np.frombuffer(held[:size], "<i2"))
                held = held[size:]
        return self.service.drop.clear()

    def hear(self, samples: np.ndarray) -> None:
        """Name the genre of a quarter of a second."""
        self.time += EVERY
        if np.abs(samples).max() < 33:
            return self.verdict(self.genre, silent=True)
        rising = np.count_nonzero(np.diff(np.signbit(samples).astype(int)) == -1)
        genre = "jazz" if rising / EVERY < 1000 else "rock"
        if genre != self.genre:
            self.genre, self.begun = genre, self.time - EVERY
        return self.verdict(genre)

    def verdict(self, genre: str, *, silent: bool = False, last: bool = False) -> None:
        """Send a verdict."""
        other = "rock" if genre == "jazz" else "jazz"
        average = {"genre": genre, "confidence": 0.7, "unknown": False, "labels": [], "windows": 4}
        self.socket.send(
            type="verdict", time=self.time, age=0.1, genre=genre, confidence=0.8, silent=silent, unknown=False,
            level=-100.0 if silent else -20.0, scores={} if silent else {genre: 0.8, other: 0.15, "pop": 0.05},
            song=average | {"start": self.begun}, whole=average | {"start": 0.0}, skipped=self.service.skipped,
            lost=0.0, last=last,
        )  # fmt: skip
