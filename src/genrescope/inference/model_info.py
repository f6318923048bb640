"""What a model says of itself, and on what terms it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genrescope.models.registry import count_parameters

if TYPE_CHECKING:
    from genrescope.modelfile import Model

_SHOWN = 10  # labels in a line of text


@dataclass(frozen=True)
class ModelInfo:
    """What a model is, and on what terms it may be used.

    Attributes:
        name: of its recipe.
        labels: what it knows.
        exclusive: whether a song has one label, or any number of them.
        sample_rate: samples per second of what it takes.
        window_seconds: length of its windows.
        embedding_width: numbers of an embedding; 0 where it gives none.
        parameters: how many weights it has.
        scores: its figures, by split, part and level.
        licence: of its weights.
        citation: the work to cite for them.
        trained_on: name, licence and citation of the training data.
        requires: the networks whose weights are not in the file.
        made_with: version of genrescope.
    """

    name: str
    labels: tuple[str, ...]
    exclusive: bool
    sample_rate: int
    window_seconds: float
    embedding_width: int
    parameters: int
    scores: dict[str, Any]
    licence: str
    citation: str
    trained_on: dict[str, str]
    requires: tuple[str, ...]
    made_with: str

    @classmethod
    def of(cls, model: Model) -> ModelInfo:
        """Return what a model file says."""
        header = model.header
        return cls(
            name=str(header.recipe.get("name", "")) or header.model,
            labels=header.labels,
            exclusive=header.exclusive,
            sample_rate=header.front_end.sample_rate,
            window_seconds=header.window_seconds,
            embedding_width=int(getattr(model.network, "width", 0)),
            parameters=count_parameters(model.network),
            scores=header.scores,
            licence=header.weights.licence,
            citation=header.weights.citation,
            trained_on=header.data.model_dump(include={"name", "licence", "citation"}),
            requires=tuple(need.name for need in header.requires),
            made_with=header.made_with,
        )

    def __str__(self) -> str:
        """Name, labels, rate and window on one line."""
        more = f", ... {len(self.labels) - _SHOWN} more" if len(self.labels) > _SHOWN else ""
        labels = f"{len(self.labels)} labels ({', '.join(self.labels[:_SHOWN])}{more})"
        return f"{self.name}, {labels}, {self.sample_rate:,} Hz, windows of {self.window_seconds:.2f} s"
