"""The package's order: what may import what, what is loaded when, and what every public thing carries.

Imports are read with `ast`, those under `if TYPE_CHECKING:` and those inside functions included: the order of layers
holds for all of them. Only the search for cycles leaves out `TYPE_CHECKING`, where two modules may name each other's
types.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import genrescope

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(genrescope.__file__).parent
PACKAGE = "genrescope"

LAYERS = (
    {"errors"},
    {"files", "progress"},
    {"records", "tables", "workers"},
    {"devices"},
    {"audio", "pages"},
    {"features", "synth"},
    {"models"},
    {"modelfile"},
    {"inference"},
    {"sources"},
    {"store"},
    {"splits"},
    {"check", "training"},
    {"results"},
    {"reports"},
    {"evaluation"},
    {"export", "integrations", "library", "research", "scale", "serve", "tags", "transfer"},
    {"cli"},
)
"""Each may import what stands above it."""

HEAVY = (
    "av", "jinja2", "lightning_fabric", "matplotlib", "mutagen", "numpy", "pydantic", "requests",
    "safetensors", "scipy", "sklearn", "soundfile", "soxr", "tensorboardX", "torch",
    "transformers",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """An import of one of genrescope's modules by another."""

    importer: str
    imported: str
    line: int
    typing_only: bool


@cache
def modules() -> dict[str, Path]:
    """Return every module's file by its dotted name without the package's, as `data.store`; `` is the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def unit(module: str) -> str:
    """Return what stands in a layer: a subpackage or a module."""
    return module.partition(".")[0]


def within(nodes: list[ast.stmt], *, typing_only: bool = False) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Yield every import under these statements, and whether it is for type checkers only."""
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, typing_only
        guard = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for name, field in ast.iter_fields(node):
            if isinstance(field, list):
                inner = [item for item in field if isinstance(item, ast.stmt)]
                inner += [s for item in field if isinstance(item, ast.ExceptHandler) for s in item.body]
                yield from within(inner, typing_only=typing_only or (guard and name == "body"))


def named(module: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the genrescope modules that an import statement names, without the package's own name."""
    if isinstance(node, ast.Import):
        full = [alias.name for alias in node.names]
    else:
        assert node.level == 0, f"{module}: a relative import at line {node.lineno}"
        full = [f"{node.module}.{alias.name}" for alias in node.names]
    ours = [name.removeprefix(PACKAGE).removeprefix(".") for name in full if name.split(".")[0] == PACKAGE]
    return [name if name in modules() else name.rpartition(".")[0] for name in ours]


@cache
def imports() -> tuple[Import, ...]:
    return tuple(
        Import(module, imported, node.lineno, typing_only)
        for module in modules()
        for node, typing_only in within(tree(module).body)
        for imported in named(module, node)
    )


def layer(module: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if unit(module) in names)


def in_subprocess(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def test_every_module_is_in_a_layer() -> None:
    known = {name for names in LAYERS for name in names}
    strangers = [module for module in modules() if module not in ("", "__main__", "recipes")]
    assert [module for module in strangers if unit(module) not in known] == []


def test_the_imports_are_read() -> None:
    """Guards the tests below: a reader that finds nothing would hold every order."""
    seen = {(each.importer, each.imported) for each in imports()}
    assert ("store.prepare", "store.journal") in seen
    assert ("cli.predict", "inference.many") in seen
    assert ("evaluation.evaluate", "modelfile") in seen
    assert any(each.typing_only for each in imports())
    assert len(seen) > 80


def test_imports_run_one_way() -> None:
    wrong = []
    for each in imports():
        if each.importer in ("", "__main__") or each.imported == "" or unit(each.importer) == unit(each.imported):
            continue
        if layer(each.imported) >= layer(each.importer):
            wrong.append(f"{each.importer}:{each.line} imports {each.imported}")
    assert wrong == []


def test_the_package_itself_is_imported_for_its_version_only() -> None:
    for module, path in modules().items():
        if any(each.imported == "" and each.importer == module for each in imports()):
            used = re.findall(r"\bgenrescope\.(\w+)", ast.unparse(tree(module)))
            modules_named = {name.partition(".")[0] for name in modules()}
            assert set(used) - modules_named <= {"__version__"}, path


def test_the_package_imports_its_parts_for_type_checkers_only() -> None:
    assert [each for each in imports() if each.importer == "" and not each.typing_only] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in modules()}
    for each in imports():
        if not each.typing_only and each.imported not in (each.importer, ""):
            graph[each.importer].add(each.imported)
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("module", ["genrescope", "genrescope.cli", "genrescope.errors", "genrescope.files"])
def test_nothing_heavy_is_loaded_before_it_is_used(module: str) -> None:
    loaded = json.loads(in_subprocess(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in HEAVY if name in loaded] == []


def test_the_help_loads_nothing_heavy() -> None:
    code = """
import json, sys
sys.argv = ["genrescope", "train", "--help"]
from genrescope.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""
    loaded = json.loads(in_subprocess(code).splitlines()[-1])
    # Typer itself takes pydantic where it is installed; genrescope's own use of it waits for a recipe.
    assert [name for name in HEAVY if name in loaded and name != "pydantic"] == []
    assert not any(name.startswith("genrescope.training") for name in loaded)


def test_every_public_name_resolves() -> None:
    for name in genrescope.__all__:
        assert getattr(genrescope, name).__module__.startswith("genrescope")
    assert sorted(genrescope.__all__) == genrescope.__all__
    assert set(genrescope.__all__) <= set(dir(genrescope))
    with pytest.raises(AttributeError, match="no attribute 'predict'"):
        _ = genrescope.predict


def public(nodes: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("module", modules())
def test_everything_public_has_a_docstring(module: str) -> None:
    source = tree(module)
    assert ast.get_docstring(source), f"{modules()[module]} has no docstring"
    without = [
        name
        for name, node in public(source.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not ast.get_docstring(node)
    ]
    assert without == []


def test_no_path_of_one_machine_is_in_the_package() -> None:
    texts = [path for path in ROOT.rglob("*") if path.suffix in {".py", ".toml", ".html", ".txt"}]
    assert len(texts) > 40
    pattern = re.compile(r"\.\./shared|(?<![\w.])/(?:work|home|root|Users|tmp|mnt)/|[A-Z]:\\\\")
    assert {str(path): found for path in texts if (found := pattern.findall(path.read_text(encoding="utf-8")))} == {}
