"""CloudTrail's event history, read at the pace that AWS allows: two calls a second for each account and region.

See https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from incident.record import Record, RecordError
from tasks.aws import Aws

CALLS_PER_SECOND = 2
HISTORY = timedelta(days=90)
PAGE = 50


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question to one region's event history."""

    account: str
    region: str
    attribute: str
    value: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Answered:
    """The records, newest first, and what could not be read as a record.

    Attributes:
        complete: false when a limit cut the answer.
        gaps: what of the window the source may not hold at all, a sentence each.
    """

    lookup: Lookup
    records: tuple[Record, ...]
    unreadable: tuple[str, ...]
    complete: bool = True
    gaps: tuple[str, ...] = ()


class EventSource(Protocol):
    """Where events are asked for: the event history, a trail's files, or an event data store."""

    @property
    def reach(self) -> timedelta:
        """How far back it can look."""
        ...

    def ask(self, lookup: Lookup) -> Answered:
        """All records that answer the question.

        Raises:
            AwsError: the source could not be read; the region is then unknown for this question.
        """
        ...

    def ask_all(self, lookups: Sequence[Lookup]) -> Iterator[Answered]:
        """The answers to questions about one region and window, as they come in.

        Raises:
            AwsError: see `ask`.
        """
        ...


class EventHistory:
    """LookupEvents, paced for each account and region so that we do not run into throttling."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._next: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    @property
    def reach(self) -> timedelta:
        """How far back CloudTrail's event history goes."""
        return HISTORY

    def ask_all(self, lookups: Sequence[Lookup]) -> Iterator[Answered]:
        """The answers one after the other.

        Raises:
            AwsError: see `ask`.
        """
        return map(self.ask, lookups)

    def ask(self, lookup: Lookup, most_pages: int = 2000) -> Answered:
        """All records that answer the question.

        Raises:
            AwsError: a page could not be read; the region is then unknown for this question.
        """
        records: list[Record] = []
        unreadable: list[str] = []
        parameters = {
            "LookupAttributes": [{"AttributeKey": lookup.attribute, "AttributeValue": lookup.value}],
            "StartTime": lookup.start,
            "EndTime": lookup.end,
            "MaxResults": PAGE,
        }
        for _ in range(most_pages):
            self._wait_turn(lookup.account, lookup.region)
            page = self._aws.call(lookup.account, lookup.region, "cloudtrail", "LookupEvents", parameters)
            for event in page.get("Events", []):
                _sort_in(event, records, unreadable)
            token = page.get("NextToken")
            if not token:
                return Answered(lookup, tuple(records), tuple(unreadable))
            parameters = {**parameters, "NextToken": token}
        return Answered(lookup, tuple(records), tuple(unreadable), complete=False)

    def _wait_turn(self, account: str, region: str) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next.get((account, region), 0.0))
            self._next[account, region] = turn + 1 / CALLS_PER_SECOND
        if turn > now:
            time.sleep(turn - now)


def _sort_in(event: dict[str, str], records: list[Record], unreadable: list[str]) -> None:
    try:
        records.append(Record.parse(json.loads(event["CloudTrailEvent"])))
    except (RecordError, KeyError, ValueError) as error:
        unreadable.append(f"event {event.get('EventId', 'without an id')}: {error}")


def distinct(records: Iterable[Record]) -> list[Record]:
    """Records once each, oldest first.

    LookupEvents answers newest first and CloudTrail's times are whole seconds, so among records of one second the reversed order of
    the answer is the best order there is.
    """
    newest_first = list(records)
    seen: dict[str, Record] = {}
    for record in reversed(newest_first):
        seen.setdefault(record.event_id or json.dumps(dict(record.raw), sort_keys=True, default=str), record)
    return sorted(seen.values(), key=lambda record: record.time)
