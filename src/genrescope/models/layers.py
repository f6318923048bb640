"""Layers that several families are built of."""

from __future__ import annotations

from torch import nn


def pooled_convolution(inputs: int, outputs: int, *, pool: tuple[int, int] = (2, 2)) -> nn.Sequential:
    """Return a 3x3 convolution with batch norm and ReLU, then a max pooling.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        pool: by how much bands and frames become fewer.
    """
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(pool),
    )
