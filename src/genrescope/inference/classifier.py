"""The classifier: a song goes in, its genre comes out."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from genrescope import audio, modelfile, workers
from genrescope.devices import choose_device
from genrescope.errors import reason_of
from genrescope.features.frame_file import FrameFile
from genrescope.features.front_end import make, parts
from genrescope.inference.model_info import ModelInfo
from genrescope.inference.prediction import Failure, Prediction, WindowScores
from genrescope.inference.scorer import Scorer
from genrescope.inference.songs import Song, label_of, rate_of, samples_of, source_of
from genrescope.threads import check as check_threads
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    import torch

    from genrescope.inference.scorer import TrackScores
    from genrescope.modelfile import Header, Model


@dataclass(frozen=True)
class DecodedSong:
    """A song as a model takes it: its frames, and where they came from."""

    path: Path | None
    name: str
    frames: FrameFile
    seconds: float


def load(
    model: str | os.PathLike[str] | None = None, *, device: str = "auto", threads: int | None = None
) -> Classifier:
    """Load a classifier from a model file, a run folder, the folder of a cross-validation, or the shelf.

    Args:
        model: path of a `.safetensors` file that genrescope wrote, or of a folder that it left; or, where no such path
            exists, a name that `genrescope models` lists. The models of a cross-validation's folds become an ensemble:
            the mean of their probabilities. None takes the model `genres`, which needs no training; the first time
            its weights are fetched (`genrescope models show genres`).
        device: `auto`, `cpu`, `cuda` or `mps`.
        threads: processor threads that a prediction takes, as `Classifier` has it.

    Returns:
        A classifier that is ready for any number of songs.

    Raises:
        ModelFileError: the file is not fetched yet, truncated, damaged, foreign or of another format.
        ModelNotFoundError: there is no such file, folder or name.
        TrainingError: this machine has no such device.
    """
    if model is None:
        from genrescope.modelfile import shelf

        _, model = shelf.get(shelf.DEFAULT)
    with limited(1):
        loaded = modelfile.load(Path(model), device=choose_device(device))
    return Classifier(loaded, threads=threads)


class Classifier:
    """A loaded model with its front end: whatever it needs came with the file.

    Args:
        model: the model file in memory.
        threads: processor threads. By default one for a song, which on a busy machine is many times as fast as more,
            and as many as torch takes for the songs of `predict_many`. A process that was forked has one only.

    Raises:
        GenrescopeError: more than one thread is asked for in a process that was forked.
        ValueError: `threads` is less than 1.
    """

    def __init__(self, model: Model, *, threads: int | None = None) -> None:
        check_threads(threads)
        self._model, self._threads = model, threads
        self._scorer = Scorer.of(model)
        with limited(1):
            self._front_end = make(self.header.front_end)

    def __repr__(self) -> str:
        return f"<Classifier: {self.info}, from {self._model.path}>"

    @property
    def header(self) -> Header:
        """What the model file says of itself."""
        return self._model.header

    @property
    def genres(self) -> tuple[str, ...]:
        """The labels that it knows."""
        return self.header.labels

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify what makes its predictions: the header, and every weight."""
        return modelfile.fingerprint(self._model)

    @property
    def info(self) -> ModelInfo:
        """What the model is, and on what terms it may be used."""
        return ModelInfo.of(self._model)

    def predict(self, song: Song, *, sample_rate: int | None = None) -> Prediction:
        """Classify one song.

        Args:
            song: path of an audio file, its bytes, or an open binary file; or samples, as a NumPy array or a torch
                tensor of shape (samples,) or (channels, samples): floats in [-1, 1], or integers of 8, 16 or 32 bits,
                which are scaled by the full scale of their type.
            sample_rate: samples per second of an array or a tensor; a file states its own.

        Returns:
            The prediction. A song shorter than a window is padded as the model learnt it, with silence or by repeating
            it, and has a warning.

        Raises:
            AudioError: the sound cannot be used, or a shape is ambiguous.
            AudioNotFoundError: the file does not exist.
            TypeError: it is no song.
            ValueError: an array came without its rate, or a file with one.
        """
        with limited(self._threads or 1):
            return self._judged(self.hear(song, sample_rate=sample_rate))

    def predict_many(self, songs: Iterable[audio.File], *, embeddings: bool = False) -> Iterator[Prediction | Failure]:
        """Classify songs in order. Worker processes decode ahead while the model works; a bad file stops nothing.

        A decoder may crash, or take too much time or memory: that is this song's failure.

        Args:
            songs: paths, bytes of files, or open binary files; asked for as they are needed.
            embeddings: whether each prediction carries the song's embedding, as `embed` returns it.

        Yields:
            For each song a prediction, or a failure with its reason.

        Raises:
            GenrescopeError: the classifier has more than one thread, and this process was forked.
        """
        check_threads(self._threads)
        if multiprocessing.current_process().daemon:  # it may not start processes
            yield from (self._result(song, self._heard_here(song), embeddings) for song in songs)
            return
        with audio.decoders(self.header.front_end.sample_rate) as pool:
            heard = cast("Generator[tuple[Any, DecodedSong | Exception]]", workers.ahead(self._heard(pool, songs)))
            try:
                for song, sound in heard:
                    yield self._result(song, sound, embeddings)
            finally:
                pool.close()  # so that the thread does not wait for them
                heard.close()

    def _heard_here(self, song: audio.File) -> DecodedSong | Exception:
        try:
            return self.hear(song)
        except Exception as error:  # one bad file never stops a run, whatever a decoder throws
            return error

    def _heard(
        self, pool: workers.Pool[audio.Wanted], songs: Iterable[audio.File]
    ) -> Iterator[tuple[Any, DecodedSong | Exception]]:
        """Yield each song with its sound, or with what went wrong."""
        given: deque[tuple[Any, Path | None, str, Exception | None]] = deque()

        def sources() -> Iterator[audio.Wanted]:
            for song in songs:
                try:
                    path, name, source = source_of(song)
                    given.append((song, path, name, None))
                except Exception as error:
                    given.append((song, None, "", error))
                    source = b""
                yield source, ""

        for _, pieces in pool.streams(sources()):
            song, path, name, problem = given.popleft()
            sound: DecodedSong | Exception
            try:
                with limited(self._threads):
                    sound = self._listened(path, name, pieces) if problem is None else problem
            except Exception as error:  # one bad file never stops a run, whatever a decoder throws
                sound = error
            yield song, sound

    def embed(self, song: Song, *, sample_rate: int | None = None) -> npt.NDArray[np.float32]:
        """Return the embedding of a song, float32 of shape (width,): the mean over its windows.

        Args:
            song: as `predict` takes it.
            sample_rate: samples per second of an array or a tensor.

        Raises:
            ModelFileError: the model's network gives no embeddings.
            AudioError, TypeError, ValueError: as `predict`.
        """
        with limited(self._threads or 1):
            return self._embedded(self.hear(song, sample_rate=sample_rate))

    def _embedded(self, sound: DecodedSong) -> npt.NDArray[np.float32]:
        embedding: npt.NDArray[np.float32] = self._scorer.embeddings(sound.frames).mean(dim=0).numpy()
        return embedding

    def hear(self, song: Song, *, sample_rate: int | None = None) -> DecodedSong:
        """Decode a song and compute its frames: all that needs no network, so that it can run ahead in a thread.

        Args:
            song: as `predict` takes it.
            sample_rate: samples per second of an array or a tensor.

        Raises:
            AudioError, TypeError, ValueError: as `predict`.
        """
        rate, samples = self.header.front_end.sample_rate, samples_of(song)
        if samples is not None:
            wave = audio.from_array(samples, rate=rate_of(sample_rate), to_rate=rate)
            path, name, pieces = None, "array", iter([wave])
        else:
            if sample_rate is not None:
                raise ValueError("a file states its own rate; give `sample_rate` only with an array of samples")
            path, name, source = source_of(cast("audio.File", song))
            pieces = audio.blocks(source, rate=rate)
        with limited(self._threads or 1):
            return self._listened(path, name, pieces)

    def _listened(self, path: Path | None, name: str, pieces: Iterable[audio.Wave]) -> DecodedSong:
        """Compute the frames of a waveform that comes in pieces."""
        spec, samples = self.header.front_end, 0

        def counted() -> Iterator[audio.Wave]:
            nonlocal samples
            for piece in pieces:
                samples += len(piece)
                yield piece

        frames = FrameFile(parts(counted(), self._front_end), width=spec.width, dtype=spec.dtype)
        return DecodedSong(path, name, frames, samples / spec.sample_rate)

    def judge(self, sound: DecodedSong) -> Prediction:
        """Classify a song as `hear` returns it."""
        with limited(self._threads or 1):
            return self._judged(sound)

    def _judged(self, sound: DecodedSong) -> Prediction:
        front_end, length = self.header.front_end, self.header.windows.frames
        found = self._scorer.track(sound.frames)
        ranked = dict(sorted(self._named(found.scores).items(), key=lambda item: -item[1]))
        genre = next(iter(ranked))
        windows = tuple(
            WindowScores(
                start=front_end.seconds(start),
                end=min(front_end.seconds(start + length), sound.seconds),
                genre=self.genres[int(row.argmax())],
                scores=self._named(row),
                silent=silent,
            )
            for start, row, silent in zip(found.starts, found.window_scores, found.silent, strict=True)
        )
        return Prediction(
            sound.path, sound.name, genre, ranked[genre], ranked, windows, sound.seconds, self._warning(sound, found),
            unknown=self.header.is_unknown(found.novelty), labels=self.header.counted(ranked),
            tags=self.header.named_tags(found.others.sigmoid().tolist()),
        )  # fmt: skip

    def _result(self, song: Any, sound: DecodedSong | Exception, embeddings: bool) -> Prediction | Failure:
        try:
            if not isinstance(sound, Exception):
                with limited(self._threads):
                    found = self._judged(sound)
                    return replace(found, embedding=self._embedded(sound)) if embeddings else found
            reason = reason_of(sound)
        except Exception as error:  # one bad file never stops a run, whatever a network throws
            reason = reason_of(error)
        path = Path(song) if isinstance(song, str | os.PathLike) else None
        return Failure(path, str(path) if path is not None else label_of(song), reason)

    def _warning(self, sound: DecodedSong, found: TrackScores) -> str | None:
        """Say why a prediction should be doubted."""
        front_end, window = self.header.front_end, self.header.window_seconds
        silent, windows = sum(found.silent), len(found.silent)
        reasons = []
        if silent == windows:
            reasons.append("silence: nothing in it is louder than -60 dB of full scale")
        elif silent > windows / 2:
            reasons.append(f"mostly silence: {silent} of {windows} windows hold no sound and do not vote")
        if sound.seconds < window - front_end.seconds(1):
            filled = "repeated to fill it" if self.header.windows.padding == "repeat" else "padded with silence"
            reasons.append(f"shorter than one window ({sound.seconds:.2f} s of {window:.2f} s), {filled}")
        return "; ".join(reasons) or None

    def _named(self, scores: torch.Tensor) -> dict[str, float]:
        return dict(zip(self.genres, scores.tolist(), strict=True))
