"""Prediction: the same song gives the same answer through every door, and doubt is said."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import shutil
import signal
import threading
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from cli_support import GENRES, world
from conftest import RATE, noise, sweep, tone, write
from torch import nn

import genrescope
from genrescope import audio, modelfile, results, workers
from genrescope.cli import predict as predict_command
from genrescope.errors import AudioError, ModelFileError, TrainingError
from genrescope.features import frame_file, song_frames
from genrescope.features.front_end import make
from genrescope.features.placement import WindowSpec
from genrescope.inference.classifier import Classifier
from genrescope.inference.prediction import Failure, Prediction
from genrescope.inference.songs import find_songs
from genrescope.models import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt
    from cli_support import World

WINDOW = 128 * 512 / RATE  # seconds


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def classifier(made: World) -> Classifier:
    return genrescope.load(made.run, device="cpu")


def apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    assert set(one) == set(other)
    return max(abs(one[genre] - other[genre]) for genre in one)


def network_of(classifier: Classifier) -> nn.Module:
    return classifier._model.network


def changed(run: Path, **header: Any) -> Classifier:
    """Return a run's classifier with another header."""
    loaded = modelfile.load(run)
    return Classifier(dataclasses.replace(loaded, header=loaded.header.model_copy(update=header)))


# -- one song -----------------------------------------------------------------------------------------------------


def test_a_file_and_its_samples_give_the_same_answer(classifier: Classifier, tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", sweep(seconds=9.5), subtype="FLOAT")
    from_file = classifier.predict(path)
    from_array = classifier.predict(sweep(seconds=9.5), sample_rate=RATE)
    assert from_array.scores == from_file.scores
    assert from_array.windows == from_file.windows
    assert from_array.seconds == from_file.seconds == 9.5


def test_the_bytes_of_a_file_give_its_answer(classifier: Classifier, made: World) -> None:
    song = made.songs()[1]
    from_bytes = classifier.predict(song.read_bytes())
    assert from_bytes.scores == classifier.predict(song).scores == classifier.predict(str(song)).scores
    assert (from_bytes.path, from_bytes.name) == (None, f"{song.stat().st_size} bytes")
    assert (classifier.predict(song).path, classifier.predict(song).name) == (song, str(song))


def test_a_file_in_memory_and_an_open_file_give_its_answer(classifier: Classifier, made: World) -> None:
    song = made.songs()[1]
    expected = classifier.predict(song)
    with song.open("rb") as file:
        from_open = classifier.predict(file)
    for found in (from_open, classifier.predict(io.BytesIO(song.read_bytes()))):
        assert dataclasses.replace(found, path=song, name=str(song)) == expected
        assert (found.path, found.name) == (None, f"{song.stat().st_size} bytes")
    kept = io.BytesIO(song.read_bytes())
    many = list(classifier.predict_many([song, kept]))
    assert [found.scores for found in many if isinstance(found, Prediction)] == [expected.scores] * 2


def test_an_open_file_that_stands_at_its_end_is_refused(classifier: Classifier, made: World) -> None:
    written = io.BytesIO()
    written.write(made.songs()[0].read_bytes())
    with pytest.raises(AudioError, match=r"nothing is left to read; go back to the beginning with seek\(0\)"):
        classifier.predict(written)


def test_a_file_that_does_not_exist_is_an_error_of_ours_and_of_python(classifier: Classifier, tmp_path: Path) -> None:
    missing = tmp_path / "nothing.wav"
    calls: list[Callable[[], object]] = [
        lambda: classifier.predict(missing), lambda: classifier.embed(missing), lambda: genrescope.load(missing),
        lambda: genrescope.decode(missing), lambda: genrescope.probe(missing), lambda: genrescope.open_store(missing),
        lambda: find_songs([missing]), lambda: genrescope.prepare(str(missing), tmp_path / "store"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(FileNotFoundError, match=r"nothing\.wav") as caught:
            call()
        assert isinstance(caught.value, genrescope.GenrescopeError)
        assert "[Errno" not in str(caught.value)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))


@pytest.mark.parametrize("song", [5, None, [0.1, 0.2], io.StringIO("song.wav")], ids=lambda song: type(song).__name__)
def test_what_is_no_song_is_refused(classifier: Classifier, song: Any) -> None:
    with pytest.raises(TypeError, match=f"a song of type {type(song).__name__}; accepted are a path, bytes, an open"):
        classifier.predict(song)


def test_rate_and_channels_of_a_file_change_little(classifier: Classifier, tmp_path: Path) -> None:
    mono = write(tmp_path / "mono.wav", sweep(seconds=6.5), subtype="FLOAT")
    fine = sweep(rate=44_100, seconds=6.5)
    stereo = write(tmp_path / "stereo.wav", np.stack([fine, fine], axis=1), rate=44_100, subtype="FLOAT")
    one, other = classifier.predict(mono), classifier.predict(stereo)
    assert other.seconds == pytest.approx(one.seconds, abs=1e-3)
    assert len(other.windows) == len(one.windows) == 2
    assert apart(one.scores, other.scores) < 0.05
    assert classifier.predict(np.stack([fine, fine]), sample_rate=44_100).scores == other.scores


def test_a_tensor_gives_the_answer_of_its_array(classifier: Classifier) -> None:
    song = sweep(seconds=6.5)
    expected = classifier.predict(song, sample_rate=RATE)
    stereo = torch.from_numpy(np.stack([song, song]))
    for tensor in (torch.from_numpy(song).requires_grad_(), stereo, torch.from_numpy(song).double()):
        assert classifier.predict(tensor, sample_rate=RATE) == expected
    rough = classifier.predict(torch.from_numpy(song).bfloat16(), sample_rate=RATE)  # which NumPy lacks
    assert len(rough.windows) == len(expected.windows)
    whole = torch.from_numpy((song * 32_767).astype(np.int16))
    assert apart(classifier.predict(whole, sample_rate=RATE).scores, expected.scores) < 0.02
    with pytest.raises(ValueError, match="need their `sample_rate`"):
        classifier.predict(stereo)
    with pytest.raises(AudioError, match=r"looks like \(samples, channels\); give \(channels, samples\): samples\.T"):
        classifier.predict(stereo.T, sample_rate=RATE)


def test_a_rate_is_a_whole_number(classifier: Classifier) -> None:
    song = sweep(seconds=6.5)
    expected = classifier.predict(song, sample_rate=RATE)
    assert classifier.predict(song, sample_rate=np.int64(RATE)) == expected  # type: ignore[arg-type]
    assert classifier.predict(song, sample_rate=float(RATE)) == expected  # type: ignore[arg-type]
    odd: list[Any] = ["22050", 22_050.5, float("nan")]
    for rate in odd:
        with pytest.raises(ValueError, match="accepted is a whole number of samples per second"):
            classifier.predict(song, sample_rate=rate)


def test_a_wrong_rate_is_another_song(classifier: Classifier) -> None:
    """This is why an array has no default rate."""
    song = sweep(seconds=6.5)
    assert classifier.predict(song, sample_rate=RATE).seconds == 6.5
    assert classifier.predict(song, sample_rate=2 * RATE).seconds == pytest.approx(3.25, abs=1e-3)


def test_an_array_needs_its_rate_and_a_file_has_it(classifier: Classifier, made: World) -> None:
    with pytest.raises(ValueError, match="need their `sample_rate`"):
        classifier.predict(np.zeros(RATE))
    for file in (made.songs()[0], str(made.songs()[0]), made.songs()[0].read_bytes()):
        with pytest.raises(ValueError, match="states its own rate"):
            classifier.predict(file, sample_rate=RATE)


@pytest.mark.parametrize(
    "samples", [np.zeros(0), np.zeros((2, 100)), np.full(RATE, np.nan), np.zeros((5, 5, 5))], ids=lambda s: str(s.shape)
)
def test_samples_that_are_no_sound_are_refused(classifier: Classifier, samples: npt.NDArray[Any]) -> None:
    with pytest.raises(AudioError):
        classifier.predict(samples, sample_rate=RATE)


def test_a_file_that_is_no_sound_is_refused(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "letter.mp3").write_text("Dear reader")
    with pytest.raises(AudioError, match=r"letter\.mp3: FFmpeg: .*; libsndfile: "):
        classifier.predict(tmp_path / "letter.mp3")
    with pytest.raises(AudioError, match="no such file"):
        classifier.predict(tmp_path / "nothing.mp3")
    with pytest.raises(AudioError, match="0 bytes"):
        classifier.predict(b"")


def test_scores_are_probabilities_the_highest_first(classifier: Classifier) -> None:
    found = classifier.predict(sweep(seconds=9.5), sample_rate=RATE)
    assert set(found.scores) == set(classifier.genres) == set(GENRES)
    assert sum(found.scores.values()) == pytest.approx(1, abs=1e-5)
    assert list(found.scores.values()) == sorted(found.scores.values(), reverse=True)
    assert found.top(1) == [(found.genre, found.confidence)]
    assert len(found.top(10)) == len(GENRES)
    for window in found.windows:
        assert sum(window.scores.values()) == pytest.approx(1, abs=1e-5)
        assert window.genre == max(window.scores, key=lambda genre: window.scores[genre])


def test_a_songs_scores_are_the_mean_of_its_windows(classifier: Classifier) -> None:
    found = classifier.predict(sweep(seconds=13), sample_rate=RATE)
    for genre in classifier.genres:
        mean = np.mean([window.scores[genre] for window in found.windows])
        assert found.scores[genre] == pytest.approx(mean, abs=1e-6)


def test_windows_stand_side_by_side(classifier: Classifier) -> None:
    found = classifier.predict(noise(30.0), sample_rate=RATE)
    assert len(found.windows) == 10
    assert [window.start for window in found.windows] == pytest.approx([n * WINDOW for n in range(10)])
    assert [window.end for window in found.windows] == pytest.approx([(n + 1) * WINDOW for n in range(10)])
    assert found.windows[-1].end <= found.seconds
    assert found.warning is None


def test_windows_overlap_and_short_songs_are_repeated_where_the_model_learnt_so(
    classifier: Classifier, made: World
) -> None:
    half = changed(made.run, windows=WindowSpec(hop=64, padding="repeat"))
    song = noise(9.5)
    found, apart_ones = half.predict(song, sample_rate=RATE), classifier.predict(song, sample_rate=RATE)
    assert [window.start for window in found.windows] == pytest.approx([n * WINDOW / 2 for n in range(5)])
    for whole, other in zip(apart_ones.windows, found.windows[::2], strict=True):
        assert apart(whole.scores, other.scores) < 1e-5
    short = half.predict(noise(1.0), sample_rate=RATE)
    assert short.warning is not None
    assert short.warning.endswith("of 2.97 s), repeated to fill it")
    assert apart(short.scores, classifier.predict(noise(1.0), sample_rate=RATE).scores) > 1e-4


def test_a_windows_scores_do_not_depend_on_the_rest_of_the_song(classifier: Classifier) -> None:
    song = np.concatenate([tone(330.0, seconds=2 * WINDOW), noise(2 * WINDOW)])
    whole, other = (
        classifier.predict(song, sample_rate=RATE),
        classifier.predict(song[: len(song) // 2], sample_rate=RATE),
    )
    assert apart(whole.windows[0].scores, other.windows[0].scores) < 1e-5


@pytest.mark.parametrize("seconds", [0.01, 0.5, 2.9])
def test_a_short_song_is_padded_and_said_to_be(classifier: Classifier, seconds: float) -> None:
    found = classifier.predict(noise(seconds), sample_rate=RATE)
    assert len(found.windows) == 1
    assert found.windows[0].end == pytest.approx(found.seconds)
    assert found.warning is not None
    assert "shorter than one window" in found.warning
    assert f"{found.seconds:.2f} s of 2.97 s" in found.warning


def test_silence_is_said_to_be(classifier: Classifier) -> None:
    for silence in (np.zeros(5 * RATE), 1e-3 * noise(5.0)):
        found = classifier.predict(silence, sample_rate=RATE)
        count = len(found.windows)
        assert found.warning == f"silence: nothing is louder than -60 dB of full scale in {count} of {count} windows"
        assert found.silent_windows == len(found.windows)
    assert classifier.predict(0.05 * noise(5.0), sample_rate=RATE).warning is None


def test_silence_is_said_of_the_windows_that_were_scored_not_of_the_whole_song(classifier: Classifier) -> None:
    song = np.zeros(300 * RATE)
    song[: RATE // 2] = 0.1 * noise(0.5)  # before the first of ten windows that are spread over five minutes
    found = classifier.predict(song, sample_rate=RATE)
    assert found.warning == "silence: nothing is louder than -60 dB of full scale in 10 of 10 windows"


@pytest.mark.parametrize("quiet", [np.zeros(60 * RATE, np.float32), 1e-4 * noise(60.0) / 0.1])
def test_silence_does_not_vote(made: World, quiet: npt.NDArray[np.float32]) -> None:
    classifier = genrescope.load(made.run, device="cpu", windows="all")
    window = round(classifier.info.window_seconds * RATE)
    song = sweep(seconds=30)[: 10 * window]
    alone = classifier.predict(song, sample_rate=RATE)
    assert (alone.warning, alone.silent_windows) == (None, 0)
    followed = classifier.predict(np.concatenate([song, quiet]), sample_rate=RATE)
    sounding = [found for found in followed.windows if not found.silent]
    assert len(sounding) in (10, 11)  # the sound may reach a frame into the next window
    assert followed.genre == alone.genre
    for genre, score in followed.scores.items():
        assert score == pytest.approx(np.mean([found.scores[genre] for found in sounding]), abs=1e-6)
    assert followed.warning == (
        "mostly silence: nothing is louder than -60 dB of full scale in "
        f"{followed.silent_windows} of {len(followed.windows)} windows"
    )
    assert followed.to_dict()["silent_windows"] == followed.silent_windows


@pytest.mark.parametrize("windows", [10, "all"])
def test_memory_of_a_prediction_does_not_grow_with_the_song(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: Any
) -> None:
    classifier = genrescope.load(made.run, device="cpu", windows=windows)
    monkeypatch.setattr(frame_file, "_IN_MEMORY", 1 << 16)
    peaks = []
    for minutes in (1, 8):
        path = write(tmp_path / f"{minutes}.wav", sweep(seconds=60.0 * minutes))
        tracemalloc.start()
        try:
            sound = classifier.decode(path)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert sound.seconds == pytest.approx(60 * minutes)
    assert peaks[1] < 1.5 * peaks[0]


def test_a_prediction_can_be_written_as_json(classifier: Classifier) -> None:
    facts = json.loads(json.dumps(classifier.predict(sweep(), sample_rate=RATE).to_dict(), allow_nan=False))
    assert set(facts) == {
        "path", "name", "genre", "confidence", "unknown", "labels", "warning", "seconds", "silent_windows", "scores",
        "tags", "windows",
    }  # fmt: skip
    assert facts["confidence"] == max(facts["scores"].values())
    assert [set(window) for window in facts["windows"]] == [{"start", "end", "genre", "silent", "scores"}] * 2


def test_threads_may_share_a_classifier(classifier: Classifier, made: World) -> None:
    songs = made.songs()
    alone = [classifier.predict(song).scores for song in songs]
    found: dict[int, dict[str, float]] = {}

    def work(number: int) -> None:
        found[number] = classifier.predict(songs[number]).scores

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(songs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(apart(found[number], alone[number]) < 1e-6 for number in range(len(songs)))


def test_a_model_that_cannot_be_loaded_is_refused(made: World, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model file or run folder"):
        genrescope.load(tmp_path / "nothing")
    with pytest.raises(ModelFileError, match="is it a run folder"):
        genrescope.load(tmp_path)
    with pytest.raises(TrainingError, match="no device called"):
        genrescope.load(made.run, device="tpu")


# -- many songs ---------------------------------------------------------------------------------------------------


def test_the_model_is_loaded_once_for_many_songs(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[object] = []
    real = modelfile.load

    def spy(path: str | Path, *, device: str = "cpu") -> modelfile.Model:
        loads.append(path)
        return real(path, device=device)

    monkeypatch.setattr(modelfile, "load", spy)
    predict_command.predict(made.run, [made.music / "drone", made.music / "hiss"], quiet=True)
    assert loads == [made.run]


def test_bad_songs_stop_nothing_and_the_order_stays(classifier: Classifier, made: World, tmp_path: Path) -> None:
    letter = tmp_path / "letter.mp3"
    letter.write_text("Dear reader")
    good = made.songs()
    songs = [letter, good[0], tmp_path / "nothing.wav", *good[1:], letter]
    found = list(classifier.predict_many(songs))
    assert [result.path for result in found] == songs
    assert [result.name for result in found] == list(map(str, songs))
    failed = [number for number, result in enumerate(found) if isinstance(result, Failure)]
    assert failed == [0, 2, len(songs) - 1]
    for result in found:
        if isinstance(result, Prediction):
            assert result.scores == classifier.predict(result.name).scores


def test_no_songs_are_no_predictions(classifier: Classifier) -> None:
    assert list(classifier.predict_many([])) == []


def test_decoding_runs_ahead_but_not_away(classifier: Classifier, made: World) -> None:
    """Songs are asked for as they are needed, so a library of any size fits."""
    asked: list[Path] = []

    def songs() -> Any:
        for song in made.songs() * 5:
            asked.append(song)
            yield song

    results = classifier.predict_many(songs())
    next(results)
    assert len(asked) < 10
    results.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def failing_decoder(error: Exception | None, bad: Path, wanted: song_frames.Wanted) -> Callable[[audio.Source], Any]:
    """Decode in a worker, and fail, or crash where there is no error, at `bad`."""
    front_end = make(wanted.spec)

    def heard(source: audio.Source) -> Iterator[Any]:
        if source in (bad, b"bad"):
            if error is None:
                os.kill(os.getpid(), signal.SIGSEGV)
            else:
                raise error
        yield from song_frames._sent(wanted, front_end, source)

    return heard


def test_a_crash_of_a_decoder_is_one_songs_failure(
    classifier: Classifier, made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = made.songs()[0], made.songs()[1]
    monkeypatch.setattr(song_frames, "_frame_worker", partial(failing_decoder, None, bad))
    songs = [good, bad, good, bad, bad, good]
    found = list(classifier.predict_many(songs))
    assert [isinstance(each, Failure) for each in found] == [song == bad for song in songs]
    assert {each.reason for each in found if isinstance(each, Failure)} == {workers.CRASHED}


def test_a_pipe_is_read(classifier: Classifier, made: World, tmp_path: Path) -> None:
    song, pipe = made.songs()[0], tmp_path / "pipe"
    os.mkfifo(pipe)
    for predict in (classifier.predict, lambda path: next(iter(classifier.predict_many([path])))):
        writer = threading.Thread(target=lambda: pipe.write_bytes(song.read_bytes()))
        writer.start()
        found = predict(pipe)
        writer.join()
        assert isinstance(found, Prediction)
        assert (found.path, found.scores) == (pipe, classifier.predict(song).scores)


@pytest.mark.parametrize(
    "error",
    [
        AudioError("song", [("libsndfile", "odd")]),
        OSError("odd"),
        ValueError("odd"),
        RecursionError("odd"),
        MemoryError("odd"),
    ],
)
def test_whatever_a_decoder_raises_is_a_failure(
    classifier: Classifier, made: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    good, bad = made.songs()[0], made.songs()[1]
    monkeypatch.setattr(song_frames, "_frame_worker", partial(failing_decoder, error, bad))
    one, failed, held, two = classifier.predict_many([good, bad, b"bad", str(good)])
    assert isinstance(one, Prediction)
    assert one == two
    cause = {AudioError: "libsndfile", OSError: "file"}.get(type(error), type(error).__name__)
    reason = "it needs more memory than a file may take" if cause == "MemoryError" else f"{cause}: odd"
    assert failed == Failure(bad, str(bad), reason)
    assert held == Failure(None, "3 bytes", reason)
    assert failed.to_dict() == {"path": str(bad), "name": str(bad), "reason": reason}


def test_what_is_no_song_is_a_failure_among_many(classifier: Classifier) -> None:
    odd: list[Any] = [5, b""]
    first, second = classifier.predict_many(odd)
    assert isinstance(first, Failure)
    assert (first.path, first.name) == (None, "a song of type int")
    assert first.reason.startswith("TypeError: a song of type int; accepted are")
    assert second == Failure(None, "0 bytes", "file: empty: 0 bytes")


# -- embeddings, labels that do not exclude each other, ensembles ---------------------------------------------------


def test_an_embedding_is_the_mean_of_those_of_the_windows(classifier: Classifier) -> None:
    song = sweep(seconds=9.5)
    found = classifier.embed(song, sample_rate=RATE)
    assert found.dtype == np.float32
    assert found.shape == (classifier.info.embedding_width,)
    network, frames = network_of(classifier), classifier.decode(song, sample_rate=RATE).frames
    images = torch.from_numpy(np.stack([frames[128 * n : 128 * (n + 1)].T for n in range(3)])[:, None]).float()
    with torch.inference_mode():
        expected = network.embed(images).mean(dim=0)  # type: ignore[operator]
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
    assert np.abs(found - classifier.embed(noise(9.5), sample_rate=RATE)).max() > 1e-3


def test_a_network_without_embeddings_says_so(made: World) -> None:
    loaded = modelfile.load(made.run)
    bare = Classifier(dataclasses.replace(loaded, network=nn.Sequential(loaded.network)))
    assert bare.info.embedding_width == 0
    assert (
        bare.predict(sweep(), sample_rate=RATE).scores == Classifier(loaded).predict(sweep(), sample_rate=RATE).scores
    )
    with pytest.raises(ModelFileError, match="gives no embeddings"):
        bare.embed(sweep(), sample_rate=RATE)


def test_labels_that_do_not_exclude_each_other_have_scores_of_their_own(classifier: Classifier, made: World) -> None:
    tags = changed(made.run, exclusive=False)
    song = sweep(seconds=6.5)
    found, one = tags.predict(song, sample_rate=RATE), classifier.predict(song, sample_rate=RATE)
    assert all(0 <= score <= 1 for score in found.scores.values())
    assert abs(sum(found.scores.values()) - 1) > 0.05
    for window, other in zip(found.windows, one.windows, strict=True):
        odds = {genre: score / (1 - score) for genre, score in window.scores.items()}  # exp(logit)
        softmax = {genre: value / sum(odds.values()) for genre, value in odds.items()}
        assert apart(softmax, other.scores) < 1e-4


def test_the_folder_of_a_cross_validation_votes(made: World, tmp_path: Path) -> None:
    folds = []
    for number in range(2):
        run = shutil.copytree(made.run, tmp_path / "folds" / str(number))
        loaded = modelfile.load(run)
        torch.manual_seed(number)
        with torch.no_grad():
            for parameter in loaded.network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter) * parameter.std())
        header = loaded.header.model_copy(update={"temperature": 1.0 + number})
        modelfile.save(run / modelfile.FILE_NAME, loaded.network, header)
        folds.append({"run": f"folds/{number}"})
    (tmp_path / modelfile.CROSSVAL_NAME).write_text(json.dumps({"crossval": {"folds": folds}}))
    members = [genrescope.load(tmp_path / fold["run"], device="cpu") for fold in folds]
    ensemble = genrescope.load(tmp_path, device="cpu")
    song = made.songs()[1]
    found, each = ensemble.predict(song), [member.predict(song) for member in members]
    assert apart(each[0].scores, each[1].scores) > 1e-3
    mean = {genre: float(np.mean([one.scores[genre] for one in each])) for genre in GENRES}
    assert apart(found.scores, mean) < 1e-5
    assert ensemble.info.parameters == 2 * members[0].info.parameters
    assert ensemble.embed(song).shape == (2 * members[0].info.embedding_width,)
    assert str(tmp_path) in repr(ensemble)
    loaded = modelfile.load(tmp_path / "folds" / "1")
    header = loaded.header.model_copy(update={"windows": WindowSpec(hop=64)})
    modelfile.save(tmp_path / "folds" / "1" / modelfile.FILE_NAME, loaded.network, header)
    with pytest.raises(ModelFileError, match="different windows, so they cannot vote together"):
        genrescope.load(tmp_path, device="cpu")


def test_a_cross_validation_says_where_its_runs_are() -> None:
    """What the folder of a cross-validation is read by, and what writes it."""
    assert modelfile.CROSSVAL_NAME == results.CROSSVAL_NAME
    assert {"run"} <= set(results.FoldResult.model_fields)
    assert {"folds"} <= set(results.Folds.model_fields)


# -- what it says of itself -----------------------------------------------------------------------------------------


def test_a_classifier_names_its_recipe_its_file_and_its_labels(classifier: Classifier, made: World) -> None:
    assert repr(classifier) == (
        "<Classifier: mgcc, 3 labels (drone, hiss, pulse), 22,050 Hz, windows of 2.97 s, "
        f"from {made.run / modelfile.FILE_NAME}>"
    )
    assert repr(changed(made.run, recipe={})).startswith("<Classifier: mgcc-small, 3 labels")
    many = dataclasses.replace(classifier.info, labels=tuple(f"tag{number}" for number in range(50)))
    assert "50 labels (tag0, tag1, " in str(many)
    assert "tag9, ... 40 more)" in str(many)


def test_a_classifier_says_what_it_is_and_on_what_terms(classifier: Classifier, made: World) -> None:
    info = classifier.info
    assert (info.name, info.labels, info.exclusive) == ("mgcc", GENRES, True)
    assert info.sample_rate == RATE
    assert info.window_seconds == pytest.approx(WINDOW)
    assert info.parameters == registry.count_parameters(registry.create("mgcc-small", 3))
    assert info.embedding_width > 0
    assert "training data" in info.licence
    assert info.trained_on == {"name": "", "licence": "unspecified", "citation": ""}
    assert (info.requires, info.citation, info.made_with) == ((), "", genrescope.__version__)
    terms = modelfile.Terms(licence="CC BY 4.0", citation="A. Author, 2020")
    data = modelfile.TrainingData(name="GTZAN", licence="unknown", citation="G. Tzanetakis, 2002")
    other = changed(made.run, weights=terms, data=data, scores={"test": {"accuracy": 0.7}}).info
    assert (other.licence, other.citation) == ("CC BY 4.0", "A. Author, 2020")
    assert other.trained_on == {"name": "GTZAN", "licence": "unknown", "citation": "G. Tzanetakis, 2002"}
    assert other.scores == {"test": {"accuracy": 0.7}}


def test_a_fingerprint_identifies_what_predicts(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> None:
    run = world(tmp_path_factory).run
    copied = tmp_path / "elsewhere.safetensors"
    shutil.copy(run / "model.safetensors", copied)
    first = genrescope.load(run).fingerprint
    modelfile.add_scores(copied, {"grouped": {"test": {"vote": {"accuracy": 0.5}}}})
    assert genrescope.load(copied).fingerprint == first
    model = modelfile.load(copied)
    header = model.header.model_copy(update={"temperature": model.header.temperature * 2})
    assert modelfile.fingerprint(dataclasses.replace(model, header=header)) != first
    next(model.network.parameters()).data.add_(1)
    assert modelfile.fingerprint(model) != first


def test_predictions_carry_embeddings_where_they_are_asked_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = world(tmp_path_factory)
    classifier = genrescope.load(made.run)
    song = made.songs()[0]
    (plain,), (found,) = classifier.predict_many([song]), classifier.predict_many([song], embeddings=True)
    assert isinstance(plain, Prediction)
    assert isinstance(found, Prediction)
    assert plain.embedding is None
    assert found.embedding is not None
    assert np.array_equal(found.embedding, classifier.embed(song))
    assert found == plain
    assert "embedding" not in found.to_dict()
