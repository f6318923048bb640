"""A source that drops comes back: it is opened again, after waits that grow."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from genrescope.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from genrescope.inference.chunks import Chunk
    from genrescope.live.source import Source

_FIRST, _LONGEST = 1.0, 60.0  # seconds of waiting
_STEADY = 10.0  # seconds of sound after which the next wait is short again


@dataclass(frozen=True)
class Reconnecting:
    """A source that is opened again whenever it drops. What fails at once, before any sound, is an error.

    Attributes:
        source: what drops.
        on_note: called with what is to be said: once that it dropped, and once that it is back.
    """

    source: Source
    on_note: Callable[[str], None]

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def speed(self) -> float:
        """The source's."""
        return self.source.speed

    @property
    def ends(self) -> bool:
        """The source's."""
        return self.source.ends

    def chunks(self, rate: int) -> Iterator[Chunk]:
        """Yield its sound; the first chunk after a drop says how long the sound was missing.

        Raises:
            AudioError: there is no sound at all.
        """
        wait, last = _FIRST, 0.0  # when the last sound came; 0 before any
        is_away = False
        while True:
            samples = 0
            try:
                for chunk in self.source.chunks(rate):
                    missing = chunk.received - last if is_away else 0.0
                    if is_away:
                        self.on_note(f"{self.name} is back after {missing:.0f} s")
                    yield replace(chunk, lost=max(chunk.lost, missing))
                    is_away, last = False, chunk.received
                    samples += chunk.samples.shape[-1]
                    wait = _FIRST if samples > _STEADY * rate else wait
                return
            except AudioError as error:
                if not last:
                    raise
                if not is_away:
                    self.on_note(f"{error}; trying again in {wait:g} s, then less often, at last every {_LONGEST:g} s")
                is_away = True
            time.sleep(wait)
            wait = min(_LONGEST, 2 * wait)
