"""The classifier: a song goes in, its genre comes out."""

from __future__ import annotations

import math
import multiprocessing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast

from genrescope import audio, files, modelfile, workers
from genrescope.features.front_end import make
from genrescope.features.placement import WINDOWS, Choice
from genrescope.features.song_frames import Wanted, decode_frames, frame_workers, of_wave
from genrescope.inference.model_info import ModelInfo
from genrescope.inference.parallel import Parallel
from genrescope.inference.predictor import DecodedSong, Predictor
from genrescope.inference.scorer import Scorer
from genrescope.inference.songs import Song, rate_of, samples_of, source_of
from genrescope.threads import check as check_threads
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from genrescope.features.song_frames import Decoded
    from genrescope.inference.chunks import Chunk
    from genrescope.inference.explanation import Explanation
    from genrescope.inference.prediction import Failure, Prediction
    from genrescope.inference.verdict import Verdict
    from genrescope.modelfile import Header, Model


def fingerprint_of(model: str, choice: Choice) -> str:
    """Return what identifies predictions by a model, of which `modelfile.fingerprint` is given, with a choice."""
    return files.fingerprint({"model": model, "windows": choice.windows or "all", "excerpt": choice.excerpt})


class Classifier:
    """A loaded model with its front end: whatever it needs came with the file.

    Args:
        model: the model file in memory.
        threads: processor threads. By default one for a song, which on a busy machine is many times as fast as more,
            and in `predict_many` one for each of as many songs as torch takes threads. A process that was forked has
            one only.
        windows: how many windows of a song are scored at most, spread evenly over those where the model looks; or
            `all`. Songs of no more windows are scored whole, as `evaluate` scores them.
        excerpt: seconds in the middle of a song in which these windows lie; None takes the whole song.

    Raises:
        GenrescopeError: more than one thread is asked for in a process that was forked.
        ValueError: `threads` is less than 1, or `windows` or `excerpt` is not accepted.
    """

    def __init__(
        self,
        model: Model,
        *,
        threads: int | None = None,
        windows: int | Literal["all"] = WINDOWS,
        excerpt: float | None = None,
    ) -> None:
        check_threads(threads)
        self._model, self._threads = model, threads
        self._choice = Choice.of(windows, excerpt)
        self._scorer = Scorer.of(model, choice=self._choice)
        self._front_end = make(self.header.front_end)

    def __repr__(self) -> str:
        return f"<Classifier: {self.info}, from {self._model.path}>"

    @property
    def model(self) -> Model:
        """The model file in memory."""
        return self._model

    @property
    def header(self) -> Header:
        """What the model file says of itself."""
        return self._model.header

    @property
    def genres(self) -> tuple[str, ...]:
        """The labels that it knows."""
        return self.header.labels

    @property
    def choice(self) -> Choice:
        """Which of a song's windows are scored."""
        return self._choice

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that identify what makes its predictions: header, every weight, windows and excerpt."""
        return fingerprint_of(modelfile.fingerprint(self._model), self._choice)

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
            return self._predictor.predict(self.decode(song, sample_rate=sample_rate))

    def predict_many(
        self,
        songs: Iterable[audio.File],
        *,
        embeddings: bool = False,
        jobs: int | None = None,
        decoders: workers.Pool[audio.Source] | None = None,
    ) -> Iterator[Prediction | Failure]:
        """Classify songs in order. Worker processes decode ahead while the model works; a bad file stops nothing.

        A decoder may crash, or take too much time or memory: that is this song's failure. Each song is scored by
        itself, with one thread unless `threads` says otherwise, so that its scores are those of `predict` to the bit.

        Args:
            songs: paths, bytes of files, or open binary files; asked for as they are needed.
            embeddings: whether each prediction carries the song's embedding, as `embed` returns it.
            jobs: worker processes; None takes one for each core, 0 decodes in this process.
            decoders: what `decoders` returned, in place of processes that end with the songs.

        Yields:
            For each song a prediction, or a failure with its reason.

        Raises:
            GenrescopeError: the classifier has more than one thread, and this process was forked.
            ValueError: `jobs` is negative.
        """
        check_threads(self._threads)
        if jobs is not None and jobs < 0:
            raise ValueError(f"jobs={jobs}; accepted are 0 or more, or None")
        parallel = Parallel(self._predictor, embeddings=embeddings, threads=self._threads)
        if jobs == 0 or multiprocessing.current_process().daemon:  # which may not start processes
            return parallel.results((song, self._decoded_here(song)) for song in songs)
        pool = decoders or self.decoders(jobs)
        return parallel.streamed(songs, self._wanted, pool, keep=decoders is not None)

    def decoders(self, jobs: int | None = None) -> workers.Pool[audio.Source]:
        """Return worker processes for several calls of `predict_many`; its `close` ends them, as an error does.

        Args:
            jobs: how many; None takes one for each core.
        """
        return frame_workers(self._wanted, workers.cores() if jobs is None else jobs)

    def _decoded_here(self, song: audio.File) -> DecodedSong | Exception:
        try:
            return self.decode(song)
        except Exception as error:  # one bad file never stops a run, whatever a decoder throws
            return error

    def stream(
        self,
        chunks: Iterable[Chunk | npt.NDArray[Any]],
        *,
        sample_rate: int,
        every: float = 1.0,
        keep_up: bool = False,
    ) -> Iterator[Verdict]:
        """Classify sound that does not end: a verdict as soon as a window is whole, in memory that does not grow.

        Args:
            chunks: pieces of the sound in order, of any size: arrays of shape (samples,) or (channels, samples), floats
                in [-1, 1] or integers of 8, 16 or 32 bits; or `Chunk`, where sound is missing between two of them.
            sample_rate: samples per second of all chunks.
            every: seconds of sound from one verdict to the next; each needs about one window to be scored.
            keep_up: leave windows out where scoring takes longer than the sound takes to come, as for a microphone.

        Yields:
            Verdicts; after the last chunk one that has `last`. Its `whole` is what `predict` gives for the same sound
            with `windows="all"`, within 0.01 where windows lie on a grid and none was left out.

        Raises:
            AudioError: samples are not finite, or a chunk has an ambiguous shape.
            ValueError: `sample_rate` or `every` is not accepted.
        """
        from genrescope.inference.stream import Stream

        if not 0 < every < math.inf:
            raise ValueError(f"every={every}; accepted are seconds above 0")
        stream = Stream(self.header, self._scorer, every=every, keep_up=keep_up, threads=self._threads or 1)
        return stream.verdicts(chunks, rate_of(sample_rate))

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
            sound = self.decode(song, sample_rate=sample_rate)
            embedding: npt.NDArray[np.float32] = self._scorer.embeddings(sound.frames).mean(dim=0).numpy()
            return embedding

    def decode(self, song: Song, *, sample_rate: int | None = None) -> DecodedSong:
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
            return self._song(None, "array", of_wave([wave], self._wanted, self._front_end))
        if sample_rate is not None:
            raise ValueError("a file states its own rate; give `sample_rate` only with an array of samples")
        path, name, source = source_of(cast("audio.File", song))
        return self._song(path, name, decode_frames(source, self._wanted, self._front_end))

    def _song(self, path: Path | None, name: str, decoded: Decoded) -> DecodedSong:
        return DecodedSong(path, name, decoded.frames, decoded.samples / self.header.front_end.sample_rate)

    def predict_decoded(self, sound: DecodedSong) -> Prediction:
        """Classify a song as `decode` returns it."""
        with limited(self._threads or 1):
            return self._predictor.predict(sound)

    @property
    def _predictor(self) -> Predictor:
        return Predictor(self.header, self._scorer)

    @property
    def _wanted(self) -> Wanted:
        return Wanted(self.header.front_end, self.header.windows, self._choice)

    def explain(
        self,
        song: Song,
        *,
        sample_rate: int | None = None,
        start: float = 0.0,
        end: float | None = None,
        on_window: Callable[[int, int], None] = lambda done, total: None,
    ) -> Explanation:
        """Hide each part of a song's spectrogram in turn, and return how much the scores change.

        All windows are scored, whatever `windows` and `excerpt` of the classifier are.

        Args:
            song: as `predict` takes it.
            sample_rate: samples per second of an array or a tensor.
            start: seconds where the part begins that is explained; it is scored by itself.
            end: seconds where it ends; None stands for the end of the song.
            on_window: called with the windows that are done, and the windows in all.

        Raises:
            AudioError, TypeError: as `predict`.
            ValueError: as `predict`, or `start` and `end` are no part of the song.
        """
        from genrescope.inference.explain import explain

        with limited(self._threads or 1):
            return explain(self._model, song, sample_rate=sample_rate, start=start, end=end, on_window=on_window)
