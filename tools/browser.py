"""Chromium without a window, spoken to over a pipe in the DevTools protocol: it needs no driver and no package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 60.0  # seconds for an answer: the machine may be busy
_FLAGS = (
    "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
    "--no-first-run", "--hide-scrollbars", "--disable-background-networking", "--disable-extensions",
)  # fmt: skip


def chromium() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def install() -> str:
    """Install Chromium where this is root's machine and it has apt; say how it ended."""
    if (found := chromium()) is not None:
        return f"Chromium: {found}"
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return "no Chromium on this machine; the tests of pages in a browser are skipped"
    for command in ("update", "install --yes --no-install-recommends chromium"):
        refused = _apt(command.split())
        if refused:
            return f"Chromium could not be installed ({refused}); the tests of pages in a browser are skipped"
    return f"Chromium: {chromium()}"


def _apt(arguments: list[str]) -> str:
    """Run apt-get with short patience for a network that is not there; return why it failed, or nothing."""
    options = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            ["apt-get", "--quiet", *options, *arguments], env=quiet, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=600, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["apt-get failed"])[-1]


class Browser:
    """A running browser with one page.

    Attributes:
        events: what the page has reported since `watch`, as method and params of the protocol.

    Raises:
        FileNotFoundError: there is no Chromium on this machine.
        TimeoutError: it does not answer.
        OSError: it ended or refused a command.
    """

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True)
        self._asked, self._waiting = 0, b""
        self.events: list[dict[str, Any]] = []
        self._process, self._write, self._read = _start(program, self._profile.name)
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session: str | None = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def __enter__(self) -> Self:
        """Give the browser itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process and remove its profile."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        os.close(self._write)
        os.close(self._read)
        self._profile.cleanup()

    def open(self, page: Path, *, width: int, dark: bool = False, height: int = 800, scale: float = 1.0) -> None:
        """Show a file in a window of a width in CSS pixels, with the colours that a light or a dark system asks for."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])
        self._ask("Page.navigate", url=page.resolve().as_uri())
        give_up = time.monotonic() + _PATIENCE
        while not self.value("document.readyState == 'complete' && [...document.images].every(i => i.complete)"):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{page} was not drawn within {_PATIENCE:.0f} s")
            time.sleep(0.02)

    def watch(self) -> None:
        """Note from now on what the page logs, the errors that it throws, and the addresses that it asks for."""
        for domain in ("Log", "Runtime", "Network"):
            self._ask(f"{domain}.enable")
        self.events.clear()

    def wait(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, as soon as that is true in JavaScript's sense.

        Raises:
            TimeoutError: it never is.
        """
        give_up = time.monotonic() + _PATIENCE
        while not (found := self.value(expression)):
            if time.monotonic() > give_up:
                raise TimeoutError(f"{expression} did not become true within {_PATIENCE:.0f} s")
            time.sleep(0.02)
        return found

    def mouse(self, *steps: tuple[str, float, float]) -> None:
        """Move and press the mouse: each step is `moved`, `pressed` or `released`, and a place in CSS pixels."""
        for kind, x, y in steps:
            button = {"button": "left", "clickCount": 1, "buttons": int(kind != "released")} if kind != "moved" else {}
            self._ask("Input.dispatchMouseEvent", type=f"mouse{kind.capitalize()}", x=x, y=y, **button)

    def key(self, key: str) -> None:
        """Press a key, named as `KeyboardEvent.key` names it."""
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "Tab": 9, "End": 35}.get(key, ord(key[0]))
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self._ask("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self._ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression gives on the page."""
        done = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise OSError(f"{expression}: {done['exceptionDetails']['exception'].get('description')}")
        return done["result"].get("value")

    def picture(self, path: Path, *, top: int = 0, height: int | None = None) -> None:
        """Write a PNG file of the page: all of it, or a strip of a height in CSS pixels from `top`."""
        width, whole = self.value("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": top, "width": width, "height": min(height or whole, whole - top), "scale": 1}
        done = self._ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(done["data"]))

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        message = {"id": self._asked, "method": method, "params": parameters}
        if getattr(self, "_session", None) is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        for answer in self._answers():
            if "method" in answer:
                self.events.append(answer)
            if answer.get("id") == self._asked:
                if "error" in answer:
                    raise OSError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
        raise OSError(f"{method}: the browser ended with code {self._process.poll()}")

    def _answers(self) -> Iterator[dict[str, Any]]:
        """Yield messages as they come; they are apart by a zero byte."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            message, zero, rest = self._waiting.partition(b"\0")
            if zero:
                self._waiting = rest
                yield json.loads(message)
                continue
            if not select.select([self._read], [], [], max(0, give_up - time.monotonic()))[0]:
                raise TimeoutError(f"the browser did not answer within {_PATIENCE:.0f} s")
            piece = os.read(self._read, 1 << 20)
            if not piece:
                return
            self._waiting += piece


def _start(program: str, profile: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start Chromium, which reads commands from file descriptor 3 and answers on 4; return the process and our ends."""
    its_in, our_out = os.pipe()
    our_in, its_out = os.pipe()
    shell = f'exec "$0" "$@" 3<&{its_in} 4>&{its_out}'  # the shell gives the pipes the numbers that Chromium expects
    process = subprocess.Popen(
        ["/bin/bash", "-c", shell, program, *_FLAGS, f"--user-data-dir={profile}"], pass_fds=(its_in, its_out),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(its_in)
    os.close(its_out)
    return process, our_out, our_in


if __name__ == "__main__":
    print(install())
