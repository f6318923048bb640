"""Tables of tracks in every form that spreadsheets and other systems give them."""

from __future__ import annotations

import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import DataError
from genrescope.files import csv_line
from genrescope.sources.data import list_data, read_data
from genrescope.tables import read_table

if TYPE_CHECKING:
    from pathlib import Path

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


def written(folder: Path, text: str | bytes) -> str:
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_backslashes_are_separators_on_any_system(tmp_path: Path) -> None:
    (tmp_path / "rock").mkdir()
    (tmp_path / "rock" / "a.mp3").touch()
    [track] = read_data(written(tmp_path, "path,genre\nrock\\a.mp3,rock\n"))[1]
    assert (track.id, track.path) == ("rock/a.mp3", tmp_path / "rock" / "a.mp3")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_file_with_a_backslash_in_its_name_is_found(tmp_path: Path) -> None:
    (tmp_path / "a\\b.mp3").touch()
    assert read_data(written(tmp_path, "path,genre\na\\b.mp3,rock\n"))[1][0].path.is_file()


def test_a_name_with_its_accents_written_otherwise_is_found(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "caf\u00e9.mp3")).touch()
    assert read_data(written(tmp_path, "path,genre\ncaf\u00e9.mp3,rock\n"))[1][0].path.is_file()


def test_one_file_under_several_spellings_is_an_error_that_names_the_genres_and_lines(tmp_path: Path) -> None:
    text = "path,genre\nx/a.mp3,rock\n./x/a.mp3,jazz\nx/../x/a.mp3,pop\n"
    with pytest.raises(DataError, match=r"lines 2, 3, 4: one file under 3 genres \(rock, jazz, pop\)"):
        list_data(written(tmp_path, text))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other links")
def test_links_are_one_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    (tmp_path / "b.mp3").symlink_to("a.mp3")
    with pytest.raises(DataError, match=r"line 3: a.mp3 and b.mp3 stands there twice.*one file under 2 genres"):
        list_data(written(tmp_path, "path,genre\na.mp3,rock\nb.mp3,jazz\n"))


@pytest.mark.parametrize(
    "held",
    [
        "path, genre\ncaf\u00e9.mp3, rock\n".encode(),
        "path;genre\ncaf\u00e9.mp3;rock\n".encode("utf-8-sig"),
        "path\tgenre\r\ncaf\u00e9.mp3\trock\r\n".encode("utf-16"),
        "path;genre\r\ncaf\u00e9.mp3;rock\r\n".encode("utf-16-le"),
        "path,genre\r\ncaf\u00e9.mp3,rock\r\n".encode("utf-16-be"),
        "path;genre\r\ncaf\u00e9.mp3;rock\r\n;\r\n".encode("cp1252"),
        "sep=;\r\npath;genre\r\ncaf\u00e9.mp3;rock\r\n".encode("latin-1"),
        'genre , "path"\nrock , "caf\u00e9.mp3"\n'.encode(),
    ],
)  # fmt: skip
def test_a_table_is_read_as_spreadsheets_write_it(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "caf\u00e9.mp3").touch()
    found = list_data(written(tmp_path, held))
    assert [(track.id, track.genre) for track in found.tracks] == [("caf\u00e9.mp3", "rock")]
    assert found.tracks[0].path.is_file()
    assert bool(found.notes) == (b"\xe9.mp3" in held and b"\0" not in held)


@given(rows=st.lists(st.tuples(CELL, CELL), max_size=4))
def test_any_text_survives_and_no_cell_is_a_formula(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    lines = [csv_line(row) for row in [("path", "genre"), *rows]]
    assert not any(line.lstrip('"').startswith(("=", "+", "-", "@")) for line in lines)
    (tmp_path / "t.csv").write_bytes("".join(lines).encode())
    found = [(row["path"], row["genre"]) for row in read_table(tmp_path / "t.csv", required=("path", "genre"))]
    assert found == [row for row in rows if any(cell.strip() for cell in row)]
