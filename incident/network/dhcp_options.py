"""DHCP options: sets of them, and which set a VPC hands out. Whoever sets them chooses the VPC's DNS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, filtered, seen
from incident.network.values import identifiers, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

ASSOCIATION = "dhcp-options-association"


def _value(told: JsonObject) -> dict[str, list[str]]:
    configurations = structures(told.get("DhcpConfigurations"))
    return {text(one.get("Key")): sorted(identifiers(one.get("Values"), "Value")) for one in configurations}


def _parameters(value: Value) -> dict[str, Any]:
    return {"DhcpConfigurations": [{"Key": name, "Values": values} for name, values in sorted(value.items())]}


def _associate(event: Event) -> Iterator[Write]:
    yield Write(event.key(ASSOCIATION, event.requested("VpcId")), {"DhcpOptionsId": event.requested("DhcpOptionsId")})


def _observe_vpcs(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for vpc in structures(answer.get("Vpcs")):
        if vpc.get("DhcpOptionsId"):
            yield seen(scope, ASSOCIATION, vpc.get("VpcId"), {"DhcpOptionsId": text(vpc["DhcpOptionsId"])})


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """A VPC that hands out no set is said to have the set `default`."""
    chosen = wanted or {"DhcpOptionsId": "default"}
    return call("AssociateDhcpOptions", {"VpcId": key.resource, **chosen})


_OPTIONS = Resource(
    kind="dhcp-options",
    noun="DhcpOptions",
    listed="DhcpOptions",
    rank=95,
    value=_value,
    parameters=_parameters,
)

DHCP_OPTIONS = family(
    _OPTIONS.as_kind(),
    Kind(ASSOCIATION, 84, lambda key: filtered("DescribeVpcs", "vpc-id", key.resource), _change, part_of="vpc"),
    readers={**_OPTIONS.readers(), "AssociateDhcpOptions": _associate},
    observers={"DescribeDhcpOptions": _OPTIONS.observe, "DescribeVpcs": _observe_vpcs},
    inventory=("DescribeDhcpOptions", "DescribeVpcs"),
    absent_codes=("InvalidDhcpOptionID.NotFound", "InvalidDhcpOptionsID.NotFound"),
    acts={
        ASSOCIATION: Acts(sets=("ec2:AssociateDhcpOptions",)),
    },
)
