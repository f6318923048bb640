"""A model as a web page: a folder of files that classifies songs inside the visitor's browser."""

from __future__ import annotations

import importlib.resources
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope import files
from genrescope.export import card
from genrescope.export.onnx_file import CARD_NAME, checked, write_card
from genrescope.export.web_model import facts
from genrescope.export.web_runtime import NOTICE, runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from genrescope.export.check import Parity
    from genrescope.export.onnx_file import Checked
    from genrescope.export.quantise import Cost

PAGE = "index.html"
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; "
    "media-src blob:; img-src 'self' blob: data:; worker-src 'self'; base-uri 'none'; form-action 'none'"
)
"""What the page may do: nothing that does not lie beside it."""

_ENGINE = ("engine.js", "engine_on_device.js")  # of the service's page, and what stands in its place
_STYLE = "on_device.css"
_OURS = (PAGE, CARD_NAME)
_NAMED = re.compile(r'["\'(](?:\./|web/)?(\w+\.(?:js|css|svg))["\')]')
_NOT_SERVED = """<p id="served" class="not-served">This page needs a web server: browsers run no modules of a page
that is opened as a file. In this folder, run <code>python -m http.server</code>, and open http://localhost:8000.</p>
"""


@dataclass(frozen=True)
class WebPage:
    """What an export wrote.

    Attributes:
        folder: the page's.
        size: bytes of all files.
        parity: of the single precision model with torch.
        cost: of quantisation; None without it.
    """

    folder: Path
    size: int
    parity: Parity
    cost: Cost | None


def export_web(
    model: str | Path,
    folder: Path,
    *,
    check: Sequence[Path] = (),
    int8: bool = False,
    data: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    on_track: Callable[[int, int], None] = lambda *_: None,
    on_bytes: Callable[[int, int | None], None] = lambda done, total: None,
) -> WebPage:
    """Write a folder with a page that classifies songs in the browser: page, model and runtime.

    Args:
        model: model file, run folder, folder of a cross-validation, or a name on the shelf.
        folder: where it goes; a page that was written there before is replaced.
        check: as `onnx_file.export` has it, and all others up to `on_track`.
        int8: quantise the weights of convolutions and dense layers.
        data: DATA, on which the cost of quantisation is measured.
        on_step: called with a word on what is being done.
        on_track: called with the tracks of `data` that are done, and the tracks in all.
        on_bytes: called with the bytes of the runtime that were downloaded, and those in all.

    Raises:
        DataError: the folder holds other things, or the runtime cannot be fetched.
        AudioError, MissingPackageError, ModelFileError, OutputError: as `onnx_file.export`.
    """
    files.refuse_foreign(folder, _OURS, what="the page")
    on_step("fetching onnxruntime-web")
    ort = runtime(on_bytes=on_bytes)
    done = checked(model, check=check, int8=int8, data=data, on_step=on_step, on_track=on_track)
    on_step("writing")
    write_page(done, folder, name=str(model), ort=ort)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return WebPage(folder, size, done.parity, done.cost)


def write_page(done: Checked, folder: Path, *, name: str, ort: dict[str, bytes]) -> None:
    """Write the files of a page, the page itself last.

    Args:
        done: the model.
        folder: where they go.
        name: as the model was given.
        ort: the files of the runtime.
    """
    contents = {f"ort/{file}": content for file, content in ort.items()} | _model_files(done, name) | _page_files()
    for path, content in contents.items():
        _write(folder / path, content)
    write_card(done, folder, card.WEB.format(folder=folder.name))
    _write(folder / PAGE, _page().encode())


def _model_files(done: Checked, name: str) -> dict[str, bytes]:
    graphs: dict[str, Any] = {"front_end": done.traced.front_end[0], "network": done.network,
                              "pooling": done.traced.pooling}  # fmt: skip
    return {f"model/{part}.onnx": graph.SerializeToString() for part, graph in graphs.items()} | {
        "model/model.json": facts(done, name).encode()
    }


def _page() -> str:
    """Return the service's page under a policy of its own, with a sentence for who opens it as a file."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    page = _read("listen.html").replace("<meta charset", f"{policy}<meta charset", 1)
    page = page.replace("<script ", f'<link rel="stylesheet" href="web/{_STYLE}">\n<script ', 1)
    return page.replace("<main>\n", f"<main>\n{_NOT_SERVED}", 1).replace("<html ", f"<!-- {NOTICE} -->\n<html ", 1)


def _page_files() -> dict[str, bytes]:
    """Return the modules and styles that the page names, and those that they name in turn."""
    found: dict[str, str] = {}
    waiting = _NAMED.findall(_page())
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _read(_ENGINE[1] if name == _ENGINE[0] else name)
        waiting += [other for other in _NAMED.findall(found[name]) if other != "ort.js"]
    return {f"web/{name}": text.encode() for name, text in found.items()}


def _read(name: str) -> str:
    return (importlib.resources.files("genrescope.pages") / "web" / name).read_text(encoding="utf-8")


def _write(path: Path, content: bytes) -> None:
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
