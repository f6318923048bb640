"""How much of a song a listener needs: `python -m benchmarks.few_windows STORE CROSSVAL`.

CROSSVAL is the folder of a listener's cross-validation on the store. Every track is judged by the model that had not
learnt its fold, from some of its windows, spread evenly over the track.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import modelfile, splits
from genrescope.evaluation.metrics import wilson
from genrescope.models.listener import Listener
from genrescope.store import listening
from genrescope.store.store import open_store

if TYPE_CHECKING:
    import numpy.typing as npt

    from genrescope.store.store import Store

COUNTS, SECONDS = (1, 2, 3, 5, 10), 2.99


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_windows", description=__doc__)
    parser.add_argument("store")
    parser.add_argument("crossval", type=Path)
    given = parser.parse_args()
    store = open_store(given.store)
    right = np.concatenate([_right(store, run) for run in sorted(given.crossval.glob("fold-*"))])
    for place, count in enumerate(COUNTS):
        hits = int(right[:, place].sum())
        low, high = wilson(hits, len(right))
        shown = f"{100 * hits / len(right):.1f} % of {len(right)} tracks ({100 * low:.1f} to {100 * high:.1f})"
        print(f"{count} windows, {SECONDS * count:.0f} s: {shown}")


@torch.inference_mode()
def _right(store: Store, run: Path) -> npt.NDArray[np.bool_]:
    """Return whether each track of a fold is judged right by each number of windows, (tracks, counts)."""
    model, test = modelfile.load(run), set(splits.read(run / "split.csv").ids("test"))
    network, labels = model.network, model.header.labels
    assert isinstance(network, Listener)
    found = listening.extract(store, network, listening.taggers(list(model.header.options["taggers"]))).found
    rows = []
    for track in (track for track in store.tracks if track.id in test):
        logits = network.head(torch.from_numpy(found[track.id]))
        chosen = [np.linspace(0, len(logits) - 1, count + 2)[1:-1].round() for count in COUNTS]
        rows.append([labels[int(logits[places].mean(dim=0).argmax())] == track.genre for places in chosen])
    return np.array(rows)


if __name__ == "__main__":
    main()
