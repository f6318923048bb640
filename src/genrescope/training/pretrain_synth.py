"""Pre-training on synthesised music that never comes twice: its score tells what there is to hear.

Piece number i of a seed is always the same music, whoever renders it. A step cuts windows from a pool of pieces, and
some new ones then take the place of the oldest; which pieces are in the pool depends on the number of the step alone,
so a resumed run renders them again and is where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from genrescope import synth, workers
from genrescope.errors import TrainingError
from genrescope.features.front_end import FrontEnd, make, stored
from genrescope.training.augment import Augment
from genrescope.training.batches import generator_for

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import numpy.typing as npt
    from torch import Tensor

    from genrescope.features.spec import Spec
    from genrescope.training.augment import Draws
    from genrescope.training.recipe import Recipe

STYLES = tuple(synth.STYLES)
METRES = tuple(sorted({style.beats for style in synth.STYLES.values()}))
SCALES = tuple(synth.SCALES)
TEMPI = 24
"""Bins of tempo, each 6 % wide: from 50 to 210 beats per minute, evenly on the logarithmic scale."""
SIZES = {
    "style": len(STYLES), "metre": len(METRES), "tempo": TEMPI, "tonic": 12, "scale": len(SCALES),
    "instruments": len(synth.INSTRUMENTS),
}  # fmt: skip
"""What is asked of a window, in the order of the outputs, and how many answers there are to each."""

_SLOWEST, _FASTEST = 50.0, 210.0
_STROKE = 0.1  # seconds in which a stroke of a drum is heard
_LEAST = 4  # frames of a window that an instrument must be heard in to be asked for
_CROPS = 1 << 35  # what the numbers of an epoch's windows are counted from


@dataclass(frozen=True)
class Piece:
    """A piece of music, and what is to be heard in it.

    Attributes:
        frames: its log-mel, float16 (frames, n_mels); an array, since a tensor would come from its process as an open
            file.
        playing: whether each instrument sounds, bool (instruments, frames).
        tempo: beats per minute.
        tonic: pitch class, 0 for C.
        style: position in `STYLES`.
    """

    frames: npt.NDArray[np.float16]
    playing: npt.NDArray[np.bool_]
    tempo: float
    tonic: int
    style: int


def arguments(number: int, seed: int) -> tuple[str, dict[str, int]]:
    """Return what `synth.score` and `synth.compose` take for a piece: each has an artist of its own.

    Example:
        >>> arguments(3, 0) == arguments(3, 0), arguments(3, 0) == arguments(4, 0)
        (True, False)
    """
    rng = np.random.default_rng([seed, number])
    style = STYLES[int(rng.integers(len(STYLES)))]
    artist, world = int(rng.integers(synth.MAX_ARTISTS)), int(rng.integers(1 << 31))
    return style, {"artist": artist, "track": number, "seed": world}


def renderer(seed: int, seconds: float, spec: Spec) -> Callable[[int], Piece]:
    """Return the function that renders a piece by its number."""
    return partial(render, seed=seed, seconds=seconds, front=make(spec))


def render(number: int, *, seed: int, seconds: float, front: FrontEnd) -> Piece:
    """Play a piece and listen to it."""
    style, its = arguments(number, seed)
    score = synth.score(style, seconds=seconds, **its)
    wave = synth.compose(style, seconds=seconds, sample_rate=front.spec.sample_rate, **its)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in the same order here and in every worker
    try:
        frames = stored([wave], front)
    finally:
        torch.set_num_threads(threads)
    playing = played(score, len(frames), rate=front.spec.frame_rate)
    return Piece(frames, playing, score.tempo, score.tonic % 12, STYLES.index(style))


def played(score: synth.Score, frames: int, *, rate: float) -> npt.NDArray[np.bool_]:
    """Return in which frames each instrument of `synth.INSTRUMENTS` sounds, bool (instruments, frames)."""
    playing = np.zeros((len(synth.INSTRUMENTS), frames), np.bool_)
    row = {name: number for number, name in enumerate(synth.INSTRUMENTS)}
    heard = [(score.instruments[note.part], note.start, note.seconds) for note in score.notes]
    heard += [(hit.drum, hit.start, _STROKE) for hit in score.hits]
    for name, start, seconds in heard:
        playing[row[name], int(start * rate) : math.ceil((start + seconds) * rate)] = True
    return playing


def tempo_bin(tempo: Tensor) -> Tensor:
    """Return the bin of each tempo, int64; what is slower or faster than all bins is in the last one.

    Example:
        >>> tempo_bin(torch.tensor([20.0, 50.0, 102.0, 103.0, 400.0])).tolist()
        [0, 0, 11, 12, 23]
    """
    place = torch.log(tempo / _SLOWEST) / math.log(_FASTEST / _SLOWEST) * TEMPI
    return place.long().clamp(0, TEMPI - 1)


def targets(style: Tensor, tempo: Tensor, pitch: Tensor, playing: Tensor) -> Tensor:
    """Return what is right, float32 (batch, outputs): each question's answers side by side, in the order of `SIZES`.

    Args:
        style: int64 (batch,).
        tempo: (batch,), beats per minute as heard.
        pitch: (batch,), pitch class of the tonic as heard; between two, both are right in part.
        playing: bool (batch, instruments).
    """
    metre = torch.tensor([METRES.index(synth.STYLES[name].beats) for name in STYLES])[style]
    scale = torch.tensor([SCALES.index(synth.STYLES[name].scale) for name in STYLES])[style]
    below = pitch.floor()
    part = (pitch - below)[:, None]
    lower, upper = (F.one_hot((below.long() + step) % 12, 12) for step in (0, 1))
    asked = {
        "style": F.one_hot(style, len(STYLES)), "metre": F.one_hot(metre, len(METRES)),
        "tempo": F.one_hot(tempo_bin(tempo), TEMPI), "tonic": (1 - part) * lower + part * upper,
        "scale": F.one_hot(scale, len(SCALES)), "instruments": playing,
    }  # fmt: skip
    return torch.cat([asked[name].float() for name in SIZES], dim=1)


class SynthTask:
    """Hear tempo, metre, key, instruments and style.

    Args:
        recipe: one whose task is `synth`.
        spec: the front end's numbers.
        seed: of the music and of the windows.
        device: where the windows go.
        jobs: processes that render; None takes one for each core.
    """

    def __init__(self, recipe: Recipe, spec: Spec, *, seed: int, device: torch.device, jobs: int | None = None) -> None:
        self._recipe, self._spec, self._seed, self._device, self._jobs = recipe, spec, seed, device, jobs
        self._augment = Augment(recipe.augment, spec)
        self._length = self._augment.source_frames(recipe.windows.frames)
        self._fresh = recipe.training.batch_size // recipe.windows.crops
        self._pool: list[Piece] = []
        self._coming: Generator[Piece] | None = None
        frames = spec.frames(round(recipe.pretrain.seconds * spec.sample_rate))
        if frames < self._length:
            raise TrainingError(
                f"pretrain.seconds {recipe.pretrain.seconds} gives {frames} frames, and a window with room for "
                f"augment.tempo takes {self._length}; choose longer pieces with --set pretrain.seconds=..."
            )

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return self._recipe.pretrain.pieces // self._fresh

    def head(self, width: int) -> nn.Module:
        """Return a fresh head: one output for each answer."""
        return nn.Sequential(nn.Dropout(self._recipe.model.dropout), nn.Linear(width, sum(SIZES.values())))

    def normal(self) -> Iterator[Tensor]:
        """Yield the log-mels of the first pool."""
        self._begin(0)
        return (torch.from_numpy(piece.frames) for piece in self._pool)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, counted from 1: log-mels (batch, 1, n_mels, frames), and `targets`."""
        first = (number - 1) * self._recipe.pretrain.pieces
        generator = generator_for(self._seed, _CROPS + number)
        self._begin(first)
        for step in range(self.steps):
            yield self._batch(generator)
            self._renew(first + step * self._fresh)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the mean of the questions' cross-entropies, each over that of guessing, so that 1 is no idea."""
        smooth = self._recipe.training.label_smoothing
        asked = _asked(outputs, target)
        losses = [
            F.cross_entropy(out, right, label_smoothing=smooth) / math.log(SIZES[name])
            for name, (out, right) in asked.items()
            if name != "instruments"
        ]
        out, right = asked["instruments"]
        return torch.stack([*losses, F.binary_cross_entropy_with_logits(out, right) / math.log(2)]).mean()

    def score(self, outputs: Tensor, target: Tensor) -> dict[str, tuple[int, int]]:
        """Return right answers and questions; of the instruments both terms of F1, `2 found / (told + there)`."""
        asked = _asked(outputs, target)
        out, right = asked.pop("instruments")
        told, there = out > 0, right > 0.5
        found = {
            name: (int((out.argmax(dim=1) == right.argmax(dim=1)).sum()), len(out))
            for name, (out, right) in asked.items()
        }
        return found | {"instruments": (2 * int((told & there).sum()), int(told.sum()) + int(there.sum()))}

    def close(self) -> None:
        """End the processes that render."""
        if self._coming is not None:
            self._coming.close()
        self._coming, self._pool = None, []

    def _begin(self, first: int) -> None:
        """Have the pool that begins with a piece; it is there already unless the run has just begun."""
        its = self._recipe.pretrain
        if self._coming is None:
            last = its.pieces * self._recipe.training.epochs + its.pool
            self._coming = self._rendered(range(first, last))
            pieces = {number % its.pool: next(self._coming) for number in range(first, first + its.pool)}
            self._pool = [pieces[place] for place in range(its.pool)]

    def _rendered(self, numbers: Sequence[int]) -> Generator[Piece]:
        worker = partial(renderer, self._seed, self._recipe.pretrain.seconds, self._spec)
        yield from workers.results(numbers, worker, jobs=self._jobs, crashed=_crashed)

    def _renew(self, first: int) -> None:
        """Let new pieces take the place of the oldest, which are those from `first` on."""
        assert self._coming is not None
        for number in range(first, first + self._fresh):
            self._pool[number % len(self._pool)] = next(self._coming)

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cut windows from pieces of the pool, and change them."""
        size = self._recipe.training.batch_size
        chosen = [self._pool[place] for place in torch.randperm(len(self._pool), generator=generator)[:size].tolist()]
        at = torch.rand(size, generator=generator, dtype=torch.float64).tolist()
        starts = [int(share * (len(each.frames) - self._length + 1)) for share, each in zip(at, chosen, strict=True)]
        draws = self._augment.draw(size, generator)
        cut = [each.frames[start : start + self._length] for each, start in zip(chosen, starts, strict=True)]
        right = self._right(chosen, starts, draws).to(self._device)
        images = torch.from_numpy(np.stack(cut)).to(self._device).float().transpose(1, 2).unsqueeze(1)
        return self._augment.apply(images, right, draws)

    def _right(self, chosen: Sequence[Piece], starts: Sequence[int], draws: Draws) -> Tensor:
        """Return the targets of windows: what is changed in tempo or pitch is asked for as it will be heard."""
        heard = (self._recipe.windows.frames * draws.stretch).round().long().tolist()
        playing = [
            each.playing[:, start : start + frames].sum(axis=1) >= _LEAST
            for each, start, frames in zip(chosen, starts, heard, strict=True)
        ]
        tempo = torch.tensor([each.tempo for each in chosen]) * draws.stretch
        pitch = torch.tensor([each.tonic for each in chosen]) + 12 * torch.log2(draws.transpose)
        return targets(torch.tensor([each.style for each in chosen]), tempo, pitch, torch.from_numpy(np.stack(playing)))


def _asked(outputs: Tensor, target: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Return outputs and targets by question."""
    sizes = list(SIZES.values())
    return dict(
        zip(SIZES, zip(torch.split(outputs, sizes, dim=1), torch.split(target, sizes, dim=1), strict=True), strict=True)
    )


def _crashed(number: int) -> Piece:
    raise TrainingError(
        f"piece {number} cannot be rendered: the process that does it was killed (out of memory, perhaps)"
    )
