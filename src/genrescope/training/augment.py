"""Augmentation: a window is changed as recordings differ, so that the network learns what they have in common.

What is random is drawn on the CPU from the training's seed (`draw`), apart from its use (`apply`), which works on a
whole batch where it lies. The same draws give the same batch. Equaliser, low-pass and noise act on
the power of each band, as they would on the wave; the log-mel's floor is taken off before and put back after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from genrescope.errors import DataError
from genrescope.features.logmel import mel_centres
from genrescope.features.spec import LogMelSpec

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from genrescope.features.spec import Spec
    from genrescope.training.recipe_sections import AugmentSection

_KNOTS = 6  # of the equaliser's curve
_LOWEST_CUT = 2_000.0  # Hz
_STEEPNESS = 60.0  # dB that a low-pass takes away in the band above its cut
_NOISE_DB = 10.0, 40.0
_MASKS = 2


@dataclass(frozen=True)
class Draws:
    """All that is random of a batch; each has a row for every window.

    Attributes:
        transpose: (batch,), frequency in the place of 1.
        curve: (batch, 6), dB at knots that stand evenly over the bands.
        cut: (batch,), frequency above which all is taken away, in Hz; infinite for nothing.
        noise: (batch,), dB of noise against the window; minus infinity for none.
        time_masks: (batch, 2, 2), begin and length, as shares of the window.
        frequency_masks: (batch, 2, 2), begin and length, as shares of the bands.
        partner: int64 (batch,), the window that is mixed in, with its label.
        share: (batch,), what is kept of the window itself.
    """

    transpose: Tensor
    curve: Tensor
    cut: Tensor
    noise: Tensor
    time_masks: Tensor
    frequency_masks: Tensor
    partner: Tensor
    share: Tensor

    def to(self, device: torch.device) -> Draws:
        """Return the same on a device."""
        return replace(self, **{each.name: getattr(self, each.name).to(device) for each in fields(self)})


class Augment:
    """A recipe's changes.

    Raises:
        DataError: the front end is no natural logarithm of the power of mel bands.
    """

    def __init__(self, section: AugmentSection, spec: Spec) -> None:
        if not isinstance(spec, LogMelSpec) or spec.compression != "log":
            raise DataError(f'{spec} cannot be augmented; prepare the store with a "log-mel" of compression "log"')
        self._section, self._spec = section, spec
        self._centres = torch.from_numpy(mel_centres(spec)).float()

    def draw(self, count: int, generator: Generator) -> Draws:
        """Draw all that is random of a batch of `count` windows; as much is drawn whatever is switched off."""
        its = self._section

        def uniform(*shape: int) -> Tensor:
            return torch.rand(count, *shape, generator=generator)

        def some(share: float, values: Tensor, otherwise: float) -> Tensor:
            return torch.where(uniform() < share, values, torch.tensor(otherwise))

        uniform()  # this and the next bare calls stand for changes that are gone: a seed still draws what it drew
        transpose = 2 ** (its.semitones * (2 * uniform() - 1) / 12)
        uniform()
        curve = its.equaliser_db * torch.randn(count, _KNOTS, generator=generator)
        top = math.log(self._spec.f_max / _LOWEST_CUT)
        cut = some(its.low_pass, _LOWEST_CUT * torch.exp(top * uniform()), math.inf)
        noise = some(its.noise, -_between(_NOISE_DB, uniform()), -math.inf)
        uniform(3)
        masks = [_masks(uniform(_MASKS), uniform(_MASKS), most) for most in (its.time_mask, its.frequency_mask)]
        partner = torch.randperm(count, generator=generator)
        at = uniform()
        share = _beta(its.mixup, at) if its.mixup else torch.ones(count)
        return Draws(transpose, curve, cut, noise, masks[0], masks[1], partner, share)

    def apply(self, images: Tensor, labels: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Change a batch.

        Args:
            images: log-mels, float32 (batch, 1, n_mels, frames).
            labels: probabilities, float32 (batch, genres).
            draws: what was drawn for it.

        Returns:
            Log-mels and labels of the same shapes.
        """
        its, draws = self._section, draws.to(images.device)
        if its.semitones:
            images = self._transposed(images, draws)
        if its.equaliser_db or its.low_pass or its.noise:
            images = self._coloured(images, draws)
        if its.mixup:
            own = draws.share[:, None]
            images = torch.lerp(images[draws.partner], images, own[:, :, None, None])
            labels = torch.lerp(labels[draws.partner], labels, own)
        if its.time_mask or its.frequency_mask:
            images = _masked(images, draws)
        return images, labels

    def _transposed(self, images: Tensor, draws: Draws) -> Tensor:
        """Read the picture at other frequencies, between the points linearly."""
        length = images.shape[3]
        centres = self._centres.to(images.device)
        wanted = (centres * (1 / draws.transpose)[:, None]).contiguous()  # at f: what was at f / transpose
        above = torch.searchsorted(centres, wanted).clamp(1, len(centres) - 1)
        low, high = centres[above - 1], centres[above]
        rows = above - 1 + ((wanted - low) / (high - low)).clamp(0, 1)
        grid = torch.empty(len(images), images.shape[2], length, 2, device=images.device)
        grid[..., 0] = 2 * torch.arange(length, device=images.device).float() / (length - 1) - 1
        grid[..., 1] = (2 * rows / (images.shape[2] - 1) - 1)[:, :, None]
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)

    def _coloured(self, images: Tensor, draws: Draws) -> Tensor:
        """Change the power of the bands."""
        floor = self._spec.floor
        power = (images.exp() - floor).clamp_(min=0)
        decibels = F.interpolate(
            draws.curve[:, None], size=images.shape[2], mode="linear", align_corners=True
        ).unsqueeze(3)
        if self._section.low_pass:
            over = (self._centres.to(images.device) > draws.cut[:, None]).float()
            decibels = decibels - _STEEPNESS * over[:, None, :, None]
        power = power * 10 ** (decibels / 10)
        if self._section.noise:
            power = power + (10 ** (draws.noise / 10) * power.mean(dim=(1, 2, 3)))[:, None, None, None]
        return (power + floor).log_()


def _between(ends: tuple[float, float], at: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * at


def _masks(lengths: Tensor, begins: Tensor, most: float) -> Tensor:
    """Return begins and lengths, (batch, masks, 2); each mask lies inside."""
    lengths = most * lengths
    return torch.stack([begins * (1 - lengths), lengths], dim=2)


def _beta(parameter: float, at: Tensor) -> Tensor:
    """Return the quantiles of Beta(a, a) at uniform numbers, folded to [0.5, 1], from a fine table.

    The density is `(x (1 - x))^(a - 1)`, which has a pole at 0 where a < 1. Over `v = (2 x)^b`, b the lesser of a
    and 1, it has none, since `dv ~ x^(b - 1) dx`: what is left is `x^(a - b) (1 - x)^(a - 1)`, with x at most 1/2.
    """
    power = min(parameter, 1.0)
    middles = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096
    lesser = middles ** (1 / power) / 2
    heights = (parameter - power) * lesser.log() + (parameter - 1) * torch.log1p(-lesser)
    shares = torch.cumsum((heights - heights.max()).exp(), dim=0)
    return 1 - lesser[torch.searchsorted(shares / shares[-1], at.double()).clamp(max=4095)].float()


def _masked(images: Tensor, draws: Draws) -> Tensor:
    """Fill the masks with each window's mean."""
    hidden = torch.zeros_like(images, dtype=torch.bool)
    for masks, dim in ((draws.frequency_masks, 2), (draws.time_masks, 3)):
        size = images.shape[dim]
        at = (torch.arange(size, device=images.device) + 0.5) / size
        begin, length = masks[:, :, 0, None], masks[:, :, 1, None]
        covered = ((at >= begin) & (at < begin + length)).any(dim=1)
        hidden |= covered[:, None, :, None] if dim == 2 else covered[:, None, None, :]
    return torch.where(hidden, images.mean(dim=(2, 3), keepdim=True), images)
