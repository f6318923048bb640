"""Sound that waits until it is scored: a thread takes it from the source, and no more than some seconds are kept."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from genrescope.inference.chunks import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from genrescope.live.source import Source

_MOST = 30.0  # seconds until which sound waits; beyond them the oldest is lost


class Waiting:
    """A context in which a source is read by a thread of its own; iterating takes all that waits, joined.

    Args:
        source: what is read.
        rate: samples per second.
        most: seconds until which sound waits.
    """

    def __init__(self, source: Source, rate: int, most: float = _MOST) -> None:
        self._source, self._rate = source, rate
        self._most = most * max(1.0, source.speed) * rate
        self._chunks: deque[Chunk] = deque()
        self._samples = 0
        self._changed = threading.Condition()
        self._has_ended, self._is_over = False, False
        self._error: BaseException | None = None

    def __enter__(self) -> Waiting:
        threading.Thread(target=self._read, daemon=True, name="genrescope live").start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_over = True

    def __iter__(self) -> Iterator[Chunk]:
        """Yield what has come since, in one piece; sound that was lost in between ends a piece.

        Raises:
            AudioError: the source has failed.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._chunks or self._has_ended)
                if not self._chunks:
                    break
                taken = [self._chunks.popleft()]
                while self._chunks and not self._chunks[0].lost:
                    taken.append(self._chunks.popleft())
                self._samples = sum(len(chunk.samples) for chunk in self._chunks)
            yield Chunk(np.concatenate([chunk.samples for chunk in taken]), taken[-1].received, taken[0].lost)
        if self._error is not None:
            raise self._error

    def _read(self) -> None:
        try:
            for chunk in self._source.chunks(self._rate):
                if self._is_over:
                    return
                with self._changed:
                    self._put(chunk)
                    self._changed.notify()
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify()

    def _put(self, chunk: Chunk) -> None:
        """Keep a chunk; where too much waits, the oldest is lost."""
        self._chunks.append(chunk)
        self._samples += len(chunk.samples)
        while self._samples > self._most and len(self._chunks) > 1:
            oldest = self._chunks.popleft()
            self._samples -= len(oldest.samples)
            lost = oldest.lost + len(oldest.samples) / self._rate
            self._chunks[0] = replace(self._chunks[0], lost=self._chunks[0].lost + lost)
