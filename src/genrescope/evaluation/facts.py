"""How a model was made, as results report it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genrescope.features.spec import to_dict
from genrescope.models.registry import count_parameters
from genrescope.results import MachineFacts, ModelFacts, TrainingFacts
from genrescope.training.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.modelfile import Model


def about_model(model: Model, run: Path | None) -> ModelFacts:
    """Return how a model was made, from its file and its run folder.

    Args:
        run: its run folder; None where the file lies outside of one.

    Raises:
        DataError: the folder is no run folder.
    """
    header = model.header
    facts = read_run(run) if run is not None else {}
    machine = facts.get("machine")
    return ModelFacts(
        file=model.path.name,
        architecture=header.model,
        parameters=count_parameters(model.network),
        recipe=header.recipe,
        front_end=to_dict(header.front_end),
        window_seconds=header.window_seconds,
        data_fingerprint=header.data.fingerprint,
        made_with=header.made_with,
        trained_on=TrainingFacts.model_validate({name: facts.get(name) for name in TrainingFacts.model_fields}),
        machine=MachineFacts.model_validate(machine) if machine is not None else None,
        **{name: facts.get(name) for name in ("seed", "versions", "commit")},
    )
