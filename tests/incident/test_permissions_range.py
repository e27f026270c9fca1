"""The policies against the calls: what families declare is what they plan, and AWS lets the responder's role make those calls.

Ids are invented: that a call gets past the policies shows in any other answer than a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from examples import ACCOUNT, setting
from hypothesis import given, settings
from hypothesis import strategies as st
from test_network_properties import ALWAYS_THERE, CASES, Case

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.families import FAMILIES, family_for_kind
from incident.family import Acts, Call, Unrestorable
from incident.permissions import Acting, action_of, needed
from incident.policies import allowed_by
from incident.settings import Observed, SettingKey, Value
from tasks.aws import DENIED, Aws, AwsError
from tasks.config import AwsConfig

pytestmark = pytest.mark.served

EXAMPLES = settings(max_examples=25, deadline=None, derandomize=True, database=None)
DOCUMENT = '{"Version":"2012-10-17","Statement":[]}'
ARN = "arn:aws:iam::aws:policy/ReadOnlyAccess"
MIRRORED: Value = {
    "TrafficMirrorFilterId": "tmf-1",
    "TrafficDirection": "ingress",
    "RuleNumber": 1,
    "RuleAction": "accept",
    "DestinationCidrBlock": "10.0.0.0/8",
    "SourceCidrBlock": "10.0.0.0/8",
}
SESSION: Value = {
    "NetworkInterfaceId": "eni-1",
    "TrafficMirrorTargetId": "tmt-1",
    "TrafficMirrorFilterId": "tmf-1",
    "SessionNumber": 1,
}
ATTACHED: Value = {"TransitGatewayId": "tgw-1", "VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "Options": {}}
PEERED: Value = {
    "TransitGatewayId": "tgw-1",
    "PeerTransitGatewayId": "tgw-2",
    "PeerAccountId": "444455556666",
    "PeerRegion": "eu-central-1",
}
EXCLUDED: Value = {"VpcId": "vpc-1", "InternetGatewayExclusionMode": "allow-egress"}

EVERY_15_MINUTES: Value = {"Status": "ENABLED", "FindingPublishingFrequency": "FIFTEEN_MINUTES"}
TRAIL: Value = {"S3BucketName": "logs", "IsMultiRegionTrail": True, "EnableLogFileValidation": True}

# What the cases of the network's families do not try: a kind, a name, a value to come from and one to come to.
OTHERS: tuple[tuple[str, str, Value, Value], ...] = (
    ("access-key", "bob", "Active", "Inactive"),
    ("access-key", "bob", "Active", None),
    ("attached-group-policy", ARN, None, {}),
    ("attached-group-policy", ARN, {}, None),
    ("attached-role-policy", ARN, None, {}),
    ("attached-role-policy", ARN, {}, None),
    ("attached-user-policy", ARN, None, {}),
    ("attached-user-policy", ARN, {}, None),
    ("evidence-copy", "inc-1", None, {"state": "completed", "key": "alias/evidence"}),
    ("evidence-lock", "", None, {"mode": "governance", "days": 1}),
    ("evidence-share", "444455556666", None, True),
    ("group", "", None, {}),
    ("group-policy", "all", None, DOCUMENT),
    ("group-policy", "all", DOCUMENT, None),
    ("image", "", {}, None),
    ("key-pair", "", {}, None),
    ("login-profile", "", {}, None),
    ("signing-certificate", "CERTIFICATE-0123456789AB", "Active", "Inactive"),
    ("service-specific-credential", "ACCA0123456789ABCDEF", "Active", "Inactive"),
    ("snapshot", "", {}, None),
    ("ssh-public-key", "APKA0123456789ABCDEF", "Active", "Inactive"),
    ("user", "", None, {}),
    ("user-policy", "all", None, DOCUMENT),
    ("volume", "", {}, None),
    ("nat-gateway-address", "eipalloc-1", None, {}),
    ("nat-gateway-address", "eipalloc-1", {}, None),
    ("nat-gateway-address", "10.0.0.7", None, {}),
    ("nat-gateway-address", "10.0.0.7", {}, None),
    ("hosted-zone", "", {}, None),
    ("traffic-mirror-filter-rule", "", None, MIRRORED),
    ("traffic-mirror-filter-rule", "", MIRRORED, {**MIRRORED, "RuleAction": "reject"}),
    ("traffic-mirror-filter-rule", "", MIRRORED, None),
    ("traffic-mirror-session", "", SESSION, {**SESSION, "SessionNumber": 2}),
    (
        "transit-gateway",
        "",
        {"Description": "", "Options": {"DnsSupport": "enable"}},
        {"Description": "", "Options": {"DnsSupport": "disable"}},
    ),
    ("transit-gateway-vpc-attachment", "", {**ATTACHED, "SubnetIds": ["subnet-2"]}, ATTACHED),
    ("transit-gateway-peering", "", None, PEERED),
    ("transit-gateway-peering", "", PEERED, None),
    (
        "vpc",
        "",
        {"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "dedicated"},
        {"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "default"},
    ),
    ("vpc-block-public-access-exclusion", "", {**EXCLUDED, "InternetGatewayExclusionMode": "allow-bidirectional"}, EXCLUDED),
    ("vpn-connection", "", {"CustomerGatewayId": "cgw-1"}, {"CustomerGatewayId": "cgw-2"}),
    ("firewall", "", {"EnabledAnalysisTypes": ["TLS_SNI"]}, {"EnabledAnalysisTypes": []}),
    ("alert-subscription", "soc@example.com", None, {"Protocol": "email"}),
    ("alert-subscription", "soc@example.com", {"Protocol": "email"}, None),
    ("alert-topic", "", None, {"Policy": {}}),
    ("alert-topic", "", {"Policy": {"Statement": []}}, {"Policy": {}}),
    ("alert-topic", "", {"Policy": {}}, None),
    ("automation-document", "", None, {"Content": {}}),
    ("automation-document", "", {"Content": {"a": 1}}, {"Content": {}}),
    ("automation-document", "", {"Content": {}}, None),
    ("config-channel", "", None, {"s3BucketName": "logs"}),
    ("config-recorder", "", None, {"roleARN": "arn:aws:iam::111122223333:role/x", "recordingGroup": {}}),
    ("config-recording", "", None, True),
    ("config-remediation", "", None, {"TargetType": "SSM_DOCUMENT", "TargetId": "x"}),
    ("config-remediation", "", {"TargetType": "SSM_DOCUMENT", "TargetId": "x"}, None),
    ("config-rule", "", None, {"Source": {"Owner": "AWS", "SourceIdentifier": "x"}}),
    ("config-rule", "", {"Source": {"Owner": "AWS", "SourceIdentifier": "x"}}, None),
    ("detector", "", None, {}),
    ("detector-settings", "", {"Status": "ENABLED", "FindingPublishingFrequency": "SIX_HOURS"}, EVERY_15_MINUTES),
    ("flow-log-of", "arn:aws:s3:::logs/network/", None, {"TrafficType": "ALL", "LogDestination": "arn:aws:s3:::logs/network/"}),
    ("flow-log-of", "arn:aws:s3:::logs/network/", {"TrafficType": "ALL"}, None),
    ("metric-alarm", "", None, {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}),
    ("metric-alarm", "", {"EvaluationPeriods": 1}, None),
    ("security-hub", "", None, {}),
    ("security-hub-standard", "", None, {}),
    ("trail", "", None, TRAIL),
    ("trail", "", {**TRAIL, "IsMultiRegionTrail": False}, TRAIL),
    ("trail-logging", "", None, True),
)


class Tried:
    """The range with a limited responder, and which operations were sent to it."""

    def __init__(self, aws: Range) -> None:
        self.aws = Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url))
        self.sent: set[str] = set()
        self.refused: dict[str, str] = {}

    def send(self, service: str, operation: str, parameters: dict[str, Any]) -> None:
        action = action_of(service, operation)
        if action in self.sent:
            return
        self.sent.add(action)
        try:
            self.aws.call(ACCOUNT, "us-east-1", service, operation, parameters)
        except AwsError as error:
            if error.code in DENIED and "not authorized" in error.message:
                self.refused[action] = error.message


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    granted = granted_to([ACCOUNT], Prepare="yes")
    with (
        Range(RangeConfig(accounts=(ACCOUNT,), regions=("us-east-1",), granted=granted)) as aws,
        pytest.MonkeyPatch.context() as patch,
    ):
        keys = aws.responder()
        patch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        patch.setenv("AWS_SESSION_TOKEN", keys.token)
        yield Tried(aws)


def planned(key: SettingKey, live: Value, wanted: Value, handles: dict[str, str]) -> tuple[Call, ...]:
    """The calls of a change, whose permissions are declared."""
    family = family_for_kind(key.kind)
    change = family.change(key, None if live is None else Observed(key, live, handles), wanted)
    calls = () if isinstance(change, Unrestorable) else change
    acts = family.acts.get(key.kind, Acts())
    undeclared = {one for call in calls for one in call.permissions} - {*(acts.removes if wanted is None else acts.sets)}
    assert undeclared == set(), f"{key.kind} declares no {sorted(undeclared)} in its acts"
    return calls


def send_all(tried: Tried, calls: tuple[Call, ...]) -> None:
    for call in calls:
        for lookup in call.lookups.values():
            tried.send(lookup.read.service, lookup.read.operation, dict(lookup.read.parameters))
        looked_up = {name: 7 if name == "CurrentVersion" else "looked-up-1" for name in call.lookups}
        tried.send(call.service, call.operation, {**call.parameters, **looked_up})


@pytest.mark.parametrize("case", [*CASES, *ALWAYS_THERE], ids=lambda case: f"{case.kind} {case.resource}")
def test_the_role_may_make_what_the_networks_families_plan(case: Case, tried: Tried):
    @EXAMPLES
    @given(data=st.data())
    def tries(data: st.DataObject) -> None:
        key = setting(case.kind, case.resource, data.draw(case.names))
        absent = st.none() if case in CASES else st.nothing()
        live, wanted = data.draw(absent | case.values), data.draw(absent | case.values)
        send_all(tried, planned(key, live, wanted, case.handles))

    tries()
    assert tried.refused == {}


@pytest.mark.parametrize(("kind", "name", "live", "wanted"), OTHERS)
def test_the_role_may_make_what_other_families_plan(kind: str, name: str, live: Value, wanted: Value, tried: Tried):
    calls = planned(setting(kind, "example-1", name), live, wanted, {})
    assert calls
    send_all(tried, calls)
    assert tried.refused == {}


def test_the_role_may_read_what_families_read(tried: Tried):
    for family in FAMILIES:
        shown = [setting(kind, "example-1", "example") for kind in family.kinds]
        for read in (*family.inventory, *map(family.read, shown), *(one for key in shown for one in family.details(key))):
            tried.send(read.service, read.operation, dict(read.parameters))
    assert tried.refused == {}


def test_a_family_that_is_added_is_in_the_policies_by_itself():
    """Whatever a family declares is in a policy; `READS` has only what is no family's."""
    everything = frozenset().union(*needed().values())
    for family in FAMILIES:
        for acts in family.acts.values():
            assert {*acts.sets, *acts.removes, *family.looks} <= everything


def test_the_role_may_not_change_itself_or_blind_the_account(tried: Tried):
    client: Callable[[str], Any] = lambda service: tried.aws.client(ACCOUNT, "us-east-1", service)  # noqa: E731
    forbidden = (
        lambda: client("iam").put_role_policy(RoleName="CountermandResponder", PolicyName="more", PolicyDocument=DOCUMENT),
        lambda: client("iam").delete_role(RoleName="CountermandResponder"),
        lambda: client("cloudtrail").stop_logging(Name="trail"),
        lambda: client("guardduty").delete_detector(DetectorId="0" * 32),
        lambda: client("organizations").leave_organization(),
    )
    for attempt in forbidden:
        with pytest.raises(ClientError, match=r"not authorized|AccessDenied"):
            attempt()


def test_the_documents_allow_what_is_needed_and_no_more():
    policies, boundary = granted_to([ACCOUNT], Prepare="yes")[ACCOUNT]
    assert allowed_by(policies) == frozenset().union(*needed().values())
    assert not any(action.endswith(":*") for action in allowed_by([boundary]))
    assert all(acting in needed() for acting in Acting)
