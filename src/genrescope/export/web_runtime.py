"""onnxruntime-web, which runs a model in a browser: fetched from the npm registry, checked, and kept in the cache."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
from typing import IO, TYPE_CHECKING, cast

from genrescope.errors import DataError
from genrescope.modelfile.catalogue import cache_folder
from genrescope.sources.download.fetch import fetch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VERSION = "1.30.0"
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
SIZE = 33_106_585
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca590a5cdc57bb2f35ce2b298de32f4d95"
    "6fb42644c0ecd528a0a91e025c07ca61"
)
NOTICE = f"ONNX Runtime Web {VERSION}, copyright (c) Microsoft Corporation, MIT License, https://onnxruntime.ai"

_PROGRAM = "package/dist/ort.wasm.bundle.min.mjs"
_WASM = "package/dist/ort-wasm-simd-threaded.wasm"


def archive_path() -> Path:
    """Return where the package lies, or would lie."""
    return cache_folder() / "onnxruntime-web" / URL.rpartition("/")[2]


def runtime(*, on_bytes: Callable[[int, int | None], None] = lambda done, total: None) -> dict[str, bytes]:
    """Return the files of the runtime by the names that they have in the folder of a page.

    The program is the build without WebGPU, which is half as large. The WebAssembly is packed (gzip), to a quarter.

    Args:
        on_bytes: called with the bytes so far and the bytes in all, while the package is downloaded.

    Raises:
        DataError: the package cannot be fetched, or is not the known one.
        OutputError: the cache cannot be written.
    """
    path = archive_path()
    if not path.exists():
        _fetch(path, on_bytes)
    if hashlib.sha512(path.read_bytes()).hexdigest() != SHA512:
        path.unlink()
        raise DataError(f"{path} was not the known file: its checksum was another. It was removed; run it again")
    with tarfile.open(path) as archive:
        program, wasm = (_member(archive, name) for name in (_PROGRAM, _WASM))
    return {"ort.js": program, "ort.bin": gzip.compress(wasm, 9, mtime=0), "LICENCE.txt": f"{NOTICE}\n".encode()}


def _fetch(path: Path, on_bytes: Callable[[int, int | None], None]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        fetch(URL, partial, size=SIZE, on_bytes=on_bytes)
    except DataError as error:
        raise DataError(
            f"onnxruntime-web {VERSION}, which the page needs, cannot be fetched: {error}. Connect to the internet "
            f"once, or download {URL} elsewhere and put it into {path.parent}"
        ) from error
    partial.rename(path)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    return cast("IO[bytes]", archive.extractfile(name)).read()  # the checksum says that it is there
