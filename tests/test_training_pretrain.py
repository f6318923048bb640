"""Learning before labels: what is asked is right, the same seed hears the same, and a network begins from its trunk."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pretrain_support import (
    CPU,
    StopError,
    all_of,
    heard,
    history,
    learnt,
    paired,
    same,
    stop_after,
    tiny_store,
    weights,
)

from genrescope import synth
from genrescope.data.splits import Split
from genrescope.errors import DataError, RecipeError, TrainingError
from genrescope.features.logmel import LogMel
from genrescope.features.spec import LogMelSpec
from genrescope.training import pretrain_synth, recipe, run
from genrescope.training.pretrain import PretrainEpoch, pretrain
from genrescope.training.pretrain_contrastive import ContrastiveTask, nt_xent, partners
from genrescope.training.pretrain_synth import SIZES, SynthTask

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.data.store import Store


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return tiny_store(tmp_path_factory.mktemp("pretrain"))


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    return all_of(store)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a finished pre-training on music."""
    return pretrain(heard(), tmp_path_factory.mktemp("begun") / "run", device="cpu", jobs=1)


# -- what is asked of music -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_piece_is_that_of_its_score(number: int) -> None:
    spec = LogMelSpec()
    style, its = pretrain_synth.arguments(number, 5)
    score = synth.score(style, seconds=3.0, **its)
    piece = pretrain_synth.render(number, seed=5, seconds=3.0, front=LogMel(spec))
    assert (piece.tempo, piece.tonic) == (score.tempo, score.tonic % 12)
    assert pretrain_synth.STYLES[piece.style] == style
    sounding = {name for name, row in zip(synth.INSTRUMENTS, piece.playing, strict=True) if row.any()}
    assert sounding == {score.instruments[note.part] for note in score.notes} | {hit.drum for hit in score.hits}
    again = LogMel(spec)(torch.from_numpy(synth.compose(style, seconds=3.0, **its))[None])[0].half().numpy()
    assert np.array_equal(piece.frames, again)


def test_an_instrument_plays_from_the_notes_beginning_to_its_end() -> None:
    note, hit = synth.score("ironpulse").notes[0], synth.score("ironpulse").hits[0]
    score = synth.Score(
        120.0, 48, (note._replace(part="bass", start=1.0, seconds=0.5),), (hit._replace(drum="kick", start=2.0),),
        {"bass": "sub"},
    )  # fmt: skip
    playing = pretrain_synth.played(score, 40, rate=10.0)
    rows = {name: np.flatnonzero(row).tolist() for name, row in zip(synth.INSTRUMENTS, playing, strict=True)}
    assert {name: row for name, row in rows.items() if row} == {"sub": [10, 11, 12, 13, 14], "kick": [20]}


def test_targets_say_what_the_style_the_tempo_and_the_tonic_are() -> None:
    style = pretrain_synth.STYLES.index("lanternstep")
    playing = torch.zeros(1, len(synth.INSTRUMENTS), dtype=torch.bool)
    playing[0, synth.INSTRUMENTS.index("flute")] = True
    right = pretrain_synth.targets(torch.tensor([style]), torch.tensor([100.0]), torch.tensor([11.25]), playing)
    named = dict(zip(SIZES, torch.split(right[0], list(SIZES.values())), strict=True))
    assert int(named["style"].argmax()) == style
    assert pretrain_synth.METRES[int(named["metre"].argmax())] == 5
    assert pretrain_synth.SCALES[int(named["scale"].argmax())] == "hirajoshi"
    assert int(named["tempo"].argmax()) == int(math.log(2) / math.log(210 / 50) * 24)
    assert named["tonic"].tolist() == [0.25, *[0.0] * 10, 0.75]  # a quarter of a tone above B: C in part
    assert named["instruments"].nonzero().flatten().tolist() == [synth.INSTRUMENTS.index("flute")]
    assert all(float(its.sum()) == 1 for name, its in named.items() if name != "instruments")


@settings(max_examples=10)
@given(tempo=st.floats(51, 209), share=st.floats(0.9, 1.1))
def test_a_bin_of_tempo_is_six_percent_wide(tempo: float, share: float) -> None:
    one, other = pretrain_synth.tempo_bin(torch.tensor([tempo, tempo * share])).tolist()
    assert abs(one - other) <= math.ceil(abs(math.log(share)) / math.log(1.06))


def test_a_window_is_asked_for_the_tempo_and_the_pitch_at_which_it_is_heard() -> None:
    task = SynthTask(heard(augment__tempo=0.2, augment__semitones=2.0), LogMelSpec(), seed=1, device=CPU, jobs=1)
    piece = pretrain_synth.render(0, seed=1, seconds=2.0, front=LogMel())
    draws = task._augment.draw(1, torch.Generator().manual_seed(0))
    draws = dataclasses.replace(draws, stretch=torch.tensor([1.15]), transpose=torch.tensor([2 ** (1.5 / 12)]))
    named = dict(zip(SIZES, torch.split(task._right([piece], [3], draws)[0], list(SIZES.values())), strict=True))
    assert int(named["tempo"].argmax()) == int(pretrain_synth.tempo_bin(torch.tensor([piece.tempo * 1.15])))
    assert float(named["tonic"][(piece.tonic + 1) % 12]) == pytest.approx(0.5, abs=1e-4)
    frames = piece.playing[:, 3 : 3 + round(64 * 1.15)].sum(axis=1)
    assert named["instruments"].bool().tolist() == (frames >= 4).tolist()


def test_guessing_costs_one_and_knowing_all_costs_nothing() -> None:
    task = SynthTask(heard(augment__semitones=0.0), LogMelSpec(), seed=0, device=CPU, jobs=1)
    _, right = next(task.epoch(1))
    assert float(task.loss(torch.zeros_like(right), right)) == pytest.approx(1, rel=1e-3)
    told = task.score(100 * right - 50, right)
    assert all(part == whole > 0 for part, whole in told.values())
    assert float(task.loss(100 * right - 50, right)) < 1e-6


def test_the_pool_forgets_the_oldest_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrain_synth, "renderer", lambda *_: lambda number: number)
    task = SynthTask(heard(), LogMelSpec(), seed=0, device=CPU, jobs=1)
    pools: list[list[Any]] = []

    def noted(_: torch.Generator) -> tuple[None, None]:
        pools.append(sorted(cast("Any", task._pool)))
        return None, None

    monkeypatch.setattr(task, "_batch", noted)
    for epoch in (1, 2):
        list(task.epoch(epoch))
    assert pools == [list(range(first, first + 8)) for first in (0, 4, 8, 12)]
    late = SynthTask(heard(), LogMelSpec(), seed=0, device=CPU, jobs=1)
    late._begin(12)
    assert cast("Any", late._pool) == [16, 17, 18, 19, 12, 13, 14, 15]


# -- pairs ------------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000), pairs=st.integers(2, 5), temperature=st.sampled_from([0.05, 0.1, 0.5, 1.0]))
def test_nt_xent_is_that_of_the_formula(seed: int, pairs: int, temperature: float) -> None:
    rows = np.random.default_rng(seed).standard_normal((2 * pairs, 6))
    total = 0.0
    for i in range(2 * pairs):
        j = (i + pairs) % (2 * pairs)
        alike = [
            math.exp(rows[i] @ rows[k] / np.linalg.norm(rows[i]) / np.linalg.norm(rows[k]) / temperature)
            for k in range(2 * pairs)
        ]
        total -= math.log(alike[j] / sum(alike[k] for k in range(2 * pairs) if k != i))
    assert float(nt_xent(torch.from_numpy(rows), temperature)) == pytest.approx(total / (2 * pairs), rel=1e-4)


@pytest.mark.parametrize("tracks", [2, 3, 7, 8])
def test_every_track_meets_others_and_never_itself(store: Store, tracks: int) -> None:
    task = ContrastiveTask(paired(), store, store.tracks[:tracks], seed=0, device=CPU)
    batches = list(task.epoch(1))
    assert len(batches) == task.steps
    for images, rows in batches:
        first, second = rows.chunk(2)
        assert torch.equal(first, second)
        assert len(set(first.tolist())) == len(first) >= 2
        assert images.shape == (len(rows), 1, 128, 64)
    met = torch.cat([rows for _, rows in batches])
    assert torch.bincount(met).tolist() == [4] * tracks  # two crops, two windows each


def test_the_two_windows_of_a_pair_are_not_the_same(store: Store) -> None:
    task = ContrastiveTask(paired(), store, store.tracks, seed=0, device=CPU)
    images, _ = next(task.epoch(1))
    assert not any(torch.equal(images[row], images[other]) for row, other in enumerate(partners(len(images)).tolist()))


def test_genres_are_never_read(store: Store, tmp_path: Path) -> None:
    class Nameless(str):
        __slots__ = ()

        def __eq__(self, _: object) -> bool:
            raise AssertionError("a genre was read")

        __hash__ = None  # type: ignore[assignment]

    blind = tuple(dataclasses.replace(track, genre=Nameless("x"), group=Nameless("y")) for track in store.tracks)
    its = paired(training__epochs=1)
    pretrain(its, tmp_path / "seeing", store=store, device="cpu")
    pretrain(its, tmp_path / "blind", store=dataclasses.replace(store, tracks=blind), device="cpu")
    assert same(weights(tmp_path / "seeing"), weights(tmp_path / "blind"))


def test_only_the_parts_asked_for_are_heard(store: Store, tmp_path: Path) -> None:
    ids = [track.id for track in store.tracks]
    split = Split({each: "train" if number < 4 else "test" for number, each in enumerate(ids)}, "by hand")
    deaf = store.frames.copy()
    for track in store.tracks[4:]:
        deaf[track.first_frame : track.first_frame + track.frames] = 1.0
    for name, frames in (("whole", store.frames), ("deaf", deaf)):
        its = dataclasses.replace(store, frames=frames)
        pretrain(paired(training__epochs=1), tmp_path / name, store=its, split=split, device="cpu")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "deaf"))
    assert run.read_run(tmp_path / "whole")["split"]["counts"] == {"train": 4, "test": 4}


# -- the loop ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_hears_the_same_and_another_does_not(begun: Path, tmp_path: Path) -> None:
    pretrain(heard(), tmp_path / "again", device="cpu", jobs=1)
    pretrain(heard(training__epochs=1), tmp_path / "other", device="cpu", jobs=1, seed=1)
    assert same(weights(begun), weights(tmp_path / "again"))
    assert history(begun) == history(tmp_path / "again")
    assert not same(weights(begun), weights(tmp_path / "other"))


def test_the_number_of_processes_changes_nothing(begun: Path, tmp_path: Path) -> None:
    pretrain(heard(), tmp_path / "two", device="cpu", jobs=2)
    assert same(weights(begun), weights(tmp_path / "two"))


def test_a_torn_run_on_music_ends_as_a_whole_one(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(StopError):
        pretrain(heard(), tmp_path / "torn", device="cpu", jobs=1, on_epoch=stop_after(1))
    with pytest.raises(StopError):  # in the middle of the next epoch
        pretrain(heard(), tmp_path / "torn", device="cpu", jobs=1, resume=True, on_step=stop_after(1))
    pretrain(heard(), tmp_path / "torn", device="cpu", jobs=1, resume=True)
    assert same(weights(begun), weights(tmp_path / "torn"))
    assert history(begun) == history(tmp_path / "torn")
    assert run.read_run(tmp_path / "torn")["resumed"] == 2
    assert not (tmp_path / "torn" / "checkpoint").exists()


def test_a_torn_run_on_pairs_ends_as_a_whole_one(store: Store, tmp_path: Path) -> None:
    pretrain(paired(), tmp_path / "whole", store=store, device="cpu")
    with pytest.raises(StopError):
        pretrain(paired(), tmp_path / "torn", store=store, device="cpu", on_epoch=stop_after(1))
    pretrain(paired(), tmp_path / "torn", store=store, device="cpu", resume=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "torn"))
    assert history(tmp_path / "whole") == history(tmp_path / "torn")


def test_another_run_is_not_resumed(begun: Path) -> None:
    with pytest.raises(DataError, match="holds a run already; go on with it by --resume"):
        pretrain(heard(), begun, device="cpu", jobs=1)
    with pytest.raises(DataError, match="another recipe, split, seed or data"):
        pretrain(heard(), begun, device="cpu", jobs=1, seed=1, resume=True)


@pytest.mark.parametrize("task", ["synth", "contrastive"])
def test_the_loss_falls(task: str, store: Store, tmp_path: Path) -> None:
    rows: list[PretrainEpoch] = []
    if task == "synth":
        its = heard(
            training__epochs=4, training__batch_size=16, model__dropout=0.0, windows__crops=16, pretrain__pool=16
        )
        pretrain(its, tmp_path / "run", device="cpu", jobs=1, on_epoch=rows.append)
        assert set(rows[-1].scores) == {"style", "metre", "tempo", "tonic", "scale", "instruments"}
    else:
        its = paired(
            training__epochs=15, training__batch_size=16, model__dropout=0.0, schedule__max_rate=1e-2,
            augment__semitones=0.0, augment__equaliser_db=0.0, augment__low_pass=0.0, augment__frequency_mask=0.0,
        )  # fmt: skip
        pretrain(its, tmp_path / "run", store=store, device="cpu", on_epoch=rows.append)
        assert set(rows[-1].scores) == {"partner"}
        assert rows[-1].scores["partner"] > rows[0].scores["partner"]
    assert rows[-1].loss < 0.85 * rows[0].loss


# -- recipes and the command line -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pretrain-synth", "pretrain-contrastive"])
def test_a_trunk_fits_recipe_default(name: str) -> None:
    its, default = recipe.load(name), recipe.load("default")
    assert its.model.name == default.model.name
    assert its.windows.frames == default.windows.frames


@pytest.mark.parametrize(
    ("name", "key", "value", "words"),
    [
        ("pretrain-synth", "augment.background", 0.5, "knows no genres"),
        ("pretrain-synth", "training.patience", 3, "knows no genres and no parts"),
        ("pretrain-synth", "windows.crops", 5, "no multiple of windows.crops 5"),
        ("pretrain-synth", "pretrain.pool", 31, "must hold a batch of 32"),
        ("pretrain-contrastive", "windows.balance", "genres", "it must be 'tracks'"),
        ("pretrain-contrastive", "augment.mixup", 0.2, "it must be 0.0"),
        ("pretrain-contrastive", "training.batch_size", 33, "must be even"),
    ],
)
def test_a_recipe_that_needs_labels_is_refused(name: str, key: str, value: object, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe.load(name, {key: value})


def test_a_recipe_of_genres_decides_as_it_did_before_there_was_pre_training() -> None:
    assert "pretrain" not in learnt().deciding
    assert learnt().deciding == learnt(pretrain__pool=7).deciding
    assert heard().deciding != heard(pretrain__pool=16).deciding


def test_pieces_that_are_too_short_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="choose longer pieces"):
        pretrain(heard(pretrain__seconds=1.0), tmp_path / "run", device="cpu", jobs=1)
    assert not (tmp_path / "run").exists()
