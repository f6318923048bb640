"""Freed memory is kept, where the C library can be told to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from genrescope.training.memory import keep_freed_memory

FAULTS = """
import resource, torch
from genrescope.training.memory import keep_freed_memory
kept = keep_freed_memory() if {keep} else True
def touch():
    torch.zeros(64 << 20, dtype=torch.uint8)
for _ in range(16):  # until the heap has its size
    touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before if kept else -1)
"""


def faults(*, keep: bool) -> int:
    """Count the fresh pages of a process that allocates and frees 64 MB eight times."""
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(keep=keep)], capture_output=True, text=True, check=True, timeout=120
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the setting")
def test_a_freed_block_is_used_again_without_fresh_pages() -> None:
    kept = faults(keep=True)
    if kept < 0:
        pytest.skip("this C library has no mallopt")
    assert kept < faults(keep=False) / 10


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
