"""AWS Config's recorder: while it is on, an item for each resource of the network and IAM as it is found, and one for each change.

moto keeps no history of network resources. Here every resource is described as soon as a call has changed something, and what
differs from its last item becomes the next one, in the shape that AWS Config gives it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drill.aws.clock import Clock
from drill.aws.config import bootstrap_keys
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Answer, Call, ec2_call, iam_call, parse_result

Item = dict[str, Any]
Place = tuple[str, str]
Forward = Callable[[Call, Caller], Answer]


@dataclass(frozen=True)
class _Recorded:
    """How EC2 lists one type of resource; `noun` is what its ARN calls it."""

    type: str
    listed: str
    identifier: str
    noun: str


_TYPES = (
    _Recorded("AWS::EC2::VPC", "Vpcs", "VpcId", "vpc"),
    _Recorded("AWS::EC2::Subnet", "Subnets", "SubnetId", "subnet"),
    _Recorded("AWS::EC2::SecurityGroup", "SecurityGroups", "GroupId", "security-group"),
    _Recorded("AWS::EC2::RouteTable", "RouteTables", "RouteTableId", "route-table"),
    _Recorded("AWS::EC2::NetworkAcl", "NetworkAcls", "NetworkAclId", "network-acl"),
    _Recorded("AWS::EC2::InternetGateway", "InternetGateways", "InternetGatewayId", "internet-gateway"),
    _Recorded(
        "AWS::EC2::EgressOnlyInternetGateway",
        "EgressOnlyInternetGateways",
        "EgressOnlyInternetGatewayId",
        "egress-only-internet-gateway",
    ),
    _Recorded("AWS::EC2::NatGateway", "NatGateways", "NatGatewayId", "natgateway"),
    _Recorded("AWS::EC2::EIP", "Addresses", "AllocationId", "eip-allocation"),
    _Recorded("AWS::EC2::NetworkInterface", "NetworkInterfaces", "NetworkInterfaceId", "network-interface"),
    _Recorded("AWS::EC2::VPCPeeringConnection", "VpcPeeringConnections", "VpcPeeringConnectionId", "vpc-peering-connection"),
    _Recorded("AWS::EC2::VPCEndpoint", "VpcEndpoints", "VpcEndpointId", "vpc-endpoint"),
    _Recorded("AWS::EC2::FlowLog", "FlowLogs", "FlowLogId", "flow-log"),
    _Recorded("AWS::EC2::CustomerGateway", "CustomerGateways", "CustomerGatewayId", "customer-gateway"),
    _Recorded("AWS::EC2::VPNGateway", "VpnGateways", "VpnGatewayId", "vpn-gateway"),
    _Recorded("AWS::EC2::VPNConnection", "VpnConnections", "VpnConnectionId", "vpn-connection"),
)
_BY_NAME = {recorded.type: recorded for recorded in _TYPES}
_GONE = frozenset({"deleted", "rejected", "expired", "failed"})
_MOST_ITEMS, _MOST_IDENTIFIERS = 100, 100


_IAM_TYPES = (
    _Recorded("AWS::IAM::User", "UserDetailList", "UserId", ""),
    _Recorded("AWS::IAM::Role", "RoleDetailList", "RoleId", ""),
    _Recorded("AWS::IAM::Group", "GroupDetailList", "GroupId", ""),
    _Recorded("AWS::IAM::Policy", "Policies", "PolicyId", ""),
)
"""What IAM lists, whose items are kept in the home region under the ARN and name that it has there."""
_OWN = {f"Filter.member.{place}": kind for place, kind in enumerate(("User", "Role", "Group", "LocalManagedPolicy"), start=1)}
_HOME = "us-east-1"


class Recorder:
    """The recorders of all accounts and regions; they are on or off together."""

    def __init__(self, clock: Clock, places: list[Place], forward: Forward, caller_of: Callable[[str], Caller | None]) -> None:
        self.on = False
        self._clock, self._places = clock, places
        self._forward, self._caller_of = forward, caller_of
        self._lock = threading.RLock()
        self._items: dict[tuple[Place, str, str], list[Item]] = defaultdict(list)

    def switch(self, on: bool) -> None:
        """Switch on, which finds all that exists, or off, which forgets."""
        with self._lock:
            self.on = on
            self._items.clear()
            if on:
                for place in self._places:
                    self._look(place, self._clock.now())
                    self._look_at_iam(place, self._clock.now())

    def after(self, call: Call, caller: Caller) -> None:
        """Take an item of whatever a call has changed."""
        if not self.on or call.service not in ("ec2", "iam"):
            return
        if call.service == "iam":
            with self._lock:
                self._look_at_iam((caller.account, _HOME), call.time)
            return
        # A peering is seen from both of its ends.
        places = self._places if "Peering" in call.operation else [(caller.account, call.region)]
        with self._lock:
            for place in places:
                self._look(place, call.time)

    # ---- Config's operations ----------------------------------------------------------------------------------------

    def get_resource_config_history(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetResourceConfigHistory: newest first unless the call asks otherwise.

        Raises:
            AwsError: nothing is recorded, or nothing of this resource.
        """
        self._must_record()
        kind, resource = str(call.params.get("resourceType", "")), str(call.params.get("resourceId", ""))
        kept = self._items.get(((caller.account, call.region), kind, resource))
        if not kept:
            message = f"Resource {resource} of resourceType:{kind} is unknown or has not been discovered"
            raise AwsError("ResourceNotDiscoveredException", message)
        later, earlier = _seconds(call.params.get("laterTime")), _seconds(call.params.get("earlierTime"))
        if later is not None and earlier is not None and later < earlier:
            raise AwsError("InvalidTimeRangeException", "The specified time range is not valid. laterTime is before earlierTime.")
        found = [item for item in kept if _within(item, earlier, later)]
        if call.params.get("chronologicalOrder") != "Forward":
            found.reverse()
        start, limit = _page(call, _MOST_ITEMS)
        answer: dict[str, Any] = {"configurationItems": found[start : start + limit]}
        if start + limit < len(found):
            answer["nextToken"] = str(start + limit)
        return answer

    def batch_get_resource_config(self, call: Call, caller: Caller) -> dict[str, Any]:
        """BatchGetResourceConfig: the newest item of each."""
        self._must_record()
        found: list[Item] = []
        unknown: list[dict[str, Any]] = []
        for key in call.params.get("resourceKeys") or []:
            kept = self._items.get(((caller.account, call.region), key.get("resourceType", ""), key.get("resourceId", "")))
            if kept and kept[-1]["configurationItemStatus"] != "ResourceDeleted":
                left_out = ("relatedEvents", "relationships", "configurationItemMD5Hash")
                found.append({name: value for name, value in kept[-1].items() if name not in left_out})
            else:
                unknown.append(key)
        return {"baseConfigurationItems": found, "unprocessedResourceKeys": unknown}

    def list_discovered_resources(self, call: Call, caller: Caller) -> dict[str, Any]:
        """ListDiscoveredResources of one type, deleted ones on demand."""
        self._must_record()
        wanted, place = call.params.get("resourceType"), (caller.account, call.region)
        named = call.params.get("resourceName")
        found: list[dict[str, Any]] = []
        for (where, kind, resource), kept in sorted(self._items.items()):
            gone = kept[-1]["configurationItemStatus"] == "ResourceDeleted"
            if named and kept[-1].get("resourceName") != named:
                continue
            if (where, kind) == (place, wanted) and (not gone or call.params.get("includeDeletedResources")):
                deleted = {"resourceDeletionTime": kept[-1]["configurationItemCaptureTime"]} if gone else {}
                found.append({"resourceType": kind, "resourceId": resource, **deleted})
        start, limit = _page(call, _MOST_IDENTIFIERS)
        answer: dict[str, Any] = {"resourceIdentifiers": found[start : start + limit]}
        if start + limit < len(found):
            answer["nextToken"] = str(start + limit)
        return answer

    def _must_record(self) -> None:
        if not self.on:
            raise AwsError("NoAvailableConfigurationRecorderException", "There are no configuration recorders available.")

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _look(self, place: Place, time: float) -> None:
        for recorded in _TYPES:
            self._compare(place, recorded, dict(self._standing(place, recorded)), time)

    def _look_at_iam(self, place: Place, time: float) -> None:
        if place[1] != _HOME:
            return
        keys = bootstrap_keys(place[0]).access_key
        listed = self._answer(place[0], iam_call("GetAccountAuthorizationDetails", _OWN, keys, self._clock.now()))
        for recorded in _IAM_TYPES:
            standing = {_iam_id(recorded, one): one for one in listed.get(recorded.listed) or []}
            self._compare(place, recorded, standing, time)

    def _compare(self, place: Place, recorded: _Recorded, standing: dict[str, dict[str, Any]], time: float) -> None:
        for resource, described in standing.items():
            self._take(place, recorded, resource, described, time)
        for (where, kind, resource), kept in self._items.items():
            there = (where, kind) == (place, recorded.type) and resource in standing
            if (where, kind) == (place, recorded.type) and not there and kept[-1]["configuration"] is not None:
                kept.append(_item(place, recorded, resource, None, time, "ResourceDeleted", kept[-1]))

    def _take(self, place: Place, recorded: _Recorded, resource: str, described: dict[str, Any], time: float) -> None:
        kept = self._items[place, recorded.type, resource]
        configuration = _configuration(recorded, described)
        if not kept or kept[-1]["configuration"] != configuration:
            status = "OK" if kept else "ResourceDiscovered"
            kept.append(_item(place, recorded, resource, described, time, status))

    def _standing(self, place: Place, recorded: _Recorded) -> Iterator[tuple[str, dict[str, Any]]]:
        for described in self._describe(place, f"Describe{recorded.listed}").get(recorded.listed) or []:
            resource = described.get(recorded.identifier) or described.get("PublicIp")
            if resource and _state(described) not in _GONE:
                yield str(resource), described

    def _describe(self, place: Place, operation: str) -> dict[str, Any]:
        account, region = place
        return self._answer(account, ec2_call(operation, {}, region, bootstrap_keys(account).access_key, self._clock.now()))

    def _answer(self, account: str, call: Call) -> dict[str, Any]:
        caller = self._caller_of(bootstrap_keys(account).access_key)
        if caller is None:
            raise RuntimeError(f"the range cannot describe itself: {call.operation} as {account}")
        answer = self._forward(call, caller)
        if answer.status != 200:
            raise RuntimeError(f"the range cannot describe itself: {call.operation} answers {answer.body[:300]!r}")
        return parse_result(call, answer)


def _iam_id(recorded: _Recorded, described: dict[str, Any]) -> str:
    """The id by which Config calls it; moto has none for policies."""
    made = hashlib.sha256(described["Arn"].encode()).hexdigest()[:17].upper()
    return str(described.get(recorded.identifier) or f"ANPA{made}")


def _item(
    place: Place,
    recorded: _Recorded,
    resource: str,
    described: dict[str, Any] | None,
    time: float,
    status: str,
    before: Item | None = None,
) -> Item:
    account, region = place
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in _tags_of(described)} if described else (before or {}).get("tags", {})
    at = datetime.fromtimestamp(int(time * 1000) / 1000, UTC)
    of_iam = recorded in _IAM_TYPES
    arn = f"arn:aws:ec2:{region}:{account}:{recorded.noun}/{resource}"
    called = str(described["Arn"]).rpartition("/")[2] if of_iam and described else (before or {}).get("resourceName")
    named = {"resourceName": called} if of_iam else {}
    return {
        "version": "1.3",
        "accountId": account,
        "configurationItemCaptureTime": at,
        "configurationItemStatus": status,
        "configurationStateId": str(int(time * 1000)),
        "configurationItemMD5Hash": "",
        "arn": (described["Arn"] if described else (before or {})["arn"]) if of_iam else arn,
        "resourceType": recorded.type,
        "resourceId": resource,
        **named,
        "awsRegion": "global" if of_iam else region,
        "availabilityZone": (described or {}).get("AvailabilityZone", "Not Applicable"),
        "tags": tags,
        "relatedEvents": [],
        "relationships": _relationships(recorded, described or {}),
        "configuration": _configuration(recorded, described) if described else None,
        "supplementaryConfiguration": {},
    }


def _configuration(recorded: _Recorded, described: dict[str, Any]) -> str:
    """As text; a policy of IAM's is in it as IAM answers it, URL-encoded."""
    told = _lower_camel(described)
    if recorded.type == "AWS::EC2::SecurityGroup":
        for listed in ("ipPermissions", "ipPermissionsEgress"):
            told[listed] = [_permission(one) for one in told.get(listed, [])]
    return json.dumps(told, sort_keys=True)


def _permission(told: dict[str, Any]) -> dict[str, Any]:
    """A group's permission in Config's shape, with the networks both plain and described."""
    networks = told.get("ipRanges", [])
    return {**told, "ipv4Ranges": networks, "ipRanges": [network["cidrIp"] for network in networks]}


def _lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _lower_camel(inner) for name, inner in value.items() if name != "ResponseMetadata"}
    if isinstance(value, list):
        return [_lower_camel(inner) for inner in value]
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _relationships(recorded: _Recorded, described: dict[str, Any]) -> list[dict[str, Any]]:
    parents = (("AWS::EC2::VPC", "VpcId", "Vpc"), ("AWS::EC2::Subnet", "SubnetId", "Subnet"))
    return [
        {"resourceType": kind, "resourceId": described[member], "relationshipName": f"Is contained in {name}"}
        for kind, member, name in parents
        if described.get(member) and kind != recorded.type
    ]


def _tags_of(described: dict[str, Any]) -> list[dict[str, Any]]:
    return described.get("Tags") or described.get("TagSet") or []


def _state(described: dict[str, Any]) -> str:
    state = described.get("State") or described.get("Status") or ""
    return str(state.get("Code", "")) if isinstance(state, dict) else str(state)


def _within(item: Item, earlier: float | None, later: float | None) -> bool:
    at = item["configurationItemCaptureTime"].timestamp()
    return (earlier is None or at >= earlier) and (later is None or at <= later)


def _page(call: Call, most: int) -> tuple[int, int]:
    limit = int(call.params.get("limit") or 0) or most
    if not 0 < limit <= most:
        raise AwsError("InvalidLimitException", "The specified limit is outside the allowable range.")
    token = str(call.params.get("nextToken") or "0")
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "The specified next token is not valid.")
    return int(token), limit


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)
