"""Options of commands that can run on a cluster."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from genrescope.errors import DataError


class Engine(StrEnum):
    """Where the work is done."""

    local = "local"
    ray = "ray"


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="local: processes of this machine. ray: a cluster of Ray, which takes URLs too."),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Of --engine ray: the cluster, or auto; by default $RAY_ADDRESS, or this machine."
    ),
]
PartSongs = Annotated[
    int | None,
    typer.Option("--part", min=1, metavar="SONGS", help="Of --engine ray: songs of a part; by default 25 to 500."),
]


def refuse_without_ray(engine: Engine, **given: object) -> None:
    """Refuse options that only a cluster has.

    Raises:
        DataError: one is given without `--engine ray`.
    """
    for name, value in given.items():
        if value is not None and engine is not Engine.ray:
            raise DataError(f"--{name} {value} needs --engine ray")
