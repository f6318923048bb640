"""An epoch of recipe `mgcc` on the CPU: ours, and a plain eager PyTorch loop with a DataLoader over the same images."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Compared, main_of, process

if TYPE_CHECKING:
    from genrescope.training.job import Job
    from genrescope.training.progress import Step
    from genrescope.training.recipe import Recipe

RUNS = 5
WINDOWS = 160  # five steps of 32
GFLOP_PER_WINDOW = 4.5


def report(data: str) -> str:
    """Measure in turn, each run in a process of its own, and return the section of the page."""
    seconds: dict[str, list[float]] = {"genrescope": [], "plain eager loop": []}
    losses: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "store")
        process("benchmarks.training", "store", data, store)
        for _ in range(RUNS):
            for name, kind in zip(seconds, ("ours", "plain"), strict=True):
                answer = process("benchmarks.training", kind, store)
                seconds[name].append(answer["seconds"])
                losses[name] = answer["losses"]
        rate = process("benchmarks.training", "rate")["gflops"]
        profile = process("benchmarks.training", "profile", store)
    compared = Compared(seconds)
    per_window = compared.median("genrescope") / WINDOWS
    reached = GFLOP_PER_WINDOW / per_window
    lines = [
        "## Training, an epoch of `mgcc` on the CPU",
        "",
        f"{WINDOWS} windows in batches of 32, the second epoch of each run; {RUNS} interleaved runs each, every run in",
        "its own process. The peer is a typical tutorial loop: float32 images in a `TensorDataset`, a `DataLoader`, an",
        "`nn.Sequential`, `torch.optim.SGD`; same weights, same order, same dropout.",
        "",
        compared.table(unit="s"),
        "",
        "Mean loss of the first two epochs: "
        + "; ".join(f"{name} {', '.join(f'{loss:.5f}' for loss in its)}" for name, its in losses.items())
        + ".",
        "",
        f"Hardware limit: matrix products of size 2,048 run at {rate:.0f} GFLOP/s here; at that rate the "
        f"{GFLOP_PER_WINDOW} GFLOP of a window would take {1e3 * GFLOP_PER_WINDOW / rate:.1f} ms. genrescope takes "
        f"{1e3 * per_window:.1f} ms, which is {reached:.0f} GFLOP/s. (Convolutions can exceed the rate of the "
        "matrix products, whose library does not use this processor fully.)",
        "",
        "Time of a training step by operation (self time, PyTorch's profiler):",
        "",
        "| operation | share |",
        "|---|---|",
        *(f"| `{name}` | {100 * share:.1f} % |" for name, share in profile["shares"]),
    ]
    return "\n".join(lines)


def store(data: str, folder: str) -> dict[str, Any]:
    """Prepare the images once."""
    from genrescope.store.prepare import prepare

    return {"tracks": len(prepare(data, folder).store.tracks)}


def ours(folder: str) -> dict[str, Any]:
    """Train two epochs by the product's own loop; return the seconds of the second."""
    from genrescope.training.run_folder import read_history
    from genrescope.training.train import train

    with tempfile.TemporaryDirectory() as out:
        history = read_history(train(_job(folder, Path(out))))
    return {"seconds": WINDOWS / history[1].windows_per_second, "losses": [row.train_loss for row in history]}


def plain(folder: str) -> dict[str, Any]:
    """Train the same two epochs as a tutorial would."""
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader, TensorDataset

    from genrescope.features import windows
    from genrescope.models import registry
    from genrescope.training import batches, schedule

    job = _job(folder, Path())
    opened, split = job.store, job.split
    tracks = [track for track in opened.tracks if track.id in split.parts]
    labels = sorted({track.genre for track in tracks})
    bank = windows.FrameBank(opened.frames, silence=opened.spec.silence, device=torch.device("cpu"))
    images = bank.cut(windows.place(tracks, "first")).contiguous()
    targets = torch.tensor([labels.index(track.genre) for track in tracks])
    order = batches.draw_order(len(tracks), 0, 0)
    loader = DataLoader(TensorDataset(images[order], targets[order]), batch_size=32)

    torch.manual_seed(0)
    model = registry.create("mgcc", len(labels))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9, dampening=0.9, weight_decay=5e-4)
    for parameter in model.parameters():  # CNTK's start, so that the losses can be compared
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    losses, step = [], 0
    for epoch in (1, 2):
        begun, total = time.perf_counter(), 0.0
        shown = iter(loader)  # which draws a number of its own, so the seed of the dropout comes after it
        torch.manual_seed(batches.epoch_seed(0, epoch))
        for batch, target in shown:
            rate = schedule.rate_at(step, _recipe().schedule, steps_per_epoch=len(loader), epochs=2)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch), target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item() * len(batch)
            step += 1
        seconds = time.perf_counter() - begun
        losses.append(total / WINDOWS)
    return {"seconds": seconds, "losses": losses}


def rate() -> dict[str, Any]:
    """Return the machine's rate of matrix products."""
    import torch

    a, b = torch.randn(2, 2048, 2048)
    rates = []
    for _ in range(12):
        begun = time.perf_counter()
        a @ b
        rates.append(2 * 2048**3 / (time.perf_counter() - begun) / 1e9)
    return {"gflops": statistics.median(rates[2:])}


def profile(folder: str) -> dict[str, Any]:
    """Return the operations that take most of an epoch, with their shares."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from genrescope.training.progress import Watch
    from genrescope.training.train import train

    profiles: list[profiler] = []

    def on_step(at: Step) -> None:
        if at.step == 2:  # the first steps fill the heap
            profiles.append(profiler(activities=[ProfilerActivity.CPU]))
            profiles[0].start()
        elif at.step == 5:
            profiles[0].stop()

    with tempfile.TemporaryDirectory() as out:
        train(_job(folder, Path(out)), watch=Watch(on_step))
    events = profiles[0].key_averages()
    total = sum(event.self_cpu_time_total for event in events)
    ranked = sorted(events, key=lambda event: -event.self_cpu_time_total)[:10]
    return {"shares": [(event.key, event.self_cpu_time_total / total) for event in ranked]}


def _job(folder: str, out: Path) -> Job:
    """Return the training of two epochs on the wanted number of tracks; their duplicates are not searched for."""
    from genrescope.splits import Split
    from genrescope.store.store import open_store
    from genrescope.training.job import Job

    opened = open_store(folder)
    every = max(1, len(opened.tracks) // WINDOWS)
    chosen = opened.tracks[::every][:WINDOWS]
    if len(chosen) < WINDOWS:
        raise ValueError(f"DATA has {len(opened.tracks)} tracks; this measurement needs {WINDOWS}")
    split = Split({track.id: "train" for track in chosen}, "benchmark")
    return Job(opened, _recipe(), split, out, device="cpu", pairs=())


def _recipe() -> Recipe:
    from genrescope.training import recipe

    return recipe.load("mgcc", {"training.epochs": 2})


if __name__ == "__main__":
    main_of({f.__name__: f for f in (store, ours, plain, rate, profile)}, sys.argv[1:])
