"""JSON Schemas of the results, made from their types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from genrescope.files import write_text
from genrescope.results.comparison import Comparison
from genrescope.results.evaluation import CrossValidation, Evaluation
from genrescope.results.multi_label import MultiLabelEvaluation
from genrescope.results.robustness import RobustnessResult

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.results.record import Record

KINDS: dict[str, type[Record]] = {
    "evaluation": Evaluation,
    "crossval": CrossValidation,
    "multi-label": MultiLabelEvaluation,
    "compare": Comparison,
    "robustness": RobustnessResult,
}
"""Type by the name of its file."""


def schema(kind: type[Record]) -> str:
    """Return a type's JSON Schema as text."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | kind.model_json_schema(mode="serialization")
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def write_all(folder: Path) -> list[Path]:
    """Write `NAME.schema.json` for every kind of result; return the files."""
    paths = []
    for name, kind in KINDS.items():
        paths.append(folder / f"{name}.schema.json")
        write_text(paths[-1], schema(kind))
    return paths
