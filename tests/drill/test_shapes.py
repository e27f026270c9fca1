"""Records have CloudTrail's shapes: real requests survive the way to API parameters and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drill.aws.shapes import families, request_parameters
from drill.aws.wire import service_model
from tests.drill.conftest import Clients, code_of, corpus, permission
from tests.drill.record_decoder import decode

FILES = ["stratus-red-team", "incident-open-ssh-to-world", "incident-traffic-mirroring", "cloud-custodian", "streamalert"]
# Records from before CloudTrail wrote a field that it writes today, or made by hand.
OLDER = {
    ("cloud-custodian", "RunInstances"),
    ("streamalert", "AuthorizeSecurityGroupIngress"),
    ("streamalert", "DeleteFlowLogs"),
    ("streamalert", "DisableEbsEncryptionByDefault"),
}


def _requests(name: str) -> list[dict[str, Any]]:
    known = set(service_model("ec2").operation_names)
    return [
        r
        for r in corpus("cloudtrail", f"{name}.jsonl")
        if r.get("eventSource") == "ec2.amazonaws.com"
        and r["eventName"] in known
        and not r["eventName"].startswith(("Describe", "Get"))
        and isinstance(r.get("requestParameters"), dict)
        and (name, r["eventName"]) not in OLDER
    ]


@pytest.mark.parametrize("name", FILES)
def test_real_requests_survive_the_round_trip(name: str) -> None:
    records = _requests(name)
    if not records:
        pytest.skip(f"{name} has no changing EC2 call")
    for record in records:
        params = decode(record["eventName"], record["requestParameters"])
        assert request_parameters("ec2", record["eventName"], params) == record["requestParameters"], record["eventName"]


@pytest.mark.parametrize("name", FILES)
def test_real_records_are_of_the_family_that_the_range_writes(name: str) -> None:
    for record in _requests(name):
        keys = list(record["requestParameters"])
        wrapped = len(keys) == 1 and keys[0].endswith(("Request", "Req"))
        assert wrapped == (record["eventName"] not in families.CLASSIC), record["eventName"]


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _keys(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_keys(value[0])] if value else []
    return type(value).__name__


def test_an_authorization_is_answered_like_a_real_one(client: Clients, ec2: Any, group: str, aws: Any) -> None:
    real = next(
        r
        for r in corpus("cloudtrail", "incident-open-ssh-to-world.jsonl")
        if r["eventName"] == "AuthorizeSecurityGroupIngress" and not r.get("errorCode")
    )
    ec2.authorize_security_group_ingress(**{**decode(real["eventName"], real["requestParameters"]), "GroupId": group})
    ours = aws.app.trail.records()[-1]
    assert _keys(ours["requestParameters"]) == _keys(real["requestParameters"])
    assert _keys(ours["responseElements"]) == _keys(real["responseElements"])
    assert set(real) <= set(ours)


def test_wrapped_lists_carry_tags_and_single_entries_stand_alone() -> None:
    one = request_parameters("ec2", "DeleteFlowLogs", {"FlowLogIds": ["fl-1"]})
    two = request_parameters("ec2", "DeleteFlowLogs", {"FlowLogIds": ["fl-1", "fl-2"]})
    assert one == {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-1", "tag": 1}}}
    assert two == {"DeleteFlowLogsRequest": {"FlowLogId": [{"content": "fl-1", "tag": 1}, {"content": "fl-2", "tag": 2}]}}


def test_secrets_are_left_out(client: Clients, ec2: Any, aws: Any) -> None:
    ec2.run_instances(ImageId="ami-0a1b2c3d4e5f60001", MinCount=1, MaxCount=1, UserData="top secret")
    ec2.create_key_pair(KeyName="k")
    iam = client("iam")
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]
    iam.create_login_profile(UserName="u", Password="Secret-1234")
    text = json.dumps(aws.app.trail.records())
    assert "<sensitiveDataRemoved>" in text
    for secret in ("top secret", "dG9wIHNlY3JldA", "PRIVATE KEY", key["SecretAccessKey"], "Secret-1234"):
        assert secret not in text


def test_a_refused_call_has_its_code_and_no_answer(ec2: Any, group: str, aws: Any) -> None:
    assert code_of(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[permission()]) == "InvalidPermission.NotFound"
    record = aws.app.trail.records()[-1]
    assert record["errorCode"] == "Client.InvalidPermission.NotFound"
    assert record["responseElements"] is None


def test_services_but_ec2_write_plain_lower_camel(client: Clients, aws: Any) -> None:
    client("iam").create_user(UserName="bob", Tags=[{"Key": "team", "Value": "x"}])
    record = aws.app.trail.records()[-1]
    assert record["requestParameters"] == {"userName": "bob", "tags": [{"key": "team", "value": "x"}]}
    assert record["responseElements"]["user"]["userName"] == "bob"
    assert record["responseElements"]["user"]["userId"].startswith("AIDA")


def test_global_services_are_recorded_at_home(client: Clients, aws: Any) -> None:
    client("iam", "eu-central-1").create_user(UserName="bob")
    assert aws.app.trail.records()[-1]["awsRegion"] == "us-east-1"
