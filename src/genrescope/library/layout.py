"""A two-dimensional map of embeddings: t-SNE, with neighbours that are near on the map, too.

The method is that of van der Maaten and Hinton (2008), started from the two principal components (Kobak and Berens
2019), so that equal embeddings give equal maps. Each song attracts its neighbours and repels all songs. The repulsion
of thousands of songs is computed on a grid, as in FIt-SNE (Linderman et al. 2019): songs become a density, whose
convolution with the force of a single song is a product after a Fourier transform. A step then takes a time that
grows with the number of songs, not with its square.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from genrescope import threads
from genrescope.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from torch import Tensor

NEIGHBOURS = 45
"""Neighbours of each song that the map looks at, where there are as many."""

_PERPLEXITY = 15.0  # how many of them count, on a smooth scale
_FEWEST = 30  # songs from which neighbours say more than the principal components
_STEPS = 750
_EARLY = 250  # steps in which songs attract each other more, so that they find their place
_EXAGGERATION = 12.0
_CELL = 0.5  # of the grid, in units of the map: the force of a song changes within 1
_CELLS = (64, 512)  # fewest and most cells of a side


def arrange(
    vectors: npt.NDArray[np.float32],
    neighbours: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float32],
    *,
    on_step: Callable[[Progress[None]], None] = lambda _: None,
) -> npt.NDArray[np.float32]:
    """Place songs on a square, those that sound alike near each other.

    Args:
        vectors: standardised embeddings, float32 (songs, width), each of length 1.
        neighbours: places of each song's nearest ones, int64 (songs, count), itself left out.
        similarity: cosines to these, float32 (songs, count).
        on_step: called at the start and after each step.

    Returns:
        Float32 (songs, 2), in [0, 1], the same for equal embeddings on one machine.
    """
    if len(vectors) < _FEWEST:
        return _to_square(_principal(vectors))
    with threads.limited(1), torch.inference_mode():  # steps are short: threads would wait for each other
        nearest = torch.from_numpy(neighbours[:, :NEIGHBOURS])
        weights = _affinities(torch.from_numpy(similarity[:, :NEIGHBOURS]))
        start = torch.from_numpy(_principal(vectors))
        places = start / start.std().clamp(min=1e-12) * 1e-4
        return _to_square(_descend(places, nearest, weights, on_step).numpy())


def _principal(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the two principal components, (songs, 2); each component's largest weight is positive."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    chosen = axes[:, -2:][:, ::-1]
    chosen = chosen * np.sign(np.take_along_axis(chosen, np.abs(chosen).argmax(axis=0)[None], axis=0))
    return np.ascontiguousarray(centred @ chosen, dtype=np.float32)


def _to_square(places: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Move and scale places into [0, 1], their proportions kept."""
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - (low + high) / 2) / max(float((high - low).max()), 1e-9) + 0.5, dtype=np.float32)


def _affinities(similarity: Tensor) -> Tensor:
    """Return how strongly each song attracts its neighbours, (songs, count), with a sum of 1 over all.

    They fall with the squared distance, at a rate by which each song has the same perplexity, found by bisection.
    """
    distance = 2 - 2 * similarity
    distance = distance - distance[:, :1]
    wanted = math.log(min(_PERPLEXITY, similarity.shape[1] / 3))
    rate = torch.ones(len(distance), 1)
    low, high = torch.zeros_like(rate), torch.full_like(rate, math.inf)
    for _ in range(50):
        shares = torch.softmax(-distance * rate, dim=1)
        entropy = -(shares * shares.clamp(min=1e-12).log()).sum(dim=1, keepdim=True)
        low, high = torch.where(entropy > wanted, rate, low), torch.where(entropy > wanted, high, rate)
        rate = torch.where(high.isinf(), rate * 2, (low + high) / 2)
    return shares / len(shares)


def _descend(places: Tensor, nearest: Tensor, weights: Tensor, on_step: Callable[[Progress[None]], None]) -> Tensor:
    """Move songs along the gradient of the Kullback-Leibler divergence, with momentum and gains."""
    rate = max(len(places) / _EXAGGERATION / 4, min(50.0, len(places) / 4))  # few songs would fly apart
    velocity, gains = torch.zeros_like(places), torch.ones_like(places)
    on_step(Progress(0, _STEPS))
    for step in range(_STEPS):
        early = step < _EARLY
        force, total = _repulsion(places)
        pull = _attraction(places, nearest, weights)
        gradient = 4 * (pull * (_EXAGGERATION if early else 1.0) - force / total)
        gains = torch.where(gradient * velocity < 0, gains + 0.2, gains * 0.8).clamp(min=0.01)
        velocity = velocity * (0.5 if early else 0.8) - rate * gains * gradient
        places = places + velocity
        places = places - places.mean(dim=0)
        on_step(Progress(step + 1, _STEPS))
    return places


def _attraction(places: Tensor, nearest: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of w (y_i - y_j) / (1 + d^2) over neighbours, half of it from those whose neighbour a song is."""
    apart = places[:, None] - places[nearest]
    pull = apart * (weights / 2 / (1 + apart.square().sum(dim=2)))[:, :, None]
    return pull.sum(dim=1).index_add(0, nearest.flatten(), -pull.flatten(0, 1))


def _repulsion(places: Tensor) -> tuple[Tensor, Tensor]:
    """Return sums of (y_i - y_j) / (1 + d^2)^2 over songs, (songs, 2), and of 1 / (1 + d^2) over pairs, both nearly.

    Each song is shared between the four nearest points of the grid, and takes its force from the same four with the
    same shares, so it exerts none on itself: the force of a song is odd.
    """
    low = places.min(dim=0).values
    extent = float((places - low).max())
    cells = min(max(2 ** math.ceil(math.log2(max(extent / _CELL, 1))), _CELLS[0]), _CELLS[1])
    cell = 2 ** (math.ceil(4 * math.log2(max(extent, 1e-9) / (cells - 2))) / 4)  # a quarter octave: it seldom changes
    index, shares = _corners((places - low) / cell, cells)
    density = torch.zeros(cells * cells).index_add(0, index.flatten(), shares.flatten()).reshape(cells, cells)
    spectrum = torch.fft.rfft2(density, s=(2 * cells, 2 * cells))
    fields = torch.fft.irfft2(spectrum * _kernels(cells, cell), s=(2 * cells, 2 * cells))[:, :cells, :cells]
    felt = (fields.reshape(3, -1)[:, index] * shares).sum(dim=2)
    return felt[1:].T.contiguous(), (felt[0] - _own(shares, cell)).sum()


def _corners(places: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Return the four points of the grid around each place, (songs, 4), and its shares of them."""
    first = places.floor().clamp(max=cells - 2)
    (right, down), (x, y) = (places - first).T, first.long().T
    index = torch.stack([x, x + 1, x, x + 1], dim=1) * cells + torch.stack([y, y, y + 1, y + 1], dim=1)
    shares = [(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down]
    return index, torch.stack(shares, dim=1)


def _own(shares: Tensor, cell: float) -> Tensor:
    """Return what each song adds to its own sum of 1 / (1 + d^2) by way of its four points."""
    step = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]]) * cell
    near = 1 / (1 + torch.cdist(step, step).square())
    return ((shares @ near) * shares).sum(dim=1)


@functools.lru_cache(maxsize=1)
def _kernels(cells: int, cell: float) -> Tensor:
    """Return the transforms of 1 / (1 + d^2) and of the force's two parts, on a grid twice as wide as the songs'."""
    step = torch.fft.fftfreq(2 * cells, d=1 / (2 * cells)) * cell
    x, y = step[:, None].expand(-1, 2 * cells), step.expand(2 * cells, -1)
    near = 1 / (1 + x.square() + y.square())
    fields = torch.stack([near, x * near.square(), y * near.square()])
    return torch.as_tensor(torch.fft.rfft2(fields))
