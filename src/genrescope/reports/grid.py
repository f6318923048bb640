"""Tables of results that leave genrescope: CSV with plain numbers, and Markdown and LaTeX as people print them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from genrescope.files import csv_line
from genrescope.pages.render import interval, p_value, percent, points, points_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind: TypeAlias = Literal["text", "count", "share", "interval", "points", "points interval", "p", "number"]
"""What a column holds: text, a whole number, a share in [0, 1], an interval of shares, a difference of shares, an
interval of differences, a p value, or another number."""

_SHOWN: dict[Kind, Callable[[Any], str]] = {
    "text": str, "count": lambda value: f"{value:,}", "share": percent, "interval": interval, "points": points,
    "points interval": points_interval, "p": p_value, "number": lambda value: f"{value:g}",
}  # fmt: skip
_DIGITS = 6  # of a number in a CSV file
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: its name in CSV; an interval has two columns there, `<key>_low` and `<key>_high`.
        title: its heading elsewhere.
        kind: what it holds.
    """

    key: str
    title: str
    kind: Kind = "text"

    @property
    def keys(self) -> list[str]:
        """The names of its columns in CSV."""
        return [f"{self.key}_low", f"{self.key}_high"] if "interval" in self.kind else [self.key]

    @property
    def right(self) -> bool:
        """Whether it is aligned to the right."""
        return self.kind not in ("text", "interval", "points interval")

    def show(self, value: Any) -> str:
        """Return a value as people read it; a dash for None."""
        return "-" if value is None else _SHOWN[self.kind](value)

    def numbers(self, value: Any) -> list[object]:
        """Return a value as the cells that CSV has for it; empty ones for None."""
        if value is None:
            return [""] * len(self.keys)
        return [round(each, _DIGITS) if isinstance(each, float) else each for each in self._parts(value)]

    def _parts(self, value: Any) -> Sequence[object]:
        return value if "interval" in self.kind else [value]


@dataclass(frozen=True)
class Grid:
    """A table: its columns, and rows of one value for each column."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    @property
    def shown(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[column.show(value) for column, value in zip(self.columns, row, strict=True)] for row in self.rows]

    def to_csv(self) -> str:
        """Return it as CSV: shares and differences as fractions, no thousands separators, nothing for what is unknown.

        Example:
            >>> columns = [Column("genre", "genre"), Column("recall", "recall", "interval")]
            >>> print(Grid(columns, [["blues", (0.25, 0.5)]]).to_csv())
            genre,recall_low,recall_high
            blues,0.25,0.5
        """
        lines = [[key for column in self.columns for key in column.keys]]
        for row in self.rows:
            cells = zip(self.columns, row, strict=True)
            lines.append([number for column, value in cells for number in column.numbers(value)])  # type: ignore[misc]
        return "".join(map(csv_line, lines)).rstrip("\n")

    def to_markdown(self) -> str:
        """Return it in Markdown.

        Example:
            >>> print(Grid([Column("genre", "genre"), Column("f1", "F1", "share")], [["blues", 0.5]]).to_markdown())
            | genre | F1 |
            | --- | ---: |
            | blues | 50.0 % |
        """
        rules = ["---:" if column.right else "---" for column in self.columns]
        return markdown([[column.title for column in self.columns], rules, *self.shown])

    def to_latex(self) -> str:
        r"""Return it as a LaTeX `tabular` with the rules of the package booktabs.

        Example:
            >>> print(Grid([Column("genre", "genre"), Column("f1", "F1", "share")], [["R&B", 0.5]]).to_latex())
            % \usepackage{booktabs}
            \begin{tabular}{lr}
            \toprule
            genre & F1 \\
            \midrule
            R\&B & 50.0 \% \\
            \bottomrule
            \end{tabular}
        """
        heads, *rows = (
            " & ".join(map(_latex, cells)) + r" \\" for cells in [[each.title for each in self.columns], *self.shown]
        )
        aligned = "".join("r" if column.right else "l" for column in self.columns)
        begin = [r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{aligned}}}", r"\toprule", heads, r"\midrule"]
        return "\n".join([*begin, *rows, r"\bottomrule", r"\end{tabular}"])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return lines of cells as a Markdown table; the second is the rule under the headings."""
    return "\n".join(f"| {' | '.join(_markdown_cell(cell) for cell in line)} |" for line in lines)


def _markdown_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
