"""Faults planted in copies of clips: what `check` finds, and how it compares to chromaprint on near duplicates."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.planted import EXACT, FAULTS, NEAR, Planted, plant
from genrescope.check.check import check
from genrescope.sources.cards import gtzan
from genrescope.sources.data import read_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.check.checked import Checked
    from genrescope.sources.track import Track

Print: TypeAlias = npt.NDArray[np.uint32]

ORIGINALS = 24
DIFFERENT = 40_000  # pairs of different recordings that both are asked about
ALLOWED = 1e-4  # false pairs


@dataclass(frozen=True)
class Bench:
    """Copies with what was planted in them, and what `check` said."""

    originals: dict[str, Path]
    planted: list[Planted]
    checked: Checked

    def pair(self, copy: Planted) -> tuple[str, str]:
        """Return the ids of a copy and its original, in order."""
        first, second = sorted((str(copy.path), str(self.originals[copy.original])))
        return first, second


def report(data: str) -> str:
    """Measure, and return the section of `docs/benchmarks.md`."""
    with tempfile.TemporaryDirectory() as folder:
        bench = _planted(data, Path(folder))
        return "\n".join(["## Planted faults", "", *_found(bench), "", *_compared(bench), *_repeats(bench)])


def _planted(data: str, folder: Path) -> Bench:
    """Plant every fault in copies of some tracks of each genre; check the copies beside all originals."""
    _, tracks = read_data(data)
    by_genre: dict[str, list[Track]] = defaultdict(list)
    repeats = {clip for repeat in gtzan.known_repeats() for clip in repeat.tracks}
    for track in tracks:
        if gtzan.track_id(str(track.path)) not in repeats:
            by_genre[track.genre].append(track)
    rng = np.random.default_rng(0)
    each = -(-ORIGINALS // len(by_genre))
    chosen = [its[i] for its in by_genre.values() for i in rng.choice(len(its), min(each, len(its)), replace=False)]
    originals = {track.path.stem: track.path.resolve() for track in chosen[:ORIGINALS]}
    planted = list(plant(originals, folder / "copies", [*NEAR, *EXACT, *FAULTS]))
    genre = {track.path.stem: track.genre for track in chosen}
    rows = [(str(copy.path), genre[copy.original]) for copy in planted]
    rows += [(str(track.path.resolve()), track.genre) for track in tracks]
    listing = folder / "all.csv"
    listing.write_text("path,genre\n" + "".join(f'"{path}",{label}\n' for path, label in rows), encoding="utf-8")
    return Bench(originals, planted, check(str(listing), folder / "check"))


def _found(bench: Bench) -> list[str]:
    """Tell of each kind of fault how many of the planted ones were found."""
    told: dict[str, set[str]] = defaultdict(set)
    for finding in bench.checked.findings:
        for track in finding.tracks:
            told[finding.kind].add(track)
    rows: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for copy in bench.planted:
        if copy.recipe in FAULTS:
            row = rows[copy.recipe.kind, copy.recipe.variant]
            row[0] += str(copy.path) in told[copy.recipe.kind]
            row[1] += 1
    clean = {str(path) for path in bench.originals.values()}
    wrong = sorted({kind for kind, its in told.items() if its & clean} - {"near-duplicate", "exact-duplicate"})
    lines = [
        f"{len(bench.planted)} copies of {len(bench.originals)} clips, checked together with all clips "
        f"({len(bench.checked.tracks)} files in {bench.checked.seconds:.0f} s). Recall of file faults:",
        "",
        "| kind | change | found |",
        "|---|---|---|",
    ]
    lines += [f"| {kind} | {variant} | {hit} of {total} |" for (kind, variant), (hit, total) in rows.items()]
    said = ", ".join(f"{kind} ({len(told[kind] & clean)})" for kind in wrong) or "none"
    return [*lines, "", f"Faults reported for the {len(clean)} unchanged clips: {said}."]


# -- side by side with chromaprint ------------------------------------------------------------------------------


def _compared(bench: Bench) -> list[str]:
    copies = [copy for copy in bench.planted if copy.recipe in NEAR]
    true = [bench.pair(copy) for copy in copies]
    false = _different(bench, copies)
    found = {(pair.first, pair.second) for pair in bench.checked.pairs}
    ours_false = sum(pair in found for pair in false)
    exact = [copy for copy in bench.planted if copy.recipe in EXACT]
    exact_hits, exact_pairs = _exact(bench, exact)
    lines = [
        f"Exact duplicates: {exact_hits} of {exact_pairs} pairs found (the same 16-bit samples as wav, flac, "
        "au, aiff and float wav).",
        "",
    ]
    theirs: npt.NDArray[np.float64] | None = None
    if shutil.which("fpcalc"):
        prints = _prints(sorted({name for pair in [*true, *false] for name in pair}))
        scores = np.array([_similarity(prints[a], prints[b]) for a, b in false])
        limit = float(np.quantile(scores, 1 - ALLOWED, method="higher"))
        theirs = np.array([_similarity(prints[a], prints[b]) for a, b in true])
        their_hits = theirs > limit
        their_false = int((scores > limit).sum())
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for number, (copy, pair) in enumerate(zip(copies, true, strict=True)):
        for name in ("all", copy.recipe.variant):
            row = rows[name]
            row[0] += pair in found
            row[1] += bool(theirs is not None and their_hits[number])
            row[2] += 1
    lines += [
        f"Recall of near duplicates (a copy and its original), and {len(false):,} pairs of different recordings:",
        "",
        "| | genrescope | chromaprint | pairs |",
        "|---|---|---|---|",
    ]
    for name, (ours, peer, total) in rows.items():
        shown = f"{100 * peer / total:.1f} %" if theirs is not None else "-"
        lines.append(f"| {name} | {100 * ours / total:.1f} % | {shown} | {total} |")
    peer_false = str(their_false) if theirs is not None else "-"
    lines.append(f"| false pairs | {ours_false} | {peer_false} | {len(false):,} |")
    others = _others(bench)
    lines += [
        "",
        "chromaprint is `fpcalc -raw` over the whole file. Two fingerprints are aligned at every offset with at least "
        "ten items (1.2 s) in common; their similarity is the share of equal bits at the best offset. The threshold is "
        f"the lowest with at most {ALLOWED:.2%} false pairs on this data.",
        f"Among all {len(bench.checked.tracks):,} files genrescope reported {others} pairs of different recordings "
        "besides the data set's known duplicates.",
    ]
    return lines


def _exact(bench: Bench, copies: Sequence[Planted]) -> tuple[int, int]:
    """Count the pairs of containers of one clip that were found to be equal."""
    by_original: dict[str, list[str]] = defaultdict(list)
    for copy in copies:
        by_original[copy.original].append(str(copy.path))
    pairs = [(a, b) for its in by_original.values() for a in its for b in its if a < b]
    found = {(pair.first, pair.second) for pair in bench.checked.pairs if pair.kind == "exact"}
    return sum(pair in found for pair in pairs), len(pairs)


def _different(bench: Bench, copies: Sequence[Planted]) -> list[tuple[str, str]]:
    """Draw pairs of files that come from different clips."""
    rng = np.random.default_rng(1)
    owner = {str(copy.path): copy.original for copy in copies}
    owner |= {str(path): name for name, path in bench.originals.items()}
    names = sorted(owner)
    pairs: set[tuple[str, str]] = set()
    while len(pairs) < DIFFERENT:
        a, b = sorted(names[i] for i in rng.integers(0, len(names), 2))
        if owner[a] != owner[b]:
            pairs.add((a, b))
    return sorted(pairs)


def _others(bench: Bench) -> int:
    """Count the pairs that were found between files of different clips that are no known repeats."""
    owner = {str(copy.path): copy.original for copy in bench.planted}
    alike = {frozenset(pair) for repeat in gtzan.known_repeats() for pair in _couples(repeat.tracks)}

    def clip(name: str) -> str:
        stem = owner.get(name) or Path(name).stem
        return gtzan.track_id(stem) or stem

    couples = [frozenset((clip(pair.first), clip(pair.second))) for pair in bench.checked.pairs]
    return sum(len(couple) == 2 and couple not in alike for couple in couples)


def _repeats(bench: Bench) -> list[str]:
    """Hold what was found among the clips themselves against GTZAN's known repeats; nothing for other data."""
    clips = {
        clip for track in bench.checked.tracks if (clip := gtzan.track_id(track.path.stem)) and _unchanged(bench, track)
    }
    found = {
        frozenset((str(gtzan.track_id(Path(pair.first).stem)), str(gtzan.track_id(Path(pair.second).stem))))
        for pair in bench.checked.pairs
        if not {pair.first, pair.second} & {str(copy.path) for copy in bench.planted}
    }
    if not clips:
        return []
    lines = [
        "",
        f"GTZAN's known duplicates, {len(clips)} clips at hand:",
        "",
        "| kind | pairs | found | not found |",
        "|---|---|---|---|",
    ]
    known: set[frozenset[str]] = set()
    for kind in ("bytes", "exact", "left-out", "title"):
        its = {
            frozenset(c) for r in gtzan.known_repeats() if r.kind == kind for c in _couples(r.tracks) if set(c) <= clips
        }
        missed = "; ".join(sorted(" = ".join(sorted(pair)) for pair in its - found))
        lines.append(f"| {kind} | {len(its)} | {len(its & found)} | {missed} |")
        known |= its
    fault_filtered = gtzan.read_parts("gtzan_fault_filtered.txt")
    left_out = sorted(clips - set(fault_filtered))
    alone = [clip for clip in left_out if not any(clip in pair for pair in found)]
    return [
        *lines,
        "",
        f"Other pairs found: {len(found - known)}. Of the {len(left_out)} clips that the fault-filtered lists leave "
        f"out, {len(left_out) - len(alone)} are in a pair that was found; the others: {', '.join(alone)}.",
    ]


def _unchanged(bench: Bench, track: Track) -> bool:
    return track.path.parent.name != "copies" or track.path.parent.parent != bench.checked.out.parent


def _couples(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(a, b) for a in names for b in names if a < b]


def _prints(names: Sequence[str]) -> dict[str, Print]:
    def one(name: str) -> Print:
        done = subprocess.run(
            ["fpcalc", "-raw", "-json", "-length", "0", name], capture_output=True, text=True, check=False
        )
        return np.array(json.loads(done.stdout or '{"fingerprint": []}')["fingerprint"], dtype=np.uint32)

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(one, names), strict=True))


def _similarity(first: Print, second: Print, *, least: int = 10) -> float:
    """Return the share of equal bits at the best alignment; 0 where the shorter has nothing to compare."""
    short, long = sorted((first, second), key=len)
    least = min(least, len(short))
    if least == 0:
        return 0.0
    pad = len(short) - least
    padded = np.concatenate([np.zeros(pad, np.uint32), long, np.zeros(pad, np.uint32)])
    valid = np.concatenate([np.zeros(pad), np.ones(len(long)), np.zeros(pad)])
    wrong = np.bitwise_count(np.lib.stride_tricks.sliding_window_view(padded, len(short)) ^ short)
    held = np.lib.stride_tricks.sliding_window_view(valid, len(short))
    return float(1 - ((wrong * held).sum(axis=1) / held.sum(axis=1)).min() / 32)
