"""Training on songs of several genres, with known answers: `python -m benchmarks.several_genres STORE DATA --out DIR`.

STORE is one of DATA, labelled music with artists and one genre a song. Two songs of different genres are mixed at equal
level, and the mixture has both genres. Artists are dealt into bundles, and only songs of one bundle are mixed, so that
a bundle can be kept whole: no artist is in training and test data. Half of the songs stand alone, too. The set is
cross-validated over bundles.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

import genrescope
from genrescope import audio, splits
from genrescope.evaluation.crossval import cross_validate_any
from genrescope.files import csv_line, write_text
from genrescope.reports import label_page
from genrescope.results import MultiLabelEvaluation
from genrescope.sources.data import read_data
from genrescope.splits import duplicates
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from genrescope.sources.track import Track

BUNDLES, FOLDS, SEED, RATE, SECONDS = 12, 5, 2, 22_050, 9.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.several_genres", description=__doc__)
    parser.add_argument("store")
    parser.add_argument("data")
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--recipes", default="listener")
    given = parser.parse_args()
    table = given.out / "mixed.csv"
    if not table.exists():
        _write(given.store, given.data, table)
    store = prepare(str(table), given.out / "store").store
    pairs = tuple(duplicates.in_store(store))
    folds = splits.choose(store.tracks, None, seed=SEED, folds=FOLDS, pairs=pairs)
    for name in given.recipes.split(","):
        out = given.out / f"cv-{name}"
        job = genrescope.Job(
            store, recipes.load_any(name), folds, out, seed=SEED, device="cpu", resume=True, pairs=pairs
        )
        result = cross_validate_any(job).result
        assert isinstance(result, MultiLabelEvaluation)
        print(f"{name}: {len(result.tracks)} tracks, {sum(len(row.labels) > 1 for row in result.tracks)} mixtures")
        for what, its in label_page.estimates(result).items():
            print(label_page.estimate_text(what, its))
        print(label_page.chance_text(result))
        print(label_page.by_label(result).to_markdown(), flush=True)


def _write(store: str, data: str, table: Path) -> None:
    """Write the songs, the mixtures and their table, which comes last."""
    opened, (_, tracks) = open_store(store), read_data(data)
    pairs = duplicates.in_store(opened)
    bundle_of = splits.make(opened.tracks, "stratified-group", seed=SEED, folds=BUNDLES, pairs=pairs).parts
    rows = [csv_line(["path", "genre", "group"])]
    for number, (songs, bundle) in enumerate(_chosen(tracks, bundle_of)):
        name = f"{number:04d}.wav"
        table.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(table.parent / name, _mixed([_excerpt(song.path) for song in songs]), RATE, subtype="PCM_16")
        rows.append(csv_line([name, ";".join(song.genre for song in songs), f"bundle {bundle}"]))
    write_text(table, "".join(rows))


def _chosen(tracks: Sequence[Track], bundle_of: Mapping[str, str]) -> Iterator[tuple[tuple[Track, ...], str]]:
    """Yield what is heard together: each song with one of another genre, any as likely, and every other song alone."""
    draw = random.Random(SEED)
    bundles: dict[str, dict[str, list[Track]]] = defaultdict(lambda: defaultdict(list))
    for track in tracks:
        if track.id in bundle_of:
            bundles[bundle_of[track.id]][track.genre].append(track)
    place = 0
    for bundle, genres in sorted(bundles.items()):
        for genre, songs in sorted(genres.items()):
            others = sorted(set(genres) - {genre})
            for song in songs:
                place += 1
                if others:
                    yield (song, draw.choice(genres[draw.choice(others)])), bundle
                if place % 2:
                    yield (song,), bundle


def _excerpt(path: Path) -> audio.Wave:
    """Return the middle of a song at a level (root mean square) of -20 dB."""
    wave = audio.decode(path, rate=RATE)
    length = int(SECONDS * RATE)
    first = max(0, (len(wave) - length) // 2)
    part = wave[first : first + length]
    level = max(float(np.sqrt(np.mean(part**2))), 1e-6)
    return (part * (0.1 / level)).astype(np.float32)


def _mixed(parts: Sequence[audio.Wave]) -> audio.Wave:
    length = min(map(len, parts))
    total = np.sum([part[:length] for part in parts], axis=0)
    return np.asarray(total / max(np.sqrt(len(parts)), float(np.abs(total).max())), dtype=np.float32)


if __name__ == "__main__":
    main()
