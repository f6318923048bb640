"""The small version of `benchmarks/library_of_2000.py`: 66 files, predict is killed halfway and run again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from cli_support import world

from benchmarks.library_of_2000 import CODECS, check, killed_and_gone_on_with, make

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names that are bytes")


def test_every_good_file_stands_there_once_and_every_broken_one_is_named_after_a_kill(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    library = make(tmp_path / "library" / "music", 66, seconds=1.0)
    assert (len(library.good), len(library.bad)) == (64, 2)
    assert {path.rpartition(".")[2] for path in library.good} == set(CODECS)
    out = tmp_path / "genres.csv"
    killed_and_gone_on_with(library, out, str(world(tmp_path_factory).run))
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(AssertionError):
        check(library, out)
