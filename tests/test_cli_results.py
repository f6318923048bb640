"""Results on the command line: tables on stdout alone, predictions, parts beside each other, chance levels."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from cli_support import GENRES, SMALL, assert_refused, genrescope, here, world

from genrescope import splits
from genrescope.results import read_comparison, read_evaluation, read_result

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Done, World

pytestmark = pytest.mark.usefixtures("one_thread", "plain")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module", autouse=True)
def plain() -> object:
    """Leave the figures out: they take most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrescope.reports.figures.draw", lambda *_: [])
        patch.setattr("genrescope.reports.comparison_page.draw", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def run(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the run, scored on its parts `test` and `validation`."""
    copied = shutil.copytree(made.run, tmp_path_factory.mktemp("results") / "run")
    for options in ([], ["--part", "validation"]):
        assert here("evaluate", copied, "-q", *options).code == 0
    return copied


@pytest.fixture(scope="module")
def folds(made: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """Give a cross-validation and what was printed."""
    out = tmp_path_factory.mktemp("folded") / "cv"
    return out, here("train", made.store, *SMALL, "--set", "training.epochs=1", "--folds", 2, "--out", out)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# -- evaluate -----------------------------------------------------------------------------------------------------


def test_parts_stand_beside_each_other(run: Path) -> None:
    test, validation = (read_evaluation(run / folder / "evaluation.json") for folder in ("", "evaluation-validation"))
    assert (test.data.part, validation.data.part) == ("test", "validation")
    assert (run / "evaluation-validation" / "report.html").is_file()


def test_every_accuracy_has_its_chance_level_genres_and_macro_f1(run: Path) -> None:
    done = here("evaluate", run)
    result = read_evaluation(run / "evaluation.json")
    assert "chance level 33.3 %: the accuracy of always answering drone, the most frequent genre" in done.out
    assert result.macro_f1_interval is not None
    low, high = result.macro_f1_interval
    assert f"macro F1 {100 * result.macro_f1:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %" in done.out
    for genre in GENRES:
        (line,) = [line.split() for line in done.out.splitlines() if line.split()[:1] == [genre]]
        assert line[1] == "2"
    page = (run / "report.html").read_text()
    assert "Chance level 33.3 %" in page
    assert "Macro F1: " in page


def test_a_small_part_says_what_folds_would_give(run: Path) -> None:
    done = here("evaluate", run)
    (note,) = [line for line in done.messages if "--folds" in line]
    assert note.startswith("note: the part test has 6 tracks, so the 95 % interval is ")
    assert "train --folds 5 would score all 24 tracks" in note
    assert note.removeprefix("note: ") in (run / "report.html").read_text()


def test_a_part_that_was_learnt_gets_no_such_advice(run: Path) -> None:
    done = here("evaluate", run, "--part", "train")
    assert "--folds" not in done.err
    assert "the model was trained on the part train" in done.err


def test_a_table_stands_alone_on_stdout(run: Path) -> None:
    done = here("evaluate", run, "--format", "csv")
    rows = rows_of(done.out)
    result = read_evaluation(run / "evaluation.json")
    assert [row["genre"] for row in rows] == [
        *GENRES, "macro average", "all tracks (accuracy)", "chance level (always drone)",
    ]  # fmt: skip
    by_name = {row["genre"].partition(" (")[0]: row for row in rows}
    assert float(by_name["all tracks"]["recall"]) == pytest.approx(result.headline.value, abs=1e-6)
    assert float(by_name["all tracks"]["recall_low"]) == pytest.approx(result.headline.interval[0], abs=1e-6)
    assert float(by_name["macro average"]["f1"]) == pytest.approx(result.macro_f1, abs=1e-6)
    assert float(by_name["chance level"]["recall"]) == pytest.approx(1 / 3, abs=1e-6)
    assert float(by_name["hiss"]["recall"]) == pytest.approx(result.genres["hiss"].recall or 0, abs=1e-6)
    assert "report: " in done.err
    assert "chance level" in done.err
    quiet = here("evaluate", run, "--format", "csv", "--quiet")
    assert (quiet.out, quiet.err) == (done.out, "")


def test_tables_come_in_markdown_and_latex(run: Path) -> None:
    marked = here("evaluate", run, "--format", "markdown").out.splitlines()
    assert marked[0].startswith("| genre | tracks | precision | recall | 95 % interval | F1 |")
    assert len(marked) == 2 + len(GENRES) + 3
    latex = here("evaluate", run, "--format", "latex").out
    assert latex.count(r" \\") == 1 + len(GENRES) + 3
    assert latex.rstrip().endswith(r"\end{tabular}")
    refused = genrescope("evaluate", run, "--format", "excel")
    assert refused.code == 2
    assert "markdown" in refused.err


def test_predictions_are_written_for_each_track(run: Path, tmp_path: Path) -> None:
    done = here("evaluate", run, "--predictions", tmp_path / "tracks.csv")
    assert f"predictions: {tmp_path / 'tracks.csv'}" in done.err
    rows = rows_of((tmp_path / "tracks.csv").read_text())
    tracks = read_evaluation(run / "evaluation.json").tracks
    assert [(row["id"], row["truth"], row["prediction"]) for row in rows] == [
        (track.id, track.genre, track.predicted) for track in tracks
    ]
    for row, track in zip(rows, tracks, strict=True):
        assert {genre: float(row[f"score_{genre}"]) for genre in GENRES} == pytest.approx(track.scores)


# -- cross-validation ---------------------------------------------------------------------------------------------


def test_a_cross_validation_tells_chance_and_genres(folds: tuple[Path, Done]) -> None:
    out, done = folds
    assert done.code == 0, done.err
    assert "chance level 33.3 %" in done.out
    assert "macro F1" in done.out
    assert f"genrescope evaluate {out} --predictions" in done.err
    assert "Chance level 33.3 %" in (out / "report.html").read_text()


def test_a_cross_validation_is_shown_again_with_its_out_of_fold_predictions(
    folds: tuple[Path, Done], made: World, tmp_path: Path
) -> None:
    out, trained = folds
    before = (out / "crossval.json").read_bytes()
    done = here("evaluate", out, "--predictions", tmp_path / "oof.csv")
    assert done.code == 0, done.err
    assert done.out.strip() in trained.out
    rows = rows_of((tmp_path / "oof.csv").read_text())
    assert sorted(row["id"] for row in rows) == sorted(splits.read(out / "split.csv").parts)
    predicted = {row["id"]: row["prediction"] for row in rows}
    assert predicted == {track.id: track.predicted for track in read_result(out).tracks}
    assert (out / "crossval.json").read_bytes() == before
    scored = here("evaluate", out, "--data", made.store)
    assert scored.code == 0, scored.err
    assert "24 of 24 tracks are training tracks themselves (100 %)" in scored.err
    assert (out / "evaluation-store" / "evaluation.json").is_file()


# -- compare and recipes ------------------------------------------------------------------------------------------


def test_compare_tells_chance_and_where_one_wins(run: Path, tmp_path: Path) -> None:
    done = here("compare", run, f"{run}@first", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    result = read_comparison(tmp_path / "out" / "compare.json")
    assert "chance level 33.3 %" in done.out
    assert [(each.genre, each.tracks) for each in result.genres] == [(genre, 2) for genre in GENRES]
    lines = [line.split() for line in done.out.splitlines()]
    for each in result.genres:
        (line,) = [line for line in lines if line[:1] == [each.genre]]
        assert line[2] == f"{100 * each.entries[0].recall:.1f}"
        assert line[-1] == (each.best.split()[-1] if each.best else "-")
    page = (tmp_path / "out" / "compare.html").read_text()
    assert "Chance level" in page
    assert "<h2>By genre</h2>" in page


def test_compare_prints_its_table_in_each_format(run: Path, tmp_path: Path) -> None:
    both = (run, f"{run}@first", "--out", tmp_path / "out")
    done = here("compare", *both, "--format", "csv")
    first, second = rows_of(done.out)
    assert (first["system"], first["difference"], first["p"]) == ("mgcc @vote", "", "")
    result = read_comparison(tmp_path / "out" / "compare.json")
    assert float(second["difference"]) == pytest.approx(result.against_reference[0].difference, abs=1e-6)
    assert float(first["accuracy_low"]) == pytest.approx(result.entries[0].accuracy.interval[0], abs=1e-6)
    by_genre = rows_of(here("compare", *both, "--format", "csv", "--by-genre").out)
    assert [(row["genre"], row["system"]) for row in by_genre] == [
        (genre, system) for genre in GENRES for system in ("mgcc @vote", "mgcc @first")
    ]
    assert here("compare", *both, "--format", "latex").out.startswith(r"% \usepackage{booktabs}")
    assert here("compare", *both, "--format", "markdown").out.startswith("| system | counted by |")


def test_compare_and_recipes_take_the_part_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    done = here("compare", run, f"{run}@first", "--part", "validation", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    shown = read_comparison(tmp_path / "out" / "compare.json")
    validation = read_result(run, "validation")
    assert shown.entries[0].accuracy.mean == validation.headline.value
    (row,) = rows_of(here("recipes", run, "--format", "csv").out)
    assert (row["part"], row["recipe"]) == ("test", "mgcc")
    assert float(row["accuracy"]) == pytest.approx(read_result(run).headline.value, abs=1e-6)
    (row,) = rows_of(here("recipes", run, "--part", "validation", "--format", "csv").out)
    assert row["part"] == "validation"
    assert float(row["accuracy"]) == pytest.approx(validation.headline.value, abs=1e-6)
    assert_refused(here("compare", run, f"{run}@first", "--part", "hard", "--out", tmp_path / "no"), "--part hard")


def test_recipes_are_listed_in_each_format(run: Path, tmp_path: Path) -> None:
    listed = rows_of(here("recipes", "--format", "csv").out)
    assert {"mgcc", "listener"} <= {row["recipe"] for row in listed}
    assert all(row["intent"] for row in listed)
    assert here("recipes", "--format", "markdown").out.startswith("| recipe | model | why it exists |")
    assert here("recipes", run, "--format", "latex").out.startswith(r"% \usepackage{booktabs}")
    shown, marked = here("recipes", run).out, here("recipes", run, "--format", "markdown").out
    assert shown.rpartition("|")[0].rpartition("|")[0] == marked.rpartition("|")[0].rpartition("|")[0], (
        "but for the time"
    )
    page = tmp_path / "page.md"
    assert_refused(here("recipes", run, "--format", "csv", "--out", page), "--format csv", "Markdown")


def test_results_are_json_that_other_programs_read(run: Path) -> None:
    content = json.loads((run / "evaluation.json").read_text())
    assert len(content["macro_f1_interval"]) == 2
    assert content["macro_f1_interval_by_groups"] is None
