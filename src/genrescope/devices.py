"""Devices by the names of the command line."""

from __future__ import annotations

import torch

from genrescope.errors import TrainingError

DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str) -> str:
    """Return `cpu`, `cuda` or `mps`; `auto` takes the best there is.

    Raises:
        TrainingError: the name is unknown, or this machine has no such device.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if present["cuda"] else "mps" if present["mps"] else "cpu"
    if name not in present:
        raise TrainingError(f'no device called "{name}"; one of: {", ".join(DEVICES)}')
    if not present[name]:
        there = ", ".join(device for device, found in present.items() if found)
        raise TrainingError(f"this machine has no {name} device that torch can use; there is: {there}, or use auto")
    return name
