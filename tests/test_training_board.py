"""Events for TensorBoard: whole after every epoch, and written without a thread."""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest

from genrescope.training.board import Board
from genrescope.training.progress import Epoch

if TYPE_CHECKING:
    from pathlib import Path


def events(folder: Path) -> list[Any]:
    """Read an event file: records of length, checksum, event and checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    data, place, found = path.read_bytes(), 0, []
    while place < len(data):
        (length,) = struct.unpack("<Q", data[place : place + 8])
        found.append(Event.FromString(data[place + 12 : place + 12 + length]))
        place += length + 16
    return found


def test_an_epoch_is_in_the_file_as_soon_as_it_is_added(tmp_path: Path) -> None:
    threads = threading.active_count()
    with contextlib.closing(Board(tmp_path / "board", first=3)) as board:
        board.add(Epoch(3, 30, 0.01, 0.5, 0.25, None, None, 1.0, 10.0))
        version, start, *values = events(tmp_path / "board")
        assert threading.active_count() == threads
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (3, 1)
    found = {event.summary.value[0].tag: event.summary.value[0].simple_value for event in values}
    assert found == pytest.approx({"rate": 0.01, "train_loss": 0.5, "train_error": 0.25})
    assert {event.step for event in values} == {3}
