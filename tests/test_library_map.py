"""The map of a library: where songs stand, what the page holds, and that nothing but its own program may run there."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_support import assert_refused, here
from map_support import GENRES, made_up_library, scores_of, vectors, write_library

from genrescope.errors import DataError
from genrescope.library import layout, map_songs
from genrescope.library.database import Library
from genrescope.library.map_page import page_data, write_map
from genrescope.library.map_songs import make_map, tag_differs
from genrescope.library.neighbours import neighbours
from genrescope.library.similar import Space
from genrescope.pages import app
from genrescope.pages.colours import colours
from genrescope.pages.drawing import DARK, LIGHT, luminance
from genrescope.progress import Progress

PACKED = Path(app.__file__).parent / "web" / "packed.js"
COLOUR_BLIND = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
}
"""Severity 1 of Machado, Oliveira and Fernandes (2009), on linear RGB."""
TEN = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    return made_up_library(folder / "library.db", folder / "music", 300)


@pytest.fixture(scope="module")
def page(library: Path) -> str:
    done = here("map", "--library", library, "--out", library.parent / "map.html")
    assert done.code == 0, done.err
    assert done.messages == [f"300 songs in {library.parent}/map.html (0.1 MB); open it in a browser"]
    assert done.next == ["correct", "SONG", "GENRE", "--library", str(library)]
    return (library.parent / "map.html").read_text(encoding="utf-8")


def held(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="songs">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def column(data: dict[str, Any], name: str) -> Any:
    kind, packed = data["columns"][name].split(":")
    return np.frombuffer(base64.b64decode(packed), f"<{kind}")


def kept(high: Any, low: Any, count: int = 10) -> float:
    """Return the share of each song's nearest neighbours that are its nearest on the map, too."""
    near = [
        np.argsort(((each[:, None] - each[None]) ** 2).sum(axis=-1), axis=1)[:, 1 : count + 1] for each in (high, low)
    ]
    return float(np.mean([len(set(one) & set(other)) / count for one, other in zip(*near, strict=True)]))


def arranged(songs: int, seed: int = 0) -> tuple[Any, Any, Any]:
    genre, embeddings = vectors(songs, seed=seed)
    space = Space(range(songs), embeddings)
    return genre, space.vectors, layout.arrange(space.vectors, *neighbours(space.vectors, layout.NEIGHBOURS))


def test_neighbours_are_those_of_every_pair_compared() -> None:
    _, embeddings = vectors(57)
    space = Space(range(57), embeddings)
    steps: list[Progress[None]] = []
    found, similarity = neighbours(space.vectors, 5, on_step=steps.append)
    places, values = space.nearest(space.vectors, 6)
    assert np.array_equal(found, places[:, 1:])
    assert np.allclose(similarity, values[:, 1:], atol=1e-6)
    assert steps[-1] == Progress(57, 57)
    assert neighbours(space.vectors[:3], 10)[0].shape == (3, 2)


def test_songs_that_sound_alike_lie_near_each_other() -> None:
    genre, high, low = arranged(240)
    assert kept(high, low) > 0.45 > 2 * kept(high, np.random.default_rng(0).random((240, 2)))
    apart = ((low[:, None] - low[None]) ** 2).sum(axis=-1) + 9 * np.eye(240)
    assert (genre[apart.argmin(axis=1)] == genre).mean() > 0.9


def test_a_map_is_the_same_each_time_and_fills_the_square() -> None:
    _, _, low = arranged(60)
    assert np.array_equal(low, arranged(60)[2])
    assert low.dtype == np.float32
    assert low.min() >= 0
    assert low.max() <= 1
    assert np.ptp(low, axis=0).max() == pytest.approx(1)


@pytest.mark.parametrize("songs", [1, 2, 3, 29, 30])
def test_few_songs_have_a_place(songs: int) -> None:
    assert np.isfinite(arranged(songs)[2]).all()
    same = np.ones((songs, 8), np.float32) / 8**0.5
    assert np.isfinite(layout.arrange(same, *neighbours(same, layout.NEIGHBOURS))).all()


@pytest.mark.parametrize(("extent", "error"), [(1e-3, 0.001), (1.0, 0.02), (8.0, 0.2)])
def test_the_repulsion_on_a_grid_is_nearly_that_of_all_pairs(extent: float, error: float) -> None:
    places = torch.from_numpy(np.random.default_rng(0).normal(size=(700, 2)).astype(np.float32) * extent)
    apart = places[:, None] - places[None]
    near = 1 / (1 + apart.square().sum(dim=2))
    force = (apart * near.square()[:, :, None]).sum(dim=1)
    found, total = layout._repulsion(places)
    assert float(total) == pytest.approx(float(near.sum() - len(places)), rel=0.01)
    assert float((found - force).norm() / force.norm()) < error


def test_a_song_does_not_push_itself() -> None:
    found, _ = layout._repulsion(torch.tensor([[0.0, 0.0], [1000.0, 700.0]]))
    assert float(found.abs().max()) < 1e-3


def test_the_page_holds_every_song(page: str, library: Path) -> None:
    data = held(page)
    with Library(library) as opened:
        entries = opened.entries(opened.model())
    assert data["songs"] == len(entries) == 300
    assert data["titles"] == [each.song.title for each in entries]
    names = [data["genres"][place]["name"] for place in column(data, "genre")]
    assert names == [each.prediction.genre for each in entries if each.prediction]
    confidence = [each.prediction.confidence for each in entries if each.prediction]
    assert np.allclose(column(data, "confidence") / 10_000, confidence, atol=1e-4)
    scored = column(data, "scored").reshape(-1, 3)
    assert (np.diff(scored.astype(int), axis=1) <= 0).all()
    folders = [data["folders"][place]["shown"] for place in column(data, "folder")]
    paths = [folder + file for folder, file in zip(folders, data["files"], strict=True)]
    assert paths == [str(each.song.path) for each in entries]
    assert (column(data, "seconds") == 180).all()


def test_the_neighbours_on_the_page_are_the_nearest(page: str, library: Path) -> None:
    data = held(page)
    with Library(library) as opened:
        entries = opened.entries(opened.model())
        space = Space.of(opened, opened.model())
    near = column(data, "near").reshape(300, map_songs.NEAR)
    place = {int(song): number for number, song in enumerate(space.songs)}
    order = [place[each.song.id] for each in entries]
    found, _ = space.nearest(space.vectors[order[7]][None], 4)
    assert [order[each] for each in near[7][:3]] == [each for each in found[0].tolist() if each != order[7]][:3]


def test_copies_are_found_by_their_sound_and_by_their_embedding(tmp_path: Path) -> None:
    genre, embeddings = vectors(40)
    embeddings[5] = embeddings[4] * 1.0001
    sounds = [f"{song - 1 if song == 11 else song:032x}" for song in range(40)]
    write_library(tmp_path / "l.db", tmp_path, embeddings, scores_of(genre), GENRES, sounds=sounds)
    with Library(tmp_path / "l.db") as opened:
        found = make_map(opened, opened.model())
    ids = [each.song.id - 1 for each in found.entries]
    copies = {song: int(group) for song, group in zip(ids, found.copies, strict=True) if group}
    assert set(copies) == {4, 5, 10, 11}
    assert copies[4] == copies[5] != copies[10] == copies[11]


def test_a_tag_differs_only_where_it_names_another_genre_of_the_model(tmp_path: Path) -> None:
    genre = np.full(6, GENRES.index("hiphop"))
    tags = [[], ["Hip-Hop"], ["Rap"], ["Rock"], ["Schlager"], ["Rock/Hip Hop"]]
    write_library(tmp_path / "l.db", tmp_path, vectors(6)[1], scores_of(genre), GENRES, tags=tags)
    with Library(tmp_path / "l.db") as opened:
        model = opened.model()
        found = {each.song.id: tag_differs(each, model) for each in opened.entries(model)}
    assert found == {1: False, 2: False, 3: False, 4: True, 5: False, 6: False}


def test_flags_are_those_that_the_program_reads(page: str) -> None:
    text = PACKED.read_text(encoding="utf-8")
    names = re.findall(r"(\w+) = (\d+)", next(line for line in text.splitlines() if "export const UNKNOWN" in line))
    from genrescope.library.map_page import FLAGS

    assert [int(bit) for _, bit in names] == list(FLAGS.values())
    flags = column(held(page), "flags")
    assert 0 < (flags & FLAGS["duplicate"] > 0).sum() < 40
    assert (flags & FLAGS["tag differs"] > 0).sum() == 30


def test_a_corrected_song_has_its_new_genre_and_is_not_doubtful(tmp_path: Path) -> None:
    genre, embeddings = vectors(12)
    scores = np.full((12, len(GENRES)), 0.3)
    scores[np.arange(12), genre] = 0.31
    write_library(tmp_path / "l.db", tmp_path / "music", embeddings, scores, GENRES)
    song = tmp_path / "music" / "Velvet Harbour" / "00003.mp3"
    assert here("correct", song, "polka", "--library", tmp_path / "l.db").code == 0
    with Library(tmp_path / "l.db") as opened:
        data = page_data(make_map(opened, opened.model()), tmp_path)
    place = data["files"].index("00003.mp3")
    assert data["genres"][column(data, "genre")[place]]["name"] == "polka"
    assert set(data["reasons"]) == set(range(12)) - {place}


class Parsed(html.parser.HTMLParser):
    """Gathers what the page names that a browser would load, and its inline scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: dict[str, list[str]] = {"script": [], "style": []}
        self.policy = ""
        self._inside: tuple[str, str] | None = None
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        self.addresses += [str(held[name]) for name in ("src", "href", "action", "data", "srcset") if name in held]
        self.handlers += [name for name in held if name.startswith("on") or name == "style"]
        if held.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(held["content"])
        self._inside = (tag, str(held.get("type", ""))) if tag in self.inline else None

    def handle_endtag(self, tag: str) -> None:
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside is not None and self._inside[1] != "application/json":
            self.inline[self._inside[0]].append(data)


def test_only_its_own_program_and_style_may_run(page: str) -> None:
    parsed = Parsed()
    parsed.feed(page)
    for kind, texts in parsed.inline.items():
        whole = "".join(texts)
        digest = base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in parsed.policy
    assert "default-src 'none'" in parsed.policy
    assert "unsafe" not in parsed.policy
    assert parsed.addresses == parsed.handlers == []


def test_nothing_on_the_page_leads_elsewhere(page: str) -> None:
    parsed = Parsed()
    parsed.feed(page)
    text = "".join(itertools.chain(*parsed.inline.values()))
    assert (
        re.findall(r"https?://|//\w+\.\w+/|@import|url\(|fetch\(|XMLHttpRequest|eval\(|innerHTML|WebSocket", text) == []
    )


def test_names_cannot_end_the_script(tmp_path: Path) -> None:
    odd = "</script><script>alert(1)</script>.mp3"
    genre, embeddings = vectors(5)
    write_library(
        tmp_path / "l.db", tmp_path, embeddings, scores_of(genre), GENRES, files=["a\udce9 b.mp3", "<b>&amp;.mp3"],
        tags=[[odd]] * 5,
    )  # fmt: skip
    with Library(tmp_path / "l.db") as opened:
        write_map(make_map(opened, opened.model()), tmp_path / "map.html")
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert page.count("</script>") == 2
    data = held(page)
    assert data["tags"] == [odd]
    assert "<b>&amp;.mp3" in data["files"]
    assert list(data["odd"].values()) == ["a%E9%20b.mp3"]


def test_a_folder_is_found_from_the_page_and_from_the_root(tmp_path: Path) -> None:
    genre, embeddings = vectors(4)
    write_library(tmp_path / "l.db", tmp_path / "my music #1", embeddings, scores_of(genre), GENRES)
    with Library(tmp_path / "l.db") as opened:
        [folder] = page_data(make_map(opened, opened.model()), tmp_path / "pages")["folders"]
    assert folder["relative"] == "../my%20music%20%231/Velvet%20Harbour/"
    assert folder["address"] == (tmp_path / "my music #1" / "Velvet Harbour").as_uri() + "/"


def test_modules_that_declare_one_name_are_not_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "a.js": 'import { b } from "./b.js";\nexport const a = b;\n',
        "b.js": "const a = 1;\nexport const b = a;\n",
    }
    monkeypatch.setattr(app, "_read", texts.__getitem__)
    with pytest.raises(ValueError, match=r"a\.js and b\.js both declare a"):
        app.bundle("a.js")
    texts["b.js"] = "export const b = 1;\n"
    assert app.bundle("a.js") == "const b = 1;\n\nconst a = b;\n"


def test_every_module_is_on_the_page(page: str) -> None:
    needed = ["library_map.js"]
    for name in needed:
        found = re.findall(r'import .*"\./(\w+\.js)"', (PACKED.parent / name).read_text(encoding="utf-8"))
        needed += [each for each in found if each not in needed]
    assert len(needed) > 8
    for module in (PACKED.parent / name for name in needed):
        first = module.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("// "), module
        assert first in page, module


def test_only_songs_below_a_folder_are_shown(library: Path, tmp_path: Path) -> None:
    below = library.parent / "music" / "Velvet Harbour"
    done = here("map", "--library", library, "--under", below, "--out", tmp_path / "part.html")
    assert done.code == 0, done.err
    data = held((tmp_path / "part.html").read_text(encoding="utf-8"))
    assert data["songs"] == 20
    assert [each["shown"] for each in data["folders"]] == [f"{below}/"]


def test_what_has_no_map_is_refused(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_library(tmp_path / "none.db", tmp_path, np.empty((3, 0), np.float32), scores_of(np.arange(3)), GENRES)
    out = ("--out", tmp_path / "map.html")
    assert_refused(here("map", "--library", tmp_path / "none.db", *out), "gives no embeddings", "library scan")
    assert_refused(here("map", "--library", tmp_path / "gone.db", *out), "no library there", "library scan")
    assert_refused(here("map", "--library", library, "--out", tmp_path / "map.txt"), ".html")
    assert_refused(here("map", "--library", library, "--under", tmp_path, *out), "no song with an embedding below")
    monkeypatch.setattr(map_songs, "MOST", 299)
    assert_refused(here("map", "--library", library, *out), "300 songs are too many", "299", "--under")
    assert not (tmp_path / "map.html").exists()


def test_quiet_says_nothing(library: Path, tmp_path: Path) -> None:
    done = here("map", "--library", library, "--out", tmp_path / "map.html", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def linear(colour: str) -> Any:
    parts = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(rgb: Any) -> Any:
    """Return lightness and two colour axes of linear RGB (Ottosson 2020)."""
    cones = [
        [0.41222147, 0.53633254, 0.05144599],
        [0.2119035, 0.6806995, 0.1073970],
        [0.08830246, 0.28171884, 0.6299787],
    ]
    axes = [
        [0.21045426, 0.79361779, -0.00407205],
        [1.9779985, -2.4285922, 0.4505937],
        [0.0259040, 0.7827718, -0.8086758],
    ]
    return np.array(axes) @ np.cbrt(np.clip(np.array(cones) @ rgb, 0, None))


@pytest.mark.parametrize("sight", COLOUR_BLIND)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_colours_of_ten_genres_lie_apart(theme: str, sight: str) -> None:
    tints = colours(TEN)
    seen = [oklab(np.array(COLOUR_BLIND[sight]) @ linear(getattr(tints[name], theme))) for name in TEN]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > 0.075


def test_every_colour_stands_out_from_the_page() -> None:
    for tint in colours([*TEN, *(f"genre {number}" for number in range(40))]).values():
        for colour, paper in ((tint.light, LIGHT.paper), (tint.dark, DARK.paper)):
            high, low = sorted((luminance(colour), luminance(paper)), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 3, colour


def test_a_genre_has_one_colour_in_any_company() -> None:
    alone = colours(["rock"])["rock"]
    assert colours(["Rock", "rock", "jazz", "polka"])["rock"] == alone
    assert len(set(colours([f"own {number}" for number in range(21)]).values())) == 21


def test_too_many_songs_are_said_before_any_are_compared(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_songs, "MOST", 10)
    with Library(library) as opened, pytest.raises(DataError, match="too many for one page"):
        make_map(opened, opened.model(), on_step=lambda *_: pytest.fail("work has begun"))
