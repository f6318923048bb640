"""Tables that leave: what they hold can be read back, and no name breaks out of its cell."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.files import undefused
from genrescope.reports.grid import Column, Grid

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (
    Column("name", "name"), Column("tracks", "tracks", "count"), Column("accuracy", "accuracy", "share"),
    Column("accuracy", "95 % interval", "interval"), Column("apart", "points", "points"), Column("p", "p", "p"),
)  # fmt: skip
GRID = Grid(COLUMNS, [["a | b_c & 50 %", 1200, 0.6905, (0.623, 0.75), -0.034, 0.0004], ["d", 3, None, None, None, 1.0]])


def test_csv_has_plain_numbers_and_nothing_for_what_is_unknown() -> None:
    first, second = csv.DictReader(io.StringIO(GRID.to_csv()))
    assert first == {
        "name": "a | b_c & 50 %", "tracks": "1200", "accuracy": "0.6905", "accuracy_low": "0.623",
        "accuracy_high": "0.75", "apart": "-0.034", "p": "0.0004",
    }  # fmt: skip
    assert [second[key] for key in ("accuracy", "accuracy_low", "accuracy_high", "apart")] == [""] * 4


def test_markdown_shows_what_people_read() -> None:
    heads, rule, first, second = GRID.to_markdown().split("\n")
    assert heads == "| name | tracks | accuracy | 95 % interval | points | p |"
    assert rule == "| --- | ---: | ---: | --- | ---: | ---: |"
    assert first == r"| a \| b_c & 50 % | 1,200 | 69.0 % | 62.3 to 75.0 % | -3.4 | < 0.001 |"
    assert second == "| d | 3 | - | - | - | 1.000 |"


def test_latex_escapes_its_own_signs() -> None:
    lines = GRID.to_latex().split("\n")
    assert lines[1] == r"\begin{tabular}{lrrlrr}"
    assert r"a | b\_c \& 50 \% & 1,200 & 69.0 \% & 62.3 to 75.0 \% & -3.4 & \textless{} 0.001 \\" in lines
    assert (lines[2], lines[4], lines[-2:]) == (r"\toprule", r"\midrule", [r"\bottomrule", r"\end{tabular}"])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_any_name_survives_csv_and_stays_in_its_line_elsewhere(names: list[str]) -> None:
    grid = Grid([Column("name", "name"), Column("tracks", "tracks", "count")], [[name, 7] for name in names])
    rows = list(csv.reader(io.StringIO(grid.to_csv(), newline="")))
    assert [undefused(name) for name, _ in rows[1:]] == names
    assert len(grid.to_markdown().splitlines()) == len(names) + 2
    assert sum(line.endswith(r"& 7 \\") for line in grid.to_latex().split("\n")) == len(names)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="LaTeX is not installed")
def test_latex_takes_the_table(tmp_path: Path) -> None:
    text = (
        "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
        + GRID.to_latex()
        + "\n\\end{document}\n"
    )
    (tmp_path / "table.tex").write_text(text)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        cwd=tmp_path, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
