"""A run is a function of its inputs: it gives the same network bit for bit, however often it was stopped."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import torch
from conftest import genre_folders, noise, sweep, write
from safetensors.torch import load_file
from torch import Tensor, nn
from training_support import GENRES, dealt, linear, small_store, trained

from genrescope import modelfile, splits
from genrescope.devices import choose_device
from genrescope.errors import DataError, GenrescopeError, RecipeError, TrainingError
from genrescope.features.windows import FrameBank, Windows
from genrescope.models import registry
from genrescope.splits import Split
from genrescope.splits.duplicates import Pair
from genrescope.store.prepare import prepare
from genrescope.training import recipe, run_folder
from genrescope.training.checkpoints import TrainingState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.store.store import Store
    from genrescope.training.progress import Epoch, Step
    from genrescope.training.recipe import Recipe


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def _linear(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names()
    monkeypatch.setitem(registry._VARIANTS, "linear", linear)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_store(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return dealt(store, ("train", "train", "validation", "test"))


def small(**changes: Any) -> Recipe:
    """Return the published recipe at a size that fits a test; keys with `__` for the dot."""
    values = {"model.name": "linear", "training.epochs": 3, "training.batch_size": 4}
    return recipe.load("mgcc", values | {key.replace("__", "."): value for key, value in changes.items()})


def weights(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / modelfile.FILE_NAME)


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def history(folder: Path) -> list[Epoch]:
    """Return the history without what the clock decides."""
    return [dataclasses.replace(row, seconds=0, windows_per_second=0) for row in run_folder.read_history(folder)]


def test_the_run_folder_may_be_a_text_where_a_program_is_not_typed(store: Store, split: Split, tmp_path: Path) -> None:
    out: Any = str(tmp_path / "run")
    assert trained(store, small(training__epochs=1), split, out) == tmp_path / "run"


class _StopError(Exception):
    pass


def stop_after(epoch: int) -> Callable[[Epoch], None]:
    def stop(row: Epoch) -> None:
        if row.epoch == epoch:
            raise _StopError

    return stop


# -- the same again ---------------------------------------------------------------------------------------------

SMALL_NETWORK = {"model__name": "mgcc-small", "windows__order": "shuffled", "training__epochs": 2}


def test_the_same_seed_gives_the_same_network_also_when_interrupted(store: Store, split: Split, tmp_path: Path) -> None:
    wanted = small(**SMALL_NETWORK)
    trained(store, wanted, split, tmp_path / "whole", seed=3)
    with pytest.raises(_StopError):
        trained(store, wanted, split, tmp_path / "torn", seed=3, on_epoch=stop_after(1))
    assert not (tmp_path / "torn" / modelfile.FILE_NAME).exists()
    assert len(history(tmp_path / "torn")) == 1
    trained(store, wanted, split, tmp_path / "torn", seed=3, resume=True)
    assert same(weights(tmp_path / "torn"), weights(tmp_path / "whole"))
    assert history(tmp_path / "torn") == history(tmp_path / "whole")
    assert run_folder.read_run(tmp_path / "torn")["resumed"] == 1


@pytest.mark.parametrize("order", ["fixed", "shuffled"])
def test_a_run_torn_in_the_middle_of_an_epoch_ends_the_same(
    store: Store, split: Split, tmp_path: Path, order: str
) -> None:
    wanted = small(windows__order=order, windows__train="all", model__dropout=0.3, training__epochs=4)
    steps: list[Step] = []

    def stop_at(step: Step) -> None:
        steps.append(step)
        if len(steps) in (2, 5, 9):
            raise _StopError

    trained(store, wanted, split, tmp_path / "whole")
    for _ in range(3):
        with pytest.raises(_StopError):
            trained(store, wanted, split, tmp_path / "torn", resume=True, on_step=stop_at)
    trained(store, wanted, split, tmp_path / "torn", resume=True)
    assert same(weights(tmp_path / "torn"), weights(tmp_path / "whole"))
    assert history(tmp_path / "torn") == history(tmp_path / "whole")


def test_the_same_seed_twice_is_the_same_and_another_is_not(store: Store, split: Split, tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(99)  # what was drawn before does not count
        torch.rand(len(name) + seed)
        trained(store, small(), split, tmp_path / name, seed=seed)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def orders(store: Store, split: Split, out: Path, monkeypatch: pytest.MonkeyPatch, order: str) -> list[list[int]]:
    """Return the starts of the training windows in the order they were met, epoch by epoch."""
    met: list[list[int]] = [[]]
    cut = FrameBank.cut
    with monkeypatch.context() as patch:

        def noted(bank: FrameBank, windows: Windows, **options: Any) -> Tensor:
            met[-1].extend(windows.starts.tolist())
            return cut(bank, windows, **options)

        patch.setattr(FrameBank, "cut", noted)
        parts = ("train", "validation")  # so that nothing but training windows is cut
        trained(store, small(windows__order=order, windows__train="all"), split, out, parts=parts,
              on_epoch=lambda _: met.append([]))  # fmt: skip
    return [epoch for epoch in met if epoch]


def test_fixed_order_is_the_same_in_every_epoch_and_shuffled_is_not(
    store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed = orders(store, split, tmp_path / "fixed", monkeypatch, "fixed")
    shuffled = orders(store, split, tmp_path / "shuffled", monkeypatch, "shuffled")
    assert fixed[0] == fixed[1] == fixed[2]
    assert fixed[0] != sorted(fixed[0])
    assert len({tuple(epoch) for epoch in shuffled}) == 3
    for epoch in fixed + shuffled:
        assert sorted(epoch) == sorted(fixed[0])
        assert len(set(epoch)) == len(epoch) == 3 * 3 * 2


# -- the arithmetic ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit_gain", [True, False])
def test_the_first_steps_are_those_of_the_formula(
    store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit_gain: bool
) -> None:
    """CNTK: `v = 0.9 v + 0.1 (g + 0.0005 w)` from `v = 0`, then `w = w - rate v`; without unit gain the 0.1 is 1."""
    batches: list[tuple[Tensor, Tensor]] = []
    genre_at = {track.first_frame: GENRES.index(track.genre) for track in store.tracks}
    cut = FrameBank.cut

    def noted(bank: FrameBank, windows: Windows, **options: Any) -> Tensor:
        images = cut(bank, windows, **options)
        batches.append((images, torch.tensor([genre_at[start] for start in windows.starts.tolist()])))
        return images

    monkeypatch.setattr(FrameBank, "cut", noted)
    wanted = small(training__epochs=2, training__batch_size=6, optimizer__unit_gain=unit_gain, model__dropout=0.0,
                   optimizer__weight_decay=0.5)  # fmt: skip
    steps: list[Step] = []
    # Without a validation part every batch that is cut is a step's.
    only = Split({track: part for track, part in split.parts.items() if part != "validation"}, "by hand")
    trained(store, wanted, only, tmp_path / "run", seed=5, on_step=steps.append)
    assert len(steps) == len(batches) == 2

    torch.manual_seed(5)
    model = linear(3)
    velocity = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for step, (images, truth) in zip(steps, batches, strict=True):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(images), truth)
        loss.backward()  # type: ignore[no-untyped-call]
        assert step.loss == pytest.approx(float(loss.detach()), rel=1e-5)
        with torch.no_grad():
            for parameter, speed in zip(model.parameters(), velocity, strict=True):
                assert parameter.grad is not None
                gradient = parameter.grad + 0.5 * parameter
                speed.mul_(0.9).add_(gradient, alpha=0.1 if unit_gain else 1.0)
                parameter.sub_(step.rate * speed)
    for name, found in weights(tmp_path / "run").items():
        torch.testing.assert_close(found, model.state_dict()[name], rtol=1e-5, atol=1e-7)


def test_rates_follow_the_schedule_and_steps_are_counted(store: Store, split: Split, tmp_path: Path) -> None:
    from genrescope.training.schedule import rate_at

    steps: list[Step] = []
    wanted = small(schedule__half_cycle_epochs=1.0, training__batch_size=4)
    trained(store, wanted, split, tmp_path / "run", on_step=steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]  # six windows, four at a time
    assert {step.steps for step in steps} == {6}
    assert [step.epoch for step in steps] == [1, 1, 2, 2, 3, 3]
    expected = [rate_at(number, wanted.schedule, steps_per_epoch=2, epochs=3) for number in range(6)]
    assert [step.rate for step in steps] == pytest.approx(expected)
    assert [row.rate for row in history(tmp_path / "run")] == pytest.approx(expected[1::2])


def test_a_network_learns_what_is_easy(store: Store, split: Split, tmp_path: Path) -> None:
    wanted = small(training__epochs=15, schedule__name="constant", schedule__max_rate=0.05, windows__train="all")
    rows: list[Epoch] = []
    trained(store, wanted, split, tmp_path / "run", on_epoch=rows.append)
    assert rows[-1].train_loss < rows[0].train_loss
    assert rows[-1].train_error < 0.2


# -- what is touched, and what never ----------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["first", "vote"])
def test_the_test_part_is_never_touched(
    store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str
) -> None:
    touched: set[int] = set()
    cut = FrameBank.cut

    def noted(bank: FrameBank, windows: Windows, **options: Any) -> Tensor:
        for start in windows.starts.tolist():
            touched.update(range(start, start + 128))
        return cut(bank, windows, **options)

    monkeypatch.setattr(FrameBank, "cut", noted)
    trained(store, small(windows__train="all", evaluation__verdict=verdict), split, tmp_path / "run")
    for track in store.tracks:
        frames = set(range(track.first_frame, track.first_frame + track.frames))
        assert bool(frames & touched) == (split.parts[track.id] != "test")


def test_validation_is_scored_when_it_is_not_learnt(store: Store, split: Split, tmp_path: Path) -> None:
    trained(store, small(), split, tmp_path / "held out")
    trained(store, small(), split, tmp_path / "learnt", parts=("train", "validation"))
    assert all(row.validation_loss is not None for row in history(tmp_path / "held out"))
    assert all(row.validation_loss is None for row in history(tmp_path / "learnt"))
    assert run_folder.read_run(tmp_path / "learnt")["tracks"] == 9


def test_a_run_folder_tells_everything(store: Store, split: Split, tmp_path: Path) -> None:
    trained(store, small(), split, tmp_path / "run", seed=4)
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files == {"recipe.toml", "split.csv", "run.json", "history.csv", "tensorboard", modelfile.FILE_NAME}
    told = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert (told["status"], told["seed"], told["epochs"], told["labels"]) == ("finished", 4, 3, list(GENRES))
    assert told["data_fingerprint"] == store.fingerprint
    assert told["split"]["counts"] == {"train": 6, "validation": 3, "test": 3}
    assert {"python", "torch", "numpy", "genrescope"} <= set(told["versions"])
    assert splits.read(tmp_path / "run" / "split.csv").parts == split.parts
    header = modelfile.read_header(tmp_path / "run")
    assert header.labels == GENRES
    assert header.front_end == store.spec
    assert header.data.fingerprint == store.fingerprint
    assert header.recipe == small().model_dump()
    assert [row.epoch for row in history(tmp_path / "run")] == [1, 2, 3]


def test_every_run_is_audited_although_nobody_asked(store: Store, split: Split, tmp_path: Path) -> None:
    """The same song stands in the training part and in the test part, and one artist too."""
    learnt, held_out = split.ids("train")[0], split.ids("test")[0]
    tracks = [dataclasses.replace(t, group="The Same") if t.id == held_out else t for t in store.tracks]
    tracks = [dataclasses.replace(t, group="The Same") if t.id == split.ids("train")[1] else t for t in tracks]
    leaky = dataclasses.replace(store, tracks=tuple(tracks))
    audits = []
    for name, pairs in (("leaky", (Pair(learnt, held_out, "exact"),)), ("clean", ())):
        out = trained(leaky if pairs else store, small(training__epochs=1), split, tmp_path / name, pairs=pairs)
        audits.append(run_folder.read_run(out)["audit"])
    assert [audit["clean"] for audit in audits] == [False, True]
    test = next(part for part in audits[0]["held_out"] if part["part"] == "test")
    assert (test["touched"], test["exact"], test["group"]) == (1, 1, 1)
    assert test["told"] in audits[0]["summary"]


def test_duplicates_are_searched_for_where_none_are_given(split: Split, tmp_path: Path) -> None:
    data = genre_folders(tmp_path / "music", GENRES, tracks=2, seconds=6.0)
    song = write(data / "rock" / "rock-00.wav", sweep() + noise(6.0, level=0.05))
    shutil.copy(song, data / "rock" / "rock-01.wav")
    store = prepare(str(data), tmp_path / "store", jobs=0).store
    dealt = Split({track.id: "train" if "-00" in track.id else "test" for track in store.tracks}, "by hand")
    run = run_folder.read_run(trained(store, small(training__epochs=1), dealt, tmp_path / "run"))
    assert not run["audit"]["clean"]
    assert [part["exact"] for part in run["audit"]["held_out"]] == [1]


# -- what is refused --------------------------------------------------------------------------------------------


def test_a_run_is_not_written_over(store: Store, split: Split, tmp_path: Path) -> None:
    trained(store, small(), split, tmp_path / "run")
    before = (tmp_path / "run" / modelfile.FILE_NAME).read_bytes()
    with pytest.raises(DataError, match="holds a run already; go on with it by --resume"):
        trained(store, small(), split, tmp_path / "run")
    trained(store, small(), split, tmp_path / "run", resume=True)  # finished: nothing is left to do
    assert (tmp_path / "run" / modelfile.FILE_NAME).read_bytes() == before


@pytest.mark.parametrize("other", ["recipe", "seed", "split", "parts"])
def test_another_run_is_not_resumed(store: Store, split: Split, tmp_path: Path, other: str) -> None:
    with pytest.raises(_StopError):
        trained(store, small(), split, tmp_path / "run", on_epoch=stop_after(1))
    wanted = small(training__epochs=9) if other == "recipe" else small()
    shifted = Split(dict(zip(split.parts, list(split.parts.values())[::-1], strict=True)), "other")
    with pytest.raises(DataError, match="a run of another recipe, split, seed or data"):
        trained(
            store,
            wanted,
            shifted if other == "split" else split,
            tmp_path / "run",
            resume=True,
            seed=1 if other == "seed" else 0,
            parts=("train", "validation") if other == "parts" else ("train",),
        )


def test_a_loss_that_is_no_number_stops_the_run_and_says_what_to_do(store: Store, split: Split, tmp_path: Path) -> None:
    wanted = small(schedule__name="constant", schedule__max_rate=1e30, training__epochs=20)
    with pytest.raises(TrainingError, match=r"the loss is .* at step .*--set schedule\.max_rate"):
        trained(store, wanted, split, tmp_path / "run")
    assert not (tmp_path / "run" / modelfile.FILE_NAME).exists()


def test_weights_that_the_last_step_made_infinite_are_told_and_never_saved(
    store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a step is that before it, so it may be finite all the same."""
    after_step = TrainingState.after_step

    def burst(state: TrainingState) -> None:
        after_step(state)
        with torch.no_grad():
            next(iter(state.model.parameters())).fill_(float("inf"))

    monkeypatch.setattr(TrainingState, "after_step", burst)
    with pytest.raises(TrainingError, match=r"weights are not finite at step 1 .*--set schedule\.max_rate"):
        trained(store, small(training__epochs=1, training__batch_size=1000), split, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint").exists()
    assert not (tmp_path / "run" / modelfile.FILE_NAME).exists()


def test_a_damaged_checkpoint_is_told(store: Store, split: Split, tmp_path: Path) -> None:
    with pytest.raises(_StopError):
        trained(store, small(), split, tmp_path / "run", on_epoch=stop_after(1))
    checkpoint = tmp_path / "run" / "checkpoint" / "last.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    with pytest.raises(GenrescopeError, match="damaged or truncated"):
        trained(store, small(), split, tmp_path / "run", resume=True)


def test_a_network_that_does_not_exist_leaves_no_run_behind(store: Store, split: Split, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match='did you mean "mgcc-small"'):
        trained(store, small(model__name="mgcc-smal"), split, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_windows_that_a_network_cannot_take_leave_no_run_behind(store: Store, split: Split, tmp_path: Path) -> None:
    for name, frames in (("mgcc-small", 256), ("vgg-16", 16)):
        with pytest.raises(RecipeError, match=rf'"{name}" does not take windows of {frames} frames.*windows\.frames'):
            trained(store, small(model__name=name, windows__frames=frames), split, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_splits_that_do_not_suit_are_refused(store: Store, split: Split, tmp_path: Path) -> None:
    with pytest.raises(DataError, match='no part "fold 1"'):
        trained(store, small(), split, tmp_path / "a", parts=("fold 1",))
    with pytest.raises(DataError, match="none of the split's 1 tracks"):
        trained(store, small(), Split({"ghost": "train", **{t.id: "test" for t in store.tracks}}, ""), tmp_path / "b")
    rock = Split({track.id: "train" for track in store.tracks if track.genre == "rock"}, "")
    with pytest.raises(DataError, match='one genre only, "rock"'):
        trained(store, small(), rock, tmp_path / "c")
    assert list(tmp_path.iterdir()) == []


def test_devices_are_chosen_by_name() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(TrainingError, match="one of: auto, cpu, cuda, mps"):
        choose_device("gpu")
    for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            with pytest.raises(TrainingError, match=f"no {name} device .* there is: cpu"):
                choose_device(name)


KINDS = {name: recipe.load_any(name).kind for name in recipe.names()}
FITTED = [name for name, kind in KINDS.items() if kind == "svm"]
STEPPED = [name for name, kind in KINDS.items() if kind not in ("svm", "listener")]
"""Listeners need published networks, and have tests of their own."""


@pytest.mark.parametrize("name", FITTED)
def test_every_recipe_without_steps_is_fitted(store: Store, split: Split, tmp_path: Path, name: str) -> None:
    rows: list[Epoch] = []
    trained(store, recipe.load(name), split, tmp_path / "run", on_epoch=rows.append)
    assert [row.epoch for row in rows] == [1]
    assert rows[0].train_error == 0


@pytest.mark.parametrize("name", STEPPED)
def test_every_recipe_takes_its_steps(store: Store, split: Split, tmp_path: Path, name: str) -> None:
    changes: dict[str, Any] = {"training.epochs": 1, "training.batch_size": 3}
    if recipe.load(name).model.name == "mgcc":
        changes["model.name"] = "mgcc-small"
    steps: list[Step] = []
    few = Split({track: part for track, part in split.parts.items() if part != "validation"}, "")

    def stop(step: Step) -> None:
        steps.append(step)
        if len(steps) == 2:
            raise _StopError

    with pytest.raises(_StopError):
        trained(store, recipe.load(name, changes), few, tmp_path / "run", on_step=stop)
    assert len(steps) == 2
    assert all(step.loss > 0 for step in steps)


def test_precision_is_a_switch_of_the_recipe(store: Store, split: Split, tmp_path: Path) -> None:
    """Other arithmetic, nearly the same first epoch."""
    changes = {"model__name": "mgcc-small", "training__epochs": 1}
    plain = history(trained(store, small(**changes), split, tmp_path / "plain"))
    other = small(**changes, training__precision="bf16-mixed")
    mixed = history(trained(store, other, split, tmp_path / "mixed"))
    assert mixed[0].train_loss == pytest.approx(plain[0].train_loss, rel=0.1)
    assert mixed[0].train_loss != plain[0].train_loss
