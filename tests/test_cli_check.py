"""`genrescope check` on the command line: exit codes, streams, odd names, bad files among good ones."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import assert_refused, genrescope, here, leftovers
from conftest import genre_folders, noise, write

if TYPE_CHECKING:
    from pathlib import Path

    from genrescope.check.listen import FileMeasurements
    from genrescope.progress import Progress

pytestmark = pytest.mark.usefixtures("one_thread")
SECONDS = 3.2
BYTES_AS_NAMES = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text here, not bytes")
ODD = (
    "with  spaces.wav",
    "Ünïcödé 東京 🎵.wav",
    "[red]not [dim]red.wav",
    "-leading dash.wav",
    "--out.wav",
    "100 % $x$ {y}.wav",
    os.fsdecode(b"caf\xe9.wav"),
)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give two genres of ten tracks: nothing is wrong with them."""
    return genre_folders(tmp_path_factory.mktemp("clean") / "music", ["jazz", "rock"], tracks=10, seconds=SECONDS)


@pytest.fixture(scope="module")
def clean_out(clean: Path) -> Path:
    """Give the folder of a check of the clean tracks; what reads it again takes no time."""
    out = clean.parent / "out"
    assert here("check", clean, "--out", out, "--jobs", 1).code == 0
    return out


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Give four short tracks of two genres: too few, and nothing else is wrong."""
    return genre_folders(tmp_path / "music", ["jazz", "rock"], seconds=SECONDS)


def told(out: Path) -> Any:
    return json.loads((out / "check.json").read_bytes().decode("utf-8", "surrogateescape"))


# -- exit codes and streams ------------------------------------------------------------------------------------------


def test_a_clean_data_set_ends_with_0(clean: Path, clean_out: Path) -> None:
    done = here("check", clean, "--out", clean_out, "--jobs", 1)
    assert done.code == 0
    assert done.out == "nothing found: every file can be used as it is, and no recording is there twice\n"
    (message,) = done.messages
    assert message.startswith("20 tracks, 0 read, ")
    assert message.endswith(f": 0 errors, 0 warnings, 0 notes. Look at {clean_out / 'check.html'}")
    assert told(clean_out)["findings"] == []


def test_warnings_alone_end_with_0(music: Path, tmp_path: Path) -> None:
    done = here("check", music, "--out", tmp_path / "out", "--jobs", 1)
    assert done.code == 0
    assert "0 errors, 2 warnings, 0 notes" in done.err
    assert "jazz: 2 usable; 10 are the least" in done.out


def test_one_bad_file_among_good_ones_ends_with_1_and_stops_nothing(music: Path, tmp_path: Path) -> None:
    (music / "jazz" / "a-bad.wav").write_bytes(b"not music at all" * 99)
    done = here("check", music, "--out", tmp_path / "out", "--jobs", 1)
    assert done.code == 1
    assert "Traceback" not in done.err
    (row,) = (line for line in done.out.splitlines() if "a-bad.wav" in line)
    assert row.split()[:3] == ["error", "unreadable", "jazz/a-bad.wav"]
    assert "5 tracks, 5 read" in done.err
    assert "1 error, 2 warnings" in done.err
    assert [each["id"] for each in told(tmp_path / "out")["files"] if not each["fault"]] == [
        "jazz/jazz-00.wav", "jazz/jazz-01.wav", "rock/rock-00.wav", "rock/rock-01.wav",
    ]  # fmt: skip
    assert leftovers(tmp_path) == []


def test_what_cannot_be_checked_ends_with_2(music: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    assert_refused(here("check", tmp_path / "nothing", "--out", out), "no such folder or file")
    assert_refused(here("check", tmp_path / "empty", "--out", out), "no audio found")
    assert_refused(here("check", music / "jazz", "--out", out), "no genre folders")
    assert_refused(here("check", "gtzam:/music", "--out", out), 'did you mean "gtzan"')
    assert_refused(here("check", music, "--out", out, "--genres", "jaz"), 'did you mean "jazz"')
    assert_refused(here("check", music, "--out", out, "--genres", ","), "no genres were named")
    assert not out.exists()


def test_a_foreign_folder_for_the_results_ends_with_2(music: Path) -> None:
    before = sorted(music.rglob("*"))
    assert_refused(here("check", music, "--out", music), "other things in it", "new or empty folder")
    assert_refused(here("check", music, "--out", music / "jazz" / "jazz-00.wav"), "is a file", "--out")
    assert sorted(music.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt", reason="there is no such file")
def test_results_that_cannot_be_written_end_with_2(music: Path) -> None:
    assert_refused(here("check", music, "--out", "/dev/null/out", "--jobs", 1), "cannot write", "/dev/null/out")


def test_an_interrupt_ends_with_130_and_the_same_command_goes_on(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from genrescope.check import check as module

    look, out = module.check, tmp_path / "out"

    def interrupted(*arguments: Any, on_track: Any, **options: Any) -> Any:
        def press(at: Progress[FileMeasurements]) -> None:
            on_track(at)
            if at.done == 3:
                raise KeyboardInterrupt

        return look(*arguments, on_track=press, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, "check", interrupted)
        done = here("check", music, "--out", out, "--jobs", 1)
    assert (done.code, done.out) == (130, "")
    assert done.messages == ["interrupted; nothing is lost. Run the same command again to go on."]
    assert not (out / "check.json").exists()
    assert "4 tracks, 1 read" in here("check", music, "--out", out, "--jobs", 1).err


# -- options ---------------------------------------------------------------------------------------------------------


def test_json_is_what_the_file_holds(music: Path, tmp_path: Path) -> None:
    write(music / "rock" / "silent.wav", 0 * noise(SECONDS))
    done = here("check", music, "--out", tmp_path / "out", "--jobs", 1, "--json", "--quiet")
    assert (done.code, done.err) == (1, "")
    assert json.loads(done.out) == told(tmp_path / "out")
    assert json.loads(done.out)["kinds"] == {"silent": 1, "few-tracks": 2}


def test_some_genres_alone_are_checked(clean: Path, clean_out: Path) -> None:
    done = here("check", clean, "--out", clean_out, "--jobs", 1, "--genres", " rock ,", "--json")
    assert json.loads(done.out)["genres"] == {"rock": 10}
    assert "10 tracks, 0 read" in done.err


def test_quiet_leaves_the_table_alone(music: Path, tmp_path: Path) -> None:
    done = here("check", music, "--out", tmp_path / "out", "--jobs", 1, "--quiet")
    assert done.err == ""
    assert done.out.count("few-tracks") == 2


def test_the_results_lie_in_check_unless_told_otherwise(
    music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert here("check", music, "--jobs", 1).code == 0
    assert sorted(path.name for path in (tmp_path / "check").iterdir()) == ["check.html", "check.json", "heard.jsonl"]


def test_a_long_list_is_cut_off_with_a_word_on_the_rest(tmp_path: Path) -> None:
    for number in range(15):
        path = tmp_path / "music" / "jazz" / f"{number:02d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    done = here("check", tmp_path / "music", "--out", tmp_path / "out", "--jobs", 1)
    assert done.code == 1
    assert done.out.count("the file has 0 bytes") == 12
    assert "and 3 more" in done.out
    assert len(told(tmp_path / "out")["findings"]) == 16


# -- odd names, several processes ------------------------------------------------------------------------------------


@BYTES_AS_NAMES
def test_odd_names_and_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    """With `[b]` for a genre; each file is in it twice, so that every name is told."""
    music = tmp_path / "-[b]music"
    for number, name in enumerate(ODD):
        for genre in ("[b]", "jäzz"):
            path = music / genre / "x.wav"
            write(path, noise(SECONDS, seed=number)).rename(music / genre / name)
    (music / "jäzz" / "damaged.wav").write_bytes(b"RIFF")
    two = genrescope("check", "--out", "two", "--jobs", 2, "--", music.name, cwd=tmp_path)
    one = here("check", music, "--out", tmp_path / "one", "--jobs", 1, "--json")
    assert (one.code, two.code) == (1, 1)
    assert "Traceback" not in two.err
    for name in ODD:  # a byte that is no text is printed as Python writes it
        shown = f"[b]/{name} = jäzz/{name}".encode(errors="backslashreplace").decode()
        assert sum(shown in line and "label-conflict" in line for line in two.out.splitlines()) == 1
    first, second = told(tmp_path / "one"), told(tmp_path / "two")
    assert json.loads(one.out) == first
    assert (first.pop("data"), second.pop("data")) == (str(music), music.name)
    assert first == second
    pairs = {tuple(each["tracks"]) for each in first["findings"] if each["kind"] == "label-conflict"}
    assert pairs == {(f"[b]/{name}", f"jäzz/{name}") for name in ODD}
