"""The classifier: a song goes in, its genre comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genrescope import audio, modelfile
from genrescope.devices import choose_device
from genrescope.features import windows
from genrescope.features.front_end import frames_of, make, stored
from genrescope.inference import scorer
from genrescope.store.store import StoredTrack

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import torch

    from genrescope.store.store import Frames


@dataclass(frozen=True)
class WindowScores:
    """What the model made of one window.

    Attributes:
        start: where it begins, in seconds.
        end: where it ends, in seconds.
        genre: the most probable genre.
        scores: probability by genre; they add up to 1.
    """

    start: float
    end: float
    genre: str
    scores: dict[str, float]


@dataclass(frozen=True)
class Prediction:
    """What the model made of a song.

    Attributes:
        path: the file, or what stands for it.
        genre: the most probable genre.
        confidence: its probability, the mean over all windows.
        scores: probability by genre, the highest first; they add up to 1.
        windows: the same for every window.
        seconds: length of the song.
        uncertain: why the prediction should be doubted, or None.
    """

    path: str
    genre: str
    confidence: float
    scores: dict[str, float]
    windows: tuple[WindowScores, ...]
    seconds: float
    uncertain: str | None = None

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` most probable genres with their probabilities."""
        return list(self.scores.items())[:count]

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as JSON-like values, rounded to six places."""
        return {
            "path": self.path,
            "genre": self.genre,
            "confidence": round(self.confidence, 6),
            "uncertain": self.uncertain,
            "seconds": round(self.seconds, 3),
            "scores": {genre: round(score, 6) for genre, score in self.scores.items()},
            "windows": [
                {
                    "start": round(window.start, 3),
                    "end": round(window.end, 3),
                    "genre": window.genre,
                    "scores": {genre: round(score, 6) for genre, score in window.scores.items()},
                }
                for window in self.windows
            ],
        }


def load(model: str | os.PathLike[str], *, device: str = "auto") -> Classifier:
    """Load a classifier from a model file or a run folder.

    Args:
        model: path of a `.safetensors` file that genrescope wrote, or of a run folder.
        device: `auto`, `cpu`, `cuda` or `mps`.

    Returns:
        A classifier that is ready for any number of songs.

    Raises:
        ModelFileError: the file is missing, truncated, damaged, foreign or too new.
        TrainingError: this machine has no such device.
    """
    return Classifier(modelfile.load(Path(model), device=choose_device(device)))


class Classifier:
    """A loaded model with its front end: whatever it needs came with the file.

    Args:
        loaded: the model file in memory.
    """

    def __init__(self, loaded: modelfile.Bundle) -> None:
        self.header = loaded.header
        self._model = loaded.model
        self._device = next(loaded.model.parameters()).device
        self._front_end = make(loaded.header.front_end)

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres that it knows."""
        return self.header.labels

    def predict(self, song: audio.Source | npt.NDArray[Any], *, rate: int | None = None) -> Prediction:
        """Classify one song.

        Args:
            song: path or bytes of an audio file, or samples of shape (samples,) or (samples, channels).
            rate: samples per second of an array; for files it is read from the file.

        Returns:
            The prediction. A song shorter than a window is padded as the model learnt it, with silence or by repeating
            it, and said to be uncertain.

        Raises:
            AudioError: the sound cannot be used.
            ValueError: an array came without its rate, or a file with one.
        """
        return self.judge(*self.hear(song, rate=rate))

    def hear(self, song: audio.Source | npt.NDArray[Any], *, rate: int | None = None) -> tuple[str, Frames, float]:
        """Decode a song and compute its log-mel: all that needs no model, so that it can run ahead in a thread.

        Returns:
            Its name, float16 frames of shape (frames, n_mels), and its seconds.

        Raises:
            AudioError: the sound cannot be used.
            ValueError: an array came without its rate, or a file with one.
        """
        front_end = self.header.front_end
        if not isinstance(song, np.ndarray):
            if rate is not None:
                raise ValueError("a file states its own rate; give `rate` only with an array of samples")
            name = f"{len(song)} bytes" if isinstance(song, bytes) else str(song)
            frames, samples = frames_of(song, self._front_end)
            return name, frames, samples / front_end.sample_rate
        if rate is None:
            raise ValueError("an array of samples needs its `rate`, in samples per second")
        wave = audio.from_array(song, rate=rate, to_rate=front_end.sample_rate)
        frames = stored([wave], self._front_end)
        return "array", frames, len(wave) / front_end.sample_rate

    def judge(self, name: str, frames: Frames, seconds: float) -> Prediction:
        """Classify a song by its log-mel, as `hear` returns it."""
        front_end, length = self.header.front_end, self.header.window
        bank = windows.FrameBank(frames, silence=front_end.silence, device=self._device, padding=self.header.padding)
        whole = StoredTrack(name, name, "", "", first_frame=0, frames=len(frames), seconds=seconds)
        placed = windows.place([whole], length=length, hop=self.header.hop)
        scores = scorer.window_scores(self._model, bank, placed, length=length)
        mean = self._named(scorer.track_scores(scores, placed.tracks, count=1)[0])
        ranked = dict(sorted(mean.items(), key=lambda item: -item[1]))
        genre = next(iter(ranked))
        heard = tuple(
            WindowScores(
                start=front_end.seconds(start),
                end=min(front_end.seconds(start + length), seconds),
                genre=self.genres[int(row.argmax())],
                scores=self._named(row),
            )
            for start, row in zip(placed.starts.tolist(), scores, strict=True)
        )
        return Prediction(name, genre, ranked[genre], ranked, heard, seconds, self._doubt(frames, seconds))

    def _doubt(self, frames: Frames, seconds: float) -> str | None:
        front_end = self.header.front_end
        window = front_end.seconds(self.header.window)
        if float(frames.max()) <= front_end.silence + 0.01:
            return "digital silence"
        if seconds < window - front_end.seconds(1):
            filled = "repeated to fill it" if self.header.padding == "repeat" else "padded with silence"
            return f"shorter than one window ({seconds:.2f} s of {window:.2f} s), {filled}"
        return None

    def _named(self, scores: torch.Tensor) -> dict[str, float]:
        return dict(zip(self.genres, scores.tolist(), strict=True))
