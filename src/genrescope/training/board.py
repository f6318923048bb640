"""The losses and error rates of a run as events for TensorBoard.

Events are written in the thread that trains. `SummaryWriter` passes them to a thread by a queue, and a Ctrl-C at the
moment when an event enters the queue left both waiting for each other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.training.progress import Epoch

_SERIES = ("rate", "train_loss", "train_error", "validation_loss", "validation_error")


class Board:
    """A file of events.

    Args:
        folder: where it is made.
        first: the epoch that is trained first; TensorBoard hides what an earlier run wrote of it and later ones.
    """

    def __init__(self, folder: Path, *, first: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import Event, SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        self._writer = EventsWriter(str(folder / "events"))
        self._writer.write_event(Event(step=first, session_log=SessionLog(status=SessionLog.START)))

    def add(self, row: Epoch) -> None:
        """Write an epoch."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        for name in _SERIES:
            if (value := getattr(row, name)) is not None:
                event = Event(wall_time=time.time(), step=row.epoch, summary=scalar(name, value))
                self._writer.write_event(event)
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
