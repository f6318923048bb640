"""The largest response of a convolution over the bands of a log-mel, by far fewer operations than the convolution.

Filters over many bands (`_over_bands`) are applied in the frequency domain of the band axis. With B bands, the discrete
Fourier transform of each frame is multiplied by that of the filter, and the inverse transform is a matrix product. Only
the responses of filters that lie wholly inside the bands are wanted; circular convolution of length B leaves these as
they are. They are counted from the middle one, so that place q and place -q have the same cosines and opposite sines:

    y(q) = C(q) + S(q),  y(-q) = C(q) - S(q),  so the larger one is C(q) + |S(q)|

which halves the inverse transform, and makes the maximum part of it. For 204 filters of 7 frames x 38 of 96 bands that
is 3.7 times fewer operations, for 67 bands 5 times.

Filters over one band and many frames (`_over_frames`) are matrix products in which a row holds what several
neighbouring frames need, so that less memory is copied.

Where the processor multiplies bfloat16, products are done in it: half the time, for an error of 0.4 % of a response.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_BLOCK = 96  # frames whose responses stay in the cache
_TOGETHER = 8  # frames that share a row


def compute(padded: Tensor, layer: nn.Conv2d) -> Tensor:
    """Do what `layer(padded).amax(dim=3)` does, on a CPU and without gradients.

    Args:
        padded: shape (batch, 1, frames + length - 1, bands).
        layer: with one input channel, and filters of shape (length, width).

    Returns:
        Shape (batch, channels, frames).
    """
    kind = torch.bfloat16 if has_bfloat16() else padded.dtype
    find = _over_frames if layer.kernel_size[1] == 1 else _over_bands
    result = find(padded[:, 0], layer.weight[:, 0], kind)
    return result if layer.bias is None else result + layer.bias[:, None]


@functools.cache
def has_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16 by itself."""
    capable = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(capable and capable())


def _over_bands(images: Tensor, filters: Tensor, kind: torch.dtype) -> Tensor:
    """Return the largest responses of `filters`, (channels, length, width), for images of (batch, rows, bands)."""
    channels, length, width = filters.shape
    batch, rows, bands = images.shape
    count, places = rows - length + 1, bands - width + 1
    transform, cosines, sines = (each.to(images) for each in _transforms(bands, places))
    real, imaginary = (each.to(kind) for each in _spectra(filters, bands, places))
    cosines, sines = cosines.to(kind), sines.to(kind)
    spectra = (images @ transform).view(batch, rows, -1, 2).transpose(1, 2).to(kind).contiguous()
    result = images.new_empty(batch, channels, count)
    bins = spectra.shape[1]
    for image, out in zip(spectra, result, strict=True):
        for start in range(0, count, _BLOCK):
            frames = min(_BLOCK, count - start)
            begin = image.storage_offset() + 2 * start
            patches = image.as_strided((bins, frames, 2 * length), (2 * rows, 2, 1), begin).contiguous()
            even = cosines @ torch.bmm(patches, real).view(bins, -1)
            odd = sines @ torch.bmm(patches, imaginary).view(bins, -1)
            largest = odd.abs_().add_(even).amax(dim=0)
            out[:, start : start + frames] = largest.view(frames, channels).T
    return result


@functools.cache
def _transforms(bands: int, places: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the transform of a frame, (bands, 2 bins), and both halves of its inverse, (places / 2, bins)."""
    bins = bands // 2 + 1
    frequency = 2 * math.pi * torch.arange(bins, dtype=torch.float64) / bands
    angle = torch.arange(bands, dtype=torch.float64)[:, None] * frequency
    transform = torch.stack([angle.cos(), -angle.sin()], dim=2).flatten(1)
    share = torch.full((bins,), 2.0 / bands, dtype=torch.float64)  # a bin stands for its mirror image too
    share[0] = 1.0 / bands
    if bands % 2 == 0:
        share[-1] = 1.0 / bands
    from_middle = torch.arange((places + 1) // 2, dtype=torch.float64) + (0.5 if places % 2 == 0 else 0.0)
    angle = from_middle[:, None] * frequency
    return transform, angle.cos() * share, -angle.sin() * share


def _spectra(filters: Tensor, bands: int, places: int) -> tuple[Tensor, Tensor]:
    """Return what the spectra of frames are multiplied by to get real and imaginary part of the responses' spectra.

    Each is of shape (bins, 2 length, channels); the rows are real and imaginary parts of the frames, one frame after
    the other.
    """
    channels, length, width = filters.shape
    bins = bands // 2 + 1
    frequency = 2 * math.pi * torch.arange(bins, dtype=torch.float64) / bands
    place = torch.arange(width, dtype=torch.float64) + (places - 1) / 2
    angle = place[:, None] * frequency
    # Conjugated, since a network's convolution is a correlation, and moved to the middle place.
    real = (filters @ angle.cos().to(filters)).permute(2, 1, 0)  # (bins, length, channels)
    imaginary = (filters @ angle.sin().to(filters)).permute(2, 1, 0)
    first = torch.stack([real, -imaginary], dim=2).reshape(bins, 2 * length, channels)
    second = torch.stack([imaginary, real], dim=2).reshape(bins, 2 * length, channels)
    return first, second


def _over_frames(images: Tensor, filters: Tensor, kind: torch.dtype) -> Tensor:
    """Return the largest responses of `filters`, (channels, length, 1), for images of (batch, rows, bands)."""
    channels, length, _ = filters.shape
    batch, rows, bands = images.shape
    count = rows - length + 1
    groups = -(-count // _TOGETHER)
    span = length + _TOGETHER - 1
    weights = torch.stack([F.pad(filters[:, :, 0], (n, _TOGETHER - 1 - n)) for n in range(_TOGETHER)])
    weights = weights.flatten(0, 1).T.to(kind).contiguous()  # (span, together * channels)
    long = groups * _TOGETHER + length - 1
    bands_first = F.pad(images.transpose(1, 2), (0, long - rows)).to(kind).contiguous()
    result = images.new_empty(batch, channels, count)
    for image, out in zip(bands_first, result, strict=True):
        patches = image.as_strided((bands, groups, span), (long, _TOGETHER, 1), image.storage_offset())
        responses = patches.reshape(bands * groups, span) @ weights
        out[:] = responses.view(bands, groups, -1).amax(dim=0).view(-1, channels)[:count].T
    return result
