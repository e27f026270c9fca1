"""Known operations of EC2 that change a network; `recognized` says what the columns mean."""

from __future__ import annotations

from incident.network.recognized_group import Group

EC2 = (
    Group(
        "ec2",
        "ClassicLink",
        pairs="""
            AttachClassicLinkVpc DisableVpcClassicLink DisableVpcClassicLinkDnsSupport EnableVpcClassicLink
            EnableVpcClassicLinkDnsSupport
        """,
        overwrites="DetachClassicLinkVpc",
    ),
    Group(
        "ec2",
        "Client VPN endpoints",
        pairs="""
            AcceptTransitGatewayClientVpnAttachment AssociateClientVpnTargetNetwork AuthorizeClientVpnIngress
            CreateClientVpnEndpoint CreateClientVpnRoute DeleteClientVpnRoute RevokeClientVpnIngress
        """,
        overwrites="""
            ApplySecurityGroupsToClientVpnTargetNetwork DeleteClientVpnEndpointAuthorizationPolicy
            DisassociateClientVpnTargetNetwork ImportClientVpnClientCertificateRevocationList ModifyClientVpnEndpoint
            ModifyClientVpnEndpointAuthorizationPolicy
        """,
        lost="DeleteClientVpnEndpoint DeleteTransitGatewayClientVpnAttachment RejectTransitGatewayClientVpnAttachment",
        watched="ExportClientVpnClientCertificateRevocationList ExportClientVpnClientConfiguration TerminateClientVpnConnections",
    ),
    Group(
        "ec2",
        "DHCP options",
        pairs="CreateDhcpOptions",
        overwrites="AssociateDhcpOptions",
        lost="DeleteDhcpOptions",
    ),
    Group(
        "ec2",
        "IPAM address plans",
        pairs="""
            AllocateIpamPoolCidr AssociateIpamByoasn AssociateIpamResourceDiscovery CreateIpam
            CreateIpamExternalResourceVerificationToken CreateIpamInternetRegistryAssociation CreateIpamPolicy CreateIpamPool
            CreateIpamPrefixListResolver CreateIpamPrefixListResolverTarget CreateIpamResourceDiscovery
            CreateIpamRoutingPolicyRegistration CreateIpamScope DisableIpamOrganizationAdminAccount DisableIpamPolicy
            DisassociateIpamByoasn DisassociateIpamResourceDiscovery EnableIpamOrganizationAdminAccount EnableIpamPolicy
            ProvisionIpamByoasn ProvisionIpamPoolCidr
        """,
        overwrites="""
            BatchModifyIpamRoutingPolicyRegistrations DeleteIpamInternetRegistryAssociation EnableIpamInternetRegistryAssociation
            ModifyIpam ModifyIpamPolicyAllocationRules ModifyIpamPool ModifyIpamPoolAllocation ModifyIpamPrefixListResolver
            ModifyIpamPrefixListResolverTarget ModifyIpamResourceCidr ModifyIpamResourceDiscovery
            ModifyIpamRoutingPolicyRegistration ModifyIpamScope
        """,
        lost="""
            DeleteIpam DeleteIpamExternalResourceVerificationToken DeleteIpamPolicy DeleteIpamPool DeleteIpamPrefixListResolver
            DeleteIpamPrefixListResolverTarget DeleteIpamResourceDiscovery DeleteIpamRoutingPolicyRegistration DeleteIpamScope
            DeprovisionIpamByoasn DeprovisionIpamPoolCidr ReleaseIpamPoolAllocation
        """,
    ),
    Group(
        "ec2",
        "NAT gateways",
        pairs="AssignPrivateNatGatewayAddress AssociateNatGatewayAddress CreateNatGateway UnassignPrivateNatGatewayAddress",
        overwrites="DisassociateNatGatewayAddress",
        lost="DeleteNatGateway",
    ),
    Group(
        "ec2",
        "VPC block public access",
        pairs="CreateVpcBlockPublicAccessExclusion",
        overwrites="DeleteVpcBlockPublicAccessExclusion ModifyVpcBlockPublicAccessExclusion ModifyVpcBlockPublicAccessOptions",
    ),
    Group(
        "ec2",
        "VPC encryption control",
        pairs="CreateVpcEncryptionControl",
        overwrites="ModifyAccountVpcEncryptionControl ModifyVpcEncryptionControl",
        lost="DeleteVpcEncryptionControl",
    ),
    Group(
        "ec2",
        "VPC endpoints and endpoint services",
        pairs="""
            AcceptVpcEndpointConnections CreateInstanceConnectEndpoint CreateVpcEndpoint CreateVpcEndpointConnectionNotification
            CreateVpcEndpointServiceConfiguration ModifyVpcEndpointServicePermissions RejectVpcEndpointConnections
        """,
        overwrites="""
            ModifyInstanceConnectEndpoint ModifyVpcEndpoint ModifyVpcEndpointConnectionNotification
            ModifyVpcEndpointPayerResponsibility ModifyVpcEndpointServiceConfiguration ModifyVpcEndpointServicePayerResponsibility
        """,
        lost="""
            DeleteInstanceConnectEndpoint DeleteVpcEndpointConnectionNotifications DeleteVpcEndpointServiceConfigurations
            DeleteVpcEndpoints
        """,
        watched="StartVpcEndpointServicePrivateDnsVerification",
    ),
    Group(
        "ec2",
        "VPC peering connections",
        pairs="AcceptVpcPeeringConnection CreateVpcPeeringConnection",
        overwrites="ModifyVpcPeeringConnectionOptions",
        lost="DeleteVpcPeeringConnection RejectVpcPeeringConnection",
    ),
    Group(
        "ec2",
        "VPCs",
        pairs="AssociateVpcCidrBlock CreateDefaultVpc CreateVpc",
        overwrites="DisassociateVpcCidrBlock ModifyVpcAttribute",
        lost="DeleteVpc ModifyVpcTenancy",
    ),
    Group(
        "ec2",
        "VPN connections and their gateways",
        pairs="""
            AttachVpnGateway CreateCustomerGateway CreateVpnConcentrator CreateVpnConnection CreateVpnConnectionRoute
            CreateVpnGateway DeleteVpnConnectionRoute DetachVpnGateway
        """,
        overwrites="ModifyVpnConnection ModifyVpnConnectionOptions ModifyVpnTunnelCertificate ModifyVpnTunnelOptions",
        lost="DeleteCustomerGateway DeleteVpnConcentrator DeleteVpnConnection DeleteVpnGateway",
        watched="ReplaceVpnTunnel",
    ),
    Group(
        "ec2",
        "Verified Access",
        pairs="""
            AttachVerifiedAccessTrustProvider CreateVerifiedAccessEndpoint CreateVerifiedAccessGroup CreateVerifiedAccessInstance
            CreateVerifiedAccessTrustProvider DetachVerifiedAccessTrustProvider
        """,
        overwrites="""
            ModifyVerifiedAccessEndpoint ModifyVerifiedAccessEndpointPolicy ModifyVerifiedAccessGroup
            ModifyVerifiedAccessGroupPolicy ModifyVerifiedAccessInstance ModifyVerifiedAccessInstanceLoggingConfiguration
            ModifyVerifiedAccessTrustProvider
        """,
        lost="""
            DeleteVerifiedAccessEndpoint DeleteVerifiedAccessGroup DeleteVerifiedAccessInstance DeleteVerifiedAccessTrustProvider
        """,
        watched="ExportVerifiedAccessInstanceClientConfiguration",
    ),
    Group(
        "ec2",
        "access by the serial console",
        pairs="DisableSerialConsoleAccess EnableSerialConsoleAccess",
    ),
    Group(
        "ec2",
        "carrier gateways",
        pairs="CreateCarrierGateway",
        lost="DeleteCarrierGateway",
    ),
    Group(
        "ec2",
        "cost policies for network traffic",
        pairs="AssociateNetworkingFlexCostAllocationPolicy CreateNetworkingFlexCostAllocationPolicy",
        overwrites="DisassociateNetworkingFlexCostAllocationPolicy ModifyNetworkingFlexCostAllocationPolicy",
        lost="DeleteNetworkingFlexCostAllocationPolicies",
    ),
    Group(
        "ec2",
        "egress-only internet gateways",
        pairs="CreateEgressOnlyInternetGateway",
        lost="DeleteEgressOnlyInternetGateway",
    ),
    Group(
        "ec2",
        "flow logs",
        pairs="CreateFlowLogs",
        overwrites="DeleteFlowLogs",
    ),
    Group(
        "ec2",
        "instances and their place in the network",
        pairs="""
            AssociateIamInstanceProfile CreateFleet CreateLaunchTemplate CreateLaunchTemplateVersion RequestSpotFleet
            RequestSpotInstances RunInstances RunScheduledInstances StartInstances StopInstances
        """,
        overwrites="""
            DisassociateIamInstanceProfile ModifyFleet ModifyInstanceAttribute ModifyInstanceMetadataDefaults
            ModifyInstanceMetadataOptions ModifyInstanceNetworkPerformanceOptions ModifyLaunchTemplate ModifySpotFleetRequest
            ReplaceIamInstanceProfileAssociation ResetInstanceAttribute
        """,
        lost="""
            CancelSpotFleetRequests CancelSpotInstanceRequests DeleteFleets DeleteLaunchTemplate DeleteLaunchTemplateVersions
            TerminateInstances
        """,
    ),
    Group(
        "ec2",
        "internet gateways",
        pairs="AttachInternetGateway CreateInternetGateway DetachInternetGateway",
        lost="DeleteInternetGateway",
    ),
    Group(
        "ec2",
        "local gateways of Outposts",
        pairs="""
            CreateCoipCidr CreateCoipPool CreateLocalGatewayRoute CreateLocalGatewayRouteTable
            CreateLocalGatewayRouteTableVirtualInterfaceGroupAssociation CreateLocalGatewayRouteTableVpcAssociation
            CreateLocalGatewayVirtualInterface CreateLocalGatewayVirtualInterfaceGroup DeleteCoipCidr
            DeleteLocalGatewayRouteTableVirtualInterfaceGroupAssociation DeleteLocalGatewayRouteTableVpcAssociation
        """,
        overwrites="DeleteLocalGatewayRoute ModifyLocalGatewayRoute",
        lost="""
            DeleteCoipPool DeleteLocalGatewayRouteTable DeleteLocalGatewayVirtualInterface DeleteLocalGatewayVirtualInterfaceGroup
        """,
    ),
    Group(
        "ec2",
        "managed prefix lists",
        pairs="CreateManagedPrefixList ModifyManagedPrefixList",
        overwrites="RestoreManagedPrefixListVersion",
        lost="DeleteManagedPrefixList",
    ),
    Group(
        "ec2",
        "network ACLs",
        pairs="CreateNetworkAcl CreateNetworkAclEntry",
        overwrites="DeleteNetworkAclEntry ReplaceNetworkAclAssociation ReplaceNetworkAclEntry",
        lost="DeleteNetworkAcl",
    ),
    Group(
        "ec2",
        "network interfaces",
        pairs="""
            AssignIpv6Addresses AssignPrivateIpAddresses AssociateTrunkInterface AttachNetworkInterface CreateNetworkInterface
            CreateNetworkInterfacePermission UnassignIpv6Addresses UnassignPrivateIpAddresses
        """,
        overwrites="""
            DeleteNetworkInterfacePermission DetachNetworkInterface DisassociateTrunkInterface ModifyNetworkInterfaceAttribute
            ModifyPrivateDnsNameOptions ResetNetworkInterfaceAttribute
        """,
        lost="DeleteNetworkInterface",
    ),
    Group(
        "ec2",
        "network reachability analyses",
        pairs="""
            CreateNetworkInsightsAccessScope CreateNetworkInsightsPath DisableAwsNetworkPerformanceMetricSubscription
            EnableAwsNetworkPerformanceMetricSubscription
        """,
        overwrites="EnableReachabilityAnalyzerOrganizationSharing",
        lost="""
            DeleteNetworkInsightsAccessScope DeleteNetworkInsightsAccessScopeAnalysis DeleteNetworkInsightsAnalysis
            DeleteNetworkInsightsPath
        """,
        watched="StartNetworkInsightsAccessScopeAnalysis StartNetworkInsightsAnalysis",
    ),
    Group(
        "ec2",
        "opt-in to zones",
        overwrites="ModifyAvailabilityZoneGroup",
    ),
    Group(
        "ec2",
        "public IPv4 addresses",
        pairs="""
            AdvertiseByoipCidr AllocateAddress CreatePublicIpv4Pool EnableAddressTransfer ProvisionByoipCidr
            ProvisionPublicIpv4PoolCidr WithdrawByoipCidr
        """,
        overwrites="""
            AssociateAddress DisableAddressTransfer DisassociateAddress ModifyAddressAttribute ModifyPublicIpDnsNameOptions
            MoveByoipCidrToIpam ResetAddressAttribute
        """,
        lost="""
            AcceptAddressTransfer DeletePublicIpv4Pool DeprovisionByoipCidr DeprovisionPublicIpv4PoolCidr MoveAddressToVpc
            ReleaseAddress RestoreAddressToClassic
        """,
    ),
    Group(
        "ec2",
        "route servers",
        pairs="""
            AssociateRouteServer CreateRouteServer CreateRouteServerEndpoint CreateRouteServerPeer DisableRouteServerPropagation
            DisassociateRouteServer EnableRouteServerPropagation
        """,
        overwrites="DeleteRouteServerPeer ModifyRouteServer",
        lost="DeleteRouteServer DeleteRouteServerEndpoint",
    ),
    Group(
        "ec2",
        "route tables",
        pairs="AssociateRouteTable CreateRoute CreateRouteTable DisableVgwRoutePropagation EnableVgwRoutePropagation",
        overwrites="DeleteRoute DisassociateRouteTable ReplaceRoute ReplaceRouteTableAssociation",
        lost="DeleteRouteTable",
    ),
    Group(
        "ec2",
        "secondary networks",
        pairs="CreateSecondaryNetwork CreateSecondarySubnet",
        lost="DeleteSecondaryNetwork DeleteSecondarySubnet",
    ),
    Group(
        "ec2",
        "security groups",
        pairs="""
            AssociateSecurityGroupVpc AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateSecurityGroup
            DisassociateSecurityGroupVpc RevokeSecurityGroupEgress RevokeSecurityGroupIngress
        """,
        overwrites="""
            ModifySecurityGroupRules UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress
        """,
        lost="DeleteSecurityGroup",
        watched="ValidateSecurityGroupQuotasForInterface",
    ),
    Group(
        "ec2",
        "subnets",
        pairs="AssociateSubnetCidrBlock CreateDefaultSubnet CreateSubnet CreateSubnetCidrReservation DeleteSubnetCidrReservation",
        overwrites="DisassociateSubnetCidrBlock ModifySubnetAttribute",
        lost="DeleteSubnet",
    ),
    Group(
        "ec2",
        "tags",
        overwrites="CreateTags DeleteTags",
    ),
    Group(
        "ec2",
        "traffic mirroring",
        pairs="CreateTrafficMirrorFilter CreateTrafficMirrorFilterRule CreateTrafficMirrorSession CreateTrafficMirrorTarget",
        overwrites="ModifyTrafficMirrorFilterNetworkServices ModifyTrafficMirrorFilterRule ModifyTrafficMirrorSession",
        lost="DeleteTrafficMirrorFilter DeleteTrafficMirrorFilterRule DeleteTrafficMirrorSession DeleteTrafficMirrorTarget",
    ),
    Group(
        "ec2",
        "transit gateways",
        pairs="""
            AcceptTransitGatewayMulticastDomainAssociations AcceptTransitGatewayPeeringAttachment
            AcceptTransitGatewayVpcAttachment AssociateTransitGatewayMulticastDomain AssociateTransitGatewayPolicyTable
            AssociateTransitGatewayRouteTable CreateTransitGateway CreateTransitGatewayConnect CreateTransitGatewayConnectPeer
            CreateTransitGatewayMeteringPolicy CreateTransitGatewayMeteringPolicyEntry CreateTransitGatewayMulticastDomain
            CreateTransitGatewayNetworkFunctionAttachment CreateTransitGatewayPeeringAttachment CreateTransitGatewayPolicyTable
            CreateTransitGatewayPolicyTableEntry CreateTransitGatewayPrefixListReference CreateTransitGatewayRoute
            CreateTransitGatewayRouteTable CreateTransitGatewayRouteTableAnnouncement CreateTransitGatewayVpcAttachment
            DeregisterTransitGatewayMulticastGroupMembers DeregisterTransitGatewayMulticastGroupSources
            DisableTransitGatewayRouteTablePropagation DisassociateTransitGatewayMulticastDomain
            DisassociateTransitGatewayPolicyTable EnableTransitGatewayRouteTablePropagation
            RegisterTransitGatewayMulticastGroupMembers RegisterTransitGatewayMulticastGroupSources
        """,
        overwrites="""
            DeleteTransitGatewayConnectPeer DeleteTransitGatewayMeteringPolicyEntry DeleteTransitGatewayPolicyTableEntry
            DeleteTransitGatewayPrefixListReference DeleteTransitGatewayRoute DeleteTransitGatewayRouteTableAnnouncement
            DisassociateTransitGatewayRouteTable ModifyTransitGateway ModifyTransitGatewayAttachmentNatConfiguration
            ModifyTransitGatewayMeteringPolicy ModifyTransitGatewayNetworkFunctionAttachment ModifyTransitGatewayPeeringAttachment
            ModifyTransitGatewayPolicyTableEntry ModifyTransitGatewayPrefixListReference ModifyTransitGatewayVpcAttachment
            ReplaceTransitGatewayRoute
        """,
        lost="""
            DeleteTransitGateway DeleteTransitGatewayConnect DeleteTransitGatewayMeteringPolicy
            DeleteTransitGatewayMulticastDomain DeleteTransitGatewayNetworkFunctionAttachment
            DeleteTransitGatewayPeeringAttachment DeleteTransitGatewayPolicyTable DeleteTransitGatewayRouteTable
            DeleteTransitGatewayVpcAttachment RejectTransitGatewayMulticastDomainAssociations
            RejectTransitGatewayPeeringAttachment RejectTransitGatewayVpcAttachment
        """,
        watched="ExportTransitGatewayRoutes",
    ),
    Group(
        "ec2",
        "visibility of managed resources",
        overwrites="ModifyManagedResourceVisibility",
    ),
)
