"""Freed memory is kept, where the C library can be told to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from genrescope.memory import keep_freed_memory

FAULTS = """
import resource, torch
from genrescope.memory import keep_freed_memory
def touch(times):
    for _ in range(times):
        torch.zeros(64 << 20, dtype=torch.uint8)
def faults():
    touch(16)  # until the heap has its size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    touch(4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults(), faults() if keep_freed_memory() else -1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the setting")
def test_a_freed_block_is_used_again_without_fresh_pages() -> None:
    """Counts the fresh pages of a process that allocates and frees 64 MB four times, before the setting and after."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, timeout=120)
    before, kept = map(int, done.stdout.split())
    if kept < 0:
        pytest.skip("this C library has no mallopt")
    assert kept < before / 10


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
