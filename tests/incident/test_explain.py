"""Records to explanations: what each changed, what takes it back, and how sure that is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from examples import ACCOUNT, NOON, REGION
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.explain import Certainty, Explanation, explain, in_order
from incident.network.registry import FAMILIES, Standing, standing
from incident.record import Record

CORPUS = Path(os.environ.get("COUNTERMAND_CORPUS") or Path(__file__).parents[3] / "shared" / "data") / "cloudtrail"


def raw(name: str, request: dict[str, Any], response: dict[str, Any] | None = None, at: int = 0, **more: Any) -> dict[str, Any]:
    """A record as CloudTrail delivers it, `at` seconds after noon."""
    return {
        "eventID": f"{name}-{at}",
        "eventName": name,
        "eventSource": "ec2.amazonaws.com",
        "eventTime": NOON.replace(second=at).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory"},
        "requestParameters": request,
        "responseElements": response,
        **more,
    }


def only(*records: dict[str, Any]) -> dict[str, Any]:
    """The last explanation, as it is printed."""
    return list(explain(records))[-1].to_json()


AUTHORIZE = raw(
    "AuthorizeSecurityGroupIngress",
    {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"},
    {
        "_return": True,
        "securityGroupRuleSet": {
            "items": [
                {"groupId": "sg-1", "securityGroupRuleId": "sgr-1", "isEgress": False, "ipProtocol": "tcp"}
                | {"fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"}
            ]
        },
    },
)
RULE = f"{ACCOUNT}/{REGION}/security-group-rule/sg-1/ingress tcp 22-22 0.0.0.0/0"


def test_an_opened_port_is_closed_by_the_id_that_the_answer_gave():
    assert only(AUTHORIZE) == {
        "eventID": "AuthorizeSecurityGroupIngress-0",
        "eventName": "AuthorizeSecurityGroupIngress",
        "settings": [{"key": RULE, "before": None, "after": {"description": ""}}],
        "undo": [{"operation": "RevokeSecurityGroupIngress", "parameters": {"GroupId": "sg-1", "SecurityGroupRuleIds": ["sgr-1"]}}],
        "certainty": "exact",
        "note": "",
    }


def test_without_an_id_in_the_answer_it_is_closed_by_what_it_says():
    told = only({**AUTHORIZE, "responseElements": {"_return": True}})
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    assert told["undo"] == [
        {"operation": "RevokeSecurityGroupIngress", "parameters": {"GroupId": "sg-1", "IpPermissions": [permission]}}
    ]


def test_two_rules_of_one_record_are_undone_by_one_call():
    permission = {
        "ipProtocol": "-1",
        "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]},
        "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]},
    }
    told = only(raw("AuthorizeSecurityGroupEgress", {"groupId": "sg-1", "ipPermissions": {"items": [permission]}}))
    (call,) = told["undo"]
    assert [rule["IpProtocol"] for rule in call["parameters"]["IpPermissions"]] == ["-1", "-1"]


def test_an_earlier_record_tells_what_a_later_one_lost():
    create = raw("CreateRoute", {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}, at=1)
    delete = raw("DeleteRoute", {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}, at=2)

    alone, together = only(delete), only(create, delete)

    assert (alone["certainty"], alone["settings"][0]["before"]) == ("needs-prior-state", {"unknown": True})
    assert together["certainty"] == "exact"
    assert together["undo"] == [
        {
            "operation": "CreateRoute",
            "parameters": {"RouteTableId": "rtb-1", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
        }
    ]


def test_records_are_read_by_their_time_and_newest_first_is_turned_round():
    first, second = raw("CreateRoute", {}, at=1), raw("DeleteRoute", {}, at=1)
    earlier, later = raw("CreateVpc", {}, at=0), raw("DeleteVpc", {}, at=9)

    def names(*given: dict[str, Any]) -> list[str]:
        return [record.event_name for record in in_order(Record.parse(one) for one in given)]

    assert names(earlier, first, second, later) == ["CreateVpc", "CreateRoute", "DeleteRoute", "DeleteVpc"]
    assert names(later, second, first, earlier) == ["CreateVpc", "CreateRoute", "DeleteRoute", "DeleteVpc"]


def test_what_was_made_goes_with_all_that_came_with_it():
    tag = {"items": [{"key": "Name", "value": "x"}]}
    told = only(
        raw(
            "CreateSecurityGroup", {"groupName": "x", "groupDescription": "x", "vpcId": "vpc-1"}, {"groupId": "sg-1", "tagSet": tag}
        )
    )
    assert len(told["settings"]) == 3
    assert told["undo"] == [{"operation": "DeleteSecurityGroup", "parameters": {"GroupId": "sg-1"}}]


def test_what_was_deleted_comes_back_under_a_new_id_with_what_was_in_it():
    create = raw("CreateSecurityGroup", {"groupName": "x", "groupDescription": "x", "vpcId": "vpc-1"}, {"groupId": "sg-1"})
    revoke = raw(
        "RevokeSecurityGroupEgress",
        {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "-1", "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}},
        at=1,
    )
    open_port = {**AUTHORIZE, "eventTime": "2026-03-01T12:00:02Z"}
    told = only(create, revoke, open_port, raw("DeleteSecurityGroup", {"groupId": "sg-1"}, at=3))

    assert told["certainty"] == "exact"
    assert [call["operation"] for call in told["undo"]] == [
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
    ], "a new group lets everything out, which this one did not"
    assert told["undo"][1]["parameters"]["GroupId"] == "<GroupId of CreateSecurityGroup>"
    assert "id" in told["note"]


def test_a_failed_call_changed_nothing():
    told = only({**AUTHORIZE, "errorCode": "Client.UnauthorizedOperation", "responseElements": None})
    assert (told["settings"], told["certainty"]) == ([], "exact")
    assert told["undo"] == "nothing changed: errorCode Client.UnauthorizedOperation"


def test_what_was_so_already_is_said_to_have_changed_nothing():
    tag = raw(
        "CreateTags", {"resourcesSet": {"items": [{"resourceId": "vpc-1"}]}, "tagSet": {"items": [{"key": "a", "value": "b"}]}}
    )
    again = {**tag, "eventTime": "2026-03-01T12:00:05Z"}
    assert only(tag, again)["undo"] == "nothing changed: the settings had these values before"


def test_what_nobody_can_take_back_says_why_and_what_to_do():
    accept = raw(
        "AcceptTransitGatewayVpcAttachment",
        {"AcceptTransitGatewayVpcAttachmentRequest": {"TransitGatewayAttachmentId": "tgw-attach-1"}},
    )
    told = only(accept)
    assert told["certainty"] == "not-invertible"
    assert "Delete the attachment" in told["undo"]


def test_reads_and_other_services_are_passed_over():
    read = raw("DescribeVpcs", {}, readOnly=True)
    other = raw("PutMetricData", {}, eventSource="monitoring.amazonaws.com")
    disk = raw("CreateVolume", {})
    assert list(explain([read, other, disk])) == []


@pytest.mark.parametrize("broken", [None, 7, [], {}, {"eventName": "CreateVpc"}, "text"])
def test_what_is_no_record_is_explained_and_not_dropped(broken: Any):
    (told,) = explain([broken])
    assert told.certainty is Certainty.NOT_UNDERSTOOD
    assert "record 1 cannot be read" in str(told.undo)


@pytest.mark.parametrize("when", ["…", None, "tomorrow"])
def test_a_record_without_a_readable_time_is_read_where_it_stands(when: Any):
    told = list(explain([AUTHORIZE, {**AUTHORIZE, "eventTime": when}]))
    assert [one.certainty for one in told] == [Certainty.EXACT, Certainty.EXACT]
    assert "eventTime" in told[1].note


@pytest.mark.parametrize(
    "request_parameters",
    [
        {},
        {"groupId": "sg-1"},
        {"groupId": "sg-1", "ipPermissions": {"items": [{"ipRanges": {"items": ["x"]}}]}},
        {"ipPermissions": 7},
    ],
)
def test_a_shape_that_is_not_known_is_never_an_exception(request_parameters: dict[str, Any]):
    told = only(raw("AuthorizeSecurityGroupIngress", request_parameters))
    assert told["certainty"] in ("not-understood", "exact")


def test_a_network_operation_of_tomorrow_is_shown_as_unknown():
    told = only(raw("CreateVpcTeleporter", {}))
    assert told["certainty"] == "not-understood"
    assert "CreateVpcTeleporter" in told["undo"]


def test_an_operation_without_a_family_says_what_it_is():
    told = only(raw("CreateMesh", {"meshName": "x"}, eventSource="appmesh.amazonaws.com"))
    assert told["certainty"] == "not-invertible"
    assert told["undo"] == "CreateMesh changes service meshes. By hand: call DeleteMesh for what this record made or joined."


# --- records that nobody in this project wrote --------------------------------------------------------------------------------


def corpus() -> Iterator[Path]:
    yield from sorted(CORPUS.glob("*.jsonl"))


def explained(file: Path) -> list[tuple[dict[str, Any], Explanation]]:
    raws = [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    by_id = {one.get("eventID"): one for one in raws}
    return [(by_id.get(told.event_id, {}), told) for told in explain(raws)]


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}: set COUNTERMAND_CORPUS")
@pytest.mark.parametrize("file", list(corpus()) or [CORPUS], ids=lambda file: file.stem)
def test_every_network_record_of_the_corpus_is_understood(file: Path):
    for body, told in explained(file):
        if told.record is None or body.get("errorCode"):
            continue
        if told.record.service in ("iam", "s3"):
            continue
        assert standing(told.record) is not Standing.ELSEWHERE
        assert told.certainty is not Certainty.NOT_UNDERSTOOD, told.to_json()
        json.dumps(told.to_json())


UNDERSTOOD = sorted({event.removeprefix("ec2:") for family in FAMILIES for event in family.events})
MEMBERS = sorted(
    [
        "items",
        "item",
        "tag",
        "content",
        "groupId",
        "groupSet",
        "ipPermissions",
        "ipRanges",
        "cidrIp",
        "ipProtocol",
        "fromPort",
        "SecurityGroupRules",
        "SecurityGroupRule",
        "securityGroupRuleSet",
        "securityGroupRuleId",
        "unknownIpPermissionSet",
        "routeTableId",
        "destinationCidrBlock",
        "gatewayId",
        "vpcId",
        "subnetId",
        "associationId",
        "ruleNumber",
        "portRange",
        "icmpTypeCode",
        "networkInterfaceId",
        "attachment",
        "instanceId",
        "privateIpAddressesSet",
        "allocationId",
        "TransitGatewayAttachmentId",
        "VpcEndpointId",
        "PolicyDocument",
        "PrefixListId",
        "AddEntry",
        "Cidr",
        "FlowLogId",
        "ResourceId",
        "tagSet",
        "key",
        "value",
        "resourcesSet",
        "vpc",
        "subnet",
        "networkAcl",
        "natGateway",
        "vpcPeeringConnection",
        "vpnConnection",
        "transitGateway",
        "Options",
        "CidrBlock",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 99) | st.sampled_from(["", "x", "sg-1", "0.0.0.0/0", "-1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(UNDERSTOOD), st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6), JSON)
def test_no_record_however_odd_raises(operation: str, request: dict[str, Any], response: Any):
    wrapped = {f"{operation}Request": request}
    for asked in (request, wrapped):
        for told in explain([raw(operation, asked, response)]):
            json.dumps(told.to_json())


def turned(at: int, number: int = 0) -> dict[str, Any]:
    """One subnet's attribute set at a second of the hour; it is on in every even second."""
    moment = NOON + timedelta(seconds=at)
    asked = {"subnetId": f"subnet-{number}", "mapPublicIpOnLaunch": {"value": at % 2 == 0}}
    written = raw("ModifySubnetAttribute", asked, {"_return": True})
    return {**written, "eventID": f"turned-{at}", "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_a_long_trail_is_explained_while_it_is_read():
    read = 0

    def trail() -> Iterator[dict[str, Any]]:
        nonlocal read
        for at in range(100):
            read += 1
            yield turned(at)

    told = explain(trail(), window=10)
    assert next(told).event_id == "turned-0"
    assert read == 12
    assert [item.event_id for item in told] == [f"turned-{at}" for at in range(1, 100)]


@given(st.permutations(range(12)), st.integers(0, 30))
def test_records_that_are_late_by_less_than_the_window_are_put_in_their_place(order: list[int], gap: int):
    trail = [turned(at) for at in range(gap)] + [turned(gap + at) for at in order]
    told = list(explain(trail, window=12))
    assert [item.event_id for item in told] == [f"turned-{at}" for at in range(gap + 12)]
    assert not any(item.note for item in told)


def test_a_record_that_is_later_than_the_window_reaches_says_so():
    trail = [turned(at) for at in range(1, 40)] + [turned(0)]
    (late,) = [item for item in explain(trail, window=5) if item.event_id == "turned-0"]
    assert late.note == "it stands more than 5 records behind its time, and is read where it stands"


def test_regions_that_follow_one_another_are_not_late():
    elsewhere = [{**turned(at), "awsRegion": "eu-west-1"} for at in range(40)]
    assert not any(item.note for item in explain([turned(at) for at in range(40)] + elsewhere, window=5))


def test_a_long_trail_that_runs_backwards_is_turned_round():
    told = list(explain([turned(at) for at in reversed(range(40))], window=5))
    assert [item.event_id for item in told] == [f"turned-{at}" for at in range(40)]
