"""A run over many songs: what each has, what it is to get, and, if asked for, writing it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from genrescope import __version__
from genrescope.errors import AudioError, reason_of
from genrescope.tags import plan, read, replacing, verify
from genrescope.tags import write as writing
from genrescope.tags.change import JOIN, Change
from genrescope.tags.edits import TagError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from genrescope.tags.journal import Journal
    from genrescope.tags.plan import Decision, Rules, Scored

    Classify: TypeAlias = Callable[[Sequence[Path]], Iterable[tuple[Path, Scored | str]]]

PROVENANCE = (read.SOURCE, "GENRESCOPE_MODEL", "GENRESCOPE_CONFIDENCE")
"""The custom fields that say where a genre comes from."""


@dataclass(frozen=True)
class Style:
    """How genres are written.

    Attributes:
        field: the custom field that gets them in place of the genre; None for the genre itself.
        provenance: whether fields that say where they come from are written too.
        model: what those say of the model; empty where nothing is known.
        join: what stands between several genres where a format has room for one text only.
        touch: whether files get a new time.
        break_links: whether files with several names are replaced.
        decoded: whether the decoded sound is compared too.
    """

    field: str | None = None
    provenance: bool = True
    model: str = ""
    join: str = JOIN
    touch: bool = False
    break_links: bool = False
    decoded: bool = False

    def change(self, genres: tuple[str, ...], confidences: Sequence[float]) -> Change:
        """Return what is written for genres with these scores."""
        fields: dict[str, tuple[str, ...]] = {} if self.field is None else {self.field: genres}
        if self.provenance:
            scores = tuple(f"{score:.2f}" for score in confidences)
            values = ((f"genrescope {__version__}",), (self.model,) if self.model else (), scores)
            fields |= dict(zip(PROVENANCE, values, strict=True))
        return Change(genres if self.field is None else None, fields, self.join)

    def present(self, path: Path) -> tuple[str, ...]:
        """Return the values that stand where the genres are to be written.

        Raises:
            AudioError: the tags cannot be read.
        """
        genres = read.read(path).genres
        return genres if self.field is None else verify.values_of(path, self.field)


@dataclass(frozen=True)
class Row:
    """A song of a run.

    Attributes:
        path: its file.
        present: what stands there.
        decision: what is to be done, or why nothing can be.
        written: whether it was done.
    """

    path: Path
    present: tuple[str, ...]
    decision: Decision
    written: bool = False


@dataclass(frozen=True)
class Tagger:
    """Decides for each song what is to be done, and does it if there is a journal.

    Attributes:
        rules: what decides.
        style: how genres are written.
        journal: where changes are noted; None for a dry run.
    """

    rules: Rules
    style: Style
    journal: Journal | None = None

    def run(self, songs: Iterable[Path], classify: Classify, *, score_all: bool = False) -> Iterator[Row]:
        """Yield a row for each song. A bad file stops nothing.

        Songs that keep what they have come first, without a prediction. The others come as they are classified, and
        are written at once, so that what was done stays done if the run is interrupted.

        Args:
            songs: files, each once.
            classify: yields for songs what a model makes of them, or why it cannot.
            score_all: whether songs that keep what they have are classified too.

        Raises:
            OutputError: the journal cannot be written.
        """
        waiting: dict[Path, tuple[str, ...]] = {}
        for song in songs:
            row = self._looked(song)
            if row.decision.action == "write" or (score_all and row.decision.action == "keep"):
                waiting[song] = row.present
            else:
                yield row
        for song, found in classify(list(waiting)):
            yield self._done(song, waiting[song], found)

    def _looked(self, song: Path) -> Row:
        """Return what can be said of a song before it is classified; `write` where nothing can."""
        try:
            present = self.style.present(song)
        except AudioError as error:  # what readers say is long, and seldom the point
            return Row(song, (), _refused(self._refusal(song) or error.reason))
        if kept := plan.kept(present, self.rules):
            return Row(song, present, kept)
        if reason := self._refusal(song):
            return Row(song, present, _refused(reason))
        return Row(song, present, plan.Decision("write", ""))

    def _refusal(self, song: Path) -> str | None:
        """Say why nothing can be written into a song; None where it may."""
        change = self.style.change(("Rock",), (1.0,))
        return writing.refusal(song, change, break_links=self.style.break_links)

    def _done(self, song: Path, present: tuple[str, ...], found: Scored | str) -> Row:
        if isinstance(found, str):
            return Row(song, present, _refused(found))
        decision = plan.decide(present, found, self.rules)
        if decision.action != "write" or self.journal is None:
            return Row(song, present, decision)
        try:
            self._write(song, present, decision)
        except (TagError, AudioError, OSError) as error:
            return Row(song, present, replace(decision, action="refuse", why=reason_of(error)))
        return Row(song, present, decision, written=True)

    def _write(self, song: Path, present: tuple[str, ...], decision: Decision) -> None:
        style = self.style
        assert self.journal is not None
        writing.write(
            song,
            style.change(decision.genres, decision.confidences),
            self.journal,
            present=present,
            touch=style.touch,
            break_links=style.break_links,
            decoded=style.decoded,
        )


def _refused(reason: str) -> Decision:
    return plan.Decision("refuse", reason)


def unique(songs: Iterable[Path]) -> list[Path]:
    """Return songs without those that are other paths to the same file."""
    return list({os.path.realpath(song): song for song in reversed(list(songs))}.values())[::-1]


def clean(songs: Iterable[Path]) -> list[Path]:
    """Remove what a killed run left in the folders of some songs, and return it."""
    folders = {Path(os.path.realpath(song)).parent for song in songs}
    return [gone for folder in sorted(folders) for gone in replacing.clean(folder)]
