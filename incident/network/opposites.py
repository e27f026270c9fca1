"""The exact call that takes back a recognized operation, where the record itself carries every parameter of it.

It is advice for a person and never runs: no family reads the settings that it would change, so nothing could verify it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from incident import shapes
from incident.network.values import identifiers, mapping
from incident.record import JsonObject, Record


@dataclass(frozen=True, slots=True)
class Opposite:
    """An operation that takes another back; `needs` are its parameters, `takes` those that it gets when the record has them."""

    operation: str
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()

    def call(self, request: JsonObject, response: JsonObject) -> AdvisedCall | None:
        """The call for one record, `None` when the record lacks something of it."""
        found = {name: _told(name, request, response) for name in (*self.needs, *self.takes)}
        if any(found[name] in (None, "", []) for name in self.needs):
            return None
        return AdvisedCall(self.operation, {name: value for name, value in found.items() if value not in (None, "", [])})


@dataclass(frozen=True, slots=True)
class AdvisedCall:
    """A call that a person may make by hand."""

    operation: str
    parameters: dict[str, Any]

    def __str__(self) -> str:
        told = ", ".join(f"{name}={_shown(value)}" for name, value in self.parameters.items())
        return f"{self.operation}({told})"


_TABLE = """
AcceptTransitGatewayClientVpnAttachment DeleteTransitGatewayClientVpnAttachment TransitGatewayAttachmentId
AcceptTransitGatewayMulticastDomainAssociations DisassociateTransitGatewayMulticastDomain \
    TransitGatewayMulticastDomainId TransitGatewayAttachmentId SubnetIds
AdvertiseByoipCidr WithdrawByoipCidr Cidr
AllocateIpamPoolCidr ReleaseIpamPoolAllocation IpamPoolId Cidr IpamPoolAllocationId
AssociateClientVpnTargetNetwork DisassociateClientVpnTargetNetwork ClientVpnEndpointId AssociationId
AssociateIpamByoasn DisassociateIpamByoasn Asn Cidr
AssociateIpamResourceDiscovery DisassociateIpamResourceDiscovery IpamResourceDiscoveryAssociationId
AssociateRouteServer DisassociateRouteServer RouteServerId VpcId
AssociateSecurityGroupVpc DisassociateSecurityGroupVpc GroupId VpcId
AssociateTransitGatewayMulticastDomain DisassociateTransitGatewayMulticastDomain \
    TransitGatewayMulticastDomainId TransitGatewayAttachmentId SubnetIds
AssociateTransitGatewayPolicyTable DisassociateTransitGatewayPolicyTable TransitGatewayPolicyTableId TransitGatewayAttachmentId
AssociateTrunkInterface DisassociateTrunkInterface AssociationId
AttachClassicLinkVpc DetachClassicLinkVpc InstanceId VpcId
AttachVerifiedAccessTrustProvider DetachVerifiedAccessTrustProvider VerifiedAccessInstanceId VerifiedAccessTrustProviderId
AuthorizeClientVpnIngress RevokeClientVpnIngress ClientVpnEndpointId TargetNetworkCidr AccessGroupId
CreateClientVpnEndpoint DeleteClientVpnEndpoint ClientVpnEndpointId
CreateClientVpnRoute DeleteClientVpnRoute ClientVpnEndpointId DestinationCidrBlock TargetVpcSubnetId
CreateCoipCidr DeleteCoipCidr Cidr CoipPoolId
CreateInstanceConnectEndpoint DeleteInstanceConnectEndpoint InstanceConnectEndpointId
CreateIpam DeleteIpam IpamId
CreateIpamExternalResourceVerificationToken DeleteIpamExternalResourceVerificationToken IpamExternalResourceVerificationTokenId
CreateIpamInternetRegistryAssociation DeleteIpamInternetRegistryAssociation IpamInternetRegistryAssociationId
CreateIpamPolicy DeleteIpamPolicy IpamPolicyId
CreateIpamPool DeleteIpamPool IpamPoolId
CreateIpamPrefixListResolver DeleteIpamPrefixListResolver IpamPrefixListResolverId
CreateIpamPrefixListResolverTarget DeleteIpamPrefixListResolverTarget IpamPrefixListResolverTargetId
CreateIpamResourceDiscovery DeleteIpamResourceDiscovery IpamResourceDiscoveryId
CreateIpamRoutingPolicyRegistration DeleteIpamRoutingPolicyRegistration IpamInternetRegistryAssociationId Cidr
CreateIpamScope DeleteIpamScope IpamScopeId
CreateLocalGatewayRoute DeleteLocalGatewayRoute LocalGatewayRouteTableId DestinationCidrBlock
CreateLocalGatewayRouteTable DeleteLocalGatewayRouteTable LocalGatewayRouteTableId
CreateLocalGatewayRouteTableVirtualInterfaceGroupAssociation DeleteLocalGatewayRouteTableVirtualInterfaceGroupAssociation \
    LocalGatewayRouteTableVirtualInterfaceGroupAssociationId
CreateLocalGatewayRouteTableVpcAssociation DeleteLocalGatewayRouteTableVpcAssociation LocalGatewayRouteTableVpcAssociationId
CreateLocalGatewayVirtualInterface DeleteLocalGatewayVirtualInterface LocalGatewayVirtualInterfaceId
CreateLocalGatewayVirtualInterfaceGroup DeleteLocalGatewayVirtualInterfaceGroup LocalGatewayVirtualInterfaceGroupId
CreateNetworkInsightsAccessScope DeleteNetworkInsightsAccessScope NetworkInsightsAccessScopeId
CreateNetworkInsightsPath DeleteNetworkInsightsPath NetworkInsightsPathId
CreateNetworkInterfacePermission DeleteNetworkInterfacePermission NetworkInterfacePermissionId
CreatePublicIpv4Pool DeletePublicIpv4Pool PoolId ?NetworkBorderGroup
CreateRouteServer DeleteRouteServer RouteServerId
CreateRouteServerEndpoint DeleteRouteServerEndpoint RouteServerEndpointId
CreateRouteServerPeer DeleteRouteServerPeer RouteServerPeerId
CreateSecondaryNetwork DeleteSecondaryNetwork SecondaryNetworkId
CreateSecondarySubnet DeleteSecondarySubnet SecondarySubnetId
CreateSubnetCidrReservation DeleteSubnetCidrReservation SubnetCidrReservationId
CreateTransitGatewayConnect DeleteTransitGatewayConnect TransitGatewayAttachmentId
CreateTransitGatewayConnectPeer DeleteTransitGatewayConnectPeer TransitGatewayConnectPeerId
CreateTransitGatewayMeteringPolicy DeleteTransitGatewayMeteringPolicy TransitGatewayMeteringPolicyId
CreateTransitGatewayMeteringPolicyEntry DeleteTransitGatewayMeteringPolicyEntry TransitGatewayMeteringPolicyId PolicyRuleNumber
CreateTransitGatewayMulticastDomain DeleteTransitGatewayMulticastDomain TransitGatewayMulticastDomainId
CreateTransitGatewayNetworkFunctionAttachment DeleteTransitGatewayNetworkFunctionAttachment TransitGatewayAttachmentId
CreateTransitGatewayPolicyTable DeleteTransitGatewayPolicyTable TransitGatewayPolicyTableId
CreateTransitGatewayPolicyTableEntry DeleteTransitGatewayPolicyTableEntry TransitGatewayPolicyTableId PolicyRuleNumber
CreateTransitGatewayPrefixListReference DeleteTransitGatewayPrefixListReference TransitGatewayRouteTableId PrefixListId
CreateTransitGatewayRouteTableAnnouncement DeleteTransitGatewayRouteTableAnnouncement TransitGatewayRouteTableAnnouncementId
CreateVerifiedAccessEndpoint DeleteVerifiedAccessEndpoint VerifiedAccessEndpointId
CreateVerifiedAccessGroup DeleteVerifiedAccessGroup VerifiedAccessGroupId
CreateVerifiedAccessInstance DeleteVerifiedAccessInstance VerifiedAccessInstanceId
CreateVerifiedAccessTrustProvider DeleteVerifiedAccessTrustProvider VerifiedAccessTrustProviderId
CreateVpcEncryptionControl DeleteVpcEncryptionControl VpcEncryptionControlId
CreateVpnConcentrator DeleteVpnConcentrator VpnConcentratorId
DeleteClientVpnRoute CreateClientVpnRoute ClientVpnEndpointId DestinationCidrBlock TargetVpcSubnetId
DeleteCoipCidr CreateCoipCidr Cidr CoipPoolId
DeleteLocalGatewayRouteTableVirtualInterfaceGroupAssociation CreateLocalGatewayRouteTableVirtualInterfaceGroupAssociation \
    LocalGatewayRouteTableId LocalGatewayVirtualInterfaceGroupId
DeleteLocalGatewayRouteTableVpcAssociation CreateLocalGatewayRouteTableVpcAssociation LocalGatewayRouteTableId VpcId
DeleteSubnetCidrReservation CreateSubnetCidrReservation SubnetId Cidr ReservationType ?Description
DeregisterTransitGatewayMulticastGroupMembers RegisterTransitGatewayMulticastGroupMembers \
    TransitGatewayMulticastDomainId GroupIpAddress NetworkInterfaceIds
DeregisterTransitGatewayMulticastGroupSources RegisterTransitGatewayMulticastGroupSources \
    TransitGatewayMulticastDomainId GroupIpAddress NetworkInterfaceIds
DetachVerifiedAccessTrustProvider AttachVerifiedAccessTrustProvider VerifiedAccessInstanceId VerifiedAccessTrustProviderId
DisableIpamOrganizationAdminAccount EnableIpamOrganizationAdminAccount DelegatedAdminAccountId
DisableIpamPolicy EnableIpamPolicy IpamPolicyId ?OrganizationTargetId
DisableRouteServerPropagation EnableRouteServerPropagation RouteServerId RouteTableId
DisableSerialConsoleAccess EnableSerialConsoleAccess
DisableVpcClassicLink EnableVpcClassicLink VpcId
DisableVpcClassicLinkDnsSupport EnableVpcClassicLinkDnsSupport VpcId
DisassociateIpamByoasn AssociateIpamByoasn Asn Cidr
DisassociateIpamResourceDiscovery AssociateIpamResourceDiscovery IpamId IpamResourceDiscoveryId
DisassociateRouteServer AssociateRouteServer RouteServerId VpcId
DisassociateSecurityGroupVpc AssociateSecurityGroupVpc GroupId VpcId
DisassociateTransitGatewayMulticastDomain AssociateTransitGatewayMulticastDomain \
    TransitGatewayMulticastDomainId TransitGatewayAttachmentId SubnetIds
DisassociateTransitGatewayPolicyTable AssociateTransitGatewayPolicyTable TransitGatewayPolicyTableId TransitGatewayAttachmentId
EnableAddressTransfer DisableAddressTransfer AllocationId
EnableIpamOrganizationAdminAccount DisableIpamOrganizationAdminAccount DelegatedAdminAccountId
EnableIpamPolicy DisableIpamPolicy IpamPolicyId ?OrganizationTargetId
EnableRouteServerPropagation DisableRouteServerPropagation RouteServerId RouteTableId
EnableSerialConsoleAccess DisableSerialConsoleAccess
EnableVpcClassicLink DisableVpcClassicLink VpcId
EnableVpcClassicLinkDnsSupport DisableVpcClassicLinkDnsSupport VpcId
ProvisionByoipCidr DeprovisionByoipCidr Cidr
ProvisionIpamByoasn DeprovisionIpamByoasn IpamId Asn
ProvisionIpamPoolCidr DeprovisionIpamPoolCidr IpamPoolId Cidr
RegisterTransitGatewayMulticastGroupMembers DeregisterTransitGatewayMulticastGroupMembers \
    TransitGatewayMulticastDomainId GroupIpAddress NetworkInterfaceIds
RegisterTransitGatewayMulticastGroupSources DeregisterTransitGatewayMulticastGroupSources \
    TransitGatewayMulticastDomainId GroupIpAddress NetworkInterfaceIds
RevokeClientVpnIngress AuthorizeClientVpnIngress ClientVpnEndpointId TargetNetworkCidr AccessGroupId
StartInstances StopInstances InstanceIds
StopInstances StartInstances InstanceIds
WithdrawByoipCidr AdvertiseByoipCidr Cidr
"""
"""An operation, its opposite, and the opposite's parameters; `?` marks one that is given only when the record has it."""

_ELEMENTS = {"InstanceIds": ("Instances", "InstanceId")}
"""Parameters that CloudTrail writes as a list of structures: the list's name and the member."""


@cache
def opposites() -> dict[str, Opposite]:
    """Every pair, by the operation as `ec2:EventName`."""
    found: dict[str, Opposite] = {}
    for line in _TABLE.strip().splitlines():
        name, operation, *parameters = line.split()
        needs = tuple(parameter for parameter in parameters if not parameter.startswith("?"))
        takes = tuple(parameter[1:] for parameter in parameters if parameter.startswith("?"))
        found[f"ec2:{name}"] = Opposite(operation, needs, takes)
    return found


def advised_call(record: Record) -> AdvisedCall | None:
    """The exact call that takes a record back, `None` when it is no such pair or lacks an id."""
    opposite = opposites().get(record.operation)
    return opposite.call(shapes.request(record), shapes.response(record)) if opposite and record.succeeded else None


def _told(name: str, request: JsonObject, response: JsonObject) -> Any:
    """A parameter from the request, else from the answer or from the one thing that the answer describes."""
    if name in _ELEMENTS:
        listed, member = _ELEMENTS[name]
        return [one for one in identifiers(request.get(listed), member) if one]
    for told in (request, response, *map(mapping, response.values())):
        if told.get(name) not in (None, "", []):
            return told[name]
    return None


def _shown(value: Any) -> str:
    return "[" + ", ".join(map(str, cast(list[Any], value))) + "]" if isinstance(value, list) else str(value)
