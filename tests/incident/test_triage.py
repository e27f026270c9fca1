"""What a finding leads to: the playbook's types start a response, every other type reaches a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from findings import ACCOUNT, INSTANCE_TYPE, KEY_RESOURCE, as_api, envelope, finding
from hypothesis import given
from hypothesis import strategies as st

from incident.findings.finding import parse_finding
from incident.findings.finding_types import ACTIVE, PLAYBOOK, RETIRED, ROOT, group_of, subject_of
from incident.findings.triage import NOTIFY_PHASES, RESPONSE_PHASES, RESPONSE_PLANS, Triage, triage

_EVERY_TYPE = sorted({type_ for types in ACTIVE.values() for type_ in types} | PLAYBOOK | RETIRED)


def _triage(type_: str, **more: Any) -> Triage:
    return triage(parse_finding(envelope(finding(type_, **more))))


@pytest.mark.parametrize("type_", sorted(PLAYBOOK - ROOT))
def test_each_type_of_the_playbook_starts_the_whole_response(type_: str) -> None:
    verdict = _triage(type_)
    assert verdict.starts_response
    assert verdict.phases == RESPONSE_PHASES
    assert verdict.plans == RESPONSE_PLANS
    assert not verdict.pages


@pytest.mark.parametrize("where", ["InsideAWS", "OutsideAWS"])
def test_the_playbooks_instance_credential_type_starts_a_response_under_todays_names(where: str) -> None:
    assert _triage(f"UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.{where}").starts_response


@pytest.mark.parametrize("type_", _EVERY_TYPE)
def test_every_type_has_a_group_a_subject_and_a_verdict(type_: str) -> None:
    verdict = _triage(type_)
    assert verdict.subject != "unknown"
    assert verdict.reason
    assert verdict.phases in (RESPONSE_PHASES, NOTIFY_PHASES)
    assert verdict.starts_response == bool(verdict.plans)
    if type_ != "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration":
        assert verdict.group != "unknown"


@pytest.mark.parametrize(
    "type_", ["Impact:Moon/LandingFaked", "nonsense", "Recon:EC2/portprobeunprotectedport", "UnauthorizedAccess"]
)
def test_an_unknown_type_is_notified_and_never_dropped(type_: str) -> None:
    verdict = _triage(type_)
    assert (verdict.starts_response, verdict.phases, verdict.plans) == (False, NOTIFY_PHASES, ())
    assert "not known" in verdict.reason


@pytest.mark.parametrize(
    "type_", ["Policy:S3/BucketPublicAccessGranted", "Execution:Runtime/ReverseShell", "Recon:IAMUser/UserPermissions"]
)
def test_a_known_type_outside_the_playbook_is_left_to_a_person(type_: str) -> None:
    verdict = _triage(type_)
    assert not verdict.starts_response
    assert "a person decides" in verdict.reason


@pytest.mark.parametrize("type_", ["UnauthorizedAccess:IAMUser/TorIPCaller", INSTANCE_TYPE, "Policy:IAMUser/RootCredentialUsage"])
@pytest.mark.parametrize("shape", [envelope, as_api])
def test_a_sample_finding_changes_nothing_and_pages_nobody(type_: str, shape: Any) -> None:
    verdict = triage(parse_finding(shape(finding(type_, sample=True))))
    assert not verdict.starts_response
    assert not verdict.pages
    assert "sample" in verdict.reason


_ROOT_KEY = KEY_RESOURCE | {"accessKeyDetails": {"accessKeyId": "ASIAROOTEXAMPLE", "userName": "Root", "userType": "Root"}}


@pytest.mark.parametrize(
    ("type_", "resource"),
    [
        ("Policy:IAMUser/RootCredentialUsage", _ROOT_KEY),
        ("UnauthorizedAccess:IAMUser/MaliciousIPCaller", _ROOT_KEY),
        ("Policy:IAMUser/RootCredentialUsage", {}),
        ("Policy:IAMUser/ShortTermRootCredentialUsage", {}),
    ],
)
def test_root_credentials_page_a_person_and_what_they_changed_is_still_undone(type_: str, resource: dict[str, Any]) -> None:
    verdict = _triage(type_, resource=resource)
    assert verdict.pages
    assert verdict.starts_response
    assert verdict.phases == RESPONSE_PHASES
    assert "a person must act by hand" in verdict.reason


def test_the_verdict_prints_what_a_person_needs() -> None:
    printed = json.loads(json.dumps(_triage("UnauthorizedAccess:IAMUser/TorIPCaller").to_json()))
    assert (
        printed.items()
        >= {
            "type": "UnauthorizedAccess:IAMUser/TorIPCaller",
            "severity": 8.0,
            "severity_word": "high",
            "account": ACCOUNT,
            "region": "eu-west-1",
            "principal": f"arn:aws:iam::{ACCOUNT}:user/mallory",
            "subject": "principal",
            "pages": False,
            "starts_response": True,
        }.items()
    )
    assert printed["resources"] == ["AKIAMALLORYEXAMPLE"]
    assert printed["phases"] == list(RESPONSE_PHASES)
    assert printed["plans"] == list(RESPONSE_PLANS)


@pytest.mark.parametrize(
    ("details", "principal"),
    [
        ({"userName": "mallory", "userType": "IAMUser"}, f"arn:aws:iam::{ACCOUNT}:user/mallory"),
        (
            {"userName": "deploy", "userType": "AssumedRole", "principalId": "AROAEXAMPLE:i-1"},
            f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/i-1",
        ),
        ({"userName": "Root", "userType": "Root"}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"accessKeyId": "AKIAEXAMPLE"}, ""),
    ],
)
def test_the_principal_is_named_by_its_arn(details: dict[str, str], principal: str) -> None:
    resource = {"resourceType": "AccessKey", "accessKeyDetails": details}
    assert _triage("UnauthorizedAccess:IAMUser/TorIPCaller", resource=resource).principal == principal


def test_an_instance_is_named_with_its_interfaces_and_profile() -> None:
    verdict = _triage(INSTANCE_TYPE)
    assert verdict.resources == ("i-0123456789abcdef0", "eni-1", "eni-2")
    assert verdict.principal == f"arn:aws:iam::{ACCOUNT}:instance-profile/web"


@given(st.text(), st.sampled_from(["Root", "IAMUser", "AssumedRole", "", None]))
def test_no_type_is_ever_without_a_verdict(type_: str, user_type: str | None) -> None:
    body = finding(type_ or "x", resource={"accessKeyDetails": {"userType": user_type}})
    verdict = triage(parse_finding(body))
    assert verdict.phases[0] == "detect"
    assert verdict.phases[-1] == "report"
    json.dumps(verdict.to_json())


def test_every_active_type_that_is_published_is_known(corpus: Path) -> None:
    published = json.loads((corpus / "guardduty_types.json").read_text())
    for group, types in published["active_by_group"].items():
        assert {type_: group_of(type_) for type_ in types} == dict.fromkeys(types, group)
    assert set(published["retired"]) <= RETIRED
    assert {subject_of(type_) for types in published["active_by_group"].values() for type_ in types}.isdisjoint({"unknown"})


def test_an_archived_finding_changes_nothing() -> None:
    verdict = _triage(INSTANCE_TYPE, service={"archived": True})
    assert not verdict.starts_response
    assert "archived" in verdict.reason
