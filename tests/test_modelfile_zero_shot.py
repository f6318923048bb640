"""The model for the first minute: made of the taggers on the shelf, used where no model is named."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest
import torch
from cli_support import genrescope as run
from conftest import noise, write
from musicnn_support import random_taggers

import genrescope
from genrescope import modelfile
from genrescope.cli.prediction_outputs import Table
from genrescope.features.spec import LogMelSpec
from genrescope.inference.classifier import Classifier
from genrescope.inference.rows import RowSpec
from genrescope.modelfile import shelf, zero_shot
from genrescope.models.tag_genres import genres, kinds

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")
SPEC = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf whose taggers know all tags of the table, with random weights."""
    known: dict[str, list[str]] = {"musicnn-msd": [], "musicnn-mtt": []}
    labels = [*genres(), *(label for others in kinds().values() for label in others)]
    for tag in sorted({tag for label in labels for tag in label.tags}):
        name, _, label = tag.partition(":")
        known[name].append(label)
    taggers = {name: tuple(labels) for name, labels in known.items()}
    return random_taggers(tmp_path_factory.mktemp("cache"), taggers)


@pytest.fixture(autouse=True)
def _shelf(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENRESCOPE_CACHE", str(cache))


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("songs") / "song.wav", noise(4, level=0.2))


def test_one_of_another_version_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.get("genres")
    with monkeypatch.context() as patch:
        patch.setattr(genrescope, "__version__", "99")
        assert shelf.get("genres")[0] == ["genres"]
        assert shelf.get("genres")[0] == []
    assert shelf.get("genres")[0] == ["genres"]


def test_it_is_put_together_from_what_is_on_the_shelf() -> None:
    assert "genres" in (shelf.get("genres")[0] or ["genres"])
    assert shelf.get("genres")[0] == [], "the second time it is there"
    header = modelfile.read_header("genres")
    assert header.labels == tuple(genre.name for genre in genres())
    assert (header.exclusive, header.windows.pooling, header.weights.licence) == (False, "logits", "ISC")


def test_a_genres_logit_is_the_mean_of_its_tags_less_half_its_level() -> None:
    taggers = {name: modelfile.load(name) for name in ("musicnn-msd", "musicnn-mtt")}
    network, _ = zero_shot.make(taggers)
    windows = torch.randn(2, 1, 96, 187).abs() + 1.5  # loud enough to stay as they are
    with torch.inference_mode():
        found = network(windows)
        tags = {
            f"{name}:{label}": column
            for name, model in taggers.items()
            for label, column in zip(model.header.labels, model.network(windows).T, strict=True)
        }
    for number, genre in enumerate(genres()):
        expected = torch.stack([tags[tag] for tag in genre.tags]).mean(dim=0) - 0.5 * genre.level
        torch.testing.assert_close(found[:, number], expected, rtol=0, atol=1e-4)


def test_load_without_a_model_takes_it(song: Path) -> None:
    found = genrescope.load(device="cpu").predict(song)
    assert len(found.scores) == len(genres())
    assert sum(found.scores.values()) != pytest.approx(1, abs=0.01), "scores of tags do not add up"


def test_genres_count_from_thresholds_of_their_own(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = modelfile.load(shelf.get("genres")[1])
    assert model.header.thresholds == {each.name: each.threshold for each in genres() if each.threshold is not None}
    scores = Classifier(model).predict(song).scores
    first, second, *_ = scores
    limits = {first: scores[first], second: scores[second] + 0.001}
    held = dataclasses.replace(model, header=model.header.model_copy(update={"thresholds": limits}))
    found = Classifier(held).predict(song)
    assert found.labels == (first,), "the second is below its threshold, of the others nothing is known"
    with Table(2, held.header, RowSpec(held.header.labels)) as writer:
        writer.write(found)
    shown = capsys.readouterr().out
    assert f"{first} {scores[first]:.2f}, ({second} {scores[second]:.2f})" in " ".join(shown.split())


def test_the_command_needs_no_model(song: Path, cache: Path) -> None:
    done = run("predict", song, "--top", 2, env={"GENRESCOPE_CACHE": str(cache)})
    assert done.code == 0
    assert "song.wav" in done.out
    named = run("predict", "genres", song, "--format", "csv", env={"GENRESCOPE_CACHE": str(cache)})
    assert named.out.splitlines()[0].startswith(
        "path,artist,title,album,genre,confidence,unknown,seconds,warning,blues,"
    )
    folder = run("predict", song.parent, "--format", "csv", env={"GENRESCOPE_CACHE": str(cache)})
    assert folder.out == named.out


@pytest.mark.parametrize("alone", ["genres", "nowhere.mp3"])
def test_a_model_without_a_song_is_refused(alone: str) -> None:
    done = run("predict", alone)
    assert done.code == 2
    assert "no such file or folder" in done.err
    assert "genrescope predict song.mp3" in done.err


def test_moods_eras_and_instruments_stand_beside_the_genres(song: Path) -> None:
    found = genrescope.load().predict(song)
    assert {kind: set(tags) for kind, tags in found.tags.items()} == {
        kind: {label.name for label in labels} for kind, labels in kinds().items()
    }
    for scores in found.tags.values():
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
    assert not set(found.scores) & {tag for tags in found.tags.values() for tag in tags}, "they are no genres"


def test_a_moods_score_is_the_sigmoid_of_its_tags_less_their_level(song: Path) -> None:
    found = genrescope.load().predict(song).tags
    own = {name: genrescope.load(name).predict(song).scores for name in ("musicnn-msd", "musicnn-mtt")}
    for kind, labels in kinds().items():
        for label in labels:
            tags = [own[name][tag] for name, _, tag in (each.partition(":") for each in label.tags)]
            logit = torch.logit(torch.tensor(tags)).mean() - label.level
            assert found[kind][label.name] == pytest.approx(float(logit.sigmoid()), abs=0.01), label.name


def test_the_table_shows_the_likeliest_of_each_kind(song: Path) -> None:
    shown = run("predict", song, "--format", "jsonl")
    tags = json.loads(shown.out)["tags"]
    table = " ".join(run("predict", song, env={"COLUMNS": "200"}).out.split())
    assert ", ".join(next(iter(scores)) for scores in tags.values()) in table
