"""One file of a trail: gzipped JSON of unknown size, from a bucket that others may write to; read a record at a time.

See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

MOST_PACKED_BYTES = 64 * 2**20
"""CloudTrail's files have at most 50 MB."""

MOST_UNPACKED_BYTES = 1024 * 2**20
MOST_RECORD_CHARACTERS = 4 * 2**20
"""CloudTrail's events have at most 1 MB."""

_CHUNK = 256 * 2**10
_HEAD = re.compile(r'\s*\{\s*"Records"\s*:\s*\[')
_HEAD_CHARACTERS = 1024
_BETWEEN = re.compile(r"[\s,]*")
_decode = json.JSONDecoder().raw_decode


class TrailFileError(ValueError):
    """A file that cannot be read to its end; one line that says why."""


def holds(packed: bytes, texts: Sequence[str], most: int = MOST_UNPACKED_BYTES) -> bool:
    """Whether any of the texts stands in the file: a tenth of the work of reading its records.

    Raises:
        TrailFileError: see `records_of`; what a file that holds none of the texts has for JSON is only looked at from both ends.
    """
    wanted = [text.encode() for text in texts]
    overlap = max(map(len, wanted), default=1) - 1
    first, tail = b"", b""
    for chunk in _unpacked(packed, most):
        first = first or chunk.lstrip()[:1]
        window = tail + chunk
        if any(text in window for text in wanted):
            return True
        tail = window[-max(overlap, 16) :]
    if first != b"{" or not tail.rstrip().endswith(b"}"):
        raise TrailFileError("it is no JSON object from end to end")
    return False


def records_of(packed: bytes, most: int = MOST_UNPACKED_BYTES) -> Iterator[Any]:
    """Each element of the file's `Records`; no more than one of them is in memory.

    Raises:
        TrailFileError: no gzip, no text, no `{"Records": [...]}`, cut off, or larger than may be.
    """
    chunks = _text(packed, most)
    buffer, at = _after_head(chunks)
    while True:
        found = _BETWEEN.match(buffer, at)
        at = found.end() if found else at
        if buffer.startswith("]", at):
            return
        try:
            record, at = _decode(buffer, at)
        except json.JSONDecodeError as reason:
            buffer, at = _with_more(buffer[at:], chunks, reason), 0
            continue
        except RecursionError:
            raise TrailFileError("a record is nested too deep") from None
        yield record


def _after_head(chunks: Iterator[str]) -> tuple[str, int]:
    buffer = ""
    while (head := _HEAD.match(buffer)) is None:
        more = next(chunks, "")
        if not more or len(buffer) > _HEAD_CHARACTERS:
            raise TrailFileError('it does not begin with {"Records": [')
        buffer += more
    return buffer, head.end()


def _with_more(buffer: str, chunks: Iterator[str], reason: json.JSONDecodeError) -> str:
    """What is left and the next chunk: a record that cannot be read may only not have ended yet."""
    if len(buffer) > MOST_RECORD_CHARACTERS:
        raise TrailFileError(f"a record is no JSON: {reason.msg}")
    more = next(chunks, "")
    if not more:
        raise TrailFileError(f"its JSON is broken or ends early: {reason.msg}")
    return buffer + more


def _text(packed: bytes, most: int) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _unpacked(packed, most):
            if text := decoder.decode(chunk):
                yield text
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise TrailFileError("it is no text in UTF-8") from None


def _unpacked(packed: bytes, most: int) -> Iterator[bytes]:
    total = 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        try:
            while chunk := file.read(_CHUNK):
                total += len(chunk)
                if total > most:
                    raise TrailFileError(f"it unpacks to more than {most:,} bytes")
                yield chunk
        except (OSError, EOFError, zlib.error) as reason:
            raise TrailFileError(f"it cannot be unpacked: {' '.join(str(reason).split())}") from None
