"""The recipes of docs/cookbook.md and the notebook: each block runs as it stands, on synthesised music."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutagen
import numpy as np
import pytest
from cli_support import GENRES, sound
from conftest import RATE, write

import genrescope

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = Path(__file__).parent.parent / "docs"
TITLES = (
    "Classify a folder into a table",
    "Find similar songs",
    "Split a mixtape by genre",
    "Train on your own tags",
    "A scikit-learn classifier on embeddings",
    "A notebook",
)
STYLES = dict(zip(("blues", "jazz", "metal"), GENRES, strict=True))
ARTISTS, ALBUM = 4, 2


def blocks() -> dict[str, str]:
    """Return the code of each recipe by its title; empty where it has none."""
    page = (DOCS / "cookbook.md").read_text(encoding="utf-8")
    parts = re.split(r"^## \d\. (.*)$", page, flags=re.MULTILINE)[1:]
    return {
        title: "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def cells() -> list[dict[str, Any]]:
    notebook: dict[str, Any] = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = notebook["cells"]
    return found


def write_tagged(folder: Path) -> Path:
    """Write songs in folders by genre, with tags: of each genre some artists with two songs."""
    for genre, style in STYLES.items():
        for number in range(ARTISTS * ALBUM):
            path = write(folder / genre / f"{genre}-{number}.flac", sound(style, number, seconds=4))
            tags: Any = mutagen.File(path)
            tags["genre"], tags["artist"] = genre.title(), f"{genre} band {number // ALBUM}"
            tags.save()
    return folder


def carried_out(code: str) -> dict[str, Any]:
    """Run code as a script, and return its names."""
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(code, "recipe", "exec"), names)
    return names


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with tagged music and a mixtape of the same styles."""
    folder = tmp_path_factory.mktemp("kitchen")
    write_tagged(folder / "music")
    write(folder / "mixtape.flac", np.concatenate([sound(style, 20, seconds=20) for style in STYLES.values()]))
    return folder


@pytest.fixture(scope="module")
def trained(kitchen: Path, one_thread: None) -> dict[str, Any]:
    """Carry out the recipe that trains a model, which the others take as the default one."""
    with contextlib.chdir(kitchen):
        return carried_out(blocks()[TITLES[3]])


@pytest.fixture
def cook(kitchen: Path, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Give a function that runs code in that folder, with the trained model as the default one."""
    load, own = genrescope.load, kitchen / trained["run"]
    monkeypatch.setattr(genrescope, "load", lambda model=own, **options: load(model, **options))
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(kitchen)
    return carried_out


def test_the_recipes_are_those_that_are_tested() -> None:
    assert tuple(blocks()) == TITLES
    assert [title for title, code in blocks().items() if not code] == ["A notebook"]


def test_a_folder_becomes_a_table(cook: Callable[[str], dict[str, Any]], kitchen: Path) -> None:
    broken = kitchen / "music" / "broken.mp3"
    broken.write_bytes(b"no sound")
    try:
        table = cook(blocks()[TITLES[0]])["table"]
    finally:
        broken.unlink()
    assert len(table) == len(STYLES) * ARTISTS * ALBUM + 1
    (bad,) = table[table.error.notna()].path
    assert bad.endswith("broken.mp3")
    good = table[table.error.isna()]
    assert (good.genre == good.path.map(lambda path: Path(path).parent.name)).mean() > 0.8
    assert len((kitchen / "genres.csv").read_text().splitlines()) == len(table) + 1


def test_the_most_similar_song_is_its_copy(
    cook: Callable[[str], dict[str, Any]], kitchen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = kitchen / "music" / "copy.flac"
    copy.write_bytes((kitchen / "music" / "jazz" / "jazz-3.flac").read_bytes())
    try:
        similarity = cook(blocks()[TITLES[1]])["similarity"]
    finally:
        copy.unlink()
    lines = dict(line.split(" -> ") for line in capsys.readouterr().out.splitlines())
    assert lines["jazz-3.flac"].startswith("copy.flac, ")
    assert similarity.max() == pytest.approx(1, abs=1e-5)
    assert lines["blues-0.flac"].count("blues-") == 3


def test_a_mixtape_is_split_where_its_genre_changes(
    cook: Callable[[str], dict[str, Any]], kitchen: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    cook(blocks()[TITLES[2]])
    parts = sorted(kitchen.glob("part-*.flac"))
    assert [path.stem for path in parts] == [f"part-{n:02d}-{genre}" for n, genre in enumerate(STYLES, start=1)]
    lengths = [soundfile.info(path).frames for path in parts]
    assert sum(lengths) == 60 * RATE
    assert all(abs(length / RATE - 20) < 3 for length in lengths)
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_tags_become_a_model(trained: dict[str, Any]) -> None:
    tracks, split = trained["store"].tracks, trained["split"]
    assert {track.genre for track in tracks} == set(STYLES)
    parts: dict[str, set[str]] = {}
    for track in tracks:
        parts.setdefault(track.group, set()).add(split.parts[track.id])
    assert len(parts) == len(STYLES) * ARTISTS
    assert all(len(found) == 1 for found in parts.values())
    assert trained["accuracy"].total == len(split.ids("test")) > 0
    assert trained["low"] < trained["accuracy"].value <= trained["high"]


def test_embeddings_go_into_scikit_learn(cook: Callable[[str], dict[str, Any]]) -> None:
    names = cook(blocks()[TITLES[4]])
    assert set(names["genres"]) == set(STYLES)
    assert len(set(names["artists"])) == len(STYLES) * ARTISTS
    assert (names["predicted"] == names["genres"]).mean() > 0.8
    assert names["model"].predict(names["embeddings"][:1]) == names["genres"][:1]


def test_the_notebook_runs(cook: Callable[[str], dict[str, Any]]) -> None:
    import matplotlib.pyplot as plt

    code = "\n".join("".join(cell["source"]) for cell in cells() if cell["cell_type"] == "code")
    names = cook(code)
    plt.close("all")
    assert len(names["table"]) == len(names["found"]) == len(STYLES) * ARTISTS * ALBUM
    assert names["places"].shape == (len(names["found"]), 2)
    assert names["counts"].sum() == len(names["found"])


def test_the_notebook_is_one_and_carries_no_output() -> None:
    notebook = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert len({cell["id"] for cell in cells()}) == len(cells()) > 6
    for cell in cells():
        expected = {"cell_type", "id", "metadata", "source"}
        if cell["cell_type"] == "code":
            expected |= {"execution_count", "outputs"}
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
        assert set(cell) == expected
