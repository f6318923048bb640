"""The unit for systemd, as far as it can be checked without installing it."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "docs" / "genrescope.service"


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


def test_what_it_starts_is_a_command_with_options_that_exist() -> None:
    unit = re.search(r"^ExecStart=\S+ serve (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert unit is not None
    assert options_of(unit[1].split())
    assert options_of(unit[1].split()) <= known_options()


def test_the_help_names_the_variable_of_the_token() -> None:
    assert "GENRESCOPE_TOKEN" in here("serve", "--help").out
