"""Fine-tuning: what is free learns, what is frozen stays, and every run comes out the same."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transfer_support as networks
from conftest import genre_folders, noise
from transfer_support import opened

from genrescope import modelfile
from genrescope.errors import DataError, TrainingError
from genrescope.evaluation import transfer
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.models.published import select, transformer_layers
from genrescope.models.published_loading import load
from genrescope.splits import Split
from genrescope.store import waves
from genrescope.store.prepare import prepare
from genrescope.training import fine_tuning
from genrescope.training import recipe as recipes
from genrescope.training.job import Job, Material
from genrescope.training.progress import Watch
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.training.run_folder import read_history, read_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from genrescope.models.published import Body
    from genrescope.results import Evaluation
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = ("ast", "hubert", "wav2vec2", "clap")
EPOCHS = {"ast": 12, "hubert": 20, "wav2vec2": 20, "clap": 10}


class _StopError(Exception):
    """The process ended here."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a network of each kind."""
    return networks.write_all(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of eight tracks; nothing in it but waves may be added."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(networks.music(root / "music")), root / "store", jobs=0).store


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    """Give every artist's tracks one part."""
    return networks.by_hand(store)


def tune(
    body: Body,
    store: Store,
    split: Split,
    out: Path,
    *,
    epochs: int = 3,
    rate: float = 3e-3,
    freeze: int = 0,
    layer: str = "mean",
    seed: int = 0,
    resume: bool = False,
    watch: Watch | None = None,
) -> Evaluation:
    """Fine-tune on the training part and score the test part."""
    recipe = fine_tuning.recipe_of(body, layer=layer, epochs=epochs, rate=rate, batch=4, freeze=freeze)
    job = Job(store, recipe, split, out, seed=seed, device="cpu", resume=resume, pairs=())
    return transfer.score(job, transfer.gather(store, body, recipe), watch=watch or Watch()).result


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for figures; other tests look at these."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])


def stopping(at: int) -> Callable[[Any], None]:
    """Return a callback that ends the process when it is called for the so-manieth time."""
    calls: list[Any] = []

    def called(told: Any) -> None:
        calls.append(told)
        if len(calls) == at:
            raise _StopError

    return called


def weights(folder: Path) -> bytes:
    return (folder / modelfile.FILE_NAME).read_bytes()


def learnt(folder: Path) -> Mapping[str, torch.Tensor]:
    """Return the tensors of a run's model, those of the network under their own names."""
    return {
        name.removeprefix("body.network."): value
        for name, value in modelfile.load_tensors(folder / modelfile.FILE_NAME)[0].items()
    }


def losses(folder: Path) -> list[tuple[float, float | None]]:
    return [(row.train_loss, row.validation_loss) for row in read_history(folder)]


# -- learning ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_free_learns_and_what_is_frozen_stays(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    body = opened(saved, kind)
    published = {name: value.clone() for name, value in body.network.state_dict().items()}
    alone = Split({id_: part for id_, part in split.parts.items() if part != "validation"}, "by hand")
    result = tune(body, store, alone, tmp_path / "run", epochs=EPOCHS[kind], rate=2e-2, freeze=1)
    told = [loss for loss, _ in losses(tmp_path / "run")]
    assert np.mean(told[-3:]) < 0.7 * np.mean(told[:3])
    assert len(result.tracks) == 4
    assert result.accuracy.vote.value >= 0.75  # a drone and noise
    after = learnt(tmp_path / "run")
    assert {name for name in after if not name.startswith("head.")} == published.keys()
    changed = {name for name, value in published.items() if not torch.equal(value, after[name])}
    layers = {"ast": "layers", "clap": "audio_encoder.layers"}.get(kind, "encoder.layers")
    before = {"ast": "embeddings.", "clap": ("audio_encoder.patch_embed", "audio_encoder.batch_norm")}.get(
        kind, ("feature_extractor.", "feature_projection.", "encoder.pos_conv_embed", "encoder.layer_norm")
    )
    assert not [name for name in changed if name.startswith((f"{layers}.0.", *np.atleast_1d(before)))]
    free = {name for name, _ in body.network.named_parameters() if name.startswith(f"{layers}.1.")}
    assert free <= changed
    for name, value in body.network.state_dict().items():  # each fold begins from what was published
        assert torch.equal(value, published[name])


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2", "wavlm"])
def test_the_convolutions_that_take_waves_never_learn(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    body = opened(saved, kind)
    tune(body, store, split, tmp_path / "run", epochs=1)
    after = learnt(tmp_path / "run")
    changed = {name for name, value in body.network.state_dict().items() if not torch.equal(value, after[name])}
    assert not [name for name in changed if name.startswith("feature_extractor.")]
    assert [name for name in changed if name.startswith("feature_projection.")]
    assert [name for name in changed if name.startswith("encoder.layers.0.")]
    run = read_run(tmp_path / "run")
    assert 0 < run["parameters_learnt"] < run["parameters"]


def test_all_layers_frozen_leave_a_linear_probe(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    body = opened(saved, "hubert")
    tune(body, store, split, tmp_path / "run", epochs=1, freeze=2)
    after = learnt(tmp_path / "run")
    for name, value in body.network.state_dict().items():
        assert torch.equal(after[name], value)
    head = [value.numel() for name, value in after.items() if name.startswith("head.")]
    assert read_run(tmp_path / "run")["parameters_learnt"] == sum(head)


def windows_of(body: Body, wave: Any) -> torch.Tensor:
    """Return the first window of a wave, of shape (1, 1, features, frames)."""
    frames = torch.from_numpy(stored([wave], make(body.spec.spec))).float()[: body.spec.frames]
    return frames.T[None, None]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_frozen_drops_nothing_out_and_keeps_its_statistics(saved: Path, kind: str) -> None:
    body = opened(saved, kind)
    model = fine_tuning.Tunable(body, 2, layer="mean", freeze=len(transformer_layers(body))).train()
    windows = windows_of(body, noise(2, rate=body.spec.spec.sample_rate))
    before = [buffer.clone() for buffer in model.buffers()]
    first, second = (model(windows) for _ in range(2))
    if kind == "ast":  # the others have dropout behind all that can be frozen, or none at all
        torch.testing.assert_close(first, second)
    for old, new in zip(before, model.buffers(), strict=True):
        assert torch.equal(old, new)


def test_masks_and_skipped_layers_of_self_supervision_are_off(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "wav2vec2", tmp_path / "skips")
    networks.change(tmp_path / "skips", layerdrop=0.99, mask_time_prob=0.99, apply_spec_augment=True)
    body = load(str(tmp_path / "skips"), seconds=1)
    own: Any = fine_tuning.Tunable(body, 2, layer="mean", freeze=0).body.network
    assert (own.config.layerdrop, own.config.apply_spec_augment) == (0.0, False)
    published: Any = body.network
    assert published.config.layerdrop == 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_the_untaught_network_gives_what_a_probe_is_given(saved: Path, store: Store, kind: str) -> None:
    body = opened(saved, kind)
    wave = waves.keep(store, body.spec.spec.sample_rate).found[store.tracks[0].id].whole()
    spec = body.spec
    embedded = Scorer(body, front_end=spec.spec, windows=spec.windows).outputs(body, stored([wave], make(spec.spec)))
    for layer in ("mean", "0"):
        model = fine_tuning.Tunable(body, 2, layer=layer, freeze=0).eval()
        with torch.no_grad():
            torch.testing.assert_close(model(windows_of(body, wave)), model.head(select(embedded[:1], layer)))


# -- the same run, however it came about ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hubert", "clap"])
def test_runs_come_out_the_same_interrupted_or_not(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    body = opened(saved, kind)
    whole = tune(body, store, split, tmp_path / "whole")
    assert tune(body, store, split, tmp_path / "again").tracks == whole.tracks
    assert weights(tmp_path / "again") == weights(tmp_path / "whole")
    with pytest.raises(_StopError):
        tune(body, store, split, tmp_path / "torn", watch=Watch(on_step=stopping(3)))  # within the second epoch
    with pytest.raises(_StopError):
        tune(
            body, store, split, tmp_path / "torn", resume=True, watch=Watch(on_epoch=stopping(2))
        )  # after the last one
    assert (tmp_path / "torn" / "checkpoint").exists()
    resumed = tune(body, store, split, tmp_path / "torn", resume=True)
    assert resumed.tracks == whole.tracks
    assert weights(tmp_path / "torn") == weights(tmp_path / "whole")
    assert losses(tmp_path / "torn") == losses(tmp_path / "whole")
    assert not (tmp_path / "torn" / "checkpoint").exists()
    assert not list(tmp_path.rglob("*.partial"))
    assert read_run(tmp_path / "torn")["resumed"] == 2


def test_another_seed_is_another_run(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    body = opened(saved, "ast")
    for seed in (0, 1):
        tune(body, store, split, tmp_path / str(seed), epochs=1, seed=seed)
    assert weights(tmp_path / "0") != weights(tmp_path / "1")
    with pytest.raises(DataError, match="holds a run of another recipe, split, seed or data"):
        tune(body, store, split, tmp_path / "1", epochs=1, seed=0, resume=True)


def test_scores_come_back_from_the_file(
    saved: Path, store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = opened(saved, "ast")
    first = tune(body, store, split, tmp_path / "run", epochs=1)
    before = weights(tmp_path / "run")
    monkeypatch.setattr(fine_tuning.TuningLearner, "learn", None)  # whoever would train again fails
    again = tune(body, store, split, tmp_path / "run", epochs=1, resume=True)
    assert again == first
    assert weights(tmp_path / "run") == before


def test_the_validation_part_is_scored_and_decides_nothing(
    saved: Path, store: Store, split: Split, tmp_path: Path
) -> None:
    body = opened(saved, "ast")
    tune(body, store, split, tmp_path / "with")
    alone = Split({id_: part for id_, part in split.parts.items() if part != "validation"}, "by hand")
    tune(body, store, alone, tmp_path / "without")
    assert all(loss is not None for _, loss in losses(tmp_path / "with"))
    assert all(loss is None for _, loss in losses(tmp_path / "without"))
    one, other = (learnt(tmp_path / name) for name in ("with", "without"))
    for name, value in one.items():
        assert torch.equal(value, other[name])


def test_a_run_tells_what_it_was(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    body = opened(saved, "hubert")
    result = tune(body, store, split, tmp_path / "run", epochs=2, freeze=1, layer="1")
    recipe = result.model.recipe
    assert recipe["name"] == "hubert fine-tuned"
    assert (recipe["network"]["layer"], recipe["tuning"]["freeze"], recipe["training"]["epochs"]) == ("1", 1, 2)
    assert "freeze = 1" in (tmp_path / "run" / "recipe.toml").read_text()
    assert result.model.architecture == "published"
    assert result.model.trained_on.epochs == 2
    run = read_run(tmp_path / "run")
    assert (run["status"], run["tracks"], run["windows"]) == ("finished", 8, 8)
    assert run["network_revision"] == ""
    assert recipes.to_toml(fine_tuning.recipe_of(body, layer="mean")) == recipes.to_toml(
        TuningRecipe.model_validate(_defaults(body))
    )


def _defaults(body: Body) -> dict[str, Any]:
    told = fine_tuning.recipe_of(body, layer="mean")
    return {name: getattr(told, name) for name in ("name", "intent", "network")}


# -- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "--rate 0; accepted are positive numbers"),
        ({"rate": -1.0}, "--rate -1; accepted"),
        ({"rate": float("nan")}, "--rate nan; accepted"),
        ({"epochs": 0}, "--epochs 0; accepted are whole numbers from 1"),
        ({"batch": 0}, "--batch 0; accepted are whole numbers from 1"),
        ({"freeze": -1}, "--freeze -1; clap has 2 stages of its Swin transformer, so accepted are 0 to 2"),
        ({"freeze": 3}, "--freeze 3; clap has 2 stages"),
    ],
)
def test_numbers_out_of_range_are_refused(saved: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fine_tuning.recipe_of(opened(saved, "clap"), layer="mean", **options)


def test_a_loss_that_is_no_number_ends_the_run(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    body = opened(saved, "hubert")
    network: Any = body.network
    with torch.no_grad():
        network.encoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1 .* in transfer with --rate"):
        tune(body, store, split, tmp_path / "run")
    assert not (tmp_path / "run" / modelfile.FILE_NAME).exists()


# -- what an epoch shows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_songs_shorter_than_a_window_are_learnt_and_scored(saved: Path, tmp_path: Path, kind: str) -> None:
    data = genre_folders(tmp_path / "music", ("blues", "jazz"), tracks=2, seconds=0.4)
    short = prepare(str(data), tmp_path / "store", jobs=0).store
    parts = {track.id: "test" if "-01" in track.id else "train" for track in short.tracks}
    result = tune(opened(saved, kind), short, Split(parts, "by hand"), tmp_path / "run", epochs=1)
    assert [row.windows for row in result.tracks] == [1, 1]


@pytest.mark.parametrize("kind", ["hubert", "ast"])
def test_an_epoch_shows_one_window_of_every_track_and_never_the_same_twice(
    saved: Path, store: Store, kind: str
) -> None:
    body = opened(saved, kind)
    recipe = fine_tuning.recipe_of(body, layer="mean", batch=6)
    learner = fine_tuning.TuningLearner(recipe, body, waves.keep(store, 16_000).found)
    material = Material(store.tracks, [], store.genres)
    shown = fine_tuning._WaveBatches(learner, material, seed=0, device=torch.device("cpu"))
    assert len(shown) == 3
    first, second, again = (list(shown.epoch(number)) for number in (1, 2, 1))
    assert [len(target) for _, target in first] == [6, 6, 4]
    assert {windows.shape[1:] for windows, _ in first} == {(1, body.spec.spec.width, body.spec.frames)}
    assert torch.cat([target for _, target in first]).sum(dim=0).tolist() == [8, 8]
    for (one, target), (same, same_target) in zip(first, again, strict=True):
        assert torch.equal(one, same)
        assert torch.equal(target, same_target)
    assert not torch.equal(first[0][0], second[0][0])
