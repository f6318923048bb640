"""What made a model, as results tell it."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

from genrescope.errors import RecipeError
from genrescope.models import registry
from genrescope.results import MachineFacts, ModelFacts, TrainingFacts
from genrescope.training import recipe as recipes
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope import modelfile


def about_model(loaded: modelfile.Bundle, run: Path | None) -> ModelFacts:
    """Return what made the model of a model file.

    Args:
        loaded: the model.
        run: its run folder; None where the file lies outside of one.
    """
    header = loaded.header
    return model_facts(
        run,
        file=loaded.path.name,
        architecture=header.model,
        parameters=registry.count_parameters(loaded.model),
        recipe=header.recipe,
        front_end=dataclasses.asdict(header.front_end),
        data_fingerprint=header.data,
        made_with=header.made_with,
    )


def model_facts(
    run: Path | None,
    *,
    file: str,
    architecture: str,
    parameters: int,
    recipe: dict[str, Any],
    front_end: dict[str, Any],
    data_fingerprint: str,
    made_with: str,
) -> ModelFacts:
    """Return what made a model: what is given, and what its run folder, if there is one, tells besides.

    Raises:
        DataError: the folder is no run folder.
    """
    facts = read_run(run) if run is not None else {}
    begun, machine = facts.get("init_from"), facts.get("machine")
    return ModelFacts(
        file=file,
        architecture=architecture,
        parameters=parameters,
        recipe=recipe,
        front_end=front_end,
        data_fingerprint=data_fingerprint,
        made_with=made_with,
        seed=facts.get("seed"),
        init_from=f"{begun['recipe']} {begun['digest'][:8]}" if begun else None,
        trained_on=TrainingFacts.model_validate({name: facts.get(name) for name in TrainingFacts.model_fields}),
        machine=MachineFacts.model_validate(machine) if machine is not None else None,
        versions=facts.get("versions"),
        commit=facts.get("commit"),
    )


def settings(model: ModelFacts) -> dict[str, Any]:
    """Return the recipe of a model, and what the training began from, if anything.

    Keys that came after it was made have their defaults, which is what it was made with.
    """
    recipe = model.recipe
    with contextlib.suppress(RecipeError):  # that of a probe is of another kind
        recipe = recipes.from_dict(recipe).model_dump()
    return recipe | {"init_from": model.init_from} if model.init_from else recipe
