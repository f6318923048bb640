"""Processes that decode one file after the other: a crash, a hang or a hunger for memory is one file's failure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from genrescope import files, workers
from genrescope.audio.decoding import blocks
from genrescope.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.audio.resampling import Wave
    from genrescope.audio.source import Source

_MOST = 4  # more than what comes after them keeps busy

Wanted: TypeAlias = "tuple[Source, str]"
"""What to decode, and the checksum that a file must have, or nothing."""


def decoders(rate: int) -> workers.Pool[Wanted]:
    """Return workers that decode in blocks; they need neither torch nor a model, so each starts at once.

    Args:
        rate: samples per second of the waves.

    Returns:
        A pool whose `streams` yield each file's wave in pieces, or raise `AudioError`, `WorkerDied`, or `DataError`
        where a file has another checksum.
    """
    return workers.Pool(partial(_decoder, rate), max(1, min(_MOST, workers.cores())), workers.Guard())


def _decoder(rate: int) -> Callable[[Wanted], Iterator[Wave]]:
    return partial(_decoded, rate)


def _decoded(rate: int, wanted: Wanted) -> Iterator[Wave]:
    source, checksum = wanted
    if checksum and not isinstance(source, bytes) and files.sha256(source) != checksum:
        raise DataError("it has changed since the store was prepared")
    yield from blocks(source, rate=rate)
