"""Commands on splits: split make, split audit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genrescope.cli.bars import progress
from genrescope.cli.console import Quiet, Seed, next_step, out, resumable, say, table, unused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.splits import Split
    from genrescope.splits.duplicates import Pair
    from genrescope.splits.foreign import Matched
    from genrescope.splits.leaks import Audit
    from genrescope.store.store import Store

_PAIRS_OF_PARTS = 10  # lines of a table: the folds' pairs beyond are shown where they leak
_NAMES = 3
_TOUCHED_BY = ("itself", "exact duplicate", "near duplicate", "artist")


def add_to(app: typer.Typer) -> None:
    """Add this module's commands."""
    group = typer.Typer(help="Make a split, or audit one.", no_args_is_help=True)
    group.command(epilog="Example: genrescope split make store --method stratified-group --folds 5 --out folds.csv")(
        make
    )
    group.command(epilog="Example: genrescope split audit store split.csv --json audit.json")(audit)
    app.add_typer(group, name="split", epilog="Example: genrescope split audit store split.csv")


def make(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")],
    out: Annotated[Path, typer.Option(help="The split file, CSV.")],
    method: Annotated[
        str | None,
        typer.Option(
            help="random, stratified, group, stratified-group, official, or an official split's name; by default "
            "stratified-group where groups are known, else stratified."
        ),
    ] = None,
    seed: Seed = 0,
    shares: Annotated[str | None, typer.Option(help="As train=0.7,validation=0.15,test=0.15.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Make so many folds instead.")] = None,
    quiet: Quiet = False,
) -> None:
    """Split a store's tracks into parts; groups (artists) and duplicates stay in one part."""
    from genrescope import splits
    from genrescope.store.store import open_store

    opened = open_store(store)
    pairs = find_pairs(opened, quiet=quiet)
    made = splits.make(
        opened.tracks, method or splits.default_method(opened.tracks), seed=seed, shares=_shares(shares), folds=folds,
        pairs=pairs,
    )  # fmt: skip
    _write(made, opened, out, quiet=quiet)
    for note in made.notes:
        say(f"note: {note}", quiet=quiet)
    folded = ("--folds", folds) if folds else ()
    next_step("train", store, "--split", out, *folded, "--out", unused(store.parent / "runs" / "first"), quiet=quiet)


def audit(
    store: Annotated[Path, typer.Argument(help="Folder of the store.")],
    split: Annotated[
        str | None,
        typer.Argument(
            help="A method's name, a split file, or a split made elsewhere: a table, a folder of lists, or lists as "
            "train=FILE,test=FILE."
        ),
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(help="A list of a part's files instead of SPLIT, as test=test.txt; repeat it.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write all that was found to this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Save the split as a split file, which other commands take.")] = None,
    seed: Seed = 0,
    folds: Annotated[int | None, typer.Option(min=2, help="Folds, where SPLIT is a method's name.")] = None,
    most: Annotated[int, typer.Option(min=0, help="Leaks of each kind to show; all are in the JSON file.")] = 10,
    quiet: Quiet = False,
) -> None:
    """List every leak of a split, also of one made elsewhere: tracks, duplicates, artists. Exit code 1 if any."""
    from genrescope import splits
    from genrescope.files import write_json
    from genrescope.splits.audit import audit as audit_split
    from genrescope.store.store import open_store

    opened = open_store(store)
    pairs = find_pairs(opened, quiet=quiet)
    named, sides = _sides(opened, split, part or [], pairs, seed=seed, folds=folds, quiet=quiet)
    found = audit_split(opened.tracks, sides.items, pairs, unmatched=sides.unmatched)
    _show(found, named, most=most)
    if json is not None:
        about = {"format": 1, "store": str(store), "data_fingerprint": opened.fingerprint, "split": named}
        write_json(json, about | found.to_dict())
        say(f"all leaks: {json}", quiet=quiet)
    given = split or ",".join(part or ())
    if out is not None:
        made = splits.choose(opened.tracks, given, seed=seed, folds=folds, pairs=pairs)
        _write(made, opened, out, quiet=quiet)
    if out is None and not found.clean:
        next_step("split", "make", store, "--out", unused(store.parent / "split.csv"), quiet=quiet)
    else:
        dealt = [*(("--seed", seed) if seed else ()), *(("--folds", folds) if folds else ())]
        chosen = (out,) if out is not None else (given, *dealt)
        next_step("train", store, "--split", *chosen, "--out", unused(store.parent / "runs" / "first"), quiet=quiet)
    if not found.clean:
        raise typer.Exit(1)


def _write(made: Split, store: Store, out: Path, *, quiet: bool) -> None:
    """Write a split of a store's tracks, and say what was written."""
    import dataclasses

    from genrescope import splits

    splits.write(dataclasses.replace(made, data=store.fingerprint), out)
    say(f"{made.method}: {told(made)} tracks; fingerprint {made.fingerprint}; in {out}", quiet=quiet)


def find_pairs(store: Store, *, quiet: bool) -> list[Pair]:
    """Find the duplicates in a store, with a progress bar; found once, they are read from the store."""
    from genrescope.splits import duplicates

    with resumable("Run the same command again."), progress("tracks", quiet=quiet) as bar:
        task = bar.add_task("looking for duplicates", total=None)
        return duplicates.in_store(store, on_track=lambda done, total: bar.update(task, completed=done, total=total))


def told(split: Split) -> str:
    """Return how many tracks each part has, as `800 train, 200 test`; of folds the smallest and the largest."""
    counts = split.counts
    if all(part.isdigit() for part in counts):
        sizes = sorted(set(counts.values()))
        return f"{len(counts)} folds of {' to '.join(map(str, dict.fromkeys((sizes[0], sizes[-1]))))}"
    return ", ".join(f"{count} {part}" for part, count in counts.items())


def _sides(
    store: Store,
    split: str | None,
    lists: Sequence[str],
    pairs: Sequence[Pair],
    *,
    seed: int,
    folds: int | None,
    quiet: bool,
) -> tuple[str, Matched]:
    """Return what SPLIT or the lists are called, and which tracks they name."""
    from genrescope import splits
    from genrescope.errors import DataError
    from genrescope.splits import foreign

    if (split is None) == (not lists):
        raise DataError("give SPLIT or lists: a split file, a method's name, or --part train=FILE --part test=FILE")
    if split is not None and not splits.is_elsewhere(split):
        made = splits.make(store.tracks, split, seed=seed, folds=folds, pairs=pairs)
        return made.method, foreign.Matched(made.by_part)
    if split is None:
        sides = foreign.match(store.tracks, foreign.read_lists(lists))
    else:
        sides = splits.match(store.tracks, split)
        ours = Path(split).is_file() and splits.made_here(Path(split))
        for note in splits.read(Path(split)).notes if ours else ():
            say(f"note: {note}", quiet=quiet)
    if sides.unmatched:
        say(f"note: {foreign.unmatched_told(sides.unmatched)}", quiet=quiet)
    return split or ", ".join(lists), sides


def _show(found: Audit, split: str, *, most: int) -> None:
    from genrescope.splits.leaks import KINDS

    console = out()
    items = sum(found.items.values())
    windows = f", {items} items" if items > sum(found.parts.values()) else ""
    console.print(f"{split}: {found.tracks} tracks{windows} in {len(found.parts)} parts", markup=False)
    between = found.between.items()
    shown = [(pair, counts) for pair, counts in between if len(between) <= _PAIRS_OF_PARTS or any(counts.values())]
    rows = table("between", *KINDS.values(), right=tuple(KINDS.values()))
    for (first, second), counts in shown:
        rows.add_row(f"{first} and {second}", *(str(counts[kind]) for kind in KINDS))
    console.print(rows)
    rows = table("held out", "tracks", *_TOUCHED_BY, "any", "share", right=("tracks", *_TOUCHED_BY, "any", "share"))
    for each in found.held_out:
        touched = [str(each.by_kind[kind]) for kind in KINDS]
        rows.add_row(
            each.part, str(each.tracks), *touched, str(each.touched), f"{100 * each.touched / each.tracks:.1f} %"
        )
    console.print(rows)
    _show_leaks(found, most=most)
    console.print(("clean: " if found.clean else "leaks: ") + found.summary, markup=False)


def _show_leaks(found: Audit, *, most: int) -> None:
    from genrescope.splits.leaks import KINDS

    rows = table("leak", "between", "of the first", "and of the second")
    for kind, name in KINDS.items():
        leaks = [leak for leak in found.leaks if leak.kind == kind]
        for leak in leaks[:most]:
            rows.add_row(
                f"{name}{f': {leak.group}' if leak.group else ''}", " and ".join(leak.parts), *map(_some, leak.tracks)
            )
        if len(leaks) > most:
            rows.add_row(f"{name}: {len(leaks) - most} more", "", "", "")
    for conflict in found.conflicts[:most]:
        labelled = zip(conflict.tracks, conflict.genres, strict=True)
        rows.add_row("two labels", "", _some([f"{track} ({genre})" for track, genre in labelled]), "")
    if len(found.conflicts) > most:
        rows.add_row(f"two labels: {len(found.conflicts) - most} more", "", "", "")
    if rows.row_count:
        out().print(rows)


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMES} more" if len(ids) > _NAMES else ""
    return ", ".join(ids[:_NAMES]) + more


def _shares(text: str | None) -> dict[str, float] | None:
    from genrescope.errors import DataError

    if text is None:
        return None
    try:
        return {part.strip(): float(share) for part, _, share in (item.partition("=") for item in text.split(","))}
    except ValueError:
        raise DataError(f'shares "{text}"; accepted is part=share,part=share, as train=0.8,test=0.2') from None
