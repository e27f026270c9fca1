"""VPC block public access, which moto lacks, and connections to endpoint services, of which the range has none.

https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.utils import random_id

from drill.aws.corrections import runtime
from drill.aws.corrections.base import corrects, refuse

_BLOCK_MODES = ("off", "block-bidirectional", "block-ingress")
_EXCLUSION_MODES = ("allow-bidirectional", "allow-egress")


def correct() -> None:
    """The additions of this module are in place once it is imported."""


@dataclass
class _PublicAccess:
    """One region's mode and its exclusions by id."""

    mode: str = "off"
    state: str = "default-state"
    changed: datetime | None = None
    exclusions: dict[str, dict[str, Any]] = field(default_factory=dict)


def _of(backend: Any) -> _PublicAccess:
    if not hasattr(backend, "public_access"):
        backend.public_access = _PublicAccess()
    access: _PublicAccess = backend.public_access
    return access


def _now() -> datetime:
    return datetime.fromtimestamp(runtime.settings.clock.now(), UTC)


def _options(self: Any) -> ActionResult:
    access = _of(self.ec2_backend)
    told = {
        "AwsAccountId": self.current_account,
        "AwsRegion": self.region,
        "State": access.state,
        "InternetGatewayBlockMode": access.mode,
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }
    return ActionResult({"VpcBlockPublicAccessOptions": told | ({"LastUpdateTimestamp": access.changed} if access.changed else {})})


@corrects(VPCs)
def describe_vpc_block_public_access_options(self: Any) -> ActionResult:
    return _options(self)


@corrects(VPCs)
def modify_vpc_block_public_access_options(self: Any) -> ActionResult:
    mode = self._get_param("InternetGatewayBlockMode")
    if mode not in _BLOCK_MODES:
        raise refuse("InvalidParameterValue", f"Value ({mode}) for parameter InternetGatewayBlockMode is invalid")
    access = _of(self.ec2_backend)
    access.mode, access.state, access.changed = mode, "update-complete", _now()
    return _options(self)


@corrects(VPCs)
def create_vpc_block_public_access_exclusion(self: Any) -> ActionResult:
    access, mode = _of(self.ec2_backend), _exclusion_mode(self)
    arn = self._excluded_arn()
    if any(held["ResourceArn"] == arn for held in access.exclusions.values()):
        raise refuse("VpcBlockPublicAccessExclusionAlreadyExists", f"There is an exclusion of {arn} already")
    ident, now = random_id("vpcbpa-exclude"), _now()
    access.exclusions[ident] = {
        "ExclusionId": ident,
        "InternetGatewayExclusionMode": mode,
        "ResourceArn": arn,
        "State": "create-complete",
        "CreationTimestamp": now,
        "LastUpdateTimestamp": now,
        "Tags": [],
    }
    return ActionResult({"VpcBlockPublicAccessExclusion": access.exclusions[ident]})


@corrects(VPCs)
def _excluded_arn(self: Any) -> str:
    """The ARN of the VPC or subnet that is named; one of the two must be."""
    vpc, subnet = self._get_param("VpcId"), self._get_param("SubnetId")
    if bool(vpc) == bool(subnet):
        raise refuse("InvalidParameterCombination", "Name either a VpcId or a SubnetId")
    if vpc:
        self.ec2_backend.get_vpc(vpc)
    else:
        self.ec2_backend.get_subnet(subnet)
    return f"arn:aws:ec2:{self.region}:{self.current_account}:{f'vpc/{vpc}' if vpc else f'subnet/{subnet}'}"


@corrects(VPCs)
def modify_vpc_block_public_access_exclusion(self: Any) -> ActionResult:
    held = _exclusion(self)
    held.update(InternetGatewayExclusionMode=_exclusion_mode(self), State="update-complete", LastUpdateTimestamp=_now())
    return ActionResult({"VpcBlockPublicAccessExclusion": held})


@corrects(VPCs)
def delete_vpc_block_public_access_exclusion(self: Any) -> ActionResult:
    held = _exclusion(self)
    del _of(self.ec2_backend).exclusions[held["ExclusionId"]]
    gone = held | {"State": "delete-in-progress", "DeletionTimestamp": _now()}
    return ActionResult({"VpcBlockPublicAccessExclusion": gone})


@corrects(VPCs)
def describe_vpc_block_public_access_exclusions(self: Any) -> ActionResult:
    held = _of(self.ec2_backend).exclusions
    asked = self._get_param("ExclusionIds", [])
    for ident in asked:
        _known(held, ident)
    return ActionResult({"VpcBlockPublicAccessExclusions": [held[ident] for ident in asked or held]})


@corrects(VPCs)
def describe_vpc_endpoint_connections(self: Any) -> ActionResult:
    return ActionResult({"VpcEndpointConnections": []})


def _exclusion_mode(self: Any) -> str:
    mode = str(self._get_param("InternetGatewayExclusionMode"))
    if mode not in _EXCLUSION_MODES:
        raise refuse("InvalidParameterValue", f"Value ({mode}) for parameter InternetGatewayExclusionMode is invalid")
    return mode


def _exclusion(self: Any) -> dict[str, Any]:
    return _known(_of(self.ec2_backend).exclusions, self._get_param("ExclusionId"))


def _known(held: dict[str, dict[str, Any]], ident: str) -> dict[str, Any]:
    if ident not in held:
        message = f"The VPC block public access exclusion {ident} does not exist"
        raise refuse("InvalidVpcBlockPublicAccessExclusionId.NotFound", message)
    return held[ident]
