"""Robustness: laws of each change of the sound, and runs that are scored under them, resumed, and refused."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_support import World, assert_refused, here, world
from conftest import RATE, level_of, noise, pitch, tone

from genrescope import splits
from genrescope.errors import DataError
from genrescope.evaluation import metrics, paired
from genrescope.evaluation.conditions import CONDITIONS, UNCHANGED, chosen
from genrescope.evaluation.evaluate import evaluate
from genrescope.evaluation.held_out import Selection
from genrescope.evaluation.robustness import robustness
from genrescope.files import write_json
from genrescope.results import RobustnessResult, Share, read_robustness
from genrescope.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.audio import Wave
    from genrescope.evaluation.changed_sound import ChangedSound
    from genrescope.progress import Progress

FEW = "mp3-64,noise-10,middle-3"
PNG = b"\x89PNG\r\n\x1a\n"
pytestmark = pytest.mark.usefixtures("one_thread")


def changed(name: str, wave: Wave) -> Wave:
    return CONDITIONS[name].change(wave, RATE)


def decibels(wave: Wave, other: Wave) -> float:
    return float(20 * np.log10(level_of(wave) / level_of(other)))


# -- laws of the conditions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_gives_a_usable_wave_and_the_same_one_twice(name: str) -> None:
    wave = tone(440, seconds=4.0, level=0.3) + noise(4.0, level=0.02)
    before = wave.copy()
    found = changed(name, wave)
    assert found.dtype == np.float32
    assert found.ndim == 1
    assert np.isfinite(found).all()
    assert (wave == before).all(), "it wrote into the wave that others are made of"
    assert (found == changed(name, wave)).all()
    assert CONDITIONS[name].description
    times = {"tempo-up-6": 1 / 1.06, "tempo-down-6": 1 / 0.94, "middle-3": 0.75}
    assert len(found) == round(times.get(name, 1.0) * len(wave))


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("samples", [1, 700])
def test_every_condition_takes_the_shortest_sound(name: str, samples: int) -> None:
    found = changed(name, tone(440)[:samples] + np.float32(0.1))
    assert len(found) >= 1
    assert np.isfinite(found).all()


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_takes_the_rate_of_a_listener(name: str) -> None:
    wave = tone(440, seconds=1.0)[:16_000]
    assert np.isfinite(CONDITIONS[name].change(wave, 16_000)).all()


@pytest.mark.parametrize("name", ["mp3-64", "mp3-128", "rate-16k", "low-pass-8k", "low-pass-4k"])
def test_channels_keep_time_and_what_lies_below_their_limit(name: str) -> None:
    wave = np.concatenate([np.zeros(RATE, np.float32), tone(1000, seconds=1.0), np.zeros(RATE, np.float32)])
    found = changed(name, wave)
    lag = np.argmax(np.correlate(found[::4], wave[::4], mode="full")) - (len(wave[::4]) - 1)
    assert abs(lag) <= 1
    assert pitch(found[RATE : 2 * RATE]) == pytest.approx(1000, abs=2)
    assert decibels(found[RATE : 2 * RATE], wave[RATE : 2 * RATE]) == pytest.approx(0, abs=0.6)


@pytest.mark.parametrize(("name", "hz"), [("low-pass-8k", 10_500), ("low-pass-4k", 8_000), ("rate-16k", 9_000)])
def test_filters_take_away_what_lies_above(name: str, hz: float) -> None:
    assert decibels(changed(name, tone(hz, seconds=1.0)), tone(hz, seconds=1.0)) < -15


@pytest.mark.parametrize(("name", "expected"), [("noise-20", 20.0), ("noise-10", 10.0)])
def test_noise_has_its_level_against_the_music(name: str, expected: float) -> None:
    for level in (0.5, 0.01):
        wave = tone(440, seconds=2.0, level=level)
        added = changed(name, wave) - wave
        assert decibels(wave, added) == pytest.approx(expected, abs=0.3)


def test_levels_change_by_what_they_say() -> None:
    wave = tone(440, level=0.4)
    assert decibels(changed("quiet-20", wave), wave) == pytest.approx(-20, abs=0.01)
    assert decibels(changed("loud-6", wave), wave) == pytest.approx(6, abs=0.01)
    assert np.abs(changed("loud-6", tone(440, level=0.9))).max() == 1.0


@pytest.mark.parametrize(
    ("name", "ratio"),
    [("pitch-up-2", 2 ** (2 / 12)), ("pitch-down-2", 2 ** (-2 / 12)), ("tempo-up-6", 1.0), ("tempo-down-6", 1.0)],
)
def test_pitch_moves_where_it_should_and_stays_where_it_should(name: str, ratio: float) -> None:
    assert pitch(changed(name, tone(500, seconds=3.0))) == pytest.approx(500 * ratio, rel=0.004)


@pytest.mark.parametrize(
    ("name", "expected"), [("pitch-up-2", 2.0), ("tempo-up-6", 2 / 1.06), ("tempo-down-6", 2 / 0.94)]
)
def test_tempo_moves_where_it_should_and_stays_where_it_should(name: str, expected: float) -> None:
    """A tone begins after two seconds."""
    wave = np.concatenate([np.zeros(2 * RATE, np.float32), tone(500, seconds=2.0)])
    begin = int(np.argmax(np.abs(changed(name, wave)) > 0.1)) / RATE
    assert begin == pytest.approx(expected, abs=0.06)


def test_the_middle_is_cut_out() -> None:
    wave = np.arange(10 * RATE, dtype=np.float32)
    assert changed("middle-3", wave)[0] == pytest.approx(3.5 * RATE, abs=1)
    assert (changed("middle-10", wave[: 5 * RATE]) == wave[: 5 * RATE]).all()


def test_conditions_are_chosen_by_name() -> None:
    assert len(chosen(None)) == len(CONDITIONS) == 17
    assert next(iter(CONDITIONS)) == UNCHANGED
    with pytest.raises(DataError, match='no condition called "mp3-65"; did you mean "mp3-64"'):
        chosen("noise-10,mp3-65")
    for empty in ("", " , ", "unchanged"):
        with pytest.raises(DataError, match="no conditions given; accepted are mp3-128"):
            chosen(empty)


# -- runs ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def own(made: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a copy of the music and the run, which tests spoil and write into."""
    root = tmp_path_factory.mktemp("robustness")
    shutil.copytree(made.music, root / "music")
    return World(root / "music", made.store, made.split, shutil.copytree(made.run, root / "run"))


@pytest.fixture(scope="module")
def result(own: World) -> RobustnessResult:
    return robustness(own.run, conditions=FEW, device="cpu", jobs=0).result


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the page out: drawing takes most of the time."""
    monkeypatch.setattr("genrescope.reports.robustness_page.write", lambda *_: None)


def test_the_unchanged_sound_is_scored_as_evaluate_scores_it(
    result: RobustnessResult, own: World, tmp_path: Path
) -> None:
    scored = evaluate(own.run, device="cpu", out=tmp_path).result
    assert [row.id for row in result.tracks] == [row.id for row in scored.tracks]
    for row, expected in zip(result.tracks, scored.tracks, strict=True):
        assert row.predicted[UNCHANGED] == expected.predicted
        assert row.confidence[UNCHANGED] == pytest.approx(expected.confidence, abs=1e-5)
    assert result.conditions[0].accuracy == Share(**scored.accuracy.vote.model_dump(exclude={"interval_by_groups"}))


def test_conditions_are_counted_track_by_track(result: RobustnessResult, own: World) -> None:
    assert [condition.name for condition in result.conditions] == [UNCHANGED, *FEW.split(",")]
    assert result.conditions[0].against_unchanged is None
    for condition in result.conditions[1:]:
        right = [float(row.predicted[condition.name] == row.genre) for row in result.tracks]
        before = [float(row.predicted[UNCHANGED] == row.genre) for row in result.tracks]
        assert condition.accuracy == metrics.share(int(sum(right)), len(right))
        assert condition.against_unchanged == paired.difference(right, before)
        assert condition.confidence == pytest.approx(np.mean([row.confidence[condition.name] for row in result.tracks]))
    out = own.run / "robustness"
    assert read_robustness(out / "robustness.json") == result
    assert (out / "figures" / "robustness.png").read_bytes().startswith(PNG)
    page = (out / "robustness.html").read_text()
    for condition in result.conditions:
        assert condition.description.replace("'", "&#39;") in page


@pytest.mark.usefixtures("plain")
def test_what_was_heard_is_not_heard_again(result: RobustnessResult, own: World, tmp_path: Path) -> None:
    out = shutil.copytree(own.run / "robustness", tmp_path / "out")
    lines = (out / "heard.jsonl").read_text().splitlines()
    (out / "heard.jsonl").write_text("\n".join(lines[:2]) + "\n" + lines[2][:40])  # killed in the middle of a line
    told: list[Progress[ChangedSound]] = []
    again = robustness(own.run, conditions=FEW, device="cpu", jobs=0, out=out, on_track=told.append)
    assert (told[0].done, told[-1].done, told[-1].total) == (2, 6, 6)
    assert again.result == result
    told.clear()
    more = robustness(own.run, conditions="noise-10,quiet-20", device="cpu", jobs=0, out=out, on_track=told.append)
    assert told[0].done == 0
    assert more.result.conditions[1] == result.conditions[2]
    facts = json.loads((own.run / "run.json").read_text())
    try:
        write_json(own.run / "run.json", facts | {"started": "trained again"})
        told.clear()
        robustness(own.run, Selection(most=2), conditions="loud-6", device="cpu", jobs=0, out=out, on_track=told.append)
        assert told[0].done == 0, "what another network said was taken for this one's"
    finally:
        write_json(own.run / "run.json", facts)


@pytest.mark.usefixtures("plain")
def test_worker_processes_say_the_same(result: RobustnessResult, own: World, tmp_path: Path) -> None:
    done = robustness(own.run, conditions=FEW, device="cpu", jobs=2, out=tmp_path / "out")
    assert done.result.tracks == result.tracks


@pytest.mark.usefixtures("plain")
def test_bad_files_are_named_and_the_others_scored(own: World, tmp_path: Path) -> None:
    test = splits.read(own.run / "split.csv").ids("test")
    (own.music / test[0]).write_bytes(b"no longer a song")
    (own.music / test[1]).unlink()
    moved = Selection(data=str(own.music))
    done = robustness(own.run, moved, conditions="quiet-20", device="cpu", jobs=0, out=tmp_path / "out")
    assert done.result.failed == {
        test[0]: "the file has changed since the store was made",
        test[1]: f"not in {own.music}",
    }
    assert done.result.data.tracks == len(test) - 2
    assert done.result.conditions[0].accuracy.total == len(test) - 2
    for name in test[2:]:
        (own.music / name).write_bytes(b"no longer a song")
    with pytest.raises(DataError, match="none of the 6 tracks could be used; drone"):
        robustness(own.run, moved, conditions="loud-6", device="cpu", jobs=0, out=tmp_path / "none")


@pytest.mark.usefixtures("plain")
def test_each_fold_of_a_cross_validation_is_scored_by_its_own_model(made: World, tmp_path: Path) -> None:
    from genrescope.evaluation.crossval import cross_validate
    from genrescope.training import recipe
    from genrescope.training.job import Job

    store = open_store(made.store)
    wanted = recipe.load("pooled-svm", {"classifier.kernel": "linear"})  # fitted at once
    split = splits.make(store.tracks, "stratified", folds=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrescope.reports.figures.draw", lambda *_: [])
        scored = cross_validate(Job(store, wanted, split, tmp_path / "cv", device="cpu")).result
    found = robustness(tmp_path / "cv", conditions="quiet-20", device="cpu", jobs=0).result
    assert found.data.part is None
    for row, expected in zip(found.tracks, scored.tracks, strict=True):
        assert row.id == expected.id
        assert row.predicted[UNCHANGED] == expected.predicted
        assert row.confidence[UNCHANGED] == pytest.approx(expected.confidence, abs=1e-5)
    few = robustness(
        tmp_path / "cv", Selection(most=5), conditions="quiet-20", device="cpu", jobs=0, out=tmp_path / "few"
    ).result
    assert few.data.tracks == 5
    assert few.notes == ("only 5 of 24 tracks, spread evenly",)
    assert {row.genre for row in few.tracks} == set(store.genres)


@pytest.mark.usefixtures("plain")
def test_the_command_prints_a_table_and_refuses_what_it_cannot_do(made: World, tmp_path: Path) -> None:
    run = shutil.copytree(made.run, tmp_path / "run")
    done = here("robustness", run, "--conditions", "quiet-20,loud-6", "--jobs", 1, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "6 held-out tracks" in done.out
    assert [line.split()[0] for line in done.out.splitlines() if "%" in line][-3:] == [UNCHANGED, "quiet-20", "loud-6"]
    for options, words in (
        (["--conditions", "quite-20"], ['"quite-20"', '"quiet-20"']),
        (["--part", "tset"], ['"tset"', '"test"']),
        (["--data", tmp_path / "gone"], ["gone", "--data"]),
        (["--store", tmp_path / "gone"], ["gone", "genrescope prepare"]),
    ):
        assert_refused(here("robustness", run, *options, "--out", tmp_path / "no"), *words)
    assert_refused(here("robustness", tmp_path / "nowhere"), "nowhere", "not a run folder")
    assert not (tmp_path / "no").exists()
    learnt = here(
        "robustness", run, "--part", "train", "--conditions", "quiet-20", "--jobs", 1, "--out", tmp_path / "t"
    )
    assert "say nothing about new music" in learnt.err


def test_a_bad_file_has_its_exit_code(made: World, tmp_path: Path) -> None:
    music = shutil.copytree(made.music, tmp_path / "music")
    name = splits.read(made.run / "split.csv").ids("test")[0]
    (music / name).write_bytes(b"no longer a song")
    run = shutil.copytree(made.run, tmp_path / "run")
    done = here("robustness", run, "--conditions", "quiet-20", "--data", music, "--jobs", 1, "--quiet")
    assert done.code == 1
    assert done.messages == [f"skipped {name}: the file has changed since the store was made"]
