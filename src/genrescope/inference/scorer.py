"""The scorer: frames in, windows, logits, probabilities, and a track's scores out.

Prediction, evaluation, the cost of a model, validation while training, published networks: all score by this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from genrescope.errors import ModelFileError
from genrescope.features.windows import FrameBank, Span, Windows, WindowSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from genrescope.features.spec import Spec
    from genrescope.features.windows import Extent, Frames, Pooling
    from genrescope.modelfile import Model

BATCH = 32
"""Windows in a batch, where a network does not say otherwise by its attribute `batch`."""


@dataclass(frozen=True)
class TrackScores:
    """What a model made of a track.

    Attributes:
        scores: float32 (labels,): the mean of its windows' probabilities (soft voting).
        window_scores: float32 (windows, labels).
        starts: first frame of each window.
    """

    scores: Tensor
    window_scores: Tensor
    starts: tuple[int, ...]


class Scorer:
    """Scores frames by a network.

    Args:
        network: windows of shape (batch, 1, features, frames) in, logits of shape (batch, labels) out.
        front_end: what made the frames.
        windows: where the network looks.
        exclusive: whether labels exclude each other (softmax), or not (sigmoid).
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        front_end: Spec,
        windows: WindowSpec,
        exclusive: bool = True,
        temperature: float = 1.0,
    ) -> None:
        self.network, self.front_end, self.windows = network, front_end, windows
        self._exclusive, self._temperature = exclusive, temperature
        self._batch = int(getattr(network, "batch", BATCH))

    @classmethod
    def of(cls, model: Model) -> Scorer:
        """Return the scorer of a model file."""
        header = model.header
        return cls(
            model.network, front_end=header.front_end, windows=header.windows, exclusive=header.exclusive,
            temperature=header.temperature,
        )  # fmt: skip

    def bank(self, frames: Frames) -> FrameBank:
        """Return the frames where the network can cut windows from them."""
        device = next(iter(self.network.parameters()), torch.empty(0)).device
        return FrameBank(frames, silence=self.front_end.silence, device=device, padding=self.windows.padding)

    def track(self, frames: Frames) -> TrackScores:
        """Score one track by its frames, of shape (frames, features)."""
        placed = self.windows.place([Span(0, len(frames))])
        scores = self.window_scores(self.bank(frames), placed)
        mean = track_scores(scores, placed.tracks, count=1, pooling=self.windows.pooling, exclusive=self._exclusive)
        return TrackScores(mean[0], scores, tuple(placed.starts.tolist()))

    def tracks(self, frames: Frames, extents: Sequence[Extent]) -> tuple[Tensor, Windows]:
        """Score many tracks whose frames lie in one array: probabilities (windows, labels), and whose each is.

        They are scored one after the other, so that each gets to the bit what a prediction of its file gives: in
        batches over several tracks, arithmetic in another order would end in other digits.
        """
        cut = (frames[extent.first_frame : extent.first_frame + extent.frames] for extent in extents)
        return joined([self.track(each) for each in cut])

    def window_scores(self, bank: FrameBank, placed: Windows) -> Tensor:
        """Return the probabilities of windows, float32 of shape (windows, labels), on the CPU."""
        return torch.cat([self.probabilities(logits) for logits in self._outputs(self.network, bank, placed)])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of logits of shape (windows, labels), float32 on the CPU."""
        logits = logits.float() / self._temperature
        return (logits.softmax(dim=1) if self._exclusive else logits.sigmoid()).cpu()

    def embeddings(self, frames: Frames) -> Tensor:
        """Return the embeddings of a track's windows, float32 of shape (windows, width), on the CPU.

        Raises:
            ModelFileError: the network gives none.
        """
        embed = getattr(self.network, "embed", None)
        if embed is None:
            raise ModelFileError("this model's network has no method embed, so it gives no embeddings")
        return self.outputs(embed, frames)

    def outputs(self, function: Callable[[Tensor], Tensor], frames: Frames) -> Tensor:
        """Return what a function of the network makes of a track's windows, float32 on the CPU.

        Args:
            function: windows of shape (batch, 1, features, frames) in, (batch, ...) out.
        """
        placed = self.windows.place([Span(0, len(frames))])
        return torch.cat([made.float().cpu() for made in self._outputs(function, self.bank(frames), placed)])

    def _outputs(self, function: Callable[[Tensor], Any], bank: FrameBank, placed: Windows) -> Iterator[Tensor]:
        """Yield what a function makes of each batch; the network is put into evaluation mode and back."""
        was_training = self.network.training
        self.network.eval()
        try:
            with torch.inference_mode():
                for _, images in bank.batches(placed.split(self._batch), length=self.windows.frames):
                    yield function(images)
        finally:
            self.network.train(was_training)


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
    if pooling == "logits":
        scores = scores.clamp(min=1e-30).log() if exclusive else scores.logit(eps=1e-7)
    total = torch.zeros(count, scores.shape[1]).index_add_(0, tracks, scores)
    mean = total / torch.bincount(tracks, minlength=count).clamp(min=1)[:, None]
    if pooling == "probabilities":
        return mean
    return mean.softmax(dim=1) if exclusive else mean.sigmoid()


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
    """Return the probabilities of all windows of tracks, (windows, labels), and whose each is."""
    scores = torch.cat([track.window_scores for track in tracks])
    owners = torch.arange(len(tracks)).repeat_interleave(torch.tensor([len(track.starts) for track in tracks]))
    starts = torch.tensor([start for track in tracks for start in track.starts])
    return scores, Windows(starts, starts, owners)
