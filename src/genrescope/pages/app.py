"""Pages with a program: modules, style and data in one file, under a policy that lets nothing else run or load."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import json
import re
from typing import TYPE_CHECKING, Any

from genrescope.files import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_IMPORT = re.compile(r'^import (?:\{[^}]*\} from )?"\./(\w+\.js)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^(?:export )?(?:const|let|class|function|async function) (\w+|\{[^}]*\})", re.MULTILINE)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · genrescope</title>
<style>{style}</style>
</head>
<body class="app">
{body}
<script type="application/json" id="songs">{data}</script>
<script type="module">{program}</script>
</body>
</html>
"""


def write_app(path: Path, *, entry: str, body: str, styles: Sequence[str], data: Any, **values: Any) -> Path:
    """Write a page with a program; nothing on it is loaded from elsewhere but audio, which the page plays.

    Args:
        path: where it goes.
        entry: the module that begins, a file of `genrescope/pages/web`.
        body: a template there; `values` are filled in, among them `title`.
        styles: files there that follow `style.css`.
        data: JSON-like; the page finds it in the element `songs`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    style = "\n".join([_read("style.css"), *map(_read, styles)])
    program = bundle(entry)
    page = _PAGE.format(
        policy=policy(program, style), title=environment.from_string("{{ title }}").render(**values), style=style,
        body=environment.from_string(_read(body)).render(**values), data=to_script(data), program=program,
    )  # fmt: skip
    write_text(path, page)
    return path


def policy(program: str, style: str) -> str:
    """Return a content security policy under which only this program runs, with this style."""
    return (
        f"default-src 'none'; script-src {_hash(program)}; style-src {_hash(style)}; media-src 'self' file: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def bundle(entry: str) -> str:
    """Return a module of `genrescope/pages/web` and all that it imports as one module, those first that others need.

    Raises:
        ValueError: two modules declare the same name outside their functions, so they cannot be joined.
    """
    modules: dict[str, str] = {}
    _collect(entry, modules)
    owners: dict[str, str] = {}
    for name, text in modules.items():
        for declared in _DECLARED.findall(text):
            if owners.setdefault(declared, name) != name:
                raise ValueError(f"{name} and {owners[declared]} both declare {declared}")
    return "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE) for text in modules.values())


def to_script(data: Any) -> str:
    r"""Return a value as JSON that may stand in a script element, whatever it holds.

    Example:
        >>> print(to_script(["</script>"]))
        ["\u003c/script>"]
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").encode("utf-8", "replace").decode()


def _collect(name: str, modules: dict[str, str]) -> None:
    """Add a module after those that it imports."""
    if name in modules:
        return
    text = _read(name)
    for needed in _IMPORT.findall(text):
        _collect(needed, modules)
    modules[name] = text


def _read(name: str) -> str:
    folder = importlib.resources.files("genrescope.pages")
    return (folder / "web" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
