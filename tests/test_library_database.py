"""`library.db`: its schema, its version, and how other files are refused."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from cli_support import assert_refused, here, world
from library_support import query, scanned

from genrescope.errors import DataError
from genrescope.library import schema
from genrescope.library.database import Library, default_path

if TYPE_CHECKING:
    from cli_support import World

PAGE = Path(__file__).parent.parent / "docs" / "library.md"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    return scanned(tmp_path_factory, tmp_path / "a")


def test_the_page_describes_every_column(tmp_path: Path) -> None:
    with Library(tmp_path / "l.db", create=True) as library:
        tables = [row["name"] for row in library.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {name: [row["name"] for row in library.rows(f"PRAGMA table_info({name})")] for name in tables}
    text = PAGE.read_text(encoding="utf-8").partition("| table | column | holds |")[2].partition("\n\n")[0]
    described: dict[str, list[str]] = {}
    table = ""
    for line in text.splitlines()[2:]:
        first, second, _ = (cell.strip() for cell in line.strip("|").split("|", 2))
        table = first.strip("`") or table
        described.setdefault(table, []).extend(re.findall(r"`(\w+)`", second))
    assert described == columns


def test_a_library_has_its_version_and_is_written_ahead(tmp_path: Path) -> None:
    with Library(tmp_path / "deep" / "l.db", create=True):
        assert query(tmp_path / "deep" / "l.db", "PRAGMA user_version") == [(schema.VERSION,)]
        assert query(tmp_path / "deep" / "l.db", "PRAGMA journal_mode") == [("wal",)]


def test_a_newer_version_is_refused(folder: Path) -> None:
    with sqlite3.connect(folder / "library.db") as rows:
        rows.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    done = here("library", "list", "--library", folder / "library.db")
    assert_refused(done, f"library format {schema.VERSION + 1}", "use a newer genrescope")


def test_what_is_no_library_is_refused_and_left_alone(made: World, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Dear diary, " * 100)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as rows:
        rows.execute("CREATE TABLE mine (x)")
    rows.close()
    for path, word in ((text, "not a library"), (foreign, "not a library")):
        before = path.read_bytes()
        for arguments in (("library", "list"), ("library", "scan", made.music, "--model", made.run)):
            assert_refused(here(*arguments, "--library", path), word)
        assert path.read_bytes() == before


def test_a_library_that_is_not_there_is_said_with_what_makes_one(tmp_path: Path) -> None:
    done = here("library", "list", "--library", tmp_path / "no.db")
    assert_refused(done, "no library there", "genrescope library scan FOLDER")
    assert list(tmp_path.iterdir()) == []


def test_the_place_is_the_user_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GENRESCOPE_LIBRARY", str(tmp_path / "mine.db"))
    assert default_path() == tmp_path / "mine.db"
    monkeypatch.delenv("GENRESCOPE_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path().name == "library.db"


def test_what_is_stored_is_what_the_model_predicts(made: World, folder: Path) -> None:
    import genrescope

    classifier = genrescope.load(made.run, device="cpu")
    with Library(folder / "library.db") as library:
        model = library.model()
        entries = library.entries(model, windows=True)
        songs, vectors = library.embeddings(model)
    assert (model.fingerprint, model.labels) == (classifier.fingerprint, classifier.genres)
    assert len(entries) == 9
    for entry in entries[::4]:
        expected = classifier.predict(entry.song.path)
        assert entry.prediction is not None
        assert entry.prediction.to_dict() == expected.to_dict()
        stored = vectors[songs.index(entry.song.id)]
        np.testing.assert_allclose(stored, classifier.embed(entry.song.path), atol=1e-5)


def test_a_model_is_found_by_name_and_fingerprint_or_the_nearest_is_named(made: World, folder: Path) -> None:
    with Library(folder / "library.db") as library:
        model = library.model()
        assert library.model(str(made.run)) == library.model(model.fingerprint[:6]) == model
        with pytest.raises(DataError, match=r"gneres: no model of .*; one of: "):
            library.model("gneres")


def test_the_example_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {}
    exec(PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0], names)
    assert capsys.readouterr().out.splitlines()[0].startswith("The Drones Drone 0 ")
    nearest = names["nearest"]
    assert isinstance(nearest, list)
    assert nearest[0][1] == pytest.approx(1, abs=1e-5), "a song is nearest to itself"
