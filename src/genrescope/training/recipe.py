"""Recipes: what to train and how, as a small TOML diff over another recipe."""

from __future__ import annotations

import importlib.resources
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from genrescope.data.windows import Padding  # noqa: TC001 - pydantic reads the annotation
from genrescope.errors import RecipeError, nearest

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
FITTED = "pooled-svm"
"""The model that is fitted, not trained."""
ON_POWER = ("gain_db", "equaliser_db", "low_pass", "noise")
"""Changes of the power of the bands: what another master, codec or level does to the same performance."""
_Share = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(ge=1)]
_Amount = Annotated[float, Field(ge=0)]
_Portion = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelSection(_Section):
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


class WindowsSection(_Section):
    """What the network hears of a track."""

    train: Literal["first", "all", "random"]
    """`first`: only the first window of each track, as the original; `all`: every whole window, side by side;
    `random`: in every epoch others, anywhere in the track."""
    order: Literal["fixed", "shuffled"]
    """`fixed`: one random order for all epochs, as the original; `shuffled`: a new one for each."""
    frames: _Count = 128
    """Length of a window; a second has 43.07 frames."""
    overlap: _Share = 0.0
    """Share of a window that the next one hears again when a track is scored."""
    padding: Padding = "silence"
    """What fills a window that its track is too short for: `silence`, or the track again and again."""
    crops: _Count = 1
    """Random windows of each track in an epoch."""
    balance: Literal["tracks", "genres", "artists"] = "tracks"
    """Whose random windows are as many: every track's, every genre's, or in every genre every artist's, tempered by the
    square root of how many tracks an artist has."""

    def hop(self, frames: int) -> int:
        """Return the frames from one window of so many to the next when a track is scored."""
        return max(1, round(frames * (1 - self.overlap)))


class AugmentSection(_Section):
    """How a window is changed before it is learnt, so that what is not its genre does not count. 0 is off."""

    tempo: _Share = 0.0
    """Up to this share faster or slower, the pitch unchanged."""
    semitones: _Amount = 0.0
    """Up to so many semitones higher or lower, the tempo unchanged."""
    gain_db: _Amount = 0.0
    """Up to so many dB softer or louder."""
    equaliser_db: _Amount = 0.0
    """Standard deviation, in dB, of a random smooth curve over the bands: another master of the same music."""
    low_pass: _Portion = 0.0
    """Share of windows that lose their treble above a random frequency, as codecs and old sources do."""
    noise: _Portion = 0.0
    """Share of windows that get white noise, 10 to 40 dB below them."""
    background: _Portion = 0.0
    """Share of windows that get another one of the same genre mixed in, 6 to 20 dB below."""
    time_mask: _Share = 0.0
    """Two stretches of up to this share of the window are blanked (SpecAugment)."""
    frequency_mask: _Share = 0.0
    """Two ranges of up to this share of the bands are blanked (SpecAugment)."""
    mixup: _Amount = 0.0
    """Parameter of the Beta distribution that two windows and their labels are mixed by."""


class OptimizerSection(_Section):
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


class ScheduleSection(_Section):
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


class TrainingSection(_Section):
    """How long, and in what steps."""

    epochs: _Count
    """Times that every window is seen."""
    batch_size: _Count
    """Windows in a step; the last step of an epoch takes what is left."""
    precision: Precision
    """Arithmetic: `32-true`, or mixed precision with `bf16-mixed` or `16-mixed`."""
    label_smoothing: _Share = 0.0
    """Share of each label that is spread over all genres: labels are not always right."""
    weight_average: _Share = 0.0
    """Decay per step of an exponential moving average of the weights, which becomes the model; 0 is off."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Epochs without a lower validation loss after which training stops, and the best epoch's weights are kept; 0 is
    off. Needs a validation part."""


class ClassifierSection(_Section):
    """A support vector machine on pooled statistics: by itself as the model `pooled-svm`, or as a network's colleague.

    A network and a machine that were taught apart are wrong about different songs; what both say together is the mean
    of their log-probabilities.
    """

    kernel: Literal["none", "rbf", "linear"] = "none"
    """`none`: there is none; else its kernel."""
    frames: _Count = 430
    """Length of the window that it judges; beside a network a multiple of the network's own windows."""
    copies: Annotated[int, Field(ge=0)] = 0
    """Changed copies of every window that it learns too: level, equaliser, low-pass and noise as [augment] has them."""
    share: _Portion = 0.5
    """Its weight beside a network."""
    c: _Positive = 10.0
    """Price of a window on the wrong side; larger fits closer."""
    gamma: _Positive = 0.3
    """For `rbf`: `exp(-gamma |x - y|^2 / features)`; larger fits closer."""


class PretrainSection(_Section):
    """What a network learns before it is told a genre."""

    task: Literal["none", "synth", "contrastive"] = "none"
    """`none`: this recipe learns genres. `synth`: to hear tempo, metre, key, instruments and style of synthesised music
    that never comes twice. `contrastive`: which two windows are of the same track of a store."""
    pieces: _Count = 640
    """For `synth`: new pieces in an epoch; `windows.crops` says how many windows are cut of each."""
    pool: _Count = 512
    """For `synth`: pieces that windows are cut of at a time; a new one takes the oldest one's place."""
    seconds: Annotated[float, Field(ge=1, le=60)] = 10.0
    """For `synth`: length of a piece."""
    temperature: _Positive = 0.1
    """For `contrastive`: what similarities are divided by; smaller looks at the most alike tracks only."""
    projection: _Count = 128
    """For `contrastive`: numbers that stand for a window when windows are compared."""


class EvaluationSection(_Section):
    """Which figure is the recipe's own."""

    verdict: Literal["first", "vote"]
    """A track's genre by its `first` window alone, as the original, or by the `vote` of all its windows."""


class NetworkSection(_Section):
    """A published network whose features are judged; it learns nothing more."""

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


class ProbeSection(_Section):
    """The machines of a probe, as [classifier] has them."""

    kernel: Literal["linear", "rbf"]
    """`linear` is what the literature calls a linear probe."""
    c: _Positive
    """Price of a window on the wrong side."""
    gamma: _Positive = 0.3
    """For `rbf`."""


class ProbeRecipe(_Section):
    """What a run tells of itself that fitted machines to another network's features."""

    name: str
    intent: str
    """What it is, in a line."""
    network: NetworkSection
    probe: ProbeSection
    evaluation: EvaluationSection

    @property
    def deciding(self) -> dict[str, Any]:
        """All values that decide a result: all but the name."""
        return self.model_dump(exclude={"name", "intent"})


class Recipe(_Section):
    """A whole recipe: frozen, typed, checked. `load` reads one."""

    name: str
    intent: str
    """Why it exists, in a line."""
    model: ModelSection
    windows: WindowsSection
    augment: AugmentSection
    optimizer: OptimizerSection
    schedule: ScheduleSection
    training: TrainingSection
    classifier: ClassifierSection
    pretrain: PretrainSection = PretrainSection()
    evaluation: EvaluationSection

    @property
    def deciding(self) -> dict[str, Any]:
        """All values that decide a result: neither the name, nor a section that is not in use."""
        unused = {"pretrain"} if self.pretrain.task == "none" else set()
        return self.model_dump(exclude={"name", "intent", *unused})

    @property
    def scored_frames(self) -> int:
        """Frames of the window that the model file judges."""
        return self.windows.frames if self.classifier.kernel == "none" else self.classifier.frames

    @model_validator(mode="after")
    def _fitted_or_trained(self) -> Recipe:
        alone, its = self.model.name == FITTED, self.classifier
        if alone and its.kernel == "none":
            raise ValueError(
                f'model.name "{FITTED}" with classifier.kernel "none"; it is fitted with "rbf" or "linear"'
            )
        if alone and self.windows.train == "random":
            raise ValueError(f'windows.train "random"; "{FITTED}" is fitted once, to the "first" window or to "all"')
        changed = [name for name, amount in self.augment if amount and name not in ON_POWER]
        if alone and changed:
            raise ValueError(
                f'augment.{changed[0]} is set; "{FITTED}" is fitted once, and its copies are changed by '
                f"{', '.join(ON_POWER)}"
            )
        if not alone and its.kernel != "none" and its.frames % self.windows.frames:
            raise ValueError(
                f"classifier.frames {its.frames} is no multiple of windows.frames {self.windows.frames}: beside a "
                "network the machine judges whole windows of it"
            )
        return self

    @model_validator(mode="after")
    def _without_labels(self) -> Recipe:
        """Refuse what needs genres, or what the task cannot use."""
        task = self.pretrain.task
        if task == "none":
            return self
        wanted: dict[str, Any] = {
            "windows.train": "random", "augment.background": 0.0, "classifier.kernel": "none", "training.patience": 0,
        }  # fmt: skip
        if task == "contrastive":
            wanted |= {"windows.balance": "tracks", "augment.mixup": 0.0}
        for key, value in wanted.items():
            section, _, name = key.partition(".")
            if (given := getattr(getattr(self, section), name)) != value:
                raise ValueError(
                    f'{key} {given!r} with pretrain.task "{task}", which knows no genres and no parts; it must be '
                    f"{value!r}"
                )
        _refuse_remainders(self)
        return self


def _refuse_remainders(recipe: Recipe) -> None:
    """Refuse steps that would not all be alike.

    Raises:
        ValueError: the batch is no multiple of what it is made of.
    """
    batch, crops, its = recipe.training.batch_size, recipe.windows.crops, recipe.pretrain
    if its.task == "contrastive" and (batch % 2 or batch < 4):
        raise ValueError(f"training.batch_size {batch}; a step compares pairs, so it must be even, and 4 or more")
    if its.task != "synth":
        return
    if batch % crops:
        raise ValueError(f"training.batch_size {batch} is no multiple of windows.crops {crops}")
    fresh = batch // crops
    if its.pieces % fresh or its.pool < batch:
        raise ValueError(
            f"pretrain.pieces {its.pieces}, pretrain.pool {its.pool}: pieces must be a multiple of the {fresh} that "
            f"are new in a step (training.batch_size / windows.crops), and the pool must hold a batch of {batch}"
        )


def names() -> list[str]:
    """Return the names of the recipes that ship with genrescope.

    Example:
        >>> "mgcc" in names()
        True
    """
    found = importlib.resources.files("genrescope.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in found if file.name.endswith(".toml"))


def load(name: str, changes: dict[str, Any] | None = None) -> Recipe:
    """Read a recipe by its name or from a TOML file.

    Args:
        name: a recipe's name, or the path of a file that ends in `.toml`.
        changes: values to change by dotted key, as `{"training.epochs": 50}`.

    Raises:
        RecipeError: there is no such recipe, or a key or value is wrong; the nearest right one is named.

    Example:
        >>> load("mgcc", {"training.epochs": 50}).training.epochs
        50
    """
    values = _merged(name, seen=())
    values["name"] = Path(name).stem if name.endswith(".toml") else name
    for key, value in (changes or {}).items():
        _set(values, key, value)
    return _validated(values)


def from_dict(values: dict[str, Any]) -> Recipe:
    """Return the recipe that `model_dump` or a run's `recipe.toml` describes in full.

    Raises:
        RecipeError: it is not one.
    """
    return _validated(values)


def to_toml(recipe: Recipe | ProbeRecipe) -> str:
    """Return the whole recipe as TOML."""
    return tomli_w.dumps(recipe.model_dump())


def parse_change(text: str) -> tuple[str, Any]:
    """Read `key=value` as `--set` takes it; the value is TOML, or a bare string.

    Example:
        >>> parse_change("training.epochs=50"), parse_change("windows.train=all")
        (('training.epochs', 50), ('windows.train', 'all'))
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f'"{text}"; accepted is key=value, as training.epochs=50')
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value.strip()


def keys() -> list[str]:
    """Return all dotted keys of a recipe.

    Example:
        >>> "optimizer.momentum" in keys()
        True
    """
    found = []
    for name, field in Recipe.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, _Section):
            found += [f"{name}.{inner}" for inner in kind.model_fields]
        else:
            found.append(name)
    return found


def _merged(name: str, *, seen: tuple[str, ...]) -> dict[str, Any]:
    """Read a recipe's file over the one that it extends."""
    values = _read(name)
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if parent in (*seen, name):
        raise RecipeError(f"recipe {name} extends itself: {' -> '.join((*seen, name, parent))}")
    if name.endswith(".toml") and str(parent).endswith(".toml"):
        parent = Path(name).parent / parent  # beside the file that names it
    below = _merged(str(parent), seen=(*seen, name))
    for key, value in values.items():
        below[key] = below[key] | value if isinstance(value, dict) and key in below else value
    return below


def _read(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise RecipeError(f"no recipe file {path}")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe file {path} cannot be read: {error}") from error
    elif name in names():
        text = (importlib.resources.files("genrescope.recipes") / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise RecipeError(f'no recipe called "{name}"; {nearest(name, names())}')
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"recipe {name} is not valid TOML: {error}") from error


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    section, dot, inner = key.partition(".")
    if key not in keys():
        raise RecipeError(f'no recipe key "{key}"; {nearest(key, keys())}')
    if dot:
        values[section] = values.get(section, {}) | {inner: value}
    else:
        values[key] = value


def _validated(values: dict[str, Any]) -> Recipe:
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise RecipeError("; ".join(_words(problem) for problem in error.errors())) from error


def _words(problem: Any) -> str:
    """Put one of pydantic's findings in the words of a recipe."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f'no recipe key "{key}"; {nearest(key, keys())}'
    if problem["type"] == "missing":
        return f'the recipe lacks the key "{key}"'
    if not key:  # sections that contradict each other
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} = {problem['input']!r}: {problem['msg']}"
