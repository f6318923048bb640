"""Reading the weights of a TensorFlow checkpoint (format V2, a "tensor bundle") without TensorFlow.

A checkpoint is an index and a file of raw numbers. The index is a table of LevelDB's: blocks of sorted keys, each of
which shares a prefix with the one before, a trailer with a checksum after each block, and a footer that says where the
block of blocks lies. A value is a protocol buffer: type, shape, offset, size and checksum of a tensor.

Sources: tensorflow/core/util/tensor_bundle and tensorflow/core/lib/io/table in TensorFlow's repository; LevelDB's
doc/table_format.md; the checksum is CRC-32C (Castagnoli), masked as LevelDB masks it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope.errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAGIC = bytes.fromhex("57fb808b247547db")
_FOOTER, _TRAILER = 48, 5
_FLOAT32 = 1
_LARGEST = 1 << 31  # bytes of a tensor

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Entry:
    """Where a tensor lies in the data file."""

    shape: tuple[int, ...]
    offset: int
    size: int
    checksum: int


def read_checkpoint(index: bytes, data: bytes, *, wanted: Callable[[str], bool] = lambda _: True) -> dict[str, Floats]:
    """Return the float32 tensors of a checkpoint by their names.

    Args:
        index: content of the file that ends in `.index`.
        data: content of the file that ends in `.data-00000-of-00001`.
        wanted: says by its name whether a tensor is read; the others are not looked at.

    Raises:
        ModelFileError: it is no checkpoint, or a byte of it is wrong.
    """
    try:
        entries = {name: _entry(value) for name, value in _table(index) if name and wanted(name)}
        return {name: _tensor(name, entry, data) for name, entry in entries.items()}
    except (ArithmeticError, LookupError, TypeError, ValueError, struct.error) as error:
        raise ModelFileError(f"the TensorFlow checkpoint is damaged: {error}") from error


def _table(index: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield all keys of a LevelDB table with their values."""
    if len(index) < _FOOTER or index[-len(_MAGIC) :] != _MAGIC:
        raise ModelFileError("this is no index of a TensorFlow checkpoint, or it is cut short")
    place = 0
    _, place = _handle(index[-_FOOTER:], place)  # the block of metadata
    handle, _ = _handle(index[-_FOOTER:], place)
    for _, where in _block(index, *handle):
        inner, _ = _handle(where, 0)
        for key, value in _block(index, *inner):
            yield key.decode("utf-8"), value


def _handle(text: bytes, place: int) -> tuple[tuple[int, int], int]:
    offset, place = _varint(text, place)
    size, place = _varint(text, place)
    return (offset, size), place


def _block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys of a block with their values."""
    block, trailer = index[offset : offset + size], index[offset + size : offset + size + _TRAILER]
    if len(trailer) < _TRAILER:
        raise ModelFileError("the index of the TensorFlow checkpoint is cut short")
    kind, checksum = struct.unpack("<BI", trailer)
    if kind != 0:
        raise ModelFileError("the index of the TensorFlow checkpoint is compressed, which no checkpoint's is")
    if _masked(crc32c(block + trailer[:1])) != checksum:
        raise ModelFileError("the index of the TensorFlow checkpoint is damaged: a checksum differs")
    (restarts,) = struct.unpack("<I", block[-4:])
    end, place, key = len(block) - 4 * (restarts + 1), 0, b""
    while place < end:
        shared, place = _varint(block, place)
        fresh, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + fresh]
        place += fresh
        yield key, block[place : place + length]
        place += length


def _varint(text: bytes, place: int) -> tuple[int, int]:
    """Read a whole number of seven bits a byte, the lowest first; return it and the place after it."""
    value, shift = 0, 0
    while True:
        byte = text[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a protocol buffer: whole numbers, bytes, and numbers of four bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, place = _varint(message, place)
        elif wire == 2:
            length, place = _varint(message, place)
            value, place = message[place : place + length], place + length
        elif wire == 5:
            (value,) = struct.unpack("<I", message[place : place + 4])
            place += 4
        else:
            raise ValueError(f"a field of wire type {wire}")
        yield number, value


def _entry(message: bytes) -> _Entry:
    found: dict[int, Any] = dict(_fields(message))
    if found.get(1) != _FLOAT32 or found.get(3, 0) != 0:
        raise ValueError("a tensor is not of float32, or lies in another file")
    sizes = [dict(_fields(value)).get(1, 0) for number, value in _fields(found.get(2, b"")) if number == 2]
    return _Entry(tuple(sizes), found.get(4, 0), found[5], found[6])


def _tensor(name: str, entry: _Entry, data: bytes) -> Floats:
    if 4 * int(np.prod(entry.shape, dtype=np.int64)) != entry.size or entry.size > _LARGEST:
        raise ModelFileError(f"the TensorFlow checkpoint is damaged: {name} has {entry.size} bytes for {entry.shape}")
    raw = data[entry.offset : entry.offset + entry.size]
    if len(raw) < entry.size or _masked(crc32c(raw)) != entry.checksum:
        raise ModelFileError(f"the TensorFlow checkpoint is damaged: the checksum of {name} differs")
    return np.frombuffer(raw, dtype="<f4").reshape(entry.shape).copy()


def _masked(checksum: int) -> int:
    """Return a checksum as LevelDB stores it."""
    return (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _slices() -> npt.NDArray[np.uint32]:
    """Return the tables of CRC-32C for eight bytes at a time, shape (8, 256)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(0x82F63B78), table >> 1).astype(np.uint32)
    tables = [table]
    for _ in range(7):
        tables.append((tables[-1] >> 8) ^ table[tables[-1] & 0xFF])
    return np.stack(tables)


_TABLES = _slices()
_LANES = 4096  # pieces that are summed side by side, so that numpy has something to do


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes.

    Example:
        >>> hex(crc32c(b"123456789"))
        '0xe3069283'
    """
    length = len(data) // _LANES
    value = 0xFFFFFFFF
    if length >= 8:
        body, data = data[: length * _LANES], data[length * _LANES :]
        value = _joined(np.frombuffer(body, dtype=np.uint8).reshape(_LANES, length))
    return _bytewise(data, value) ^ 0xFFFFFFFF


def _bytewise(data: bytes, value: int) -> int:
    table = _TABLES[0].tolist()
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value


def _joined(pieces: npt.NDArray[np.uint8]) -> int:
    """Sum pieces of equal length side by side, then join the sums: a sum moves on over zeros by a matrix over GF(2)."""
    sums = np.zeros(len(pieces), dtype=np.uint32)
    sums[0] = 0xFFFFFFFF
    for column in range(pieces.shape[1]):
        sums = (sums >> 8) ^ _TABLES[0][(sums ^ pieces[:, column]) & 0xFF]
    over = [_bytewise(b"\0" * pieces.shape[1], 1 << bit) for bit in range(32)]
    value = int(sums[0])
    for each in sums[1:].tolist():
        moved = 0
        for bit, image in enumerate(over):
            if value >> bit & 1:
                moved ^= image
        value = moved ^ each
    return value
