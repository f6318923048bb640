"""The sections of a recipe: every key with its range, and a sentence of what it is for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrescope.features.placement import Padding  # noqa: TC001 - pydantic reads the annotation

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
    """The windows of a track that are the network's input."""

    train: Literal["first", "all", "random"]
    """`first`: only the first window of each track, as the original; `all`: every whole window, side by side;
    `random`: in every epoch others, anywhere in the track."""
    order: Literal["fixed", "shuffled"]
    """`fixed`: one random order for all epochs, as the original; `shuffled`: a new one for each."""
    frames: _Length = 128
    """Length of a window; a second has 43.07 frames."""
    overlap: Annotated[float, Field(ge=0, le=0.98)] = 0.0
    """Share of a window that overlaps the next one when a track is scored."""
    padding: Padding = "silence"
    """What fills a window that its track is too short for: `silence`, or the track again and again."""
    crops: _Count = 1
    """Random windows of each track in an epoch."""
    balance: Literal["tracks", "genres"] = "tracks"
    """What gets equally many random windows: every track, or every genre."""

    def hop(self, frames: int) -> int:
        """Return the frames from one window of so many to the next when a track is scored."""
        return max(1, round(frames * (1 - self.overlap)))


class AugmentSection(Section):
    """Augmentation: how training windows are changed where their genre stays the same. 0 is off."""

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
    """A support vector machine (SVM) on pooled statistics: the model `pooled-svm`, or in an ensemble with a network.

    A network and an SVM that were trained separately make errors on different songs; the ensemble is the mean of their
    log-probabilities.
    """

    kernel: Literal["none", "rbf", "linear"] = "none"
    """The SVM's kernel; `none`: no SVM."""
    frames: _Length = 430
    """Length of the SVM's windows; in an ensemble a multiple of the network's own."""
    copies: Annotated[int, Field(ge=0, le=1000)] = 0
    """Augmented copies of every training window of the SVM: equaliser, low-pass and noise as [augment] has them."""
    share: _Portion = 0.5
    """The SVM's weight in the ensemble."""
    c: _Positive = 10.0
    """Regularisation parameter C of the SVM; larger fits the training windows more closely."""
    gamma: _Positive = 0.3
    """For `rbf`: `exp(-gamma |x - y|^2 / features)`; larger fits closer."""


class EvaluationSection(Section):
    """How accuracy is counted."""

    verdict: Literal["first", "vote"]
    """A track's genre from its `first` window alone, as in the original, or from the `vote` of all: soft voting."""


class NetworkSection(Section):
    """A pre-trained network for a probe or fine-tuning."""

    name: str
    """Its name on the hub, or that of its folder."""
    model_type: str
    """Its architecture, as its configuration calls it."""
    identity: str
    """A fingerprint of weights and input; equal for the same network, wherever it lies."""
    layer: str
    """Which hidden layer, or `mean` of all."""
    seconds: _Positive
    """Length of its windows."""


class ProbeSection(Section):
    """The SVM of a probe, as in [classifier]."""

    kernel: Literal["linear", "rbf"]
    """`linear` is what the literature calls a linear probe."""
    c: _Positive
    """Regularisation parameter C of the SVM."""
    gamma: _Positive = 0.3
    """For `rbf`."""


class TuningSection(Section):
    """Fine-tuning of a pre-trained network."""

    freeze: Annotated[int, Field(ge=0)] = 0
    """How many of its lowest layers are frozen, with all that comes before them."""
    clip: _Positive = 1.0
    """Gradient clipping: the largest norm of a step's gradient."""
