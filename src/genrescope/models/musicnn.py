"""musicnn: networks for music tagging whose filters are shaped like timbres and rhythms.

| part | layers | output |
|---|---|---|
| front end | batch norm of the input; timbre: 204 filters of 7 frames x 38 bands, 204 of 7 x 67; time: 51 filters of 128, 64, 32 frames x 1 band; each with ReLU, then batch norm, then the maximum over bands | 561 channels a frame |
| middle | a convolution of 7 frames to 64 channels, then two of 64 with residual sums, each with ReLU, then batch norm | 3 x 64 channels a frame |
| pooling | maximum and mean over time of all 753 channels, side by side | 1,506 |
| head | batch norm, dense 200 with ReLU, batch norm (the embedding), dense | tags |

The package `musicnn` casts the power of the mel bands to float16 before it takes `log10(10000 power + 1)`, which
overflows to infinity above a power of 6.5. genrescope computes and keeps these frames in float32.

Source: J. Pons and X. Serra, musicnn: pre-trained convolutional neural networks for music audio tagging, 2019; the
architecture is that of J. Pons et al., End-to-end learning for music audio tagging at scale, ISMIR 2018.
"""  # noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrescope.features.spec import LogMelSpec
from genrescope.models import largest_response
from genrescope.models.registry import register

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

FRONT_END = LogMelSpec(16_000, 512, 256, 96, f_max=8000, window="hann", compression="log10")
BANDS, FRAMES = FRONT_END.n_mels, 187
_EPSILON = 1e-3  # of batch norm, as TensorFlow has it
_TIMBRE, _TIME = ((7, 38), (7, 67)), (128, 64, 32)
_TIMBRES, _TIMES, _MIDDLE, _EMBEDDING = 204, 51, 64, 200
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
POOLED = 2 * (len(_TIMBRE) * _TIMBRES + len(_TIME) * _TIMES + 3 * _MIDDLE)
"""Features of a window after pooling."""


class Musicnn(nn.Module):
    """The network.

    Args:
        tags: number of outputs.

    Attributes:
        width: features in an embedding.
    """

    width = _EMBEDDING
    batch = 10

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=_EPSILON)
        shapes = [*_TIMBRE, *((length, 1) for length in _TIME)]
        channels = [_TIMBRES] * len(_TIMBRE) + [_TIMES] * len(_TIME)
        self.front = nn.ModuleList(nn.Conv2d(1, count, shape) for count, shape in zip(channels, shapes, strict=True))
        self.front_norms = nn.ModuleList(nn.BatchNorm1d(count, eps=_EPSILON) for count in channels)
        for number, count in enumerate(channels):
            self.register_buffer(f"signs{number}", torch.ones(count))
        inputs = (sum(channels), _MIDDLE, _MIDDLE)
        self.middle = nn.ModuleList(nn.Conv1d(count, _MIDDLE, 7, padding=3) for count in inputs)
        self.middle_norms = nn.ModuleList(nn.BatchNorm1d(_MIDDLE, eps=_EPSILON) for _ in inputs)
        self.pooled_norm = nn.BatchNorm1d(POOLED, eps=_EPSILON)
        self.dense = nn.Linear(POOLED, _EMBEDDING)
        self.dense_norm = nn.BatchNorm1d(_EMBEDDING, eps=_EPSILON)
        self.tags = nn.Linear(_EMBEDDING, tags)

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits of shape (batch, tags) from log-mels of shape (batch, 1, 96, frames)."""
        return self.judge(self.pool(windows))

    def judge(self, pooled: Tensor) -> Tensor:
        """Return the tags' logits of what `pool` returned."""
        return cast("Tensor", self.tags(self.embed_pooled(pooled)))

    def logits_and_embeddings(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of one pass, as `forward` and `embed` return them."""
        embedded = self.embed(windows)
        return cast("Tensor", self.tags(embedded)), embedded

    def embed(self, windows: Tensor) -> Tensor:
        """Return the penultimate layer, of shape (batch, 200), from log-mels of shape (batch, 1, 96, frames)."""
        return self.embed_pooled(self.pool(windows))

    def embed_pooled(self, pooled: Tensor) -> Tensor:
        """Return the penultimate layer of what `pool` returned."""
        return cast("Tensor", self.dense_norm(torch.relu(self.dense(self.pooled_norm(pooled)))))

    def pool(self, windows: Tensor) -> Tensor:
        """Return maximum and mean over time of each channel, of shape (batch, 1506)."""
        frames = self.local(windows)
        return torch.stack([frames.amax(dim=2), frames.mean(dim=2)], dim=2).flatten(1)

    def local(self, windows: Tensor) -> Tensor:
        """Return the channels of each frame, of shape (batch, 753, frames): all that looks at nearby frames only."""
        image = self.input_norm(windows)  # (batch, 1, bands, frames)
        front = torch.cat([norm(self._filtered(image, number)) for number, norm in enumerate(self.front_norms)], dim=1)
        first = self.middle_norms[0](torch.relu(self.middle[0](front)))
        second = self.middle_norms[1](torch.relu(self.middle[1](first))) + first
        third = self.middle_norms[2](torch.relu(self.middle[2](second))) + second
        return torch.cat([front, first, second, third], dim=1)

    def _filtered(self, image: Tensor, number: int) -> Tensor:
        """Convolve, and return the largest response over the bands, of shape (batch, channels, frames).

        In the original ReLU and batch norm come before the maximum. Both keep order, or turn it round where a norm's
        scale is negative; the largest is then the smallest response, which `signs` sees to, and one pass is enough.
        """
        layer = cast("nn.Conv2d", self.front[number])
        length = layer.kernel_size[0]
        before = (length - 1) // 2
        padded = F.pad(image.transpose(2, 3), (0, 0, before, length - 1 - before))
        fast = padded.device.type == "cpu" and not torch.is_grad_enabled()
        largest = largest_response.compute(padded, layer) if fast else layer(padded).amax(dim=3)
        return torch.relu(largest * self.get_buffer(f"signs{number}")[:, None])


def from_tensorflow(tensors: dict[str, npt.NDArray[np.float32]]) -> Musicnn:
    """Return the network whose weights a checkpoint of the package `musicnn` has.

    Args:
        tensors: the checkpoint's variables by their names, those of the optimizer left out.

    Raises:
        KeyError: one is missing.
    """
    network = Musicnn(tensors["dense_1/bias"].shape[0])
    state: dict[str, Tensor] = {}
    norms = ("input_norm", *(f"front_norms.{n}" for n in range(5)), *(f"middle_norms.{n}" for n in range(3)))
    for number, name in enumerate((*norms, "pooled_norm", "dense_norm")):
        its = f"batch_normalization{f'_{number}' if number else ''}"
        for ours, theirs in _NORM.items():
            state[f"{name}.{ours}"] = torch.from_numpy(tensors[f"{its}/{theirs}"])
    for number in range(8):
        its = f"conv2d{f'_{number}' if number else ''}"
        kernel = torch.from_numpy(tensors[f"{its}/kernel"])  # height (time), width (bands), inputs, outputs
        weight, bias = kernel.permute(3, 2, 0, 1), torch.from_numpy(tensors[f"{its}/bias"])
        if number < 5:
            signs = state[f"front_norms.{number}.weight"].sign().where(state[f"front_norms.{number}.weight"] != 0, 1.0)
            state[f"signs{number}"] = signs
            state |= {
                f"front.{number}.weight": weight * signs[:, None, None, None],
                f"front.{number}.bias": bias * signs,
            }
        else:  # the channels of the layer before lie along the width
            state |= {
                f"middle.{number - 5}.weight": kernel[:, :, 0].permute(2, 1, 0),
                f"middle.{number - 5}.bias": bias,
            }
    for name, its in (("dense", "dense"), ("tags", "dense_1")):
        state |= {
            f"{name}.weight": torch.from_numpy(tensors[f"{its}/kernel"]).T,
            f"{name}.bias": torch.from_numpy(tensors[f"{its}/bias"]),
        }
    network.load_state_dict({name: tensor.contiguous() for name, tensor in state.items()}, strict=False)
    return network.eval()


@register
def musicnn(labels: int) -> Musicnn:
    """The network as published: 779,119 parameters at ten genres, 2.8 GFLOP for 187 frames."""
    return Musicnn(labels)
