"""Evaluation: counts that add up, figures that can be looked at, a page that needs nothing else, and its refusals."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
import shutil
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import GENRES, sound, world, write_music
from conftest import write
from training_support import trained

from genrescope import modelfile, splits
from genrescope.errors import DataError, ModelFileError
from genrescope.evaluation.evaluate import evaluate
from genrescope.files import write_json
from genrescope.results import ModelFacts, read_evaluation
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.training import recipe

if TYPE_CHECKING:
    from cli_support import World

    from genrescope.evaluation.written import Written
    from genrescope.results import Evaluation

    Evaluated = Written[Evaluation]

PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def run(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the run, which evaluation writes into."""
    return shutil.copytree(made.run, tmp_path_factory.mktemp("evaluation") / "run")


@pytest.fixture(scope="module")
def weights_before(run: Path) -> str:
    return weights(run / "model.safetensors")


@pytest.fixture(scope="module")
def done(run: Path, weights_before: str) -> Evaluated:
    assert weights_before
    return evaluate(run, part="test", device="cpu")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time, and other tests look at them."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def weights(path: Path) -> str:
    """Return a digest of everything in a model file but its header."""
    content = path.read_bytes()
    return hashlib.sha256(content[8 + struct.unpack("<Q", content[:8])[0] :]).hexdigest()


# -- the figures in evaluation.json -------------------------------------------------------------------------------


def test_evaluation_json_is_what_was_returned(done: Evaluated, run: Path) -> None:
    assert done.out == run
    assert read_evaluation(run / "evaluation.json") == done.result
    written = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert written["format"] == 1
    assert set(written["accuracy"]) == {"first", "window", "vote"}
    assert written["verdict"] == "vote"
    assert written["data"]["part"] == "test"
    assert written["labels"] == list(GENRES)


def test_every_track_of_the_part_is_counted_once(done: Evaluated, run: Path) -> None:
    wanted = splits.read(run / "split.csv").ids("test")
    tracks = done.result.tracks
    assert sorted(track.id for track in tracks) == wanted
    assert done.result.data.tracks == len(wanted)
    assert done.result.accuracy.vote.total == len(wanted)
    assert done.result.accuracy.first.total == len(wanted)
    assert done.result.accuracy.window.total == sum(track.windows for track in tracks)
    assert {track.windows for track in tracks} <= {1, 2}


def test_each_accuracy_is_the_share_of_the_tracks_listed(done: Evaluated) -> None:
    tracks = done.result.tracks
    for level, told in (("first", done.result.accuracy.first), ("vote", done.result.accuracy.vote)):
        assert told.correct == sum(getattr(track, level) == track.genre for track in tracks)
        assert told.value == told.correct / told.total
        assert told.interval[0] <= told.value <= told.interval[1]
    window = done.result.accuracy.window
    assert window.interval_by_tracks[0] <= window.value <= window.interval_by_tracks[1]


def test_the_verdict_decides_genres_and_scores(done: Evaluated) -> None:
    for track in done.result.tracks:
        assert track.predicted == track.vote == max(track.scores, key=lambda genre: track.scores[genre])
        assert sum(track.scores.values()) == pytest.approx(1, abs=1e-5)


def test_the_confusion_matrix_agrees_with_the_tracks(done: Evaluated) -> None:
    counts, labels = done.result.confusion, done.result.labels
    for row, genre in zip(counts, labels, strict=True):
        assert sum(row) == done.result.genres[genre].tracks
        its = [track.predicted for track in done.result.tracks if track.genre == genre]
        assert list(row) == [its.count(label) for label in labels]
    right = sum(row[position] for position, row in enumerate(counts))
    assert right == done.result.headline.correct
    wrong = sum(map(sum, counts)) - right
    assert sum(pair.count for pair in done.result.confused) == wrong


def test_what_made_the_model_is_told(done: Evaluated, made: World) -> None:
    about = done.result.model
    assert about.seed == 0
    assert about.architecture == "mgcc-small"
    assert about.recipe["training"]["epochs"] == 2
    assert about.data_fingerprint == open_store(made.store).fingerprint
    assert about.trained_on.tracks == 12
    assert (about.versions or {})["genrescope"]


# -- figures and report -------------------------------------------------------------------------------------------


def test_figures_are_pictures_of_a_sensible_size(done: Evaluated) -> None:
    pictures = sorted((done.out / "figures").iterdir())
    names = {picture.stem for picture in pictures}
    assert {"confusion", "curves", "genres"} <= names
    assert ("worst" in names) == ("confused" in names) == bool(done.result.confused)
    for picture in pictures:
        content = picture.read_bytes()
        assert content.startswith(PNG), picture
        width, height = struct.unpack(">II", content[16:24])
        assert 200 <= width <= 2500, picture
        assert 150 <= height <= 2500, picture
        assert 2000 < len(content) < 1_000_000, picture


class Page(html.parser.HTMLParser):
    """Reads a page: its tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def assert_loads_nothing(page: Page, text: str) -> None:
    assert {name for name, _ in page.tags} & {"script", "link", "iframe", "object", "embed"} == set()
    assert re.findall(r"@import|url\(", text) == []
    for _, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "srcset", "href", "action"):
            assert attributes.get(name, "data:").startswith("data:")


def test_the_report_needs_nothing_from_elsewhere(done: Evaluated) -> None:
    text = done.report.read_text(encoding="utf-8")
    page = Page(text)
    assert_loads_nothing(page, text)
    assert not re.search(r"https?://", text)
    images = page.named("img") + page.named("source")
    assert len(images) == 4 * len(list((done.out / "figures").iterdir()))
    for image in images:
        kind, _, content = (image.get("src") or image["srcset"]).partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content, validate=True).startswith(PNG)
    assert all(image["alt"] for image in page.named("img"))


def test_the_report_suits_phones_and_dark_screens(done: Evaluated) -> None:
    text = done.report.read_text(encoding="utf-8")
    assert any(meta.get("name") == "viewport" for meta in Page(text).named("meta"))
    assert "@media (prefers-color-scheme: dark)" in text
    dark, narrow = "(prefers-color-scheme: dark)", "(max-width: 40rem)"
    media = [source["media"] for source in Page(text).named("source")]
    assert media == [f"{dark} and {narrow}", narrow, dark] * len(list((done.out / "figures").iterdir()))


def test_the_report_tells_the_figures_of_evaluation_json(done: Evaluated) -> None:
    said = " ".join(Page(done.report.read_text(encoding="utf-8")).text.split())
    for _, share in done.result.accuracy.items():  # noqa: PERF102 - it is no dict
        assert f"{share.correct} of {share.total}" in said
        assert f"{100 * share.value:.1f} %" in said
    for genre in done.result.labels:
        assert genre in said
    assert done.result.data.fingerprint in said
    assert done.result.model.data_fingerprint in said


HOSTILE = (
    "<script>alert(1)<!--.wav",
    "<img src=x onerror=alert(1)>.wav",
    "Ti$$ & co $x^$.wav",
    "\\frac{1}{ 100 % #1 {{ result }}.wav",
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run on tracks whose names would do harm on a page or in a formula; every one of them is mistaken."""
    root = tmp_path_factory.mktemp("hostile")
    for genre in ("<b>drone", "R$B $oul"):
        for number, name in enumerate(HOSTILE):
            write(root / "music" / genre / name, sound("drone", number))
    store = prepare(str(root / "music"), root / "store", jobs=0).store
    split = splits.Split({track.id: "train" for track in store.tracks}, "all")
    changes = {"model.name": "mgcc-small", "training.epochs": 1}
    return trained(store, recipe.load("mgcc", changes), split, root / "run")


def test_hostile_names_are_shown_as_they_are(hostile: Path) -> None:
    done = evaluate(hostile, part="train", device="cpu")
    text = done.report.read_text(encoding="utf-8")
    page = Page(text)
    assert_loads_nothing(page, text)
    assert len(page.named("img")) == len(list((done.out / "figures").iterdir()))
    # The tracks of one genre are those of the other, so half of them are mistaken and stand in the table by name.
    mistaken = [track.id for track in done.result.tracks if not track.right]
    assert len(mistaken) == len(HOSTILE)
    for name in mistaken:
        assert name in page.text


def test_names_in_other_scripts_can_be_drawn(made: World, tmp_path: Path) -> None:
    """Warnings are errors here: a character that the figures' font lacks must not make noise."""
    for number, genre in enumerate(("drone", "hiss")):
        write(tmp_path / "music" / genre / "音楽 🎵.wav", sound(GENRES[1 - number], 0))
    for number in range(4):
        write(tmp_path / "music" / "pulse" / f"ジャズ {number}.wav", sound("hiss", number))
    done = evaluate(made.run, data=str(tmp_path / "music"), out=tmp_path / "results", device="cpu", jobs=0)
    assert done.report.is_file()


# -- the model file -----------------------------------------------------------------------------------------------


def test_scores_enter_the_model_file_and_weights_stay(done: Evaluated, run: Path, weights_before: str) -> None:
    assert weights(run / "model.safetensors") == weights_before
    scores = modelfile.read_header(run).scores
    accuracy = done.result.accuracy.model_dump(mode="json")
    assert scores == {f"{done.result.data.split} / test": accuracy | {"verdict": "vote"}}
    with (run / "model.safetensors").open("rb") as file:
        assert struct.unpack("<Q", file.read(8))[0] % 8 == 0, "the tensors are no longer aligned"
    assert modelfile.load(run).header.scores == scores


@pytest.mark.usefixtures("plain")
def test_scores_of_another_part_stand_beside(done: Evaluated, run: Path, weights_before: str) -> None:
    evaluate(run, part="validation", device="cpu", out=run / "validation")
    assert {key.rpartition(" / ")[2] for key in modelfile.read_header(run).scores} == {"test", "validation"}
    assert weights(run / "model.safetensors") == weights_before
    assert read_evaluation(run / "evaluation.json") == done.result


# -- what is noted, and what is refused ---------------------------------------------------------------------------


@pytest.mark.usefixtures("plain")
def test_scores_on_what_was_learnt_are_noted(run: Path, tmp_path: Path) -> None:
    done = evaluate(run, part="train", device="cpu", out=tmp_path)
    assert done.result.notes[0].startswith("the model was trained on the part train")
    assert "say nothing about new music" in Page(done.report.read_text(encoding="utf-8")).text
    assert done.result.data.tracks == 12


def test_a_part_that_is_not_in_the_split_is_refused(run: Path) -> None:
    with pytest.raises(DataError, match='no part "tset"; did you mean "test"'):
        evaluate(run, part="tset", device="cpu")


def test_a_store_that_has_changed_is_refused(made: World, tmp_path: Path) -> None:
    music = shutil.copytree(made.music, tmp_path / "music")
    (music / "drone" / "drone-00.wav").unlink()
    other = prepare(str(music), tmp_path / "store", jobs=0).store
    with pytest.raises(DataError, match="has changed since the run was trained"):
        evaluate(made.run, store=other.path, device="cpu", out=tmp_path / "results")
    assert not (tmp_path / "results").exists()


@pytest.mark.usefixtures("plain")
def test_a_store_that_has_moved_is_used_where_it_is(made: World, tmp_path: Path, done: Evaluated) -> None:
    run = shutil.copytree(made.run, tmp_path / "run")
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    write_json(run / "run.json", facts | {"store": str(tmp_path / "gone")})
    with pytest.raises(DataError, match=r"gone.*genrescope prepare"):
        evaluate(run, device="cpu")
    moved = shutil.copytree(made.store, tmp_path / "moved")
    assert evaluate(run, store=moved, device="cpu").result.accuracy == done.result.accuracy


@pytest.mark.usefixtures("plain")
def test_other_data_is_scored_without_the_genres_that_the_model_does_not_know(made: World, tmp_path: Path) -> None:
    music = write_music(tmp_path / "music", tracks=2)
    for number in range(2):
        write(music / "polka" / f"{number}.wav", sound("drone", number))
    (music / "hiss" / "broken.wav").write_bytes(b"not a song")
    before = (made.run / "model.safetensors").stat()
    done = evaluate(made.run, data=str(music), out=tmp_path / "results", device="cpu", jobs=0)
    notes = done.result.notes
    assert any("2 tracks of polka left out" in note for note in notes)
    assert any("hiss/broken.wav could not be used" in note for note in notes)
    assert {track.genre for track in done.result.tracks} == set(GENRES)
    assert done.result.data.tracks == len(done.result.tracks) == 6
    assert (done.result.data.split, done.result.data.part) == (None, None)
    assert all(note in Page(done.report.read_text(encoding="utf-8")).text for note in notes)
    assert (made.run / "model.safetensors").stat() == before


@pytest.mark.usefixtures("plain")
def test_a_store_can_be_scored_as_data(made: World, tmp_path: Path) -> None:
    done = evaluate(made.run, data=str(made.store), out=tmp_path, device="cpu")
    assert done.result.data.tracks == 24
    assert done.result.data.fingerprint == open_store(made.store).fingerprint


def test_data_of_one_known_genre_can_be_scored(made: World, tmp_path: Path) -> None:
    write(tmp_path / "music" / "hiss" / "one.wav", sound("hiss", 3))
    done = evaluate(made.run, data=str(tmp_path / "music"), out=tmp_path / "results", device="cpu", jobs=0)
    genres = done.result.genres
    assert genres["hiss"].tracks == 1
    assert genres["drone"].recall is None
    assert genres["drone"].recall_interval is None
    assert done.result.accuracy.vote.total == 1


def test_a_model_outside_of_a_run_needs_data(made: World, tmp_path: Path) -> None:
    model = Path(shutil.copyfile(made.run / "model.safetensors", tmp_path / "model.safetensors"))
    with pytest.raises(DataError, match="--data DATA"):
        evaluate(model, device="cpu")
    with pytest.raises(ModelFileError, match="no such model file"):
        evaluate(tmp_path / "nowhere", device="cpu")


def made_by(recipe: dict[str, Any], **more: Any) -> ModelFacts:
    return ModelFacts(
        file="x",
        architecture="x",
        parameters=0,
        recipe=recipe,
        front_end={},
        data_fingerprint="x",
        made_with="x",
        **more,
    )
