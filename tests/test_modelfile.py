"""One file carries the whole model; whatever else is called a model file is refused without running it."""

from __future__ import annotations

import json
import os
import pickle
import stat
import struct
from typing import TYPE_CHECKING, Any

import pytest
import torch
from conftest import error_of
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from genrescope import modelfile
from genrescope.errors import ModelFileError
from genrescope.features.spec import LogMelSpec
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
        "model": "tiny", "options": {"dropout": 0.25}, "labels": LABELS, "front_end": LogMelSpec(), "window": 128,
        "recipe": {"name": "mgcc", "training": {"epochs": 3}}, "data": "0123456789abcdef", "made_with": "0.1.0",
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
    assert not loaded.model.training
    for (name, before), (again, after) in zip(
        model.state_dict().items(), loaded.model.state_dict().items(), strict=True
    ):
        assert name == again
        assert torch.equal(before, after)
    images = torch.randn(2, 1, 128, 128)
    assert torch.equal(model.eval()(images), loaded.model(images))


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
    loaded = modelfile.load(path).model.train()
    loaded(torch.randn(4, 1, 128, 128)).sum().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_a_run_folder_stands_for_its_model(path: Path) -> None:
    assert modelfile.load(path.parent).header == header()
    assert modelfile.read_header(path.parent) == header()


def test_the_header_carries_all_that_is_needed(path: Path) -> None:
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"])
    assert own["format"] == 1
    assert own["labels"] == list(LABELS)
    assert own["front_end"] == {
        "sample_rate": 22_050, "n_fft": 2048, "hop": 512, "n_mels": 128, "f_min": 0.0, "f_max": 11_025.0,
        "kind": "log-mel", "window": "hamming", "compression": "log", "floor": 1e-6, "gain": 10_000.0,
    }  # fmt: skip
    assert own["window"] == 128
    assert own["recipe"]["training"] == {"epochs": 3}
    assert own["scores"] == {}
    assert "training data" in own["licence"]
    assert (own["data"], own["made_with"]) == ("0123456789abcdef", "0.1.0")


def test_peers_can_read_the_weights(path: Path, model: nn.Module) -> None:
    from safetensors.torch import load_file

    assert set(load_file(path)) == set(model.state_dict())


def test_other_front_ends_make_the_round_trip(tmp_path: Path, model: nn.Module) -> None:
    spec = LogMelSpec(n_mels=64, f_min=30.0)
    modelfile.save(tmp_path / "m.safetensors", model, header(front_end=spec))
    assert modelfile.read_header(tmp_path / "m.safetensors").front_end == spec


def test_how_windows_lie_makes_the_round_trip_and_older_files_lie_side_by_side(tmp_path: Path, path: Path) -> None:
    modelfile.save(tmp_path / "m.safetensors", tiny(3), header(window=430, hop=215, padding="repeat"))
    found = modelfile.read_header(tmp_path / "m.safetensors")
    assert (found.window, found.hop, found.padding) == (430, 215, "repeat")
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"])
    values["__metadata__"]["genrescope"] = json.dumps({k: v for k, v in own.items() if k not in ("hop", "padding")})
    older = modelfile.load(rewritten(path, values)).header
    assert (older.window, older.hop, older.padding) == (128, 0, "silence")


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


def test_a_newer_format_asks_for_a_newer_genrescope(path: Path) -> None:
    refused(with_header(path, format=2), "use a newer genrescope")


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
        {"front_end": {"n_mels": -1}},
        {"front_end": {"hop": 0}},
        {"front_end": {"colour": 1}},
        {"front_end": []},
        {"window": 0},
        {"window": 128.5},
        {"hop": -1},
        {"hop": "64"},
        {"padding": "mirror"},
        {"surprise": 1},
    ],
)
def test_a_header_that_does_not_hold_together_is_refused(path: Path, changes: dict[str, Any]) -> None:
    refused(with_header(path, **changes))


@pytest.mark.parametrize("key", ["model", "labels", "front_end", "window", "format"])
def test_a_header_that_lacks_something_is_refused(path: Path, key: str) -> None:
    values, _ = raw(path)
    own = json.loads(values["__metadata__"]["genrescope"])
    del own[key]
    values["__metadata__"]["genrescope"] = json.dumps(own)
    refused(rewritten(path, values), key)


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
