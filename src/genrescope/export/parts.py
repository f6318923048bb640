"""The parts of a model as ONNX graphs: front end, network and pooling, traced by torch."""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from genrescope.errors import ModelFileError, reason_of
from genrescope.export.front_end import OrderedPower, WindowFrontEnd
from genrescope.models.pooled import SEGMENT, PooledStatistics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import onnx

    from genrescope.modelfile import Header, Model

OPSET = 20
"""The version of ONNX's operators; onnxruntime has it since 1.17."""


class WindowNetwork(nn.Module):
    """A network with all that it gives, also beside the labels."""

    def __init__(self, network: nn.Module, *, others: bool) -> None:
        super().__init__()
        self.network, self.others = network, others

    def forward(self, window: Tensor) -> Tensor:
        """Return logits of shape (1, labels + others) from a window of shape (1, 1, width, frames)."""
        return cast("Tensor", self.network.with_others(window) if self.others else self.network(window))  # type: ignore[operator]


class TrackPooling(nn.Module):
    """From the logits of windows to the scores of a track, as `inference.scorer` has it."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        self.labels, self.exclusive, self.temperature = len(header.labels), header.exclusive, header.temperature
        self.logits = header.windows.pooling == "logits"
        self.tags = sum(map(len, header.tags.values()))
        self.others, self.unknown_above = header.has_others, header.unknown_above

    def forward(self, logits: Tensor, silent: Tensor) -> tuple[Tensor, ...]:
        """Pool a track.

        Args:
            logits: (windows, labels + others).
            silent: bool (windows,).

        Returns:
            Scores of the windows (windows, labels) and of the track (labels,); where the network has others, scores of
            the tags beside the labels (tags,), novelty (), and whether the track is unknown ().
        """
        scores = self._probabilities(logits[:, : self.labels] / self.temperature)
        weights = (~silent | silent.all()).float()[:, None] / (~silent | silent.all()).float().sum()
        track = self._mean(scores, weights)
        if not self.others:
            return scores, track
        together = (logits * weights).sum(dim=0)
        novelty = together[self.labels :].logsumexp(dim=0) - together[: self.labels].logsumexp(dim=0)
        tags = together[self.labels :][: self.tags].sigmoid()
        unknown = novelty > (float("inf") if self.unknown_above is None else self.unknown_above)
        return scores, track, tags, novelty, unknown

    def _mean(self, scores: Tensor, weights: Tensor) -> Tensor:
        if not self.logits:
            return (scores * weights).sum(dim=0)
        if self.exclusive:
            return (scores.clamp(min=1e-30).log() * weights).sum(dim=0).softmax(dim=0)
        inside = scores.clamp(1e-7, 1 - 1e-7)
        return ((inside / (1 - inside)).log() * weights).sum(dim=0).sigmoid()

    def _probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(dim=1) if self.exclusive else logits.sigmoid()


def front_end(model: Model) -> tuple[onnx.ModelProto, WindowFrontEnd]:
    """Return the graph from samples to one window, and the module that it was traced from."""
    made = WindowFrontEnd(model.header.front_end, model.header.windows).eval()
    inputs = (torch.zeros(made.samples), torch.tensor([made.length]))
    return _traced(made, inputs, names=("samples", "remaining"), outputs=("image", "silent")), made


def network(model: Model) -> onnx.ModelProto:
    """Return the graph from one window to logits.

    Raises:
        ModelFileError: the network cannot be written with ONNX's operators.
    """
    refuse_published(model.header)
    header = model.header
    window = torch.zeros(1, 1, header.front_end.width, header.windows.frames)
    made = WindowNetwork(model.network, others=header.has_others).eval()
    try:
        with _by_products(model.network):
            return _traced(made, (window,), names=("window",), outputs=("logits",))
    except Exception as error:  # whatever torch raises on what it cannot trace
        raise ModelFileError(
            f"the network {header.model} cannot be exported: {reason_of(error).splitlines()[0]}. Networks of "
            "genrescope can; of your own, replace the operation that the message names"
        ) from error


@contextlib.contextmanager
def _by_products(network: nn.Module) -> Iterator[None]:
    """Let pooled statistics take matrix products for a Fourier transform, which few runtimes compute fast."""
    statistics = [module for module in network.modules() if isinstance(module, PooledStatistics)]
    before = [each.power for each in statistics]
    try:
        for each in statistics:
            each.power = OrderedPower(SEGMENT).eval()
        yield
    finally:
        for each, power in zip(statistics, before, strict=True):
            each.power = power


def pooling(header: Header, network: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph from the logits of any number of windows to scores.

    Args:
        header: of the model.
        network: its graph, as `network` returns it: how many logits there are.
    """
    windows = torch.export.Dim("windows", min=1)
    names = ("window_scores", "scores", "tags", "novelty", "unknown")
    count = network.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    return _traced(
        TrackPooling(header).eval(),
        (torch.zeros(3, count), torch.zeros(3, dtype=torch.bool)),
        names=("logits", "silent"),
        outputs=names if header.has_others else names[:2],
        dynamic_shapes={"logits": {0: windows}, "silent": {0: windows}},
    )


def refuse_published(header: Header) -> None:
    """Refuse models on a published network.

    Raises:
        ModelFileError: it is one.
    """
    if header.requires or header.model.startswith("published"):
        name = header.requires[0].name if header.requires else header.model
        raise ModelFileError(
            f"it stands on the published network {name}, which is not exported: its weights are not in the model file, "
            "and it takes hundreds of megabytes. Accepted are log-mel networks, SVMs, their ensembles, and listeners"
        )


def _traced(
    module: nn.Module, inputs: tuple[Any, ...], *, names: Sequence[str], outputs: Sequence[str], **options: Any
) -> onnx.ModelProto:
    """Trace a module with gradients on, where networks take plain operations instead of those for this processor."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    with _quiet(), torch.enable_grad():
        program = torch.onnx.export(
            module, inputs, dynamo=True, input_names=list(names), output_names=list(outputs), opset_version=OPSET,
            verbose=False, external_data=False, **options,
        )  # fmt: skip
    return cast("onnx.ModelProto", program.model_proto)  # type: ignore[union-attr]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what torch says of itself while it traces."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
