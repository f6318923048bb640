"""Arguments of the command live, and what they mean together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from genrescope.cli.prediction_options import names_model
from genrescope.errors import DataError


class Format(StrEnum):
    """How raw samples are written."""

    s16le = "s16le"
    f32le = "f32le"


def model_and_source(first: str | None, second: str | None) -> tuple[Path | None, str | None]:
    """Tell a model from a source: a file that is no model, an address, or - are a source.

    Raises:
        DataError: two sources are given, or a file that does not exist.
    """
    is_source = first is not None and (first == "-" or is_url(first) or not names_model(Path(first)))
    if is_source and second is not None:
        raise DataError(f"{first} and {second}: two sources; accepted are a model and a source, in that order")
    model, source = (None, first) if is_source else (first, second)
    if source is not None and source != "-" and not is_url(source) and not Path(source).is_file():
        known = "a folder" if Path(source).is_dir() else "no such file"
        raise DataError(f"{source}: {known}; accepted are a file, an address (http or https), and - for stdin")
    return None if model is None else Path(model), source


@dataclass(frozen=True)
class Pipe:
    """How raw samples from stdin are to be read."""

    rate: int = 44_100
    channels: int = 2
    format: Format = Format.s16le


def check_fits(source: str | None, *, input_: str | None, speed: float, pipe: Pipe) -> None:
    """Refuse options that belong to another source than the one that is given.

    Raises:
        DataError: one does.
    """
    if source is not None and input_ is not None:
        raise DataError(f"--input {input_} and the source {source}: give one of them")
    if speed != 1 and (source is None or is_url(source)):
        raise DataError(f"--speed {speed:g}: accepted for a file and for stdin; this source plays as it comes")
    if source != "-" and pipe != Pipe():
        raise DataError("--rate, --channels and --format: accepted for stdin; give - as the source")


def is_url(text: str) -> bool:
    """Whether a text is the address of a stream.

    Example:
        >>> is_url("https://radio.example/stream.mp3"), is_url("song.mp3")
        (True, False)
    """
    return text.lower().startswith(("http://", "https://"))
