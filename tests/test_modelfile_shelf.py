"""The shelf: models by name, fetched from a wheel that is known to the bit, or one's own. No test needs a network."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_support import assert_refused, here, leftovers, world
from conftest import tone, write
from musicnn_support import NOTICE, checkpoint, weights, write_wheel

import genrescope
from genrescope import modelfile
from genrescope.errors import ModelFileError
from genrescope.files import sha256
from genrescope.modelfile import catalogue, shelf
from genrescope.models.musicnn import from_tensorflow

pytestmark = pytest.mark.usefixtures("one_thread")
BOTH = ["musicnn-msd", "musicnn-mtt"]
PINNED = {name: catalogue.BUILT_IN[name] for name in BOTH}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wheel(tmp_path_factory.mktemp("wheel") / "musicnn-0.1.0-py3-none-any.whl")


def pin(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    """Let the built-in models come from this wheel."""
    for name, entry in PINNED.items():
        assert entry.source is not None
        source = dataclasses.replace(entry.source, sha256=sha256(wheel))
        monkeypatch.setitem(catalogue.BUILT_IN, name, dataclasses.replace(entry, source=source))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel: Path) -> Path:
    """Give an empty shelf, and let pip be called by nobody."""
    monkeypatch.setenv(catalogue.CACHE, str(tmp_path / "cache"))
    pin(monkeypatch, wheel)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    return tmp_path / "cache" / "models"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world(tmp_path_factory).run


def pip(monkeypatch: pytest.MonkeyPatch, *, wheel: Path | None = None, stderr: str = "", cut: int = 0) -> list[str]:
    """Put a pip in place that leaves the wheel, without its last bytes, or fails; return the list its words go to."""
    words: list[str] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        words.extend(command)
        if wheel is None:
            return subprocess.CompletedProcess(command, 1, "", stderr)
        content = wheel.read_bytes()
        Path(command[command.index("-d") + 1], wheel.name).write_bytes(content[: len(content) - cut])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return words


# -- what can be fetched ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOTH)
def test_every_built_in_model_says_what_it_is(name: str) -> None:
    entry = PINNED[name]
    for field in dataclasses.fields(entry):
        assert getattr(entry, field.name) or field.name == "made_of", field.name
    assert entry.source is not None
    assert entry.source.package == "musicnn==0.1.0"
    assert entry.source.sha256 == "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
    assert "authors" in entry.caveat


def test_one_wheel_gives_both_networks_with_their_own_weights(wheel: Path, cache: Path) -> None:
    steps: list[str] = []
    fresh, path = shelf.get("musicnn-mtt", wheel=wheel, on_step=steps.append)
    assert (fresh, path) == (BOTH, cache / "musicnn-mtt.safetensors")
    assert steps == ["checking and converting"]
    assert sorted(each.name for each in cache.iterdir()) == [f"{name}.safetensors" for name in BOTH]
    image = torch.rand(1, 1, 96, 40)
    for seed, name in enumerate(BOTH):
        with torch.inference_mode():
            found, expected = modelfile.load(name).network(image), from_tensorflow(weights(4, seed=seed))(image)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_the_model_file_says_all_that_is_needed_to_use_it(wheel: Path) -> None:
    shelf.get("musicnn-msd", wheel=wheel)
    header = modelfile.read_header("musicnn-msd")
    assert header.labels == ("rock", "pop", "Hip-Hop", "80s")
    assert modelfile.read_header("musicnn-mtt").labels == ("guitar", "no vocals", "slow", "opera")
    assert header.exclusive is False
    assert (header.windows.frames, header.windows.padding, header.windows.placement) == (187, "repeat", "grid")
    assert header.front_end.seconds(187) == pytest.approx(2.992)
    assert header.weights.licence == f"ISC\n\n{NOTICE}"
    assert "Pons" in header.weights.citation
    assert "Million Song" in header.data.name
    assert header.verdict == "vote"


def test_what_is_there_is_not_fetched_again(wheel: Path, cache: Path) -> None:
    shelf.get("musicnn-msd", wheel=wheel)
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert shelf.get("musicnn-msd") == ([], cache / "musicnn-msd.safetensors")
    (cache / "musicnn-mtt.safetensors").unlink()
    assert shelf.get("musicnn-mtt", wheel=wheel)[0] == ["musicnn-mtt"]
    assert (cache / "musicnn-msd.safetensors").stat().st_mtime_ns == before[cache / "musicnn-msd.safetensors"]


def test_pip_is_asked_for_the_one_version_and_nothing_else(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = pip(monkeypatch, wheel=wheel)
    steps: list[str] = []
    assert shelf.get("musicnn-msd", on_step=steps.append)[0] == BOTH
    assert words[:8] == [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "musicnn==0.1.0",
    ]  # fmt: skip
    assert not Path(words[words.index("-d") + 1]).exists()
    assert steps == ["downloading musicnn==0.1.0 (29 MB)", "checking and converting"]


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("/usr/bin/python: No module named pip\n", "No module named pip"),
        ("WARNING: Retrying\nERROR: No matching distribution found for musicnn==0.1.0\n", "downloaded: No matching"),
        ("", "pip left no musicnn-0.1.0"),
    ],
)
def test_where_it_cannot_be_downloaded_the_way_out_is_told(
    stderr: str, words: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    pip(monkeypatch, stderr=stderr)
    with pytest.raises(ModelFileError, match=words) as error:
        shelf.get("musicnn-msd")
    assert "pip download --no-deps --only-binary :all: musicnn==0.1.0; then: " in str(error.value)
    assert str(error.value).endswith("genrescope models get musicnn-msd --from musicnn-0.1.0-py3-none-any.whl")
    assert not cache.exists()


def test_a_download_that_is_cut_short_is_never_used(wheel: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    pip(monkeypatch, wheel=wheel, cut=1)
    with pytest.raises(ModelFileError, match=r"not musicnn-0\.1\.0-.* SHA-256 [0-9a-f]{64}, expected .*fetch it again"):
        shelf.get("musicnn-msd")
    assert not cache.exists()


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_a_wrong_byte_anywhere_is_found(where: float, wheel: Path, tmp_path: Path, cache: Path) -> None:
    content = bytearray(wheel.read_bytes())
    content[int(where * (len(content) - 1))] ^= 1
    (tmp_path / "other.whl").write_bytes(content)
    with pytest.raises(ModelFileError, match="SHA-256"):
        shelf.get("musicnn-msd", wheel=tmp_path / "other.whl")
    assert not cache.exists()


DATA = "musicnn/MSD_musicnn/.data-00000-of-00001"
LABELS = "musicnn/configuration.py"
SHORT = checkpoint({name: tensor for name, tensor in weights(4).items() if name != "dense/bias"})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({DATA: None}, "There is no item named"),
        ({DATA: bytes(100)}, "damaged: the checksum of"),
        ({"musicnn/MSD_musicnn/.index": b"x" * 100}, "no index"),
        ({"musicnn/MSD_musicnn/.index": SHORT[0], DATA: SHORT[1]}, "dense/bias"),
        ({LABELS: b"MTT_LABELS = ['a']"}, "no list MSD_LABELS"),
        ({LABELS: b"MSD_LABELS = list(__import__('os').environ)"}, "malformed"),
        ({LABELS: b"MSD_LABELS = [1, 2]"}, "no list MSD_LABELS"),
        ({LABELS: b"MSD_LABELS = ["}, "never closed"),
        ({LABELS: b"MSD_LABELS = ['a', 'a', 'b', 'c']"}, "twice"),
        ({LABELS: b"MSD_LABELS = ['a', 'b', 'c']"}, "3 labels for 4"),
        ({"musicnn-0.1.0.dist-info/LICENSE.md": None}, "LICENSE"),
    ],
)
def test_a_wheel_that_lacks_something_is_refused(
    changes: dict[str, bytes | None], words: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_wheel(tmp_path / "other.whl", changes)
    pin(monkeypatch, other)
    with pytest.raises(ModelFileError, match=words):
        shelf.get("musicnn-msd", wheel=other)
    assert not cache.exists()


def test_what_is_no_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other.whl").write_bytes(b"not a zip file")
    pin(monkeypatch, tmp_path / "other.whl")
    with pytest.raises(ModelFileError, match="does not hold musicnn-msd"):
        shelf.get("musicnn-msd", wheel=tmp_path / "other.whl")
    with pytest.raises(ModelFileError, match="no such file"):
        shelf.get("musicnn-msd", wheel=tmp_path / "none.whl")
    assert not zipfile.is_zipfile(tmp_path / "other.whl")


def test_written_whole_or_not_at_all(wheel: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(genrescope.OutputError, match="No space left"):
        shelf.get("musicnn-msd", wheel=wheel)
    assert shelf.path_of("musicnn-msd") is None
    assert leftovers(cache) == []


def test_only_built_in_models_can_be_fetched() -> None:
    with pytest.raises(ModelFileError, match="those are musicnn-msd, musicnn-mtt"):
        shelf.get("musicnn-vgg")


# -- names ------------------------------------------------------------------------------------------------------------


def test_a_name_loads_and_a_path_goes_first(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.add("mine", own)
    assert genrescope.load("mine", device="cpu").header == modelfile.read_header(own)
    monkeypatch.chdir(tmp_path)
    Path("mine").write_bytes(b"a file of that name")
    with pytest.raises(ModelFileError, match="not a safetensors file"):
        genrescope.load("mine")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("musicnn-msd", r"was not fetched yet \(3\.2 MB\): genrescope models get musicnn-msd$"),
        ("musicn-msd", 'no such model file or run folder; as the name of a model, did you mean "musicnn-msd"\\?'),
        ("mime", 'did you mean "mine"'),
        ("runs/mine", "no such model file or run folder$"),
        ("../mine", "no such model file or run folder$"),
        ("", "run folder"),
    ],
)
def test_what_no_path_or_name_leads_to_is_said(name: str, words: str, own: Path) -> None:
    shelf.add("mine", own)
    with pytest.raises(ModelFileError, match=words):
        modelfile.load(name)


def test_a_mistyped_path_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "runs" / "first").mkdir(parents=True)
    meant = re.escape(f'; did you mean "{tmp_path / "runs" / "first"}"?')
    with pytest.raises(ModelFileError, match=f"no such model file or run folder{meant}$"):
        modelfile.load(tmp_path / "runs" / "frist")


def test_ones_own_models_come_and_go(own: Path, cache: Path) -> None:
    path = shelf.add("my.model_1-a", own)
    assert path == cache / "my.model_1-a.safetensors" == shelf.path_of("my.model_1-a")
    assert path.read_bytes() == (own / "model.safetensors").read_bytes()
    assert [entry.name for entry in shelf.entries()] == [*BOTH, "genres", "my.model_1-a"]
    entry = shelf.entry("my.model_1-a")
    assert (entry.title, entry.labels, entry.source) == ("mgcc", "drone, hiss, pulse", None)
    shelf.remove("my.model_1-a")
    assert [entry.name for entry in shelf.entries()] == [*BOTH, "genres"]
    with pytest.raises(ModelFileError, match="not on the shelf; there: it is empty"):
        shelf.remove("my.model_1-a")
    assert (own / "model.safetensors").is_file()


@pytest.mark.parametrize("name", ["", ".hidden", "-q", "a/b", "a\\b", "..", "a b", "é", "a\n", "x" * 101])
def test_names_that_are_no_names_are_refused(name: str, own: Path, cache: Path) -> None:
    with pytest.raises(ModelFileError, match="is no name for a model"):
        shelf.add(name, own)
    assert shelf.path_of(name) is None
    assert not cache.exists()


def test_a_name_is_given_once(own: Path) -> None:
    shelf.add("mine", own)
    for name in ("mine", "Mine", "musicnn-msd", "MusiCNN-mtt"):
        with pytest.raises(ModelFileError, match="stands on the shelf already"):
            shelf.add(name, own)


def test_only_what_can_be_used_is_added(own: Path, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "cut.safetensors").write_bytes((own / "model.safetensors").read_bytes()[:-4])
    (tmp_path / "folds").mkdir()
    (tmp_path / "folds" / "crossval.json").write_text('{"crossval": {"folds": [{"run": "fold-1"}]}}')
    for path, words in ((tmp_path / "cut.safetensors", "truncated"), (tmp_path / "folds", "several folds")):
        with pytest.raises(ModelFileError, match=words):
            shelf.add("mine", path)
    with pytest.raises(ModelFileError, match="no such model file"):
        shelf.add("mine", tmp_path / "none")
    assert not cache.exists()


def test_a_damaged_file_does_not_hide_the_others(own: Path, cache: Path) -> None:
    shelf.add("mine", own)
    (cache / "broken.safetensors").write_bytes(b"nothing")
    found = {entry.name: entry for entry in shelf.entries()}
    assert list(found) == [*BOTH, "genres", "broken", "mine"]
    assert found["broken"].title.startswith("damaged: ")
    shelf.remove("broken")


def test_without_the_variable_the_users_cache_is_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(catalogue.CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert shelf.folder().name == "models"
    assert shelf.folder().parent.name in ("genrescope", "Cache")
    if sys.platform == "linux":
        assert shelf.folder() == tmp_path / "genrescope" / "models"


# -- the commands -----------------------------------------------------------------------------------------------------


def test_the_list_says_what_is_here(wheel: Path, own: Path) -> None:
    before = here("models")
    assert (before.code, before.err) == (0, "")
    assert "no: genrescope models get musicnn-msd" in before.out
    shelf.get("musicnn-msd", wheel=wheel)
    shelf.add("mine", own)
    lines = {line.split()[0]: line for line in here("models").out.splitlines() if line.strip()}
    for name, words in (("musicnn-msd", "ISC"), ("musicnn-mtt", "MagnaTagATune"), ("mine", "drone, hiss, pulse")):
        assert words in lines[name]
        assert lines[name].split()[-1] == "yes"


def test_a_model_is_shown_in_full_before_and_after_it_is_fetched(wheel: Path) -> None:
    before = here("models", "show", "musicnn-mtt")
    for words in ("ROC AUC 0.907, PR AUC 0.383", "Figures of the authors", "ISC", "Law", "29 MB", "no: genrescope"):
        assert words in before.out
    assert NOTICE not in before.out
    shelf.get("musicnn-mtt", wheel=wheel)
    after = here("models", "show", "musicnn-mtt")
    assert NOTICE in after.out
    assert "guitar, no vocals, slow, opera" in after.out
    assert_refused(here("models", "show", "none"), "no such model file", "one of: musicnn-msd, musicnn-mtt")


def test_the_licence_is_shown_once_when_it_is_fetched(wheel: Path) -> None:
    done = here("models", "get", "musicnn-msd", "--from", wheel)
    assert (done.code, done.out) == (0, "")
    assert NOTICE in done.err
    assert "musicnn-msd, musicnn-mtt: fetched" in done.err
    again = here("models", "get", "musicnn-msd")
    assert NOTICE not in again.err
    assert "musicnn-msd: there already" in again.err
    assert here("models", "get", "musicnn-mtt", "--quiet").err == ""
    assert_refused(here("models", "get", "musicnn-vgg"), "musicnn-vgg")


def test_a_model_of_ones_own_predicts_by_its_name(own: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    song = world(tmp_path_factory).songs()[0]
    assert "mine: added" in here("models", "add", "mine", own).err
    assert here("predict", "mine", song, "--format", "csv").out == here("predict", own, song, "--format", "csv").out
    assert "mine: removed" in here("models", "remove", "mine").err
    assert_refused(here("models", "remove", "mine"), "mine is not on the shelf")
    assert_refused(here("predict", "mine", song), "mine: no such model file")


def test_tags_are_shown_as_scores_that_do_not_add_up(wheel: Path, tmp_path: Path) -> None:
    songs = [write(tmp_path / name, tone(300, seconds=4)) for name in ("a.wav", "b.wav")]
    assert_refused(here("predict", "musicnn-msd", *songs), "genrescope models get musicnn-msd")
    shelf.get("musicnn-msd", wheel=wheel)
    prediction = genrescope.load("musicnn-msd", device="cpu").predict(songs[0])
    done = here("predict", "musicnn-msd", *songs, "--top", 2)
    assert done.code == 0
    assert done.err.count("not probabilities that add up") == 1
    (first, one), (second, two) = prediction.top(2)
    assert f"{first} {one:.2f}, {second} {two:.2f}" in done.out
    assert "%" not in done.out
    lines = here("predict", "musicnn-msd", *songs, "--format", "csv", "--quiet")
    assert lines.err == ""
    columns = lines.out.splitlines()[0].split(",")
    assert columns[:4] == ["path", "artist", "title", "album"]
    assert columns[-6:] == ["rock", "pop", "Hip-Hop", "80s", "identity", "model"]
    assert os.fspath(songs[0]) in lines.out
