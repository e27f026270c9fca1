"""Incidents and exposures as findings of Security Hub: their form, their limits, and that their workflow follows."""

from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.practice.configuration import granted_to, responder_credentials
from incident.hub_findings import findings_of
from incident.ledger import GENESIS, Kind, chained
from incident.reports.report import report
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.hub_findings import import_findings

ACCOUNT, REGION = "111122223333", "eu-central-1"
INCIDENT = "inc-0123456789"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATION = botocore.session.get_session().get_service_model("securityhub").operation_model("BatchImportFindings")


def exposure(resource: str, **more) -> dict:
    told = {"account": ACCOUNT, "region": REGION, "what": "interface", "resource": resource, "address": "203.0.113.7"}
    path = [{"resource": "igw-1", "words": "the internet gateway"}]
    return {**told, "verdict": "open", "reached": ["tcp 22 from anywhere (IPv4)"], "path": path, **more}


def written(*, title: str = "Bad", complete: bool | None = None, still: tuple = (), opened: tuple = ()):
    """The report of an incident with these exposures."""
    body = {"type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller", "account": ACCOUNT, "region": REGION, "severity": 8.0}
    said: list[tuple[Kind, dict]] = [
        (Kind.OPENED, body | {"title": title, "reason": "the playbook says so", "suspects": []}),
        (Kind.EXPOSURES, {"at": AT.isoformat(), "opened": list(opened), "still_open": list(still)}),
    ]
    if complete is not None:
        said.append((Kind.PROOF, {"complete": complete, "settings_checked": 1, "left": [], "differs": [], "regions": []}))
    lines = []
    for number, (kind, told) in enumerate(said, start=1):
        previous = lines[-1].hash if lines else GENESIS
        lines.append(chained(INCIDENT, number, str(kind), str(kind), AT, told, previous))
    return report(lines)


@pytest.fixture(scope="module")
def running():
    granted = granted_to([ACCOUNT], ImportFindings="yes")
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted)) as aws:
        yield aws


@pytest.fixture
def hub(running, monkeypatch):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    client = boto_client(running.url, "securityhub", REGION, running.bootstrap())
    client.enable_security_hub(EnableDefaultStandards=False)
    return client


@pytest.fixture
def aws(running):
    return Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=running.url))


def shown(hub) -> dict[str, tuple[str, str]]:
    return {one["Id"]: (one["Workflow"]["Status"], one["Severity"]["Label"]) for one in hub.get_findings()["Findings"]}


def test_the_workflow_follows_the_incident_and_its_exposures(hub, aws, ledger):
    ssh = exposure("eni-1")
    assert import_findings(aws, ledger, written(complete=False, still=(ssh,), opened=(ssh,)), AT) == []
    first = shown(hub)
    assert sorted(first.values()) == [("NEW", "HIGH"), ("NOTIFIED", "HIGH")]

    assert import_findings(aws, ledger, written(complete=True, opened=(ssh,)), AT.replace(hour=13)) == []

    second = shown(hub)
    assert second.keys() == first.keys()
    assert sorted(second.values()) == [("RESOLVED", "HIGH"), ("RESOLVED", "INFORMATIONAL")]
    notes = [line.body for line in ledger.lines(INCIDENT, Kind.NOTE) if line.key.startswith("security-hub:")]
    assert [note["imported"] for note in notes] == [2, 2]


def test_what_security_hub_does_not_take_is_said_and_kept(hub, aws, ledger):
    hub.disable_security_hub()
    (problem,) = import_findings(aws, ledger, written(), AT)
    assert "not subscribed" in problem
    assert [line.body["imported"] for line in ledger.lines(INCIDENT, Kind.NOTE)] == [0]


def test_nothing_is_lost_where_there_are_more_than_one_call_takes(hub, aws, ledger):
    many = tuple(exposure(f"eni-{number}") for number in range(130))
    assert import_findings(aws, ledger, written(still=many), AT) == []
    pages = hub.get_paginator("get_findings").paginate()
    assert len([one for page in pages for one in page["Findings"]]) == 131


@given(st.text(max_size=400), st.text(max_size=2000))
@settings(max_examples=50)
def test_whatever_is_named_the_findings_fit_the_format(title, words):
    title, words = (one.encode(errors="replace").decode() for one in (title, words))
    found = findings_of(written(title=title, still=(exposure(words or "eni-1", reached=[words]),)), AT)
    assert ParamValidator().validate({"Findings": found}, OPERATION.input_shape).generate_report() == ""
    for one in found:
        assert one["ProductArn"] == f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default"
        assert (len(one["Title"]) <= 256, len(one["Description"]) <= 1024, len(one["Resources"][0]["Id"]) <= 512) == (True,) * 3
        assert not any(ord(sign) < 32 or sign in "\u202e\u200b" for sign in one["Title"] + one["Description"])
