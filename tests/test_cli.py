"""The command line in good weather: help, streams, formats, exit codes."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from cli_support import GENRES, TRACKS, assert_refused, command, environment, genrescope, here, world

import genrescope as package
from genrescope import cli
from genrescope.sources import cards

if TYPE_CHECKING:
    from cli_support import World

ROOT = Path(__file__).resolve().parents[1]


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Return every command by its words, those of groups included."""
    found = {}
    for name, each in group.commands.items():
        found[prefix + name] = each
        if hasattr(each, "commands"):
            found |= commands(each, f"{prefix}{name} ")
    return found


COMMANDS = commands(typer.main.get_command(cli.app))
WITHOUT_MESSAGES = {"datasets", "datasets list", "datasets show", "models", "models show", "library", "split"}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory)


@pytest.fixture(scope="module")
def evaluated(made: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of the run with its evaluation."""
    run = shutil.copytree(made.run, tmp_path_factory.mktemp("cli") / "run")
    done = here("evaluate", run)
    assert done.code == 0, done.err
    return run


# -- help ---------------------------------------------------------------------------------------------------------


def test_the_commands_are_those_of_the_design() -> None:
    assert {
        "demo",
        "synth",
        "datasets",
        "datasets download",
        "prepare",
        "split make",
        "split audit",
        "train",
        "evaluate",
        "predict",
    } <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_that_is_its_own(name: str) -> None:
    shown = here(*name.split(), "--help")
    assert shown.code == 0
    assert f"Example: genrescope {name}" in shown.out
    assert COMMANDS[name].help, "it does not say what it does"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_every_command_names_parameters_that_it_has(name: str) -> None:
    words = (COMMANDS[name].epilog or "").removeprefix("Example: ").split()
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_parameter_has_a_help_text(name: str) -> None:
    without = [parameter.name for parameter in COMMANDS[name].params if not getattr(parameter, "help", None)]
    assert without == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_says_something_can_be_quiet(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert name in WITHOUT_MESSAGES or {"--quiet", "-q"} <= options


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_every_command_stands_in_the_tables(name: str, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    name = name.split(maxsplit=1)[0] if page == "README.md" else name
    assert re.search(rf"^\|.*`genrescope {name}\b", text, re.MULTILINE), f"no table of {page} has {name}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_without_a_command_the_help_is_shown() -> None:
    done = here()
    assert "Usage" in done.out + done.err
    assert "predict" in done.out + done.err
    assert done.code in (0, 2)


def test_the_version_is_told() -> None:
    assert here("--version").out == f"genrescope {package.__version__}\n"


def test_the_module_and_the_script_are_the_same_program() -> None:
    by_module = genrescope("--version")
    assert (by_module.code, by_module.err) == (0, "")
    script = shutil.which("genrescope", path=str(Path(sys.executable).parent))
    if script is not None:
        by_script = subprocess.run([script, "--version"], capture_output=True, text=True, check=True, timeout=60)
        assert by_script.stdout == by_module.out


@pytest.mark.parametrize(
    "arguments", [["prepare"], ["predict"], ["train", "store"], ["sing"], ["split", "make", "s", "--sed", "1"]]
)
def test_a_command_that_lacks_something_is_explained(arguments: list[str]) -> None:
    done = here(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert re.search(r"Usage: .*\bgenrescope\b", done.err)


# -- streams and codes --------------------------------------------------------------------------------------------


def test_data_goes_to_stdout_and_messages_to_stderr(made: World, tmp_path: Path) -> None:
    split = here("split", "make", made.store, "--method", "random", "--out", tmp_path / "split.csv")
    assert split.out == ""
    assert re.fullmatch(
        r"random \(seed 0\): 19 train, 5 test tracks; fingerprint [0-9a-f]{16}; in .*", split.messages[0]
    )
    done = genrescope("predict", made.run, made.songs()[0], "--format", "jsonl", "--out", tmp_path / "x.jsonl")
    assert done.out == ""
    assert done.messages == [f"1 song written to {tmp_path / 'x.jsonl'}"]
    assert done.next == ["evaluate", str(made.run)]
    shown = genrescope("predict", made.run, made.songs()[0], "--format", "jsonl")
    assert shown.err == ""
    assert shown.out == (tmp_path / "x.jsonl").read_text()


def test_quiet_says_nothing_where_nothing_is_wrong(made: World, evaluated: Path, tmp_path: Path) -> None:
    prepared = here("prepare", made.music, "--out", tmp_path / "store", "--jobs", 1, "--quiet")
    assert (prepared.code, prepared.out, prepared.err) == (0, "", "")
    split = here("split", "make", made.store, "--method", "random", "--out", tmp_path / "split.csv", "--quiet")
    assert (split.code, split.out, split.err) == (0, "", "")
    scored = here("evaluate", evaluated, "--part", "validation", "--out", tmp_path / "scores", "--quiet")
    assert (scored.code, scored.err) == (0, "")
    assert "95 % interval" in scored.out
    trained = genrescope(
        "train", made.store, "--recipe", "mgcc", "--set", "model.name=mgcc-small", "--set", "training.epochs=1",
        "--out", tmp_path / "run", "--quiet",
    )  # fmt: skip
    assert (trained.code, trained.err) == (0, ""), "a library speaks where the user asked for silence"
    assert trained.out == f"{tmp_path / 'run'}\n"


def test_preparing_tells_what_it_did_and_a_second_time_does_nothing(made: World, tmp_path: Path) -> None:
    store = shutil.copytree(made.store, tmp_path / "store")
    before = {path: path.stat().st_mtime_ns for path in store.iterdir()}
    again = here("prepare", made.music, "--out", store, "--jobs", 1)
    assert again.code == 0
    assert f"0 computed, {TRACKS * len(GENRES)} kept, 0 skipped" in again.err
    assert {path: path.stat().st_mtime_ns for path in store.iterdir()} == before


def test_an_interruption_at_any_moment_has_its_code(monkeypatch: pytest.MonkeyPatch, made: World) -> None:
    """Loading torch takes seconds, and Ctrl-C may fall there."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("genrescope.inference.songs.find_songs", interrupted)
    done = here("predict", made.run, made.songs()[0])
    assert done.code == 130
    assert "Traceback" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other pipes")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    with subprocess.Popen(
        command("datasets"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        err = running.stderr.read()
    assert err == ""
    assert running.returncode == 141  # as a shell has it


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other shells")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_stops_nothing(made: World, tmp_path: Path, closed: str) -> None:
    out = tmp_path / "out.csv"
    for arguments in ((made.songs()[0], "--out", out), (made.songs()[0],), (made.songs()[0], "--format", "jsonl")):
        line = shlex.join(command("predict", made.run, *arguments))
        done = subprocess.run(["sh", "-c", f"{line} {closed}"], env=environment(), check=False, capture_output=True)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
    assert len(out.read_text().splitlines()) == 2


def test_an_error_of_the_system_names_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise PermissionError(13, "Permission denied", "closed/store.json")

    monkeypatch.setattr("genrescope.sources.cards.names", refused)
    done = here("datasets")
    assert done.code == 2
    assert done.err.startswith("error: closed/store.json: Permission denied. Check")


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_names_cannot_steer_the_terminal(made: World, tmp_path: Path) -> None:
    song = shutil.copyfile(made.songs()[0], tmp_path / "\x1b[31mred\u202e.wav")
    bad = tmp_path / "\x1b]0;title\x07.mp3"
    bad.write_text("no music")
    done = here("predict", made.run, song, bad)
    assert done.code == 1
    assert "\\x1b[31mred\\u202e.wav" in done.out
    assert "skipped" in done.err
    assert "\\x1b]0;title" in done.err
    for text in (done.out, done.err, here("predict", made.run, tmp_path / "\x1b[2J").err):
        assert not {"\x1b", "\u202e", "\x07"} & set(text)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("arguments", [["datasets"], ["--version"]])
def test_a_full_disk_behind_stdout_is_said(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(*arguments), stdout=full, stderr=subprocess.PIPE, env=environment(), text=True, check=False,
            timeout=60,
        )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr
    assert done.returncode == 2


def test_a_terminal_of_few_characters_stops_nothing(made: World, tmp_path: Path) -> None:
    song = shutil.copyfile(made.songs()[0], tmp_path / "音楽.wav")
    for kind in ("table", "jsonl"):
        done = genrescope("predict", made.run, song, "--format", kind, env={"PYTHONIOENCODING": "cp1252"})
        assert "Traceback" not in done.err
        assert done.code == 0


# -- datasets and split -------------------------------------------------------------------------------------------


def test_datasets_lists_every_card() -> None:
    shown = here("datasets")
    assert here("datasets", "list") == shown
    assert (shown.code, shown.err) == (0, "")
    for name in cards.names():
        assert re.search(rf"^\s*{name}\b.*{re.escape(cards.card(name).title)}", shown.out, re.MULTILINE)


@pytest.mark.parametrize("name", cards.names())
def test_datasets_shows_a_card_in_full(name: str) -> None:
    shown = here("datasets", "show", name)
    words = " ".join(shown.out.split())
    card = cards.card(name)
    checksums = [archive.checksum for archive in card.archives[:4]]  # of a hundred archives the rest are counted
    for text in (card.citation, card.terms, card.source, *checksums, ", ".join(card.genres), *card.known_faults):
        assert " ".join(text.split()) in words


def test_a_split_is_a_table_and_its_seed_decides_it(made: World, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        done = here("split", "make", made.store, "--method", "stratified", "--seed", seed, "--out", tmp_path / name)
        assert done.code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    line, _, table = a.decode().partition("\n")
    assert line.startswith("# genrescope split: stratified (seed 3); fingerprint ")
    rows = list(csv.DictReader(io.StringIO(table)))
    assert list(rows[0]) == ["id", "part"]
    assert {row["id"] for row in rows} == {f"{genre}/{genre}-{n:02d}.wav" for genre in GENRES for n in range(TRACKS)}
    assert {row["part"] for row in rows} == {"train", "validation", "test"}


def test_a_split_takes_shares(made: World, tmp_path: Path) -> None:
    out = tmp_path / "split.csv"
    done = here("split", "make", made.store, "--method", "random", "--shares", "train=0.5,test=0.5", "--out", out)
    assert "12 train, 12 test tracks" in done.err
    assert_refused(
        here("split", "make", made.store, "--method", "random", "--shares", "train=half", "--out", out), "part=share"
    )


# -- evaluate and predict -----------------------------------------------------------------------------------------


def test_predict_agrees_with_the_vote_of_evaluate(evaluated: Path, made: World) -> None:
    tracks = json.loads((evaluated / "evaluation.json").read_text())["tracks"]
    done = here("predict", evaluated, *(made.music / track["id"] for track in tracks), "--format", "jsonl")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [each["path"] for each in found] == [str(made.music / track["id"]) for track in tracks]
    for each, track in zip(found, tracks, strict=True):
        assert each["genre"] == track["vote"]
        assert each["scores"] == pytest.approx(track["scores"], abs=1e-5)
        assert len(each["windows"]) == track["windows"]


def test_evaluate_shows_its_figures_and_where_the_report_is(evaluated: Path) -> None:
    done = here("evaluate", evaluated, "--part", "validation", "--out", evaluated / "again")
    assert done.code == 0
    result = json.loads((evaluated / "again" / "evaluation.json").read_text())
    assert "note: the part validation has 6 tracks" in done.err
    assert "train --folds 5 would score all 24 tracks" in done.err
    assert f"{result['data']['tracks']} tracks of" in done.out
    for share in result["accuracy"].values():
        assert re.search(rf"{share['correct']}\s+{share['total']}\s+{100 * share['value']:.1f} %", done.out)
    assert f"report: {evaluated / 'again' / 'report.html'}" in done.err
    assert (evaluated / "again" / "report.html").stat().st_size > 10_000


def test_a_window_is_told_in_seconds_the_models_own(made: World, tmp_path: Path) -> None:
    options = ("--recipe", "pooled-svm", "--set", "classifier.frames=64", "--set", "classifier.copies=0")
    assert here("train", made.store, *options, "--split", made.split, "--out", tmp_path / "run").code == 0
    for run, seconds in ((made.run, "2.97"), (tmp_path / "run", "1.49")):
        scored = here("evaluate", run, "--out", tmp_path / seconds)
        assert f"windows of {seconds} s" in scored.out
        assert f"tracks, first window of {seconds} s only" in scored.out
        assert f"first window of {seconds} s only" in (tmp_path / seconds / "report.html").read_text()
        assert f"windows of {seconds} s" in here("predict", run, made.songs()[0]).out
