"""Results: what is written is read back the same, and what is damaged, foreign or too new is refused in plain words."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from genrescope import results
from genrescope.errors import DataError
from genrescope.evaluation import metrics
from genrescope.evaluation.summary import summary
from genrescope.results import (
    Chance,
    CrossValidation,
    DataFacts,
    Evaluation,
    FoldResult,
    Folds,
    ModelFacts,
    Share,
    TrackRow,
)
from genrescope.results import schema as schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from genrescope.results import Verdict

GENRES = ("blues", "jazz")
SCHEMAS = Path(__file__).parents[1] / "docs" / "schema"


def row(name: str = "a.wav", *, genre: str = "blues", first: str = "blues", vote: str = "blues") -> TrackRow:
    scores = {each: 0.75 if each == vote else 0.25 for each in GENRES}
    return TrackRow(
        id=name, genre=genre, group="", predicted=vote, scores=scores, first=first, vote=vote, windows=3,
        windows_right=2,
    )  # fmt: skip


def evaluation(*rows: TrackRow, verdict: Verdict = "vote", name: str = "music") -> Evaluation:
    model = ModelFacts(
        file="m", architecture="mgcc", parameters=1, recipe={"name": "mgcc"}, front_end={}, data_fingerprint="f",
        made_with="0",
    )  # fmt: skip
    data = DataFacts(name=name, fingerprint="f", split=None, part=None, tracks=len(rows))
    return Evaluation(model=model, data=data, notes=("a note",), audit=None, **dict(summary(rows, GENRES, verdict)))


ONE = evaluation(row(), row("b.wav", genre="jazz", first="jazz"))


def test_an_evaluation_is_read_back_the_same(tmp_path: Path) -> None:
    odd = evaluation(row("caf\udce9.wav"), name="/music/caf\udce9")  # a file name that is no UTF-8
    for each in (ONE, odd):
        results.write(each, tmp_path / "evaluation.json")
        assert results.read_evaluation(tmp_path / "evaluation.json") == each
        assert results.read_result(tmp_path) == each


def test_a_cross_validation_goes_before_an_evaluation_and_keeps_its_folds(tmp_path: Path) -> None:
    fold = FoldResult(fold="1", run="fold-1", accuracy=metrics.share(1, 2))
    folded = CrossValidation(**dict(ONE), crossval=Folds(folds=(fold,), mean=0.5, deviation=0.0, seconds=1.0))
    results.write(ONE, tmp_path / "evaluation.json")
    results.write(folded, tmp_path / "crossval.json")
    assert results.read_result(tmp_path) == folded


def test_the_headline_is_of_the_recipes_own_verdict() -> None:
    rows = [row(), row("b.wav", genre="jazz", first="jazz")]
    assert evaluation(*rows, verdict="vote").headline.value == 0.5
    assert evaluation(*rows, verdict="first").headline.value == 1.0


def test_each_level_has_its_accuracy() -> None:
    assert [ONE.accuracy.at(level).value for level in ("first", "window", "vote")] == [1.0, 4 / 6, 0.5]
    assert [(level, share.value) for level, share in ONE.accuracy.items()] == [
        ("first", 1.0), ("window", 4 / 6), ("vote", 0.5),
    ]  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Share(correct=1, total=2, value=value, interval=(0.0, 1.0))
    with pytest.raises(ValidationError):
        Share(correct=1, total=2, value=0.5, interval=(0.0, value))


def test_results_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ONE.accuracy.vote.correct = 7  # type: ignore[misc]


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: content.pop(key)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (without("labels"), "labels: Field required"),
        (without("format"), "it tells no format, so it is none of genrescope's"),
        (lambda content: content.update(colour="red"), "colour: Extra inputs are not permitted"),
        (lambda content: content["accuracy"]["vote"].update(correct="1"), "accuracy.vote.correct: Input should be"),
        (lambda content: content["accuracy"]["vote"].update(value=1.5), "accuracy.vote.value: Input should be"),
        (lambda content: content["model"].update(parameters=1e9 + 0.5), "model.parameters: Input should be"),
        (lambda content: content.update(tracks=[]), "holds no tracks"),
        (lambda content: content.update(format=2), "written by a newer version of genrescope (format 2; this one"),
    ],
)
def test_a_file_of_another_form_is_refused(
    spoil: Callable[[dict[str, Any]], object], words: str, tmp_path: Path
) -> None:
    content = json.loads(json.dumps(ONE.model_dump()))
    spoil(content)
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        results.read_evaluation(path)
    assert str(path) in str(caught.value)
    with pytest.raises(DataError, match=re.escape(words)):
        results.read_result(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"tracks": ', "[" * 100_000, '{"format": NaN}'])
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    for name, read in (
        ("evaluation.json", results.read_evaluation),
        ("compare.json", results.read_comparison),
        ("robustness.json", results.read_robustness),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=rf"{name} is damaged"):
            read(tmp_path / name)


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no evaluation\.json or crossval\.json; give a run folder"):
        results.read_result(tmp_path)
    (tmp_path / "run.json").touch()
    with pytest.raises(DataError, match="was not scored yet; score it with: genrescope evaluate"):
        results.read_result(tmp_path)
    with pytest.raises(DataError, match=r"there is no .*evaluation\.json"):
        results.read_evaluation(tmp_path / "evaluation.json")


# -- the tracks as a table, and the chance level ------------------------------------------------------------------


def test_predictions_are_a_row_for_each_track_with_all_scores() -> None:
    told = evaluation(row("=b, c.wav", genre="jazz"), row("caf\udce9.wav"))
    lines = list(csv.DictReader(io.StringIO(results.predictions(told))))
    assert lines[0] == {
        "id": "'=b, c.wav", "truth": "jazz", "prediction": "blues", "artist": "", "score_blues": "0.75",
        "score_jazz": "0.25",
    }  # fmt: skip
    assert [line["id"] for line in lines[1:]] == ["caf\udce9.wav"]


def test_the_chance_level_is_the_share_of_the_most_frequent_genre() -> None:
    told = evaluation(row("a"), row("b", genre="jazz"), row("c", genre="jazz"))
    assert (told.chance.genre, told.chance.tracks, told.chance.value) == ("jazz", 2, 2 / 3)
    assert Chance.of({"b": 3, "a": 3, "c": 1}).genre == "a"


# -- where results lie --------------------------------------------------------------------------------------------


def scored_on(home: Path, *, part: str | None = None, name: str = "music", fingerprint: str = "f") -> Path:
    """Write an evaluation where it belongs; return its folder."""
    data = DataFacts(name=name, fingerprint=fingerprint, split="s" if part else None, part=part, tracks=1)
    folder = results.evaluation_folder(home, "m", data)
    results.write(ONE.model_copy(update={"data": data}), folder / "evaluation.json")
    return folder.relative_to(home)


def test_parts_and_data_sets_never_take_each_others_place(tmp_path: Path) -> None:
    assert scored_on(tmp_path, part="test") == Path()
    assert scored_on(tmp_path, part="validation") == Path("evaluation-validation")
    assert scored_on(tmp_path, name="/music/mine") == Path("evaluation-mine")
    assert scored_on(tmp_path, name="gtzan:/music/validation", fingerprint="v") == Path("evaluation-validation-2")
    assert scored_on(tmp_path, name="/other/mine", fingerprint="g") == Path("evaluation-mine-2")
    assert scored_on(tmp_path, name="/music/mine", fingerprint="changed") == Path("evaluation-mine"), "the same name"
    assert scored_on(tmp_path, name="../other/mine", fingerprint="g") == Path("evaluation-mine-2"), "the same tracks"
    assert scored_on(tmp_path, part="validation") == Path("evaluation-validation")
    (tmp_path / "evaluation-validation" / "evaluation.json").write_text("{")
    assert scored_on(tmp_path, part="validation") == Path("evaluation-validation-3"), "what is damaged is left alone"


def test_the_test_part_is_found_first_and_any_other_by_its_name(tmp_path: Path) -> None:
    scored_on(tmp_path, name="/music/validation")
    with pytest.raises(DataError, match=r"has no evaluation\.json"):
        results.read_result(tmp_path)
    scored_on(tmp_path, part="validation")
    assert results.read_result(tmp_path).data.part == "validation"
    scored_on(tmp_path, part="test")
    assert results.read_result(tmp_path).data.part == "test"
    assert results.read_result(tmp_path, "validation").data.part == "validation"
    (tmp_path / "run.json").touch()
    with pytest.raises(DataError, match=r"not scored yet on its part hard; .*evaluate .* --part hard"):
        results.read_result(tmp_path, "hard")


# -- schemas ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", schemas.KINDS)
def test_the_schemas_in_the_documentation_are_those_of_the_types(name: str) -> None:
    written = (SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8")
    assert written == schemas.schema(schemas.KINDS[name]), "run: python -m genrescope.results docs/schema"


def test_the_command_writes_all_schemas_and_nothing_else_is_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "genrescope.results", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert sorted(Path(line).name for line in done.stdout.splitlines()) == names
    assert sorted(path.name for path in SCHEMAS.iterdir()) == names


def test_a_written_evaluation_has_every_key_that_its_schema_requires() -> None:
    """Walks the schema beside the content: each object has exactly the keys that are told of it."""
    schema = json.loads(schemas.schema(Evaluation))
    seen = 0

    def walk(value: Any, its: dict[str, Any]) -> None:
        nonlocal seen
        its = schema["$defs"][its["$ref"].rpartition("/")[2]] if "$ref" in its else its
        if "properties" in its:
            seen += 1
            assert set(value) == set(its["properties"]) == set(its["required"])
            for key, inner in its["properties"].items():
                walk(value[key], inner)
        elif "items" in its:
            for each in value:
                walk(each, its["items"])

    walk(ONE.model_dump(), schema)
    assert seen > 15
