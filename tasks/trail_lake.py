"""An event data store of CloudTrail Lake, asked as if it were the event history.

The column `eventJson` is the whole record as CloudTrail delivers it, so nothing is put together from other columns. The SQL only
has to find no record too few; `incident.lookup` decides which of them answer. AWS takes no new customers for Lake since May 2026.

See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from incident.lookup import is_management, matches, spelled
from incident.record import Record, RecordError
from tasks.aws import Aws, AwsError
from tasks.cloudtrail import Answered, Lookup
from tasks.config import EventsConfig

MOST_RECORDS = 100_000
"""As many as the event history's page limit lets through."""

DEADLINE_SECONDS = 900
_PAGE = 1000
_WAIT_SECONDS = 2
_AT_ONCE = 5
"""AWS runs ten queries of an account at a time; other people ask too."""

_COLUMNS = {"AccessKeyId": "userIdentity.accessKeyId", "EventId": "eventID", "EventName": "eventName", "EventSource": "eventSource"}
_SAFE = re.compile(r"[A-Za-z0-9_.:-]{1,256}")
_RUNNING = ("QUEUED", "RUNNING")


class TrailLake:
    """The reader. Safe to share between threads.

    Args:
        aws: who asks.
        config: which event data store, where, and with whose credentials.
        wait: called with seconds between two looks at a query.
    """

    def __init__(self, aws: Aws, config: EventsConfig, wait: Callable[[float], None] = time.sleep) -> None:
        self._aws = aws
        self._config = config
        self._region = config.region or aws.config.home_region
        self._wait = wait
        self._turn = threading.Semaphore(_AT_ONCE)

    @property
    def reach(self) -> timedelta:
        """How far back the event data store goes."""
        return timedelta(days=self._config.days)

    def ask_all(self, lookups: Sequence[Lookup]) -> Iterator[Answered]:
        """The answers one after the other.

        Raises:
            AwsError: see `ask`.
        """
        return map(self.ask, lookups)

    def ask(self, lookup: Lookup) -> Answered:
        """All records that answer the question.

        Raises:
            AwsError: the query was refused, failed or did not end in time; or the value is one that no SQL is written with.
        """
        statement = _statement(self._store, lookup)
        records: dict[str, Record] = {}
        unreadable: list[str] = []
        rows = 0
        with self._turn:
            for text in self._rows(statement):
                rows += 1
                _sort_in(text, lookup, records, unreadable)
        newest_first = sorted(records.values(), key=lambda record: record.time, reverse=True)
        return Answered(lookup, tuple(newest_first), tuple(unreadable), rows < MOST_RECORDS, self._not_held(lookup.start))

    @property
    def _store(self) -> str:
        return self._config.event_data_store.rpartition("/")[2]

    def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return self._aws.call(self._config.account, self._region, "cloudtrail", operation, parameters)

    def _rows(self, statement: str) -> Iterator[str]:
        """The records' texts, as they come in."""
        until = time.monotonic() + DEADLINE_SECONDS
        parameters = {"QueryId": self._started(statement, until), "MaxQueryResults": _PAGE}
        while True:
            page = self._finished(parameters, until)
            for row in page.get("QueryResultRows", []):
                yield next((text for cell in row for name, text in cell.items() if name.lower() == "eventjson"), "")
            if not page.get("NextToken"):
                return
            parameters = {**parameters, "NextToken": page["NextToken"]}

    def _started(self, statement: str, until: float) -> str:
        while True:
            try:
                return str(self._call("StartQuery", {"QueryStatement": statement})["QueryId"])
            except AwsError as error:
                if error.code != "MaxConcurrentQueriesException" or time.monotonic() > until:
                    raise
            self._wait(_WAIT_SECONDS)

    def _finished(self, parameters: dict[str, Any], until: float) -> dict[str, Any]:
        while True:
            page = self._call("GetQueryResults", parameters)
            status = str(page.get("QueryStatus"))
            if status == "FINISHED":
                return page
            if status not in _RUNNING:
                raise AwsError("GetQueryResults", status, f"the query ended without a result: {page.get('ErrorMessage', '')}")
            if time.monotonic() > until:
                self._call("CancelQuery", {"QueryId": parameters["QueryId"]})
                raise AwsError("GetQueryResults", "Deadline", f"the query did not end within {DEADLINE_SECONDS} seconds")
            self._wait(_WAIT_SECONDS)

    def _not_held(self, start: datetime) -> tuple[str, ...]:
        """What of the window the store may not hold."""
        store = self._call("GetEventDataStore", {"EventDataStore": self._store})
        gaps: list[str] = []
        if store["Status"] != "ENABLED":
            gaps.append(f"the event data store is {store['Status']}, so it may lack the newest events")
        if store["CreatedTimestamp"] > start:
            day = store["CreatedTimestamp"].astimezone(UTC).date()
            gaps.append(f"the event data store began on {day}; it holds earlier events only if they were copied into it")
        return tuple(gaps)


def _statement(store: str, lookup: Lookup) -> str:
    """The query. Its values may come from an attacker: they are compared as texts of harmless characters, or not at all.

    Raises:
        AwsError: the value holds nothing that can be asked for.
    """
    start, end = (moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in (lookup.start, lookup.end))
    return (
        f"SELECT eventJson FROM {store} WHERE eventTime >= '{start}' AND eventTime <= '{end}' "  # noqa: S608  checked below
        f"AND recipientAccountId = {_quoted(lookup.account)} AND awsRegion = {_quoted(lookup.region)} "
        f"AND {_condition(lookup.attribute, lookup.value)} ORDER BY eventTime DESC LIMIT {MOST_RECORDS}"
    )


def _condition(attribute: str, value: str) -> str:
    if attribute == "ReadOnly":
        return "readOnly = true" if value == "true" else "readOnly = false"
    if attribute in _COLUMNS:
        return f"{_COLUMNS[attribute]} = {_quoted(value)}"
    # Names of users and resources stand in no column; that of a user stands in the ARN.
    return f"strpos(eventJson, {_quoted(spelled('ResourceName', value))}) > 0"


def _quoted(value: str) -> str:
    if not _SAFE.fullmatch(value):
        raise AwsError("StartQuery", "UnsafeValue", f"{value[:60]!r} is not asked for in SQL")
    return f"'{value}'"


def _sort_in(text: str, lookup: Lookup, records: dict[str, Record], unreadable: list[str]) -> None:
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict):
            raise RecordError(f"a CloudTrail record is a JSON object, this is {type(raw).__name__}")
        if is_management(raw) and matches(raw, lookup.attribute, lookup.value):
            record = Record.parse(raw)
            records.setdefault(record.event_id or text, record)
    except (RecordError, ValueError, RecursionError) as error:
        unreadable.append(f"a row of the event data store: {error}")
