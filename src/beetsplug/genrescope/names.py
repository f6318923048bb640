"""The names under which labels are written: those of `genrescope tag`, aliases, a tree of genres and a whitelist.

The last three are as lastgenre has them. Names are compared without case, blanks and punctuation: the whitelist's
"hip hop" is the label's "Hip-Hop".
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import confuse
import yaml
from beets.exceptions import UserError

from genrescope.tags import plan
from genrescope.tags.artists import spelling

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Names:
    """What is written for a label.

    Args:
        view: the plugin's section of the configuration.

    Raises:
        UserError: a file cannot be read, or a pattern of an alias is none.
        ConfigError: an option has a value of another type.
    """

    def __init__(self, view: confuse.Subview) -> None:
        lines = map(str.strip, _text(view["whitelist"], "genres.txt").splitlines())
        self.whitelist = frozenset(spelling(line) for line in lines if line and not line.startswith("#"))
        self._upwards: dict[str, list[str]] = {}
        for branch in _branches(_yaml(view["canonical"], "genres-tree.yaml")):
            for place, name in enumerate(branch):
                self._upwards.setdefault(spelling(name), branch[place::-1])
        self._aliases = list(_aliases(view["aliases"]))
        self._title_case: bool = view["title_case"].get(bool)
        self._map = plan.load_map()

    def of(self, labels: Iterable[str]) -> list[str]:
        """Return the names of labels in their order, each once, without those that the whitelist leaves out."""
        named = (name for label in labels for known in self._known(label) for name in self._broader(known))
        allowed = (name for name in named if not self.whitelist or spelling(name) in self.whitelist)
        return list(dict.fromkeys(map(self._titled, allowed)))

    def _known(self, label: str) -> tuple[str, ...]:
        """Return the names of a label: its alias, or else what `genrescope tag` writes for it."""
        for pattern, name in self._aliases:
            if match := pattern.fullmatch(label.lower()):
                return (match.expand(name),)
        if label not in self._map:
            return (label,)
        return self._map[label] if self._title_case else tuple(map(str.lower, self._map[label]))

    def _broader(self, name: str) -> list[str]:
        """Return a name and those above it in the tree, upwards; without a whitelist the topmost only."""
        upwards = self._upwards.get(spelling(name))
        if upwards is None:
            return [name]
        upwards = [name, *upwards[1:]]
        return upwards if self.whitelist else upwards[-1:]

    def _titled(self, name: str) -> str:
        """Write a name in title case; one that has capitals, such as IDM, is left as it is."""
        return name.title() if self._title_case and name.islower() else name


def _text(view: confuse.Subview, built_in: str) -> str:
    """Return the text of the file that an option names; `yes` is lastgenre's own, `no` is an empty text."""
    value = view.get()
    if value is False:
        return ""
    path = _lastgenre() / built_in if value in (True, "", None) else Path(view.get(str)).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{view.name}: {path} cannot be read ({error}); give yes, no, or a text file") from error


def _lastgenre() -> Path:
    """Return the folder of beets' own plugin, whose code, which needs the network's library, is not loaded."""
    spec = find_spec("beetsplug.lastgenre")
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise UserError("genrescope: beets' lists of genres are not installed; give whitelist and canonical as files")
    return Path(places[0])


def _yaml(view: confuse.Subview, built_in: str) -> Any:
    try:
        return yaml.safe_load(_text(view, built_in))
    except yaml.YAMLError as error:
        raise UserError(f"{view.name}: the file is no YAML: {error}") from error


def _branches(node: Any, above: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Yield the paths of a tree of genres, from the broadest name to the most specific, in lower case."""
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _branches(below, (*above, str(name).lower()))
    elif isinstance(node, list):
        for each in node:
            yield from _branches(each, above)
    elif node is not None:
        yield [*above, str(node).lower()]
    elif above:
        yield list(above)


def _aliases(view: confuse.Subview) -> Iterator[tuple[re.Pattern[str], str]]:
    """Yield patterns and what is written for them: lastgenre's own table, the user's, or none."""
    table = view.get()
    if table is False:
        return
    if not isinstance(table, dict):
        table = _yaml(view, "aliases.yaml")
    checked = confuse.Configuration(view.name, read=False)
    checked.set(table)
    for name, patterns in checked.get(confuse.MappingValues(confuse.Sequence(str))).items():
        for pattern in patterns:
            try:
                yield re.compile(pattern, re.IGNORECASE), name
            except re.error as error:
                raise UserError(f"{view.name}: {pattern} is no regular expression: {error}") from error
