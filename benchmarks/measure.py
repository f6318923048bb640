"""Measuring in pairs: A and B in turn, so that a machine whose speed drifts is fair to both."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Compared:
    """Times of ours and of peers, run by run.

    Attributes:
        seconds: by name, one figure a run; ours first.
    """

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Return the median seconds of one of them."""
        return statistics.median(self.seconds[name])

    def ratios(self, name: str) -> list[float]:
        """Return how many times as long as ours a peer took, run by run."""
        ours = next(iter(self.seconds.values()))
        return [peer / own for peer, own in zip(self.seconds[name], ours, strict=True)]

    def table(self, *, unit: str = "ms") -> str:
        """Return a Markdown table: median time, and the ratio to ours with its spread."""
        scale = {"ms": 1e3, "s": 1.0}[unit]
        lines = [f"| | median, {unit} | ratio to genrescope, median | lowest to highest |", "|---|---|---|---|"]
        for name in self.seconds:
            ratios = self.ratios(name)
            lines.append(
                f"| {name} | {self.median(name) * scale:.2f} | {statistics.median(ratios):.2f} "
                f"| {min(ratios):.2f} to {max(ratios):.2f} |"
            )
        return "\n".join(lines)


def in_turn(functions: dict[str, Callable[[], object]], *, runs: int, warm_up: int = 1) -> Compared:
    """Time functions in turn, `runs` times each."""
    for function in functions.values():
        for _ in range(warm_up):
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            begun = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - begun)
    return Compared(seconds)


def process(module: str, *arguments: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a module in a process of its own; return its last line, which is JSON, and its `wall` seconds."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer | {"wall": wall}


def machine() -> str:
    """Return the machine in words."""
    import platform

    import torch

    from genrescope.training.run_folder import processor

    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )


def main_of(choices: dict[str, Callable[..., object]], arguments: Sequence[str]) -> None:
    """Call what a benchmark process was asked for, and print its answer as JSON."""
    print(json.dumps(choices[arguments[0]](*arguments[1:])))
