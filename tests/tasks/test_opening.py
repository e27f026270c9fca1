"""The desk at which an incident is opened by hand: who may, at what cost, and what is written."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from gateway.dispatch.dispatcher import Dispatcher
from incident.findings.finding import MANUAL, Named, incident_id
from incident.findings.named import delivered_finding
from incident.ledger import INTAKE, Kind
from incident.policy import Policy, Responder
from tasks.opening import NotOpened, Opening
from tasks.roster import Roster

NAMED = Named(resources=("sg-0123456789abcdef0",), person="alice", reason="a group nobody knows")
PLACE = {
    "account": "111122223333",
    "region": "us-east-1",
    "since": datetime(2026, 3, 1, 11, 0, tzinfo=UTC),
    "severity": 8.0,
    "title": "",
}


@pytest.fixture
def desk(ledger, tmp_path):
    now = [datetime(2026, 3, 1, 12, 0, tzinfo=UTC)]

    def clock() -> datetime:
        return now[0]

    roster = Roster(tmp_path / "roster", ledger, clock)
    secrets = {name: parse_qs(urlsplit(roster.enrol(name)).query)["secret"][0] for name in ("alice", "bob", "former")}
    policy = Policy(responders=(Responder(name="alice"), Responder(name="bob"), Responder(name="carol")))
    opening = Opening(ledger, roster, policy, ("111122223333",), clock)

    def code(person: str = "alice") -> str:
        return pyotp.TOTP(secrets[person]).at(now[0]) if person in secrets else "123456"

    def open_(named: Named = NAMED, *, given: str | None = None, **place: object):
        return opening.open(named, **(PLACE | place), code=code(named.person) if given is None else given)

    def later() -> None:
        now[0] += timedelta(minutes=1)

    return SimpleNamespace(open=open_, code=code, later=later)


def deliveries(ledger) -> list[dict]:
    return [dict(line.body) for line in ledger.lines(INTAKE, Kind.DELIVERY)]


def test_what_a_responder_opens_lies_in_the_intake_chain_with_their_name(desk, ledger):
    opened = desk.open()
    (body,) = deliveries(ledger)
    finding = delivered_finding(body)
    assert opened.new
    assert body["incident"] == opened.incident == incident_id(finding)
    assert body["by"] == {
        "person": "alice",
        "method": "one-time-code",
        "reason": "a group nobody knows",
        "at": "2026-03-01T12:00:00+00:00",
    }
    assert (finding.type, finding.named) == (MANUAL, NAMED)


@pytest.mark.parametrize(
    ("named", "place", "words"),
    [
        (replace(NAMED, resources=()), {}, "names nothing"),
        (NAMED, {"region": "everywhere"}, "--region"),
        (NAMED, {"account": "444455556666"}, "not among the accounts"),
        (NAMED, {"since": datetime(2026, 3, 1, 13, 0, tzinfo=UTC)}, "future"),
        (replace(NAMED, person="former"), {}, "not among the responders"),
        (replace(NAMED, person="carol"), {}, "not enrolled"),
        (NAMED, {"given": "000000"}, "wrong"),
    ],
)
def test_what_does_not_count_opens_nothing(desk, ledger, named, place, words):
    with pytest.raises(NotOpened, match=words):
        desk.open(named, **place)
    assert deliveries(ledger) == []


def test_a_mistake_costs_no_code(desk):
    with pytest.raises(NotOpened):
        desk.open(region="everywhere")
    assert desk.open().new


def test_a_code_opens_one_incident(desk):
    code = desk.code()
    assert desk.open(given=code).new
    with pytest.raises(NotOpened, match="used already"):
        desk.open(replace(NAMED, users=("mallory",)), given=code)


def test_the_same_opened_again_is_one_incident_and_costs_no_code(desk, ledger):
    first = desk.open()
    desk.later()
    code = desk.code("bob")
    again = desk.open(replace(NAMED, person="bob", reason="me too"), given=code)
    assert (again.incident, again.new) == (first.incident, False)
    assert len(deliveries(ledger)) == 1
    assert desk.open(replace(NAMED, person="bob", users=("mallory",)), given=code).new


def test_the_code_never_reaches_the_ledger(desk, ledger):
    code = desk.code()
    desk.open()
    assert all(code not in str(body) for body in deliveries(ledger))


def test_the_dispatcher_starts_it_once_as_any_delivery(desk, ledger):
    started = []

    async def start(incident, finding, line):
        started.append((incident, finding.named))
        ledger.append(incident, Kind.RUN, "run", {"flow_run": "x", "delivery": line.key})

    opened = desk.open()

    async def looks() -> None:
        dispatcher = Dispatcher(ledger, start)
        await dispatcher.look()
        await dispatcher.look()
        await Dispatcher(ledger, start).look()

    asyncio.run(looks())
    assert started == [(opened.incident, NAMED)]
