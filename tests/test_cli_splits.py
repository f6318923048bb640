"""The command line on splits: split, audit, and training that looks at the split before it begins."""

from __future__ import annotations

import csv
import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from cli_support import GENRES, SMALL, TRACKS, assert_refused, here, world

from genrescope import splits
from genrescope.splits.duplicates import Pair
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

pytestmark = pytest.mark.usefixtures("one_thread")
ONE_EPOCH = (*SMALL[:-1], "training.epochs=1", "--set", "evaluation.verdict=vote")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def store(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a store whose tracks have artists, two tracks each, and an official part."""
    root = tmp_path_factory.mktemp("grouped")
    with (root / "data.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "genre", "group", "part"])
        for genre in GENRES:
            for number in range(TRACKS):
                path = made.music / genre / f"{genre}-{number:02d}.wav"
                rows.writerow([path, genre, f"{genre} {number // 2}", "test" if number < 2 else "train"])
    return prepare(str(root / "data.csv"), root / "store", jobs=0).store.path


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> list[Pair]:
    """Take these duplicates for those of the store; none, unless a test adds some."""
    pairs: list[Pair] = []
    monkeypatch.setattr("genrescope.splits.duplicates.in_store", lambda store, **_: list(pairs))
    return pairs


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time, and other tests look at them."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def ids(store: Path) -> list[str]:
    return [track.id for track in open_store(store).tracks]


# -- split ----------------------------------------------------------------------------------------------------------


def test_where_groups_are_known_they_stay_whole_without_being_asked_for(store: Path, tmp_path: Path) -> None:
    done = here("split", "make", store, "--out", tmp_path / "split.csv", "--shares", "train=0.5,test=0.5")
    assert done.code == 0, done.err
    told = (
        r"stratified-group \(seed 0, train 0\.5, test 0\.5\): 12 train, 12 test tracks; fingerprint [0-9a-f]{16}; in .*"
    )
    assert re.fullmatch(told, done.messages[0])
    assert done.messages[1:] == []
    split = splits.read(tmp_path / "split.csv")
    assert split.data == open_store(store).fingerprint
    assert split.fingerprint in done.messages[0]
    sides: dict[str, set[str]] = {}
    for track in open_store(store).tracks:
        sides.setdefault(track.group, set()).add(split.parts[track.id])
    assert all(len(parts) == 1 for parts in sides.values())


def test_where_none_are_known_genres_are_balanced(made: World, tmp_path: Path) -> None:
    done = here("split", "make", made.store, "--out", tmp_path / "split.csv")
    assert done.messages[0].startswith("stratified (seed 0): ")
    assert done.messages[1].startswith("note: no groups are known")


def test_folds_are_told_by_their_sizes(store: Path, tmp_path: Path) -> None:
    done = here("split", "make", store, "--folds", 4, "--out", tmp_path / "folds.csv")
    assert done.messages[0].startswith("stratified-group (seed 0, 4 folds): 4 folds of 6 tracks; fingerprint ")
    assert set(splits.read(tmp_path / "folds.csv").parts.values()) == {"1", "2", "3", "4"}
    uneven = here("split", "make", store, "--method", "random", "--folds", 5, "--out", tmp_path / "folds.csv")
    assert "5 folds of 4 to 5 tracks" in uneven.messages[0]


def test_the_data_sets_own_split_is_a_method(store: Path, tmp_path: Path) -> None:
    done = here("split", "make", store, "--method", "official", "--out", tmp_path / "split.csv")
    assert done.messages[0].startswith("official: 18 train, 6 test tracks; ")
    assert_refused(
        here("split", "make", store, "--method", "official", "--folds", 3, "--out", tmp_path / "x"), "leave out"
    )


def test_what_a_split_tears_apart_is_said(store: Path, tmp_path: Path, planted: list[Pair]) -> None:
    split = splits.make(open_store(store).tracks, "random")
    planted.append(Pair(split.ids("test")[0], split.ids("train")[0], "near"))
    done = here("split", "make", store, "--method", "random", "--out", tmp_path / "split.csv")
    assert splits.read(tmp_path / "split.csv").parts == split.parts
    assert re.match(r"note: [1-5] of 12 groups are in two parts", done.messages[1])
    assert done.messages[2].startswith("note: 1 pair of duplicates is in two parts")


# -- audit ----------------------------------------------------------------------------------------------------------


def test_a_clean_split_audits_clean(store: Path, tmp_path: Path) -> None:
    assert here("split", "make", store, "--out", tmp_path / "split.csv").code == 0
    done = here("split", "audit", store, tmp_path / "split.csv", "--json", tmp_path / "audit.json")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1] == "clean: no track, duplicate or artist in two parts"
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert told["clean"] is True
    assert told["leaks"] == []
    assert told["data_fingerprint"] == open_store(store).fingerprint
    assert here("split", "audit", store, "stratified-group", "--quiet").out.endswith(done.out.splitlines()[-1] + "\n")


def test_every_leak_is_listed_and_the_code_is_one(store: Path, tmp_path: Path, planted: list[Pair]) -> None:
    """Artists have two tracks each: two are torn, one of them over a pair of duplicates that is labelled twice."""
    parts = dict.fromkeys(ids(store), "train")
    drone, hiss, pulse = ([track_id for track_id in parts if f"/{genre}-" in track_id] for genre in GENRES)
    parts |= {drone[0]: "test", drone[1]: "test", hiss[1]: "test", pulse[3]: "test"}
    planted += [Pair(drone[0], hiss[5], "near"), Pair(drone[2], drone[4], "exact")]
    splits.write(splits.Split(parts, "by hand"), tmp_path / "split.csv")
    done = here("split", "audit", store, tmp_path / "split.csv", "--json", tmp_path / "audit.json")
    assert done.code == 1
    verdict = done.out.splitlines()[-1]
    assert verdict == (
        "leaks: 1 of 4 test tracks is a near duplicate of a training track (25 %), 2 share an artist with training "
        "tracks (50 %); 3 in all (75 %)"
    )
    assert re.search(r"train and test +0 +0 +1 +2", done.out)
    assert re.search(r"^ *test +4 +0 +0 +1 +2 +3 +75\.0 %", done.out, re.MULTILINE)
    for text in (drone[0], hiss[0], pulse[2], "artists: hiss 0", f"{drone[0]} (drone), {hiss[5]} (hiss)"):
        assert text in done.out
    told = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert [leak["kind"] for leak in told["leaks"]] == ["near", "group", "group"]
    assert told["conflicts"] == [{"tracks": [drone[0], hiss[5]], "genres": ["drone", "hiss"]}]
    short = here("split", "audit", store, tmp_path / "split.csv", "--most", 1).out
    assert "artists: 1 more" in short


def test_a_split_of_windows_made_elsewhere_shows_its_tracks_on_two_sides(store: Path, tmp_path: Path) -> None:
    lines = [
        f"{genre}-{number:02d}.{window}.wav,{'train' if window < 8 else 'test'}"
        for genre in GENRES
        for number in range(TRACKS)
        for window in range(10)
    ]
    lines += ["jazz-00.0.wav,train", "jazz-01.0.wav,test"]
    (tmp_path / "windows.csv").write_text("\n".join(["filename,split", *lines]), encoding="utf-8")
    done = here("split", "audit", store, tmp_path / "windows.csv")
    assert done.code == 1
    assert done.messages == [
        "note: 2 names are no tracks of the store, so nothing is known of them: jazz-00.0.wav, jazz-01.0.wav"
    ]
    assert "24 tracks, 240 items in 2 parts" in done.out
    assert "leaks: 24 of 24 test tracks are training tracks themselves (100 %), 24 share an artist" in done.out
    assert re.search(r"same track: 14 more", done.out)
    assert done.out.endswith("; 2 names could not be checked\n")


def test_lists_of_parts_are_audited(store: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("drone-00.wav\tdrone\ndrone-01.wav\tdrone\n", encoding="utf-8")
    (tmp_path / "test.txt").write_text("drone-02.wav\thiss\n", encoding="utf-8")
    by_part = here(
        "split", "audit", store, "--part", f"train={tmp_path / 'train.txt'}", "--part", f"test={tmp_path / 'test.txt'}"
    )
    assert by_part.code == 0, by_part.err
    assert "3 tracks in 2 parts" in by_part.out
    by_folder = here("split", "audit", store, tmp_path)
    assert by_folder.out.splitlines()[1:] == by_part.out.splitlines()[1:]
    (tmp_path / "test.txt").unlink()
    assert_refused(here("split", "audit", store, tmp_path), str(tmp_path), "--part train=FILE")


@pytest.mark.usefixtures("plain")
def test_a_split_made_elsewhere_trains_and_is_saved_as_ours(store: Path, tmp_path: Path) -> None:
    sides = {"train": range(4), "validation": range(4, 6), "test": range(6, TRACKS)}
    for part, numbers in sides.items():
        names = [f"{genre}-{number:02d}.wav\t{genre}" for genre in GENRES for number in numbers]
        (tmp_path / f"{part}.txt").write_text("\n".join(names), encoding="utf-8")
    saved = here("split", "audit", store, tmp_path, "--out", tmp_path / "ours.csv")
    assert saved.code == 0, saved.err
    assert f"12 train, 6 validation, 6 test tracks; fingerprint {splits.read(tmp_path / 'ours.csv').fingerprint}" in (
        saved.err
    )
    assert splits.read(tmp_path / "ours.csv").data == open_store(store).fingerprint
    lists = ",".join(f"{part}={tmp_path / part}.txt" for part in sides)
    for number, split in enumerate((tmp_path / "ours.csv", lists)):
        run = tmp_path / f"run-{number}"
        done = here("train", store, *ONE_EPOCH, "--split", split, "--out", run)
        assert done.code == 0, done.err
        assert splits.read(run / "split.csv").parts == splits.read(tmp_path / "ours.csv").parts
        assert read_run(run)["tracks"] == 12


def test_a_split_with_a_track_in_two_parts_is_not_saved(store: Path, tmp_path: Path) -> None:
    lines = [f"drone-00.{window}.wav,{'train' if window < 8 else 'test'}" for window in range(10)]
    (tmp_path / "windows.csv").write_text("\n".join(["filename,split", *lines]), encoding="utf-8")
    done = here("split", "audit", store, tmp_path / "windows.csv", "--out", tmp_path / "ours.csv")
    assert done.code == 2
    assert "leaks: 1 of 1 test tracks is a training track itself" in done.out
    assert re.search(r"stand in two parts, such as \S+drone-00\.wav in train and test", done.messages[-1])
    assert not (tmp_path / "ours.csv").exists()


def test_an_edited_split_file_is_noted(store: Path, tmp_path: Path) -> None:
    here("split", "make", store, "--method", "group", "--out", tmp_path / "split.csv")
    text = (tmp_path / "split.csv").read_text(encoding="utf-8")
    (tmp_path / "split.csv").write_text(re.sub(",test\n", ",train\n", text, count=1), encoding="utf-8")
    done = here("split", "audit", store, tmp_path / "split.csv")
    assert "note: split.csv was edited since it was made" in done.err
    assert done.code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["give SPLIT or lists"]),
        (["random", "--part", "train=x"], ["give SPLIT or lists"]),
        (["ranndom"], ['did you mean "random"']),
        (["--part", "train"], ["part=FILE"]),
    ],
)
def test_an_audit_of_nothing_is_refused(store: Path, arguments: list[str], words: list[str]) -> None:
    assert_refused(here("split", "audit", store, *arguments), *words)


# -- training -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("plain")
def test_training_tells_what_the_audit_found_and_the_scores_remember(
    store: Path, tmp_path: Path, planted: list[Pair]
) -> None:
    split = splits.make(open_store(store).tracks, "random", seed=1)
    planted.append(Pair(split.ids("test")[0], split.ids("train")[0], "exact"))
    done = here("train", store, *ONE_EPOCH, "--split", "random", "--seed", 1, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    said = next(line for line in done.messages if line.startswith("audit: "))
    assert "of 5 test tracks repeats a training track exactly (20 %)" in said
    assert "an artist with training tracks" in said
    audit = read_run(tmp_path / "run")["audit"]
    assert audit["summary"] == said.removeprefix("audit: ")
    assert audit["held_out"][0]["exact"] == 1
    scored = here("evaluate", tmp_path / "run")
    assert f"note: {said}" in scored.messages
    result = json.loads((tmp_path / "run" / "evaluation.json").read_text(encoding="utf-8"))
    assert result["notes"][0] == said
    assert (result["audit"]["clean"], result["audit"]["held_out"]["touched"]) == (
        False,
        audit["held_out"][0]["touched"],
    )
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert page.count(said) == 1
    assert 'class="audit bad"' in page


@pytest.mark.usefixtures("plain")
def test_a_clean_run_says_so_in_its_report_only(store: Path, tmp_path: Path) -> None:
    done = here("train", store, *ONE_EPOCH, "--out", tmp_path / "run")
    clean = "audit: no track, duplicate or artist in two parts"
    assert clean in done.messages
    assert read_run(tmp_path / "run")["split"]["method"] == "stratified-group (seed 0)"
    scored = here("evaluate", tmp_path / "run")
    assert "audit" not in scored.err
    assert f'<p class="audit">{clean}</p>' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("plain")
def test_artists_that_could_not_be_checked_are_told(made: World, tmp_path: Path) -> None:
    done = here("train", made.store, *ONE_EPOCH, "--out", tmp_path / "run")
    told = "audit: no track or duplicate in two parts; artists could not be checked: none is known"
    assert told in done.messages
    here("evaluate", tmp_path / "run", "--quiet")
    assert told in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_split_file_of_other_data_is_told_or_refused(store: Path, tmp_path: Path) -> None:
    some = {track_id: "train" if place % 2 else "test" for place, track_id in enumerate(ids(store)[:20])}
    splits.write(splits.Split(some | {"gone": "test"}, "by hand"), tmp_path / "split.csv")
    done = here("train", store, *ONE_EPOCH, "--split", tmp_path / "split.csv", "--out", tmp_path / "run")
    assert "note: 1 of the split's 21 tracks are not in the store, such as gone" in done.messages
    assert "note: 4 tracks of the store are not in the split and take no part" in done.messages
    splits.write(splits.Split({"gone": "test"}, "by hand"), tmp_path / "other.csv")
    refused = here("train", store, *ONE_EPOCH, "--split", tmp_path / "other.csv", "--out", tmp_path / "other")
    assert_refused(refused, "none of the split's 1 tracks is in the store")


@pytest.mark.usefixtures("plain")
def test_folds_are_trained_one_after_another_and_shown(store: Path, tmp_path: Path) -> None:
    command = ("train", store, *ONE_EPOCH, "--folds", 2, "--out", tmp_path / "cv")
    done = here(*command)
    assert done.code == 0, done.err
    assert [line for line in done.messages if line.startswith("fold ")] == [
        f"fold 1 of 2: {tmp_path / 'cv' / 'fold-1'}", f"fold 2 of 2: {tmp_path / 'cv' / 'fold-2'}",
    ]  # fmt: skip
    result = json.loads((tmp_path / "cv" / "crossval.json").read_text(encoding="utf-8"))
    pooled = result["accuracy"]["vote"]
    assert result["data"]["split"] == "stratified-group (seed 0, 2 folds)"
    assert re.search(rf"all tracks +{pooled['correct']} +24 +{100 * pooled['value']:.1f} %", done.out)
    assert f"mean over folds {100 * result['crossval']['mean']:.1f} %" in done.out
    assert "resamples whole artists" in done.out
    assert done.messages[-2:] == [
        f"report: {tmp_path / 'cv' / 'report.html'}",
        f"predictions for each track: genrescope evaluate {tmp_path / 'cv'} --predictions out-of-fold.csv",
    ]
    assert done.next == ["predict", str(tmp_path / "cv"), "SONG"]
    assert_refused(here(*command), "holds a cross-validation already", "--resume")
    again = here(*command, "--resume")
    assert again.code == 0
    assert again.out == done.out
    assert not [line for line in again.messages if line.startswith("epoch")]
    shutil.rmtree(tmp_path / "cv" / "fold-2")
    assert here(*command, "--resume").out == done.out


def test_a_file_of_folds_is_cross_validated_over_its_folds(store: Path, tmp_path: Path) -> None:
    here("split", "make", store, "--folds", 3, "--out", tmp_path / "folds.csv")
    refused = here("train", store, *SMALL, "--folds", 2, "--split", tmp_path / "folds.csv", "--out", tmp_path / "cv")
    assert_refused(refused, "has 3 parts (1, 2, 3), not 2")
    parts = here("train", store, *SMALL, "--folds", 2, "--parts", "1,2", "--out", tmp_path / "cv")
    assert_refused(parts, "leave out --parts")
    official = here("train", store, *SMALL, "--folds", 2, "--split", "official", "--out", tmp_path / "cv")
    assert_refused(official, "has the parts train, test, which are no folds")
    assert not (tmp_path / "cv").exists()
