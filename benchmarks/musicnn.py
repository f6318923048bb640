"""musicnn on 30 s of decoded music, one core: ours, the same network by convolutions, and the original graph."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.measure import ONE_THREAD, in_turn, main_of, process

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import nn

RUNS, CLIPS = 7, 5
_NAME = "musicnn-msd"
_HELPER = Path(__file__).with_name("musicnn_tensorflow.py")
_ORIGINAL = "original: librosa and TensorFlow"


def report(data: str, tensorflow: str | None = None) -> str:
    """Measure on five clips of DATA, and return the section of the page.

    Args:
        data: DATA.
        tensorflow: a Python that has TensorFlow 2; without one the original graph is left out.
    """
    from genrescope.modelfile import catalogue, shelf

    with tempfile.TemporaryDirectory() as folder:
        wheel = shelf.download(catalogue.BUILT_IN[_NAME], Path(folder))
        shelf.get(_NAME, wheel=wheel)
        more = [str(wheel), tensorflow] if tensorflow else []
        clips = [process("benchmarks.musicnn", "clip", data, str(number), *more, environment=ONE_THREAD)
                 for number in range(CLIPS)]  # fmt: skip
    original = [
        "The original is librosa's mel spectrogram and the published graph, one patch at a time, as the package",
        "`musicnn` has it.",
    ]
    lines = [
        "## musicnn, one core, 30 s of decoded audio at 16,000 Hz",
        "",
        f"`{_NAME}` on five clips; for each the median of {RUNS} interleaved runs. `genrescope` is front end and",
        "network, ten windows of 3 s. `convolutions` is the same with plain convolutions instead of matrix products,",
        "window by window.",
        *(original if tensorflow else []),
        "A ratio is a time over genrescope's, run by run: median, and lowest to highest of the clips' medians.",
        "",
        "| | median, s | ratio to genrescope | lowest to highest clip |",
        "|---|---|---|---|",
    ]
    for name in clips[0]["seconds"]:
        ratios = [row["ratios"][name] for row in clips]
        seconds = statistics.median(row["seconds"][name] for row in clips)
        lines.append(
            f"| {name} | {seconds:.2f} | {statistics.median(ratios):.1f} | {min(ratios):.1f} to {max(ratios):.1f} |"
        )
    how = "bfloat16" if clips[0]["bfloat16"] else "float32"
    lines += ["", f"Here genrescope multiplies in {how}. Largest difference of a tag's score from float32 "
              f"convolutions: {max(row['difference'] for row in clips):.1e}."]  # fmt: skip
    return "\n".join(lines)


def clip(data: str, number: str, wheel: str = "", tensorflow: str = "") -> dict[str, Any]:
    """Measure on one clip."""
    import numpy as np
    import torch

    import genrescope
    from genrescope import modelfile
    from genrescope.features.front_end import make, stored
    from genrescope.inference.scorer import Scorer
    from genrescope.models.largest_response import has_bfloat16
    from genrescope.sources.data import read_data

    torch.set_num_threads(1)
    tracks = read_data(data)[1]
    wave = np.resize(genrescope.decode(tracks[int(number) * len(tracks) // CLIPS].path, rate=16_000), 30 * 16_000)
    model = modelfile.load(_NAME)
    front_end, scorer = make(model.header.front_end), Scorer.of(model)
    functions: dict[str, Callable[[], Any]] = {
        "genrescope": lambda: scorer.track(stored([wave], front_end)).window_scores,
        "convolutions": lambda: _by_convolutions(model.network, front_end.forward(torch.from_numpy(wave)[None])[0]),
    }
    with tempfile.TemporaryDirectory() as folder:
        original = None
        if tensorflow:
            np.save(f"{folder}/wave.npy", wave)
            original = _Original(tensorflow, wheel, f"{folder}/wave.npy")
            functions[_ORIGINAL] = original
        compared = in_turn(functions, runs=RUNS)
        if original:
            original.close()
    return {
        "seconds": {name: compared.median(name) for name in compared.seconds},
        "ratios": {name: statistics.median(compared.ratios(name)) for name in compared.seconds},
        "difference": float((functions["genrescope"]() - functions["convolutions"]()).abs().max()),
        "bfloat16": has_bfloat16(),
    }


def _by_convolutions(network: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Score patch by patch, the way the layers are written down."""
    import torch

    from genrescope.models import largest_response, musicnn

    def plain(padded: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
        return cast("torch.Tensor", layer(padded).amax(dim=3))

    products, largest_response.compute = largest_response.compute, plain
    try:
        with torch.inference_mode():
            starts = range(0, len(frames) - musicnn.FRAMES + 1, musicnn.FRAMES)
            patches = [frames[start : start + musicnn.FRAMES].T[None, None] for start in starts]
            return torch.cat([network(patch).sigmoid() for patch in patches])
    finally:
        largest_response.compute = products


class _Original:
    """The original graph in a process of its own, which stays up: a call lets it score the waveform once."""

    def __init__(self, python: str, wheel: str, wave: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(_HELPER), "--serve", wheel, wave],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __call__(self) -> torch.Tensor:
        import torch

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError("the Python of --tensorflow failed: has it TensorFlow 2?")
        return torch.empty(0)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


if __name__ == "__main__":
    main_of({"clip": clip}, sys.argv[1:])
