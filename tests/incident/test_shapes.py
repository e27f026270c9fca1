"""CloudTrail's shapes of EC2, read under boto3's names; checked against botocore's model for every operation that is understood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from examples import record

from drill.aws.shapes import request_parameters
from incident import shapes
from incident.network.registry import FAMILIES
from incident.network.values import cidr, document, flag, identifiers, is_world, items, text, whole

EC2 = botocore.session.get_session().get_service_model("ec2")
UNDERSTOOD = sorted({event.removeprefix("ec2:") for family in FAMILIES for event in family.events if event.startswith("ec2:")})


def asked(request: dict[str, Any]) -> dict[str, Any]:
    return shapes.request(record("Any", request=request))


def answered(response: dict[str, Any]) -> dict[str, Any]:
    return shapes.response(record("Any", response=response))


# --- examples of each shape ---------------------------------------------------------------------------------------------------


def test_lists_of_the_older_operations():
    request = {
        "groupId": "sg-1",
        "ipPermissions": {"items": [{"ipProtocol": "tcp", "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]},
    }
    assert asked(request) == {
        "GroupId": "sg-1",
        "IpPermissions": [{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    }


def test_an_empty_list_is_empty_in_every_form():
    assert items(asked({"ipPermissions": {}})["IpPermissions"]) == []
    assert answered({"tagSet": ""}) == answered({"tagSet": {}}) == {"Tags": []}


def test_a_wrapped_request_with_one_element_and_with_several():
    one = {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-1", "tag": 1}}}
    two = {"DeleteFlowLogsRequest": {"FlowLogId": [{"content": "fl-2", "tag": 2}, {"content": "fl-1", "tag": 1}]}}
    assert asked(one) == {"FlowLogIds": ["fl-1"]}
    assert asked(two) == {"FlowLogIds": ["fl-1", "fl-2"]}


def test_an_abbreviated_wrapper_and_an_empty_request():
    assert asked({"DelTGwVpcAttachReq": {"TransitGatewayAttachmentId": "tgw-attach-1"}}) == {
        "TransitGatewayAttachmentId": "tgw-attach-1"
    }
    assert asked({"CreateInternetGatewayRequest": ""}) == asked({}) == {}


def test_structures_in_a_wrapped_list_lose_their_position_and_nothing_else():
    entry = {"ModifyManagedPrefixListRequest": {"AddEntry": {"Cidr": "10.0.0.0/8", "Description": "x", "tag": 1}}}
    assert asked(entry) == {"AddEntries": [{"Cidr": "10.0.0.0/8", "Description": "x"}]}


def test_a_wrapped_answer_and_the_item_lists_in_it():
    answer = {"CreateXResponse": {"xmlns": "http://ec2", "requestId": "r", "groupSet": {"item": {"groupId": "sg-1"}}}}
    assert answered(answer) == {"Groups": [{"GroupId": "sg-1"}]}
    assert answered({"requestId": "r", "_return": True}) == {"Return": True}


def test_whole_numbers_that_some_tool_made_floats():
    assert asked({"ruleNumber": 100.0, "weight": 0.5}) == {"RuleNumber": 100, "Weight": 0.5}


# --- botocore's word ----------------------------------------------------------------------------------------------------------


def sample(shape: Shape, name: str = "", depth: int = 0) -> Any:
    """A value of a shape with every member in it."""
    if isinstance(shape, StructureShape):
        members = {key: sample(inner, key, depth + 1) for key, inner in shape.members.items() if key != "DryRun"}
        return members if depth < 7 else {}
    if isinstance(shape, ListShape):
        return [sample(shape.member, name, depth + 1) for _ in range(2 if depth < 3 else 1)]
    scalars = {"boolean": True, "integer": 7, "long": 7, "double": 0.5, "timestamp": "2026-03-01T12:00:00Z"}
    return scalars.get(shape.type_name, "-1" if name == "Protocol" else "text")


def plain(value: Any) -> Any:
    """A value with its scalars as text and without structures around single ids, whose form depends on the operation."""
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("GroupId", "ResourceId", "SecurityGroupRuleId"):
            return plain(next(iter(value.values())))
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return text(value)


DIFFERENT = {
    ("CreateSecurityGroup", "Description"): "GroupDescription",
    ("AllocateAddress", "Address"): "PublicIp",
    ("CreateNetworkInterface", "Groups"): "Groups",
}
"""Members that a record names otherwise, and by which the families read them."""


@pytest.mark.parametrize("operation", UNDERSTOOD)
def test_every_request_comes_back_under_botocores_names(operation: str):
    shape = EC2.operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)
    parameters = sample(shape)
    expected = {DIFFERENT.get((operation, name), name): value for name, value in parameters.items()}

    written = request_parameters("ec2", operation, parameters)

    got = asked(json.loads(json.dumps(written)))
    missing = {name: got.get(name) for name, value in expected.items() if plain(got.get(name)) != plain(value)}
    assert missing == {name: value for name, value in missing.items() if name in REDACTED.get(operation, ())}


REDACTED = {
    "ModifyInstanceAttribute": ("UserData", "Value", "BlockDeviceMappings"),
    "CreateNetworkAclEntry": ("IcmpTypeCode",),
    "ReplaceNetworkAclEntry": ("IcmpTypeCode",),
}
"""What a record does not tell, or tells in a shape that no family reads, or under two names that the family both reads."""


def answered_members(shape: Shape, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, str, Shape]]:
    """Owner, member and shape of everything in an answer."""
    if isinstance(shape, StructureShape) and shape.name not in seen:
        for name, inner in shape.members.items():
            yield shape.name, name, inner
            yield from answered_members(inner, seen | {shape.name})
    elif isinstance(shape, ListShape):
        yield from answered_members(shape.member, seen)


READ_BY_BOTH_NAMES = {
    ("NetworkInterface", "TagSet"),
    ("NetworkAcl", "IsDefault"),
    ("AttachVpnGatewayResult", "VpcAttachment"),
    ("VpnGateway", "VpcAttachments"),
    ("ModifyVpcEndpointServicePermissionsResult", "ReturnValue"),
    ("ModifyVpcTenancyResult", "ReturnValue"),
}
"""Members whose rule is another: nothing that a family reads in a record's answer."""


@pytest.mark.parametrize("operation", UNDERSTOOD)
def test_every_answer_is_read_under_botocores_names(operation: str):
    shape = EC2.operation_model(operation).output_shape
    for owner, name, inner in answered_members(shape) if shape else ():
        if (owner, name) in READ_BY_BOTH_NAMES or name in ("Return", "ClientToken"):
            continue
        key = inner.serialization.get("name", name[:1].lower() + name[1:])
        value: Any = {"items": ["x"]} if isinstance(inner, ListShape) else "x"
        assert list(answered({"outer": {key: value}})["Outer"]) == [name], (owner, name, key)


# --- values -------------------------------------------------------------------------------------------------------------------


def test_values_are_the_same_in_every_form():
    assert (flag(True), flag("true"), flag({"Value": "true"}), flag({"Value": False}), flag(None)) == (
        True,
        True,
        True,
        False,
        False,
    )
    assert (whole("7"), whole(7), whole(None), whole("")) == (7, 7, None, None)
    assert (text(True), text(6), text(None)) == ("true", "6", "")
    assert identifiers([{"GroupId": "a"}, "b"], "GroupId") == ["a", "b"]
    assert identifiers("a") == ["a"]


def test_networks_are_kept_as_aws_keeps_them():
    assert cidr("10.1.2.3/8") == "10.0.0.0/8"
    assert cidr("2001:DB8::/32") == "2001:db8::/32"
    assert cidr("pl-1") == "pl-1"
    assert [network for network in ("0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/8", "pl-1") if is_world(network)] == [
        "0.0.0.0/0",
        "::/0",
        "128.0.0.0/1",
    ]


def test_a_policy_is_the_same_however_it_is_spaced():
    assert document('{"b": 1,\n "a": 2}') == document('{"a":2,"b":1}')
    assert document("no policy") == "no policy"
