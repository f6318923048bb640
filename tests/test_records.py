"""Records: lines that survive a cut at any byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pytest

from genrescope.errors import DataError, OutputError
from genrescope.records import RecordWriter, read, read_lines, to_line

THREE: list[dict[str, Any]] = [{"id": "a", "n": 1}, {"id": "two\nlines", "n": 2}, {"id": "音\x85\u2028", "n": 3}]


def written(path: Path, rows: list[dict[str, Any]]) -> bytes:
    with RecordWriter(path) as writer:
        for row in rows:
            writer.add(row)
    return path.read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "log.jsonl"
    whole = written(path, THREE)
    assert read(path, dict, damaged="stop") == THREE
    assert [line.encode() for line in read_lines(path)] == whole.splitlines(keepends=True)
    assert len(whole.splitlines()) == 3


def test_after_a_cut_at_any_byte_the_whole_records_stand_and_the_rest_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = written(path, THREE)
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        kept = read(path, dict, damaged="stop")
        assert kept == THREE[: whole[:end].count(b"\n")]
        assert path.read_bytes() == whole[:end], "reading changed the file"
        assert written(path, THREE[len(kept) :]) == whole


@pytest.mark.parametrize(("damaged", "left"), [("skip", ["a", "c"]), ("stop", ["a"])])
@pytest.mark.parametrize("line", [b"\x00\xff", b"", b"null", b"[1]", b'{"n": 1}', b'{"id": "b'])
def test_a_damaged_line_is_skipped_or_ends_the_trust(
    tmp_path: Path, line: bytes, damaged: Literal["skip", "stop"], left: list[str]
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"id": "a"}\n' + line + b'\n{"id": "c"}\n')
    assert read(path, lambda record: record["id"] + "", damaged=damaged) == left


def test_every_record_is_there_for_a_reader_at_once(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "log.jsonl") as writer:
        for number in range(1, 4):
            writer.add({"n": number})
            assert len(list(read_lines(tmp_path / "log.jsonl"))) == number


def test_no_record_makes_no_file(tmp_path: Path) -> None:
    with RecordWriter(tmp_path / "new" / "log.jsonl"):
        pass
    assert list(tmp_path.iterdir()) == []
    assert read(tmp_path / "new" / "log.jsonl", dict, damaged="skip") == []


@pytest.mark.skipif(os.name == "nt", reason="Windows names are always text")
def test_a_name_that_is_not_text_keeps_its_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.mp3")
    assert b"caf\xe9" in written(tmp_path / "log.jsonl", [{"id": name}])
    assert read(tmp_path / "log.jsonl", dict, damaged="stop") == [{"id": name}]


def test_a_folder_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(DataError, match=r"log\.jsonl cannot be read: .*Remove it"):
        list(read_lines(tmp_path / "log.jsonl"))
    with RecordWriter(tmp_path / "log.jsonl") as writer, pytest.raises(OutputError, match=r"cannot write .*log\.jsonl"):
        writer.add({"n": 1})


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    with RecordWriter(path) as writer, pytest.raises(OutputError, match=r"log\.jsonl: No space left on device"):
        writer.add({"n": 1})


def test_a_line_is_json_that_people_can_read() -> None:
    assert to_line({"id": "音楽"}) == '{"id": "音楽"}\n'
