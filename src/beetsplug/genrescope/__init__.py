"""A plugin of beets: genres from the sound itself. `docs/beets.md` describes its options.

They are named as those of beets' own lastgenre, and mean the same. Songs are classified as a stream, and stored as soon
as their album is done, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confuse
from beets import plugins, ui
from beets.dbcore import types
from beets.exceptions import UserError
from beets.library import Album, Item

from beetsplug.genrescope.names import Names
from beetsplug.genrescope.verdicts import Rules, Verdict, existing, windows_of
from genrescope.errors import GenrescopeError
from genrescope.features.placement import WINDOWS
from genrescope.inference.prediction import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from beets.importer import ImportSession, ImportTask
    from beets.library import Library

    from genrescope.inference.classifier import Classifier
    from genrescope.inference.prediction import Prediction

DEFAULTS = {
    "auto": True,
    "model": None,
    "windows": WINDOWS,
    "jobs": None,
    "source": "track",
    "count": 1,
    "min_confidence": None,
    "force": False,
    "keep_existing": False,
    "classify_existing": False,
    "pretend": False,
    "whitelist": False,
    "canonical": False,
    "aliases": False,
    "title_case": True,
}
"""The options, and what they are where the configuration has none."""

_ATTRIBUTES: dict[str, types.Type[Any, Any]] = {
    "genrescope_genre": types.STRING,
    "genrescope_confidence": types.Float(3),
    "genrescope_model": types.STRING,
}
_OF_ALBUM = {name.replace("genrescope_", "genrescope_album_"): kind for name, kind in _ATTRIBUTES.items()}
"""Named otherwise than a song's, since a song that lacks an attribute shows that of its album."""


@dataclass
class Group:
    """Songs that are stored together: those of an album, or one.

    Attributes:
        album: id of the album; None for a song by itself.
        songs: id and path of each song that is to be classified.
        results: what has been found so far, in the order of `songs`.
    """

    album: int | None
    songs: list[tuple[int, Path]]
    results: list[Prediction | Failure] = field(default_factory=list)


class GenrescopePlugin(plugins.BeetsPlugin):
    """`beet genrescope`, and the same on import."""

    item_types = _ATTRIBUTES | _OF_ALBUM
    album_types = _OF_ALBUM

    def __init__(self) -> None:
        super().__init__()
        self.config.add(DEFAULTS)
        self.counts: Counter[str] = Counter()
        if self.config["auto"].get(bool):
            self.import_stages = [self.imported]

    @cached_property
    def names(self) -> Names:
        """How labels are written."""
        return Names(self.config)

    @cached_property
    def classifier(self) -> Classifier:
        """The model, loaded when a song first needs it."""
        from genrescope.inference.loading import load

        model = self.config["model"].get(confuse.Optional(str))
        self._log.debug("loading the model {}", model or "genres")
        return load(None if model is None else Path(model).expanduser(), windows=windows_of(self.config))

    def commands(self) -> list[ui.Subcommand]:
        """Return the command `genrescope`."""
        command = ui.Subcommand("genrescope", help="classify genres from the sound")
        option = command.parser.add_option
        option("-p", "--pretend", action="store_true", help="show what would change, and change nothing")
        option("-f", "--force", action="store_true", help="replace existing genres")
        option("-F", "--no-force", dest="force", action="store_false", help="leave existing genres (default)")
        option("-k", "--keep-existing", action="store_true", help="with --force: add to existing genres")
        option("-K", "--no-keep-existing", dest="keep_existing", action="store_false", help="replace them (default)")
        option("-s", "--source", help="whose scores count: track (each song's own) or album (the mean of its songs)")
        option("-c", "--count", type="int", help="genres for each song, at most")
        option("-t", "--min-confidence", type="float", help="lowest score of a genre, in place of the thresholds")
        option("-m", "--model", help="model file, run folder, or a name that `genrescope models` lists")
        option("-n", "--windows", help="how many windows of a song are scored, or all")
        option("-j", "--jobs", type="int", help="processes that decode (default: one for each core)")
        option("-a", "--albums", dest="album", action="store_true", help="match albums, and songs of none (default)")
        option("-A", "--items", dest="album", action="store_false", help="match songs, each by itself")
        option("-w", "--write", action="store_true", help="write tags (default: as import.write says)")
        option("-W", "--nowrite", dest="write", action="store_false", help="change the library only")
        command.parser.set_defaults(album=True)
        command.func = self._command
        return [command]

    def _command(self, library: Library, options: Any, query: list[str]) -> None:
        given = dict(vars(options))
        write, by_album = ui.should_write(given.pop("write")), given.pop("album")
        self.config.set_args(given)
        albums = [(album, list(album.items())) for album in library.albums(query)] if by_album else []
        items = [(None, [item]) for item in library.items(query) if not (by_album and item.album_id)]
        self._process(library, [*albums, *items], write=write)
        found = ", ".join(f"{what}: {count}" for what, count in sorted(self.counts.items()))
        self._log.info("{}", found or "nothing to classify: all songs that match have genres (--force replaces them)")

    def imported(self, session: ImportSession, task: ImportTask) -> None:
        """Classify what is being imported; the importer itself writes the tags afterwards."""
        album = task.album if task.is_album else None
        try:
            self._process(session.lib, [(album, list(task.imported_items()))], write=False)
        except UserError as error:  # the import goes on
            self._log.warning("{}", error)

    def _process(self, library: Library, matched: Iterable[tuple[Album | None, list[Item]]], *, write: bool) -> None:
        """Classify what needs it, and store it."""
        rules, _ = Rules.of(self.config), self.names  # both may be refused, before anything is computed
        groups = []
        for album, items in matched:
            wanted = [(item.id, item.filepath) for item in rules.wanted(album, items) if item.id]
            if wanted:
                groups.append(Group(album.id if album else None, wanted))
            elif items:
                self._log.debug("{}: keep any, no-force", album or items[0])
        for group in self._classified(groups, rules.jobs):
            self._store(library, group, rules, write=write)

    def _classified(self, groups: Sequence[Group], jobs: int | None) -> Iterator[Group]:
        """Yield each group once all of its songs have been classified."""
        waiting = deque(groups)
        paths = (path for group in groups for _, path in group.songs)
        try:
            for result in self.classifier.predict_many(paths, jobs=jobs) if groups else ():
                waiting[0].results.append(result)
                if len(waiting[0].results) == len(waiting[0].songs):
                    yield waiting.popleft()
        except GenrescopeError as error:
            raise UserError(f"genrescope: {error}") from error

    def _store(self, library: Library, group: Group, rules: Rules, *, write: bool) -> None:
        """Store what was found for an album and its songs, those that could not be decoded left out."""
        header, verdicts = self.classifier.header, {}
        for (number, path), result in zip(group.songs, group.results, strict=True):
            if isinstance(result, Failure):
                self._log.warning("not classified: {}: {}", path, result.reason)
                self.counts["songs not classified"] += 1
            else:
                verdicts[number] = Verdict.of(result, header)
        album = library.get_album(group.album) if group.album is not None else None
        whole = Verdict.mean(list(verdicts.values()), header) if album and verdicts else None
        if album and whole and (len(verdicts) == len(album.items()) or "genrescope_album_genre" not in album):
            self._settle(album, whole, whole, "album", rules, write=write)
        for number, own in verdicts.items():
            decides, origin = (whole, "album") if whole and rules.of_album(album) else (own, "track")
            if item := library.get_item(number):
                self._settle(item, own, decides, origin, rules, write=write)

    def _settle(
        self, thing: Album | Item, own: Verdict, decides: Verdict, origin: str, rules: Rules, *, write: bool
    ) -> None:
        """Store a song's or an album's own verdict, and the genres that follow from the one that decides."""
        self._log.info("{}", thing)
        before = existing(thing)
        after, why = self._resolved(before, decides, origin, rules)
        self._log.debug("{} scores: {}", origin, decides)
        self._log.debug("Resolved ({}): {}", why, after)
        if after != before:
            thing.genres = after
        ui.show_model_changes(thing, fields=["genres"], print_obj=not self._log.isEnabledFor(logging.INFO))
        if isinstance(thing, Item):
            self.counts["songs with new genres" if after != before else "songs whose genres stay"] += 1
        if rules.pretend:
            return
        names = _ATTRIBUTES if isinstance(thing, Item) else _OF_ALBUM
        thing.update(dict(zip(names, (own.genre, own.confidence, self.classifier.fingerprint), strict=True)))
        if isinstance(thing, Item):
            thing.try_sync(write=write and after != before, move=False)
        else:
            thing.store(inherit=False)  # the songs have their own

    def _resolved(self, before: list[str], verdict: Verdict, origin: str, rules: Rules) -> tuple[list[str], str]:
        """Return the genres to store, and why."""
        if before and not rules.force:
            return before, "keep any, no-force"
        candidates, why_none = verdict.candidates(rules.min_confidence)
        new = self.names.of(candidates)[: rules.count]
        if not new:
            return before, why_none or "not in the whitelist"
        why = f"{origin}, {'whitelist' if self.names.whitelist else 'any'}"
        if before and rules.keep_existing:
            held = {name.casefold() for name in before}
            return [*before, *(name for name in new if name.casefold() not in held)], f"keep + {why}"
        return new, why
