"""VPC block public access: a region's mode, and the VPCs and subnets that are excluded from it."""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, listing, seen
from incident.network.values import mapping, present, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

MODE = "vpc-block-public-access"
EXCLUSION = "vpc-block-public-access-exclusion"

_REGION = "options"
"""A region has one set of options: it stands for their id."""


def _exclusion(told: JsonObject) -> dict[str, str]:
    """The VPC or subnet that is excluded; what is described names it by its ARN."""
    excluded = text(told.get("ResourceArn")).rpartition("/")[2] or text(told.get("SubnetId")) or text(told.get("VpcId"))
    return present(
        {
            "SubnetId" if excluded.startswith("subnet-") else "VpcId": excluded,
            "InternetGatewayExclusionMode": text(told.get("InternetGatewayExclusionMode")),
        }
    )


_EXCLUSIONS = Resource(
    kind=EXCLUSION,
    noun="VpcBlockPublicAccessExclusion",
    listed="VpcBlockPublicAccessExclusions",
    rank=20,
    value=_exclusion,
    identifier="ExclusionId",
    gone=frozenset({"delete-complete", "disable-complete", "delete-in-progress", "create-failed"}),
    unsettled=frozenset({"create-in-progress", "update-in-progress", "delete-in-progress", "disable-in-progress"}),
    ids="ExclusionIds",
)


def _modify_mode(event: Event) -> Iterator[Write]:
    yield Write(event.key(MODE, _REGION), event.requested("InternetGatewayBlockMode"))


def _observe_mode(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    options = mapping(answer.get("VpcBlockPublicAccessOptions"))
    if options:
        settled = text(options.get("State")) != "update-in-progress"
        yield seen(scope, MODE, _REGION, text(options.get("InternetGatewayBlockMode")), settled=settled)


def _change_mode(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there("the mode")
    return call("ModifyVpcBlockPublicAccessOptions", {"InternetGatewayBlockMode": wanted})


def _change_exclusion(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None or {**live.value, **wanted} != {**wanted}:
        return _EXCLUSIONS.change(key, live, wanted)
    mode = {"InternetGatewayExclusionMode": wanted["InternetGatewayExclusionMode"]}
    return call("ModifyVpcBlockPublicAccessExclusion", {"ExclusionId": key.resource, **mode})


BLOCK_PUBLIC_ACCESS = family(
    Kind(
        MODE,
        5,
        lambda key: listing("DescribeVpcBlockPublicAccessOptions"),
        _change_mode,
        opens=lambda key, value: value == "off",
    ),
    _EXCLUSIONS.as_kind(change=_change_exclusion, opens=lambda key, value: True),
    readers={
        **_EXCLUSIONS.readers(),
        "ModifyVpcBlockPublicAccessOptions": _modify_mode,
        "ModifyVpcBlockPublicAccessExclusion": _EXCLUSIONS.read_modified,
    },
    observers={
        "DescribeVpcBlockPublicAccessOptions": _observe_mode,
        "DescribeVpcBlockPublicAccessExclusions": _EXCLUSIONS.observe,
    },
    inventory=("DescribeVpcBlockPublicAccessOptions", "DescribeVpcBlockPublicAccessExclusions"),
    absent_codes=("InvalidVpcBlockPublicAccessExclusionId.NotFound",),
    acts={
        MODE: Acts(sets=("ec2:ModifyVpcBlockPublicAccessOptions",)),
        EXCLUSION: Acts(
            sets=("ec2:CreateVpcBlockPublicAccessExclusion", "ec2:ModifyVpcBlockPublicAccessExclusion"),
            removes=("ec2:DeleteVpcBlockPublicAccessExclusion",),
        ),
    },
)
