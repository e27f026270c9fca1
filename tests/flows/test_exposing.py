"""The report says what the incident opened to the internet, what of it is closed, and everything that remains open."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from drill.client import RangeClient, boto_client
from flows import reporting
from flows.case import Case
from flows.exposing import note_exposures
from incident.actor import Actor, Credential, Link
from incident.exposures.endpoints import ENDPOINTS
from incident.exposures.exposed import NEEDED
from incident.families import FAMILIES
from incident.ledger import Kind
from incident.reports.report import report
from tasks import render
from tests.public_host import ACCOUNT, REGION, opened, swept

INCIDENT = "inc-000000000001"


@pytest.fixture
def case(public_hands):
    body = {"title": "t", "type": "x", "severity": 8, "account": ACCOUNT, "region": REGION, "reason": ""}
    public_hands.ledger.append(INCIDENT, Kind.OPENED, "opened", body)
    return Case(INCIDENT, public_hands)


def closed(ec2, port: int) -> None:
    told = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.revoke_security_group_ingress(GroupId=ec2.group, IpPermissions=[told])


def noted(case, ec2, records, until: int):
    """The case after identification and scope: alice is the actor, of whose records the first ones are the attack."""
    key = Credential(ec2.key, "alice", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
    case.note("actor:1", Actor(credentials={ec2.key: key}).to_json())
    case.hands.evidence.keep_json(INCIDENT, "records/look-1.json", records[:until], "records")
    note_exposures(case, 1)
    note_exposures(case, 1)
    (line,) = case.hands.ledger.lines(INCIDENT, Kind.EXPOSURES)
    return line.body


def attack(public_range, ec2) -> list:
    opened(ec2, 22)
    opened(ec2, 3389)
    return [one for one in RangeClient(public_range.url).records() if one["eventName"].startswith("AuthorizeSecurityGroup")][-2:]


def reached(found: list) -> list[str]:
    return sorted(way for one in found for way in one["reached"])


def test_opened_closed_and_remaining_are_told_with_their_path(case, public_range, public_ec2):
    opened(public_ec2, 443)
    swept(case.hands, ago=1)
    records = attack(public_range, public_ec2)
    closed(public_ec2, 3389)

    told = noted(case, public_ec2, records, 2)

    ssh, rdp, web = (f"tcp {port} from anywhere (IPv4)" for port in (22, 3389, 443))
    assert reached(told["opened"]) == [ssh, rdp]
    assert reached(told["closed"]) == [rdp]
    assert reached(told["still_open"]) == [ssh]
    assert reached(told["before"]) == [web]
    assert told["others"] == told["untold"] == told["unknown"] == []
    assert told["not_known"] == []
    written = report(case.hands.ledger.lines(INCIDENT))
    page, words = render.html(written), render.text(written)
    assert "What the internet reaches" in page
    assert public_ec2.group in page
    assert f"Of it still open: interface {told['still_open'][0]['resource']}" in words


def test_without_a_baseline_it_says_so_and_lists_what_is_open(case, public_range, public_ec2):
    told = noted(case, public_ec2, attack(public_range, public_ec2), 2)
    assert told["opened"] == []
    assert "no baseline from before the incident" in told["not_known"][0]
    assert len(reached(told["untold"])) == 2
    assert told["closed"] == told["before"] == []


def test_names_are_inert_on_the_page(case, public_range, public_ec2):
    swept(case.hands, ago=1)
    noted(case, public_ec2, attack(public_range, public_ec2), 2)
    written = report(case.hands.ledger.lines(INCIDENT))
    written.exposures["still_open"][0]["path"][0]["words"] = "<script>alert(1)</script> [x](javascript:1)"
    assert "<script>alert" not in render.html(written)
    assert "<script>" not in render.text(written)
    assert "[x](" not in render.text(written)


@pytest.fixture
def told_people(monkeypatch, public_hands) -> list[str]:
    """The report's phase without Prefect: what it says to people is kept here."""
    told: list[str] = []

    async def post(incident, key, message, blocks):
        told.append(message)

    async def show_report(incident, page):
        pass

    monkeypatch.setattr(reporting, "post", post)
    monkeypatch.setattr(reporting, "show_report", show_report)
    config = public_hands.config
    quiet = config.flow_logs.model_copy(update={"in_report": False})
    with_hub = config.aws.model_copy(update={"security_hub": True, "costs": False})
    switched_on = config.model_copy(update={"aws": with_hub, "flow_logs": quiet})
    hands = replace(public_hands, config=switched_on)
    monkeypatch.setattr(reporting, "Case", lambda incident: Case(incident, hands))
    return told


@pytest.fixture
def hub(public_range):
    hub = boto_client(public_range.url, "securityhub", REGION, public_range.bootstrap())
    hub.enable_security_hub(EnableDefaultStandards=False)
    return hub


def test_the_report_imports_the_incident_and_what_it_opened_and_closes_what_is_closed(
    case, told_people, hub, public_range, public_ec2
):
    swept(case.hands, ago=1)
    records = attack(public_range, public_ec2)
    noted(case, public_ec2, records, 2)

    asyncio.run(reporting.write_report.fn(INCIDENT))

    def workflows(kind: str) -> list[str]:
        found = hub.get_findings()["Findings"]
        return sorted(one["Workflow"]["Status"] for one in found if one["GeneratorId"] == f"countermand/{kind}")

    assert workflows("exposure") == ["NEW"]
    closed(public_ec2, 22)
    closed(public_ec2, 3389)
    case.note("actor:2", case.actor(1).to_json())
    case.hands.evidence.keep_json(INCIDENT, "records/look-2.json", records, "records")
    asyncio.run(reporting.write_report.fn(INCIDENT, 2))
    assert workflows("exposure") == ["RESOLVED"]
    assert [message for message in told_people if "Not imported" in message] == []


def test_what_security_hub_does_not_take_is_in_the_reports_message(case, told_people, public_range, public_ec2):
    swept(case.hands, ago=1)
    noted(case, public_ec2, attack(public_range, public_ec2), 2)
    asyncio.run(reporting.write_report.fn(INCIDENT))
    assert "Not imported into Security Hub" in told_people[-1]


def test_what_is_read_at_the_end_is_what_the_path_is_judged_by():
    """A kind that the path needs and that is not read would make everything unknown."""
    assert {kind for family in FAMILIES for kind in family.kinds} >= NEEDED
    assert {kind for kind, _ in ENDPOINTS} <= NEEDED
