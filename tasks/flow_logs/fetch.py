"""The records of flow logs for a window, brought from S3 and CloudWatch Logs into a folder of this machine.

A bucket may be written to by others: a file counts only if it can be read to its end, and what cannot be is a gap, not an error.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from botocore.exceptions import BotoCoreError

from incident.family import Read, Scope
from incident.flow_log_format import COLUMNS, FIELDS, parse_header
from incident.flow_log_places import AGGREGATED, Destination, FlowLog, bucket_of, day_prefixes, gaps_of, is_file_of
from incident.words import counted
from tasks.aws import Aws, AwsError

_ARCHIVED = frozenset({"GLACIER", "DEEP_ARCHIVE"})
_CHUNK = 256 * 2**10


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is fetched at most, over all flow logs.

    Attributes:
        files, packed_bytes: objects of S3, and their size.
        unpacked_bytes: what one file may unpack to.
        events: records from CloudWatch Logs.
    """

    files: int = 20_000
    packed_bytes: int = 4 * 2**30
    unpacked_bytes: int = 2 * 2**30
    events: int = 2_000_000


@dataclass
class Fetched:
    """The files that are there now, and what is missing, a sentence each."""

    files: list[Path] = field(default_factory=list[Path])
    gaps: list[str] = field(default_factory=list[str])


class Fetcher:
    """Brings records.

    Args:
        aws: who reads.
        folder: where the files are put.
        account: whose credentials read the buckets; empty means those of the flow log's account.
        bounds: how much at most.
    """

    def __init__(self, aws: Aws, folder: Path, account: str = "", bounds: Bounds | None = None) -> None:
        self._aws, self._folder, self._account = aws, folder, account
        self._bounds = bounds or Bounds()
        self._files = self._bytes = self._events = 0
        self._done = Fetched()

    def fetch(self, logs: Iterable[FlowLog], since: datetime, until: datetime) -> Fetched:
        """Bring what the flow logs recorded between two times."""
        some = list(logs)
        for log in some:
            self._done.gaps += gaps_of(log, since)
            if log.destination == Destination.S3:
                self._from_s3(log, since, until)
            elif log.destination != Destination.LOGS:
                self._done.gaps.append(f"{log.where}: it delivers to {log.destination} ({log.place}), which is not read")
        self._from_groups([log for log in some if log.destination == Destination.LOGS], since, until)
        return self._done

    # ---- S3 ------------------------------------------------------------------------------------------------------------

    def _from_s3(self, log: FlowLog, since: datetime, until: datetime) -> None:
        bucket, _ = bucket_of(log)
        keys = 0
        try:
            for item in self._listed(log, bucket, since, until):
                keys += 1
                if not self._room_for(item, log):
                    return
                self._object(log, bucket, item)
        except AwsError as error:
            self._done.gaps.append(f"{log.where}: bucket {bucket} cannot be listed: {error}")
            return
        if not keys:
            self._done.gaps.append(f"{log.where}: bucket {bucket} has no file of it for that time")

    def _listed(self, log: FlowLog, bucket: str, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        scope = Scope(self._account or log.account, log.region)
        for prefix in day_prefixes(log, since, until):
            for page in self._aws.read_all(scope, Read("s3", "ListObjectsV2", {"Bucket": bucket, "Prefix": prefix})):
                yield from (item for item in page.get("Contents", ()) if is_file_of(log, item["Key"], since, until))

    def _room_for(self, item: dict[str, Any], log: FlowLog) -> bool:
        size = int(item["Size"])
        if self._files >= self._bounds.files or self._bytes + size > self._bounds.packed_bytes:
            most = f"{self._bounds.files} files or {self._bounds.packed_bytes // 2**20} MiB"
            self._done.gaps.append(f"{log.where}: more than {most} are to be read; what is from {item['Key']} on is missing")
            return False
        self._files, self._bytes = self._files + 1, self._bytes + size
        return True

    def _object(self, log: FlowLog, bucket: str, item: dict[str, Any]) -> None:
        key = str(item["Key"])
        if item.get("StorageClass") in _ARCHIVED:
            self._done.gaps.append(f"{log.where}: {key} is archived ({item['StorageClass']}); restore it to have it read")
            return
        target = self._folder / f"{self._files:06d}.{'parquet' if key.endswith('.parquet') else 'log.gz'}"
        try:
            self._download(log, bucket, key, int(item["Size"]), target)
            problem = _damage(target, self._bounds.unpacked_bytes)
        except (AwsError, BotoCoreError) as error:
            problem = str(error)
        if problem:
            target.unlink(missing_ok=True)
            self._done.gaps.append(f"{log.where}: {key} cannot be read: {problem}")
        else:
            self._done.files.append(target)

    def _download(self, log: FlowLog, bucket: str, key: str, size: int, target: Path) -> None:
        account = self._account or log.account
        body = self._aws.call(account, log.region, "s3", "GetObject", {"Bucket": bucket, "Key": key})["Body"]
        with target.open("wb") as file:
            # What has grown since it was listed is cut off, and then cannot be read to its end.
            left = size
            while left and (chunk := body.read(min(left, _CHUNK))):
                file.write(chunk)
                left -= len(chunk)

    # ---- CloudWatch Logs -------------------------------------------------------------------------------------------------

    def _from_groups(self, logs: Sequence[FlowLog], since: datetime, until: datetime) -> None:
        """A group that several flow logs share is read once."""
        groups: dict[tuple[str, str, str], list[FlowLog]] = {}
        for log in logs:
            groups.setdefault((log.account, log.region, log.place), []).append(log)
        for (account, region, group), some in groups.items():
            if len({log.fields for log in some}) > 1:
                ids = ", ".join(log.id for log in some)
                self._done.gaps.append(f"{account} {region}: {group} holds several formats ({ids}); which a record has is not told")
                continue
            self._from_group(some[0], since, until)

    def _from_group(self, log: FlowLog, since: datetime, until: datetime) -> None:
        asked = {
            "logGroupName": log.place,
            "startTime": int((since - AGGREGATED).timestamp() * 1000),
            "endTime": int(until.timestamp() * 1000),
        }
        target = self._folder / f"group-{len(self._done.files):06d}.log"
        number = 0
        with target.open("w") as file:
            file.write(" ".join(log.fields) + "\n")
            try:
                for page in self._aws.read_all(Scope(log.account, log.region), Read("logs", "FilterLogEvents", asked)):
                    for event in page["events"]:
                        file.write(" ".join(str(event["message"]).split()) + "\n")
                        number += 1
                    self._events += len(page["events"])
                    if self._events > self._bounds.events:
                        most = counted(self._bounds.events, "record")
                        self._done.gaps.append(f"{log.where}: {log.place} has more than {most}; the rest is missing")
                        break
            except AwsError as error:
                self._done.gaps.append(f"{log.where}: log group {log.place} cannot be read to its end: {error}")
        if number:
            self._done.files.append(target)
            return
        target.unlink()
        if not any(log.where in gap and log.place in gap for gap in self._done.gaps):
            self._done.gaps.append(f"{log.where}: log group {log.place} has no record for that time")


def _damage(file: Path, most: int) -> str:
    """Why a file is no flow log that can be read to its end; empty if it is one."""
    return _parquet_damage(file) if file.suffix == ".parquet" else _text_damage(file, most)


def _text_damage(file: Path, most: int) -> str:
    size = 0
    try:
        with gzip.open(file) as unpacked:
            first = unpacked.readline(65_536)
            if not parse_header(first.decode(errors="replace")):
                return "its first line names no fields"
            while chunk := unpacked.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    return f"it unpacks to more than {most // 2**20} MiB"
    except (OSError, EOFError, zlib.error) as error:
        return f"it is no gzip to its end ({error})"
    return ""


def _parquet_damage(file: Path) -> str:
    with duckdb.connect() as database:
        try:
            relation = database.read_parquet(str(file))
        except duckdb.Error as error:
            return f"it is no Parquet ({str(error).splitlines()[0]})"
        for name, kind in zip(relation.columns, relation.types, strict=True):
            known = COLUMNS.get(name)
            if known and ("INT" in str(kind)) != FIELDS[known].is_number:
                return f"its column {name} is {kind}"
        if not any(name in COLUMNS for name in relation.columns):
            return "none of its columns is a flow log's"
    return ""
