"""A trail as long as wanted: records in CloudTrail's own shapes, the same ones each time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "111122223333"
START = datetime(2026, 3, 1, tzinfo=UTC)
RESOURCES = 5000
"""How many groups, tables, lists and subnets the records are about."""

Shape = tuple[str, dict[str, Any], dict[str, Any]]


def network_changes(count: int) -> Iterator[str]:
    """JSON lines of which each changes the network: the hardest trail to fold."""
    for number in range(count):
        shape = _CHANGES[number % len(_CHANGES)](number // len(_CHANGES))
        yield _line(number, *shape)


def whole_trail(count: int) -> Iterator[str]:
    """JSON lines as an account's trail has them: nine of ten are reads or other services'."""
    for number in range(count):
        if number % 10 == 0:
            shape = _CHANGES[number // 10 % len(_CHANGES)](number // 10 // len(_CHANGES))
            yield _line(number, *shape)
        else:
            yield _line(number, "DescribeInstances", {"filterSet": {"items": []}, "maxResults": 100}, {}, read_only=True)


def _line(number: int, name: str, request: dict[str, Any], response: dict[str, Any], *, read_only: bool = False) -> str:
    user = "mallory" if number % 3 == 0 else "alice"
    arn = f"arn:aws:iam::{ACCOUNT}:user/{user}"
    record = {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user.upper()}EXAMPLE",
            "arn": arn,
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{user.upper()}EXAMPLE",
            "userName": user,
            "sessionContext": {"attributes": {"creationDate": "2026-03-01T00:00:00Z", "mfaAuthenticated": "false"}},
        },
        "eventTime": (START + timedelta(milliseconds=200 * number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.17.0 Python/3.11.9 Linux/6.1 exe/x86_64",
        "requestParameters": request,
        "responseElements": {"requestId": f"{number:032x}", **response} if response else None,
        "requestID": f"{number:032x}",
        "eventID": f"{number:08x}-0000-4000-8000-{number:012x}",
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return json.dumps(record, separators=(",", ":"))


def _id(prefix: str, turn: int) -> str:
    return f"{prefix}-{turn % RESOURCES:017x}"


def _network(turn: int) -> str:
    place = turn % RESOURCES
    return f"10.{place // 250}.{place % 250}.0/24"


def _authorize(turn: int) -> Shape:
    group, network = _id("sg", turn), _network(turn)
    ports = {"fromPort": 22, "toPort": 22, "ipProtocol": "tcp"}
    asked = {**ports, "groups": {}, "ipRanges": {"items": [{"cidrIp": network}]}, "ipv6Ranges": {}, "prefixListIds": {}}
    made = {
        **ports,
        "groupOwnerId": ACCOUNT,
        "groupId": group,
        "securityGroupRuleId": f"sgr-{turn:017x}",
        "isEgress": False,
        "cidrIpv4": network,
    }
    answered = {"_return": True, "securityGroupRuleSet": {"items": [made]}}
    return "AuthorizeSecurityGroupIngress", {"groupId": group, "ipPermissions": {"items": [asked]}}, answered


def _revoke(turn: int) -> Shape:
    asked = _authorize(turn)[1]
    return "RevokeSecurityGroupIngress", asked, {"_return": True, "unknownIpPermissionSet": {}}


def _create_route(turn: int) -> Shape:
    asked = {"routeTableId": _id("rtb", turn), "destinationCidrBlock": _network(turn), "gatewayId": "igw-00000000000000001"}
    return "CreateRoute", asked, {"_return": True}


def _replace_route(turn: int) -> Shape:
    asked = {"routeTableId": _id("rtb", turn), "destinationCidrBlock": _network(turn), "natGatewayId": "nat-00000000000000001"}
    return "ReplaceRoute", asked, {"_return": True}


def _delete_route(turn: int) -> Shape:
    return "DeleteRoute", {"routeTableId": _id("rtb", turn), "destinationCidrBlock": _network(turn)}, {"_return": True}


def _create_entry(turn: int) -> Shape:
    asked = {
        "networkAclId": _id("acl", turn),
        "ruleNumber": turn % 1000 + 1,
        "egress": False,
        "ruleAction": "allow",
        "aclProtocol": "6",
        "cidrBlock": _network(turn),
        "portRange": {"from": 22, "to": 22},
        "icmpTypeCode": {},
    }
    return "CreateNetworkAclEntry", asked, {"_return": True}


def _delete_entry(turn: int) -> Shape:
    asked = {"networkAclId": _id("acl", turn), "ruleNumber": turn % 1000 + 1, "egress": False}
    return "DeleteNetworkAclEntry", asked, {"_return": True}


def _associate(turn: int) -> Shape:
    asked = {"routeTableId": _id("rtb", turn), "subnetId": _id("subnet", turn)}
    answered = {"associationId": f"rtbassoc-{turn:017x}", "associationState": {"state": "associated"}}
    return "AssociateRouteTable", asked, answered


def _subnet_attribute(turn: int) -> Shape:
    asked = {"subnetId": _id("subnet", turn), "mapPublicIpOnLaunch": {"value": turn % 2 == 0}}
    return "ModifySubnetAttribute", asked, {"_return": True}


def _tag(turn: int) -> Shape:
    tags = {"items": [{"key": "Name", "value": f"name {turn}"}]}
    return "CreateTags", {"resourcesSet": {"items": [{"resourceId": _id("sg", turn)}]}, "tagSet": tags}, {"_return": True}


_CHANGES: tuple[Callable[[int], Shape], ...] = (
    _authorize,
    _create_route,
    _replace_route,
    _create_entry,
    _associate,
    _subnet_attribute,
    _tag,
    _revoke,
    _delete_route,
    _delete_entry,
)
