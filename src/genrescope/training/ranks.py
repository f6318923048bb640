"""Several processes that train one network together, as `torchrun` or SLURM starts them."""

from __future__ import annotations

import contextlib
import logging
import os
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import distributed

from genrescope.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lightning_fabric import Fabric

T = TypeVar("T")

_BY_HAND = ("bash", "interactive")  # jobs of SLURM in which somebody types: a command there is one process


_by_itself: ContextVar[bool] = ContextVar("by_itself", default=False)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let this process train by itself inside the block, also where torchrun or SLURM started several.

    Example:
        >>> with alone():
        ...     Ranks.here()
        Ranks(rank=0, world=1, nodes=1)
    """
    before = _by_itself.set(True)
    try:
        yield
    finally:
        _by_itself.reset(before)


@dataclass(frozen=True)
class Share:
    """Which windows of a batch are a process's own: those from `start` to `stop` of `total`."""

    start: int
    stop: int
    total: int


@dataclass(frozen=True)
class Ranks:
    """The processes of a training.

    Attributes:
        rank: this process's number; process 0 writes the run folder.
        world: how many there are.
        nodes: on how many machines they run, as many on each.
    """

    rank: int = 0
    world: int = 1
    nodes: int = 1

    @classmethod
    def here(cls) -> Ranks:
        """Return the processes that this one was started with: by torchrun, by SLURM, or alone."""
        if _by_itself.get():
            return cls()
        if "TORCHELASTIC_RUN_ID" in os.environ:
            world, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
            return cls(int(os.environ["RANK"]), world, max(1, world // local))
        if "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in _BY_HAND:
            world, nodes = int(os.environ["SLURM_NTASKS"]), int(os.environ.get("SLURM_NNODES", "1"))
            return cls(int(os.environ["SLURM_PROCID"]), world, nodes)
        return cls()

    @property
    def several(self) -> bool:
        """Whether there is more than one process."""
        return self.world > 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and shows progress."""
        return self.rank == 0

    def fabric(self, device: str, precision: str = "32-true") -> Fabric:
        """Return Lightning Fabric for these processes."""
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it would say which precision it was asked for
        if not self.several:  # also in a process that SLURM started: its environment is none of Fabric's business
            here = LightningEnvironment()
            return Fabric(accelerator=device, devices=1, precision=precision, plugins=[here])  # type: ignore[arg-type]
        devices = self.world // self.nodes
        made = Fabric(accelerator=device, devices=devices, num_nodes=self.nodes, strategy="ddp", precision=precision)  # type: ignore[arg-type]
        made.launch()  # connects the processes, unless they are connected
        return made

    @contextlib.contextmanager
    def joined(self, device: str) -> Iterator[None]:
        """Connect the processes until the block ends.

        Raises:
            TrainingError: one of the others has ended.
        """
        if not self.several:
            yield
            return
        logging.getLogger("torch.distributed").setLevel(logging.ERROR)
        self.fabric(device)
        try:
            yield
        except RuntimeError as error:
            if not _is_lost(error):
                raise
            raise TrainingError(
                f"process {self.rank} of {self.world} has lost the others: {str(error).splitlines()[0]}. The last "
                "checkpoint is kept: start all processes again with --resume"
            ) from error
        finally:
            distributed.destroy_process_group()

    def shared(self, value: T) -> T:
        """Return the value that process 0 has."""
        if not self.several:
            return value
        held = [value]
        distributed.broadcast_object_list(held, src=0)
        return held[0]

    def share(self, total: int) -> Share:
        """Return which of a batch's windows are this process's own; shares differ by one window at most."""
        return Share(total * self.rank // self.world, total * (self.rank + 1) // self.world, total)

    def summed(self, *values: float) -> list[float]:
        """Return the sum of each value over all processes."""
        if not self.several:
            return list(values)
        held = torch.tensor(values, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            held = held.float().cuda()
        distributed.all_reduce(held)
        return [float(value) for value in held]


ALONE = Ranks()
"""One process."""


def _is_lost(error: RuntimeError) -> bool:
    """Whether an error means that another process has ended."""
    words = str(error)
    return isinstance(error, distributed.DistBackendError) or any(
        each in words for each in ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo")
    )
