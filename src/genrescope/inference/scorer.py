"""The scorer: frames in, windows, logits, probabilities, and a track's scores out.

Prediction, evaluation, the cost of a model, validation while training, published networks: all score by this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from genrescope.errors import ModelFileError
from genrescope.features.level import silent_windows
from genrescope.features.placement import Choice, WindowSpec
from genrescope.features.windows import FrameBank, Windows, chunks
from genrescope.inference.pooling import pooled, unpooled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from torch import nn

    from genrescope.features.placement import Pooling
    from genrescope.features.song_frames import SongFrames
    from genrescope.features.spec import Spec
    from genrescope.features.windows import Extent, Frames
    from genrescope.modelfile import Model

Observe: TypeAlias = "Callable[[int, Tensor], None]"

BATCH = 32
"""Windows in a batch, where a network does not say otherwise by its attribute `batch`."""


@dataclass(frozen=True)
class TrackScores:
    """What a model made of a track.

    Attributes:
        scores: float32 (labels,): the mean of its windows' probabilities (soft voting). Silent windows are left out,
            unless all are silent.
        window_scores: float32 (windows, labels).
        starts: first frame of each window.
        silent: whether each window is without sound.
        others: float32 (others,): what the network gives beside the labels, mean logits of its windows; empty where it
            gives nothing else.
        novelty: by how much the others outweigh the labels: the logarithm of the odds. None without others.
        embeddings: float32 (windows, width); None where they were not asked for.
    """

    scores: Tensor
    window_scores: Tensor
    starts: tuple[int, ...]
    silent: tuple[bool, ...]
    others: Tensor
    novelty: float | None = None
    embeddings: Tensor | None = None

    @property
    def voting(self) -> Tensor:
        """Positions of the windows that are averaged, int64."""
        return _voting(self.silent)


class Scorer:
    """Scores frames by a network.

    Args:
        network: windows of shape (batch, 1, features, frames) in, logits of shape (batch, labels) out.
        front_end: what made the frames.
        windows: where the network looks.
        exclusive: whether labels exclude each other (softmax), or not (sigmoid).
        temperature: what logits are divided by.
        labels: number of labels, where the network's method `with_others` returns more logits than theirs and they are
            wanted. None leaves them out.
        choice: which of a track's windows are scored; all by default.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        front_end: Spec,
        windows: WindowSpec,
        exclusive: bool = True,
        temperature: float = 1.0,
        labels: int | None = None,
        choice: Choice | None = None,
    ) -> None:
        self.network, self.front_end, self.windows, self.exclusive = network, front_end, windows, exclusive
        self._temperature, self._labels = temperature, labels
        self._logits = network if labels is None else cast("Callable[[Tensor], Tensor]", network.with_others)
        self._choice = choice or Choice()
        self._batch = int(getattr(network, "batch", BATCH))

    @classmethod
    def of(cls, model: Model, *, choice: Choice | None = None) -> Scorer:
        """Return the scorer of a model file."""
        header = model.header
        return cls(
            model.network, front_end=header.front_end, windows=header.windows, exclusive=header.exclusive,
            temperature=header.temperature, labels=len(header.labels) if header.has_others else None, choice=choice,
        )  # fmt: skip

    def bank(self, frames: Frames) -> FrameBank:
        """Return the frames where the network can cut windows from them."""
        device = next(iter(self.network.parameters()), torch.empty(0)).device
        return FrameBank(frames, silence=self.front_end.silence, device=device, padding=self.windows.padding)

    def track(
        self, frames: Frames | SongFrames, *, embeddings: bool = False, observe: Observe | None = None
    ) -> TrackScores:
        """Score one track by its frames, of shape (frames, features).

        Args:
            frames: the track's.
            embeddings: whether the windows' embeddings are wanted, too.
            observe: called after each batch of windows, where embeddings are not wanted: with the number of its first
                window, and its probabilities (windows, labels). What it raises ends the work.

        Raises:
            ModelFileError: the network gives no embeddings.
        """
        logits, embedded = self._with_embeddings(frames) if embeddings else (self._observed(frames, observe), None)
        scores = self.probabilities(logits[:, : self._labels])
        silent = tuple(self.silent(frames))
        voting = _voting(silent)
        mean = track_scores(
            scores[voting], torch.zeros_like(voting), count=1, pooling=self.windows.pooling, exclusive=self.exclusive
        )
        together = logits[voting].mean(dim=0)
        novelty = None if self._labels is None else novelty_of(together, self._labels)
        starts = tuple(self.starts(frames))
        return TrackScores(mean[0], scores, starts, silent, together[mean.shape[1] :], novelty, embedded)

    def _observed(self, frames: Frames | SongFrames, observe: Observe | None) -> Tensor:
        """Return the logits of a track's windows."""
        made: list[Tensor] = []
        for logits in self._outputs(self._logits, frames):
            made.append(logits.float().cpu())
            if observe is not None:
                observe(sum(map(len, made[:-1])), self.probabilities(made[-1][:, : self._labels]))
        return torch.cat(made)

    def _with_embeddings(self, frames: Frames | SongFrames) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of a track's windows, of one pass where the network can give both."""
        both = getattr(self.network, "logits_and_embeddings", None)
        if both is None:
            return self.outputs(self._logits, frames), self.embeddings(frames)
        function = both if self._labels is None else partial(both, others=True)
        made = list(self._outputs(function, frames))
        logits, embedded = (torch.cat([each[part].float().cpu() for each in made]) for part in (0, 1))
        return logits, embedded

    def voting(self, frames: Frames | SongFrames) -> Tensor:
        """Return the positions of the windows that are averaged, int64: those with sound, or all where none has any."""
        return _voting(tuple(self.silent(frames)))

    def silent(self, frames: Frames | SongFrames) -> Iterator[bool]:
        """Yield of each window that is scored whether it is without sound."""
        length = self.windows.frames
        for start in self.starts(frames):
            yield bool(silent_windows(frames[start : start + length], [0], length, self.front_end)[0])

    def starts(self, frames: Frames | SongFrames) -> list[int]:
        """Return the first frame of each window that is scored."""
        return self._choice.starts(self.windows, self.front_end, len(frames))

    def tracks(self, frames: Frames, extents: Sequence[Extent]) -> tuple[Tensor, Windows]:
        """Score many tracks whose frames lie in one array: probabilities (windows, labels), and whose each is.

        They are scored one after the other, so that each gets to the bit what a prediction of its file gives: in
        batches over several tracks, arithmetic in another order would end in other digits.
        """
        cut = (frames[extent.first_frame : extent.first_frame + extent.frames] for extent in extents)
        return joined([self.track(each) for each in cut])

    def window_scores(self, bank: FrameBank, placed: Windows) -> Tensor:
        """Return the probabilities of windows, float32 of shape (windows, labels), on the CPU."""
        batches = bank.batches(placed.split(self._batch), length=self.windows.frames)
        return torch.cat([self.probabilities(logits) for logits in self._made(self.network, (b for _, b in batches))])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of logits of shape (windows, labels), float32 on the CPU.

        Raises:
            ModelFileError: the network gives no numbers; its weights are finite, but too large.
        """
        logits = logits.float() / self._temperature
        scores = (logits.softmax(dim=1) if self.exclusive else logits.sigmoid()).cpu()
        if bool(scores.isnan().any()):
            raise ModelFileError("the model's scores are not numbers: its weights are damaged, or too large")
        return scores

    def embeddings(self, frames: Frames | SongFrames) -> Tensor:
        """Return the embeddings of a track's windows, float32 of shape (windows, width), on the CPU.

        Raises:
            ModelFileError: the network gives none.
        """
        embed = getattr(self.network, "embed", None)
        if embed is None:
            raise ModelFileError("this model's network has no method embed, so it gives no embeddings")
        return self.outputs(embed, frames)

    def outputs(self, function: Callable[[Tensor], Tensor], frames: Frames | SongFrames) -> Tensor:
        """Return what a function of the network makes of a track's windows, float32 on the CPU.

        Args:
            function: windows of shape (batch, 1, features, frames) in, (batch, ...) out.
        """
        return torch.cat([made.float().cpu() for made in self._outputs(function, frames)])

    def logits_at(self, frames: Frames | SongFrames, starts: Sequence[int]) -> Tensor:
        """Return the logits of windows that begin at these frames, float32 (windows, labels and others), on the CPU."""
        batches = chunks(torch.tensor(starts), self._batch)
        made = self._made(self._logits, map(partial(self._images, frames), batches))
        return torch.cat([each.float().cpu() for each in made])

    def _outputs(self, function: Callable[[Tensor], Any], frames: Frames | SongFrames) -> Iterator[Any]:
        """Yield what a function makes of each batch of a track's windows."""
        return self._made(
            function, map(partial(self._images, frames), chunks(torch.tensor(self.starts(frames)), self._batch))
        )

    def _images(self, frames: Frames | SongFrames, starts: Tensor) -> Tensor:
        """Cut windows from the frames, one behind the other."""
        pieces = [frames[start : start + self.windows.frames] for start in starts.tolist()]
        ends = torch.tensor([len(piece) for piece in pieces]).cumsum(dim=0)
        moved = Windows(torch.cat([torch.zeros(1, dtype=torch.int64), ends[:-1]]), ends, torch.zeros_like(ends))
        return self.bank(np.concatenate(pieces)).cut(moved, length=self.windows.frames)

    def _made(self, function: Callable[[Tensor], Any], batches: Iterable[Tensor]) -> Iterator[Any]:
        """Yield what a function makes of each batch; the network is put into evaluation mode and back."""
        was_training = self.network.training
        self.network.eval()
        try:
            with torch.inference_mode():
                for images in batches:
                    yield function(images)
        finally:
            self.network.train(was_training)


def _voting(silent: Sequence[bool]) -> Tensor:
    return torch.tensor([place for place, without in enumerate(silent) if not without] or range(len(silent)))


def novelty_of(logits: Tensor, labels: int) -> float:
    """Return by how much others outweigh the labels: the difference of the logarithms of their summed exponentials.

    Sources: W. Liu et al., Energy-based out-of-distribution detection, NeurIPS 2020 (the labels' part); the others
    stand for what D. Hendrycks et al., Deep anomaly detection with outlier exposure, ICLR 2019, learn from outliers.

    Args:
        logits: (labels + others,), those of the labels first.
        labels: how many they are.
    """
    return float(logits[labels:].logsumexp(dim=0) - logits[:labels].logsumexp(dim=0))


def track_scores(
    scores: Tensor, tracks: Tensor, *, count: int, pooling: Pooling = "probabilities", exclusive: bool = True
) -> Tensor:
    """Average the windows of each track: return the tracks' probabilities, shape (count, labels).

    Args:
        scores: probabilities of shape (windows, labels).
        tracks: int64 (windows,), the track of each window.
        pooling: what is averaged: the windows' `probabilities` (soft voting), or their `logits`.
        exclusive: whether labels exclude each other.
    """
    values = pooled(scores, pooling=pooling, exclusive=exclusive)
    total = torch.zeros(count, scores.shape[1]).index_add_(0, tracks, values)
    mean = total / torch.bincount(tracks, minlength=count).clamp(min=1)[:, None]
    return unpooled(mean, pooling=pooling, exclusive=exclusive)


def verdicts(
    scores: Tensor,
    windows: Windows,
    *,
    verdict: str,
    count: int,
    pooling: Pooling = "probabilities",
    exclusive: bool = True,
) -> Tensor:
    """Return each track's probabilities by the recipe's own verdict: `first` window, or `vote` of all."""
    if verdict == "first":
        first = torch.ones(len(windows), dtype=torch.bool)
        first[1:] = windows.tracks[1:] != windows.tracks[:-1]
        scores, windows = scores[first], windows.take(first.nonzero().flatten())
    return track_scores(scores, windows.tracks, count=count, pooling=pooling, exclusive=exclusive)


def joined(tracks: Sequence[TrackScores]) -> tuple[Tensor, Windows]:
    """Return the probabilities of all windows of tracks that are averaged, (windows, labels), and whose each is."""
    voting = [track.voting for track in tracks]
    scores = torch.cat([track.window_scores[chosen] for track, chosen in zip(tracks, voting, strict=True)])
    owners = torch.arange(len(tracks)).repeat_interleave(torch.tensor([len(chosen) for chosen in voting]))
    starts = torch.cat([torch.tensor(track.starts)[chosen] for track, chosen in zip(tracks, voting, strict=True)])
    return scores, Windows(starts, starts, owners)
