"""Fine-tuning: what is free learns, what is frozen stays, every run comes out the same, and waves are decoded once."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transfer_support as networks
from conftest import genre_folders, noise
from genrescope.transfer import run as runs
from genrescope.transfer import tuned, tuning, waves
from genrescope.transfer.learner import Material
from genrescope.transfer.loading import load

from genrescope import audio, modelfile
from genrescope.errors import DataError, ModelFileError, TrainingError
from genrescope.splits import Split
from genrescope.store.prepare import prepare
from genrescope.training import recipe as recipes
from genrescope.training.recipe_transfer import TuningRecipe
from genrescope.training.run_folder import read_history, read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.transfer.network import Network

    from genrescope.results import Evaluation
    from genrescope.store.store import Store
    from genrescope.training.loop import Step
    from genrescope.training.recipe_transfer import TuningRecipe as Recipe
    from genrescope.training.run_folder import Epoch

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS: dict[str, Callable[[Path], Path]] = {
    "ast": networks.ast,
    "hubert": networks.hubert,
    "wav2vec2": networks.wav2vec2,
    "clap": networks.clap,
}
SECONDS = {"hubert": 1.0, "wav2vec2": 1.0}


class _StopError(Exception):
    """The process ended here."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a network of each kind."""
    root = tmp_path_factory.mktemp("networks")
    for name, write in KINDS.items():
        torch.manual_seed(0)
        write(root / name)
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of eight tracks; nothing in it but waves may be added."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(networks.music(root / "music")), root / "store", jobs=1).store


@pytest.fixture(scope="module")
def split(store: Store) -> Split:
    """Give every artist's tracks one part."""
    parts = {"0": "test", "1": "validation"}
    return Split({track.id: parts.get(track.group[-1], "train") for track in store.tracks}, "by hand")


def opened(saved: Path, kind: str) -> Network:
    return load(str(saved / kind), seconds=SECONDS.get(kind))


def tune(
    network: Network,
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
    on_step: Callable[[Step], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Evaluation:
    """Fine-tune on the training part and score the test part."""
    recipe = tuning.recipe_of(network, layer=layer, epochs=epochs, rate=rate, batch=4, freeze=freeze)
    kept = waves.keep(store, network.rate)
    learner = tuning.TuningLearner(recipe, network, kept.found, on_step, on_epoch)
    its = dataclasses.replace(runs.heard(store, dataclasses.replace(network, extractor=None), kept), network=network)
    return runs.hold_out(its, learner, split, out, seed=seed, resume=resume)[0]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait for figures, nor for what a network costs; other tests look at these."""
    monkeypatch.setattr("genrescope.reports.figures.draw", lambda *_: [])
    monkeypatch.setattr("genrescope.transfer.network.Network.milliseconds", lambda _: 1.0)


def stopping(at: int) -> Callable[[Any], None]:
    """Return a callback that ends the process when it is called for the so-manieth time."""
    calls: list[Any] = []

    def called(told: Any) -> None:
        calls.append(told)
        if len(calls) == at:
            raise _StopError

    return called


def weights(folder: Path) -> bytes:
    return (folder / modelfile.TUNED_NAME).read_bytes()


def losses(folder: Path) -> list[tuple[float, float | None]]:
    return [(row.train_loss, row.validation_loss) for row in read_history(folder)]


# -- learning ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_free_learns_and_what_is_frozen_stays(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    network = opened(saved, kind)
    published = {name: value.clone() for name, value in network.model.state_dict().items()}
    result = tune(network, store, split, tmp_path / "run", epochs=25, rate=2e-2, freeze=1)
    told = [loss for loss, _ in losses(tmp_path / "run")]
    assert np.mean(told[-3:]) < 0.7 * np.mean(told[:3])
    assert len(result.tracks) == 4
    assert result.accuracy.vote.value >= 0.75  # a drone and noise
    learnt = tuned.load(tmp_path / "run", network).model.body.state_dict()
    changed = {name for name, value in learnt.items() if not torch.equal(value, published[name])}
    layers = {"ast": "layers", "clap": "audio_encoder.layers"}.get(kind, "encoder.layers")
    before = {"ast": "embeddings.", "clap": ("audio_encoder.patch_embed", "audio_encoder.batch_norm")}.get(
        kind, ("feature_extractor.", "feature_projection.", "encoder.pos_conv_embed", "encoder.layer_norm")
    )
    assert not [name for name in changed if name.startswith((f"{layers}.0.", *np.atleast_1d(before)))]
    free = {name for name, _ in network.model.named_parameters() if name.startswith(f"{layers}.1.")}
    assert free <= changed
    for name, value in network.model.state_dict().items():  # each fold begins from what was published
        assert torch.equal(value, published[name])


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2"])
def test_the_convolutions_that_hear_waves_never_learn(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    network = opened(saved, kind)
    tune(network, store, split, tmp_path / "run", epochs=1)
    learnt = tuned.load(tmp_path / "run", network).model.body.state_dict()
    changed = {name for name, value in network.model.state_dict().items() if not torch.equal(value, learnt[name])}
    assert not [name for name in changed if name.startswith("feature_extractor.")]
    assert [name for name in changed if name.startswith("feature_projection.")]
    assert [name for name in changed if name.startswith("encoder.layers.0.")]
    run = read_run(tmp_path / "run")
    assert 0 < run["parameters_learnt"] < run["parameters"]


def test_all_layers_frozen_leave_a_linear_probe(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    network = opened(saved, "hubert")
    tune(network, store, split, tmp_path / "run", epochs=1, freeze=2)
    found = tuned.load(tmp_path / "run", network).model
    for name, value in network.model.state_dict().items():
        assert torch.equal(found.body.state_dict()[name], value)
    run = read_run(tmp_path / "run")
    assert run["parameters_learnt"] == sum(its.numel() for its in found.head.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_frozen_drops_nothing_out_and_keeps_its_statistics(saved: Path, kind: str) -> None:
    network = opened(saved, kind)
    model = tuned.Tunable(network, 2, layer="mean", freeze=tuned.layers_to_freeze(network)).train()
    inputs = network.inputs([noise(1, rate=network.rate)])
    before = [buffer.clone() for buffer in model.buffers()]
    first, second = (model(inputs) for _ in range(2))
    if kind == "ast":  # the others have dropout behind all that can be frozen, or none at all
        torch.testing.assert_close(first, second)
    for old, new in zip(before, model.buffers(), strict=True):
        assert torch.equal(old, new)


def test_masks_and_skipped_layers_of_self_supervision_are_off(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "wav2vec2", tmp_path / "skips")
    networks.change(tmp_path / "skips", layerdrop=0.99, mask_time_prob=0.99, apply_spec_augment=True)
    network = load(str(tmp_path / "skips"), seconds=1)
    model = tuned.Tunable(network, 2, layer="mean", freeze=0)
    its: Any = model.body
    assert (its.config.layerdrop, its.config.apply_spec_augment) == (0.0, False)
    assert network.model.config.layerdrop == 0.99


def test_the_untaught_network_hears_what_a_probe_is_given(saved: Path, store: Store) -> None:
    for kind in KINDS:
        network = opened(saved, kind)
        wave = waves.keep(store, network.rate).found[store.tracks[0].id]
        for layer in ("mean", "0"):
            model = tuned.Tunable(network, 2, layer=layer, freeze=0).eval()
            piece = wave.cut(0, network.window)
            heard = network.hear(piece)
            expected = model.head(torch.from_numpy(heard.mean(axis=1) if layer == "mean" else heard[:, 0]))
            torch.testing.assert_close(model(network.inputs([piece])), expected)


# -- the same run, however it came about ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hubert", "clap"])
def test_runs_come_out_the_same_interrupted_or_not(
    saved: Path, store: Store, split: Split, tmp_path: Path, kind: str
) -> None:
    network = opened(saved, kind)
    whole = tune(network, store, split, tmp_path / "whole")
    assert tune(network, store, split, tmp_path / "again").tracks == whole.tracks
    assert weights(tmp_path / "again") == weights(tmp_path / "whole")
    with pytest.raises(_StopError):
        tune(network, store, split, tmp_path / "torn", on_step=stopping(3))  # within the second epoch
    with pytest.raises(_StopError):
        tune(network, store, split, tmp_path / "torn", resume=True, on_epoch=stopping(2))  # after the last one
    assert (tmp_path / "torn" / "checkpoint").exists()
    resumed = tune(network, store, split, tmp_path / "torn", resume=True)
    assert resumed.tracks == whole.tracks
    assert weights(tmp_path / "torn") == weights(tmp_path / "whole")
    assert losses(tmp_path / "torn") == losses(tmp_path / "whole")
    assert not (tmp_path / "torn" / "checkpoint").exists()
    assert not list(tmp_path.rglob("*.partial"))
    assert read_run(tmp_path / "torn")["resumed"] == 2


def test_another_seed_is_another_run(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    network = opened(saved, "ast")
    for seed in (0, 1):
        tune(network, store, split, tmp_path / str(seed), epochs=1, seed=seed)
    assert weights(tmp_path / "0") != weights(tmp_path / "1")
    with pytest.raises(DataError, match="holds a run of another recipe, split, seed or data"):
        tune(network, store, split, tmp_path / "1", epochs=1, seed=0, resume=True)


def test_scores_come_back_from_the_file(
    saved: Path, store: Store, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = opened(saved, "ast")
    first = tune(network, store, split, tmp_path / "run", epochs=1)
    before = weights(tmp_path / "run")
    monkeypatch.setattr(tuning.TuningLearner, "learn", None)  # whoever would train again fails
    again = tune(network, store, split, tmp_path / "run", epochs=1, resume=True)
    assert again == first
    assert weights(tmp_path / "run") == before


def test_the_validation_part_is_scored_and_decides_nothing(
    saved: Path, store: Store, split: Split, tmp_path: Path
) -> None:
    network = opened(saved, "ast")
    tune(network, store, split, tmp_path / "with")
    alone = Split({id_: part for id_, part in split.parts.items() if part != "validation"}, "by hand")
    tune(network, store, alone, tmp_path / "without")
    assert all(loss is not None for _, loss in losses(tmp_path / "with"))
    assert all(loss is None for _, loss in losses(tmp_path / "without"))
    one, other = (modelfile.load_tensors(tmp_path / name / modelfile.TUNED_NAME)[0] for name in ("with", "without"))
    for name, value in one.items():
        assert torch.equal(value, other[name])


def test_a_run_tells_what_it_was(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    network = opened(saved, "hubert")
    result = tune(network, store, split, tmp_path / "run", epochs=2, freeze=1, layer="1")
    recipe = result.model.recipe
    assert recipe["name"] == "hubert fine-tuned"
    assert (recipe["network"]["layer"], recipe["tuning"]["freeze"], recipe["training"]["epochs"]) == ("1", 1, 2)
    assert "freeze = 1" in (tmp_path / "run" / "recipe.toml").read_text()
    assert result.model.architecture == "hubert, fine-tuned, with a linear head"
    assert result.model.trained_on.epochs == 2
    run = read_run(tmp_path / "run")
    assert (run["status"], run["tracks"], run["windows"], run["milliseconds"]) == ("finished", 8, 8, 1.0)
    assert "network_revision" in run
    assert recipes.to_toml(tuning.recipe_of(network, layer="mean")) == recipes.to_toml(
        TuningRecipe.model_validate(_defaults(network))
    )


def _defaults(network: Network) -> dict[str, Any]:
    told: Recipe = tuning.recipe_of(network, layer="mean")
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
        tuning.recipe_of(opened(saved, "clap"), layer="mean", **options)


def test_a_loss_that_is_no_number_ends_the_run(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    network = opened(saved, "hubert")
    with torch.no_grad():
        network.model.encoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step 1 .* in transfer with --rate"):
        tune(network, store, split, tmp_path / "run")
    assert not (tmp_path / "run" / modelfile.TUNED_NAME).exists()


def test_a_damaged_or_foreign_file_is_refused(saved: Path, store: Store, split: Split, tmp_path: Path) -> None:
    network = opened(saved, "ast")
    tune(network, store, split, tmp_path / "run", epochs=1)
    with pytest.raises(ModelFileError, match="it was made from ast with other weights than hubert has"):
        tuned.load(tmp_path / "run", opened(saved, "hubert"))
    with pytest.raises(ModelFileError, match="holds a fine-tuned published network, which is no model file"):
        modelfile.locate(tmp_path / "run")
    path = tmp_path / "run" / modelfile.TUNED_NAME
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match="is damaged or truncated"):
        tuned.load(tmp_path / "run", network)
    modelfile.save_tensors(path, {"head.weight": torch.zeros(2, 16)}, {})
    with pytest.raises(ModelFileError, match="is no fine-tuned network of genrescope"):
        tuned.load(tmp_path / "run", network)


# -- the waves --------------------------------------------------------------------------------------------------


def test_waves_are_decoded_once_for_all_networks_of_a_rate(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = waves.keep(store, 16_000, cache=tmp_path)
    assert (first.computed, first.kept, first.failed) == (16, 0, ())
    wave = audio.decode(store.path.parent / "music" / "hiss-0" / "0.wav", rate=16_000)
    its = first.found["hiss-0/0.wav"]
    assert its.samples == len(wave)
    np.testing.assert_allclose(its.cut(100, 500), wave[100:600], atol=1 / 65_000)
    monkeypatch.setattr("genrescope.audio.decode", None)  # whoever decodes fails
    again = waves.keep(store, 16_000, cache=tmp_path, data="nowhere")
    assert (again.computed, again.kept) == (0, 16)
    np.testing.assert_array_equal(again.found["hiss-0/0.wav"].cut(100, 500), its.cut(100, 500))


def test_another_rate_has_waves_of_its_own_and_a_damaged_one_is_made_again(store: Store, tmp_path: Path) -> None:
    one, other = (waves.keep(store, rate, cache=tmp_path) for rate in (4_000, 8_000))
    assert other.computed == 16
    id_ = store.tracks[0].id
    assert other.found[id_].samples == 2 * one.found[id_].samples
    damaged = one.found[id_].path
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"has gone or changed .* go on with --resume"):
        one.found[id_].cut(0, 10)
    assert waves.keep(store, 4_000, cache=tmp_path).computed == 1


@pytest.mark.parametrize("level", [0.0, 0.4, 3.0])
def test_no_wave_is_clipped(tmp_path: Path, level: float) -> None:
    wave = noise(0.1, level=level)
    kept = waves._write(tmp_path / "wave.safetensors", wave)
    error = np.abs(kept.cut(0, len(wave)) - wave).max()
    assert error <= max(1.0, np.abs(wave).max()) / 65_000
    assert waves._kept(tmp_path / "wave.safetensors") == kept


def test_a_wave_that_is_too_short_is_repeated(tmp_path: Path) -> None:
    wave = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    kept = waves._write(tmp_path / "wave.safetensors", wave)
    np.testing.assert_allclose(kept.cut(0, 7), [0.1, 0.2, 0.3, 0.1, 0.2, 0.3, 0.1], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_songs_shorter_than_a_window_are_learnt_and_scored(saved: Path, tmp_path: Path, kind: str) -> None:
    data = genre_folders(tmp_path / "music", ("blues", "jazz"), tracks=2, seconds=0.4)
    short = prepare(str(data), tmp_path / "store", jobs=1).store
    parts = {track.id: "test" if "-01" in track.id else "train" for track in short.tracks}
    result = tune(opened(saved, kind), short, Split(parts, "by hand"), tmp_path / "run", epochs=1)
    assert [row.windows for row in result.tracks] == [1, 1]


def test_an_epoch_shows_one_window_of_every_track_and_never_the_same_twice(saved: Path, store: Store) -> None:
    network = opened(saved, "hubert")
    material = Material(store.tracks, [], store.genres, seed=0)
    shown = tuning.WaveBatches(network, waves.keep(store, network.rate).found, material, size=6)
    assert len(shown) == 3
    first, second, again = (list(shown.epoch(number)) for number in (1, 2, 1))
    assert [len(target) for _, target in first] == [6, 6, 4]
    assert torch.cat([target for _, target in first]).sum(dim=0).tolist() == [8, 8]
    for (one, target), (same, same_target) in zip(first, again, strict=True):
        torch.testing.assert_close(one["input_values"], same["input_values"], rtol=0, atol=0)
        assert torch.equal(target, same_target)
    assert not torch.equal(first[0][0]["input_values"], second[0][0]["input_values"])


def test_bad_files_are_left_out_and_told(saved: Path, store: Store, tmp_path: Path) -> None:
    shutil.copytree(store.path.parent / "music", tmp_path / "music")
    (tmp_path / "music" / "hiss-2" / "4.wav").write_bytes(b"no music")
    found = waves.keep(store, 16_000, data=str(tmp_path / "music" / "songs.csv"), cache=tmp_path / "cache")
    assert [row.status for row in found.failed] == ["it has changed since the store was prepared"]
    heard = runs.heard(store, opened(saved, "ast"), found)
    assert len(heard.store.tracks) == 15
    assert any("hiss-2/4.wav could not be heard" in note for note in heard.notes)
    index = (found.folder / "index.csv").read_text()
    assert "it has changed" in index
    assert json.dumps(found.computed) == "15"
