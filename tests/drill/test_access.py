"""Who gets in: keys, sessions, policies, regions. Containment is proved by the next call being refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drill.aws import KeyPair, Range
from tests.drill.conftest import ACCOUNT, OTHER_ACCOUNT, Clients, code_of, new_key

DENY_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})


def _refusals(client: Clients, keys: KeyPair, region: str = "us-east-1") -> dict[str, str]:
    calls = {"ec2": "describe_vpcs", "iam": "list_users", "cloudtrail": "lookup_events", "lambda": "list_functions"}
    calls |= {"s3": "list_buckets", "sns": "list_topics"}
    return {s: code_of(getattr(client(s, region, keys), method)) for s, method in calls.items()}


UNKNOWN = {
    "ec2": "AuthFailure",
    "iam": "InvalidClientTokenId",
    "cloudtrail": "UnrecognizedClientException",
    "lambda": "UnrecognizedClientException",
    "s3": "InvalidAccessKeyId",
    "sns": "InvalidClientTokenId",
}


def test_a_key_that_nobody_made_is_refused(client: Clients, aws: Range) -> None:
    assert _refusals(client, KeyPair("AKIAINVENTEDKEY00000", "x")) == UNKNOWN
    assert aws.app.trail.records() == []


def test_an_inactive_key_is_refused_and_works_again_when_active(client: Clients, mallory: KeyPair) -> None:
    iam = client("iam")
    iam.update_access_key(UserName="mallory", AccessKeyId=mallory.access_key, Status="Inactive")
    assert _refusals(client, mallory) == UNKNOWN
    iam.update_access_key(UserName="mallory", AccessKeyId=mallory.access_key, Status="Active")
    assert code_of(client("ec2", keys=mallory).describe_vpcs) == ""


def test_a_deleted_key_is_refused(client: Clients, mallory: KeyPair) -> None:
    client("iam").delete_access_key(UserName="mallory", AccessKeyId=mallory.access_key)
    assert _refusals(client, mallory) == UNKNOWN


def test_an_inline_deny_refuses_and_is_recorded(client: Clients, mallory: KeyPair, aws: Range) -> None:
    client("iam").put_user_policy(UserName="mallory", PolicyName="stop", PolicyDocument=DENY_ALL)
    assert code_of(client("ec2", keys=mallory).create_internet_gateway) == "UnauthorizedOperation"
    assert code_of(client("iam", keys=mallory).create_user, UserName="eve") == "AccessDenied"
    assert [r.get("errorCode") for r in aws.app.trail.records()][-2:] == ["Client.UnauthorizedOperation", "AccessDenied"]


def test_a_user_without_policies_may_do_nothing(client: Clients) -> None:
    iam = client("iam")
    iam.create_user(UserName="nobody")
    keys = new_key(iam, "nobody")
    assert code_of(client("ec2", keys=keys).describe_vpcs) == "UnauthorizedOperation"
    assert client("sts", keys=keys).get_caller_identity()["Arn"].endswith("user/nobody")


def test_a_boundary_limits_a_user(client: Clients, mallory: KeyPair) -> None:
    client("iam").put_user_permissions_boundary(UserName="mallory", PermissionsBoundary="arn:aws:iam::aws:policy/AWSDenyAll")
    assert code_of(client("ec2", keys=mallory).describe_vpcs) == "UnauthorizedOperation"


# ---- sessions ---------------------------------------------------------------------------------------------------


@pytest.fixture
def role(client: Clients) -> str:
    iam = client("iam")
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/mallory"}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_role(RoleName="Ops", AssumeRolePolicyDocument=json.dumps(trust))
    iam.attach_role_policy(RoleName="Ops", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return f"arn:aws:iam::{ACCOUNT}:role/Ops"


def _assume(client: Clients, keys: KeyPair, role: str, **more: Any) -> KeyPair:
    given = client("sts", keys=keys).assume_role(RoleArn=role, RoleSessionName="session", **more)["Credentials"]
    return KeyPair(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def test_a_session_has_its_role_in_the_record(client: Clients, mallory: KeyPair, role: str, aws: Range) -> None:
    session = _assume(client, mallory, role)
    client("ec2", keys=session, source_ip="198.51.100.7").create_internet_gateway()
    assumed, made = aws.app.trail.records()[-2:]
    assert (assumed["eventName"], assumed["readOnly"]) == ("AssumeRole", True)
    assert assumed["responseElements"]["credentials"]["accessKeyId"] == session.access_key
    identity = made["userIdentity"]
    assert identity["type"] == "AssumedRole"
    assert identity["sessionContext"]["sessionIssuer"]["arn"] == role
    assert made["sourceIPAddress"] == "198.51.100.7"
    assert identity["principalId"] == client("sts", keys=session).get_caller_identity()["UserId"]


def test_a_session_outlives_the_key_that_made_it(client: Clients, mallory: KeyPair, role: str) -> None:
    session = _assume(client, mallory, role)
    client("iam").update_access_key(UserName="mallory", AccessKeyId=mallory.access_key, Status="Inactive")
    assert code_of(client("ec2", keys=session).describe_vpcs) == ""


def test_a_deny_by_issue_time_stops_old_sessions_only(client: Clients, mallory: KeyPair, role: str, aws: Range) -> None:
    old = _assume(client, mallory, role)
    aws.clock.advance(5)
    now = datetime.fromtimestamp(aws.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": now}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    client("iam").put_role_policy(RoleName="Ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    assert code_of(client("ec2", keys=old).describe_vpcs) == "UnauthorizedOperation"
    aws.clock.advance(5)
    assert code_of(client("ec2", keys=_assume(client, mallory, role)).describe_vpcs) == ""


def test_a_deny_by_issue_time_on_a_user_spares_the_long_term_key(client: Clients, mallory: KeyPair, aws: Range) -> None:
    given = client("sts", keys=mallory).get_session_token()["Credentials"]
    session = KeyPair(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    later = (datetime.fromtimestamp(aws.clock.now(), UTC) + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": later}}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    client("iam").put_user_policy(UserName="mallory", PolicyName="p", PolicyDocument=document)
    assert code_of(client("ec2", keys=session).describe_vpcs) == "UnauthorizedOperation"
    assert code_of(client("ec2", keys=mallory).describe_vpcs) == ""


def test_a_session_expires(client: Clients, mallory: KeyPair, role: str, aws: Range) -> None:
    session = _assume(client, mallory, role, DurationSeconds=900)
    aws.clock.advance(901)
    assert code_of(client("ec2", keys=session).describe_vpcs) == "RequestExpired"
    assert code_of(client("iam", keys=session).list_users) == "ExpiredToken"


def test_only_those_who_are_trusted_assume(client: Clients, mallory: KeyPair, role: str) -> None:
    sts = client("sts")
    assert code_of(sts.assume_role, RoleArn=role, RoleSessionName="session") == "AccessDenied"
    missing = f"arn:aws:iam::{ACCOUNT}:role/Missing"
    assert code_of(client("sts", keys=mallory).assume_role, RoleArn=missing, RoleSessionName="session") == "AccessDenied"


def test_the_responder_reaches_every_account(client: Clients, aws: Range) -> None:
    role = f"arn:aws:iam::{OTHER_ACCOUNT}:role/CountermandResponder"
    session = _assume(client, aws.responder(), role)
    assert client("sts", keys=session).get_caller_identity()["Account"] == OTHER_ACCOUNT
    both = [r["recipientAccountId"] for r in aws.app.trail.records() if r["eventName"] == "AssumeRole"]
    assert both == [ACCOUNT, OTHER_ACCOUNT]


def test_a_federated_user_may_do_what_both_policies_allow(client: Clients, mallory: KeyPair) -> None:
    only_reads = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}
    given = client("sts", keys=mallory).get_federation_token(Name="fed", Policy=json.dumps(only_reads))["Credentials"]
    ec2 = client("ec2", keys=KeyPair(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]))
    assert code_of(ec2.describe_vpcs) == ""
    assert code_of(ec2.create_internet_gateway) == "UnauthorizedOperation"


# ---- regions ----------------------------------------------------------------------------------------------------


def test_a_region_that_is_not_opted_in_refuses_good_keys(client: Clients, aws: Range) -> None:
    assert _refusals(client, aws.responder(), "ap-east-1") == {**UNKNOWN, "iam": ""}


def test_regions_say_whether_they_are_enabled(client: Clients) -> None:
    shown = client("ec2").describe_regions(AllRegions=True)["Regions"]
    enabled = {r["RegionName"] for r in shown if r["OptInStatus"] != "not-opted-in"}
    assert enabled == {"us-east-1", "eu-central-1"}
    assert {r["RegionName"] for r in client("ec2").describe_regions()["Regions"]} == enabled
    account = client("account")
    pages = account.get_paginator("list_regions").paginate(PaginationConfig={"PageSize": 10})
    listed = {r["RegionName"]: r["RegionOptStatus"] for page in pages for r in page["Regions"]}
    assert {r for r, status in listed.items() if status != "DISABLED"} == enabled
    assert len(listed) == len(shown)
