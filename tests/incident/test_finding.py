"""Findings in every form in which they arrive, and in every form in which they must not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from findings import ACCOUNT, FINDING_ID, INSTANCE_TYPE, as_api, envelope, finding, notification
from hypothesis import given
from hypothesis import strategies as st

from incident.findings.finding import AccessKey, Finding, FindingError, Instance, incident_id, parse_finding

FORMS = {
    "EventBridge": envelope,
    "EventBridge's detail": lambda body: body,
    "GetFindings' finding": as_api,
    "GetFindings' answer": lambda body: {"Findings": [as_api(body)]},
    "UpperCamel in EventBridge": lambda body: envelope(as_api(body)),
    "SNS around EventBridge": lambda body: notification(envelope(body)),
    "SNS around GetFindings": lambda body: notification({"Findings": [as_api(body)]}),
    "SNS around SNS": lambda body: notification(notification(envelope(body))),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_finding_about_a_key_reads_the_same_in_every_form(form: str) -> None:
    assert parse_finding(FORMS[form](finding())) == Finding(
        id=FINDING_ID,
        type="UnauthorizedAccess:IAMUser/MaliciousIPCaller",
        account=ACCOUNT,
        region="eu-west-1",
        severity=8.0,
        title="API AuthorizeSecurityGroupIngress was invoked from a known malicious IP address.",
        description="It was.",
        updated_at=datetime(2026, 3, 1, 12, 15, 0, 456000, tzinfo=UTC),
        first_seen=datetime(2026, 3, 1, 12, tzinfo=UTC),
        last_seen=datetime(2026, 3, 1, 12, 10, tzinfo=UTC),
        count=3,
        detector_id="d0d0",
        resource_type="AccessKey",
        access_key=AccessKey("AKIAMALLORYEXAMPLE", "AIDAMALLORYEXAMPLE", "mallory", "IAMUser"),
        instance=None,
        buckets=(),
        remote_ips=("198.51.100.7", "2001:db8::7"),
        api_call="AuthorizeSecurityGroupIngress",
        archived=False,
        sample=False,
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_finding_about_an_instance_names_it_and_each_prober_once(form: str) -> None:
    read = parse_finding(FORMS[form](finding(INSTANCE_TYPE)))
    assert read.instance == Instance("i-0123456789abcdef0", f"arn:aws:iam::{ACCOUNT}:instance-profile/web", ("eni-1", "eni-2"))
    assert read.remote_ips == ("198.51.100.7", "198.51.100.8")
    assert read.access_key is None


def test_buckets_are_named() -> None:
    buckets = [{"name": "one", "arn": "arn:aws:s3:::one"}, {"name": None}, "two", {"name": "three"}]
    assert parse_finding(finding(resource={"resourceType": "S3Bucket", "s3BucketDetails": buckets})).buckets == ("one", "three")


@pytest.mark.parametrize(
    ("severity", "read", "word"),
    [
        (1, 1.0, "low"),
        (3.9, 3.9, "low"),
        (4, 4.0, "medium"),
        (6.9, 6.9, "medium"),
        (7, 7.0, "high"),
        ("8.9", 8.9, "high"),
        (9, 9.0, "critical"),
        (10.0, 10.0, "critical"),
        (None, 0.0, "unknown"),
        ("severe", 0.0, "unknown"),
        (True, 0.0, "unknown"),
        (float("nan"), 0.0, "unknown"),
        (10**400, 0.0, "unknown"),
    ],
)
def test_severity_has_a_number_and_guarddutys_word(severity: object, read: float, word: str) -> None:
    one = parse_finding(finding(severity=severity))
    assert (one.severity, one.severity_word) == (read, word)


def test_what_is_missing_comes_from_the_arn_or_the_envelope() -> None:
    bare = {name: value for name, value in finding().items() if name not in ("accountId", "region", "service")}
    read = parse_finding(bare)
    assert (read.account, read.region, read.detector_id) == (ACCOUNT, "eu-west-1", "d0d0")
    without_arn = {name: value for name, value in bare.items() if name != "arn"}
    read = parse_finding(envelope(without_arn))
    assert (read.account, read.region) == (ACCOUNT, "eu-west-1")
    assert parse_finding(envelope(finding(accountId="999988887777"))).account == "999988887777", "the finding's own word wins"


def test_times_fall_back_to_those_that_are_there() -> None:
    read = parse_finding(finding(service={"eventFirstSeen": None, "eventLastSeen": "soon"}))
    assert read.first_seen == datetime(2026, 3, 1, 12, 5, 0, 123000, tzinfo=UTC)
    assert read.last_seen == read.updated_at
    assert read.dated
    undated = parse_finding({"id": "x", "type": "A:B/C"})
    assert not undated.dated


def test_a_time_without_a_zone_is_utc_and_one_with_a_zone_becomes_utc() -> None:
    assert parse_finding(finding(updatedAt="2026-03-01T12:00:00")).updated_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_finding(finding(updatedAt="2026-03-01T12:00:00+08:00")).updated_at == datetime(2026, 3, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize("address", ["AWS Internal", "ec2.amazonaws.com", "", None, 7, "198.51.100.999"])
def test_what_is_no_address_proves_nothing_about_anybody(address: object) -> None:
    action = {"awsApiCallAction": {"api": "RunInstances", "remoteIpDetails": {"ipAddressV4": address}}}
    assert parse_finding(finding(service={"action": action})).remote_ips == ()


@pytest.mark.parametrize(
    ("info", "sample"),
    [
        ({"sample": True}, True),
        ({"value": '{"domain":"x", "sample": true}'}, True),
        ({"value": '{"sample":false}'}, False),
        ({"value": '{"userAgent":{"sample":true}}'}, False),
        ({"value": "not json"}, False),
        ({"value": "[" * 100_000}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("shape", [lambda body: body, as_api])
def test_samples_are_known_by_guarddutys_own_mark_only(info: dict[str, Any], sample: bool, shape: Any) -> None:
    assert parse_finding(shape(finding(service={"additionalInfo": info}))).sample is sample


def test_the_incident_is_the_same_for_every_version_and_every_door() -> None:
    first = incident_id(parse_finding(finding()))
    later = incident_id(parse_finding(notification(envelope(finding(updatedAt="2026-03-02T00:00:00Z", service={"count": 9})))))
    assert first == later == "inc-cb063d153760"
    assert incident_id(parse_finding(finding(region="us-east-1"))) != first


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def _cycle() -> dict[str, Any]:
    body = finding()
    body["resource"] = {"self": body}
    return body


@pytest.mark.parametrize(
    ("raw", "remedy"),
    [
        (None, "a finding is a JSON object"),
        ([], "a finding is a JSON object"),
        ("{}", "a finding is a JSON object"),
        (7, "a finding is a JSON object"),
        ({}, "no id or no type"),
        ({"id": "x"}, "no id or no type"),
        ({"id": {"id": "x"}, "type": "A:B/C"}, "no id or no type"),
        ({"Findings": []}, "0 findings; give one"),
        ({"Findings": [finding(), finding()]}, "2 findings; give one"),
        ({"Findings": ["x"]}, "a finding is a JSON object"),
        (envelope(finding()) | {"detail-type": "AWS API Call via CloudTrail"}, "carries no GuardDuty finding"),
        (notification("soon"), "the message inside is no JSON"),
        (notification("[" * 100_000), "the message inside is no JSON"),
        (notification(" " * 2_000_000), "more than 1048576 characters"),
        ({"Type": "SubscriptionConfirmation", "Message": "confirm"}, "no id or no type"),
        (notification(notification(notification(notification(finding())))), "wrapped too often"),
        (finding(resource=_nested(5_000)), "nested more than"),
        (finding(resource=[0] * 200_000), "more than 100000 values"),
        (_cycle(), "nested more than"),
    ],
)
def test_anything_else_is_refused_in_one_line_that_says_what_to_give(raw: object, remedy: str) -> None:
    with pytest.raises(FindingError) as refused:
        parse_finding(raw)
    assert remedy in str(refused.value)
    assert "\n" not in str(refused.value)


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.binary(max_size=8)
_KNOWN_NAMES = (
    "id type accountId region arn severity title updatedAt createdAt service resource action additionalInfo value sample count "
    "detectorId archived eventFirstSeen accessKeyDetails instanceDetails networkInterfaces iamInstanceProfile s3BucketDetails "
    "name remoteIpDetails ipAddressV4 portProbeDetails awsApiCallAction api detail detail-type Findings Type Message"
)
_NAMES = st.sampled_from(_KNOWN_NAMES.split()) | st.text(max_size=5)
_ANYTHING = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=6), max_leaves=25
)


@given(_ANYTHING)
def test_no_value_whatever_makes_parsing_fail_in_another_way(raw: object) -> None:
    try:
        read = parse_finding(raw)
    except FindingError:
        return
    assert read.id
    assert read.type


@given(resource=_ANYTHING, service=_ANYTHING, fields=st.dictionaries(_NAMES, _ANYTHING, max_size=4), upper=st.booleans())
def test_a_finding_with_anything_in_it_is_read_or_refused_and_has_an_incident(
    resource: object, service: object, fields: dict[str, Any], upper: bool
) -> None:
    body = finding() | {"resource": resource, "service": service} | fields
    try:
        read = parse_finding(as_api(body) if upper else envelope(body))
    except FindingError:
        return
    assert incident_id(read).startswith("inc-")
    assert read.severity_word in ("unknown", "low", "medium", "high", "critical")
    json.dumps(read.title).encode()


def _lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines() if line.strip()]


def test_every_public_finding_is_read(corpus: Path) -> None:
    findings = [parse_finding(raw) for raw in _lines(corpus / "guardduty")]
    assert len(findings) >= 23
    for one in findings:
        assert one.account.isdigit()
        assert one.region
        assert one.severity > 0
        assert one.access_key or one.instance or one.buckets or ":RDS/" in one.type
    assert sum(one.sample for one in findings) >= 10


def test_of_the_public_events_those_that_carry_a_finding_are_read_and_all_others_refused(corpus: Path) -> None:
    events = _lines(corpus / "eventbridge")
    assert len(events) >= 34
    for event in events:
        if event["detail-type"] == "GuardDuty Finding":
            assert parse_finding(event).type
        else:
            with pytest.raises(FindingError, match="carries no GuardDuty finding"):
                parse_finding(event)
