"""What of other audio a model has learnt: found whatever the files are called, and told through the command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import soundfile
from cli_support import SMALL, here
from conftest import write

from genrescope import splits
from genrescope.files import csv_line
from genrescope.store.store import open_store
from genrescope.synth import STYLES, compose

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Samples

pytestmark = pytest.mark.usefixtures("one_thread")

GENRES = tuple(STYLES)[:2]
ARTISTS, SECONDS = 4, 8.0
LEARNT = 3
"""Artists of each genre whose songs are learnt; the other one's are the part `test`."""


@dataclass(frozen=True)
class Home:
    """Labelled songs with artists, their store, and a run that was trained on it.

    Attributes:
        songs: the songs by genre and number, one by each artist.
    """

    store: Path
    run: Path
    songs: dict[tuple[str, int], Path]


def song(genre: str, artist: int, track: int = 0) -> Samples:
    return compose(genre, artist=artist, track=track, seconds=SECONDS)


def artist(genre: str, number: int) -> str:
    return f"The {genre.title()} Singer No. {number + 1}"


def table(path: Path, rows: list[tuple[Path, str, str]]) -> Path:
    path.write_text(csv_line(["path", "genre", "group"]) + "".join(csv_line([str(p), *rest]) for p, *rest in rows))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    root = tmp_path_factory.mktemp("learnt")
    songs = {
        (genre, number): write(root / "music" / f"{genre}-{number}.wav", song(genre, number), subtype="PCM_16")
        for genre in GENRES
        for number in range(ARTISTS)
    }
    listed = table(root / "songs.csv", [(path, genre, artist(genre, n)) for (genre, n), path in songs.items()])
    assert here("prepare", listed, "--out", root / "store", "--jobs", 1).code == 0
    tracks = open_store(root / "store").tracks
    parts = {track.id: "train" if f"{LEARNT}.wav" not in track.id else "test" for track in tracks}
    splits.write(splits.Split(parts, "by hand"), root / "split.csv")
    done = here("train", root / "store", *SMALL, "--split", root / "split.csv", "--out", root / "run", "-q")
    assert done.code == 0, done.err
    return Home(root / "store", root / "run", songs)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


@pytest.fixture
def run(home: Home, tmp_path: Path) -> Path:
    """Give a copy of the run, which evaluation writes into."""
    return shutil.copytree(home.run, tmp_path / "run")


def planted(home: Home, folder: Path) -> Path:
    """Write songs of which some were learnt, under other names; return DATA."""
    folder.mkdir()
    first, second = GENRES
    copied = shutil.copyfile(home.songs[first, 0], folder / "copied.wav")
    samples, rate = soundfile.read(home.songs[second, 0], dtype="int16")
    soundfile.write(folder / "recoded.flac", samples, rate)
    wave, rate = soundfile.read(home.songs[first, 1], dtype="float32")
    cut = write(folder / "cut.wav", 0.5 * wave[rate:], rate=rate)
    by_learnt = write(folder / "by-learnt.wav", song(second, 1, track=1))
    held_out = shutil.copyfile(home.songs[second, LEARNT], folder / "held-out.wav")
    new = write(folder / "new.wav", song(first, 9))
    rows = [
        (copied, first, ""), (folder / "recoded.flac", second, ""), (cut, first, ""),
        (by_learnt, second, artist(second, 1).upper().removeprefix("THE ")), (held_out, second, artist(second, LEARNT)),
        (new, first, "Nobody Else"),
    ]  # fmt: skip
    return table(folder / "songs.csv", rows)


def evaluated(run: Path, data: object, *options: object) -> tuple[Any, dict[str, Any]]:
    done = here("evaluate", run, "--data", data, "--jobs", 1, *options)
    assert done.code == 0, done.err
    (path,) = run.glob("evaluation-*/evaluation.json")
    return done, json.loads(path.read_text())


@pytest.mark.usefixtures("plain")
def test_learnt_tracks_their_copies_and_their_artists_are_told_in_numbers(
    home: Home, run: Path, tmp_path: Path
) -> None:
    done, result = evaluated(run, planted(home, tmp_path / "mixed"))
    counts = result["audit"]["held_out"]
    assert {kind: counts[kind] for kind in ("tracks", "track", "exact", "near", "group", "touched")} == {
        "tracks": 6, "track": 1, "exact": 1, "near": 1, "group": 1, "touched": 4,
    }  # fmt: skip
    said = result["audit"]["summary"]
    assert said.startswith("1 of 6 tracks is a training track itself (17 %), 1 repeats a training track exactly (17 %)")
    assert said.endswith("; 4 in all (67 %)")
    assert result["notes"] == [f"audit: {said}"]
    assert f"note: audit: {said}" in done.messages
    assert said in next(run.glob("evaluation-*/report.html")).read_text()


@pytest.mark.usefixtures("plain")
def test_the_accuracy_over_what_is_untouched_is_told_apart(home: Home, run: Path, tmp_path: Path) -> None:
    done, result = evaluated(run, planted(home, tmp_path / "mixed"))
    rest = [row for row in result["tracks"] if row["id"].endswith(("new.wav", "held-out.wav"))]
    untouched = result["audit"]["untouched"]
    assert (untouched["total"], untouched["correct"]) == (2, sum(row["predicted"] == row["genre"] for row in rest))
    told = "accuracy over the 2 tracks that no training track touches: "
    assert told in done.out
    assert "Accuracy over the 2 tracks" in next(run.glob("evaluation-*/report.html")).read_text()


@pytest.mark.usefixtures("plain")
def test_new_music_is_told_to_be_new(home: Home, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    rows = [(write(folder / f"{genre}.wav", song(genre, 7)), genre, f"new {genre}") for genre in GENRES]
    done, result = evaluated(run, table(folder / "songs.csv", rows))
    assert result["audit"]["clean"]
    assert result["audit"]["untouched"] is None
    assert result["notes"] == []
    told = "no track is a training track or a duplicate of one, and no artist is one of the training tracks'"
    assert f"audit: {told}" in done.messages
    rows = [(path, genre, "") for path, genre, _ in rows]
    _, result = evaluated(run, table(folder / "songs.csv", rows))
    assert "artists could not be compared" in result["audit"]["summary"]


@pytest.mark.usefixtures("plain")
def test_the_store_that_was_learnt_from_is_known_by_its_tracks(home: Home, run: Path) -> None:
    _, result = evaluated(run, home.store)
    counts = result["audit"]["held_out"]
    assert (counts["track"], counts["touched"], counts["tracks"]) == (2 * LEARNT, 2 * LEARNT, 2 * ARTISTS)
    assert result["audit"]["untouched"]["total"] == 2


@pytest.mark.usefixtures("plain")
def test_what_cannot_be_checked_is_told(home: Home, run: Path, tmp_path: Path) -> None:
    data = planted(home, tmp_path / "mixed")
    moved = shutil.copytree(home.store, tmp_path / "moved")
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"store": str(tmp_path / "gone")}))
    _, result = evaluated(run, data)
    assert result["audit"] is None
    assert "whether the model was trained on these tracks or artists could not be checked" in result["notes"][0]
    _, result = evaluated(run, data, "--store", moved)
    assert result["audit"]["held_out"]["touched"] == 4
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(run / "model.safetensors", alone)
    for scored, told in ((data, "the model file is in no run folder"), (home.store, "of this very data")):
        done = here("evaluate", alone / "model.safetensors", "--data", scored, "--jobs", 1, "--out", tmp_path / "out")
        assert done.code == 0, done.err
        assert told in done.err


@pytest.mark.usefixtures("plain")
def test_two_training_files_that_are_alike_are_two_training_tracks(home: Home, tmp_path: Path) -> None:
    rows = [(path, genre, artist(genre, n)) for (genre, n), path in home.songs.items()]
    rows.append((shutil.copyfile(home.songs[GENRES[0], 0], tmp_path / "twin.wav"), GENRES[0], artist(GENRES[0], 0)))
    listed = table(tmp_path / "songs.csv", rows)
    assert here("prepare", listed, "--out", tmp_path / "store", "--jobs", 1).code == 0
    parts = {track.id: "train" for track in open_store(tmp_path / "store").tracks}
    splits.write(splits.Split(parts, "by hand"), tmp_path / "split.csv")
    command = ("train", tmp_path / "store", *SMALL, "--split", tmp_path / "split.csv", "--out", tmp_path / "run", "-q")
    assert here(*command).code == 0
    moved = tmp_path / "moved"
    moved.mkdir()
    copies = [(shutil.copyfile(path, moved / path.name), genre, singer) for path, genre, singer in rows]
    _, result = evaluated(tmp_path / "run", table(moved / "songs.csv", copies))
    counts = result["audit"]["held_out"]
    assert (counts["tracks"], counts["track"], counts["touched"]) == (9, 9, 9)
