"""The store of a data set, decoded by a cluster: batches of tracks go out, their frames come back in order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from genrescope import extras
from genrescope.scale import cluster
from genrescope.store.prepare import computed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genrescope.features.spec import Spec
    from genrescope.sources.track import Track
    from genrescope.store.prepare import Compute, Computed

_TRACKS = 32  # of a batch
_BYTES = 64 << 20  # of the files of a batch: an hour of mp3, whose frames take about as much
_AHEAD = 2  # batches that wait for their turn, for each worker


def on_cluster(*, address: str | None, jobs: int | None) -> Compute:
    """Return what `store.prepare.prepare` takes as `compute`: the same work, done by the workers of a cluster.

    The tracks' files must be in reach of all machines, by the same paths. The frames come back to this one, which
    writes the store.

    Args:
        address: where the cluster is; None takes this machine.
        jobs: workers; None takes one for each processor.

    Raises:
        MissingPackageError: Ray is not installed.
    """
    extras.require("scale", "--engine ray")
    return partial(_computed, address=address, jobs=jobs)


def _computed(tracks: Sequence[Track], spec: Spec, *, address: str | None, jobs: int | None) -> Iterator[Computed]:
    if not tracks:
        return
    with cluster.connected(address):
        actors = cluster.Actors[list["Track"]](partial(_started, spec), jobs=jobs, ahead=_AHEAD)
        for _, batch in actors.results(list(batches(tracks))):
            yield from batch


def batches(tracks: Sequence[Track]) -> Iterator[list[Track]]:
    """Yield tracks in their order, a batch at a time: of a number of tracks, and of bytes of their files."""
    held: list[Track] = []
    size = 0
    for track in tracks:
        own = _size(track)
        if held and (len(held) == _TRACKS or size + own > _BYTES):
            yield held
            held, size = [], 0
        held.append(track)
        size += own
    if held:
        yield held


def _size(track: Track) -> int:
    try:
        return track.path.stat().st_size
    except OSError:
        return 0


class _Worker:
    """The actor: it decodes with a process of its own, so that a damaged file cannot end it."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def ready(self) -> None:
        """Have started."""

    def work(self, tracks: list[Track]) -> list[Computed]:
        """Return the frames of tracks."""
        return list(computed(tracks, self._spec, jobs=1))


def _started(spec: Spec) -> Any:
    import ray

    return ray.remote(num_cpus=1, max_restarts=0)(_Worker).remote(spec)
