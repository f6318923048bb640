"""The sections of a recipe: every key with its range, and a sentence of what it is for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrescope.features.windows import Padding  # noqa: TC001 - pydantic reads the annotation

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
SVM = "pooled-svm"
"""The model that is fitted, not trained."""
ON_POWER = ("equaliser_db", "low_pass", "noise")
"""Changes of the power of the bands: what another master or codec does to the same performance."""
_Share = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0, le=1e30)]
_Count = Annotated[int, Field(ge=1, le=1_000_000)]
_Length = Annotated[int, Field(ge=1, le=65_536)]
_Amount = Annotated[float, Field(ge=0, le=1e6)]
_Portion = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Frozen, strict, and nothing in it that is not named here."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ModelSection(Section):
    """Which network."""

    name: str
    """A name of the model registry."""
    dropout: _Share = 0.5
    """Share of a dense layer's inputs or outputs that is dropped in training."""
    norm_samples: _Amount = 0.0
    """Time constant of batch norm's running statistics in samples, as CNTK has it; 0 takes PyTorch's."""

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of the network."""
        return {"dropout": self.dropout} | ({"norm_samples": self.norm_samples} if self.norm_samples else {})


class WindowsSection(Section):
    """What the network hears of a track."""

    train: Literal["first", "all", "random"]
    """`first`: only the first window of each track, as the original; `all`: every whole window, side by side;
    `random`: in every epoch others, anywhere in the track."""
    order: Literal["fixed", "shuffled"]
    """`fixed`: one random order for all epochs, as the original; `shuffled`: a new one for each."""
    frames: _Length = 128
    """Length of a window; a second has 43.07 frames."""
    overlap: Annotated[float, Field(ge=0, le=0.98)] = 0.0
    """Share of a window that the next one hears again when a track is scored."""
    padding: Padding = "silence"
    """What fills a window that its track is too short for: `silence`, or the track again and again."""
    crops: _Count = 1
    """Random windows of each track in an epoch."""
    balance: Literal["tracks", "genres"] = "tracks"
    """Whose random windows are as many: every track's, or every genre's."""

    def hop(self, frames: int) -> int:
        """Return the frames from one window of so many to the next when a track is scored."""
        return max(1, round(frames * (1 - self.overlap)))


class AugmentSection(Section):
    """How a window is changed before it is learnt, so that what is not its genre does not count. 0 is off."""

    semitones: _Amount = 0.0
    """Up to so many semitones higher or lower, the tempo unchanged."""
    equaliser_db: _Amount = 0.0
    """Standard deviation, in dB, of a random smooth curve over the bands: another master of the same music."""
    low_pass: _Portion = 0.0
    """Share of windows that lose their treble above a random frequency, as codecs and old sources do."""
    noise: _Portion = 0.0
    """Share of windows that get white noise, 10 to 40 dB below them."""
    time_mask: _Share = 0.0
    """Two stretches of up to this share of the window are blanked (SpecAugment)."""
    frequency_mask: _Share = 0.0
    """Two ranges of up to this share of the bands are blanked (SpecAugment)."""
    mixup: _Amount = 0.0
    """Parameter of the Beta distribution that two windows and their labels are mixed by."""


class OptimizerSection(Section):
    """How a gradient becomes a step."""

    name: Literal["sgd", "adamw"] = "sgd"
    """Gradient descent with momentum, or Adam with decoupled weight decay."""
    momentum: _Share
    """Share of the velocity, or of Adam's first moment, that is kept from step to step."""
    unit_gain: bool
    """For `sgd`: CNTK's momentum, `v = m v + (1 - m) g`; without it PyTorch's, `v = m v + g`, with larger steps."""
    weight_decay: _Amount
    """`sgd`: this times the weight is added to every gradient; `adamw`: every weight but biases and norms shrinks by
    this times the rate."""


class ScheduleSection(Section):
    """The learning rate over time."""

    name: Literal["triangular2", "constant", "one-cycle", "cosine"]
    """`triangular2`: up and down between two rates, the swing halved after each cycle; `constant`: `max_rate`;
    `one-cycle`: up once and down once, along half cosines; `cosine`: only down."""
    base_rate: _Positive
    """Lowest rate."""
    max_rate: _Positive
    """Highest rate."""
    half_cycle_epochs: _Positive
    """Epochs from the lowest to the highest rate; for `triangular2`."""
    warm_up: _Portion = 0.25
    """Share of all steps in which the rate climbs; for `one-cycle`."""

    @model_validator(mode="after")
    def _ordered(self) -> ScheduleSection:
        if self.base_rate > self.max_rate:
            raise ValueError(f"base_rate {self.base_rate} is above max_rate {self.max_rate}")
        return self


class TrainingSection(Section):
    """How long, and in what steps."""

    epochs: _Count
    """Times that every window is seen."""
    batch_size: _Count
    """Windows in a step; the last step of an epoch takes what is left."""
    precision: Precision
    """Arithmetic: `32-true`, or mixed precision with `bf16-mixed` or `16-mixed`."""
    weight_average: _Share = 0.0
    """Decay per step of an exponential moving average of the weights, which becomes the model; 0 is off."""


class ClassifierSection(Section):
    """A support vector machine on pooled statistics: by itself as the model `pooled-svm`, or as a network's colleague.

    A network and a machine that were taught apart are wrong about different songs; what both say together is the mean
    of their log-probabilities.
    """

    kernel: Literal["none", "rbf", "linear"] = "none"
    """`none`: there is none; else its kernel."""
    frames: _Length = 430
    """Length of the window that it judges; beside a network a multiple of the network's own windows."""
    copies: Annotated[int, Field(ge=0, le=1000)] = 0
    """Changed copies of every window that it learns too: equaliser, low-pass and noise as [augment] has them."""
    share: _Portion = 0.5
    """Its weight beside a network."""
    c: _Positive = 10.0
    """Price of a window on the wrong side; larger fits closer."""
    gamma: _Positive = 0.3
    """For `rbf`: `exp(-gamma |x - y|^2 / features)`; larger fits closer."""


class EvaluationSection(Section):
    """Which figure is the recipe's own."""

    verdict: Literal["first", "vote"]
    """A track's genre by its `first` window alone, as the original, or by the `vote` of all its windows."""


class NetworkSection(Section):
    """A published network that a probe or a fine-tuning begins from."""

    name: str
    """Its name on the hub, or that of its folder."""
    model_type: str
    """Its architecture, as its configuration calls it."""
    identity: str
    """A fingerprint of weights and input; equal for the same network, wherever it lies."""
    layer: str
    """Which hidden layer, or `mean` of all."""
    seconds: _Positive
    """Length of the window that it hears."""


class ProbeSection(Section):
    """The machines of a probe, as [classifier] has them."""

    kernel: Literal["linear", "rbf"]
    """`linear` is what the literature calls a linear probe."""
    c: _Positive
    """Price of a window on the wrong side."""
    gamma: _Positive = 0.3
    """For `rbf`."""


class TuningSection(Section):
    """How a published network learns genres itself."""

    freeze: Annotated[int, Field(ge=0)] = 0
    """How many of its lowest layers stay as they are, and all that stands before them."""
    clip: _Positive = 1.0
    """Longest gradient of a step; a longer one is shortened to it."""
