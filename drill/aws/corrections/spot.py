"""Spot requests and fleets: instances say who launched them, a cancelled request stays to be seen, an unknown one is an error."""

from __future__ import annotations

from typing import Any

from moto.ec2 import utils
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.spot_requests import SpotFleetRequest, SpotInstanceRequest, SpotRequestBackend

from drill.aws.corrections.base import corrects, refuse

# Filters of DescribeInstances that moto does not have.
utils.filter_dict_attribute_mapping["spot-instance-request-id"] = "spot_instance_request_id"


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(SpotInstanceRequest)
def launch_instance(self: Any) -> Any:
    """moto's instances do not name the request. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html"""
    instance = launch_instance.moto(self)  # type: ignore[attr-defined]
    instance.spot_instance_request_id = self.id
    return instance


def _tag(instances: Any, name: str, order: str) -> None:
    for instance in instances:
        instance.add_tags({name: order})


@corrects(SpotFleetRequest)
def create_spot_requests(self: Any, weight_to_add: float) -> None:
    """AWS tags what a fleet launches."""
    create_spot_requests.moto(self, weight_to_add)  # type: ignore[attr-defined]
    _tag([request.instance for request in self.spot_requests], "aws:ec2spot:fleet-request-id", self.id)


@corrects(Fleet)
def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
    __init__.moto(self, *args, **kwargs)  # type: ignore[attr-defined]
    instances = [one["instance"] for one in getattr(self, "on_demand_instances", [])]
    instances += [request.instance for request in getattr(self, "spot_requests", [])]
    _tag(instances, "aws:ec2:fleet-id", self.id)


@corrects(SpotRequestBackend)
def describe_spot_instance_requests(self: Any, filters: Any = None, spot_instance_ids: list[str] | None = None) -> Any:
    """moto shows nothing for an id that is not there."""
    for ident in spot_instance_ids or []:
        if ident not in self.spot_instance_requests:
            raise refuse("InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{ident}' does not exist")
    return describe_spot_instance_requests.moto(self, filters, spot_instance_ids)  # type: ignore[attr-defined]


@corrects(SpotRequestBackend)
def cancel_spot_instance_requests(self: Any, request_ids: list[str]) -> list[Any]:
    """moto forgets a cancelled request at once. Its instance goes on running."""
    found = describe_spot_instance_requests(self, None, request_ids) if request_ids else []
    for request in found:
        request.state = "cancelled"
        request._status_code = "request-canceled-and-instance-running"
    return list(found)
