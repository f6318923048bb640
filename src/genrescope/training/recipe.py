"""Recipes: what to train and how, as a small TOML diff over another recipe."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, TypeAlias

import tomli_w
from pydantic import ValidationError, model_validator

from genrescope.errors import RecipeError, nearest
from genrescope.features.placement import WindowSpec
from genrescope.training import recipe_files
from genrescope.training.recipe_files import located, names, namesake
from genrescope.training.recipe_listener import ListenerRecipe
from genrescope.training.recipe_sections import (
    ON_POWER,
    SVM,
    AugmentSection,
    ClassifierSection,
    EvaluationSection,
    ModelSection,
    OptimizerSection,
    ScheduleSection,
    Section,
    TrainingSection,
    WindowsSection,
)

_BATCH = 1 << 22  # frames: 2 GiB of 128 bands

__all__ = [
    "AnyRecipe",
    "Kind",
    "Recipe",
    "from_dict",
    "keys",
    "load",
    "load_any",
    "located",
    "names",
    "namesake",
    "parse_change",
    "to_toml",
]

Kind: TypeAlias = Literal["network", "svm", "ensemble"]


class Recipe(Section):
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
    evaluation: EvaluationSection

    @property
    def deciding(self) -> dict[str, Any]:
        """All values that decide a result: neither the name nor the intent."""
        return self.model_dump(exclude={"name", "intent"})

    @property
    def kind(self) -> Kind:
        """What the recipe makes: a trained network, a fitted SVM, or an ensemble of both."""
        if self.model.name == SVM:
            return "svm"
        return "network" if self.classifier.kernel == "none" else "ensemble"

    @property
    def made(self) -> str:
        """What the recipe makes, in a word: the name of its model."""
        return self.model.name

    @property
    def trained_windows(self) -> WindowSpec:
        """Where the network that is trained looks when a track is scored."""
        return self._windows(self.windows.frames)

    @property
    def scored_windows(self) -> WindowSpec:
        """Where the model that is left looks when a track is scored."""
        return self._windows(self.windows.frames if self.kind == "network" else self.classifier.frames)

    def _windows(self, frames: int) -> WindowSpec:
        return WindowSpec(frames, hop=self.windows.hop(frames), padding=self.windows.padding)

    @model_validator(mode="after")
    def _a_batch_fits(self) -> Recipe:
        frames = self.training.batch_size * self.windows.frames
        if frames > _BATCH:
            raise ValueError(
                f"training.batch_size {self.training.batch_size} of windows.frames {self.windows.frames}: a batch of "
                f"{frames:,} frames; accepted are {_BATCH:,} at most"
            )
        return self

    @model_validator(mode="after")
    def _fitted_or_trained(self) -> Recipe:
        alone, its = self.kind == "svm", self.classifier
        if alone and its.kernel == "none":
            raise ValueError(f'model.name "{SVM}" with classifier.kernel "none"; it is fitted with "rbf" or "linear"')
        if alone and self.windows.train == "random":
            raise ValueError(f'windows.train "random"; "{SVM}" is fitted once, to the "first" window or to "all"')
        changed = [name for name, amount in self.augment if amount and name not in ON_POWER]
        if alone and changed:
            raise ValueError(
                f'augment.{changed[0]} is set; "{SVM}" is fitted once, and its copies are changed by '
                f"{', '.join(ON_POWER)}"
            )
        if not alone and its.kernel != "none" and its.frames % self.windows.frames:
            raise ValueError(
                f"classifier.frames {its.frames} is no multiple of windows.frames {self.windows.frames}: beside a "
                "network the SVM takes whole windows of it"
            )
        return self


AnyRecipe: TypeAlias = Recipe | ListenerRecipe


def load_any(name: str, changes: dict[str, Any] | None = None) -> AnyRecipe:
    """Read a recipe of any kind by its name or from a TOML file.

    Args:
        name: a recipe's name, or the path of a file with or without its ending `.toml`.
        changes: values to change by dotted key, as `{"training.epochs": 50}`.

    Raises:
        RecipeError: there is no such recipe, or a key or value is wrong; the nearest right one is named.

    Example:
        >>> load_any("listener").kind
        'listener'
    """
    name = located(name)
    values = recipe_files.merged(name, seen=())
    values["name"] = Path(name).stem if name.endswith(".toml") else name
    for key, value in (changes or {}).items():
        _set(values, key, value)
    return _validated(values)


def load(name: str, changes: dict[str, Any] | None = None) -> Recipe:
    """Read the recipe of a model from scratch; as `load_any`, which reads those of listeners too.

    Raises:
        RecipeError: as `load_any`, or it is that of a listener.

    Example:
        >>> load("mgcc", {"training.epochs": 50}).training.epochs
        50
    """
    found = load_any(name, changes)
    if isinstance(found, ListenerRecipe):
        raise RecipeError(f"recipe {name} is that of a listener, here only those of models from scratch are taken")
    return found


def from_dict(values: dict[str, Any]) -> AnyRecipe:
    """Return the recipe that `model_dump` or a run's `recipe.toml` describes in full.

    Raises:
        RecipeError: it is not one.
    """
    return _validated(values)


def to_toml(recipe: Section) -> str:
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
    except (ValueError, RecursionError):
        return key.strip(), value.strip()


def keys(of: type[AnyRecipe] = Recipe) -> list[str]:
    """Return all dotted keys of a kind of recipe.

    Example:
        >>> "optimizer.momentum" in keys(), keys(ListenerRecipe)[2:4]
        (True, ['listener.taggers', 'listener.tagged'])
    """
    found = []
    for name, field in of.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            found += [f"{name}.{inner}" for inner in kind.model_fields]
        else:
            found.append(name)
    return found


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    section, dot, inner = key.partition(".")
    known = keys(_kind_of(values))
    if key not in known:
        raise RecipeError(f'no recipe key "{key}"; {nearest(key, known)}')
    if dot:
        values[section] = values.get(section, {}) | {inner: value}
    else:
        values[key] = value


def _kind_of(values: dict[str, Any]) -> type[AnyRecipe]:
    return ListenerRecipe if "listener" in values else Recipe


def _validated(values: dict[str, Any]) -> AnyRecipe:
    kind = _kind_of(values)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise RecipeError("; ".join(_words(problem, keys(kind)) for problem in error.errors())) from error


def _shortened(value: Any) -> str:
    """Return a value as Python writes it, cut where it would fill the screen."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 100 else f"{text[:100]}..."


def _words(problem: Any, known: list[str]) -> str:
    """Put one of pydantic's findings in the words of a recipe."""
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f'no recipe key "{key}"; {nearest(key, known)}'
    if problem["type"] == "missing":
        return f'the recipe lacks the key "{key}"'
    if not key:  # sections that contradict each other
        return str(problem["msg"]).removeprefix("Value error, ")
    return f"{key} = {_shortened(problem['input'])}: {problem['msg']}"
