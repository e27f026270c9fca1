"""Change requests through their door: a key of its own, durable before the answer, each version once."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import httpx
import pytest

from incident.ledger import CHANGES_CHAIN, INTAKE, Kind
from tasks.change_requests import KeptRequests
from tasks.ledger import Ledger

KEY = {"X-Countermand-Key": "tickets-key"}


def told(**more: Any) -> dict[str, Any]:
    times = {"from": "2026-03-01T00:00:00+00:00", "until": "2026-03-02T00:00:00+00:00"}
    return {"ticket": "CHG-1", "approved_by": ["carol"], "principals": ["arn:*"], "resources": ["sg-1"], **times, **more}


@pytest.fixture
def door(open_doors) -> httpx.Client:
    return open_doors(change_keys=("tickets-key", "tickets-next"))


def post(door: httpx.Client, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return door.post("/webhooks/changes", content=content, headers=KEY if headers is None else headers)


def test_a_request_stands_in_the_ledger_with_who_approved_it_before_the_answer(door: httpx.Client, ledger: Ledger):
    answer = post(door, told())
    (line,) = ledger.lines(CHANGES_CHAIN)
    assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted", "incident": ""})
    assert line.kind == Kind.CHANGE_REQUEST
    assert line.body["request"]["approved_by"] == ["carol"]
    assert line.body["provenance"]["key"] == "current"
    assert post(door, told()).status_code == 200
    assert len(ledger.lines(CHANGES_CHAIN)) == 1
    assert ledger.lines(INTAKE) == ledger.lines(INTAKE, Kind.DELIVERY) == []


def test_a_later_version_counts_and_the_earlier_stays(door: httpx.Client, ledger: Ledger):
    kept = KeptRequests(ledger)
    assert post(door, [told(), told(ticket="CHG-2")]).status_code == 202
    assert len(kept.latest()) == 2
    assert post(door, {"requests": [told(approved_by=[])]}, {"Authorization": "Bearer tickets-next"}).status_code == 202
    assert {one.ticket: one.approved_by for one in kept.latest()} == {"CHG-1": (), "CHG-2": ("carol",)}
    assert [one.ticket for one in KeptRequests(ledger).latest()] == [one.ticket for one in kept.latest()]
    assert len(ledger.lines(CHANGES_CHAIN)) == 3
    assert ledger.verify(CHANGES_CHAIN) is None


@pytest.mark.parametrize("key", ["", "current-key", "tickets-kéy", "tickets-ke"])
def test_no_other_key_opens_it_and_its_key_opens_no_other(door: httpx.Client, ledger: Ledger, key: str):
    headers = {"X-Countermand-Key": key.encode()} if key else {}
    assert post(door, told(), headers).status_code == 401
    assert ledger.lines(CHANGES_CHAIN) == []
    assert door.post("/webhooks/guardduty", json={}, headers=KEY).status_code == 401


@pytest.mark.parametrize(
    "body", [b"\xff", b"[", b"[" * 100_000, b"NaN", {}, [], [told(), 1], told(until="2026-01-01T00:00:00Z"), 3]
)
def test_what_cannot_be_read_is_quarantined_whole(door: httpx.Client, ledger: Ledger, body: Any):
    answer = post(door, body)
    (line,) = ledger.lines(CHANGES_CHAIN)
    assert (answer.status_code, answer.json()["outcome"], line.kind) == (202, "quarantined", Kind.QUARANTINE)
    assert KeptRequests(ledger).latest() == ()


def test_what_cannot_be_written_is_asked_for_again(open_doors, ledger: Ledger, tmp_path):
    door = open_doors(change_keys=("tickets-key",), answer_seconds=0.3)
    (file,) = tmp_path.rglob("*.db")
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        answer = post(door, told())
        other.execute("ROLLBACK")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert post(door, told()).status_code in (200, 202)


def test_without_a_key_there_is_no_door(doors: httpx.Client):
    assert post(doors, told()).status_code == 404
