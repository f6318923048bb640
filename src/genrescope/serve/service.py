"""One running service: its model, its line, its folder for uploads, and its figures."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from genrescope import modelfile, workers
from genrescope.features.placement import Choice
from genrescope.inference.model_facts import model_facts
from genrescope.serve.line import Line
from genrescope.serve.live_streams import LiveStreams
from genrescope.serve.metrics import Metrics
from genrescope.serve.temporary import run_folder
from genrescope.serve.uploads import Room
from genrescope.serve.work import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from genrescope.modelfile import Model
    from genrescope.serve.library_view import LibraryView
    from genrescope.serve.settings import Settings

_REQUESTS = 4  # of the largest kind, for which there is room on the disk


@dataclass
class Service:
    """What the routes work with.

    Attributes:
        model: in memory.
        name: as the command line was given it.
        settings: how it is reached, and what it accepts.
        library: whose songs are shown, or None.
    """

    model: Model
    name: str
    settings: Settings
    library: LibraryView | None = None
    metrics: Metrics = field(default_factory=Metrics)
    line: Line = field(init=False)
    live: LiveStreams = field(init=False)
    workshop: Workshop = field(init=False)
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        jobs = workers.cores() if self.settings.jobs is None else self.settings.jobs
        self.workshop = Workshop(self.model, modelfile.fingerprint(self.model), self.settings.limits, jobs)
        self.live = LiveStreams(self.settings.limits.live)
        self._jobs = jobs

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work until the block ends."""
        self.line = Line(
            most=self.settings.limits.waiting, decoders=self._jobs, scorers=torch.get_num_threads(),
            metrics=self.metrics,
        )  # fmt: skip
        self.metrics.watch(lambda: len(self.line), lambda: len(self.live))
        with run_folder() as folder:
            self.room = Room(folder, _REQUESTS * self.settings.limits.body_bytes)
            self.line.start()
            try:
                yield
            finally:
                await self.line.stop()
                self.workshop.close()

    def refuse_new(self) -> None:
        """Let nobody in any more."""
        self.line.refuse_new()
        self.live.refuse_new()

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels."""
        return self.model.header.labels

    def facts(self) -> dict[str, Any]:
        """Return what is known of the model."""
        limits, fingerprint = self.settings.limits, self.workshop.fingerprint(Choice())
        return model_facts(self.model, name=self.name, fingerprint=fingerprint) | {
            "library": self.library is not None, "max_bytes": limits.file_bytes, "max_seconds": limits.sound_seconds,
            "live": limits.live > 0,
        }  # fmt: skip
