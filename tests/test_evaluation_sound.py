"""The store's frames and the audio files give a model the same scores; a file that cannot be used stops nothing."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
import torch
from cli_support import world

from genrescope import modelfile
from genrescope.errors import DataError
from genrescope.evaluation.sound import FileSound, StoreSound, sound_for
from genrescope.features.spec import LogMelSpec
from genrescope.inference.scorer import Scorer, track_scores
from genrescope.store.store import Store, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import World

    from genrescope.evaluation.sound import Scored
    from genrescope.modelfile import Model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def store(made: World) -> Store:
    return open_store(made.store)


@pytest.fixture(scope="module")
def model(made: World) -> Model:
    return modelfile.load(made.run)


def by_track(scored: Scored) -> dict[str, torch.Tensor]:
    shares = track_scores(scored.scores, scored.placed.tracks, count=len(scored.tracks))
    return dict(zip((track.id for track in scored.tracks), shares, strict=True))


def test_the_store_and_the_files_give_the_same_scores(model: Model, store: Store) -> None:
    scorer = Scorer.of(model)
    kept, decoded = (sound.score(scorer, store.tracks) for sound in (StoreSound(store), FileSound.of(store)))
    assert kept.placed.tracks.tolist() == decoded.placed.tracks.tolist()
    assert (kept.failed, decoded.failed) == ({}, {})
    torch.testing.assert_close(decoded.scores, kept.scores, rtol=0, atol=1e-6)
    assert len(kept.scores) > len(store.tracks), "some tracks have several windows"
    assert len({tuple(row) for row in kept.scores.tolist()}) > 1


def test_a_file_that_cannot_be_decoded_is_named_and_the_others_are_scored(
    model: Model, store: Store, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"not a song")
    tracks = store.tracks[:5]
    broken, absent = tracks[0].id, tracks[3].id
    paths = {**FileSound.of(store).paths, broken: tmp_path / "broken.wav"}
    found = FileSound({name: path for name, path in paths.items() if name != absent}).score(Scorer.of(model), tracks)
    assert found.tracks == [tracks[1], tracks[2], tracks[4]]
    assert set(found.failed) == {broken, absent}
    assert found.failed[broken]
    assert found.failed[absent] == "file: it is not in DATA"
    expected = by_track(StoreSound(store).score(Scorer.of(model), tracks))
    for track_id, scores in by_track(found).items():
        torch.testing.assert_close(scores, expected[track_id], rtol=0, atol=1e-6)


def test_where_no_file_can_be_decoded_there_is_nothing_to_score(model: Model, store: Store) -> None:
    with pytest.raises(DataError, match=r"none of the 24 tracks can be decoded; drone.*: file: it is not in DATA"):
        FileSound({}).score(Scorer.of(model), store.tracks)


def test_audio_that_is_gone_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the model needs the audio that .* was prepared from, which is not there"):
        FileSound.of(dataclasses.replace(store, data=str(tmp_path / "gone")))


def test_files_are_decoded_only_where_the_store_has_other_frames(model: Model, store: Store) -> None:
    other = dataclasses.replace(model, header=model.header.model_copy(update={"front_end": LogMelSpec(n_mels=64)}))
    assert sound_for(model, store) == StoreSound(store)
    assert isinstance(sound_for(other, store), FileSound)
