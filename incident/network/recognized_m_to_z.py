"""Known operations of the services from MemoryDB to WorkSpaces that change a network; `recognized` says what the columns mean."""

from __future__ import annotations

from incident.network.recognized_group import Group

SERVICES_M_TO_Z = (
    Group(
        "memorydb",
        "MemoryDB clusters and their subnets",
        pairs="CreateCluster CreateSubnetGroup",
        overwrites="UpdateCluster UpdateSubnetGroup",
        lost="DeleteCluster DeleteSubnetGroup",
    ),
    Group(
        "mq",
        "message brokers and their exposure",
        pairs="CreateBroker",
        overwrites="UpdateBroker",
        lost="DeleteBroker",
    ),
    Group(
        "network-firewall",
        "network firewalls, their policies and rules",
        pairs="""
            AcceptNetworkFirewallTransitGatewayAttachment AssociateAvailabilityZones AssociateFirewallPolicy AssociateSubnets
            CreateContainerAssociation CreateFirewall CreateFirewallPolicy CreateFirewallPolicyV2 CreateRuleGroup
            CreateTLSInspectionConfiguration CreateVpcEndpointAssociation
        """,
        overwrites="""
            DeleteContainerAssociation DeleteFirewallPolicy DeleteResourcePolicy DeleteVpcEndpointAssociation
            DisassociateAvailabilityZones DisassociateSubnets PutResourcePolicy UpdateAvailabilityZoneChangeProtection
            UpdateContainerAssociation UpdateFirewallAnalysisSettings UpdateFirewallDeleteProtection UpdateFirewallDescription
            UpdateFirewallEncryptionConfiguration UpdateFirewallPolicy UpdateFirewallPolicyChangeProtection UpdateFirewallPolicyV2
            UpdateLoggingConfiguration UpdateProxySettings UpdateRuleGroup UpdateSubnetChangeProtection
            UpdateTLSInspectionConfiguration
        """,
        lost="""
            DeleteFirewall DeleteFirewallPolicyV2 DeleteNetworkFirewallTransitGatewayAttachment DeleteProxy DeleteRuleGroup
            DeleteTLSInspectionConfiguration RejectNetworkFirewallTransitGatewayAttachment
        """,
        watched="StartAnalysisReport StartFlowCapture StartFlowFlush",
    ),
    Group(
        "network-security-manager",
        "network security policies",
        pairs="""
            CreateDeployment CreateDeploymentSnapshot CreatePolicy CreatePolicySnapshot CreateRule CreateRuleSnapshot CreateScope
            CreateScopeSnapshot CreateTemplate CreateTemplateSnapshot
        """,
        overwrites="""
            DeletePolicy DeleteRule PutAdminAccount UpdateDeployment UpdatePolicy UpdateRule UpdateScope UpdateTemplate
        """,
        lost="DeleteAdminAccount DeleteDeployment DeleteScope DeleteTemplate",
    ),
    Group(
        "networkflowmonitor",
        "network flow monitors",
        pairs="CreateMonitor CreatePerformanceMonitor CreateScope",
        overwrites="UpdateMonitor UpdatePerformanceMonitor UpdateScope",
        lost="DeleteMonitor DeletePerformanceMonitor DeleteScope",
    ),
    Group(
        "networkmanager",
        "Cloud WAN and global networks",
        pairs="""
            AcceptAttachment AssociateConnectPeer AssociateContextStore AssociateCustomerGateway AssociateLink
            AssociateTransitGatewayConnectPeer CreateConnectAttachment CreateConnectPeer CreateConnection CreateContextStore
            CreateCoreNetwork CreateCoreNetworkPrefixListAssociation CreateDevice CreateDirectConnectGatewayAttachment
            CreateGlobalNetwork CreateLink CreateSite CreateSiteToSiteVpnAttachment CreateTransitGatewayPeering
            CreateTransitGatewayRouteTableAttachment CreateVpcAttachment DeregisterTransitGateway RegisterTransitGateway
            RestoreCoreNetworkPolicyVersion
        """,
        overwrites="""
            DeleteConnection DeleteCoreNetworkPrefixListAssociation DeleteResourcePolicy DisassociateConnectPeer
            DisassociateContextStore DisassociateCustomerGateway DisassociateLink DisassociateTransitGatewayConnectPeer
            ExecuteCoreNetworkChangeSet PutAttachmentRoutingPolicyLabel PutCoreNetworkPolicy PutResourcePolicy
            UpdateAttachmentNatConfiguration UpdateConnection UpdateContextStore UpdateCoreNetwork UpdateDevice
            UpdateDirectConnectGatewayAttachment UpdateGlobalNetwork UpdateLink UpdateNetworkResourceMetadata UpdateSite
            UpdateVpcAttachment
        """,
        lost="""
            DeleteAttachment DeleteConnectPeer DeleteContextStore DeleteCoreNetwork DeleteCoreNetworkPolicyVersion DeleteDevice
            DeleteGlobalNetwork DeleteLink DeletePeering DeleteSite RejectAttachment
        """,
        watched="StartOrganizationServiceAccessUpdate StartRouteAnalysis",
    ),
    Group(
        "networkmonitor",
        "network monitors",
        pairs="CreateMonitor CreateProbe",
        overwrites="UpdateMonitor UpdateProbe",
        lost="DeleteMonitor DeleteProbe",
    ),
    Group(
        "odb",
        "Oracle Database networks",
        pairs="""
            AcceptMarketplaceRegistration AssociateIamRoleToResource AssociateVirtualMachinesToCloudVmCluster
            AssociateVirtualMachinesToExadbVmCluster CreateAutonomousDatabase CreateAutonomousDatabaseBackup
            CreateAutonomousDatabaseWallet CreateCloudAutonomousVmCluster CreateCloudExadataInfrastructure CreateCloudVmCluster
            CreateExadbVmCluster CreateExascaleDbStorageVault CreateOdbNetwork CreateOdbPeeringConnection
        """,
        overwrites="""
            DeleteOdbPeeringConnection DisassociateIamRoleFromResource DisassociateVirtualMachinesFromCloudVmCluster
            DisassociateVirtualMachinesFromExadbVmCluster UpdateAutonomousDatabase UpdateAutonomousDatabaseBackup
            UpdateCloudAutonomousVmCluster UpdateCloudExadataInfrastructure UpdateCloudExadataInfrastructureStorageCapacity
            UpdateCloudVmCluster UpdateExadbVmCluster UpdateExascaleCloudExadataInfrastructure UpdateExascaleDbStorageVault
            UpdateOdbNetwork UpdateOdbPeeringConnection
        """,
        lost="""
            DeleteAutonomousDatabase DeleteAutonomousDatabaseBackup DeleteCloudAutonomousVmCluster
            DeleteCloudExadataInfrastructure DeleteCloudVmCluster DeleteExadbVmCluster DeleteExascaleDbStorageVault
            DeleteOdbNetwork
        """,
    ),
    Group(
        "outposts",
        "Outposts",
        pairs="CreateOrder CreateOutpost CreatePrivateConnectivityConfig CreateQuote CreateRenewal CreateSite",
        overwrites="UpdateOutpost UpdateQuote UpdateSite UpdateSiteAddress UpdateSiteRackPhysicalProperties",
        lost="DeleteOutpost DeleteQuote DeleteSite",
        watched="CancelCapacityTask CancelOrder StartCapacityTask StartConnection StartOutpostDecommission",
    ),
    Group(
        "ram",
        "shares of resources with other accounts",
        pairs="""
            AcceptResourceShareInvitation AssociateResourceShare AssociateResourceSharePermission CreatePermission
            CreatePermissionVersion CreateResourceShare EnableSharingWithAwsOrganization
        """,
        overwrites="""
            DeletePermission DisassociateResourceShare DisassociateResourceSharePermission PromotePermissionCreatedFromPolicy
            PromoteResourceShareCreatedFromPolicy ReplacePermissionAssociations SetDefaultPermissionVersion UpdatePermission
            UpdateResourceShare
        """,
        lost="DeletePermissionVersion DeleteResourceShare RejectResourceShareInvitation",
    ),
    Group(
        "rds",
        "databases, their subnets and public access",
        pairs="""
            AuthorizeDBSecurityGroupIngress CreateDBCluster CreateDBInstance CreateDBProxy CreateDBProxyEndpoint
            CreateDBSecurityGroup CreateDBSubnetGroup RevokeDBSecurityGroupIngress
        """,
        overwrites="""
            ModifyDBCluster ModifyDBClusterSnapshotAttribute ModifyDBInstance ModifyDBProxy ModifyDBProxyEndpoint
            ModifyDBProxyTargetGroup ModifyDBSnapshotAttribute ModifyDBSubnetGroup
        """,
        lost="""
            DeleteDBCluster DeleteDBInstance DeleteDBProxy DeleteDBProxyEndpoint DeleteDBSecurityGroup DeleteDBSubnetGroup
        """,
    ),
    Group(
        "redshift",
        "Redshift clusters, their subnets and public access",
        pairs="""
            AuthorizeClusterSecurityGroupIngress AuthorizeEndpointAccess CreateCluster CreateClusterSecurityGroup
            CreateClusterSubnetGroup CreateEndpointAccess DisableLogging EnableLogging RevokeClusterSecurityGroupIngress
            RevokeEndpointAccess
        """,
        overwrites="ModifyCluster ModifyClusterSubnetGroup ModifyEndpointAccess",
        lost="DeleteCluster DeleteClusterSecurityGroup DeleteClusterSubnetGroup DeleteEndpointAccess",
    ),
    Group(
        "route53",
        "DNS zones and records",
        pairs="""
            ActivateKeySigningKey AssociateVPCWithHostedZone ChangeResourceRecordSets CreateCidrCollection CreateHealthCheck
            CreateHostedZone CreateKeySigningKey CreateQueryLoggingConfig CreateResourceRecordSetProtections
            CreateReusableDelegationSet CreateTrafficPolicy CreateTrafficPolicyInstance CreateTrafficPolicyVersion
            CreateVPCAssociationAuthorization DeactivateKeySigningKey DisableHostedZoneDNSSEC DisassociateVPCFromHostedZone
            EnableHostedZoneDNSSEC
        """,
        overwrites="""
            ChangeCidrCollection ChangeTagsForResource DeleteQueryLoggingConfig DeleteTrafficPolicy UpdateHealthCheck
            UpdateHostedZoneComment UpdateHostedZoneFeatures UpdateTrafficPolicyComment UpdateTrafficPolicyInstance
        """,
        lost="""
            DeleteCidrCollection DeleteHealthCheck DeleteHostedZone DeleteKeySigningKey DeleteResourceRecordSetProtections
            DeleteReusableDelegationSet DeleteTrafficPolicyInstance DeleteVPCAssociationAuthorization
        """,
    ),
    Group(
        "route53globalresolver",
        "global DNS resolvers",
        pairs="""
            AssociateHostedZone CreateAccessSource CreateAccessToken CreateCoreNetworkEndpoint CreateDNSView
            CreateFirewallDomainList CreateFirewallRule CreateGlobalResolver DisableDNSView EnableDNSView ImportFirewallDomains
        """,
        overwrites="""
            BatchCreateFirewallRule BatchDeleteFirewallRule BatchUpdateFirewallRule DeleteFirewallRule DisassociateHostedZone
            UpdateAccessSource UpdateAccessToken UpdateCoreNetworkEndpoint UpdateDNSView UpdateFirewallDomains UpdateFirewallRule
            UpdateGlobalResolver UpdateHostedZoneAssociation
        """,
        lost="""
            DeleteAccessSource DeleteAccessToken DeleteCoreNetworkEndpoint DeleteDNSView DeleteFirewallDomainList
            DeleteGlobalResolver
        """,
    ),
    Group(
        "route53profiles",
        "DNS profiles",
        pairs="AssociateProfile AssociateResourceToProfile CreateProfile",
        overwrites="""
            DisassociateProfile DisassociateResourceFromProfile UpdateProfileAssociation UpdateProfileResourceAssociation
        """,
        lost="DeleteProfile",
    ),
    Group(
        "route53resolver",
        "DNS resolver rules, endpoints and firewalls",
        pairs="""
            AssociateFirewallRuleGroup AssociateResolverEndpointIpAddress AssociateResolverQueryLogConfig AssociateResolverRule
            CreateFirewallDomainList CreateFirewallRule CreateFirewallRuleGroup CreateOutpostResolver CreateResolverEndpoint
            CreateResolverQueryLogConfig CreateResolverRule ImportFirewallDomains
        """,
        overwrites="""
            DeleteFirewallRule DeleteResolverQueryLogConfig DeleteResolverRule DisassociateFirewallRuleGroup
            DisassociateResolverEndpointIpAddress DisassociateResolverQueryLogConfig DisassociateResolverRule
            PutFirewallRuleGroupPolicy PutResolverQueryLogConfigPolicy PutResolverRulePolicy UpdateFirewallConfig
            UpdateFirewallDomains UpdateFirewallRule UpdateFirewallRuleGroupAssociation UpdateOutpostResolver UpdateResolverConfig
            UpdateResolverDnssecConfig UpdateResolverEndpoint UpdateResolverRule
        """,
        lost="DeleteFirewallDomainList DeleteFirewallRuleGroup DeleteOutpostResolver DeleteResolverEndpoint",
    ),
    Group(
        "rtbfabric",
        "RTB fabric gateways and links",
        pairs="""
            AcceptLink CreateInboundExternalLink CreateLink CreateLinkRoutingRule CreateOutboundExternalLink
            CreateRequesterGateway CreateResponderGateway
        """,
        overwrites="""
            DeleteLinkRoutingRule UpdateLink UpdateLinkModuleFlow UpdateLinkRoutingRule UpdateRequesterGateway
            UpdateResponderGateway
        """,
        lost="""
            DeleteInboundExternalLink DeleteLink DeleteOutboundExternalLink DeleteRequesterGateway DeleteResponderGateway
            RejectLink
        """,
    ),
    Group(
        "s3",
        "S3 access points",
        pairs="CreateAccessPoint CreateMultiRegionAccessPoint",
        overwrites="""
            DeleteAccessPointPolicy DeletePublicAccessBlock PutAccessPointPolicy PutAccessPointPolicyForObjectLambda
            PutMultiRegionAccessPointPolicy PutPublicAccessBlock SubmitMultiRegionAccessPointRoutes
        """,
        lost="DeleteAccessPoint DeleteAccessPointPolicyForObjectLambda DeleteMultiRegionAccessPoint",
    ),
    Group(
        "s3",
        "bucket exposure",
        overwrites="""
            DeleteBucketPolicy DeletePublicAccessBlock PutBucketAcl PutBucketOwnershipControls PutBucketPolicy
            PutPublicAccessBlock
        """,
    ),
    Group(
        "sagemaker",
        "SageMaker networks and internet access",
        pairs="CreateDomain CreateEndpoint CreateNotebookInstance",
        overwrites="UpdateDomain UpdateEndpoint UpdateNotebookInstance",
    ),
    Group(
        "servicediscovery",
        "Cloud Map names and instances",
        pairs="""
            CreateHttpNamespace CreatePrivateDnsNamespace CreatePublicDnsNamespace CreateService DeregisterInstance
            RegisterInstance
        """,
        overwrites="""
            DeleteServiceAttributes UpdateHttpNamespace UpdateInstanceCustomHealthStatus UpdatePrivateDnsNamespace
            UpdatePublicDnsNamespace UpdateService UpdateServiceAttributes
        """,
        lost="DeleteNamespace DeleteService",
    ),
    Group(
        "shield",
        "DDoS protections",
        pairs="""
            AssociateDRTLogBucket AssociateDRTRole AssociateHealthCheck AssociateProactiveEngagementDetails CreateProtection
            CreateProtectionGroup CreateSubscription DisableApplicationLayerAutomaticResponse DisableProactiveEngagement
            EnableApplicationLayerAutomaticResponse EnableProactiveEngagement
        """,
        overwrites="""
            DisassociateDRTLogBucket DisassociateDRTRole DisassociateHealthCheck UpdateApplicationLayerAutomaticResponse
            UpdateEmergencyContactSettings UpdateProtectionGroup UpdateSubscription
        """,
        lost="DeleteProtection DeleteProtectionGroup DeleteSubscription",
    ),
    Group(
        "vpc-lattice",
        "VPC Lattice services and networks",
        pairs="""
            CreateAccessLogSubscription CreateListener CreateResourceConfiguration CreateResourceGateway CreateRule CreateService
            CreateServiceNetwork CreateServiceNetworkResourceAssociation CreateServiceNetworkServiceAssociation
            CreateServiceNetworkVpcAssociation CreateTargetGroup DeregisterTargets RegisterTargets
        """,
        overwrites="""
            BatchUpdateRule DeleteAuthPolicy DeleteListener DeleteResourceEndpointAssociation DeleteResourcePolicy DeleteRule
            DeleteServiceNetworkResourceAssociation DeleteServiceNetworkServiceAssociation DeleteServiceNetworkVpcAssociation
            PutAuthPolicy PutResourcePolicy UpdateAccessLogSubscription UpdateListener UpdateResourceConfiguration
            UpdateResourceGateway UpdateRule UpdateService UpdateServiceNetwork UpdateServiceNetworkVpcAssociation
            UpdateTargetGroup
        """,
        lost="""
            DeleteAccessLogSubscription DeleteDomainVerification DeleteResourceConfiguration DeleteResourceGateway DeleteService
            DeleteServiceNetwork DeleteTargetGroup
        """,
        watched="StartDomainVerification",
    ),
    Group(
        "wafv2",
        "web ACLs and their rules",
        pairs="AssociateWebACL CreateAPIKey CreateIPSet CreateRegexPatternSet CreateRuleGroup CreateWebACL",
        overwrites="""
            DeletePermissionPolicy DisassociateWebACL PutLoggingConfiguration PutManagedRuleSetVersions PutPermissionPolicy
            UpdateIPSet UpdateManagedRuleSetVersionExpiryDate UpdateRegexPatternSet UpdateRuleGroup UpdateWebACL
        """,
        lost="""
            DeleteAPIKey DeleteFirewallManagerRuleGroups DeleteIPSet DeleteLoggingConfiguration DeleteRegexPatternSet
            DeleteRuleGroup DeleteWebACL
        """,
    ),
    Group(
        "workspaces",
        "WorkSpaces IP access groups",
        pairs="AssociateConnectionAlias AssociateIpGroups CreateConnectionAlias CreateIpGroup",
        overwrites="""
            DisassociateConnectionAlias DisassociateIpGroups UpdateConnectionAliasPermission UpdateRulesOfIpGroup
        """,
        lost="DeleteConnectionAlias DeleteIpGroup",
    ),
)
