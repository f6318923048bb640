"""The shapes of what the service answers, as its OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """What all shapes share."""

    model_config = ConfigDict(extra="forbid")


class Window(Shape):
    """The scores of one window; `scores` are in the order of the model's labels."""

    start: float = Field(description="Where it begins, in seconds.")
    end: float = Field(description="Where it ends, in seconds.")
    scores: list[float] = Field(description="In [0, 1], in the order of the model's labels.")
    silent: bool = Field(description="Whether nothing in it is louder than -60 dB of full scale.")


class Segment(Shape):
    """A stretch of a song with one genre."""

    start: float
    end: float
    genre: str
    confidence: float


class Result(Shape):
    """What the model made of a song."""

    name: str = Field(description="As the client called the file, without folders.")
    genre: str = Field(description="The label with the highest score.")
    confidence: float = Field(description="Its score, the mean over all windows that are not silent.")
    unknown: bool = Field(description="Whether the song is probably none of the model's genres.")
    labels: list[str] = Field(description="Those whose scores reach the model's thresholds, the highest first.")
    seconds: float = Field(description="Length of the song.")
    scores: dict[str, float] = Field(description="By label, the highest first.")
    tags: dict[str, dict[str, float]] = Field(description="What is no genre, by kind.")
    silent: float = Field(description="Share of the windows that are silent.")
    warnings: list[str] = Field(description="Reasons to doubt the prediction.")
    windows: list[Window]
    segments: list[Segment] = Field(description="Where the genre changes, without gaps.")


class Failed(Shape):
    """A file that could not be classified."""

    name: str
    error: str = Field(description="The sentence that the command line prints.")


_EXAMPLE: Any = {
    "model": "1bbc86ecae6b01c2",
    "results": [
        {
            "name": "song.mp3",
            "genre": "rock",
            "confidence": 0.84,
            "unknown": False,
            "labels": ["rock"],
            "seconds": 5.98,
            "scores": {"rock": 0.84, "jazz": 0.16},
            "tags": {},
            "silent": 0.0,
            "warnings": [],
            "windows": [
                {"start": 0.0, "end": 2.99, "scores": [0.1, 0.9], "silent": False},
                {"start": 2.99, "end": 5.98, "scores": [0.22, 0.78], "silent": False},
            ],
            "segments": [{"start": 0.0, "end": 5.98, "genre": "rock", "confidence": 0.84}],
        },
        {"name": "notes.txt", "error": "FFmpeg: its content is no audio or video that is known"},
    ],
}


class Answer(Shape):
    """Results in the order of the files."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    model: str = Field(description="Fingerprint of the model with this choice of windows.")
    results: list[Result | Failed]


class Nothing(Shape):
    """Why a request is not answered as asked; where several files came and all failed, why each did."""

    detail: str
    model: str | None = None
    results: list[Failed] | None = None


class Genres(Shape):
    """The labels that the model knows."""

    genres: list[str]


class Health(Shape):
    """Whether the service works."""

    status: str
    queue: int = Field(description="Songs that wait.")


class ModelFacts(Shape):
    """What the model is, and on what terms it may be used."""

    name: str
    fingerprint: str = Field(description="With all windows of a song.")
    labels: list[str]
    exclusive: bool = Field(description="Whether a song has one label, or any number of them.")
    sample_rate: int
    window_seconds: float
    hop_seconds: float
    thresholds: dict[str, float]
    unknown: bool = Field(description="Whether it marks songs that are none of its labels.")
    tags: dict[str, list[str]] = Field(description="What it names beside the labels, by kind.")
    licence: str
    citations: list[str]
    measured: str | None = Field(description="How often it is right, and on what that was measured.")
    trained_on: dict[str, str]
    colours: dict[str, str] = Field(description="A colour for each label on light pages, as #rrggbb.")
    colours_dark: dict[str, str] = Field(description="The same for dark pages.")
    library: bool = Field(description="Whether the service has a library.")
    max_bytes: int = Field(description="The largest file that is accepted.")
    max_seconds: float = Field(description="The longest sound that is accepted.")
    live: bool = Field(description="Whether live sound is accepted at /v1/live, a WebSocket.")


class Explained(Shape):
    """How much the genre's score falls when a part of the spectrogram is hidden."""

    genre: str
    start: float
    end: float
    times: list[float] = Field(description="Edges of the spans, in seconds of the song.")
    bands: list[float] = Field(description="Edges of the bands, in Hz.")
    evidence: list[list[float]] = Field(description="A row for each band, a value for each span.")


class Song(Shape):
    """A song of the library."""

    id: int
    artist: str
    title: str
    album: str
    seconds: float | None
    genre: str | None
    confidence: float | None
    unknown: bool | None
    correction: list[str]


class Songs(Shape):
    """Songs of the library, and how many there are."""

    total: int
    songs: list[Song]


class Similar(Shape):
    """A song, and the cosine of the angle between its standardised embedding and that of another."""

    similarity: float
    song: Song


class Similars(Shape):
    """The songs most similar to one, the most similar first."""

    songs: list[Similar]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how the OpenAPI document describes answers to requests that are refused."""
    return {status: {"model": Nothing, "description": _REASONS[status]} for status in (*statuses, 401, 403)}


_REASONS = {
    400: "The request is malformed: a parameter, the form, its number of files, or the name of the host.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another origin.",
    404: "There is nothing here.",
    408: "The request took too long to arrive.",
    413: "A file, or the request, is too large.",
    415: "The body is not multipart/form-data.",
    422: "The sound cannot be used: no audio, damaged, too long, or too slow to decode.",
    500: "The model or the service failed.",
    503: "The service is busy or shutting down; the header Retry-After says when to try again.",
}
