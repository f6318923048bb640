"""What Prometheus is shown: requests, durations, the line. No names of files, clients or songs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The figures of one service."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "genrescope_requests", "Requests that were answered.", ["route", "status"], registry=self._registry
        )
        self._steps = Histogram(
            "genrescope_step_seconds", "Seconds that a song spent waiting (queue), in decode, and in score.", ["step"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._taken = Histogram(
            "genrescope_request_seconds", "Seconds from a request to the end of its answer.", ["route"],
            registry=self._registry, buckets=_BUCKETS,
        )  # fmt: skip
        self._waiting = Gauge("genrescope_queue_length", "Songs that wait.", registry=self._registry)
        self._songs = Counter("genrescope_songs", "Songs, by what came of them.", ["outcome"], registry=self._registry)
        self._sound = Counter("genrescope_sound_seconds", "Seconds of sound classified.", registry=self._registry)
        self._open = Gauge("genrescope_live_open", "Live streams.", registry=self._registry)
        self._streams = Counter(
            "genrescope_live_streams", "Live streams that have ended, by why.", ["outcome"], registry=self._registry
        )
        self._refused = Counter(
            "genrescope_live_refused", "Live streams that were refused.", ["status"], registry=self._registry
        )
        self._live_sound = Counter("genrescope_live_sound_seconds", "Of live streams.", registry=self._registry)
        self._skipped = Counter("genrescope_live_skipped_windows", "Of live streams.", registry=self._registry)

    def watch(self, waiting: Callable[[], float], streams: Callable[[], float]) -> None:
        """Show the length of the line, and the number of live streams, which are asked for when they are shown."""
        self._waiting.set_function(waiting)
        self._open.set_function(streams)

    def seconds(self, step: str, taken: float) -> None:
        """Note how long a song was in a step: `queue`, `decode` or `score`."""
        self._steps.labels(step).observe(taken)

    def request(self, route: str, status: int, taken: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._taken.labels(route).observe(taken)

    def song(self, seconds: float | None) -> None:
        """Count a song of so many seconds that was classified; None one that failed."""
        self._songs.labels("failed" if seconds is None else "classified").inc()
        self._sound.inc(seconds or 0.0)

    def live(self, *, seconds: float = 0.0, skipped: int = 0) -> None:
        """Count sound that came on a live stream, and windows that were left out."""
        self._live_sound.inc(seconds)
        self._skipped.inc(skipped)

    def live_ended(self, outcome: str) -> None:
        """Count a live stream."""
        self._streams.labels(outcome).inc()

    def live_refused(self, status: int) -> None:
        """Count a live stream that was refused."""
        self._refused.labels(str(status)).inc()

    def text(self) -> bytes:
        """Return them as Prometheus reads them."""
        return generate_latest(self._registry)
