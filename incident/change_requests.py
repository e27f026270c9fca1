"""Requests to change the network, with who approved them: read from JSON or CSV, as a ticket system gives them out.

A request is an approved change (`incident.policy.ApprovedChange`) that also says who approved it and when. One that nobody
approved, or that was approved only after the change was made, covers nothing.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, cast

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, field_validator

from incident.policy import ApprovedChange, Miss, matches
from incident.settings import Entry
from incident.values import mapping

MOST_REQUESTS = 1000
"""How many one delivery may hold."""

_LISTS = ("approved_by", "principals", "resources", "operations")


class RequestError(ValueError):
    """What was given is no change request; one sentence that says which part, and what to give."""


class ChangeRequest(ApprovedChange):
    """One version of a request.

    Attributes:
        ticket: its id in the ticket system.
        approved_by: who approved it; with nobody it approves nothing.
        approved_at: since when it is approved; what was made before was not. Empty: whenever.
        operations: names of calls (with `*`), such as `Authorize*`; empty: any.
        updated_at: when the ticket system wrote this version. A later version counts, whichever comes in first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    title: str = Field(default="", max_length=500)
    approved_by: tuple[str, ...] = ()
    approved_at: AwareDatetime | None = None
    operations: tuple[str, ...] = ()
    updated_at: AwareDatetime | None = None

    @field_validator(*_LISTS)
    @classmethod
    def _holds_words(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        if not all(word.strip() and len(word) <= 2048 for word in given):
            raise ValueError("an empty or overlong word")
        return given

    def misses(self, entry: Entry) -> frozenset[Miss]:
        found = set(super().misses(entry))
        if self.operations and not matches(entry.record.event_name, self.operations):
            found.add("operation")
        if not self.approved_by or (self.approved_at is not None and entry.record.time < self.approved_at):
            found.add("approval")
        return frozenset(found)

    def to_json(self) -> dict[str, Any]:
        """As `read_requests` takes it."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def read_requests(raw: object) -> list[ChangeRequest]:
    """Read a request, a list of them, or `{"requests": [...]}`.

    Raises:
        RequestError: any of it is no request.
    """
    body = mapping(raw)
    given: object = body.get("requests", raw)
    found = cast(list[object], given) if isinstance(given, list) else [given]
    if not 1 <= len(found) <= MOST_REQUESTS:
        raise RequestError(f"it holds {len(found)} requests; give 1 to {MOST_REQUESTS}")
    return [_request(one, f"request {number}") for number, one in enumerate(found, start=1)]


def read_text(text: str) -> list[ChangeRequest]:
    """Read a file of requests: JSON, or CSV with a line of column names, in which `;` separates several in one cell.

    Raises:
        RequestError: it is neither, or any of it is no request.
    """
    if text.lstrip().startswith(("{", "[")):
        try:
            return read_requests(json.loads(text, parse_constant=_refused))
        except (ValueError, RecursionError) as error:
            if isinstance(error, RequestError):
                raise
            raise RequestError("it is not JSON") from None
    return _from_csv(text)


def _from_csv(text: str) -> list[ChangeRequest]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise RequestError(f"line {reader.line_num}: {error}") from None
    if not rows:
        raise RequestError(
            "it holds no request; the first line names the columns: ticket, approved_by, principals, resources, from, until"
        )
    return [_request(_cells(row, line), f"line {line}") for line, row in rows]


def _cells(row: Mapping[Any, Any], line: int) -> dict[str, Any]:
    """The cells that hold something; those of several words as lists."""
    if None in row:
        raise RequestError(f"line {line} has more cells than the first line has columns")
    told = {str(name).strip(): str(cell or "").strip() for name, cell in row.items()}
    given = {name: cell for name, cell in told.items() if cell}
    return given | {name: [word.strip() for word in given[name].split(";") if word.strip()] for name in _LISTS if name in given}


def _request(raw: object, where: str) -> ChangeRequest:
    if not isinstance(raw, Mapping):
        raise RequestError(f"{where} is no JSON object")
    try:
        return ChangeRequest.model_validate(raw)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        part = ".".join(map(str, problem["loc"][:2])) or "it"
        raise RequestError(f"{where}: {part[:80]}: {problem['msg'].removeprefix('Value error, ')}") from None


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def latest(requests: Iterable[ChangeRequest]) -> list[ChangeRequest]:
    """The version of each ticket that counts: the one written last, and of those without a time the last that came in."""
    found: dict[str, ChangeRequest] = {}
    for one in requests:
        held = found.get(one.ticket)
        newer = held is None or held.updated_at is None or one.updated_at is None or one.updated_at >= held.updated_at
        if newer:
            found[one.ticket] = one
    return list(found.values())
