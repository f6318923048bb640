"""One file carries the whole model; whatever else is called a model file is refused without running it."""

from __future__ import annotations

import json
import os
import pickle
import stat
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from genrescope import modelfile
from genrescope.errors import ModelFileError
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec, to_dict
from genrescope.inference.scorer import Scorer
from genrescope.modelfile import Requirement, Terms, TrainingData
from genrescope.models import registry

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("blues", "caf\u00e9 jazz", "rock")


def tiny(genres: int, *, dropout: float = 0.5) -> nn.Module:
    """Return a network of a few hundred parameters."""
    return nn.Sequential(
        nn.AvgPool2d((16, 32)), nn.Flatten(), nn.Dropout(dropout), nn.Linear(32, genres), nn.BatchNorm1d(genres)
    )


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names()
    monkeypatch.setitem(registry._VARIANTS, "tiny", tiny)


def header(**changes: Any) -> modelfile.Header:
    values: dict[str, Any] = {
        "model": "tiny", "options": {"dropout": 0.25}, "labels": LABELS, "front_end": LogMelSpec(),
        "windows": WindowSpec(), "recipe": {"name": "mgcc", "training": {"epochs": 3}},
        "data": TrainingData(fingerprint="0123456789abcdef"), "made_with": "0.1.0",
    }  # fmt: skip
    return modelfile.Header(**(values | changes))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    made = tiny(3)
    made.train()(torch.randn(8, 1, 128, 128))  # so that the running statistics are not those of a fresh network
    return made


@pytest.fixture
def path(tmp_path: Path, model: nn.Module) -> Path:
    modelfile.save(tmp_path / "model.safetensors", model, header())
    return tmp_path / "model.safetensors"


def raw(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return a file's JSON header and the bytes after it, read by the letter of the format."""
    held = path.read_bytes()
    (size,) = struct.unpack("<Q", held[:8])
    return json.loads(held[8 : 8 + size]), held[8 + size :]


def rewritten(path: Path, values: Any) -> Path:
    _, tensors = raw(path)
    text = json.dumps(values).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + tensors)
    return path


def with_header(path: Path, **changes: Any) -> Path:
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"]) | changes
    values["__metadata__"]["genrescope"] = json.dumps(own)
    return rewritten(path, values)


# -- what goes in comes out -------------------------------------------------------------------------------------


def test_a_model_makes_the_round_trip(path: Path, model: nn.Module) -> None:
    loaded = modelfile.load(path)
    assert loaded.header == header()
    assert loaded.path == path
    assert not loaded.network.training
    for (name, before), (again, after) in zip(
        model.state_dict().items(), loaded.network.state_dict().items(), strict=True
    ):
        assert name == again
        assert torch.equal(before, after)
    images = torch.randn(2, 1, 128, 128)
    assert torch.equal(model.eval()(images), loaded.network(images))


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_a_model_is_the_users_own_choice(path: Path, model: nn.Module, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        modelfile.save(path, model, header())
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_loaded_model_can_be_trained_on(path: Path) -> None:
    loaded = modelfile.load(path).network.train()
    loaded(torch.randn(4, 1, 128, 128)).sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_a_run_folder_stands_for_its_model(path: Path) -> None:
    assert modelfile.load(path.parent).header == header()
    assert modelfile.read_header(path.parent) == header()


def test_the_header_carries_all_that_is_needed(path: Path) -> None:
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"])
    assert own["format"] == modelfile.FORMAT == 2
    assert own["labels"] == list(LABELS)
    assert own["front_end"] == {
        "kind": "log-mel", "sample_rate": 22_050, "n_fft": 2048, "hop": 512, "n_mels": 128, "f_min": 0.0,
        "f_max": 11_025.0, "window": "hamming", "compression": "log", "floor": 1e-6, "gain": 10_000.0,
    }  # fmt: skip
    assert own["windows"] == {
        "frames": 128, "hop": 0, "padding": "silence", "placement": "grid", "pooling": "probabilities",
    }  # fmt: skip
    assert (own["exclusive"], own["temperature"], own["thresholds"], own["requires"]) == (True, 1.0, {}, [])
    assert own["recipe"]["training"] == {"epochs": 3}
    assert own["scores"] == {}
    assert own["weights"] == {"licence": "unspecified", "citation": ""}
    assert own["data"] == {"licence": "unspecified", "citation": "", "name": "", "fingerprint": "0123456789abcdef"}
    assert own["made_with"] == "0.1.0"


def test_peers_can_read_the_weights(path: Path, model: nn.Module) -> None:
    from safetensors.torch import load_file

    assert set(load_file(path)) == set(model.state_dict())


def returned(path: Path, network: nn.Module, **changes: Any) -> modelfile.Header:
    """Return the header that comes back from a file."""
    modelfile.save(path, network, header(**changes))
    return modelfile.load(path).header


@pytest.mark.parametrize(
    "spec",
    [
        LogMelSpec(n_mels=64, f_min=30.0),
        LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10"),
        KaldiSpec(n_mels=64, mean=-3.5),
        WaveSpec(24_000),
    ],
    ids=lambda spec: spec.kind,
)
def test_every_kind_of_front_end_makes_the_round_trip(tmp_path: Path, model: nn.Module, spec: Spec) -> None:
    found = returned(tmp_path / "m.safetensors", model, front_end=spec).front_end
    assert type(found) is type(spec)
    assert found == spec


def test_how_windows_lie_makes_the_round_trip(tmp_path: Path, model: nn.Module) -> None:
    windows = WindowSpec(frames=430, hop=215, padding="repeat", placement="spread")
    assert returned(tmp_path / "m.safetensors", model, windows=windows).windows == windows


def test_labels_that_do_not_exclude_each_other_make_the_round_trip(tmp_path: Path, model: nn.Module) -> None:
    thresholds = {"blues": 0.25, "rock": 1.0}
    found = returned(tmp_path / "m.safetensors", model, exclusive=False, temperature=1.75, thresholds=thresholds)
    assert (found.exclusive, found.temperature, found.thresholds) == (False, 1.75, thresholds)


def test_terms_make_the_round_trip(tmp_path: Path, model: nn.Module) -> None:
    weights = Terms(licence="CC BY 4.0", citation="A. Author, Title, 2020")
    data = TrainingData(name="Müsic", fingerprint="0123456789abcdef", licence="CC0", citation="B. Author, 2019")
    found = returned(tmp_path / "m.safetensors", model, weights=weights, data=data)
    assert (found.weights, found.data) == (weights, data)


# -- weights that lie elsewhere -----------------------------------------------------------------------------------


NEED = Requirement(name="owner/net", revision="0f" * 20, identity="0123456789abcdef", parameters=99, prefix="3.")


def test_weights_that_are_named_are_not_copied(tmp_path: Path, model: nn.Module) -> None:
    from safetensors.torch import load_file

    modelfile.save(tmp_path / "m.safetensors", model, header(requires=(NEED,)))
    assert modelfile.read_header(tmp_path / "m.safetensors").requires == (NEED,)
    assert set(load_file(tmp_path / "m.safetensors")) == {key for key in model.state_dict() if key[:2] != "3."}


def test_weights_that_are_named_come_with_the_network(
    tmp_path: Path, model: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_own_weights(genres: int, **options: Any) -> nn.Module:
        made = tiny(genres, **options)
        with torch.device("cpu"):
            own = nn.Linear(32, genres)
        own.load_state_dict({"weight": model.get_parameter("3.weight"), "bias": model.get_parameter("3.bias")})
        made.register_module("3", own)
        return made

    path = tmp_path / "m.safetensors"
    modelfile.save(path, model, header(requires=(NEED,)))
    refused(path, "neither it nor what it requires holds the weights 3.weight and 1 more")
    monkeypatch.setitem(registry._VARIANTS, "tiny", with_own_weights)
    images = torch.randn(2, 1, 128, 128)
    assert torch.equal(modelfile.load(path).network(images), model.eval()(images))


# -- scores -----------------------------------------------------------------------------------------------------


def test_scores_are_added_and_the_weights_keep_their_bytes(path: Path) -> None:
    _, before = raw(path)
    modelfile.add_scores(path, {"test": {"accuracy": 0.69, "interval": [0.62, 0.75]}})
    modelfile.add_scores(path, {"validation": {"accuracy": 0.7}, "note": "caf\u00e9" * 100})
    _, after = raw(path)
    assert after == before
    scores = modelfile.read_header(path).scores
    assert set(scores) == {"test", "validation", "note"}
    assert scores["test"]["interval"] == [0.62, 0.75]
    assert modelfile.load(path).header == header(scores=scores)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_later_score_takes_the_place_of_the_earlier(path: Path) -> None:
    modelfile.add_scores(path, {"test": 0.1})
    modelfile.add_scores(path, {"test": 0.2})
    assert modelfile.read_header(path).scores == {"test": 0.2}


def test_a_longer_header_changes_no_prediction(tmp_path: Path) -> None:
    """The weights lie elsewhere in the file then, and products of matrices round by where their numbers lie."""
    path = tmp_path / "model.safetensors"
    network = registry.create("mgcc-small", 3).eval()
    modelfile.save(path, network, header(model="mgcc-small", labels=("a", "b", "c")))
    images, found = torch.randn(1, 1, 128, 128), []
    with torch.inference_mode():
        for length in range(0, 64, 8):
            modelfile.add_scores(path, {"note": "x" * length})
            found.append(modelfile.load(path).network(images))
    assert all(torch.equal(each, found[0]) for each in found)


# -- what is refused --------------------------------------------------------------------------------------------


def refused(path: Path, words: str | None = None) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        modelfile.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    held = path.read_bytes()
    path.write_bytes(held[: int(share * len(held))])
    refused(path, "truncated|cut short")


def test_how_much_is_missing_is_told(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])
    refused(path, "its last 7 bytes are missing; copy it again")


def test_a_foreign_safetensors_file_is_told_as_one(tmp_path: Path) -> None:
    for metadata in (None, {"made by": "another"}):
        save_file({"weight": torch.zeros(3)}, tmp_path / "foreign.safetensors", metadata)
        refused(tmp_path / "foreign.safetensors", "a safetensors file, but not one of genrescope's")


@given(held=st.binary(max_size=200))
def test_random_bytes_are_refused(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "random.safetensors").write_bytes(held)
    refused(tmp_path / "random.safetensors")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "1",
        "null",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": {"data_offsets": 3}}',
        '{"__metadata__": 5}',
        '{"__metadata__": {"genrescope": 5}}',
        '{"__metadata__": {"genrescope": "[]"}}',
        pytest.param("[" * 3000, id="nested"),
    ],
)
def test_json_that_is_no_header_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.safetensors").write_bytes(struct.pack("<Q", len(text)) + text.encode())
    refused(tmp_path / "odd.safetensors")


def test_nothing_at_the_path_is_told(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.safetensors", "no such model file or run folder")
    refused(tmp_path, "has its training ended")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(3, "use a newer genrescope"), (1, "train the model again"), ("2", "train the model again"), (None, "train")],
)
def test_another_format_is_told_with_the_one_that_is_read(path: Path, number: object, remedy: str) -> None:
    refused(
        with_header(path, format=number), f"it has the model format {number!r}; this version reads format 2: {remedy}"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "no such network"},
        {"model": 5},
        {"options": {"depth": 3}},
        {"options": {"dropout": 7}},
        {"options": 5},
        {"labels": ["one"]},
        {"labels": 5},
        {"labels": [*LABELS, "one more"]},
        {"labels": []},
        {"labels": ["one", "one", "two"]},
        {"labels": ["one", "", "two"]},
        {"front_end": {"n_mels": 64}},
        {"front_end": {"kind": "constant-q"}},
        {"front_end": {"kind": "log-mel", "n_mels": -1}},
        {"front_end": {"kind": "log-mel", "hop": 0}},
        {"front_end": {"kind": "log-mel", "colour": 1}},
        {"front_end": []},
        {"windows": 128},
        {"windows": {"frames": 0}},
        {"windows": {"frames": 128.5}},
        {"windows": {"hop": -1}},
        {"windows": {"hop": "64"}},
        {"windows": {"padding": "mirror"}},
        {"windows": {"placement": "random"}},
        {"windows": {"surprise": 1}},
        {"exclusive": 1},
        {"thresholds": {"polka": 0.5}},
        {"thresholds": {"rock": 1.5}},
        {"requires": [{"name": "owner/net"}]},
        {"weights": "CC0"},
        {"surprise": 1},
    ],
)
def test_a_header_that_does_not_hold_together_is_refused(path: Path, changes: dict[str, Any]) -> None:
    refused(with_header(path, **changes))


@pytest.mark.parametrize("key", ["model", "labels", "front_end", "windows", "format"])
def test_a_header_that_lacks_something_is_refused(path: Path, key: str) -> None:
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"])
    del own[key]
    values["__metadata__"]["genrescope"] = json.dumps(own)
    refused(rewritten(path, values), key)


def log_mel(**changes: Any) -> dict[str, Any]:
    return {"front_end": to_dict(LogMelSpec()) | changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (log_mel(n_fft=10**9), "n_fft 1000000000; accepted is a whole number"),
        (log_mel(hop=0), "hop 0; accepted"),
        (log_mel(sample_rate=10**9), "sample_rate 1000000000; accepted"),
        ({"front_end": {"kind": "wave", "sample_rate": 10**9}}, "sample_rate 1000000000; accepted"),
        ({"windows": {"frames": 10**12}}, "frames 1000000000000; accepted"),
        ({"windows": {"frames": 10**7}}, "numbers in a window; accepted are 67,108,864 at most"),
        ({"windows": {"frames": 1000, "hop": 1}}, "windows over each frame"),
        (log_mel(n_fft=65_536, hop=65_536, n_mels=1024), "numbers in the filterbank"),
        (log_mel(hop=1), "frames over each sample"),
        (log_mel(n_fft=64, hop=64, n_mels=1024), "numbers for each sample"),
        ({"front_end": {"kind": "wave"}, "windows": {"frames": 1}}, "windows in a second; accepted are 1,000 at most"),
        ({"options": {"vectors": 10**12}}, r"options: 1e\+12; accepted are numbers up to 100,000,000"),
        ({"options": {"taggers": {str(number): 1 for number in range(20_000)}}}, "options: more than 10,000"),
        ({"options": {"a": [[[[[[[1]]]]]]]}}, "more than 6 tables in each other"),
        ({"scores": {"test": float("nan")}}, "NaN is no number"),
        ({"labels": ["rock", "\ud800"]}, "surrogates not allowed"),
        ({"labels": [str(number) for number in range(1_000_000)]}, "labels: "),
        ({"temperature": 0}, "temperature: "),
        ({"temperature": -1.0}, "temperature: "),
        ({"temperature": float("nan")}, "NaN is no number"),
        ({"temperature": float("inf")}, "Infinity is no number"),
    ],
)
def test_absurd_numbers_are_refused_before_a_network_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        pytest.fail("a network was made")

    with_header(path, **changes)
    monkeypatch.setattr(registry, "create", forbidden)
    refused(path, words)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(path: Path, model: nn.Module, number: float) -> None:
    before = path.read_bytes()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["4.running_var"][1] = number
    model.load_state_dict(state)
    with pytest.raises(ModelFileError, match=r"not finite \(4\.running_var\); train the model again") as caught:
        modelfile.save(path, model, header())
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    save_file(state, path, {"genrescope": header().to_json()})
    refused(path, r"not finite \(4\.running_var\)")


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.int32])
def test_weights_of_another_kind_are_refused(path: Path, model: nn.Module, kind: torch.dtype) -> None:
    state = {name: tensor.to(kind) for name, tensor in model.state_dict().items()}
    save_file(state, path, {"genrescope": header().to_json()})
    refused(path, r"its weights .* are torch\.")


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_gives_a_model_or_a_model_file_error(tmp_path: Path, place: int, bit: int) -> None:
    path = tmp_path / "flipped.safetensors"
    torch.manual_seed(0)
    modelfile.save(path, tiny(3), header())
    held = bytearray(path.read_bytes())
    held[place % len(held)] ^= 1 << bit
    path.write_bytes(held)
    message = error_of(lambda: modelfile.load(path), ModelFileError)
    assert message is None or str(path) in message


class _Harm:
    """Harm done by whoever unpickles it."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('a pickle was run')",)


def test_loading_runs_no_pickle(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "harm.safetensors").write_bytes(pickle.dumps(_Harm()))
    refused(tmp_path / "harm.safetensors", "not a safetensors file")
    torch.save({"weight": _Harm()}, tmp_path / "harm.pt")
    refused(tmp_path / "harm.pt", "not a safetensors file")

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a pickle was read")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, forbidden)
    assert modelfile.load(path).header == header()


def test_finite_weights_that_give_no_numbers_are_told(tmp_path: Path) -> None:
    made = tiny(3).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(3e38)
    modelfile.save(tmp_path / "model.safetensors", made, header())
    scorer = Scorer.of(modelfile.load(tmp_path / "model.safetensors"))
    with pytest.raises(ModelFileError, match="scores are not numbers"):
        scorer.track(np.ones((128, 128), np.float16))
