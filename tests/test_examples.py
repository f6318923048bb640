"""The image and the examples for Compose, Kubernetes and SLURM: their commands exist, and their form is right."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

from genrescope import cli
from genrescope.extras import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "compose.yaml"
MANIFESTS = sorted((ROOT / "examples" / "kubernetes").glob("*.yaml"))
SCRIPTS = sorted((ROOT / "examples" / "slurm").glob("*.sbatch"))


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def of_key(tree: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key, wherever it stands."""
    if isinstance(tree, dict):
        yield from (value for name, value in tree.items() if name == key)
        tree = list(tree.values())
    for each in tree if isinstance(tree, list) else []:
        yield from of_key(each, key)


def in_shell(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each genrescope that a shell script starts."""
    for found in re.findall(
        r"^[^#\n]*?\bgenrescope ((?:live|predict|prepare|serve|study|train|tune)\b[^|\n]*)", text, re.M
    ):
        words = shlex.split(re.sub(r"\$\(\(.*?\)\)|\$\{?\w+\}?", "1", found))
        yield [word for word in words if word != "||" and not word.startswith("code=")]


def starts() -> list[tuple[str, list[str]]]:
    """Return all command lines with the names of their files."""
    default = re.search(r"^CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert default
    found = [(DOCKERFILE.name, json.loads(default[1]))]
    found += [(COMPOSE.name, words) for words in of_key(documents(COMPOSE)[0]["services"], "command")]
    for path in MANIFESTS:
        for container in (each for all_ in of_key(documents(path), "containers") for each in all_):
            if "command" in container:
                found += [(path.name, words) for words in in_shell(container["args"][0])]
            elif "args" in container:
                found.append((path.name, container["args"]))
        found += [(path.name, words) for line in of_key(documents(path), "entrypoint") for words in in_shell(line)]
    return found + [(path.name, words) for path in SCRIPTS for words in in_shell(path.read_text(encoding="utf-8"))]


def parse(words: list[str]) -> None:
    """Parse a command line by the real program, which refuses what it does not know."""
    command: Any = typer.main.get_command(cli.app)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, list(words))


@pytest.mark.parametrize(
    ("file", "words"), starts(), ids=lambda value: value if isinstance(value, str) else " ".join(value[:2])
)
def test_what_they_start_is_a_command_with_options_that_exist(file: str, words: list[str]) -> None:
    parse(words)
    with pytest.raises(Exception, match="No such option"):
        parse([*words, "--no-such-option"])


def test_every_file_starts_something() -> None:
    assert {file for file, _ in starts()} == {path.name for path in (DOCKERFILE, COMPOSE, *MANIFESTS, *SCRIPTS)}


def test_the_image_installs_extras_that_exist_and_copies_what_is_sent_to_it() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    extras = re.search(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)
    assert extras
    assert {"serve", "train"} <= set(extras[1].split(",")) <= set(EXTRAS)
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for name in line.split()}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^USER \d+$", text, re.MULTILINE)


def test_ray_on_the_cluster_has_the_version_of_the_image() -> None:
    pinned = re.search(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert pinned
    assert [pinned[1]] == [version for path in MANIFESTS for version in of_key(documents(path), "rayVersion")]


def test_compose_accepts_its_file() -> None:
    if find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema, which has the schema of the compose specification, is not installed")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_accepts_its_files(path: Path) -> None:
    reason = "kubernetes-validate, which has the schemas of Kubernetes, is not installed"
    kubernetes_validate: Any = pytest.importorskip("kubernetes_validate", reason=reason)
    for document in documents(path):
        if "ray.io" not in document["apiVersion"]:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_shell_accepts_the_scripts(path: Path) -> None:
    checks = [["bash", "-n", str(path)], *([["shellcheck", str(path)]] if shutil.which("shellcheck") else [])]
    for check in checks:
        done = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
