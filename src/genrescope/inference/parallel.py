"""Many songs at once: worker processes decode ahead, threads score, results come in the order of the songs."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from genrescope import workers
from genrescope.errors import reason_of
from genrescope.features.song_frames import received
from genrescope.inference.prediction import Failure
from genrescope.inference.predictor import DecodedSong
from genrescope.inference.songs import label_of, source_of
from genrescope.threads import limited

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from concurrent.futures import Future

    from genrescope import audio
    from genrescope.features.song_frames import Wanted
    from genrescope.inference.prediction import Prediction
    from genrescope.inference.predictor import Predictor


@dataclass(frozen=True)
class Parallel:
    """Scores songs, several at a time.

    Two songs with a thread each take less time than one song after the other with two threads, since a network on a few
    windows leaves a second thread waiting; and a song's scores stay those that it has alone.

    Attributes:
        predictor: what makes a prediction of a song.
        embeddings: whether predictions carry embeddings.
        threads: threads of each song, of which then one is scored at a time; None scores as many songs at a time as
            torch takes threads.
    """

    predictor: Predictor
    embeddings: bool
    threads: int | None

    def streamed(
        self, songs: Iterable[audio.File], wanted: Wanted, decoders: workers.Pool[audio.Source], *, keep: bool
    ) -> Iterator[Prediction | Failure]:
        """Yield the result of each song in order, while worker processes decode; with `keep` they outlive the songs."""
        heard = cast("Generator[tuple[Any, DecodedSong | Exception]]", workers.ahead(_heard(decoders, songs, wanted)))
        kept = False
        try:
            yield from self.results(heard)
            kept = keep
        finally:
            if not kept:
                decoders.close()  # so that the thread does not wait for them
            heard.close()

    def results(self, heard: Iterable[tuple[Any, DecodedSong | Exception]]) -> Iterator[Prediction | Failure]:
        """Yield the result of each song that was decoded, or could not be, in order."""
        with limited(self.threads):  # a forked process has one
            count = torch.get_num_threads() if self.threads is None else 1
        scorers = ThreadPoolExecutor(count)
        waiting: deque[Future[Prediction | Failure]] = deque()
        try:
            for song, sound in heard:
                waiting.append(scorers.submit(self._result, song, sound))
                while len(waiting) > count or (waiting and waiting[0].done()):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            scorers.shutdown(cancel_futures=True)

    def _result(self, song: Any, sound: DecodedSong | Exception) -> Prediction | Failure:
        try:
            if not isinstance(sound, Exception):
                with limited(self.threads or 1):
                    return self.predictor.predict(sound, embeddings=self.embeddings)
            reason = reason_of(sound)
        except Exception as error:  # one bad file never stops a run, whatever a network throws
            reason = reason_of(error)
        path = Path(song) if isinstance(song, str | os.PathLike) else None
        return Failure(path, str(path) if path is not None else label_of(song), reason)


def _heard(
    pool: workers.Pool[audio.Source], songs: Iterable[audio.File], wanted: Wanted
) -> Iterator[tuple[Any, DecodedSong | Exception]]:
    """Yield each song with its frames, or with what went wrong."""
    given: deque[tuple[Any, Path | None, str, Exception | None]] = deque()

    def sources() -> Iterator[audio.Source]:
        for song in songs:
            try:
                path, name, source = source_of(song)
                given.append((song, path, name, None))
            except Exception as error:
                given.append((song, None, "", error))
                source = b""
            yield source

    for _, sent in pool.streams(sources()):
        song, path, name, problem = given.popleft()
        sound: DecodedSong | Exception
        try:
            if problem is not None:
                raise problem
            heard = received(sent, wanted)
            sound = DecodedSong(path, name, heard.frames, heard.samples / wanted.spec.sample_rate)
        except Exception as error:  # one bad file never stops a run, whatever a decoder throws
            sound = error
        yield song, sound
