"""Checkpoints of TensorFlow: read to the bit, and no wrong byte goes unseen."""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt
import pytest
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st
from musicnn_support import MAGIC, checkpoint, entry, field, masked, table, varint

from genrescope.errors import ModelFileError
from genrescope.models.tensorflow_checkpoint import crc32c, read_checkpoint

TENSORS: dict[str, npt.NDArray[np.float32]] = {
    "conv/kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "conv/bias": np.array([0.5, -1.5], np.float32),
    "conv/kernel/Adam": np.zeros((2, 3, 4), np.float32),
    "dense/bias": np.array([np.pi], np.float32),
    "dense/kernel": np.random.default_rng(0).normal(size=(3, 1)).astype(np.float32),
}
INDEX, DATA = checkpoint(TENSORS)


def is_whole(index: bytes, data: bytes) -> bool:
    """Whether a checkpoint gives exactly the tensors; anything but an error of ours, or other tensors, fails."""
    try:
        found = read_checkpoint(index, data)
    except ModelFileError:
        return False
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)
    return True


def test_the_tensors_are_read_to_the_bit() -> None:
    assert is_whole(INDEX, DATA)


def test_what_is_not_wanted_is_not_looked_at() -> None:
    damaged = DATA.replace(TENSORS["dense/bias"].tobytes(), b"\0\0\0\0")
    found = read_checkpoint(INDEX, damaged, wanted=lambda name: not name.endswith("Adam") and name != "dense/bias")
    assert found.keys() == {"conv/kernel", "conv/bias", "dense/kernel"}
    with pytest.raises(ModelFileError, match="checksum of dense/bias differs"):
        read_checkpoint(INDEX, damaged)


@pytest.mark.parametrize("place", range(len(DATA)))
def test_every_flipped_byte_of_the_data_is_found(place: int) -> None:
    assert not is_whole(INDEX, DATA[:place] + bytes([DATA[place] ^ 0x10]) + DATA[place + 1 :])


def test_every_flipped_byte_of_the_index_is_found() -> None:
    """But for the bytes that say nothing: the padding of the footer, and the handle and the block of metadata."""
    harmless = {
        place
        for place in range(len(INDEX))
        for bits in (0x01, 0x10, 0x80, 0xFF)
        if is_whole(INDEX[:place] + bytes([INDEX[place] ^ bits]) + INDEX[place + 1 :], DATA)
    }
    blocks = [place for place in harmless if place < len(INDEX) - 48]
    assert max(blocks) - min(blocks) < 13  # one empty block: two words and its trailer
    assert max(harmless) < len(INDEX) - len(MAGIC)


@given(st.data())
def test_cut_short_anywhere_it_is_refused(draw: st.DataObject) -> None:
    assert not is_whole(INDEX[: draw.draw(st.integers(0, len(INDEX) - 1))], DATA)
    assert not is_whole(INDEX, DATA[: draw.draw(st.integers(0, len(DATA) - 1))])


@given(st.binary(max_size=300), st.booleans())
def test_other_bytes_are_refused_in_words(content: bytes, with_magic: bool) -> None:
    assert not is_whole(content.ljust(48, b"\0") + MAGIC if with_magic else content, DATA)


numbers = st.one_of(st.integers(0, 40), st.sampled_from([2**31, 2**63, 2**70]))
fields = st.builds(field, st.integers(1, 7), st.one_of(numbers, st.builds(lambda size: field(2, size), numbers)))


@given(st.one_of(st.binary(max_size=60), st.lists(fields, max_size=8).map(lambda each: field(1, 1) + b"".join(each))))
def test_an_index_whose_entries_are_nonsense_is_refused(value: bytes) -> None:
    message = error_of(lambda: read_checkpoint(table({"": b"", "x": value}), DATA), ModelFileError)
    assert message is not None
    assert "damaged" in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (field(1, 3) + entry(np.zeros(2), 0)[2:], "not of float32"),
        (entry(np.zeros(2), 0) + field(3, 1), "lies in another file"),
        (field(1, 1) + field(4, 0), "damaged"),
        (field(1, 1) + field(2, field(2, field(1, 3))) + field(5, 8) + entry(np.zeros(2), 0)[-5:], r"8 bytes for \(3,"),
        (entry(np.zeros(2), 1 << 40), "checksum of x differs"),
        (field(1, 1) + field(2, 5) + entry(np.zeros(2), 0)[-5:], "damaged"),
        (varint(9 << 3 | 1), "wire type 1"),
        (b"\xff" * 12, "a number is too long"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(value: bytes, words: str) -> None:
    with pytest.raises(ModelFileError, match=words):
        read_checkpoint(table({"x": value}), bytes(16))


def test_a_compressed_index_is_refused() -> None:
    index = table({"x": entry(np.zeros(2), 0)})
    end = index.index(struct.pack("<II", 0, 1)) + 8
    with pytest.raises(ModelFileError, match="compressed"):
        read_checkpoint(index[:end] + b"\x01" + index[end + 1 :], bytes(8))


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (bytes(32), 0x8A9136AA),  # this and the next three: RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"123456789", 0xE3069283),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum
    assert masked(checksum) != checksum


@pytest.mark.parametrize("length", [4095, 8 * 4096 - 1, 8 * 4096, 100_003])
def test_long_data_have_the_checksum_of_the_plain_rule(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    value = 0xFFFFFFFF
    table_of = []
    for byte in range(256):
        entry_of = byte
        for _ in range(8):
            entry_of = (entry_of >> 1) ^ (0x82F63B78 if entry_of & 1 else 0)
        table_of.append(entry_of)
    for each in data:
        value = (value >> 8) ^ table_of[(value ^ each) & 0xFF]
    assert crc32c(data) == value ^ 0xFFFFFFFF
