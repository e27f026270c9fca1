"""CloudTrail records from files: as CloudTrail delivers them, as tools export them, and as people keep them.

A file holds `{"Records": [...]}`, one record, a list of them, an answer of `LookupEvents`, or a line for each; any of it may be
gzipped, and a folder is read whole.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO, cast

RECORD_SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
"""Files that a folder is searched for."""

_GZIP_MAGIC = b"\x1f\x8b"


class RecordFileError(ValueError):
    """A file that cannot be read as CloudTrail records; one line that names the file and, where there is one, the line."""


def read_records(paths: Iterable[str | Path]) -> Iterator[dict[str, Any]]:
    """Every record of the files and folders, in the order in which they stand. A file of lines is read line by line, however long.

    What is JSON but no record is passed on, so that whoever reads the records can say so of each.

    Raises:
        RecordFileError: a path that is not there or cannot be read, or text that is not JSON.
    """
    for path in paths:
        for file in _files(Path(path)):
            try:
                with _opened(file) as text:
                    yield from _records_of(file, text)
            except UnicodeDecodeError:
                raise RecordFileError(f"{file}: it is not text in UTF-8") from None
            except (OSError, EOFError, zlib.error) as reason:
                raise RecordFileError(f"{file}: it cannot be read: {' '.join(str(reason).split())}") from None


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise RecordFileError(f"{path}: there is no such file")
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(RECORD_SUFFIXES))
    if not found:
        raise RecordFileError(f"{path}: the folder holds no file of {', '.join(RECORD_SUFFIXES)}")
    return found


def _opened(file: Path) -> TextIO:
    with file.open("rb") as raw:
        packed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast(TextIO, gzip.open(file, "rt", encoding="utf-8-sig")) if packed else file.open(encoding="utf-8-sig")


def _records_of(file: Path, text: TextIO) -> Iterator[dict[str, Any]]:
    """One JSON value a line, or, if the first line alone is none, one value in the whole file."""
    head: list[str] = []
    for line in text:
        head.append(line)
        if line.strip():
            break
    try:
        first = json.loads(head[-1]) if head and head[-1].strip() else []
    except json.JSONDecodeError:
        first = _parsed(file, "".join(head) + text.read())
    yield from _records_in(first)
    for number, line in enumerate(text, start=len(head) + 1):
        if line.strip():
            yield from _records_in(_parsed(file, line, number))


def _parsed(file: Path, text: str, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as reason:
        raise RecordFileError(f"{file}, line {line + reason.lineno - 1}: it is not JSON: {reason.msg}") from None


def _records_in(value: Any) -> Iterator[dict[str, Any]]:
    match value:
        case list():
            for one in value:
                yield from _records_in(one)
        case {"Records": list(records)}:
            yield from records
        case {"Events": list(events)}:
            yield from (_looked_up(event) for event in events)
        case {"CloudTrailEvent": str()}:
            yield _looked_up(value)
        case _:
            yield value


def _looked_up(event: Any) -> Any:
    """An element of a `LookupEvents` answer carries its record as text."""
    try:
        return json.loads(event["CloudTrailEvent"])
    except (TypeError, KeyError, ValueError):
        return event
