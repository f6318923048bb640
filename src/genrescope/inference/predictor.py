"""From the frames of a song to its prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from genrescope.inference.prediction import Prediction, WindowScores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from genrescope.features.song_frames import SongFrames
    from genrescope.inference.scorer import Scorer, TrackScores
    from genrescope.modelfile import Header

WindowsObserver: TypeAlias = "Callable[[int, Sequence[WindowScores]], None]"


@dataclass(frozen=True)
class DecodedSong:
    """A song as a model takes it: its frames, or those of them that are scored, and where they came from."""

    path: Path | None
    name: str
    frames: SongFrames
    seconds: float


@dataclass(frozen=True)
class Predictor:
    """Makes predictions of songs that are decoded: the scorer of a model, and what its file says."""

    header: Header
    scorer: Scorer

    def predict(
        self, sound: DecodedSong, *, embeddings: bool = False, observe: WindowsObserver | None = None
    ) -> Prediction:
        """Score a song; with `embeddings` the prediction carries the song's.

        Args:
            sound: the song.
            embeddings: whether the prediction carries the song's.
            observe: called with the scores of windows as they are made, batch by batch, where no embeddings are wanted:
                the number of the first window, and the windows. What it raises ends the work.

        Raises:
            ModelFileError: the model gives no numbers, or no embeddings.
        """
        found = self.scorer.track(
            sound.frames, embeddings=embeddings, observe=observe and self._observer(sound, observe)
        )
        ranked = dict(sorted(self._named(found.scores).items(), key=lambda item: -item[1]))
        genre = next(iter(ranked))
        windows = self._windows(sound, found.starts, found.window_scores, found.silent)
        return Prediction(
            sound.path, sound.name, genre, ranked[genre], ranked, windows, sound.seconds, self._warning(sound, found),
            unknown=self.header.is_unknown(found.novelty), labels=self.header.counted(ranked),
            tags=self.header.named_tags(found.others.sigmoid().tolist()),
            embedding=None if found.embeddings is None else found.embeddings.mean(dim=0).numpy(),
        )  # fmt: skip

    def _windows(
        self, sound: DecodedSong, starts: Sequence[int], scores: torch.Tensor, silent: Sequence[bool]
    ) -> tuple[WindowScores, ...]:
        """Return windows with their scores of shape (windows, labels)."""
        front_end, length = self.header.front_end, self.header.windows.frames
        return tuple(
            WindowScores(
                start=front_end.seconds(start),
                end=min(front_end.seconds(start + length), sound.seconds),
                genre=self.header.labels[int(row.argmax())],
                scores=self._named(row),
                silent=without,
            )
            for start, row, without in zip(starts, scores, silent, strict=True)
        )

    def _observer(self, sound: DecodedSong, observe: WindowsObserver) -> Callable[[int, torch.Tensor], None]:
        """Return what turns probabilities into windows, and shows them."""
        starts, silent = self.scorer.starts(sound.frames), tuple(self.scorer.silent(sound.frames))

        def show(first: int, scores: torch.Tensor) -> None:
            part = slice(first, first + len(scores))
            observe(first, self._windows(sound, starts[part], scores, silent[part]))

        return show

    def _warning(self, sound: DecodedSong, found: TrackScores) -> str | None:
        """Say why a prediction should be doubted."""
        front_end, window = self.header.front_end, self.header.window_seconds
        silent, windows = sum(found.silent), len(found.silent)
        reasons = []
        if silent > windows / 2:
            which = "silence" if silent == windows else "mostly silence"
            reasons.append(f"{which}: nothing is louder than -60 dB of full scale in {silent} of {windows} windows")
        if sound.seconds < window - front_end.seconds(1):
            filled = "repeated to fill it" if self.header.windows.padding == "repeat" else "padded with silence"
            reasons.append(f"shorter than one window ({sound.seconds:.2f} s of {window:.2f} s), {filled}")
        return "; ".join(reasons) or None

    def _named(self, scores: torch.Tensor) -> dict[str, float]:
        return dict(zip(self.header.labels, scores.tolist(), strict=True))
