"""What is playing: when something counts as none of the model's genres."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import torch
from cli_support import world

import genrescope
from genrescope.inference.averages import Reading, Window
from genrescope.inference.chunks import Chunk, Run, Runs
from genrescope.inference.playing import Playing

if TYPE_CHECKING:
    from cli_support import World


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def window(start: float, other: float) -> Window:
    """Return a window of three seconds; beside the three labels it has a logit of something else."""
    logits = torch.tensor([3.0, 0.0, 0.0, other], dtype=torch.float64)
    return Window(start, start + 3, logits[:3].softmax(dim=0), logits, False, -20.0, False, True)


def shown(made: World, others: list[float]) -> list[str]:
    """Return what is shown after each of some windows, one a second."""
    header = genrescope.load(made.run, device="cpu").header.model_copy(update={"unknown_above": 0.0})
    playing = Playing(Reading(header), every=1.0)
    run = Run(Runs([], 1000), Chunk(torch.zeros(1_000_000).numpy(), received=time.monotonic()), 1000)
    assert len(list(run)) == 1
    verdicts = [playing.see(window(float(at), other), run) for at, other in enumerate(others)]
    return [verdict.heading for verdict in verdicts if verdict is not None]


def test_a_few_strange_seconds_are_not_unknown_and_a_strange_song_is(made: World) -> None:
    known, strange = -5.0, 8.0
    genre = shown(made, [known])[0]
    assert shown(made, [known] * 30 + [strange] * 3 + [known] * 10) == [genre] * 43
    found = shown(made, [known] * 30 + [strange] * 40)
    assert found[:33] == [genre] * 33
    assert found[-20:] == ["unknown"] * 20
    assert shown(made, [strange] * 5) == [genre] * 3 + ["unknown"] * 2  # seen again in a window that shares no sound
