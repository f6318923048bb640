"""Predictions of many songs by a cluster: a plan, parts, and at last the manifest."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.inference import arrow
from genrescope.scale import cluster
from genrescope.scale.part_writer import PartWriter, Summary, facts
from genrescope.scale.plan import PARTS, PLAN, Part, planned, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from genrescope.inference.classifier import Classifier
    from genrescope.inference.rows import RowSpec
    from genrescope.scale.folder import Folder
    from genrescope.scale.songs import Song

MANIFEST = "manifest.json"
_FORMAT = 1
_NAMED = 20  # failures that are named at the end


@dataclass
class Done:
    """What a run did.

    Attributes:
        parts: parts of the results.
        songs: all songs that stand in them.
        kept: how many of them an earlier run had written.
        failed: how many failed, now or then.
        unfetched: how many of these the next run tries again, since they could not be fetched.
        genres: how many songs of each genre.
        failures: the first songs that failed, with their reasons.
        hours: of sound.
        died: workers that died, and whose work others did.
        processors: the kinds of processors that took part; equal scores to the bit need one kind.
        starting: seconds until the first worker was ready.
        seconds: how long it took, this included.
    """

    parts: int = 0
    songs: int = 0
    kept: int = 0
    failed: int = 0
    unfetched: int = 0
    genres: Counter[str] = field(default_factory=Counter)
    failures: list[list[str]] = field(default_factory=list)
    hours: float = 0.0
    died: int = 0
    processors: tuple[str, ...] = ()
    starting: float = 0.0
    seconds: float = 0.0

    def add(self, part: Summary) -> None:
        """Count a part."""
        self.parts += 1
        self.songs += part.songs
        self.kept += part.songs if part.kept else 0
        self.failed += part.failed
        self.unfetched += part.unfetched
        self.genres += part.genres
        self.failures += part.failures[: _NAMED - len(self.failures)]
        self.hours += part.seconds / 3600


def run(
    classifier: Classifier,
    songs: Sequence[Song],
    folder: Folder,
    spec: RowSpec,
    *,
    address: str | None = None,
    jobs: int | None = None,
    most: int | None = None,
    replace: bool = False,
    on_part: Callable[[Summary], None] = lambda _: None,
    on_look: Callable[[int], None] = lambda _: None,
) -> Done:
    """Classify songs on a cluster; an interrupted run goes on where it stopped.

    The folder holds the plan, a Parquet file for each part, and at the end the manifest, which names the parts that
    count. Each part is written once, under a name made of its songs and the model.

    Args:
        classifier: the model; it is sent to the workers once.
        songs: what to classify.
        folder: where the results go, in reach of all machines.
        spec: what rows hold; with rows for failures.
        address: where the cluster is; None takes this machine.
        jobs: workers; None takes one for each processor.
        most: songs of a part; None takes a share of them.
        replace: begin afresh.
        on_part: called after each part.
        on_look: called about once a second with how many workers there are.

    Raises:
        DataError: the folder holds something else, or results of another model.
        OutputError: results cannot be written, or another run writes there.
        ClusterError: there is no cluster, or workers die again and again.
    """
    begun, done = time.monotonic(), Done()
    with folder.held(by="predict"):
        _refuse_foreign(folder)
        if replace:
            _clear(folder)
        parts = planned(folder, songs, spec, most=most)
        summaries = _finished(folder)
        missing = [part for part in parts if part.name not in summaries]
        for part in parts:
            if part.name in summaries:
                done.add(summaries[part.name])
                on_part(summaries[part.name])
        if missing:
            with cluster.connected(address):
                actors = cluster.Actors[Part](_starter(classifier, spec, folder), jobs=jobs, on_look=on_look)
                for part, summary in actors.results(missing):
                    summaries[part.name] = summary
                    done.add(summary)
                    on_part(summary)
            done.died, done.starting = actors.died, actors.ready - begun
            done.processors = tuple(sorted({each["processor"] for each in actors.facts}))
            _write_manifest(folder, [summaries[part.name] for part in parts], spec)
    done.seconds = time.monotonic() - begun
    return done


class _Worker:
    """The actor: a writer of parts, once the versions agree."""

    def __init__(self, classifier: Classifier, spec: RowSpec, folder: Folder, wanted: dict[str, str]) -> None:
        self._writer, self._wanted = PartWriter(classifier, spec, folder), wanted

    def ready(self) -> dict[str, str]:
        """Return what makes the digits here.

        Raises:
            ClusterError: a version is another than where the run was started.
        """
        here = facts()
        wrong = [name for name in here if name != "processor" and here[name] != self._wanted[name]]
        if wrong:
            told = ", ".join(f"{name} {here[name]} instead of {self._wanted[name]}" for name in wrong)
            raise cluster.ClusterError(f"a worker has {told}; install the same versions on all machines")
        return here

    def work(self, part: Part) -> Summary:
        """Write a part."""
        return self._writer.write(part)


def _starter(classifier: Classifier, spec: RowSpec, folder: Folder) -> Callable[[], Any]:
    import ray

    held, kind = ray.put(classifier), ray.remote(num_cpus=1, max_restarts=0)(_Worker)
    return lambda: kind.remote(held, spec, folder, facts())


def _refuse_foreign(folder: Folder) -> None:
    names = {name for name in folder.names() if not name.startswith(".")}
    if names and not names & {PLAN, MANIFEST, PARTS}:
        raise DataError(f"{folder.place} is a folder with other things in it; choose a new or empty folder for --out")


def _clear(folder: Folder) -> None:
    for name in (MANIFEST, PLAN, *(f"{PARTS}/{part}" for part in folder.names(PARTS))):
        folder.remove(name)


def _finished(folder: Folder) -> dict[str, Summary]:
    """Return what the manifest says of parts that are there and need no other try, by their names.

    Raises:
        DataError: it is no manifest of ours.
    """
    content = folder.read(MANIFEST)
    if content is None:
        return {}
    there = folder.names(PARTS)
    try:
        found = [
            Summary(**part | {"genres": Counter(part["genres"]), "kept": True}) for part in json.loads(content)["parts"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder.place}/{MANIFEST} is no manifest of ours; begin afresh with --replace") from error
    return {each.name: each for each in found if f"{each.name}.parquet" in there and not each.unfetched}


def _write_manifest(folder: Folder, summaries: Sequence[Summary], spec: RowSpec) -> None:
    """Write what counts, and remove parts that no longer do."""
    totals = {name: sum(getattr(each, name) for each in summaries) for name in ("songs", "failed", "unfetched")}
    rows = [{name: value for name, value in vars(each).items() if name != "kept"} for each in summaries]
    content = {"format": _FORMAT, **settings_of(spec), **totals, "parts": rows}
    folder.write(MANIFEST, (json.dumps(content, ensure_ascii=False) + "\n").encode())
    for name in folder.names(PARTS) - {f"{each.name}.parquet" for each in summaries}:
        folder.remove(f"{PARTS}/{name}")


def read_results(folder: Folder) -> Any:
    """Return the rows that a finished run has written, as a `pyarrow.Table`: the parts of the manifest.

    Raises:
        DataError: there is no manifest: the run has not ended.
    """
    arrow.require("A Parquet file")
    import pyarrow as pa
    from pyarrow import parquet

    content = folder.read(MANIFEST)
    if content is None:
        raise DataError(f"{folder.place} has no {MANIFEST}: its run has not ended. Run the same command again")
    files = [folder.read(f"{PARTS}/{part['name']}.parquet") for part in json.loads(content)["parts"]]
    return pa.concat_tables(parquet.read_table(pa.BufferReader(file)) for file in files)
