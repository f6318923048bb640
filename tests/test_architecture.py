"""The package's order: what may import what, what is loaded when, and what every public thing carries.

Imports are read with `ast`, those under `if TYPE_CHECKING:` and those inside functions included: the order of layers
holds for all of them, and no modules name each other in a circle, not even each other's types.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import GENRES, world

import genrescope

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(genrescope.__file__).parent
PACKAGE = "genrescope"

LAYERS = (
    {"errors"},
    {"extras", "files", "linked", "memory", "progress"},
    {"locks", "members", "playlists", "records", "tables", "worker"},
    {"devices", "threads", "workers"},
    {"shared_work"},
    {"audio", "pages"},
    {"features", "synth", "tags"},
    {"models"},
    {"modelfile"},
    {"inference"},
    {"live"},
    {"library"},
    {"sources"},
    {"store"},
    {"splits"},
    {"check", "training"},
    {"results"},
    {"reports"},
    {"evaluation"},
    {"research", "scale"},
    {"export", "serve"},
    {"cli"},
)
"""Each may import what stands above it."""

MODULES_FOR_A_PREDICTION = 61
"""Modules of genrescope in a process that only classifies a song; a further one is looked at before it is let in."""

HEAVY = (
    "av", "fastapi", "filelock", "jinja2", "lightning_fabric", "matplotlib", "mutagen", "numpy", "onnx", "onnxruntime",
    "pandas", "pyarrow", "pydantic", "requests",
    "safetensors", "scipy", "sklearn", "soundfile", "soxr", "tensorboardX", "torch",
    "transformers", "uvicorn",
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


def in_subprocess(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, timeout=180
    )
    return done.stdout


def test_every_module_is_in_a_layer() -> None:
    known = {name for names in LAYERS for name in names}
    strangers = [module for module in modules() if module not in ("", "__main__", "recipes")]
    assert [module for module in strangers if unit(module) not in known] == []
    assert known == {unit(module) for module in strangers}


def test_the_imports_are_read() -> None:
    """Guards the tests below: a reader that finds nothing would hold every order."""
    seen = {(each.importer, each.imported) for each in imports()}
    assert ("store.prepare", "store.journal") in seen
    assert ("cli.loading", "inference.classifier") in seen
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
        if each.imported not in (each.importer, "") and each.importer:
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


NOT_FOR_PREDICTION = (
    "check", "cli", "evaluation", "export", "library", "reports", "research", "results", "serve", "sources", "splits",
    "store", "synth", "tags", "training",
)  # fmt: skip

PREDICTION = """
import json, sys
import genrescope
found = genrescope.load(sys.argv[1], device="cpu").predict(sys.argv[2])
own = sorted(name for name in sys.modules if name.partition(".")[0] == "genrescope")

import torch
from genrescope.models import registry
with torch.device("meta"):  # as a model file is loaded
    networks = [registry.create(name, 2) for name in ("mgcc", "pooled-svm", "vgg-16")]
print(json.dumps([found.genre, own, "torch._dynamo" in sys.modules]))
"""


def test_a_prediction_loads_what_it_needs_and_no_more(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = world(tmp_path_factory)
    genre, loaded, compiler = json.loads(in_subprocess(PREDICTION, str(made.run), str(made.songs()[0])))
    assert genre in GENRES
    assert not compiler  # PyTorch's, which takes longer than all else that a prediction loads
    own = [name.partition(".")[2] for name in loaded]
    assert {"inference.classifier", "modelfile.file", "audio.decoding"} <= set(own)  # the reader works
    assert [name for name in own if unit(name) in NOT_FOR_PREDICTION] == []
    assert len(own) <= MODULES_FOR_A_PREDICTION, own


CLIENT = """
from pathlib import Path

import genrescope
from genrescope import Classifier, Failure, ModelInfo, Prediction

classifier: Classifier = genrescope.load(Path("run"), device="cpu")
with Path("song.mp3").open("rb") as file:
    found: Prediction = classifier.predict(file)
best: tuple[str, float] = found.top(1)[0]
width: int = classifier.embed(b"bytes").shape[0]
info: ModelInfo = classifier.info
for each in classifier.predict_many([Path("song.mp3"), "song.mp3", b"bytes"]):
    print(each.name, each.reason if isinstance(each, Failure) else each.genre, width, best, info.licence)
"""


MYPY = """
[mypy]
strict = True
follow_imports = silent
[mypy-torch.*,pydantic.*,transformers.*,safetensors.*,sklearn.*,scipy.*,av.*,soxr.*,soundfile.*]
follow_imports = skip
ignore_missing_imports = True
"""
"""What the client does not see is left out: torch alone takes a minute to read."""


def test_a_client_program_is_typed(tmp_path: Path) -> None:
    """What `py.typed` promises: a strict type checker knows the public names."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "wrong.py").write_text(CLIENT.replace("best: tuple[str, ", "best: tuple[int, "))
    (tmp_path / "mypy.ini").write_text(MYPY)
    environment = {**os.environ, "MYPYPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "client.py", "wrong.py"],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert done.stderr == ""
    assert re.findall(r"^(\w+)\.py:\d+: error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE) == [
        ("wrong", "assignment")
    ], done.stdout


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
