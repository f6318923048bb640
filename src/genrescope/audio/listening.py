"""What was noticed while a file was decoded, and what that says of it: cut short, damaged, or no sound at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from genrescope.audio.reader import UnreadableError, cut_short

_GAP_SECONDS = 0.05
_END_SECONDS = 0.2  # a decoder may still give the last packets before the end
_GAP_BYTES = 512  # headers between two packets are smaller
_MOSTLY = 0.5  # share of the bytes from the first packet to the last


@dataclass
class Noticed:
    """What was noticed while a file was decoded.

    Attributes:
        seconds: sound decoded so far.
        clock: the end of the last packet by the file's own clock, in seconds from its beginning.
        packets: how many could be decoded.
        bytes: their size together; `timed_bytes` and `timed_seconds` of those with a time alone.
        broken: how many could not.
        first_broken: seconds decoded before the first of them.
        last_broken: seconds decoded before the last of them.
        reason: what the decoder said of it.
        missing: seconds that a hole in the file took, by its clock.
        hole: seconds decoded before the first hole.
        begin: where the first packet lies in the file, in bytes.
        end: where the last one ends.
    """

    seconds: float = 0.0
    clock: float = 0.0
    packets: int = 0
    bytes: int = 0
    timed_bytes: int = 0
    timed_seconds: float = 0.0
    broken: int = 0
    first_broken: float = 0.0
    last_broken: float = 0.0
    reason: str = ""
    missing: float = 0.0
    hole: float = 0.0
    begin: int | None = None
    end: int = 0

    def heard(self, position: int | None, size: int, at: float | None, seconds: float, *, clocked: bool) -> None:
        """Note a packet that was decoded.

        Args:
            position: where it lies in the file, in bytes.
            size: its bytes.
            at: when its sound begins by the file's clock, in seconds.
            seconds: how long it is.
            clocked: whether a jump of the clock over bytes that belong to no packet is a hole.
        """
        if clocked and at is not None and position is not None and self.packets:
            jump = at - self.clock
            if jump > _GAP_SECONDS and position - self.end > _GAP_BYTES:
                self.hole = self.hole if self.missing else self.seconds
                self.missing += jump
        if position is not None:
            self.begin = position if self.begin is None else min(self.begin, position)
            self.end = max(self.end, position + size)
        self.clock = max(self.clock, (self.clock if at is None else at) + seconds)
        self.seconds += seconds
        self.packets += 1
        self.bytes += size
        if at is not None:  # FFmpeg gives no time to a packet that it patched together from broken ones
            self.timed_bytes += size
            self.timed_seconds += seconds

    def failed(self, reason: str) -> None:
        """Note a packet that could not be decoded."""
        if not self.broken:
            self.first_broken, self.reason = self.seconds, reason
        self.broken += 1
        self.last_broken = self.seconds

    def scattered(self) -> bool:
        """Whether most of what lies between the first packet and the last is something else: no sound, but chance."""
        return self.begin is not None and self.bytes < _MOSTLY * (self.end - self.begin)

    def fault(self, stated: float, *, counted: bool = False) -> UnreadableError | None:
        """Return what is wrong with a file whose packets must all be good.

        Args:
            stated: its length by its header, in seconds; NaN where there is none.
            counted: whether its clock counts samples, also those that are lost, so that it tells of no pause.
        """
        promise = "" if math.isnan(stated) else f" of {stated:.2f} s"
        read = f"{self.seconds:.2f} s{promise} could be read"
        if self.broken and self.seconds - self.last_broken < _END_SECONDS:
            told = f"truncated: damaged or cut short after {self.first_broken:.2f} s: {self.reason}; {read}"
            return UnreadableError(told, final=True, fault="truncated")
        if self.broken:
            many = f"{self.broken} packets" if self.broken > 1 else "a packet"
            told = f"damaged after {self.first_broken:.2f} s: {many} could not be decoded ({self.reason}); {read}"
            return UnreadableError(told, final=True, fault="damaged")
        if self.missing:
            told = f"damaged after {self.hole:.2f} s: {self.missing:.2f} s are missing there; {read}"
            return UnreadableError(told, final=True, fault="damaged")
        short = None if math.isnan(stated) else cut_short(stated, self.seconds, at=None if counted else self.clock)
        if short is not None and counted and self._lies_there(stated - self.seconds):
            return UnreadableError(str(short).replace("truncated", "damaged", 1), final=True, fault="damaged")
        return short

    def _lies_there(self, missing: float) -> bool:
        """Whether the file still has most of the bytes that what is missing would take."""
        per_second = self.timed_bytes / max(self.timed_seconds, 1e-9)
        span = self.end - (self.begin or 0)
        return span - per_second * self.seconds > 0.5 * per_second * missing
