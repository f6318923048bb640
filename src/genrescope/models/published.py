"""Published audio networks of Hugging Face transformers, as bodies under a head of our own.

| kind | architectures | front end | window | what is taken |
|---|---|---|---|---|
| `ast` | `audio-spectrogram-transformer` | Kaldi, 16 kHz | its own, 10.24 s | mean of the patches, each layer |
| `wave` | `hubert`, `wav2vec2`, `wavlm`, `mert_model` | wave | 10 s; 5 s for MERT | mean over time, each layer |
| `clap` | `clap`, `clap_audio_model` | wave, 48 kHz | its own, 10 s | the pooled output of the audio tower |

Sources: Y. Gong et al., AST: Audio Spectrogram Transformer, 2021; W.-N. Hsu et al., HuBERT, 2021; A. Baevski et al.,
wav2vec 2.0, 2020; Y. Li et al., MERT, 2023; Y. Wu et al., Large-scale contrastive language-audio pretraining, 2022.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrescope.errors import DataError
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import from_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genrescope.features.spec import Spec

Kind = Literal["ast", "wave", "clap"]

KINDS: dict[str, Kind] = {
    "audio-spectrogram-transformer": "ast", "hubert": "wave", "wav2vec2": "wave", "wavlm": "wave",
    "mert_model": "wave", "clap": "clap", "clap_audio_model": "clap",
}  # fmt: skip
"""The architectures that are known, by the name that their configuration gives them."""

MEAN = "mean"
"""The layer that stands for the mean of all."""

BODY = "body."
"""What the names of a published network's own tensors begin with in a model."""

BATCH = 8
"""Windows that a published network takes at once."""

_SPECIAL_TOKENS = 2  # AST's class and distillation tokens, which stand before the patches
_LEAST_SECONDS = 1.0  # a `wave` network's convolutions want so much: a shorter wave gets silence after it


@dataclass(frozen=True)
class PublishedSpec:
    """What a published network is, apart from its weights: enough to build it anew.

    Attributes:
        name: its name on the hub, or that of its folder.
        revision: its commit on the hub; empty for a folder.
        model_type: its architecture, as its configuration calls it.
        identity: fingerprint of weights and input; equal for the same network, wherever it lies.
        front_end: the front end, as `features.spec.to_dict` writes it.
        frames: length of a window.
        layers: hidden layers, what goes into the first one included; 1 where only one output is used.
        width: numbers of a layer.
        parameters: how many weights it has.
        config: its configuration, as `config.json` has it.
        extractor: the settings of what makes its input, as `preprocessor_config.json` has them.
    """

    name: str
    revision: str
    model_type: str
    identity: str
    front_end: dict[str, Any]
    frames: int
    layers: int
    width: int
    parameters: int
    config: dict[str, Any]
    extractor: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """How it takes its input."""
        return KINDS[self.model_type]

    @property
    def spec(self) -> Spec:
        """The numbers of its front end."""
        return from_dict(self.front_end)

    @property
    def windows(self) -> WindowSpec:
        """Where it looks: windows spread evenly over the track; a track that is too short is repeated."""
        return WindowSpec(frames=self.frames, padding="repeat", placement="spread")

    @property
    def seconds(self) -> float:
        """Length of a window."""
        return self.spec.seconds(self.frames)

    def check_layer(self, layer: int | None) -> str:
        """Return the layer's name, `mean` for None.

        Raises:
            DataError: the network has no such layer.
        """
        if layer is None:
            return MEAN
        if not 0 <= layer < self.layers:
            accepted = f"0 (what goes into the first) to {self.layers - 1}" if self.layers > 1 else "0, its only output"
            raise DataError(f"{self.name} has no layer {layer}; accepted are {accepted}; without --layer the mean")
        return str(layer)

    def to_dict(self) -> dict[str, Any]:
        """Return all as plain values."""
        return asdict(self)


class Body(nn.Module):
    """A published network: windows in, the mean of every hidden layer out."""

    batch = BATCH

    def __init__(self, spec: PublishedSpec, network: nn.Module) -> None:
        super().__init__()
        self.spec, self.network = spec, network
        self._extractor: Any = None

    def forward(self, windows: Tensor) -> Tensor:
        """Return features of shape (batch, layers, width) from windows of shape (batch, 1, features, frames)."""
        if self.spec.kind == "clap":
            pooled = self.network(**self._of_clap(windows[:, 0, 0])).pooler_output
            return pooled[:, None].float()  # type: ignore[no-any-return]
        values = self._of_ast(windows[:, 0]) if self.spec.kind == "ast" else self._of_wave(windows[:, 0, 0])
        hidden = self.network(values, output_hidden_states=True).hidden_states
        first = _SPECIAL_TOKENS if self.spec.kind == "ast" else 0
        return torch.stack([layer[:, first:].mean(dim=1) for layer in hidden], dim=1).float()

    def _of_ast(self, bands: Tensor) -> Tensor:
        """Lay time first, and fill up to the length that the network was made for, as its own extractor fills."""
        frames = bands.transpose(1, 2)
        fill = -self.spec.spec.mean / (2 * self.spec.spec.std)  # type: ignore[union-attr]  # zero, normalised
        missing = int(self.spec.config["max_length"]) - frames.shape[1]
        return F.pad(frames, (0, 0, 0, max(0, missing)), value=fill)

    def _of_wave(self, waves: Tensor) -> Tensor:
        """Normalise each waveform to zero mean and unit variance where the network was trained so."""
        if self.spec.extractor.get("do_normalize", True):
            centred = waves - waves.mean(dim=1, keepdim=True)
            waves = centred / (centred.square().mean(dim=1, keepdim=True) + 1e-7).sqrt()
        return F.pad(waves, (0, max(0, round(_LEAST_SECONDS * self.spec.spec.sample_rate) - waves.shape[1])))

    def _of_clap(self, waves: Tensor) -> dict[str, Tensor]:
        """Let CLAP's own extractor make its input, on the CPU."""
        if self._extractor is None:
            import transformers

            self._extractor = transformers.ClapFeatureExtractor(**self.spec.extractor)
        rate = self.spec.spec.sample_rate
        made = self._extractor(list(waves.cpu().numpy()), sampling_rate=rate, return_tensors="pt")
        if "is_longer" in made:  # no window is, but the extractor of a fused CLAP calls one so, drawn at random
            made["is_longer"] = torch.zeros_like(made["is_longer"])
        return {name: values.to(waves.device) for name, values in made.items()}


class Published(nn.Module):
    """A pre-trained network with a head: linear, or SVMs.

    Args:
        head: features of shape (batch, width) in, logits out.
        layer: the layer that the head takes, or `mean` of all.

    Attributes:
        width: features in an embedding.
    """

    batch = BATCH

    def __init__(self, body: Body, head: nn.Module, *, layer: str) -> None:
        super().__init__()
        self.body, self.head = body, head
        self._layer = layer
        self.width = body.spec.width

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits of shape (batch, genres) from windows of shape (batch, 1, features, frames)."""
        logits: Tensor = self.head(self.embed(windows))
        return logits

    def logits_and_embeddings(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and embeddings of one pass, as `forward` and `embed` return them."""
        embedded = self.embed(windows)
        return self.head(embedded), embedded

    def embed(self, windows: Tensor) -> Tensor:
        """Return the input of the head, the embedding, of shape (batch, width)."""
        return select(self.body(windows), self._layer)


def select(layers: Tensor, layer: str) -> Tensor:
    """Return one layer, or the `mean` of all, of features of shape (batch, layers, width)."""
    return layers.mean(dim=1) if layer == MEAN else layers[:, int(layer)]


def described(spec: PublishedSpec, layer: str) -> str:
    """Return in words what is taken of a network."""
    taken = "the mean of all layers" if layer == MEAN else f"layer {layer}"
    return f"{taken if spec.layers > 1 else 'the pooled output'} of the published network {spec.name}"


def front_end_of(kind: Kind, extractor: dict[str, Any]) -> Spec:
    """Return the front end of a published network."""
    rate = int(extractor["sampling_rate"])
    if kind != "ast":
        return from_dict({"kind": "wave", "sample_rate": rate})
    values: dict[str, Any] = {"kind": "kaldi", "sample_rate": rate, "n_mels": int(extractor["num_mel_bins"])}
    values |= {"win_length": rate // 40, "hop": rate // 100, "f_max": rate / 2}
    if extractor.get("do_normalize", True):
        values |= {"mean": float(extractor["mean"]), "std": float(extractor["std"])}
    else:
        values |= {"mean": 0.0, "std": 0.5}
    return from_dict(values)


def transformer_layers(body: Body) -> Sequence[nn.Module]:
    """Return the layers that fine-tuning can freeze: transformer layers, or of CLAP the stages of its Swin."""
    network: Any = body.network
    if body.spec.kind == "clap":
        return list(network.audio_encoder.layers)
    if body.spec.kind == "wave":
        return list(network.encoder.layers)
    return list(network.layers if hasattr(network, "layers") else network.encoder.layer)  # as transformers has it
