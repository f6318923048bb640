"""Published networks: their features are what transformers says, they are models of the registry, faults are told."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transfer_support as networks
from conftest import noise, tone
from transfer_support import KINDS, opened

from genrescope import audio
from genrescope.errors import DataError, ModelFileError
from genrescope.extras import MissingPackageError
from genrescope.features.front_end import make, stored
from genrescope.inference.scorer import Scorer
from genrescope.models import published_loading, registry
from genrescope.models.published import KINDS as ARCHITECTURES
from genrescope.models.published import Body, Published, PublishedSpec
from genrescope.models.published_loading import load, load_same, rebuild

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a network of each kind."""
    return networks.write_all(tmp_path_factory.mktemp("networks"))


def rate_of(body: Body) -> int:
    return body.spec.spec.sample_rate


def features(body: Body, wave: audio.Wave) -> torch.Tensor:
    """Return what the network makes of a track's windows, of shape (windows, layers, width)."""
    spec = body.spec
    scorer = Scorer(body, front_end=spec.spec, windows=spec.windows)
    return scorer.outputs(body, stored([wave], make(spec.spec)))


def cut(body: Body, wave: audio.Wave) -> list[audio.Wave]:
    """Cut the pieces of a wave that the windows are made of: where frames begin."""
    spec = body.spec
    starts = spec.windows.starts(spec.spec.frames(len(wave)))
    return [wave[start * spec.spec.hop :][: spec.spec.samples(spec.frames)] for start in starts]


def direct(folder: Path, kind: str, waves: list[Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Ask transformers itself, by the classes of the architecture."""
    import transformers as hf

    extractor: Any
    if kind == "ast":
        extractor, model = hf.ASTFeatureExtractor.from_pretrained(folder), hf.ASTModel.from_pretrained(folder)
    elif kind in ("hubert", "wav2vec2", "wavlm"):
        extractor = hf.Wav2Vec2FeatureExtractor.from_pretrained(folder)
        model = {"hubert": hf.HubertModel, "wav2vec2": hf.Wav2Vec2Model, "wavlm": hf.WavLMModel}[kind].from_pretrained(
            folder
        )
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


# An AST's frames are kept in float16, as a store keeps them; all else is single precision.
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("ast", 1e-4), ("hubert", 1e-5), ("wav2vec2", 1e-5), ("wavlm", 1e-5), ("clap", 1e-5), ("clap_audio", 1e-5)],
)
def test_the_features_are_those_of_transformers(saved: Path, kind: str, tolerance: float) -> None:
    body = opened(saved, kind)
    wave = audio.from_array(tone(300, seconds=3) + noise(3), rate=22_050, to_rate=rate_of(body))
    found = features(body, wave).numpy()
    expected = direct(saved / kind, kind, cut(body, wave))
    assert found.shape == (round(3 / body.spec.seconds), body.spec.layers, body.spec.width)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    assert np.ptp(found, axis=0).max() > 50 * tolerance  # windows differ, so their order is told as well


def test_of_an_ast_only_the_rounding_of_its_frames_is_our_own(saved: Path) -> None:
    body = opened(saved, "ast")
    wave = audio.from_array(tone(300, seconds=2) + noise(2), rate=22_050, to_rate=16_000)
    pieces = cut(body, wave)
    frames = make(body.spec.spec).forward(torch.from_numpy(np.stack(pieces)))
    with torch.no_grad():
        found = body(frames.transpose(1, 2).unsqueeze(1)).numpy()
    np.testing.assert_allclose(found, direct(saved / "ast", "ast", pieces), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "rate", "seconds", "layers"),
    [("ast", 16_000, 1.26, 3), ("hubert", 16_000, 10, 3), ("clap", 48_000, 2, 1), ("clap_audio", 48_000, 2, 1)],
)
def test_rate_window_and_layers_are_the_networks_own(
    saved: Path, kind: str, rate: int, seconds: float, layers: int
) -> None:
    spec = load(str(saved / kind)).spec
    assert (spec.spec.sample_rate, spec.layers) == (rate, layers)
    assert spec.seconds == pytest.approx(seconds)  # an AST's last 20 ms are silence, as its own extractor fills
    assert spec.parameters > 1000
    assert (spec.name, spec.revision) == (kind, "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_track_shorter_than_a_window_has_features(saved: Path, kind: str) -> None:
    found = features(load(str(saved / kind)), noise(0.01, rate=16_000))
    assert len(found) == 1
    assert bool(torch.isfinite(found).all())


def test_the_input_of_the_published_ast_warns_nobody(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "ast", tmp_path / "wide")
    path = tmp_path / "wide" / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_mel_bins": 128}))  # some of them have no bin
    load(str(tmp_path / "wide"))


def test_a_fused_clap_says_the_same_twice(tmp_path: Path) -> None:
    body = load(str(networks.clap_audio(tmp_path, fused=True)))
    wave = noise(4, rate=48_000)
    found = [features(body, wave) for _ in range(6)]
    assert len(found[0]) == 2
    for again in found[1:]:
        assert torch.equal(again, found[0])


def test_the_identity_is_of_the_weights_and_not_of_the_folder(saved: Path, tmp_path: Path) -> None:
    first = load(str(saved / "hubert")).spec
    shutil.copytree(saved / "hubert", tmp_path / "elsewhere")
    assert load(str(tmp_path / "elsewhere")).spec.identity == first.identity
    assert load(str(networks.hubert(tmp_path / "other", seed=1))).spec.identity != first.identity
    assert load(str(networks.hubert(tmp_path / "rate", rate=8_000))).spec.identity != first.identity


# -- the model --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_is_rebuilt_from_what_describes_it(saved: Path, kind: str) -> None:
    body = opened(saved, kind)
    again = rebuild(PublishedSpec(**json.loads(json.dumps(body.spec.to_dict()))))
    again.load_state_dict(body.state_dict())
    wave = noise(1.5, rate=rate_of(body))
    assert torch.equal(features(again, wave), features(body, wave))


def test_rebuilding_lets_no_file_choose_the_code_of_attention(saved: Path) -> None:
    spec = load(str(saved / "hubert")).spec
    for key in ("attn_implementation", "_attn_implementation", "_attn_implementation_internal"):
        spec.config[key] = "someone/kernel"
    network: Any = rebuild(spec).network
    assert network.config._attn_implementation != "someone/kernel"


@pytest.mark.parametrize("head", ["linear", "svm"])
def test_it_is_a_model_of_the_registry(saved: Path, head: str) -> None:
    spec = opened(saved, "hubert").spec
    model = registry.create("published", 4, network=spec.to_dict(), layer="1", head=head, copied=True)
    assert isinstance(model, Published)
    windows = torch.zeros(2, 1, 1, spec.frames)
    with torch.no_grad():
        assert model(windows).shape == (2, 4)
        assert torch.equal(model.embed(windows), model.body(windows)[:, 1])
    assert model.width == spec.width


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"head": "forest"}, 'head "forest"; accepted are linear and svm'), ({"network": {}}, "does not accept")],
)
def test_options_that_make_no_model_are_refused(saved: Path, changes: dict[str, Any], message: str) -> None:
    from genrescope.errors import RecipeError

    options = {"network": load(str(saved / "hubert")).spec.to_dict(), "layer": "mean", "head": "svm", "copied": True}
    with pytest.raises(RecipeError, match=message):
        registry.create("published", 2, **(options | changes))


def test_an_architecture_that_is_not_known_is_not_rebuilt(saved: Path) -> None:
    values = load(str(saved / "hubert")).spec.to_dict() | {"model_type": "bert"}
    with pytest.raises(ValueError, match='the architecture "bert"; accepted are audio-spectrogram-transformer'):
        rebuild(PublishedSpec(**values))


def test_models_of_one_named_network_share_it(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published_loading._from_hub.cache_clear()
    spec, short = load(str(saved / "hubert")).spec, load(str(saved / "hubert"), seconds=1).spec
    monkeypatch.chdir(saved)  # its name is found here, as another's is on the hub
    assert load_same(spec).network is load_same(short).network
    assert (load_same(spec).spec, load_same(short).spec) == (spec, short)
    published_loading._from_hub.cache_clear()


@pytest.mark.parametrize("kind", ["ast", "hubert", "clap", "mert"])
def test_a_network_of_the_hub_has_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    folder = networks.on_hub(monkeypatch, tmp_path / "hub", f"someone/{kind}")
    if kind == "mert":
        networks.mert(folder, deepnorm=False)
    else:
        KINDS[kind](folder)
    published_loading._from_hub.cache_clear()
    for revision in (None, networks.COMMIT):
        spec = load(f"someone/{kind}", revision=revision).spec
        assert (spec.name, spec.revision) == (f"someone/{kind}", networks.COMMIT)
    assert load_same(spec).spec == spec
    with pytest.raises(ModelFileError, match=f"someone/{kind} cannot be loaded"):
        load(f"someone/{kind}", revision=networks.COMMIT[::-1])


# -- refusals ---------------------------------------------------------------------------------------------------


def test_without_transformers_the_extra_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingPackageError, match=r"an extra: pip install 'genrescope\[transfer\]'"):
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
    with pytest.raises(DataError, match=f"a window of {seconds:g} s; .* takes from 1 to "):
        load(str(saved / kind), seconds=seconds)


def test_a_layer_out_of_range_is_refused(saved: Path) -> None:
    with pytest.raises(DataError, match=r"has no layer 3; accepted are 0 .* to 2"):
        load(str(saved / "hubert")).spec.check_layer(3)
    with pytest.raises(DataError, match="accepted are 0, its only output"):
        load(str(saved / "clap")).spec.check_layer(1)


def test_a_mert_that_is_more_than_a_hubert_is_refused_and_its_code_not_run(tmp_path: Path) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=True)
    for code in folder.glob("*.py"):
        code.write_text("raise SystemExit('it was run')")
    with pytest.raises(ModelFileError, match=r"more than a HuBERT .* Python code, which genrescope never runs"):
        load(str(folder))


def test_a_mert_that_is_a_hubert_needs_no_code_of_others(tmp_path: Path) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=False)
    for code in folder.glob("*.py"):
        code.write_text("raise SystemExit('it was run')")
    body = load(str(folder))
    assert (body.spec.model_type, rate_of(body), body.spec.seconds) == ("mert_model", 24_000, 5.0)
    assert type(body.network).__name__ == "HubertModel"
    plain = load(str(networks.hubert(tmp_path / "plain", rate=24_000)), seconds=5)
    wave = noise(2, rate=24_000)
    assert torch.equal(features(body, wave), features(plain, wave))
    again = rebuild(body.spec)
    again.load_state_dict(body.state_dict())
    assert torch.equal(features(again, wave), features(plain, wave))


@pytest.mark.parametrize("lost", ["deepnorm", "feature_extractor_cqt"])
def test_a_mert_that_does_not_say_what_it_is_counts_as_more(tmp_path: Path, lost: str) -> None:
    folder = networks.mert(tmp_path / "mert", deepnorm=False)
    networks.change(folder, **{lost: None})
    with pytest.raises(ModelFileError, match="more than a HuBERT"):
        load(str(folder))


def test_code_that_is_not_needed_is_not_run(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved / "hubert", tmp_path / "trap")
    (tmp_path / "trap" / "trap.py").write_text("raise SystemExit('it was run')")
    networks.change(tmp_path / "trap", auto_map={"AutoConfig": "trap.Config", "AutoModel": "trap.Model"})
    assert load(str(tmp_path / "trap")).spec.layers == 3


def test_every_architecture_of_the_documents_is_known() -> None:
    assert {"audio-spectrogram-transformer", "hubert", "wav2vec2", "mert_model", "clap"} <= set(ARCHITECTURES)
