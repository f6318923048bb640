"""Exported models against torch on one core: `python -m benchmarks.export CLIPS MODEL...`; prints a Markdown table.

CLIPS is a folder of genre folders of 30 s clips; every 36th of them is timed in turn and compared.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import ONE_THREAD, in_turn, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

CLIPS, RUNS = 36, 3
_HEAD = ("model", "file, MB: float32, int8", "30 s: torch, ms", "onnxruntime, ms", "int8, ms", "songs a minute",
         "largest difference", "of int8, same genre")  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    os.environ |= ONE_THREAD
    folder, *models = arguments
    clips = [path for path in sorted(Path(folder).glob("*/*")) if path.is_file()][::CLIPS]
    print(f"{machine()}; {len(clips)} clips of 30 s, decoded before, one core, median of {RUNS} interleaved runs\n")
    print(f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}")
    for model in models:
        print(f"| {' | '.join(_row(model, clips))} |", flush=True)


def _row(name: str, clips: Sequence[Path]) -> list[str]:
    import torch

    from genrescope import modelfile
    from genrescope.errors import ModelFileError
    from genrescope.export.check import Session, against, against_torch, sounds
    from genrescope.export.onnx_file import Traced
    from genrescope.export.quantise import quantised
    from genrescope.features.front_end import make, stored
    from genrescope.inference.scorer import Scorer

    torch.set_num_threads(1)
    model = modelfile.load(name)
    heard, traced = sounds(clips, model.header.front_end.sample_rate), Traced.of(model)
    single = traced.joined(traced.network)
    scorer, front_end, session = Scorer.of(model), make(model.header.front_end), Session(single)
    functions = {
        "torch": lambda: [scorer.track(stored([sound.waveform], front_end)) for sound in heard],
        "onnx": lambda: [session.run(sound.waveform) for sound in heard],
    }
    parity, sizes, cost = against_torch(model, session, heard), [single.ByteSize()], "-"
    try:
        eight_bits = traced.joined(quantised(traced.network))
        small = Session(eight_bits)
        sizes.append(eight_bits.ByteSize())
        functions["int8"] = lambda: [small.run(sound.waveform) for sound in heard]
        lost = against(session, small, heard)
        cost = f"{lost.largest:.3f}, {lost.agree} of {lost.sounds}"
    except ModelFileError:
        pass
    compared = in_turn(functions, runs=RUNS)
    each = {key: statistics.median(seconds) / len(heard) for key, seconds in compared.seconds.items()}
    times = [f"{1000 * each[key]:.0f}" if key in each else "-" for key in ("torch", "onnx", "int8")]
    label = str(model.header.recipe.get("name") or model.header.model)
    return [label, ", ".join(f"{size / 1e6:.1f}" for size in sizes), *times, f"{60 / each['onnx']:.0f}",
            f"{parity.largest:.1e}", cost]  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
