"""The waves of a store's tracks: decoded once for all networks of a rate, never clipped, made again if damaged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import genre_folders, noise

from genrescope import audio
from genrescope.errors import DataError
from genrescope.store import waves
from genrescope.store.prepare import prepare

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.store.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Give two genres of two tracks; nothing in it may be changed."""
    root = tmp_path_factory.mktemp("store")
    return prepare(str(genre_folders(root / "music", ("blues", "jazz"))), root / "store", jobs=0).store


def test_waves_are_decoded_once_for_all_networks_of_a_rate(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = waves.keep(store, 16_000, cache=tmp_path)
    assert (first.computed, first.kept, first.failed) == (4, 0, ())
    decoded = audio.decode(store.path.parent / "music" / "jazz" / "jazz-00.wav", rate=16_000)
    wave = first.found["jazz/jazz-00.wav"]
    assert wave.samples == len(decoded)
    np.testing.assert_allclose(wave.cut(100, 500), decoded[100:600], atol=1 / 65_000)
    np.testing.assert_array_equal(wave.whole()[100:600], wave.cut(100, 500))
    monkeypatch.setattr("genrescope.audio.decode", None)  # whoever decodes fails
    again = waves.keep(store, 16_000, cache=tmp_path, data="nowhere")
    assert (again.computed, again.kept) == (0, 4)
    np.testing.assert_array_equal(again.found["jazz/jazz-00.wav"].cut(100, 500), wave.cut(100, 500))


def test_another_rate_has_waves_of_its_own_and_a_damaged_one_is_made_again(store: Store, tmp_path: Path) -> None:
    one, other = (waves.keep(store, rate, cache=tmp_path) for rate in (4_000, 8_000))
    assert other.computed == 4
    id_ = store.tracks[0].id
    assert other.found[id_].samples == 2 * one.found[id_].samples
    damaged = one.found[id_].path
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"has gone or changed .* go on with --resume"):
        one.found[id_].cut(0, 10)
    assert waves.keep(store, 4_000, cache=tmp_path).computed == 1


def test_bad_files_are_left_out_and_told(store: Store, tmp_path: Path) -> None:
    shutil.copytree(store.path.parent / "music", tmp_path / "music")
    (tmp_path / "music" / "jazz" / "jazz-01.wav").write_bytes(b"no music")
    found = waves.keep(store, 16_000, data=str(tmp_path / "music"), cache=tmp_path / "cache")
    assert [row.status for row in found.failed] == ["it has changed since the store was prepared"]
    assert (found.computed, len(found.found)) == (3, 3)
    assert "it has changed" in (found.folder / "index.csv").read_text()


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
