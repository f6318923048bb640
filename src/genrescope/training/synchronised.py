"""Layers of a network that several processes train, each with a share of every batch, as if one process trained it.

Batch norm uses the statistics of the whole batch (S. Ioffe and C. Szegedy, Batch normalization, 2015, over all
processes; torch's own SyncBatchNorm needs a GPU), and dropout the mask that one process would draw for it.
"""

from __future__ import annotations

import contextlib
import math
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import distributed, nn

from genrescope.models.mgcc import CNTKBatchNorm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor
    from torch.nn.modules.batchnorm import _BatchNorm

    from genrescope.training.ranks import Share


class Synchronised:
    """A network whose layers know the share of the batch that they see.

    Attributes:
        share: of the batch that comes next.
    """

    def __init__(self) -> None:
        self.share: Share | None = None
        self._group = distributed.new_group()  # its sums never mix with those of gradients

    @contextlib.contextmanager
    def of(self, network: nn.Module) -> Iterator[None]:
        """Let the layers of a network act on whole batches until the block ends."""
        changed = []
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.forward = partial(self._norm, module, module.forward)  # type: ignore[method-assign]
            elif isinstance(module, nn.Dropout):
                module.forward = partial(self._dropout, module)  # type: ignore[method-assign]
            else:
                continue
            changed.append(module)
        try:
            yield
        finally:
            for module in changed:
                del module.forward  # the class's own is there again

    def _norm(self, module: _BatchNorm, plain: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
        """Normalise by the mean and the variance of the whole batch."""
        if not module.training:
            return plain(values)
        assert self.share is not None
        others = [axis for axis in range(values.ndim) if axis != 1]
        shape = [1, -1] + [1] * (values.ndim - 2)
        count = self.share.total * math.prod(values.shape[2:])
        mean = self._sum(values.sum(others)) / count
        centred = values - mean.view(shape)
        variance = self._sum(centred.square().sum(others)) / count
        self._remember(module, mean, variance * (count / max(count - 1, 1)))
        scale = (variance + module.eps).rsqrt() * module.weight
        return centred * scale.view(shape) + module.bias.view(shape)

    @torch.no_grad()
    def _remember(self, module: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
        """Let the running statistics follow those of a batch, as the layer's own forward does."""
        assert self.share is not None
        momentum = module.momentum
        if isinstance(module, CNTKBatchNorm):
            momentum = module.momentum_for(self.share.total)
        assert module.num_batches_tracked is not None
        assert module.running_mean is not None
        assert module.running_var is not None
        module.num_batches_tracked += 1
        assert momentum is not None
        module.running_mean.lerp_(mean, momentum)
        module.running_var.lerp_(variance, momentum)

    def _dropout(self, module: nn.Dropout, values: Tensor) -> Tensor:
        """Drop what one process would drop of these rows of the batch."""
        if not module.training or module.p == 0:
            return values
        assert self.share is not None
        whole = values.new_empty((self.share.total, *values.shape[1:]))
        kept = whole.bernoulli_(1 - module.p)[self.share.start : self.share.stop]
        return values * (kept / (1 - module.p))

    def _sum(self, values: Tensor) -> Tensor:
        return cast("Tensor", _Sum.apply(values, self._group))  # type: ignore[no-untyped-call]


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each process's loss depends on it, so their gradients are summed, too."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = values.clone()
        distributed.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        distributed.all_reduce(total, group=ctx.group)
        return total, None
