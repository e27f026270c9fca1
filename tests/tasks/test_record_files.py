"""Records from files of every form in which people have them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tasks.record_files import RecordFileError, read_records

ONE = {"eventID": "1", "eventName": "CreateVpc"}
TWO = {"eventID": "2", "eventName": "DeleteVpc"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("delivered.json", json.dumps({"Records": [ONE, TWO]})),
        ("list.json", json.dumps([ONE, TWO])),
        ("lines.jsonl", f"{json.dumps(ONE)}\n\n{json.dumps(TWO)}\n"),
        ("windows.jsonl", f"\ufeff{json.dumps(ONE)}\r\n{json.dumps(TWO)}\r\n"),
        ("indented.json", json.dumps({"Records": [ONE, TWO]}, indent=2)),
        ("batches.jsonl", f"{json.dumps({'Records': [ONE]})}\n{json.dumps({'Records': [TWO]})}"),
        ("looked-up.json", json.dumps({"Events": [{"CloudTrailEvent": json.dumps(ONE)}, {"CloudTrailEvent": json.dumps(TWO)}]})),
    ],
)
def test_every_form_gives_the_same_records(tmp_path: Path, name: str, content: str):
    file = tmp_path / name
    file.write_bytes(content.encode())
    assert list(read_records([file])) == [ONE, TWO]

    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(content.encode()))
    assert list(read_records([packed])) == [ONE, TWO]


def test_a_single_record_is_a_file_of_one(tmp_path: Path):
    (tmp_path / "one.json").write_text(json.dumps(ONE, indent=1))
    assert list(read_records([tmp_path / "one.json"])) == [ONE]


def test_a_folder_is_read_whole_and_in_order(tmp_path: Path):
    (tmp_path / "2026" / "03").mkdir(parents=True)
    (tmp_path / "2026" / "03" / "b.json").write_text(json.dumps(TWO))
    (tmp_path / "2026" / "a.json.gz").write_bytes(gzip.compress(json.dumps({"Records": [ONE]}).encode()))
    (tmp_path / "notes.txt").write_text("not a record")
    assert list(read_records([tmp_path])) == [TWO, ONE]


def test_an_empty_file_holds_no_record(tmp_path: Path):
    (tmp_path / "empty.jsonl").write_text("\n")
    assert list(read_records([tmp_path / "empty.jsonl"])) == []


def test_what_is_no_record_is_passed_on_for_its_reader_to_tell(tmp_path: Path):
    (tmp_path / "odd.json").write_text('[1, {"a": 2}]')
    assert list(read_records([tmp_path / "odd.json"])) == [1, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (f"{json.dumps(ONE)}\n{{broken\n", "line 2"),
        ('{"Records": [\n  {"eventID": }\n]}', "line 2"),
        ("no JSON at all", "line 1"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, content: str, place: str):
    file = tmp_path / "broken.jsonl"
    file.write_text(content)
    with pytest.raises(RecordFileError) as told:
        list(read_records([file]))
    assert str(told.value).startswith(f"{file}, {place}: ")
    assert "\n" not in str(told.value)


def test_what_is_not_there_and_what_is_damaged_are_named(tmp_path: Path):
    (tmp_path / "cut.json.gz").write_bytes(gzip.compress(b"x" * 99)[:-9])
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "none").mkdir()
    for name in ("missing.json", "cut.json.gz", "bytes.json", "none"):
        with pytest.raises(RecordFileError, match=name):
            list(read_records([tmp_path / name]))


def test_a_file_of_lines_is_read_no_further_than_is_asked(tmp_path: Path):
    file = tmp_path / "long.jsonl"
    file.write_text(f"\n{json.dumps(ONE)}\n\n{json.dumps(TWO)}\nnot JSON\n")
    records = read_records([file])
    assert [next(records), next(records)] == [ONE, TWO]
    with pytest.raises(RecordFileError, match="line 5"):
        next(records)


def test_a_separator_of_lines_inside_a_text_is_part_of_it(tmp_path: Path):
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps({"eventName": "a\u2028b"}, ensure_ascii=False) + "\n" + json.dumps(TWO))
    assert list(read_records([file])) == [{"eventName": "a\u2028b"}, TWO]
