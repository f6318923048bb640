"""The recipes of runs with a pre-trained network: they are made, not read."""

from __future__ import annotations

from typing import Any

from genrescope.training.recipe_sections import (
    EvaluationSection,
    NetworkSection,
    OptimizerSection,
    ProbeSection,
    ScheduleSection,
    Section,
    TrainingSection,
    TuningSection,
)


class TransferRecipe(Section):
    """What all of them have."""

    name: str
    intent: str
    """What it is, in a line."""
    network: NetworkSection
    evaluation: EvaluationSection = EvaluationSection(verdict="vote")

    @property
    def deciding(self) -> dict[str, Any]:
        """All values that decide a result: all but the name."""
        return self.model_dump(exclude={"name", "intent"})


class ProbeRecipe(TransferRecipe):
    """An SVM fitted to a network's embeddings."""

    probe: ProbeSection


class TuningRecipe(TransferRecipe):
    """A fine-tuned network with a linear head; its default settings."""

    tuning: TuningSection = TuningSection()
    optimizer: OptimizerSection = OptimizerSection(name="adamw", momentum=0.9, unit_gain=False, weight_decay=0.01)
    schedule: ScheduleSection = ScheduleSection(
        name="one-cycle", base_rate=1e-7, max_rate=3e-5, half_cycle_epochs=1.0, warm_up=0.1
    )
    training: TrainingSection = TrainingSection(epochs=10, batch_size=8, precision="32-true")

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the sections that have values of their own, as plain values."""
        sections = ((name, field.default) for name, field in cls.model_fields.items())
        return {name: default.model_dump() for name, default in sections if isinstance(default, Section)}
