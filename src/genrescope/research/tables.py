"""Tables of results in Markdown: a row for an experiment, with its intervals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.errors import DataError
from genrescope.files import read_text, write_text
from genrescope.reports import grid
from genrescope.reports.grid import Column, Grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from genrescope.results import Level

LEVELS: dict[Level, str] = {"first": "first window", "window": "all windows", "vote": "soft voting"}
"""What each accuracy counts, as a table has it."""
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
"""The lines of a page between which its table stands."""


def markdown(rows: Sequence[dict[str, Any]], *, named: bool = True) -> str:
    """Return a Markdown table of rows.

    Args:
        rows: as `Row.to_dict` returns them.
        named: whether experiments have names of their own, so that there is a column for them.
    """
    heads = [
        *(["experiment"] if named else []), "recipe", "genres", "split, part scored", "tracks: learnt, scored", "seeds",
        *LEVELS.values(), "parameters", "training", "a clip",
    ]  # fmt: skip
    lines = [heads, ["---"] * len(heads)]
    for each in rows:
        scored = " / ".join(map(str, each["scored"]))
        lines.append(
            [
                *([_plain(each["name"])] if named else []),
                recipe_cell(each),
                f"{each['data']['genres']}{of_data(each, rows)}",
                split_cell(each),
                f"{each['learnt']['tracks']:.0f}, {scored}",
                str(len(each["seeds"])),
                *(accuracy_cell(each, level) for level in LEVELS),
                f"{each['parameters']:,}",
                duration(each["seconds"]),
                f"{1000 * each['seconds_per_clip']:.0f} ms",
            ]
        )
    return grid.markdown(lines)


def table(rows: Sequence[dict[str, Any]]) -> Grid:
    """Return rows as a table of plain values, the accuracy by each recipe's own verdict.

    Args:
        rows: as `Row.to_dict` returns them.
    """
    columns = (
        Column("recipe", "recipe"), Column("changes", "changes"), Column("genres", "genres", "count"),
        Column("split", "split"), Column("part", "part"), Column("learnt", "tracks learnt", "number"),
        Column("scored", "tracks scored"), Column("seeds", "seeds", "count"), Column("counted_by", "counted by"),
        Column("accuracy", "accuracy", "share"), Column("accuracy", "95 % interval, tracks", "interval"),
        Column("accuracy_interval_by_artists", "whole artists", "interval"),
        Column("seeds", "lowest to highest seed", "interval"), Column("parameters", "parameters", "count"),
        Column("training_seconds", "training, s", "number"), Column("clip_milliseconds", "a clip, ms", "number"),
    )  # fmt: skip
    return Grid(columns, [_plain_row(each) for each in rows])


def _plain_row(each: Mapping[str, Any]) -> list[Any]:
    its = each["accuracy"][each["verdict"]]
    changes = ", ".join(f"{key} = {value}" for key, value in each["changes"].items())
    share = f", {100 * each['share']:g} % of the {each['by']}" if each["share"] < 1 else ""
    return [
        each["recipe"], changes, each["data"]["genres"], each["split"] + share, each["part"] or "",
        round(each["learnt"]["tracks"], 1), " / ".join(map(str, each["scored"])), len(each["seeds"]), each["verdict"],
        its["mean"], its["interval_by_tracks"], its["interval_by_artists"], (its["lowest"], its["highest"]),
        each["parameters"], round(each["seconds"], 1), round(1000 * each["seconds_per_clip"], 1),
    ]  # fmt: skip


def write_between(page: Path, text: str) -> None:
    """Put a table between the marks of a page; all else on it stays.

    Raises:
        DataError: the page lacks the marks.
    """
    try:
        before = read_text(page, strict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{page} cannot be read: {error}") from error
    head, begin, rest = before.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{page} lacks the lines {BEGIN} and {END}, between which the table goes")
    write_text(page, f"{head}{BEGIN}\n{text}\n{END}{tail}")


def of_data(each: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ` of KIND:FOLDER` of a row's data; nothing where no row has as many genres of another folder."""
    its = each["data"]
    others = (other["data"] for other in rows)
    if all(data["genres"] != its["genres"] or _folder(data) == _folder(its) for data in others):
        return ""
    kind, colon, _ = str(its["name"]).rpartition(":")
    return _plain(f" of {kind}{colon}{_folder(its)}")


def _folder(data: Mapping[str, Any]) -> str:
    """Return the name of the data's folder; its full path on this computer is private."""
    return Path(str(data["name"]).rpartition(":")[2]).name


def recipe_cell(each: Mapping[str, Any]) -> str:
    """Return a row's recipe and what was changed of it."""
    changed = "".join(f", {key} = {value}" for key, value in each["changes"].items())
    return f"`{each['recipe'].replace('`', '')}`{_plain(changed)}"


def split_cell(each: Mapping[str, Any]) -> str:
    """Return a row's split, what was scored of it, and the share that was learnt."""
    share = f", {100 * each['share']:g} % of the {each['by']}" if each["share"] < 1 else ""
    part = f", {each['part']}" if each["part"] else ""
    return f"{_plain(each['split'])}{_plain(part)}{share}"


def accuracy_cell(each: Mapping[str, Any], level: str) -> str:
    """Return an accuracy in percent: its mean, its intervals over tracks and artists, its lowest and highest seed."""
    its = each["accuracy"][level]
    told = [f"tracks {_range(its['interval_by_tracks'])}"]
    if its["interval_by_artists"] is not None:
        told.append(f"artists {_range(its['interval_by_artists'])}")
    if len(each["seeds"]) > 1:
        told.append(f"seeds {100 * its['lowest']:.1f} to {100 * its['highest']:.1f}")
    mean = f"{100 * its['mean']:.1f}"
    return (f"**{mean}**" if level == each["verdict"] else mean) + f" ({'; '.join(told)})"


def duration(seconds: float) -> str:
    """Return a duration as a table has it.

    Example:
        >>> duration(0.24), duration(12.2), duration(100), duration(4000)
        ('0.2 s', '12 s', '1.7 min', '1.1 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _range(bounds: Sequence[float]) -> str:
    return f"{100 * bounds[0]:.0f} to {100 * bounds[1]:.0f}"


def _plain(text: str) -> str:
    """Return a name of somebody's own as Markdown shows it, whatever markup or HTML it would be."""
    return re.sub(r"[\\`*<>\[\]]", r"\\\g<0>", text)
