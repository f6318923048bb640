"""Comparisons: published and hand-made values, laws of resampling, and runs that are or are not of the same tracks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from cli_support import assert_refused, here, world
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import PathCollection

from genrescope import results
from genrescope.errors import DataError
from genrescope.evaluation import compare, metrics, paired
from genrescope.evaluation.summary import summary
from genrescope.pages import drawing
from genrescope.pages.render import p_value, points
from genrescope.reports import charts
from genrescope.results import DataFacts, Evaluation, ModelFacts, TrackRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cli_support import World

    from genrescope.results import Comparison

PNG = b"\x89PNG\r\n\x1a\n"
GENRES = ("blues", "jazz")
rights = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=60)


# -- statistics ---------------------------------------------------------------------------------------------------


def test_mcnemar_gives_the_published_value() -> None:
    """P. Armitage and G. Berry, 1994, p. 127, as StatsDirect works it through: 12 against 2, p = 0.0129."""
    assert paired.mcnemar(12, 2) == pytest.approx(0.0129, abs=5e-5)
    assert paired.mcnemar(12, 2) == paired.mcnemar(2, 12)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_agrees_with_scipy(won: int, lost: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(won, won + lost, 0.5).pvalue if won + lost else 1.0
    assert paired.mcnemar(won, lost) == pytest.approx(expected, abs=1e-9)


def test_newcombe_by_hand() -> None:
    """For 1, 1, 7, 12 the correlation counts as 0, so the arms of Wilson's intervals add as squares."""
    low, high = paired.newcombe(1, 1, 7, 12)
    low1, high1 = metrics.wilson(2, 21)
    low2, high2 = metrics.wilson(8, 21)
    assert low == pytest.approx(-6 / 21 - np.hypot(2 / 21 - low1, high2 - 8 / 21))
    assert high == pytest.approx(-6 / 21 + np.hypot(high1 - 2 / 21, 8 / 21 - low2))
    assert (round(low, 3), round(high, 3)) == (-0.507, -0.026)


@given(st.tuples(*[st.integers(0, 80)] * 4).filter(lambda cells: sum(cells) > 0))
def test_newcombe_holds_the_difference_and_turns_with_it(cells: tuple[int, int, int, int]) -> None:
    both, won, lost, neither = cells
    low, high = paired.newcombe(both, won, lost, neither)
    assert -1 <= low <= (won - lost) / sum(cells) + 1e-12
    assert (won - lost) / sum(cells) - 1e-12 <= high <= 1
    turned = paired.newcombe(both, lost, won, neither)
    assert turned == pytest.approx((-high, -low), abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_never_below_p_nor_above_bonferroni(p: list[float]) -> None:
    adjusted = paired.holm(p)
    for own, before in zip(adjusted, p, strict=True):
        assert before <= own <= min(1.0, len(p) * before) + 1e-12
    ranked = sorted(range(len(p)), key=lambda place: p[place])
    assert [adjusted[place] for place in ranked] == sorted(adjusted)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1 / 3, 1.0]), min_size=2, max_size=80))
def test_resampling_holds_the_mean_and_stays_within_the_values(values: list[float]) -> None:
    low, high = paired.resampled_mean(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert low - 1e-9 <= np.mean(values) <= high + 1e-9
    step = max(0.12, 2 / len(values))  # means of few values lie this far apart, and chance decides between two
    assert paired.resampled_mean([-value for value in values]) == pytest.approx((-high, -low), abs=step)


def test_drawing_kinds_is_drawing_tracks_one_by_one() -> None:
    values = np.array([1.0] * 30 + [0.0] * 50 + [-1.0] * 10)
    drawn = np.random.default_rng(1).integers(0, len(values), (20_000, len(values)))
    expected = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    assert paired.resampled_mean(values) == pytest.approx(expected, abs=0.012)


def test_artists_that_stand_and_fall_together_widen_the_interval() -> None:
    values = [1.0] * 40 + [0.0] * 40
    artists = [f"artist {place // 10}" for place in range(80)]
    alone, together = paired.resampled_mean(values), paired.resampled_mean(values, artists)
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])
    assert paired.resampled_mean(values, [""] * 80) == pytest.approx(alone, abs=0.02)
    assert metrics.resampled_interval([10] * 4 + [0] * 4, [10] * 8) == pytest.approx(together, abs=0.01)


@given(rights)
def test_a_difference_adds_up(pairs: list[tuple[bool, bool]]) -> None:
    own, reference = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    found = paired.difference(own, reference, ["x"] * len(pairs))
    assert found.difference == pytest.approx((found.won - found.lost) / len(pairs))
    assert found.won == sum(a and not b for a, b in pairs)
    assert found.interval_newcombe is not None
    assert found.interval_newcombe[0] <= found.difference + 1e-12
    assert found.interval_by_groups == pytest.approx((found.difference,) * 2), "one artist is always drawn whole"


def test_numbers_are_told_with_their_sign() -> None:
    assert (points(-0.0001), points(0.1)) == ("0.0", "+10.0")
    assert (p_value(0.0004), p_value(1.0)) == ("< 0.001", "1.000")


# -- runs ---------------------------------------------------------------------------------------------------------


def scored(
    folder: Path,
    right: Sequence[bool],
    *,
    first: Sequence[bool] | None = None,
    seed: int = 0,
    recipe: str = "small",
    c: float = 1.0,
    artists: int = 0,
    names: Sequence[str] = (),
    fingerprint: str = "f",
) -> Path:
    """Write an `evaluation.json` of tracks that are right or wrong by vote, and by their first window."""
    folder.mkdir(parents=True)
    names = names or [f"t{place}" for place in range(len(right))]
    rows = []
    for place, (name, vote, one) in enumerate(zip(names, right, first or right, strict=True)):
        genre, by_vote = GENRES[place % 2], GENRES[(place + (not vote)) % 2]
        scores = {each: 0.6 if each == by_vote else 0.4 for each in GENRES}
        rows.append(
            TrackRow(
                id=name, genre=genre, group=f"artist {place % artists}" if artists else "", predicted=by_vote,
                scores=scores, first=GENRES[(place + (not one)) % 2], vote=by_vote, windows=2, windows_right=1,
            )
        )  # fmt: skip
    model = ModelFacts(
        file="model.safetensors", architecture="pooled-svm", parameters=1000, front_end={}, data_fingerprint="f",
        recipe={"name": recipe, "intent": "x", "classifier": {"c": c}}, made_with="0", seed=seed,
    )  # fmt: skip
    data = DataFacts(name="music", fingerprint=fingerprint, split="s", part="test", tracks=len(rows))
    counted = dict(summary(rows, GENRES, "vote"))
    results.write(Evaluation(model=model, data=data, notes=(), audit=None, **counted), folder / "evaluation.json")
    return folder


def held(runs: Sequence[object], out: Path, **options: Any) -> Comparison:
    return compare.compare([str(run) for run in runs], out, **options).result


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures out: they take most of the time."""
    monkeypatch.setattr("genrescope.reports.comparison_page.draw", lambda _: [])


A = [True] * 12 + [False] * 8
B = [True] * 8 + [False] * 10 + [True] * 2


@pytest.mark.usefixtures("plain")
def test_two_runs_by_hand(tmp_path: Path) -> None:
    runs = [scored(tmp_path / "a", A), scored(tmp_path / "b", B, recipe="large")]
    result = held(runs, tmp_path / "out")
    assert results.read_comparison(tmp_path / "out" / "compare.json") == result
    first, second = result.entries
    assert (first.name, first.accuracy.mean) == ("small", 0.6)
    assert first.accuracy.interval == metrics.wilson(12, 20)
    assert second.accuracy.mean == 0.5
    (pair,) = result.against_reference
    assert (pair.name, pair.reference, pair.won, pair.lost) == ("large", "small", 2, 4)
    assert pair.difference == pytest.approx(-0.1)
    assert pair.p == pair.p_holm == paired.mcnemar(2, 4)
    assert pair.interval_newcombe == paired.newcombe(8, 2, 4, 6)
    assert pair.interval_by_groups is None
    assert result.groups is None


@pytest.mark.usefixtures("plain")
def test_seeds_of_one_recipe_are_one_entry(tmp_path: Path) -> None:
    runs = [scored(tmp_path / "a0", A), scored(tmp_path / "b0", B, recipe="large"), scored(tmp_path / "a1", B, seed=1)]
    first, second = held(runs, tmp_path / "out").entries
    assert (first.seeds, second.seeds) == ((0, 1), (0,))
    told = first.accuracy
    assert told.mean == pytest.approx(0.55)
    assert (told.lowest, told.highest) == (0.5, 0.6)
    assert told.deviation == pytest.approx(0.1 / 2**0.5)
    assert told.interval == paired.resampled_mean(np.mean([A, B], axis=0))
    pair = held(runs, tmp_path / "out").pairs[0]
    assert pair.difference == pytest.approx(-0.05)
    assert (pair.won, pair.lost, pair.interval_newcombe) == (2, 4, None)


@pytest.mark.usefixtures("plain")
def test_changed_settings_of_one_recipe_are_told_apart(tmp_path: Path) -> None:
    runs = [scored(tmp_path / "a", A), scored(tmp_path / "b", B, c=10.0)]
    assert [entry.name for entry in held(runs, tmp_path / "out").entries] == ["small, c=1.0", "small, c=10.0"]


@pytest.mark.usefixtures("plain")
def test_of_many_settings_each_tells_what_it_does_otherwise_than_the_first(tmp_path: Path) -> None:
    runs = [scored(tmp_path / "a", A), scored(tmp_path / "b", B, c=10.0), scored(tmp_path / "c", A, c=3.0)]
    assert [entry.name for entry in held(runs, tmp_path / "out").entries] == [
        "small",
        "small, c=10.0",
        "small, c=3.0",
    ]


@pytest.mark.usefixtures("plain")
def test_a_level_can_be_chosen_for_all_and_for_one(tmp_path: Path) -> None:
    run = scored(tmp_path / "a@home", A, first=B)
    result = held([f"{run}@first", run], tmp_path / "out")
    assert [(entry.name, entry.accuracy.mean) for entry in result.entries] == [
        ("small @first", 0.5),
        ("small @vote", 0.6),
    ]
    other = scored(tmp_path / "b", B, first=A, recipe="large")
    assert [e.level for e in held([run, f"{other}@vote"], tmp_path / "out", level="first").entries] == [
        "first",
        "vote",
    ]
    with pytest.raises(DataError, match='no level called "frist"; did you mean "first"'):
        held([f"{run}@frist", run], tmp_path / "out")
    with pytest.raises(DataError, match='no level called "window"'):
        held([run, other], tmp_path / "out", level="window")


@pytest.mark.usefixtures("plain")
def test_known_artists_give_a_second_interval(tmp_path: Path) -> None:
    runs = [scored(tmp_path / "a", A, artists=5), scored(tmp_path / "b", B, recipe="large")]
    result = held(runs, tmp_path / "out")
    assert result.groups == 5
    artists = [f"artist {place % 5}" for place in range(20)]
    order = sorted(range(20), key=lambda place: f"t{place}")
    apart = np.array(B, dtype=float)[order] - np.array(A, dtype=float)[order]
    expected = paired.resampled_mean(apart, [artists[place] for place in order])
    assert result.pairs[0].interval_by_groups == expected


def test_other_tracks_are_refused_and_named(tmp_path: Path) -> None:
    run = scored(tmp_path / "a", A)
    fewer = scored(tmp_path / "b", A[:18], recipe="large")
    with pytest.raises(DataError, match=r"2 tracks are only in .*a \(t18, t19\)\. Compare runs"):
        held([run, fewer], tmp_path / "out")
    swapped = scored(tmp_path / "c", A, names=[f"t{place ^ 1}" for place in range(20)])
    with pytest.raises(DataError, match=r"20 tracks are labelled otherwise \(t0: blues, then jazz, .*, \.\.\.\)"):
        held([run, swapped], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    run = scored(tmp_path / "a", A)
    with pytest.raises(DataError, match="is given twice"):
        held([run, run], tmp_path / "out")
    with pytest.raises(DataError, match="all runs are of one recipe"):
        held([run, scored(tmp_path / "b", B, seed=1)], tmp_path / "out")
    with pytest.raises(DataError, match=r"nowhere has no evaluation\.json or crossval\.json"):
        held([run, tmp_path / "nowhere"], tmp_path / "out")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "run.json").touch()
    with pytest.raises(DataError, match="was not scored yet; score it with: genrescope evaluate"):
        held([run, tmp_path / "c"], tmp_path / "out")
    (tmp_path / "c" / "evaluation.json").write_text('{"tracks": ')
    with pytest.raises(DataError, match="is damaged"):
        held([run, tmp_path / "c"], tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(DataError, match="other things in it"):
        held([run, scored(tmp_path / "d", B, recipe="large")], tmp_path / "mine")


# -- pictures and the command -------------------------------------------------------------------------------------


def test_the_forest_fills_what_is_apart_from_zero() -> None:
    def apart(interval: tuple[float, float], by_groups: tuple[float, float]) -> results.Difference:
        return results.Difference(
            difference=0.1, interval=interval, interval_by_groups=by_groups, won=1, lost=0, p=1.0,
            interval_newcombe=None,
        )  # fmt: skip

    lines = [
        charts.Line("reference", 0.7, (0.6, 0.8), runs=(0.68, 0.72)),
        charts.Line("better", 0.9, (0.8, 0.95), apart((0.1, 0.3), (0.05, 0.35))),
        charts.Line("by tracks only", 0.8, (0.7, 0.9), apart((0.02, 0.18), (-0.01, 0.2))),
    ]
    figure = charts.forest(lines, drawing.LIGHT)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [line.name for line in lines]
    fills = [line.get_markerfacecolor() for line in right.lines if line.get_marker() == "o"]
    assert fills == [drawing.LIGHT.second, drawing.LIGHT.paper]


def test_more_parameters_are_a_larger_point() -> None:
    accuracy = results.EntryAccuracy(
        mean=0.7, interval=(0.6, 0.8), interval_by_groups=None, by_run=(0.7,), lowest=0.7, highest=0.7, deviation=None
    )
    small, large = (
        results.Entry(
            name="a", recipe="a", level="vote", parameters=parameters, runs=("a",), seeds=(0,), accuracy=accuracy,
            milliseconds=milliseconds,
        )
        for parameters, milliseconds in ((1_000, 12.0), (20_000_000, 900.0))
    )  # fmt: skip
    (axis,) = charts.against_compute([small, large], drawing.LIGHT).axes
    sizes = [points.get_sizes()[0] for points in axis.collections if isinstance(points, PathCollection)]
    assert sizes == [pytest.approx(40.025), 540]
    assert axis.get_xscale() == "log"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


def test_the_command_shows_tables_and_times_models(made: World, tmp_path: Path) -> None:
    run = shutil.copytree(made.run, tmp_path / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrescope.reports.figures.draw", lambda *_: [])  # those of a single run are not looked at
        assert here("evaluate", run, "--quiet").code == 0
    done = here("compare", run, f"{run}@first", "--compute", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "mgcc @vote" in done.out
    assert "mgcc @first" in done.out
    assert "McNemar" in done.out
    assert "timing mgcc @vote" in done.err
    result = results.read_comparison(tmp_path / "out" / "compare.json")
    assert all((entry.milliseconds or 0) > 0 for entry in result.entries)
    for name in ("compare", "compute"):
        assert (tmp_path / "out" / "figures" / f"{name}.png").read_bytes().startswith(PNG)
    page = (tmp_path / "out" / "compare.html").read_text()
    assert f"{100 * result.entries[0].accuracy.mean:.1f} %" in page
    assert_refused(here("compare", run, tmp_path / "gone", "--out", tmp_path / "no"), "gone", "evaluation.json")
    assert_refused(here("compare", run, run, "--level", "votes", "--out", tmp_path / "no"), '"votes"', '"vote"')
    assert not (tmp_path / "no").exists()
