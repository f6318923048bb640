"""One model, the same tracks, three splits: `python -m benchmarks.leakage STORE OUT [--seeds 0 1 2]`.

Three folds each time, so that every track is scored by a model that was not trained on its fold. Only what is
assigned to the folds differs: windows, tracks, or whole artists (with duplicates joined). Writes the table of
`docs/datasets.md` and `docs/img/leakage.png`. Resumable: what is done is not done again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import splits
from genrescope.evaluation.crossval import cross_validate
from genrescope.evaluation.metrics import resampled_interval
from genrescope.features.placement import FRAMES
from genrescope.files import write_json
from genrescope.pages.drawing import panels, write_figure
from genrescope.splits import duplicates, groups
from genrescope.store.store import Store, open_store
from genrescope.training import recipe
from genrescope.training.job import Job

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from genrescope.pages.drawing import Theme
    from genrescope.results import Evaluation

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- leakage: begin -->", "<!-- leakage: end -->"
FOLDS, RECIPE, EPOCHS = 3, "demo", 8  # eight epochs are one cycle of its learning rate
PROTOCOLS = {"windows": "random", "tracks": "random", "artists": "stratified-group"}
TOLD = {
    "windows": "windows at random: parts of one song in training and test",
    "tracks": "tracks at random: artists, and some recordings, in training and test",
    "artists": "whole artists, duplicates joined: no leakage",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leakage", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    chosen = parser.parse_args()
    store = open_store(chosen.store)
    results: dict[str, list[dict[str, bool]]] = defaultdict(list)
    for seed in chosen.seeds:
        for protocol in PROTOCOLS:
            results[protocol].append(_verdicts(store, protocol, seed, chosen.out / f"{protocol}-{seed}"))
    _write(store, results, chosen.seeds)


def _verdicts(store: Store, protocol: str, seed: int, out: Path) -> dict[str, bool]:
    """Cross-validate; return of every track whether the vote of its windows was right."""
    done = out / "verdicts.json"
    if not done.exists():
        dealt = _windows(store) if protocol == "windows" else store
        pairs = duplicates.in_store(store) if protocol == "artists" else []
        split = splits.make(dealt.tracks, PROTOCOLS[protocol], seed=seed, folds=FOLDS, pairs=pairs)
        print(protocol, seed, split.counts, flush=True)
        wanted = recipe.load(RECIPE, {"training.epochs": EPOCHS})
        result = cross_validate(Job(dealt, wanted, split, out, seed=seed, resume=True, pairs=tuple(pairs))).result
        write_json(done, _votes(result))
    verdicts: dict[str, bool] = json.loads(done.read_text(encoding="utf-8"))
    return verdicts


def _windows(store: Store) -> Store:
    """Return the store as one whose tracks are single windows."""
    cut = [
        dataclasses.replace(
            track, id=f"{track.id}#{number}", first_frame=track.first_frame + number * FRAMES, frames=FRAMES
        )
        for track in store.tracks
        for number in range(track.frames // FRAMES)
    ]
    return dataclasses.replace(store, tracks=tuple(cut))


def _votes(result: Evaluation) -> dict[str, bool]:
    """Sum the scores of what belongs to one track; windows that are tracks of their own vote together."""
    scores: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    truth = {}
    for row in result.tracks:
        track = row.id.partition("#")[0]
        truth[track] = row.genre
        for genre, score in row.scores.items():
            scores[track][genre] += score
    return {track: max(its, key=lambda genre: its[genre]) == truth[track] for track, its in scores.items()}


def _write(store: Store, results: dict[str, list[dict[str, bool]]], seeds: Sequence[int]) -> None:
    joined = groups.join(store.tracks, duplicates.in_store(store))
    rows = {protocol: _accuracy(runs, joined) for protocol, runs in results.items()}
    lines = [
        "| assigned to folds | accuracy, mean of seeds | 95 % interval, over artists | seeds, lowest to highest |",
        "|---|---|---|---|",
    ]
    for protocol, (mean, low, high, values) in rows.items():
        lines.append(
            f"| {TOLD[protocol]} | {100 * mean:.1f} % | {100 * low:.1f} to {100 * high:.1f} % "
            f"| {100 * min(values):.1f} to {100 * max(values):.1f} % |"
        )
    genres = ", ".join(store.genres)
    lines += [
        "",
        f"{len(store.tracks)} tracks ({genres}), recipe `{RECIPE}` for {EPOCHS} epochs, {FOLDS} folds, seeds "
        f"{', '.join(map(str, seeds))}; accuracy by track, by soft voting over its windows. The interval "
        "resamples whole artists.",
    ]
    page = DOCS / "datasets.md"
    text = page.read_text(encoding="utf-8")
    head, tail = text.partition(BEGIN)[0], text.partition(END)[2]
    page.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{tail}", encoding="utf-8")
    write_figure(lambda theme: _picture(rows, theme), DOCS / "img" / "leakage.png")
    print("\n".join(lines))


def _accuracy(runs: Sequence[dict[str, bool]], joined: dict[str, str]) -> tuple[float, float, float, list[float]]:
    right: dict[str, int] = defaultdict(int)
    total: dict[str, int] = defaultdict(int)
    for run in runs:
        for track, verdict in run.items():
            artist = joined[track] or track
            right[artist] += verdict
            total[artist] += 1
    low, high = resampled_interval([right[artist] for artist in total], list(total.values()))
    values = [sum(run.values()) / len(run) for run in runs]
    return statistics.fmean(values), low, high, values


def _picture(rows: dict[str, tuple[float, float, float, list[float]]], theme: Theme) -> Figure:
    figure, (axis,) = panels(theme, 1, 1, size=(8, 2.6))
    for row, (protocol, (mean, low, high, values)) in enumerate(rows.items()):
        axis.barh(row, 100 * mean, color=theme.second if protocol != "artists" else theme.first, height=0.6)
        axis.plot([100 * low, 100 * high], [row, row], color=theme.ink, lw=1.5)
        axis.plot([100 * value for value in values], [row] * len(values), "o", ms=4, color=theme.ink)
        axis.text(1, row, f"{100 * mean:.1f} %", va="center", color=theme.paper, fontsize=11, fontweight="bold")
    axis.set_yticks(range(len(rows)), [f"{name} at random" if name != "artists" else "whole artists" for name in rows])
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("accuracy, % of tracks: mean (bar), seeds (dots), 95 % interval over artists (line)")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
