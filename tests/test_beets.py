"""The plugin of beets: the real beets, as a process, on a library folder of synthesised music."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

pytest.importorskip("beets", minversion="2.14", reason="beets is an extra")

import confuse
import mutagen
import yaml
from beets.exceptions import UserError
from cli_support import PATIENCE, Done, environment, here, sound, world
from conftest import write

import genrescope as library
from beetsplug.genrescope import DEFAULTS, GenrescopePlugin
from beetsplug.genrescope.names import Names
from beetsplug.genrescope.verdicts import Verdict
from genrescope import Failure, modelfile
from genrescope.tags import plan
from genrescope.tags.plan import Scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli_support import World

SONGS = {  # title: album, genre of the sound, genres of its tag, ending
    "hiss": ("Noises", "hiss", (), ".flac"),
    "drone": ("Noises", "drone", (), ".mp3"),
    "mine": ("Noises", "pulse", ("My Own", "Second"), ".flac"),
    "first guest": ("Mixture", "drone", (), ".flac"),
    "second guest": ("Mixture", "hiss", (), ".ogg"),
}
SHOWN = "$title|$genres|$genrescope_genre|$genrescope_confidence|$genrescope_model"


@dataclass(frozen=True)
class Shelf:
    """A library of beets in a folder of its own."""

    folder: Path
    model: Path

    def beet(self, *arguments: object, options: Mapping[str, Any] | None = None) -> Done:
        """Run beets as a user does, with these options of the plugin."""
        settings = {
            "directory": str(self.folder / "music"), "library": str(self.folder / "library.db"),
            "plugins": "genrescope", "import": {"autotag": False, "quiet": True}, "ui": {"color": False},
            "genrescope": {"model": str(self.model)} | dict(options or {}),
        }  # fmt: skip
        (self.folder / "config.yaml").write_text(yaml.safe_dump(settings))
        command = [sys.executable, "-m", "beets", "-c", self.folder / "config.yaml", *arguments]
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE, check=False,
            stdin=subprocess.DEVNULL, env=environment({"BEETSDIR": str(self.folder)}),
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def songs(self, shown: str = SHOWN) -> dict[str, list[str]]:
        """Return what beets lists of each song, by its title."""
        lines = self.beet("ls", "-f", shown).out.splitlines()
        return {title: rest for title, *rest in (line.split("|") for line in lines)}

    def file(self, title: str) -> Path:
        (found,) = (self.folder / "music").rglob(f"*{title}.*")
        return found

    def written(self, title: str) -> list[str]:
        """Return the genres in a file's tag."""
        tags = mutagen.File(self.file(title)).tags
        return list(tags["TCON"].genres if "TCON" in tags else tags.get("genre", []))


def write_songs(folder: Path) -> Path:
    for number, (title, (album, genre, genres, ending)) in enumerate(SONGS.items()):
        path = write(folder / album / f"{title}{ending}", sound(genre, 50 + number))
        file: Any = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        artist = "Various Artists" if album == "Mixture" else "Band"
        tags = {"title": title, "album": album, "albumartist": artist, "artist": f"{artist} {title}"}
        tags |= {"tracknumber": str(number + 1), "compilation": "1" if album == "Mixture" else "0"}
        for name, value in tags.items():
            file[name] = value
        if genres:
            file["genre"] = list(genres)
        file.save()
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def imported(made: World, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Give a library into which the songs have been imported; nothing in it may be changed."""
    shelf = Shelf(tmp_path_factory.mktemp("beets"), made.run)
    done = shelf.beet("import", write_songs(shelf.folder / "downloads"))
    assert done.code == 0, done.err
    return shelf


@pytest.fixture
def shelf(imported: Shelf, tmp_path: Path) -> Shelf:
    """Give a copy of that library; beets keeps its paths relative to the folder of music."""
    shutil.copytree(imported.folder / "music", tmp_path / "music")
    shutil.copyfile(imported.folder / "library.db", tmp_path / "library.db")
    return Shelf(tmp_path, imported.model)


@pytest.fixture(scope="module")
def expected(imported: Shelf) -> dict[str, dict[str, float]]:
    """Give the scores of each song as genrescope itself gives them."""
    classifier = library.load(imported.model)
    return {title: classifier.predict(imported.file(title)).scores for title in SONGS}


def with_thresholds(run: Path, path: Path, thresholds: dict[str, float]) -> Path:
    """Write a run's model with thresholds, as labels have them that do not exclude each other."""
    model = modelfile.load(run)
    modelfile.save(path, model.network, model.header.model_copy(update={"thresholds": thresholds}))
    return path


def top(scores: Mapping[str, float]) -> str:
    return max(scores, key=lambda label: scores[label])


def test_an_import_classifies_what_has_no_genre(imported: Shelf, expected: dict[str, dict[str, float]]) -> None:
    found = imported.songs()
    assert set(found) == set(SONGS)
    fingerprint = library.load(imported.model).fingerprint
    for title in set(SONGS) - {"mine"}:
        genre = top(expected[title])
        assert found[title] == [genre.title(), genre, f"{expected[title][genre]:.3f}", fingerprint]
    assert found["mine"][0] == "My Own; Second"
    assert found["mine"][1] == "$genrescope_genre"  # it was not classified


def test_songs_and_albums_are_found_by_confidence(imported: Shelf, expected: dict[str, dict[str, float]]) -> None:
    confidence = {title: max(scores.values()) for title, scores in expected.items() if title != "mine"}
    limit = sorted(confidence.values())[1] + 1e-4
    found = imported.beet("ls", "-f", "$title", f"genrescope_confidence:..{limit}").out.splitlines()
    assert set(found) == {title for title, score in confidence.items() if score <= limit}
    assert 0 < len(found) < len(confidence)
    both = imported.beet("ls", "-a", "-f", "$album", "genrescope_album_confidence:0..1").out.splitlines()
    assert sorted(both) == ["Mixture", "Noises"]


def test_a_second_run_has_nothing_to_do_and_loads_no_model(shelf: Shelf) -> None:
    done = shelf.beet("-v", "genrescope")
    assert done.code == 0
    assert "all songs that match have genres" in done.err
    assert "keep any, no-force" in done.err
    assert "loading the model" not in done.err


def test_pretend_shows_the_changes_and_why_and_changes_nothing(
    shelf: Shelf, expected: dict[str, dict[str, float]]
) -> None:
    before = {path: path.read_bytes() for path in (shelf.folder / "music").rglob("*.*")}
    held = shelf.songs()
    done = shelf.beet("-v", "genrescope", "--pretend", "--force", "--source", "album")
    assert done.code == 0
    assert {path: path.read_bytes() for path in before} == before
    assert shelf.songs() == held
    own = [expected[title] for title in ("hiss", "drone", "mine")]
    mean = {label: sum(scores[label] for scores in own) / 3 for label in own[0]}
    assert f"album scores: {top(mean)} {max(mean.values()):.2f}, " in done.err
    assert f"Resolved (album, any): ['{top(mean).title()}']" in done.err
    for title in ("first guest", "second guest"):  # each song of a compilation keeps its own
        assert f"Resolved (track, any): ['{top(expected[title]).title()}']" in done.err
    assert "  - My Own" in done.out
    assert f"  + {top(mean).title()}" in done.out


def test_forced_genres_may_follow_those_that_stand_there(shelf: Shelf, expected: dict[str, dict[str, float]]) -> None:
    ranked = sorted(expected["mine"], key=lambda label: -expected["mine"][label])[:2]
    query = ("-A", "--force", "--count", 2, "--min-confidence", 0)
    done = shelf.beet("genrescope", *query, "--keep-existing", "title:mine")
    assert done.code == 0, done.err
    assert shelf.written("mine") == ["My Own", "Second", *map(str.title, ranked)]
    assert shelf.songs()["mine"][0] == "; ".join(shelf.written("mine"))
    assert shelf.songs()["mine"][1] == ranked[0]


def test_windows_and_jobs_are_those_of_predict(shelf: Shelf) -> None:
    assert shelf.beet("genrescope", "-f", "-j", 0, options={"windows": 1}).code == 0
    one = library.load(shelf.model, windows=1)
    assert shelf.songs()["hiss"][3] == one.fingerprint
    assert shelf.beet("genrescope", "-f", "-n", "all").code == 0
    assert shelf.songs()["hiss"][3] == library.load(shelf.model, windows="all").fingerprint != one.fingerprint


def test_a_tree_and_a_whitelist_choose_the_names(shelf: Shelf, expected: dict[str, dict[str, float]]) -> None:
    (shelf.folder / "tree.yaml").write_text(
        yaml.safe_dump([{"noises": [{"White Noise": ["hiss"]}]}, {"tones": ["drone"]}])
    )
    (shelf.folder / "allowed.txt").write_text("# mine\nNoises\n\n")
    options = {"canonical": str(shelf.folder / "tree.yaml"), "whitelist": str(shelf.folder / "allowed.txt")}
    done = shelf.beet("-v", "genrescope", "-f", "-t", "0.34", options=options)
    assert done.code == 0, done.err
    found, label = shelf.songs(), {title: top(scores) for title, scores in expected.items()}
    assert "Resolved (track, whitelist): ['Noises']" in done.err
    for title, scores in expected.items():
        named = "Noises" if scores["hiss"] >= 0.34 else None
        kept = "My Own; Second" if title == "mine" else label[title].title()
        assert found[title][0] == (named or kept)
        assert found[title][1] == label[title]
    assert shelf.written("hiss") == ["Noises"]
    assert "not in the whitelist" in done.err


def test_a_missing_file_is_named_and_stops_nothing(shelf: Shelf, expected: dict[str, dict[str, float]]) -> None:
    lost = shelf.file("drone")
    lost.unlink()
    done = shelf.beet("genrescope", "--force", "--nowrite", options={"title_case": False})
    assert done.code == 0
    assert f"not classified: {lost}: " in done.err
    assert "songs not classified: 1" in done.err
    assert "songs with new genres: 4" in done.err
    found = shelf.songs()
    assert [found[title][0] for title in expected] == [
        found[title][1] if title != "drone" else found[title][1].title() for title in expected
    ]
    assert shelf.written("mine") == ["My Own", "Second"]  # only the library has changed


def test_a_wrong_option_is_refused_and_an_import_goes_on(shelf: Shelf) -> None:
    for given, words in (
        (("-m", "no-such-model", "-f"), "no-such-model: no such model file"),
        (("-t", "50"), "min_confidence: 50.0; accepted is a score from 0 to 1"),
        (("-c", "0"), "count: 0; accepted is a whole number from 1"),
        (("-j", "-1"), "jobs: -1; accepted is a whole number from 0"),
        (("-f", "-n", "some"), "windows: some; accepted are a whole number from 1, and all"),
    ):
        done = shelf.beet("genrescope", *given)
        assert (done.code, words in done.err) == (1, True), done.err
    write(shelf.folder / "more" / "new.wav", sound("hiss", 99))
    done = shelf.beet("import", "-s", shelf.folder / "more", options={"model": "no-such-model"})
    assert "genrescope: no-such-model" in done.err
    assert len(list((shelf.folder / "music").rglob("*.wav"))) == 1


def test_without_auto_an_import_classifies_nothing(made: World, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, made.run)
    write(tmp_path / "in" / "new.wav", sound("hiss", 99))
    assert shelf.beet("import", "-s", tmp_path / "in", options={"auto": False}).code == 0
    assert shelf.songs("$path|$genres|$genrescope_genre").popitem()[1] == ["", "$genrescope_genre"]


def test_the_plugin_loads_nothing_heavy() -> None:
    code = "import beetsplug.genrescope, sys; print('loaded', *{'torch', 'av'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["loaded"]


def test_the_page_has_every_option_with_its_default() -> None:
    page = (Path(__file__).parent.parent / "docs" / "beets.md").read_text(encoding="utf-8")
    options = page.partition("## Options")[2]
    shown = yaml.safe_load(options.partition("```yaml\n")[2].partition("```")[0])["genrescope"]
    assert shown == DEFAULTS
    assert [name for name in DEFAULTS if f"| `{name}` |" not in options] == []
    letters = re.findall(r"`(-[a-zA-Z])`", options)
    command = GenrescopePlugin.commands(mock.Mock())[0]
    given = {name for option in command.parser.option_list for name in option._short_opts}
    assert set(letters) == given - {"-h"}


# -- names and verdicts ---------------------------------------------------------------------------------------------


def names(**options: object) -> Names:
    view = confuse.Configuration("test", read=False)
    view.set({"genrescope": DEFAULTS | options})
    return Names(view["genrescope"])


def test_labels_are_written_as_tag_writes_them_or_as_lastgenre_does() -> None:
    assert names().of(plan.load_map()) == [name for words in plan.load_map().values() for name in words]
    assert names().of(["hiphop", "rnb", "jazz", "zeuhl", "IDM"]) == ["Hip-Hop", "R&B", "Jazz", "Zeuhl", "IDM"]
    assert names(title_case=False).of(["hiphop", "zeuhl", "IDM"]) == ["hip-hop", "zeuhl", "IDM"]
    assert names(aliases=True).of(["hiphop", "rnb", "jazz", "IDM"]) == ["Hip Hop", "R&B", "Jazz", "IDM"]
    assert names(aliases={"Rap": ["hip.?hop"]}).of(["hiphop", "hip-hop"]) == ["Rap"]


def test_lists_have_a_name_in_whatever_spelling(tmp_path: Path) -> None:
    (tmp_path / "allowed.txt").write_text("hip hop\nRhythm & Blues\n")
    (tmp_path / "tree.yaml").write_text("- urban:\n  - hip hop\n  - r & b\n")
    assert names(whitelist=str(tmp_path / "allowed.txt")).of(["hiphop", "jazz"]) == ["Hip-Hop"]
    assert names(whitelist=True).of(["hiphop"]) == ["Hip-Hop"]
    assert names(canonical=str(tmp_path / "tree.yaml")).of(["hiphop", "rnb", "jazz"]) == ["Urban", "Jazz"]


def test_lastgenres_own_tree_and_whitelist_are_there() -> None:
    assert names(canonical=True).of(["viking metal"]) == ["Rock"]
    assert names(canonical=True, whitelist=True).of(["viking metal"])[:2] == ["Viking Metal", "Black Metal"]
    assert names(whitelist=True).of(["jazz", "seen live"]) == ["Jazz"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"whitelist": "/no/such.txt"}, "whitelist: /no/such.txt cannot be read"),
        ({"aliases": {"Rap": ["("]}}, "is no regular expression"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        names(**options)


def test_genres_need_their_thresholds_or_what_the_user_has_set() -> None:
    scores = {"rock": 0.4, "pop": 0.3, "jazz": 0.2}
    limited = Verdict(Scored(scores, ("jazz",), thresholds={"rock": 0.5, "jazz": 0.1}))
    assert limited.candidates(None) == (["jazz"], "")
    assert limited.candidates(0.3) == (["rock", "pop"], "")
    assert limited.candidates(0.9) == ([], "none reaches its threshold (rock 0.40, which needs 0.90)")
    assert Verdict(Scored(scores)).candidates(None) == (["rock"], "")
    assert Verdict(Scored(scores), "silence").candidates(0) == ([], "silence")


@pytest.mark.parametrize("above", [False, True])
def test_a_model_with_thresholds_gives_a_genre_only_above_them(
    shelf: Shelf, expected: dict[str, dict[str, float]], above: bool
) -> None:
    scores = expected["hiss"]
    label, needed = top(scores), max(scores.values()) - 0.01 if above else 1.0
    model = with_thresholds(shelf.model, shelf.folder / "limited.safetensors", {label: needed})
    before = shelf.written("hiss")
    tagged = here("tag", model, shelf.file("hiss"), "--replace", "--format", "csv").out
    assert f",{'write' if above else 'skip'}," in tagged
    done = shelf.beet("-v", "genrescope", "-A", "-f", "title:hiss", options={"model": str(model), "title_case": False})
    assert done.code == 0, done.err
    assert shelf.written("hiss") == ([label] if above else before)
    assert before != [label]
    assert (f"none reaches its threshold ({label} {scores[label]:.2f}, which needs 1.00)" in done.err) is not above
    assert shelf.songs()["hiss"][1] == label


def test_songs_without_a_genre_do_not_count_in_their_album(made: World) -> None:
    header = library.load(made.run).header
    known = Verdict(Scored({"drone": 0.6, "hiss": 0.4, "pulse": 0.0}))
    strange = Verdict(Scored({"pulse": 1.0, "drone": 0.0, "hiss": 0.0}), "none of the model's genres")
    assert Verdict.mean([known, strange], header).scored == known.scored
    assert Verdict.mean([strange], header).genre == "unknown"


def test_silence_has_no_genre(made: World, tmp_path: Path) -> None:
    classifier = library.load(made.run)
    silence = classifier.predict(write(tmp_path / "silence.wav", 0 * sound("hiss", 1)))
    assert not isinstance(silence, Failure)
    verdict = Verdict.of(silence, classifier.header)
    assert (verdict.genre, verdict.why_none) == ("unknown", "silence")
