"""What a model file says of itself: all that is needed to use it, checked before anything is made of it.

Model files come from strangers, and numbers in a header are work to be done: each has bounds, and so have those that
are multiplied with each other.
"""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError, model_validator

from genrescope.errors import ModelFileError
from genrescope.features.placement import WindowSpec
from genrescope.features.spec import KaldiSpec, LogMelSpec, Spec, WaveSpec, from_dict, to_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = 2

_WINDOW = 1 << 26  # numbers in a window: 256 MiB
_FILTERBANK = 1 << 25  # numbers in the filterbank of a front end
_OVERLAP = 64  # frames that a sample lies in, windows that a frame lies in
_NUMBERS = 8  # numbers in the frames of a waveform for each of its samples
_WINDOWS = 1000  # in a second of sound
_OPTION = 10**8  # a number among the options
_OPTIONS = 10_000  # numbers and texts among the options
_DEEPEST = 6  # tables in tables among the options


def _front_end(value: Any) -> Spec:
    return value if isinstance(value, LogMelSpec | KaldiSpec | WaveSpec) else from_dict(value)


def _windows(value: Any) -> WindowSpec:
    if isinstance(value, WindowSpec):
        return value
    try:
        return WindowSpec(**value)
    except TypeError as error:
        raise ValueError(f"windows: {error}") from error


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Terms(_Part):
    """On what terms something may be used, and what to cite.

    Attributes:
        licence: the licence, in words; `unspecified` where nobody has said.
        citation: the work to cite; empty where there is none.
    """

    licence: str = "unspecified"
    citation: str = ""


class TrainingData(Terms):
    """The training data of a model.

    Attributes:
        name: the data set, or empty where it is not public.
        fingerprint: of the store: its labels, its sound and its front end.
    """

    name: str = ""
    fingerprint: str = ""


class Requirement(_Part):
    """Weights that a file names instead of copying them.

    Attributes:
        name: of the network on huggingface.co.
        revision: its commit there.
        identity: fingerprint of its weights and its input; another network is refused.
        parameters: how many weights it has.
        prefix: what its tensors' names begin with in the model.
    """

    source: Literal["huggingface.co"] = "huggingface.co"
    name: str
    revision: str
    identity: str
    parameters: int = Field(ge=1)
    prefix: str


_Label = Annotated[str, Field(min_length=1, max_length=500)]
_Labels = Annotated[tuple[_Label, ...], Field(min_length=1, max_length=10_000, strict=False)]


class Header(_Part):
    """The header of a model file.

    Attributes:
        model: the architecture's name in the registry.
        options: the keyword arguments that it was made with.
        labels: the labels, in the order of the logits.
        front_end: from a waveform to frames.
        windows: from frames to windows.
        exclusive: whether a song has one label (softmax), or any number of them (sigmoid: tags).
        temperature: what logits are divided by, so that confidence is as high as accuracy.
        thresholds: by label, the score from which it counts; for labels that do not exclude each other.
        unknown_above: the novelty from which a track is called none of the labels; None where there is none.
        tags: what the network gives beside the labels, in the order of its logits, by kind (mood, era, instrument).
        weights: terms of the weights.
        data: the training data, and its terms.
        requires: weights that are not in the file.
        recipe: the whole recipe that it was trained with.
        scores: its figures, by split, part and level, each with its interval.
        made_with: version of genrescope.
    """

    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    labels: _Labels
    front_end: Annotated[Spec, PlainValidator(_front_end), PlainSerializer(to_dict)]
    windows: Annotated[WindowSpec, PlainValidator(_windows), PlainSerializer(dataclasses.asdict)]
    exclusive: bool = True
    temperature: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    unknown_above: float | None = None
    tags: Annotated[dict[_Label, _Labels], Field(max_length=100)] = Field(default_factory=dict)
    weights: Terms = Terms()
    data: TrainingData = TrainingData()
    requires: Annotated[tuple[Requirement, ...], Field(strict=False)] = ()
    recipe: dict[str, Any] = Field(default_factory=dict)
    scores: dict[str, Any] = Field(default_factory=dict)
    made_with: str

    @property
    def window_seconds(self) -> float:
        """Length of a window in seconds."""
        return self.front_end.seconds(self.windows.frames)

    @model_validator(mode="after")
    def _labels_are_told_apart(self) -> Header:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError("a label stands there twice")
        if strange := sorted(set(self.thresholds) - set(self.labels)):
            raise ValueError(f'a threshold for "{strange[0]}", which is no label')
        return self

    @model_validator(mode="after")
    def _work_is_bounded(self) -> Header:
        front_end, windows = self.front_end, self.windows
        width, n_fft, step = front_end.width, getattr(front_end, "n_fft", 1), windows.hop or windows.frames
        limits = (
            (windows.frames * width, _WINDOW, "numbers in a window"),
            (n_fft * width, _FILTERBANK, "numbers in the filterbank"),
            (n_fft / front_end.hop, _OVERLAP, "frames over each sample"),
            (windows.frames / step, _OVERLAP, "windows over each frame"),
            (width / front_end.hop, _NUMBERS, "numbers for each sample"),
            (front_end.frame_rate / step, _WINDOWS, "windows in a second"),
        )
        for number, most, what in limits:
            if number > most:
                raise ValueError(f"{number:,.4g} {what}; accepted are {most:,} at most")
        _refuse_unbounded(self.options)
        return self

    @property
    def verdict(self) -> str:
        """What decides a track's label: its `first` window, or the `vote` of all."""
        return str(self.recipe.get("evaluation", {}).get("verdict", "vote"))

    @property
    def has_others(self) -> bool:
        """Whether what the network gives beside the labels is of use."""
        return self.unknown_above is not None or bool(self.tags)

    def is_unknown(self, novelty: float | None) -> bool:
        """Whether a track of this novelty is none of the labels; never where the model has no such threshold."""
        return self.unknown_above is not None and novelty is not None and novelty > self.unknown_above

    def counted(self, scores: dict[str, float]) -> tuple[str, ...]:
        """Return the labels whose scores reach their thresholds, in the order of the scores."""
        return tuple(label for label, score in scores.items() if score >= self.thresholds.get(label, math.inf))

    def named_tags(self, scores: Sequence[float]) -> dict[str, dict[str, float]]:
        """Return what stands beside the labels by kind, each tag with its score, the highest first."""
        left = iter(scores)
        named = {kind: dict(zip(tags, left, strict=False)) for kind, tags in self.tags.items()}
        return {kind: dict(sorted(tags.items(), key=lambda item: -item[1])) for kind, tags in named.items()}

    def to_json(self) -> str:
        """Return the header as it stands in the file."""
        return json.dumps({"format": FORMAT} | self.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read a header.

        Raises:
            ModelFileError: it is not one, or of another format.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate could not be written again
            found = values.pop("format")
            if found != FORMAT:
                newer = isinstance(found, int) and found > FORMAT
                remedy = "use a newer genrescope" if newer else "train the model again"
                raise ModelFileError(f"it has the model format {found!r}; this version reads format {FORMAT}: {remedy}")
            return cls.model_validate(values)
        except ValidationError as error:
            raise ModelFileError(f"the header is damaged: {'; '.join(map(_words, error.errors()))}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFileError(f"the header is damaged: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _refuse_unbounded(options: dict[str, Any]) -> None:
    """Refuse options of which a network of any size could be asked for.

    Raises:
        ValueError: there are too many, or too deep, or a number is too large.
    """
    waiting: list[tuple[Any, int]] = [(options, 0)]
    seen = 0
    while waiting:
        value, depth = waiting.pop()
        seen += 1
        if isinstance(value, dict | list):
            waiting += [(each, depth + 1) for each in (value.values() if isinstance(value, dict) else value)]
        if seen + len(waiting) > _OPTIONS or depth > _DEEPEST:
            raise ValueError(f"options: more than {_OPTIONS:,} of them, or more than {_DEEPEST} tables in each other")
        if isinstance(value, int | float) and abs(value) > _OPTION:
            raise ValueError(f"options: {value:.4g}; accepted are numbers up to {_OPTION:,}")


def _words(problem: Any) -> str:
    """Put one of pydantic's findings in a few words."""
    key = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
