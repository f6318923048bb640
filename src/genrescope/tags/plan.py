"""What is to be written for a song: which genres, or why none."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from genrescope import tables
from genrescope.errors import DataError
from genrescope.tags import id3v1
from genrescope.tags.artists import spelling
from genrescope.tags.change import checked_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Action: TypeAlias = Literal["write", "keep", "skip", "refuse"]
"""`write`; `keep` what is there; `skip` where the model proposes nothing; `refuse` what cannot be written."""


@dataclass(frozen=True)
class Scored:
    """What a model makes of a song.

    Attributes:
        scores: by label, the highest first.
        labels: those that reach the model's thresholds; None where it has none, or they are not known.
        unknown: whether the song is probably none of the model's genres.
        withheld: whether the prediction itself says that no genre counts, as `predict --min-confidence` does.
        thresholds: by label, the score from which it counts, as far as they are known: for messages.
    """

    scores: Mapping[str, float]
    labels: tuple[str, ...] | None = None
    unknown: bool = False
    withheld: bool = False
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_model(
        cls,
        scores: Mapping[str, float],
        labels: tuple[str, ...],
        thresholds: Mapping[str, float],
        *,
        unknown: bool = False,
    ) -> Scored:
        """Return it for a model with these thresholds; where it has none, `labels` are not known."""
        return cls(scores, labels if thresholds else None, unknown, thresholds=thresholds)


@dataclass(frozen=True)
class Rules:
    """What decides which genres are written.

    Attributes:
        count: how many labels count at most, the highest first.
        minimum: the lowest score of a label that counts; None leaves it to the model's thresholds, and where it has
            none only the highest counts.
        minimums: the same by label; these go first.
        map: genres to write, by label; labels that are not there are written as they are.
        replace: whether a genre that is there is replaced.
        generic: genres that are replaced anyway, as `generic_words` returns them.
    """

    count: int = 1
    minimum: float | None = None
    minimums: Mapping[str, float] = field(default_factory=dict)
    map: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    replace: bool = False
    generic: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """What is to be done with a song, and why.

    Attributes:
        action: what.
        why: why, in a few words.
        genres: what the model proposes.
        confidences: the score behind each of them.
    """

    action: Action
    why: str
    genres: tuple[str, ...] = ()
    confidences: tuple[float, ...] = ()


def kept(present: Sequence[str], rules: Rules) -> Decision | None:
    """Return the decision to keep what is there, which needs no prediction; None where one is needed."""
    if not present or rules.replace or is_generic(present, rules.generic):
        return None
    return Decision("keep", "has a genre")


def decide(present: Sequence[str], scored: Scored, rules: Rules) -> Decision:
    """Decide what is done with a song.

    Args:
        present: the values that stand in the field to be written.
        scored: what the model makes of the song.
        rules: what decides.

    Example:
        >>> decide([], Scored({"rock": 0.8, "pop": 0.1}), Rules())
        Decision(action='write', why='no genre', genres=('rock',), confidences=(0.8,))
    """
    genres, confidences, none = proposed(scored, rules)
    if kept(present, rules):
        return Decision("keep", "has a genre", genres, confidences)
    if not genres:
        return Decision("skip", none)
    if genres == tuple(present):
        return Decision("keep", "is so already", genres, confidences)
    why = "no genre" if not present else "generic" if is_generic(present, rules.generic) else "replaces"
    return Decision("write", why, genres, confidences)


def proposed(scored: Scored, rules: Rules) -> tuple[tuple[str, ...], tuple[float, ...], str]:
    """Return the genres to write with their scores; where there are none, why."""
    if scored.unknown:
        return (), (), "unknown to the model"
    if scored.withheld:
        return (), (), "no genre in the predictions"
    labels = counted(scored, rules)
    if not labels:
        return (), (), too_low(scored, rules)
    found: dict[str, float] = {}
    for label in labels:
        for word in rules.map.get(label, (label,)):
            found.setdefault(word, scored.scores[label])
    return tuple(found), tuple(found.values()), f"the map writes nothing for {labels[0]}"


def too_low(scored: Scored, rules: Rules) -> str:
    """Say that no label counts: the one with the highest score, and what it would need.

    Example:
        >>> too_low(Scored({"jazz": 0.79}, (), thresholds={"jazz": 0.86}), Rules())
        'none reaches its threshold (jazz 0.79, which needs 0.86)'
        >>> too_low(Scored({"folk": 0.8}, (), thresholds={"jazz": 0.86}), Rules())
        'none reaches its threshold (folk 0.80, which has none)'
    """
    label = max(scored.scores, key=lambda label: scored.scores[label])
    score, needed = scored.scores[label], rules.minimums.get(label, rules.minimum)
    if needed is None:
        needed = scored.thresholds.get(label)
    if needed is None:
        return f"none reaches its threshold ({label} {score:.2f}{', which has none' if scored.thresholds else ''})"
    digits = 2 if f"{score:.2f}" != f"{needed:.2f}" else 4
    return f"none reaches its threshold ({label} {score:.{digits}f}, which needs {needed:.{digits}f})"


def counted(scored: Scored, rules: Rules) -> list[str]:
    """Return the labels that count, the highest first.

    Those that reach `minimums` or `minimum`; without these, those that reach the model's thresholds, and the highest
    where it has none.
    """
    ranked = sorted(scored.scores, key=lambda label: -scored.scores[label])
    by_itself = ranked[:1] if scored.labels is None else scored.labels
    found = []
    for label in ranked:
        minimum = rules.minimums.get(label, rules.minimum)
        if label in by_itself if minimum is None else scored.scores[label] >= minimum:
            found.append(label)
    return found[: rules.count]


def is_generic(present: Iterable[str], generic: frozenset[str]) -> bool:
    """Whether all of some genres say nothing."""
    return all(spelling(id3v1.name_of(genre)) in generic for genre in present)


def generic_words(more: Iterable[str] = ()) -> frozenset[str]:
    """Return the genres that say nothing, as `Rules` takes them: those of `generic.toml`, and some more.

    Example:
        >>> generic = generic_words()
        >>> is_generic(["(12)"], generic), is_generic(["Rock"], generic), is_generic(["?"], generic)
        (True, False, True)
    """
    return frozenset(map(spelling, [*_packaged("generic.toml")["words"], *more, ""]))


def load_map(path: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Read which genres are written for which label; by default those of `words.toml`.

    Raises:
        DataError: the file cannot be read, or a genre cannot be written.
    """
    held = tables.read_toml(path) if path is not None else _packaged("words.toml")
    where = path if path is not None else "words.toml"
    return {str(label): _words(value, f"{where}, {label}") for label, value in held.items()}


def _words(value: object, where: str) -> tuple[str, ...]:
    if value in ("", []):
        return ()
    return tuple(checked_word(word, where=where) for word in (value if isinstance(value, list) else [value]))


def minimums(given: Iterable[str]) -> tuple[float | None, dict[str, float]]:
    """Read what `--min-confidence` was given: one number for all labels, and `label=number` for single ones.

    Raises:
        DataError: a number is none in [0, 1], or there are two for all.

    Example:
        >>> minimums(["0.5", "rock=0.7"])
        (0.5, {'rock': 0.7})
    """
    general: float | None = None
    single = {}
    for text in given:
        label, mark, number = text.rpartition("=")
        value = _number(number)
        if value is None or (mark and not label) or (not mark and general is not None):
            raise DataError(
                f"--min-confidence {text}: accepted is a number from 0 to 1 once, such as 0.5, and for single labels "
                "label=number, such as rock=0.7"
            )
        if mark:
            single[label] = value
        else:
            general = value
    return general, single


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _packaged(name: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(files("genrescope.tags").joinpath(name).read_text(encoding="utf-8"))
