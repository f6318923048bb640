"""The run folder: what a training run leaves behind, and what a later one needs to go on.

```
RUN/recipe.toml         the whole recipe
RUN/split.csv           part by track id
RUN/run.json            versions, commit, machine, seconds, fingerprints, status
RUN/history.csv         a row per epoch
RUN/tensorboard/        the same, as TensorBoard events
RUN/checkpoint/         all that the next epoch depends on; gone once the training has ended
RUN/model.safetensors   the model file
```
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import genrescope
from genrescope import modelfile, splits
from genrescope.errors import DataError, ModelFileError, TrainingError
from genrescope.files import fingerprint, read_text, write_json, write_text
from genrescope.tables import read_rows, write_table
from genrescope.training import recipe as recipes
from genrescope.training.progress import Epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.splits import Split
    from genrescope.store.store import Store
    from genrescope.training.checkpoints import TrainingState
    from genrescope.training.job import Job
    from genrescope.training.recipe import AnyRecipe
    from genrescope.training.recipe_transfer import TransferRecipe


@dataclass
class RunFolder:
    """A run folder and what identifies its run.

    Attributes:
        path: the folder.
        identity: fingerprint of everything that decides the result: recipe, split, parts, seed, data.
        writes: whether this process writes; of several that train together one does.
    """

    path: Path
    identity: str
    writes: bool = True

    @classmethod
    def of(cls, job: Job, *, writes: bool = True) -> RunFolder:
        """Return the folder of a job as it is."""
        split = job.split
        decides = [job.recipe.deciding, split.fingerprint, sorted(job.parts), job.seed, job.store.fingerprint]
        return cls(job.out, fingerprint(decides), writes)

    @classmethod
    def begin(cls, job: Job) -> RunFolder:
        """Make the folder of a job, or check that the run in it is this one; a new one is audited.

        Raises:
            DataError: the folder holds another run, or one and `resume` is not set.
        """
        split, store, folder = job.split, job.store, cls.of(job)
        if folder._goes_on(resume=job.resume):
            return folder
        facts = {**_about_store(store, split, job.parts), "audit": job.audit().to_dict(whole=False)}
        splits.write(dataclasses.replace(split, data=store.fingerprint), job.out / "split.csv")
        folder._open(job.recipe, seed=job.seed, device=job.device, facts=facts)
        return folder

    def _goes_on(self, *, resume: bool) -> bool:
        """Return whether this very run was begun in the folder before."""
        if not (self.path / "run.json").exists():
            return False
        before = read_run(self.path)
        if not resume:
            raise DataError(f"{self.path} holds a run already; go on with it by --resume, or choose another --out")
        if before["identity"] != self.identity:
            raise DataError(
                f"{self.path} holds a run of another recipe, split, seed or data, so it cannot be resumed as this one; "
                "choose another --out"
            )
        return True

    def _open(self, recipe: AnyRecipe | TransferRecipe, *, seed: int, device: str, facts: dict[str, Any]) -> None:
        """Write down what the run is, before it begins."""
        write_text(self.path / "recipe.toml", recipes.to_toml(recipe))
        self.note(
            {
                "status": "running",
                "identity": self.identity,
                "recipe": recipe.name,
                "seed": seed,
                **facts,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "versions": _versions(),
                "commit": _commit(),
                "machine": _machine(device),
                "resumed": 0,
            }
        )

    def note(self, facts: dict[str, Any]) -> None:
        """Add facts to `run.json`."""
        if not self.writes:
            return
        path = self.path / "run.json"
        before = json.loads(read_text(path)) if path.exists() else {}
        write_json(path, before | facts)

    def write_history(self, history: Sequence[Epoch]) -> None:
        """Write `history.csv`."""
        if self.writes:
            write_table(self.path / "history.csv", Epoch, history)

    @property
    def finished(self) -> bool:
        """Whether the training has ended, and its model file is whole."""
        if not (self.path / "run.json").exists() or read_run(self.path)["status"] != "finished":
            return False
        try:
            modelfile.read_header(self.path)
        except ModelFileError:  # cut by a full disk or a power loss: it is made again
            return False
        return True

    def save_checkpoint(self, state: TrainingState, history: Sequence[Epoch]) -> None:
        """Write all that the next epoch depends on into one file, whole or not at all."""
        if not self.writes:
            return
        metadata = {"identity": self.identity, "history": json.dumps([dataclasses.asdict(epoch) for epoch in history])}
        modelfile.save_tensors(self._checkpoint, state.tensors(), metadata)

    def load_checkpoint(self, state: TrainingState) -> list[Epoch]:
        """Take up the last checkpoint, if there is one; return the history so far.

        Raises:
            TrainingError: the checkpoint belongs to another run, or is damaged.
        """
        if not self._checkpoint.exists():
            return []
        try:
            tensors, metadata = modelfile.load_tensors(self._checkpoint)
        except ModelFileError as error:
            raise TrainingError(f"{error}. Remove it, and the run begins again at its first epoch") from error
        if metadata.get("identity") != self.identity:
            raise TrainingError(f"{self._checkpoint} belongs to another run; remove it or choose another --out")
        state.load(tensors)
        self.note({"resumed": read_run(self.path)["resumed"] + 1})
        return [Epoch(**row) for row in json.loads(metadata["history"])]

    def remove_checkpoint(self) -> None:
        """Remove the checkpoint: the model file has taken its place."""
        shutil.rmtree(self._checkpoint.parent, ignore_errors=True)

    @property
    def _checkpoint(self) -> Path:
        return self.path / "checkpoint" / "last.safetensors"


def _about_store(store: Store, split: Split, parts: Sequence[str]) -> dict[str, Any]:
    """Return what a run notes of its store and of the tracks in it that it learns from."""
    return {
        "parts": list(parts),
        "split": {
            "method": split.method,
            "notes": list(split.notes),
            "counts": split.counts,
            "fingerprint": split.fingerprint,
        },
        "store": str(store.path.resolve()),
        "data": store.data,
        "data_fingerprint": store.fingerprint,
    }


def read_run(path: Path) -> dict[str, Any]:
    """Read a run folder's `run.json`.

    Raises:
        DataError: there is none, or it is damaged.
    """
    try:
        run: dict[str, Any] = json.loads(read_text(path / "run.json"))
        if not isinstance(run, dict) or not {"status", "identity", "parts", "split", "store", "data"} <= set(run):
            raise ValueError("it lacks keys")
    except FileNotFoundError:
        raise DataError(f"{path} is not a run folder (it has no run.json)") from None
    except ValueError as error:
        raise DataError(f"{path / 'run.json'} is damaged: {error}") from error
    return run


def read_history(path: Path) -> list[Epoch]:
    """Read a run folder's `history.csv`."""
    return read_rows(path / "history.csv", Epoch, remedy="train the model again")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {
        "genrescope": genrescope.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning_fabric": version("lightning-fabric"),
        "numpy": version("numpy"),
    }


def _machine(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    return {
        "device": device,
        "name": name,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """Return the name of this machine's processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str | None:
    """Return the commit of genrescope's own checkout; None for an installed package."""
    here = Path(__file__).resolve()
    root = here.parents[3]
    if not (root / ".git").exists() or here.parent.parent.parent.name != "src":
        return None
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
