"""Write the table of `docs/recipes.md` and its picture from run folders: `python -m benchmarks.recipes RUN...`.

Runs of one recipe on one split with several seeds make one row. Intervals resample tracks (each with its verdicts of
all seeds), so they tell how far other tracks of the same kind could move the figure.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.evaluation.metrics import resampled_interval
from genrescope.training.run import read_history

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
LEVELS = {"first": "first window", "window": "all windows", "vote": "windows vote"}


@dataclass(frozen=True)
class Row:
    """A recipe on a split of some genres, over its seeds."""

    genres: int
    split: str
    part: str
    recipe: str
    runs: tuple[dict[str, Any], ...]

    def accuracy(self, level: str) -> tuple[float, float, float]:
        """Return the mean over seeds, and the interval over tracks."""
        right: dict[str, int] = defaultdict(int)
        total: dict[str, int] = defaultdict(int)
        for run in self.runs:
            for track in run["tracks"]:
                right[track["id"]] += track["windows_right"] if level == "window" else track[level] == track["genre"]
                total[track["id"]] += track["windows"] if level == "window" else 1
        low, high = resampled_interval(list(right.values()), list(total.values()))
        return sum(right.values()) / sum(total.values()), low, high

    def spread(self, level: str) -> tuple[float, float]:
        """Return the lowest and the highest seed's accuracy."""
        values = [run["accuracy"][level]["value"] for run in self.runs]
        return min(values), max(values)


def read(folders: Sequence[Path]) -> list[Row]:
    """Read the evaluations of run folders and group them into rows."""
    groups: dict[tuple[int, str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for folder in folders:
        result = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
        epochs = read_history(folder)
        result["minutes"] = len(epochs) * statistics.median(epoch.seconds for epoch in epochs) / 60
        split = result["data"]["split"].partition(" (")[0]
        key = (len(result["labels"]), split, result["data"]["part"], result["model"]["recipe"]["name"])
        groups[key].append(result)
    return [Row(*key, tuple(runs)) for key, runs in sorted(groups.items())]


def table(rows: Sequence[Row]) -> str:
    """Return the Markdown table."""
    lines = [
        "| genres | split, part scored | recipe | seeds | tracks: learnt, scored | first window | all windows "
        "| windows vote | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        learnt = row.runs[0]["model"]["trained_on"]
        scored = "/".join(str(n) for n in sorted({len(run["tracks"]) for run in row.runs}))
        minutes = [run["minutes"] for run in row.runs]
        cells = [_cell(row, level) for level in LEVELS]
        took = f"{min(minutes):.1f}" + (f" to {max(minutes):.1f}" if len(minutes) > 1 else "")
        named = [str(row.genres), f"{row.split}, {row.part}", f"`{row.recipe}`", str(len(row.runs))]
        learnt_scored = f"{learnt['tracks']}, {scored}"
        lines.append(f"| {' | '.join([*named, learnt_scored, *cells, took])} |")
    return "\n".join(lines)


def _cell(row: Row, level: str) -> str:
    value, low, high = row.accuracy(level)
    cell = f"**{100 * value:.1f}** ({100 * low:.0f} to {100 * high:.0f})"
    if len(row.runs) > 1:
        lowest, highest = row.spread(level)
        cell += f", seeds {100 * lowest:.0f} to {100 * highest:.0f}"
    return cell


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw accuracy by the first window and by vote, with intervals, a line per row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 0.8 + 0.46 * len(rows)), dpi=130, layout="constrained")
    axis = figure.subplots()
    for shift, level, colour in ((0.14, "first", "#2f6fb5"), (-0.14, "vote", "#c8553d")):
        for position, row in enumerate(reversed(rows)):
            value, low, high = row.accuracy(level)
            label = LEVELS[level] if position == 0 else None
            axis.plot([100 * low, 100 * high], [position + shift] * 2, color=colour, lw=2, alpha=0.45)
            axis.plot(100 * value, position + shift, "o", color=colour, ms=6, label=label)
    names = [f"{row.recipe}\n{row.split}, {row.genres} genres" for row in reversed(rows)]
    axis.set_yticks(range(len(rows)), names, fontsize=8)
    axis.set_xlabel("track accuracy, %, with its 95 % interval over tracks")
    axis.grid(axis="x", color="#dde3ec", lw=0.6)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_ylim(-0.5, len(rows) - 0.5)
    figure.legend(frameon=False, loc="outside upper right", ncols=2)
    figure.savefig(path)


def main(folders: Sequence[str]) -> None:
    """Put table and picture into the page."""
    rows = read([Path(folder) for folder in folders])
    page = DOCS / "recipes.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")
    draw(rows, DOCS / "img" / "recipes.png")
    print(f"written: {page}")


if __name__ == "__main__":
    main(sys.argv[1:])
