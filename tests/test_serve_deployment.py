"""The unit for systemd and the Dockerfile: as far as they can be checked without installing them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from cli_support import here

from genrescope import cli
from genrescope.extras import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "docs" / "genrescope.service"
DOCKERFILE = ROOT / "Dockerfile"


def options_of(words: Iterable[str]) -> set[str]:
    return {word for word in words if word.startswith("--")}


def known_options() -> set[str]:
    command = typer.main.get_command(cli.app).commands["serve"]  # type: ignore[attr-defined]
    return {name for parameter in command.params for name in parameter.opts}


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    text = UNIT.read_text(encoding="utf-8")
    installed = re.sub(r"^(ExecStart=)\S+", rf"\1{shutil.which('true')}", text, flags=re.MULTILINE)
    assert installed != text
    copy = tmp_path / UNIT.name
    copy.write_text(installed, encoding="utf-8")
    done = subprocess.run([program, "verify", copy], capture_output=True, text=True, check=False, timeout=60)
    assert [line for line in done.stderr.splitlines() if UNIT.name in line] == []


def test_what_they_start_is_a_command_with_options_that_exist() -> None:
    unit = re.search(r"^ExecStart=\S+ serve (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    image = re.search(r'^ENTRYPOINT \["genrescope", "serve", (.*)\]$', DOCKERFILE.read_text(encoding="utf-8"), re.M)
    assert unit is not None
    assert image is not None
    for words in (unit[1].split(), re.findall(r'"([^"]*)"', image[1])):
        assert options_of(words)
        assert options_of(words) <= known_options()


def test_the_image_installs_an_extra_that_exists_and_copies_what_is_sent_to_it() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert set(re.findall(r'"\.\[(\w+)\]"', text)) == {"serve"} <= set(EXTRAS)
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"}
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for name in line.split()}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)
    assert re.search(r"^USER \d+$", text, re.MULTILINE)


def test_the_help_names_the_variable_of_the_token() -> None:
    assert "GENRESCOPE_TOKEN" in here("serve", "--help").out
