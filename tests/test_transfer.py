"""Published networks: what they hear is what transformers says, each file is heard once, and faults are told."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transfer_support as networks
from conftest import genre_folders, noise, tone
from genrescope.transfer import probe as probes
from genrescope.transfer.features import NETWORK_FILE, extract
from genrescope.transfer.loading import load
from genrescope.transfer.network import KINDS as ARCHITECTURES
from genrescope.transfer.network import windows_of

from genrescope import audio
from genrescope.errors import DataError, ModelFileError, TrainingError
from genrescope.store.index import read_index
from genrescope.store.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from genrescope.transfer.cache import Progress
    from genrescope.transfer.network import Network

    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS: dict[str, Callable[[Path], Path]] = {
    "ast": networks.ast,
    "hubert": networks.hubert,
    "wav2vec2": networks.wav2vec2,
    "clap": networks.clap,
    "clap_audio": networks.clap_audio,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a network of each kind."""
    root = tmp_path_factory.mktemp("networks")
    for name, write in KINDS.items():
        write(root / name)
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of three tracks; nothing in it may be changed."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(genre_folders(root / "music", ("blues", "jazz"), tracks=3)), root / "store", jobs=1).store


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """Give a copy of the store whose music may be changed."""
    from genrescope.store.store import open_store

    shutil.copytree(store.path.parent, tmp_path / "own")
    opened = open_store(tmp_path / "own" / "store")
    return dataclasses.replace(opened, data=str(tmp_path / "own" / "music"))


def direct(folder: Path, kind: str, waves: list[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Ask transformers itself, by the classes of the architecture."""
    import transformers as hf

    extractor: Any
    if kind == "ast":
        extractor, model = hf.ASTFeatureExtractor.from_pretrained(folder), hf.ASTModel.from_pretrained(folder)
    elif kind in ("hubert", "wav2vec2"):
        extractor = hf.Wav2Vec2FeatureExtractor.from_pretrained(folder)
        model = {"hubert": hf.HubertModel, "wav2vec2": hf.Wav2Vec2Model}[kind].from_pretrained(folder)
    else:
        extractor = hf.ClapFeatureExtractor.from_pretrained(folder)
        whole = {"clap": hf.ClapModel, "clap_audio": hf.ClapAudioModel}[kind].from_pretrained(folder)
        model = whole.audio_model if kind == "clap" else whole
    model.eval()
    found = []
    for wave in waves:
        with torch.no_grad():
            out = model(
                **extractor(wave, sampling_rate=extractor.sampling_rate, return_tensors="pt"),
                output_hidden_states=True,
            )
        if kind.startswith("clap"):
            found.append(out.pooler_output)
        else:
            first = 2 if kind == "ast" else 0
            found.append(torch.cat([layer[:, first:].mean(1) for layer in out.hidden_states]))
    return torch.stack(found).numpy()


# -- the network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_features_are_those_of_transformers(saved: Path, kind: str) -> None:
    network = load(str(saved / kind), seconds=1.0 if kind in ("hubert", "wav2vec2") else None)
    wave = audio.from_array(tone(300, seconds=3) + noise(3), rate=22_050, to_rate=network.rate)
    heard = network.hear(wave)
    expected = direct(saved / kind, kind, windows_of(wave, network.window))
    assert heard.shape == (round(3 / network.seconds), network.layers, network.width)
    np.testing.assert_allclose(heard, expected, rtol=1e-3, atol=1e-4)
    assert np.ptp(heard, axis=0).max() > 1e-3  # windows differ, so their order is told as well


@pytest.mark.parametrize(
    ("kind", "rate", "seconds", "layers"),
    [("ast", 16_000, 1.28, 3), ("hubert", 16_000, 10, 3), ("clap", 48_000, 2, 1), ("clap_audio", 48_000, 2, 1)],
)
def test_rate_window_and_layers_are_the_networks_own(
    saved: Path, kind: str, rate: int, seconds: float, layers: int
) -> None:
    network = load(str(saved / kind))
    assert (network.rate, network.layers) == (rate, layers)
    assert network.seconds == pytest.approx(seconds)
    assert network.parameters > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_track_shorter_than_a_window_is_heard(saved: Path, kind: str) -> None:
    heard = load(str(saved / kind)).hear(noise(0.01, rate=16_000))
    assert len(heard) == 1
    assert np.isfinite(heard).all()


def test_the_input_of_the_published_ast_warns_nobody(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "ast", tmp_path / "wide")
    path = tmp_path / "wide" / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_mel_bins": 128}))  # some of them have no bin
    load(str(tmp_path / "wide"))


def test_a_fused_clap_says_the_same_twice(tmp_path: Path) -> None:
    network = load(str(networks.clap_audio(tmp_path, fused=True)))
    wave = noise(8, rate=48_000)
    heard = [network.hear(wave) for _ in range(6)]
    assert len(heard[0]) == 4
    for again in heard[1:]:
        np.testing.assert_array_equal(again, heard[0])


def test_windows_reach_from_the_beginning_to_the_end() -> None:
    wave = np.arange(300, dtype=np.float32)
    cut = windows_of(wave, 102)
    assert [window[0] for window in cut] == [0, 99, 198]
    assert cut[-1][-1] == 299
    assert len(windows_of(wave, 100)) == 3
    assert len(windows_of(wave[:40], 100)) == 1


def test_the_identity_is_of_the_weights_and_not_of_the_folder(saved: Path, tmp_path: Path) -> None:
    first = load(str(saved / "hubert"))
    shutil.copytree(saved / "hubert", tmp_path / "elsewhere")
    assert load(str(tmp_path / "elsewhere")).identity == first.identity
    assert load(str(networks.hubert(tmp_path / "other", seed=1))).identity != first.identity
    assert load(str(networks.hubert(tmp_path / "rate", rate=8_000))).identity != first.identity


def test_the_cost_is_measured(saved: Path) -> None:
    assert load(str(saved / "hubert")).milliseconds() > 0


# -- refusals ---------------------------------------------------------------------------------------------------


def test_without_transformers_the_extra_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TrainingError, match=r"an extra: pip install 'genrescope\[transfer\]'"):
        load(str(saved / "hubert"))


def test_another_architecture_is_refused_and_the_accepted_are_named(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "hubert", tmp_path / "bert")
    networks.change(tmp_path / "bert", model_type="bert")
    with pytest.raises(ModelFileError, match='architecture "bert"; accepted are audio-spectrogram-transformer, hubert'):
        load(str(tmp_path / "bert"))


@pytest.mark.parametrize("name", ["./nowhere", "a/b/c", "/no/such/folder"])
def test_a_folder_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelFileError, match=f"{name}: no such folder"):
        load(name)


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"no folder of a network: it has no config\.json"):
        load(str(tmp_path))


@pytest.mark.parametrize("lost", ["preprocessor_config.json", "model.safetensors"])
def test_a_folder_that_lacks_a_file_is_refused(saved: Path, tmp_path: Path, lost: str) -> None:
    shutil.copytree(saved / "hubert", tmp_path / "half")
    (tmp_path / "half" / lost).unlink()
    with pytest.raises(ModelFileError, match=r"half cannot be loaded: the folder must hold config\.json"):
        load(str(tmp_path / "half"))


def test_random_weights_are_never_taken_for_learnt_ones(saved: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(saved / "hubert", tmp_path / "half")
    path = tmp_path / "half" / "model.safetensors"
    weights = {key: value for key, value in load_file(path).items() if "layers.1." not in key}
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(ModelFileError, match=r"lacks weights .*encoder\.layers\.1\..* would be random"):
        load(str(tmp_path / "half"))


def test_without_a_connection_a_name_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelFileError, match=r"nobody/nothing cannot be loaded: .*without a connection only") as caught:
        load("nobody/nothing")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "seconds"), [("ast", 1.5), ("clap", 3), ("hubert", 61), ("hubert", 0.5)])
def test_a_window_out_of_range_is_refused(saved: Path, kind: str, seconds: float) -> None:
    with pytest.raises(DataError, match=f"a window of {seconds:g} s; .* hears from 1 to "):
        load(str(saved / kind), seconds=seconds)


def test_a_layer_out_of_range_is_refused(saved: Path) -> None:
    with pytest.raises(DataError, match=r"has no layer 3; accepted are 0 .* to 2"):
        load(str(saved / "hubert")).check_layer(3)
    with pytest.raises(DataError, match="accepted are 0, its only output"):
        load(str(saved / "clap")).check_layer(1)


def test_code_of_others_runs_only_where_it_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers.dynamic_module_utils as code

    monkeypatch.setattr(code, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = networks.mert(tmp_path / "mert", deepnorm=True)
    with pytest.raises(ModelFileError, match=r"more than a HuBERT .* Python code.* give --trust-remote-code"):
        load(str(folder))
    assert not (tmp_path / "modules").exists()
    network = load(str(folder), trust_remote_code=True)
    assert (network.rate, network.seconds, network.layers) == (24_000, 5.0, 3)
    assert type(network.model).__name__ == "MERTModel"
    plain = load(str(networks.hubert(tmp_path / "plain", rate=24_000)), seconds=5)
    wave = noise(2, rate=24_000)
    np.testing.assert_allclose(network.hear(wave), plain.hear(wave), atol=1e-5)


def test_a_mert_that_is_a_hubert_needs_no_code_of_others(tmp_path: Path) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=False)
    for code in folder.glob("*.py"):
        code.write_text("raise SystemExit('it was run')")
    network = load(str(folder))
    assert (network.model_type, network.rate, network.seconds) == ("mert_model", 24_000, 5.0)
    assert type(network.model).__name__ == "HubertModel"
    plain = load(str(networks.hubert(tmp_path / "plain", rate=24_000)), seconds=5)
    wave = noise(2, rate=24_000)
    np.testing.assert_array_equal(network.hear(wave), plain.hear(wave))
    assert load(str(folder), trust_remote_code=True).identity == network.identity


@pytest.mark.parametrize("lost", ["deepnorm", "feature_extractor_cqt"])
def test_a_mert_that_does_not_say_what_it_is_counts_as_more(tmp_path: Path, lost: str) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=False)
    networks.change(folder, **{lost: None})
    with pytest.raises(ModelFileError, match="give --trust-remote-code"):
        load(str(folder))


def test_code_that_is_not_needed_is_not_run(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "hubert", tmp_path / "trap")
    (tmp_path / "trap" / "trap.py").write_text("raise SystemExit('it was run')")
    networks.change(tmp_path / "trap", auto_map={"AutoConfig": "trap.Config", "AutoModel": "trap.Model"})
    assert load(str(tmp_path / "trap"), trust_remote_code=True).layers == 3


# -- the features -----------------------------------------------------------------------------------------------


def silent(network: Network) -> Network:
    """Return a network that cannot hear: whoever asks it fails."""
    return dataclasses.replace(network, model=None)


def test_every_file_is_heard_once(saved: Path, store: Store, tmp_path: Path) -> None:
    network = load(str(saved / "ast"))
    first = extract(store, network, cache=tmp_path)
    assert (first.computed, first.kept, first.failed) == (6, 0, ())
    wave = audio.decode(store.path.parent / "music" / "blues" / "blues-00.wav", rate=network.rate)
    np.testing.assert_array_equal(first.found["blues/blues-00.wav"], network.hear(wave).mean(axis=1))
    again = extract(store, silent(network), cache=tmp_path, data="nowhere")
    assert (again.computed, again.kept) == (0, 6)
    for track_id, values in first.found.items():
        np.testing.assert_array_equal(again.found[track_id], values)


def test_another_layer_computes_nothing(saved: Path, store: Store, tmp_path: Path) -> None:
    network = load(str(saved / "hubert"))
    mean = extract(store, network, cache=tmp_path).found
    layers = [extract(store, silent(network), layer=str(number), cache=tmp_path).found for number in range(3)]
    for track_id, values in mean.items():
        np.testing.assert_allclose(np.mean([layer[track_id] for layer in layers], axis=0), values, rtol=1e-5, atol=1e-6)
    assert not np.allclose(layers[0]["blues/blues-00.wav"], layers[2]["blues/blues-00.wav"])


def test_an_interrupted_run_goes_on(saved: Path, store: Store, tmp_path: Path) -> None:
    def stop(at: Progress) -> None:
        if at.done == 4:
            raise KeyboardInterrupt

    network = load(str(saved / "hubert"))
    with pytest.raises(KeyboardInterrupt):
        extract(store, network, cache=tmp_path, on_track=stop)
    done = extract(store, network, cache=tmp_path)
    assert (done.computed, done.kept) == (2, 4)
    whole = extract(store, network, cache=tmp_path / "whole")
    for track_id, values in whole.found.items():
        np.testing.assert_array_equal(done.found[track_id], values)


def test_another_network_or_window_has_features_of_its_own(saved: Path, store: Store, tmp_path: Path) -> None:
    network = load(str(saved / "hubert"))
    first = extract(store, network, cache=tmp_path)
    for other in (load(str(networks.hubert(tmp_path / "other", seed=1))), load(str(saved / "hubert"), seconds=2)):
        found = extract(store, other, cache=tmp_path)
        assert (found.computed, found.kept) == (6, 0)
        assert found.folder != first.folder
    told = json.loads((first.folder / NETWORK_FILE).read_text())
    assert (told["identity"], told["rate"], told["layers"]) == (network.identity, 16_000, 3)


def test_a_damaged_file_of_features_is_made_again(saved: Path, store: Store, tmp_path: Path) -> None:
    network = load(str(saved / "hubert"))
    first = extract(store, network, cache=tmp_path)
    damaged = min(first.folder.glob("*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert extract(store, network, cache=tmp_path).computed == 1


def test_bad_files_are_named_and_stop_nothing(saved: Path, own: Store) -> None:
    music = own.path.parent / "music"
    (music / "jazz" / "jazz-00.wav").write_bytes(b"no music")
    (music / "jazz" / "jazz-01.wav").unlink()
    network = load(str(saved / "hubert"))
    done = extract(own, network)
    assert done.folder.parent == own.path / "transfer"
    assert len(done.found) == done.computed == 4
    assert {row.id: row.status for row in done.failed} == {
        "jazz/jazz-00.wav": "it has changed since the store was prepared",
        "jazz/jazz-01.wav": "file: it is not in DATA",
    }
    rows = {row.id: row for row in read_index(done.folder / "index.csv")}
    assert len(rows) == 6
    assert rows["blues/blues-00.wav"].status == "ok"
    assert rows["jazz/jazz-01.wav"].status == "file: it is not in DATA"


def test_features_that_are_not_finite_are_not_used(saved: Path, store: Store, tmp_path: Path) -> None:
    network = load(str(saved / "hubert"))
    with torch.no_grad():
        network.model.encoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(DataError, match=r"none of the 6 tracks could be heard; .* its features are not finite"):
        extract(store, network, cache=tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_audio_that_was_moved_is_asked_for(saved: Path, own: Store) -> None:
    network = load(str(saved / "hubert"))
    music = own.path.parent / "music"
    music.rename(own.path.parent / "moved")
    with pytest.raises(DataError, match=r"was prepared from is not there .* with --data"):
        extract(own, network)
    assert extract(own, network, data=str(own.path.parent / "moved")).computed == 6


def test_audio_of_something_else_is_refused(saved: Path, own: Store, tmp_path: Path) -> None:
    other = genre_folders(tmp_path / "strange", ("polka",), tracks=1)
    with pytest.raises(DataError, match="has none of the tracks of"):
        extract(own, load(str(saved / "hubert")), data=str(other))


# -- the probe --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", probes.KERNELS)
def test_a_probe_learns_and_comes_back_from_its_file(saved: Path, store: Store, tmp_path: Path, kernel: str) -> None:
    network = load(str(saved / "ast"))
    features = extract(store, network, cache=tmp_path).found
    recipe = probes.recipe_of(network, layer="mean", kernel=kernel, c=10)
    assert recipe.name == f"ast + {kernel}"
    found = probes.fit(features, store.tracks, store.genres, recipe)
    scores, placed = probes.score(found, features, store.tracks)
    assert [store.genres[best] for best in scores.argmax(dim=1)] == [store.tracks[n].genre for n in placed.tracks]
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(len(placed)))
    probes.save(tmp_path, found)
    again = probes.load(tmp_path)
    assert (again.labels, again.recipe) == (found.labels, found.recipe)
    torch.testing.assert_close(probes.score(again, features, store.tracks)[0], scores)


def test_a_file_that_is_no_probe_is_refused(tmp_path: Path) -> None:
    from genrescope import modelfile

    modelfile.save_tensors(tmp_path / modelfile.PROBE_NAME, {"vectors": torch.zeros(2, 3)}, {})
    with pytest.raises(ModelFileError, match="is no probe of genrescope"):
        probes.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"kernel": "ploy"}, 'no kernel called "ploy"'), ({"kernel": "rbf", "c": -1.0}, "--c -1; accepted are positive")],
)
def test_bad_options_of_the_probe_are_refused(saved: Path, options: dict[str, Any], message: str) -> None:
    network = load(str(saved / "clap_audio"))
    with pytest.raises(DataError, match=message):
        probes.recipe_of(network, layer="mean", **options)


def test_every_architecture_of_the_documents_is_known() -> None:
    assert {"audio-spectrogram-transformer", "hubert", "wav2vec2", "mert_model", "clap"} <= set(ARCHITECTURES)
