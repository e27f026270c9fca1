"""VPCs, subnets, gateways, peerings and endpoints: what is in use stays, and what goes takes its own with it."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.dhcp_options import DHCPOptionsSetBackend
from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.models.subnets import SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.responses.vpc_peering_connections import VPCPeeringConnections
from moto.ec2.utils import EC2_RESOURCE_TO_PREFIX

from drill.aws.corrections.base import corrects, refuse

_PREFIXES = {
    "traffic-mirror-filter": "tmf",
    "traffic-mirror-filter-rule": "tmfr",
    "traffic-mirror-session": "tms",
    "traffic-mirror-target": "tmt",
}


def correct() -> None:
    """The rest of this module is in place once it is imported; the ids of traffic mirrors have prefixes of moto's own."""
    EC2_RESOURCE_TO_PREFIX.update({k: v for k, v in _PREFIXES.items() if k in EC2_RESOURCE_TO_PREFIX})


def _interfaces(backend: Any, vpc_id: str) -> list[Any]:
    return [eni for eni in list(backend.enis.values()) if eni.subnet.vpc_id == vpc_id]


@corrects(VPCBackend)
def delete_vpc(self: Any, vpc_id: str) -> Any:
    """moto deletes networks with gateways, groups, ACLs or endpoints in them, and leaves the default ACL behind."""
    self.get_vpc(vpc_id)
    groups = [g for g in self.groups.get(vpc_id, {}).values() if not g.is_default and g.name != "default"]
    acls = [acl for acl in self.network_acls.values() if acl.vpc_id == vpc_id]
    endpoints = [e for e in self.vpc_end_points.values() if e.vpc_id == vpc_id and e.state != "deleted"]
    attached = [igw for igw in self.internet_gateways.values() if igw.vpc is not None and igw.vpc.id == vpc_id]
    if groups or endpoints or attached or any(not acl.default for acl in acls) or _interfaces(self, vpc_id):
        raise refuse("DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    gone = delete_vpc.moto(self, vpc_id)
    for acl in acls:
        self.network_acls.pop(acl.id, None)
    return gone


@corrects(DHCPOptionsSetBackend)
def delete_dhcp_options_set(self: Any, options_id: str | None) -> None:
    """moto keeps options that a VPC has given up for others, and deletes options that another VPC still uses."""
    options = self.dhcp_options_sets.get(options_id)
    if options is not None:
        options.vpc = next((vpc for vpc in self.vpcs.values() if vpc.dhcp_options is options), None)
    delete_dhcp_options_set.moto(self, options_id)


@corrects(SubnetBackend)
def delete_subnet(self: Any, subnet_id: str) -> Any:
    """moto deletes subnets with interfaces in them, and leaves their associations behind."""
    subnet = self.get_subnet(subnet_id)
    if any(eni.subnet.id == subnet_id for eni in list(self.enis.values())):
        message = f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
        raise refuse("DependencyViolation", message)
    for table in self.route_tables.values():
        table._associations = {k: v for k, v in table._associations.items() if v != subnet.id}
    for acl in self.network_acls.values():
        acl._associations = {k: a for k, a in acl._associations.items() if a.subnet_id != subnet.id}
    return delete_subnet.moto(self, subnet_id)


# ---- internet gateways ------------------------------------------------------------------------------------------


@corrects(InternetGatewayBackend)
def attach_internet_gateway(self: Any, internet_gateway_id: str, vpc_id: str) -> Any:
    """moto attaches any number of gateways to a network."""
    for igw in self.internet_gateways.values():
        if igw.id != internet_gateway_id and igw.vpc is not None and igw.vpc.id == vpc_id:
            message = f"Network {vpc_id} already has an internet gateway attached"
            raise refuse("InvalidParameterValue", message)
    return attach_internet_gateway.moto(self, internet_gateway_id, vpc_id)


@corrects(InternetGatewayBackend)
def detach_internet_gateway(self: Any, internet_gateway_id: str, vpc_id: str) -> None:
    """moto detaches a gateway that public addresses still need."""
    igw = self.get_internet_gateway(internet_gateway_id)
    if igw.vpc is not None and igw.vpc.id == vpc_id and any(eni.public_ip for eni in _interfaces(self, vpc_id)):
        message = f"Network {vpc_id} has some mapped public address(es). Please unmap those before detaching the gateway."
        raise refuse("DependencyViolation", message)
    detach_internet_gateway.moto(self, internet_gateway_id, vpc_id)


# ---- NAT gateways and addresses ---------------------------------------------------------------------------------


def _gateway(backend: Any, ident: str) -> NatGateway:
    found: NatGateway | None = backend.nat_gateways.get(ident)
    if found is None:
        raise refuse("NatGatewayNotFound", f"The Nat Gateway {ident} was not found")
    return found


@corrects(NatGatewayBackend)
def create_nat_gateway(self: Any, subnet_id: str, allocation_id: str, *args: Any, **kwargs: Any) -> NatGateway:
    """moto gives the gateway an ordinary interface with groups, and an address that something else has."""
    if any(address.allocation_id == allocation_id and address.association_id for address in self.addresses):
        return _failed(self, subnet_id, allocation_id, *args, **kwargs)
    gateway: NatGateway = create_nat_gateway.moto(self, subnet_id, allocation_id, *args, **kwargs)
    gateway._eni._group_set = []
    gateway._eni.interface_type = "nat_gateway"
    gateway._eni.requester_managed = True
    gateway._eni.status = "in-use"
    gateway._eni.description = f"Interface for NAT Gateway {gateway.id}"
    return gateway


def _failed(backend: Any, subnet_id: str, allocation_id: str, *args: Any, **kwargs: Any) -> NatGateway:
    """A gateway that AWS makes and then gives up, for its address is in use; the call itself succeeds."""
    gateway: NatGateway = create_nat_gateway.moto(backend, subnet_id, "", *args, **kwargs)
    backend.enis.pop(gateway._eni.id, None)
    gateway.address_set = [{"allocationId": allocation_id}]
    gateway.state = "failed"
    gateway.failure_code = "Resource.AlreadyAssociated"  # type: ignore[attr-defined]
    gateway.failure_message = f"Elastic IP address [{allocation_id}] is already associated"  # type: ignore[attr-defined]
    return gateway


@corrects(NatGatewayBackend)
def delete_nat_gateway(self: Any, nat_gateway_id: str) -> NatGateway:
    """moto keeps the gateway's interface, and its address in use."""
    gateway = _gateway(self, nat_gateway_id)
    for address in list(self.addresses):
        if address.eni is gateway._eni:
            self.disassociate_address(address=address.public_ip)
    self.enis.pop(gateway._eni.id, None)
    gone: NatGateway = delete_nat_gateway.moto(self, nat_gateway_id)
    return gone


@corrects(ElasticIPAddresses)
def release_address(self: Any) -> Any:
    """moto releases addresses in use."""
    ident, public = self._get_param("AllocationId"), self._get_param("PublicIp")
    for address in self.ec2_backend.addresses:
        wanted = (ident and address.allocation_id == ident) or (public and address.public_ip == public)
        if wanted and address.association_id:
            raise refuse("InvalidIPAddress.InUse", f"Address {address.public_ip} is in use.")
    return release_address.moto(self)


# ---- peerings ---------------------------------------------------------------------------------------------------

_PEERING_FILTERS = {
    "accepter-vpc-info.cidr-block": lambda p: p.peer_vpc.cidr_block,
    "accepter-vpc-info.owner-id": lambda p: p.peer_vpc.owner_id,
    "accepter-vpc-info.vpc-id": lambda p: p.peer_vpc.id,
    "requester-vpc-info.cidr-block": lambda p: p.vpc.cidr_block,
    "requester-vpc-info.owner-id": lambda p: p.vpc.owner_id,
    "requester-vpc-info.vpc-id": lambda p: p.vpc.id,
    "status-code": lambda p: p._status.code,
    "vpc-peering-connection-id": lambda p: p.id,
}


@corrects(VPCPeeringConnections)
def describe_vpc_peering_connections(self: Any) -> ActionResult:
    """moto ignores filters, and ids that do not exist."""
    ids = self._get_param("VpcPeeringConnectionIds", [])
    for ident in ids:
        self.ec2_backend.get_vpc_peering_connection(ident)
    found = self.ec2_backend.describe_vpc_peering_connections(vpc_peering_ids=ids)
    for name, values in self._filters_from_querystring().items():
        if name.startswith("tag"):
            found = [p for p in found if p.get_filter_value(name) in values]
        elif name in _PEERING_FILTERS:
            found = [p for p in found if _PEERING_FILTERS[name](p) in values]
        else:
            raise refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
    return ActionResult({"VpcPeeringConnections": found})


# ---- endpoints --------------------------------------------------------------------------------------------------


@corrects(VPCBackend)
def create_vpc_endpoint(self: Any, *args: Any, **kwargs: Any) -> Any:
    """moto leaves the type open, and then cannot delete the endpoint; AWS takes Gateway."""
    if not args and not kwargs.get("endpoint_type"):
        kwargs["endpoint_type"] = "Gateway"
    return create_vpc_endpoint.moto(self, *args, **kwargs)


@corrects(VPCBackend)
def delete_vpc_endpoints(self: Any, vpce_ids: list[str] | None = None) -> None:
    """moto says yes to endpoints that do not exist, and keeps showing deleted ones."""
    for ident in vpce_ids or []:
        if ident not in self.vpc_end_points:
            raise refuse("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{ident}' does not exist")
    for ident in vpce_ids or []:
        endpoint = self.vpc_end_points[ident]
        for eni in list(endpoint.network_interface_ids or []):
            self.enis.pop(eni, None)
        for table in endpoint.route_table_ids or []:
            routes = self.route_tables[table]._routes if table in self.route_tables else {}
            for key in [k for k, r in routes.items() if r.gateway is endpoint or r.vpc_endpoint_id == ident]:
                del routes[key]
        endpoint.state = "deleted"
        del self.vpc_end_points[ident]
