"""A trail's files in S3, asked as if they were the event history: beyond its 90 days, and past its two calls a second.

    s3://BUCKET/[PREFIX/]AWSLogs/[O-ORGANIZATION/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_….json.gz

Keys sort by the time of delivery, so a window is one run of keys. A file tells what happened at any time before its delivery. Where
nothing happened there is no file; the trail's digests, which come every hour if file validation is on, then show that it was
running. A day with neither is a gap. What the files say is believed: `aws cloudtrail validate-logs` says whether they were changed.

See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from botocore.exceptions import BotoCoreError

from incident.lookup import is_management, matches, spelled
from incident.record import Record, RecordError
from incident.words import counted
from tasks.aws import Aws, AwsError
from tasks.cloudtrail import Answered, Lookup
from tasks.config import EventsConfig
from tasks.trail_object import MOST_PACKED_BYTES, MOST_UNPACKED_BYTES, TrailFileError, holds, records_of

MOST_RECORDS = 100_000
"""As many as the event history's page limit lets through."""

CACHE_BYTES = 256 * 2**20
_READERS = 16
_AHEAD = 4
_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_GONE = frozenset({"NoSuchKey", "404"})
_DELIVERED = re.compile(r"_CloudTrail_[a-z0-9-]+_(\d{8}T\d{4})Z_[A-Za-z0-9]+\.json\.gz$")
_DIGEST_DAY = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/[^/]+$")
_LATE = timedelta(hours=1)
"""How much later than usual a file may still come; CloudTrail gives no bound."""


@dataclass(frozen=True, slots=True)
class TrailFile:
    """A file as the listing has it; `delivered` is to the minute, and `None` where the name is not a trail's."""

    key: str
    delivered: datetime | None
    archived: bool


@dataclass(slots=True)
class _Found:
    """What answers one lookup, newest first."""

    lookup: Lookup
    text: str
    records: list[Record] = field(default_factory=list)
    of_file: list[Record] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    unreadable: list[str] = field(default_factory=list)
    full: bool = False

    def consider(self, raw: Any, key: str) -> None:
        """Keep the record if it answers the lookup. A trail delivers at least once, so some records come twice."""
        if not isinstance(raw, dict):
            self.unreadable.append(f"{key}: a record is {type(raw).__name__}")
            return
        if not is_management(raw) or not matches(raw, self.lookup.attribute, self.lookup.value):
            return
        try:
            record = Record.parse(raw)
        except RecordError as error:
            self.unreadable.append(f"{key}: event {raw.get('eventID', 'without an id')}: {error}")
            return
        if _whole_second(self.lookup.start) <= record.time <= self.lookup.end and record.event_id not in self.ids:
            self._keep(record)

    def _keep(self, record: Record) -> None:
        if len(self.ids) >= MOST_RECORDS:
            self.full = True
            return
        self.of_file.append(record)
        self.ids.add(record.event_id or f"without an id, number {len(self.ids)}")

    def end_of_file(self) -> None:
        """Files are read from the newest to the oldest, each from its beginning."""
        self.records.extend(reversed(self.of_file))
        self.of_file.clear()

    def answer(self, unreadable: Sequence[str], gaps: tuple[str, ...]) -> Answered:
        newest_first = sorted(self.records, key=lambda record: record.time, reverse=True)
        return Answered(self.lookup, tuple(newest_first), (*unreadable, *self.unreadable), not self.full, gaps)


class TrailFiles:
    """The reader. Safe to share between threads; the packed files read last are kept, so that the next question costs no download.

    Args:
        aws: who reads.
        config: which bucket, and what stands before `AWSLogs/ACCOUNT` in it.
        most_unpacked_bytes: what a file may unpack to before it is taken for a bomb.
    """

    def __init__(self, aws: Aws, config: EventsConfig, most_unpacked_bytes: int = MOST_UNPACKED_BYTES) -> None:
        self._aws = aws
        self._config = config
        self._most = most_unpacked_bytes
        self._region = config.region or aws.config.home_region
        self._late = timedelta(seconds=aws.config.delivery_lag_seconds) + _LATE
        self._kept = _Kept(CACHE_BYTES)
        self._readers = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="trail")

    @property
    def reach(self) -> timedelta:
        """How far back the files go."""
        return timedelta(days=self._config.days)

    def ask(self, lookup: Lookup) -> Answered:
        """All records that answer the question, reads among them unless it asks for `ReadOnly` alone.

        Raises:
            AwsError: the bucket cannot be listed, or no file can be read; the region is then unknown for this question.
        """
        return next(self.ask_all([lookup]))

    def ask_all(self, lookups: Sequence[Lookup]) -> Iterator[Answered]:
        """The answers to questions about one region and window, from one pass over its files.

        Raises:
            AwsError: see `ask`.
        """
        if not lookups:
            return
        files = self._files(lookups[0])
        unreadable = [*_not_of_a_trail(files), *_in_the_archive(files)]
        found = [_Found(lookup, spelled(lookup.attribute, lookup.value)) for lookup in lookups]
        ready = [file.key for file in files if file.delivered and not file.archived]
        for key, packed in self._bodies(ready[::-1]):
            if problem := self._search(key, packed, found):
                unreadable.append(f"{key}: {problem}")
            if all(one.full for one in found):
                break
        gaps = (*self._gaps(lookups[0], files), *_not_read(unreadable))
        yield from (one.answer(unreadable, gaps) for one in found)

    # ---- which files ------------------------------------------------------------------------------------------------

    def _files(self, lookup: Lookup) -> list[TrailFile]:
        """The files that may tell of the window, oldest first."""
        folder = self._folder(lookup, "CloudTrail")
        first, last = _whole_minute(lookup.start), lookup.end + self._late
        files = [_trail_file(item) for item in self._listed(folder, _day(first), _day(last))]
        return [file for file in files if file.delivered is None or first <= file.delivered <= last]

    def _gaps(self, lookup: Lookup, files: Iterable[TrailFile]) -> tuple[str, ...]:
        """Days of which nothing shows that the trail was running; the window's last day is not over, and not judged."""
        days = _days(_day(lookup.start), _day(lookup.end) - timedelta(days=1))
        silent = days - {file.delivered.date() for file in files if file.delivered}
        if not silent:
            return ()
        folder = self._folder(lookup, "CloudTrail-Digest")
        digests = (_DIGEST_DAY.search(item["Key"]) for item in self._listed(folder, min(silent), max(silent)))
        silent -= {date(*map(int, digest.groups())) for digest in digests if digest}
        return tuple(
            f"no trail file and no digest {_span(run)}: the trail may not have been on, or its files were deleted"
            for run in _runs(sorted(silent))
        )

    def _folder(self, lookup: Lookup, kind: str) -> str:
        config = self._config
        parts = (config.prefix, "AWSLogs", config.organization, lookup.account, kind, lookup.region)
        return "".join(f"{part}/" for part in parts if part)

    def _listed(self, folder: str, first: date, last: date) -> Iterator[dict[str, Any]]:
        """The objects of a run of days, in one list from its first key on: a list for each day would cost more."""
        parameters = {"Bucket": self._config.bucket, "Prefix": folder, "StartAfter": f"{folder}{first:%Y/%m/%d}"}
        behind = f"{folder}{last + timedelta(days=1):%Y/%m/%d}"
        while True:
            page = self._aws.call(self._config.account, self._region, "s3", "ListObjectsV2", parameters)
            for item in page.get("Contents", []):
                if item["Key"] >= behind:
                    return
                if not item["Key"].endswith("/"):
                    yield item
            if not page.get("NextContinuationToken"):
                return
            parameters = {**parameters, "ContinuationToken": page["NextContinuationToken"]}

    # ---- what stands in them ----------------------------------------------------------------------------------------

    def _search(self, key: str, packed: bytes | str, found: Sequence[_Found]) -> str:
        """Let every lookup consider the file's records; answers why the file cannot be read, or ""."""
        if isinstance(packed, str):
            return packed
        texts = [one.text for one in found]
        try:
            if not all(texts) or holds(packed, texts, self._most):
                for raw in records_of(packed, self._most):
                    for one in found:
                        one.consider(raw, key)
        except TrailFileError as error:
            return str(error)
        finally:
            for one in found:
                one.end_of_file()
        return ""

    def _bodies(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
        """Each file's bytes, or why there are none, in order; a few are fetched ahead."""
        waiting: deque[tuple[str, Future[bytes | str]]] = deque()
        for key in keys:
            waiting.append((key, self._readers.submit(self._body, key)))
            if len(waiting) > _AHEAD:
                key, body = waiting.popleft()
                yield key, body.result()
        while waiting:
            key, body = waiting.popleft()
            yield key, body.result()

    def _body(self, key: str) -> bytes | str:
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        parameters = {"Bucket": self._config.bucket, "Key": key}
        try:
            answer = self._aws.call(self._config.account, self._region, "s3", "GetObject", parameters)
            packed = bytes(answer["Body"].read(MOST_PACKED_BYTES + 1))
        except AwsError as error:
            if error.code in _GONE:
                return "it was listed and is gone"
            if error.code == "InvalidObjectState":
                return "it is in an archive tier; restore it to have it read"
            raise
        except BotoCoreError as error:
            raise AwsError("GetObject", f"transport:{type(error).__name__}", " ".join(str(error).split())) from None
        if len(packed) > MOST_PACKED_BYTES:
            return f"it has more than {MOST_PACKED_BYTES:,} bytes"
        self._kept.keep(key, packed)
        return packed


class _Kept:
    """Packed files, those used last, up to a number of bytes; CloudTrail never writes a file again."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._files:
                self._files.move_to_end(key)
            return self._files.get(key)

    def keep(self, key: str, packed: bytes) -> None:
        with self._lock:
            self._size += len(packed) - len(self._files.pop(key, b""))
            self._files[key] = packed
            while self._size > self._most:
                self._size -= len(self._files.popitem(last=False)[1])


def _trail_file(item: dict[str, Any]) -> TrailFile:
    named = _DELIVERED.search(item["Key"])
    try:
        delivered = datetime.strptime(named[1], "%Y%m%dT%H%M").replace(tzinfo=UTC) if named else None
    except ValueError:
        delivered = None
    return TrailFile(item["Key"], delivered, item.get("StorageClass") in _ARCHIVED)


def _not_of_a_trail(files: Iterable[TrailFile]) -> list[str]:
    return [f"{file.key}: it is not named as a trail's file" for file in files if not file.delivered]


def _in_the_archive(files: Iterable[TrailFile]) -> list[str]:
    """Archived files by day: there may be thousands."""
    archived = [file for file in files if file.archived and file.delivered]
    by_day = groupby(archived, key=lambda file: file.key.rpartition("/")[0])
    return [f"{day}/: {counted(len(list(some)), 'file')} archived; restore them to have them read" for day, some in by_day]


def _not_read(unreadable: Sequence[str]) -> list[str]:
    """A file that was not read may hold what was asked for: that belongs into the coverage, by its first and their number."""
    return [f"{counted(len(unreadable), 'problem')} with the trail's files, one of them {unreadable[0]}"] if unreadable else []


def _days(first: date, last: date) -> set[date]:
    return {first + timedelta(days=number) for number in range((last - first).days + 1)}


def _runs(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days in order as runs from first to last."""
    numbered = groupby(enumerate(days), key=lambda item: item[1].toordinal() - item[0])
    whole = [[day for _, day in run] for _, run in numbered]
    return [(run[0], run[-1]) for run in whole]


def _span(run: tuple[date, date]) -> str:
    first, last = run
    return f"on {first}" if first == last else f"from {first} to {last}"


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _whole_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
