"""The embeddings of a store's tracks: each file is read once by each network, and faults are told."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import transfer_support as networks
from conftest import genre_folders

from genrescope.errors import DataError
from genrescope.features.front_end import frames_of, make
from genrescope.inference.scorer import Scorer
from genrescope.models.published import Body
from genrescope.models.published_loading import load
from genrescope.store.embeddings import NETWORK_FILE, extract
from genrescope.store.index import read_index
from genrescope.store.prepare import prepare
from genrescope.store.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.store.audio_cache import CacheProgress
    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with an AST and a HuBERT."""
    root = tmp_path_factory.mktemp("networks")
    networks.ast(root / "ast")
    networks.hubert(root / "hubert")
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of three tracks; nothing in it may be changed."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(genre_folders(root / "music", ("blues", "jazz"), tracks=3)), root / "store", jobs=0).store


@pytest.fixture
def own(store: Store, tmp_path: Path) -> Store:
    """Give a copy of the store whose music may be changed."""
    shutil.copytree(store.path.parent, tmp_path / "own")
    opened = open_store(tmp_path / "own" / "store")
    return dataclasses.replace(opened, data=str(tmp_path / "own" / "music"))


def without_weights(body: Body) -> Body:
    """Return a network that cannot be asked anything: whoever does fails."""
    network: Any = None
    return Body(body.spec, network)


def test_every_file_is_read_once_and_as_a_prediction_reads_it(saved: Path, store: Store, tmp_path: Path) -> None:
    body = load(str(saved / "ast"))
    first = extract(store, body, cache=tmp_path)
    assert (first.computed, first.kept, first.failed) == (6, 0, ())
    frames, _ = frames_of(store.path.parent / "music" / "blues" / "blues-00.wav", make(body.spec.spec))
    scorer = Scorer(body, front_end=body.spec.spec, windows=body.spec.windows)
    expected = scorer.outputs(body, frames).mean(dim=1)
    np.testing.assert_array_equal(first.found["blues/blues-00.wav"], expected.numpy())
    again = extract(store, without_weights(body), cache=tmp_path, data="nowhere")
    assert (again.computed, again.kept) == (0, 6)
    for track_id, values in first.found.items():
        np.testing.assert_array_equal(again.found[track_id], values)


def test_another_layer_computes_nothing(saved: Path, store: Store, tmp_path: Path) -> None:
    body = load(str(saved / "hubert"))
    mean = extract(store, body, cache=tmp_path).found
    silent = without_weights(body)
    layers = [extract(store, silent, layer=str(number), cache=tmp_path).found for number in range(3)]
    for track_id, values in mean.items():
        np.testing.assert_allclose(np.mean([layer[track_id] for layer in layers], axis=0), values, rtol=1e-5, atol=1e-6)
    assert not np.allclose(layers[0]["blues/blues-00.wav"], layers[2]["blues/blues-00.wav"])


def test_an_interrupted_run_goes_on(saved: Path, store: Store, tmp_path: Path) -> None:
    def stop(at: CacheProgress) -> None:
        if at.done == 4:
            raise KeyboardInterrupt

    body = load(str(saved / "hubert"))
    with pytest.raises(KeyboardInterrupt):
        extract(store, body, cache=tmp_path, on_track=stop)
    done = extract(store, body, cache=tmp_path)
    assert (done.computed, done.kept) == (2, 4)
    whole = extract(store, body, cache=tmp_path / "whole")
    for track_id, values in whole.found.items():
        np.testing.assert_array_equal(done.found[track_id], values)


def test_another_network_or_window_has_embeddings_of_its_own(saved: Path, store: Store, tmp_path: Path) -> None:
    body = load(str(saved / "hubert"))
    first = extract(store, body, cache=tmp_path)
    for other in (load(str(networks.hubert(tmp_path / "other", seed=1))), load(str(saved / "hubert"), seconds=2)):
        found = extract(store, other, cache=tmp_path)
        assert (found.computed, found.kept) == (6, 0)
        assert found.folder != first.folder
    told = json.loads((first.folder / NETWORK_FILE).read_text())
    assert (told["identity"], told["front_end"]["sample_rate"], told["layers"]) == (body.spec.identity, 16_000, 3)


def test_a_damaged_file_of_embeddings_is_made_again(saved: Path, store: Store, tmp_path: Path) -> None:
    body = load(str(saved / "hubert"))
    first = extract(store, body, cache=tmp_path)
    damaged = min(first.folder.glob("*.safetensors"))
    damaged.write_bytes(damaged.read_bytes()[:50])
    assert extract(store, body, cache=tmp_path).computed == 1


def test_bad_files_are_named_and_stop_nothing(saved: Path, own: Store) -> None:
    music = own.path.parent / "music"
    (music / "jazz" / "jazz-00.wav").write_bytes(b"no music")
    (music / "jazz" / "jazz-01.wav").unlink()
    done = extract(own, load(str(saved / "hubert")))
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


def test_embeddings_that_are_not_finite_are_not_used(saved: Path, store: Store, tmp_path: Path) -> None:
    body = load(str(saved / "hubert"))
    network: Any = body.network
    with torch.no_grad():
        network.encoder.layer_norm.weight.fill_(float("nan"))
    with pytest.raises(DataError, match=r"none of the 6 tracks could be used; .* its embeddings are not finite"):
        extract(store, body, cache=tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_audio_that_was_moved_is_asked_for(saved: Path, own: Store) -> None:
    body = load(str(saved / "hubert"))
    music = own.path.parent / "music"
    music.rename(own.path.parent / "moved")
    with pytest.raises(DataError, match=r"was prepared from is not there .* with --data"):
        extract(own, body)
    assert extract(own, body, data=str(own.path.parent / "moved")).computed == 6


def test_audio_of_something_else_is_refused(saved: Path, own: Store, tmp_path: Path) -> None:
    other = genre_folders(tmp_path / "strange", ("polka",), tracks=1)
    with pytest.raises(DataError, match="has none of the tracks of"):
        extract(own, load(str(saved / "hubert")), data=str(other))
