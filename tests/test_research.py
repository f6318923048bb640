"""Studies: the whole file is checked first, what is done stays, one failure stops nothing, and the table adds up."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import genre_folders, stored
from hypothesis import given
from hypothesis import strategies as st

from genrescope import modelfile, splits
from genrescope.errors import DataError
from genrescope.evaluation import cost
from genrescope.evaluation.metrics import resampled_interval
from genrescope.reports import grid
from genrescope.research import collect, experiments, study_file, study_page, tables
from genrescope.research.study import Ended, Studied, StudyProgress, study
from genrescope.splits import Split, subsets
from genrescope.splits.duplicates import Pair
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store
from genrescope.training import recipe as recipes
from genrescope.training.run_folder import read_run

pytestmark = pytest.mark.usefixtures("one_thread")
DOCS = sorted((Path(__file__).parent.parent / "docs" / "studies").glob("*.toml"))
GENRES = ("blues", "jazz")
TRACKS = 8

FILE = """
[defaults]
store = "store"
recipe = "pooled-svm"
set.classifier.frames = 64

[[experiment]]
name = "folds"
set.classifier.kernel = "linear"
folds = 2
seeds = [0, 1]

[[experiment]]
name = "half"
set.classifier.kernel = "linear"
folds = 2
share = 0.5
by = "artists"
seeds = [0, 1]

[[experiment]]
name = "parts"
recipe = "mgcc"
set = { model.name = "mgcc-small", training.epochs = 1, windows.frames = 128 }
split = "stratified"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a store of two genres; every two tracks are by one artist."""
    root = tmp_path_factory.mktemp("study")
    music = genre_folders(root / "music", GENRES, tracks=TRACKS, seconds=3.2)
    rows = [("path", "genre", "group")]
    for path in sorted(music.rglob("*.wav")):
        number = int(path.stem.rpartition("-")[2])
        rows.append((str(path), path.parent.name, f"{path.parent.name} {number // 2}"))
    table = root / "music.csv"
    table.write_text("".join(",".join(row) + "\n" for row in rows))
    prepare(str(table), root / "store", jobs=0)
    (root / "study.toml").write_text(FILE)
    return root


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out each run's own figures: they take most of the time, and other tests look at them."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


@pytest.fixture(scope="module")
def done(home: Path) -> tuple[Studied, list[StudyProgress], list[Ended]]:
    told: list[StudyProgress] = []
    ended: list[Ended] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("genrescope.reports.figures.draw", lambda *_: [])
        result = study(home / "study.toml", home / "out", device="cpu", on_progress=told.append, on_end=ended.append)
    return result, told, ended


def write(home: Path, text: str, name: str = "other.toml") -> Path:
    path = home / name
    path.write_text(text)
    return path


# -- the file ---------------------------------------------------------------------------------------------------


def test_every_fault_of_a_file_is_told_before_anything_runs(home: Path, tmp_path: Path) -> None:
    path = write(
        home,
        """
        [default]
        [[experiment]]
        store = "store"
        recipe = "mgc"
        [[experiment]]
        store = "store"
        recipe = "mgcc"
        fold = 3
        [[experiment]]
        store = "nowhere"
        recipe = "mgcc"
        [[experiment]]
        store = "store"
        recipe = "mgcc"
        split = "stratifed"
        [[experiment]]
        recipe = "mgcc"
        store = "store"
        set = { training.epoch = 5 }
        [[experiment]]
        recipe = "mgcc"
        [[experiment]]
        store = "store"
        recipe = "mgcc"
        seeds = [-1]
        """,
    )
    with pytest.raises(DataError) as caught:
        study(path, tmp_path / "out")
    for word in (
        'no key "default"; did you mean "defaults"?', 'no recipe called "mgc"; did you mean "mgcc"?',
        'experiment 2: no key "fold"; did you mean "folds"?', "experiment 3 (mgcc): ", "nowhere",
        'no split method called "stratifed"', 'no recipe key "training.epoch"; did you mean "training.epochs"?',
        'experiment 6 lacks the key "store"', "experiment 7: seeds = [-1]",
    ):  # fmt: skip
        assert word in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = [", "is not valid TOML"),
        ("", "lists no experiments"),
        ("[experiment]\nrecipe = 'mgcc'", "lists no experiments"),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nset=1", "accepted is a table of recipe keys"),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nsplit='random'", r'no part "validation" .* score = "test"'),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nscore='train'", "is learnt from"),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nparts=['trian']", 'no part "trian"; did you mean "train"'),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nfolds=2\nscore='test'", "leave out parts and score"),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nshare=1.5", "share = 1.5"),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nset.model.name='mgc'", 'no model called "mgc"'),
        ("[[experiment]]\nstore='store'\nrecipe='mgcc'\nseeds=[0,0]", "give one another name"),
    ],
)
def test_what_cannot_be_run_is_refused(text: str, words: str, home: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        experiments.read(write(home, text), tmp_path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        experiments.read(tmp_path / "none.toml", tmp_path)


def test_defaults_names_and_shares(home: Path, tmp_path: Path) -> None:
    text = """
    [defaults]
    store = "store"
    recipe = "mgcc"
    seeds = [0, 3]
    set = { "training.epochs" = 2, model.dropout = 0.1 }
    [[experiment]]
    set.model.dropout = 0.3
    [[experiment]]
    name = "curve, of artists"
    share = [0.25, 1.0]
    by = "artists"
    split_seed = 7
    """
    runs = experiments.read(write(home, text), tmp_path)
    assert [(run.path.parent.name, run.path.name) for run in runs] == [
        (name, seed)
        for name in (
            "mgcc-epochs-2-dropout-0.3", "curve-of-artists-25-percent-artists", "curve-of-artists-100-percent-artists"
        )
        for seed in ("seed-0", "seed-3")
    ]  # fmt: skip
    first, third = (cast("recipes.Recipe", runs[number].recipe) for number in (0, 2))
    assert (first.training.epochs, first.model.dropout, third.model.dropout) == (2, 0.3, 0.1)
    assert runs[0].split.fingerprint != runs[1].split.fingerprint
    assert len({run.split.fingerprint for run in runs[2:]}) == 1
    assert len({run.identity for run in runs}) == 6


def test_recipe_and_split_files_lie_beside_the_study(home: Path, tmp_path: Path) -> None:
    (home / "mine.toml").write_text('extends = "mgcc"\nintent = "mine"\n[training]\nepochs = 3\n')
    split = splits.make(open_store(home / "store").tracks, "stratified", seed=9)
    splits.write(split, home / "mine.csv")
    text = "[[experiment]]\nstore = 'store'\nrecipe = 'mine.toml'\nsplit = 'mine.csv'"
    (run,) = experiments.read(write(home, text), tmp_path)
    assert cast("recipes.Recipe", run.recipe).training.epochs == 3
    assert run.split.fingerprint == split.fingerprint
    assert run.path == tmp_path / "mine" / "seed-0"


# -- shares -----------------------------------------------------------------------------------------------------


@given(share=st.floats(0.05, 0.95), more=st.floats(0.05, 1.0), seed=st.integers(0, 9))
def test_a_smaller_share_is_part_of_a_larger_one_and_what_is_scored_stays(share: float, more: float, seed: int) -> None:
    tracks = [stored(f"{genre}{n}", genre, f"{genre} {n // 3}") for genre in GENRES for n in range(30)]
    split = Split({track.id: "test" if int(track.id[-1]) == 0 else "train" for track in tracks}, "by hand")
    small, large = sorted((share, more))
    for by in ("tracks", "artists"):
        some, most = (subsets.thinned(split, tracks, each, by=by, seed=seed) for each in (small, large))
        assert set(some.ids("train")) <= set(most.ids("train")) <= set(split.ids("train"))
        assert some.ids("test") == split.ids("test")
        for genre in GENRES:
            assert any(track_id.startswith(genre) for track_id in some.ids("train"))


def test_a_share_is_of_each_genre_and_of_whole_artists() -> None:
    tracks = [stored(f"{genre}{n}", genre, f"{genre} {n // 4}") for genre in GENRES for n in range(40)]
    split = Split(dict.fromkeys((track.id for track in tracks), "train"), "by hand")
    kept = subsets.thinned(split, tracks, 0.3, by="tracks")
    assert kept.method == "by hand, 30 % of the tracks"
    assert [sum(track_id.startswith(genre) for track_id in kept.parts) for genre in GENRES] == [12, 12]
    kept = subsets.thinned(split, tracks, 0.3, by="artists")
    artists = {track.group: sum(other.group == track.group for other in tracks) for track in tracks}
    left = [track.group for track in tracks if track.id in kept.parts]
    assert {group: left.count(group) for group in left} == {group: artists[group] for group in set(left)}
    assert len(set(left)) == 6
    others = subsets.thinned(split, tracks, 0.3, by="artists", seed=1)
    assert others.parts != kept.parts


def test_duplicates_are_of_one_artist() -> None:
    tracks = [stored(f"{genre}{n}", genre, f"{genre} {n}") for genre in GENRES for n in range(4)]
    split = Split(dict.fromkeys((track.id for track in tracks), "train"), "by hand")
    pairs = [Pair("blues0", "blues1", "exact"), Pair("blues2", "blues3", "exact")]
    kept = subsets.thinned(split, tracks, 0.5, by="artists", pairs=pairs)
    assert [each for each in kept.ids("train") if each.startswith("blues")] in (
        ["blues0", "blues1"],
        ["blues2", "blues3"],
    )
    with pytest.raises(DataError, match="a share of 0"):
        subsets.thinned(split, tracks, 0)


# -- running ----------------------------------------------------------------------------------------------------


def test_a_study_leaves_runs_table_page_and_figures(done: tuple[Studied, list[StudyProgress], list[Ended]]) -> None:
    result, told, ended = done
    assert result.failed == ()
    assert json.loads((result.out / "study.json").read_text()) == result.result
    assert [(each.run.name, each.run.seed, each.reason) for each in ended] == [
        ("folds", 0, None), ("folds", 1, None), ("half", 0, None), ("half", 1, None), ("parts", 0, None),
    ]  # fmt: skip
    assert str(told[0].standing) == "0 of 9"  # fits: a fold is one
    assert (str(told[-1].standing), told[-1].share, told[-1].run) == ("9 of 9", 9, None)
    assert any(at.run == ended[0].run and 0 < at.share < 2 for at in told)
    assert [row["name"] for row in result.result["experiments"]] == ["folds", "half", "parts"]
    assert (result.out / "study.md").read_text() == result.table + "\n"
    assert len(result.table.splitlines()) == 5
    page = (result.out / "study.html").read_text()
    assert {path.name for path in (result.out / "figures").iterdir()} == {"accuracy.png", "learning-curves.png"}
    for text in ("folds", "pooled-svm, classifier.kernel = linear, classifier.frames = 64", "50 % of the artists"):
        assert text in page


def test_a_row_adds_its_seeds_up(done: tuple[Studied, list[StudyProgress], list[Ended]], home: Path) -> None:
    result, *_ = done
    row = result.result["experiments"][0]
    runs = [json.loads((result.out / run / "crossval.json").read_text()) for run in row["runs"]]
    values = [run["accuracy"]["vote"]["value"] for run in runs]
    its = row["accuracy"]["vote"]
    assert (its["mean"], its["lowest"], its["highest"]) == (statistics.fmean(values), min(values), max(values))
    artist = {track.id: track.group for track in open_store(home / "store").tracks}
    for name, unit in (("interval_by_tracks", dict(zip(artist, artist, strict=True))), ("interval_by_artists", artist)):
        right: dict[str, int] = {}
        for run in runs:
            for track in run["tracks"]:
                right[unit[track["id"]]] = right.get(unit[track["id"]], 0) + (track["vote"] == track["genre"])
        total = [2 * list(unit.values()).count(each) for each in right]
        assert its[name] == list(resampled_interval(list(right.values()), total))
    assert (row["learnt"], row["scored"], row["seeds"]) == ({"tracks": 8, "artists": 4}, [16], [0, 1])


def test_a_share_leaves_less_in_every_fold_but_scores_all(
    done: tuple[Studied, list[StudyProgress], list[Ended]],
) -> None:
    result, *_ = done
    row = result.result["experiments"][1]
    assert (row["share"], row["by"], row["learnt"], row["scored"]) == (
        0.5,
        "artists",
        {"tracks": 4, "artists": 2},
        [16],
    )
    for fold in (result.out / "half" / "seed-0").glob("fold-*"):
        assert splits.read(fold / "split.csv").counts == {"train": 4, "test": 8}
    ((name, curve),) = study_page.curves(result.result["experiments"]).items()
    assert name.endswith("by artists")
    assert [each["name"] for each in curve] == ["half", "folds"]


def test_parts_are_scored_on_validation_and_never_on_test(
    done: tuple[Studied, list[StudyProgress], list[Ended]],
) -> None:
    result, *_ = done
    row = result.result["experiments"][2]
    assert (row["part"], row["folds"], row["split"]) == ("validation", None, "stratified")
    told = json.loads((result.out / "parts" / "seed-0" / "evaluation-validation" / "evaluation.json").read_text())
    split = splits.read(result.out / "parts" / "seed-0" / "split.csv")
    assert [track["id"] for track in told["tracks"]] == split.ids("validation")
    assert read_run(result.out / "parts" / "seed-0")["parts"] == ["train"]


def models(out: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in out.rglob("model.safetensors")}


def test_what_is_done_is_not_run_again(done: tuple[Studied, list[StudyProgress], list[Ended]], home: Path) -> None:
    result, *_ = done
    before, ended = models(result.out), list[Ended]()
    again = study(home / "study.toml", result.out, device="cpu", on_end=ended.append)
    assert ended == []
    assert models(result.out) == before
    for old, new in zip(result.result["experiments"], again.result["experiments"], strict=True):
        assert {**old, "seconds_per_clip": 0} == {**new, "seconds_per_clip": 0}


def test_a_changed_experiment_under_an_old_name_is_refused(
    done: tuple[Studied, list[StudyProgress], list[Ended]], home: Path
) -> None:
    result, *_ = done
    before = models(result.out)
    for change in (("frames = 64", "frames = 65"), ("share = 0.5", "share = 0.6"), ("folds = 2", "folds = 3")):
        path = write(home, FILE.replace(*change))
        with pytest.raises(DataError, match=r"seed-0.*: the experiment has another recipe, split, share, seed or data"):
            study(path, result.out, device="cpu")
    assert models(result.out) == before


def test_a_folder_of_something_else_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="folder with other things in it"):
        study(home / "study.toml", tmp_path, device="cpu")


def test_a_failed_run_is_noted_and_stops_nothing(home: Path, tmp_path: Path) -> None:
    text = """
    defaults = { store = "store", folds = 2 }
    [[experiment]]
    name = "explodes"
    recipe = "mgcc"
    set = { model.name = "mgcc-small", schedule.name = "constant", schedule.max_rate = 1e30, training.epochs = 9 }
    [[experiment]]
    name = "works"
    recipe = "pooled-svm"
    set = { classifier.kernel = "linear" }
    """
    done = study(write(home, text), tmp_path / "out", device="cpu")
    ((failed),) = done.failed
    assert failed.run.name == "explodes"
    assert "the loss is" in str(failed.reason)
    assert [row["name"] for row in done.result["experiments"]] == ["works"]
    assert done.result["failed"][0]["run"] == "explodes/seed-0"
    assert "the loss is" in (tmp_path / "out" / "study.html").read_text()


def test_an_interrupted_study_goes_on_and_ends_the_same(
    done: tuple[Studied, list[StudyProgress], list[Ended]], home: Path, tmp_path: Path
) -> None:
    def stop(ended: Ended) -> None:
        if ended.run.name == "half":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(home / "study.toml", tmp_path / "out", device="cpu", on_end=stop)
    assert not (tmp_path / "out" / "study.json").exists()
    ended: list[Ended] = []
    again = study(home / "study.toml", tmp_path / "out", device="cpu", on_end=ended.append)
    assert [(each.run.name, each.run.seed) for each in ended] == [("half", 1), ("parts", 0)]
    accuracies = [[row["accuracy"] for row in each.result["experiments"]] for each in (done[0], again)]
    assert accuracies[0] == accuracies[1]


# -- collected rows ---------------------------------------------------------------------------------------------


def test_rows_of_folders_put_seeds_together_and_count_no_run_twice(
    done: tuple[Studied, list[StudyProgress], list[Ended]],
) -> None:
    out = done[0].out
    rows = collect.rows([out, out / "folds" / "seed-0"])
    assert sorted(len(row.scored) for row in rows) == [1, 2, 2]
    told = [row.to_dict(out) for row in rows]
    assert sorted(each["split"] for each in told) == ["stratified", *["stratified-group (2 folds)"] * 2]
    table = tables.markdown(told, named=False)
    assert "`mgcc`, model.name = mgcc-small, training.epochs = 1" in table
    assert {line.count("|") for line in table.splitlines()} == {12}


def test_the_data_are_named_where_others_have_as_many_genres() -> None:
    mine, like, fewer = (
        {"data": {"name": name, "fingerprint": name, "genres": genres}}
        for name, genres in (("folder:/home/a/mine", 4), ("synth:like", 4), ("folder:fewer", 3))
    )
    assert tables.of_data(mine, [mine, like, fewer]) == " of folder:mine"
    assert tables.of_data(like, [mine, like, fewer]) == " of synth:like"
    assert tables.of_data(fewer, [mine, like, fewer]) == ""
    moved = {"data": {"name": "folder:/disk/mine", "fingerprint": "made again", "genres": 4}}
    assert tables.of_data(mine, [mine, moved]) == ""


def test_folders_without_results_are_refused(
    done: tuple[Studied, list[StudyProgress], list[Ended]], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="holds no results"):
        collect.rows([tmp_path])
    with pytest.raises(DataError, match="is no folder of results"):
        collect.rows([tmp_path / "none"])
    with pytest.raises(DataError, match="has not been scored yet; run: genrescope evaluate"):
        collect.rows([done[0].out / "folds" / "seed-0" / "fold-1"])


def test_a_table_goes_between_the_marks_and_all_else_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{tables.BEGIN}\nold\n{tables.END}\nafter\n")
    for _ in range(2):
        tables.write_between(page, "| new |")
        assert page.read_text() == f"before\n{tables.BEGIN}\n| new |\n{tables.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(DataError, match="lacks the lines"):
        tables.write_between(page, "| new |")
    assert page.read_text() == "no marks"


def test_without_the_store_nothing_is_said_of_artists(
    done: tuple[Studied, list[StudyProgress], list[Ended]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "_units_of_store", lambda *_: None)
    (row,) = collect.rows([done[0].out / "folds"])
    told = row.to_dict(done[0].out)
    assert told["learnt"]["artists"] is None
    assert told["accuracy"]["vote"]["interval_by_artists"] is None
    assert "artists" not in tables.accuracy_cell(told, "vote")


def test_a_clip_costs_time(done: tuple[Studied, list[StudyProgress], list[Ended]]) -> None:
    assert 0 < cost.milliseconds(modelfile.load(done[0].out / "parts" / "seed-0"), repeats=1) < 10_000


def row(**changes: Any) -> dict[str, Any]:
    """Return a row of `study.json` as far as curves need it."""
    plain: dict[str, Any] = {
        "name": "x", "recipe": "mgcc", "changes": {}, "split": "group", "part": None, "folds": 5, "data": {},
        "share": 1.0, "by": "tracks",
    }  # fmt: skip
    return plain | changes


def test_curves_are_of_rows_that_differ_in_their_share_alone() -> None:
    rows = [
        row(), row(share=0.1), row(share=0.1, by="artists"), row(share=0.5), row(recipe="vgg"),
        row(recipe="vgg", split="random", share=0.5),
    ]  # fmt: skip
    found = study_page.curves(rows)
    assert {name: [each["share"] for each in its] for name, its in found.items()} == {
        "mgcc, by artists": [0.1, 1.0], "mgcc, by tracks": [0.1, 0.5, 1.0],
    }  # fmt: skip


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_as_shipped_differs_in_nothing(name: str) -> None:
    assert collect.changes(recipes.load_any(name).model_dump()) == {}


# -- those that ship ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_what_a_study_in_the_docs_sets_is_a_change_of_its_recipe(path: Path) -> None:
    entries, faults = study_file.read_experiments(path)
    assert faults == []
    assert len(entries) > 1
    for _, entry in entries:
        own, changed = (recipes.load_any(entry.recipe, its).model_dump() for its in ({}, entry.changes))
        for key in entry.changes:
            section, _, name = key.partition(".")
            assert own[section][name] != changed[section][name], f"{entry.name}: {key} is so already"


def test_the_docs_have_studies_and_one_is_of_the_published_system() -> None:
    assert "mgcc" in [path.stem for path in DOCS]


def test_names_are_no_markdown() -> None:
    assert grid.markdown([[tables._plain("a|b\n[x](y) <b>`c`")]]) == r"| a\|b \[x\](y) \<b\>\`c\` |"
