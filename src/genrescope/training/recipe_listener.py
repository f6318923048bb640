"""The recipe of a listener: which pre-trained taggers, and how far labels may move the head from its prior."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from genrescope.training.recipe_sections import EvaluationSection, Section

_Grid = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]


class ListenerSection(Section):
    """The taggers, and the penalties that are tried."""

    taggers: Annotated[list[str], Field(min_length=1)]
    """Names of models; the first one's pooled layer is the embedding, the tags of all are the prior."""
    tagged: _Grid
    """Penalties of the weights of genres that have tags; chosen on held-out artists. Larger is closer to the tags."""
    untagged: _Grid
    """The same for genres without a tag."""


class ListenerRecipe(Section):
    """A whole recipe."""

    name: str
    intent: str
    """Why it exists, in a line."""
    listener: ListenerSection
    evaluation: EvaluationSection = EvaluationSection(verdict="vote")

    @property
    def taggers(self) -> tuple[str, ...]:
        """The models that must be on the shelf."""
        return tuple(self.listener.taggers)

    @property
    def kind(self) -> Literal["listener"]:
        """What the recipe makes."""
        return "listener"

    @property
    def made(self) -> str:
        """What the recipe makes, in a word: the name of its model."""
        return "listener"

    @property
    def deciding(self) -> dict[str, Any]:
        """All values that decide a result: neither the name nor the intent."""
        return self.model_dump(exclude={"name", "intent"})
