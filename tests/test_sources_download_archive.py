"""Archives whose headers claim what is not there: one `DataError` each, and no memory for what is claimed."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest

from genrescope.errors import DataError
from genrescope.sources.download.archive import unpack

if TYPE_CHECKING:
    from pathlib import Path

HUGE = 8 << 30


def head(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(held: bytes) -> bytes:
    return held.ljust(-(-len(held) // 512) * 512, b"\0")


def pax(body: bytes = b"", **records: str) -> bytes:
    """Return a tar with one member that has these records, each `length key=value`, the length counting itself."""
    held = b""
    for key, value in records.items():
        text = f" {key.replace('__', '.')}={value}\n"
        length = next(n for n in range(len(text), len(text) + 9) if n == len(str(n)) + len(text))
        held += f"{length}{text}".encode()
    return head("p", len(held), tarfile.XHDTYPE) + padded(held) + head("a.wav", len(body)) + padded(body) + bytes(1024)


def zipped(mark: bytes, offset: int, value: bytes) -> bytes:
    """Return a zip of which a field of the last record with this mark holds another value."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.wav", "x" * 1000)
    raw = bytearray(held.getvalue())
    at = raw.rfind(mark) + offset
    raw[at : at + len(value)] = value
    return bytes(raw)


SPARSE = {"GNU__sparse__major": "1", "GNU__sparse__minor": "0"}
CASES = {
    "pax.tar": head("p", HUGE, tarfile.XHDTYPE) + bytes(512),
    "name.tar": head("L", HUGE, tarfile.GNUTYPE_LONGNAME) + bytes(512),
    "name.tar.gz": gzip.compress(head("L", HUGE, tarfile.GNUTYPE_LONGNAME) + bytes(1 << 20)),
    "sparse-1.tar": pax(b"1000000000\n0\n5\n", **SPARSE, GNU__sparse__realsize=str(HUGE)),
    "sparse-2.tar": pax(b"x\n", **SPARSE, GNU__sparse__realsize="x"),
    "sparse-3.tar": pax(GNU__sparse__map="0,1,x"),
    "sparse-4.tar": pax(GNU__sparse__size=str(1 << 70), GNU__sparse__offset="0"),
    "size-1.tar": pax(size=str(1 << 80)),
    "size-2.tar": pax(size="-5"),
    "member.tar": head("a.wav", HUGE) + bytes(512),
    "member.zip": zipped(b"PK\1\2", 24, struct.pack("<I", 0xFFFFFFF0)),
    "short.zip": zipped(b"PK\1\2", 24, struct.pack("<I", 1001)),
    "directory.zip": zipped(b"PK\5\6", 12, struct.pack("<I", 0x7FFFFFFF)),
    "offset.zip": zipped(b"PK\1\2", 42, struct.pack("<I", 0x7FFFFFF0)),
    "foreign.tar.gz": b"a web page",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_claim_is_one_data_error_and_costs_no_memory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CASES[name])
    (tmp_path / "out").mkdir()
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=name.replace(".", r"\.")) as caught:
            unpack(tmp_path / name, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert sum(path.stat().st_size for path in (tmp_path / "out").iterdir()) < 1 << 16
