"""Files are written whole or not at all, and what stops that is named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from genrescope import files
from genrescope.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_parent_without_rights_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = os.access  # the tests may run as root, whom nothing is denied
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK and seen(path, mode))

    def write() -> None:
        with files.writing(tmp_path / "no" / "such" / "out.csv"):
            raise PermissionError(13, "Permission denied")

    with pytest.raises(OutputError) as caught:
        write()
    assert f"out.csv: the folder {tmp_path} may not be written: Permission denied. " in str(caught.value)
