"""Tags: those of a resource go with it."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.responses.tags import TagResponse

from drill.aws.corrections.base import corrects

_STORES = {
    "acl": "network_acls",
    "cagw": "carrier_gateways",
    "cgw": "customer_gateways",
    "dopt": "dhcp_options_sets",
    "eigw": "egress_only_internet_gateways",
    "eni": "enis",
    "fl": "flow_logs",
    "igw": "internet_gateways",
    "pcx": "vpc_pcxs",
    "pl": "managed_prefix_lists",
    "rtb": "route_tables",
    "snap": "snapshots",
    "tgw-rtb": "transit_gateways_route_tables",
    "tmf": "traffic_mirror_filters",
    "tms": "traffic_mirror_sessions",
    "tmt": "traffic_mirror_targets",
    "vgw": "vpn_gateways",
    "vol": "volumes",
    "vpc": "vpcs",
    "vpce": "vpc_end_points",
    "vpn": "vpn_connections",
}
"""Where moto keeps each kind of resource, by the prefix of its id; what AWS lists for a while after its end is not among them."""


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


def _is_there(backend: Any, resource: str) -> bool:
    prefix = resource.rpartition("-")[0]
    if prefix == "sg":
        return any(resource in groups for groups in backend.groups.values())
    if prefix == "subnet":
        return any(resource in subnets for subnets in backend.subnets.values())
    if prefix == "eipalloc":
        return any(address.allocation_id == resource for address in backend.addresses)
    return prefix not in _STORES or resource in getattr(backend, _STORES[prefix])


@corrects(TagResponse)
def describe_tags(self: Any) -> ActionResult:
    """moto lists the tags of what was deleted."""
    shown = describe_tags.moto(self).result["Tags"]  # type: ignore[attr-defined]
    return ActionResult({"Tags": [tag for tag in shown if _is_there(self.ec2_backend, tag["resource_id"])]})
