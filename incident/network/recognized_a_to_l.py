"""Known operations of the services from API Gateway to Lightsail that change a network; `recognized` says what the columns mean."""

from __future__ import annotations

from incident.network.recognized_group import Group

SERVICES_A_TO_L = (
    Group(
        "apigateway",
        "APIs and their exposure",
        pairs="CreateApi CreateDomainName CreateDomainNameAccessAssociation CreateRestApi CreateVpcLink",
        overwrites="DeleteDomainNameAccessAssociation PutRestApi UpdateApi UpdateDomainName UpdateRestApi UpdateVpcLink",
        lost="DeleteApi DeleteDomainName DeleteRestApi DeleteVpcLink RejectDomainNameAccessAssociation",
    ),
    Group(
        "appmesh",
        "service meshes",
        pairs="""
            CreateGatewayRoute CreateMesh CreateRoute CreateVirtualGateway CreateVirtualNode CreateVirtualRouter
            CreateVirtualService
        """,
        overwrites="""
            DeleteGatewayRoute DeleteRoute UpdateGatewayRoute UpdateMesh UpdateRoute UpdateVirtualGateway UpdateVirtualNode
            UpdateVirtualRouter UpdateVirtualService
        """,
        lost="DeleteMesh DeleteVirtualGateway DeleteVirtualNode DeleteVirtualRouter DeleteVirtualService",
    ),
    Group(
        "autoscaling",
        "Auto Scaling groups, their subnets and targets",
        pairs="""
            AttachLoadBalancerTargetGroups AttachLoadBalancers AttachTrafficSources CreateAutoScalingGroup
            CreateLaunchConfiguration DetachLoadBalancerTargetGroups DetachLoadBalancers DetachTrafficSources
        """,
        overwrites="UpdateAutoScalingGroup",
    ),
    Group(
        "cloudfront",
        "CloudFront distributions and origins",
        pairs="""
            CreateAnycastIpList CreateCloudFrontOriginAccessIdentity CreateConnectionGroup CreateDistribution
            CreateDistributionTenant CreateInvalidationForDistributionTenant CreateOriginAccessControl CreateStreamingDistribution
            CreateVpcOrigin
        """,
        overwrites="""
            UpdateAnycastIpList UpdateCloudFrontOriginAccessIdentity UpdateConnectionGroup UpdateDistribution
            UpdateDistributionTenant UpdateDistributionWithStagingConfig UpdateOriginAccessControl UpdateStreamingDistribution
            UpdateVpcOrigin
        """,
        lost="""
            DeleteAnycastIpList DeleteCloudFrontOriginAccessIdentity DeleteConnectionGroup DeleteDistribution
            DeleteDistributionTenant DeleteOriginAccessControl DeleteStreamingDistribution DeleteVpcOrigin
        """,
    ),
    Group(
        "directconnect",
        "Direct Connect lines and interfaces",
        pairs="""
            AcceptDirectConnectGatewayAssociationProposal AllocateConnectionOnInterconnect AllocateHostedConnection
            AllocatePrivateVirtualInterface AllocatePublicVirtualInterface AllocateTransitVirtualInterface
            AssociateConnectionWithLag AssociateConnectionsToResiliencyGroup AssociateHostedConnection AssociateMacSecKey
            AssociateVirtualInterface CreateBGPPeer CreateConnection CreateDirectConnectGateway
            CreateDirectConnectGatewayAssociation CreateDirectConnectGatewayAssociationProposal CreateInterconnect CreateLag
            CreatePrivateVirtualInterface CreatePublicVirtualInterface CreateResiliencyGroup CreateTransitVirtualInterface
        """,
        overwrites="""
            DeleteConnection DeleteDirectConnectGatewayAssociation DisassociateConnectionFromLag
            DisassociateConnectionsFromResiliencyGroup DisassociateMacSecKey UpdateConnection UpdateConnectionsBillingMode
            UpdateDirectConnectGateway UpdateDirectConnectGatewayAssociation UpdateLag UpdateResiliencyGroup
            UpdateVirtualInterfaceAttributes
        """,
        lost="""
            DeleteBGPPeer DeleteDirectConnectGateway DeleteDirectConnectGatewayAssociationProposal DeleteInterconnect DeleteLag
            DeleteResiliencyGroup DeleteVirtualInterface
        """,
        watched="""
            ConfirmConnection ConfirmCustomerAgreement ConfirmPrivateVirtualInterface ConfirmPublicVirtualInterface
            ConfirmTransitVirtualInterface StartBgpFailoverTest StopBgpFailoverTest
        """,
    ),
    Group(
        "dms",
        "replication instances and their subnets",
        pairs="CreateReplicationInstance CreateReplicationSubnetGroup",
        overwrites="ModifyReplicationInstance ModifyReplicationSubnetGroup",
        lost="DeleteReplicationInstance DeleteReplicationSubnetGroup",
    ),
    Group(
        "ecs",
        "container services and their network",
        pairs="CreateService CreateTaskSet",
        overwrites="UpdateService",
        lost="DeleteService",
        watched="RunTask",
    ),
    Group(
        "eks",
        "EKS clusters and the access to them",
        pairs="AssociateAccessPolicy CreateAccessEntry CreateCluster CreateNodegroup",
        overwrites="UpdateClusterConfig UpdateNodegroupConfig UpdateNodegroupVersion",
        lost="DeleteCluster DeleteNodegroup",
    ),
    Group(
        "elasticache",
        "ElastiCache clusters and their subnets",
        pairs="""
            AuthorizeCacheSecurityGroupIngress CreateCacheCluster CreateCacheSubnetGroup CreateGlobalReplicationGroup
            CreateReplicationGroup CreateServerlessCache RevokeCacheSecurityGroupIngress
        """,
        overwrites="""
            ModifyCacheCluster ModifyCacheSubnetGroup ModifyGlobalReplicationGroup ModifyReplicationGroup ModifyServerlessCache
        """,
        lost="""
            DeleteCacheCluster DeleteCacheSubnetGroup DeleteGlobalReplicationGroup DeleteReplicationGroup DeleteServerlessCache
        """,
    ),
    Group(
        "elasticfilesystem",
        "file system mount targets",
        pairs="CreateMountTarget",
        overwrites="DeleteFileSystemPolicy ModifyMountTargetSecurityGroups PutFileSystemPolicy",
        lost="DeleteMountTarget",
    ),
    Group(
        "elasticloadbalancing",
        "classic load balancers",
        pairs="""
            AttachLoadBalancerToSubnets CreateAppCookieStickinessPolicy CreateLBCookieStickinessPolicy CreateLoadBalancer
            CreateLoadBalancerListeners CreateLoadBalancerPolicy DisableAvailabilityZonesForLoadBalancer
            EnableAvailabilityZonesForLoadBalancer RegisterInstancesWithLoadBalancer
        """,
        overwrites="""
            ApplySecurityGroupsToLoadBalancer ConfigureHealthCheck DeleteLoadBalancerPolicy DeregisterInstancesFromLoadBalancer
            DetachLoadBalancerFromSubnets ModifyLoadBalancerAttributes SetLoadBalancerListenerSSLCertificate
            SetLoadBalancerPoliciesForBackendServer SetLoadBalancerPoliciesOfListener
        """,
        lost="DeleteLoadBalancer DeleteLoadBalancerListeners",
    ),
    Group(
        "elasticloadbalancing",
        "load balancers, listeners and target groups",
        pairs="""
            AddListenerCertificates AddTrustStoreRevocations CreateListener CreateLoadBalancer CreateRule CreateTargetGroup
            CreateTrustStore DeregisterTargets RegisterTargets RemoveListenerCertificates RemoveTrustStoreRevocations
        """,
        overwrites="""
            DeleteListener DeleteRule DeleteSharedTrustStoreAssociation ModifyCapacityReservation ModifyIpPools ModifyListener
            ModifyListenerAttributes ModifyLoadBalancerAttributes ModifyRule ModifyTargetGroup ModifyTargetGroupAttributes
            ModifyTrustStore SetIpAddressType SetRulePriorities SetSecurityGroups SetSubnets
        """,
        lost="DeleteLoadBalancer DeleteTargetGroup DeleteTrustStore",
    ),
    Group(
        "es",
        "search domains and their network access",
        pairs="AuthorizeVpcEndpointAccess CreateDomain CreateVpcEndpoint RevokeVpcEndpointAccess",
        overwrites="UpdateDomainConfig UpdateVpcEndpoint",
        lost="DeleteDomain DeleteVpcEndpoint",
    ),
    Group(
        "fms",
        "firewall policies of the organization",
        pairs="AssociateAdminAccount AssociateThirdPartyFirewall",
        overwrites="""
            DeletePolicy DisassociateAdminAccount DisassociateThirdPartyFirewall PutAdminAccount PutAppsList
            PutNotificationChannel PutPolicy PutProtocolsList PutResourceSet
        """,
        lost="DeleteAppsList DeleteNotificationChannel DeleteProtocolsList DeleteResourceSet",
    ),
    Group(
        "globalaccelerator",
        "global accelerators",
        pairs="""
            AddCustomRoutingEndpoints AddEndpoints AllowCustomRoutingTraffic CreateAccelerator CreateCrossAccountAttachment
            CreateCustomRoutingAccelerator CreateCustomRoutingEndpointGroup CreateCustomRoutingListener CreateEndpointGroup
            CreateListener DenyCustomRoutingTraffic ProvisionByoipCidr RemoveCustomRoutingEndpoints RemoveEndpoints
        """,
        overwrites="""
            DeleteCustomRoutingListener DeleteListener UpdateAccelerator UpdateAcceleratorAttributes UpdateCrossAccountAttachment
            UpdateCustomRoutingAccelerator UpdateCustomRoutingAcceleratorAttributes UpdateCustomRoutingListener
            UpdateEndpointGroup UpdateListener
        """,
        lost="""
            DeleteAccelerator DeleteCrossAccountAttachment DeleteCustomRoutingAccelerator DeleteCustomRoutingEndpointGroup
            DeleteEndpointGroup DeprovisionByoipCidr WithdrawByoipCidr
        """,
        watched="AdvertiseByoipCidr",
    ),
    Group(
        "iam",
        "what lets a user in",
        lost="ResetServiceSpecificCredential",
        watched="ResyncMFADevice",
    ),
    Group(
        "interconnect",
        "interconnects",
        pairs="AcceptConnectionProposal CreateConnection",
        overwrites="DeleteConnection UpdateConnection",
    ),
    Group(
        "internetmonitor",
        "internet monitors",
        pairs="CreateMonitor",
        overwrites="UpdateMonitor",
        lost="DeleteMonitor",
    ),
    Group(
        "kafka",
        "Kafka clusters and their exposure",
        pairs="CreateCluster CreateClusterV2 CreateVpcConnection",
        overwrites="DeleteVpcConnection UpdateConnectivity UpdateSecurity",
        lost="RejectClientVpcConnection",
    ),
    Group(
        "lambda",
        "functions, their VPC and exposure",
        pairs="AddPermission CreateFunction CreateFunctionUrlConfig RemovePermission",
        overwrites="""
            DeleteFunctionConcurrency DeleteFunctionUrlConfig PutFunctionConcurrency UpdateFunctionCode
            UpdateFunctionConfiguration UpdateFunctionUrlConfig
        """,
        lost="DeleteFunction",
    ),
    Group(
        "lightsail",
        "Lightsail addresses, ports and peering",
        pairs="AllocateStaticIp AttachStaticIp CreateDomainEntry DetachStaticIp",
        overwrites="""
            CloseInstancePublicPorts DeleteDomainEntry OpenInstancePublicPorts PeerVpc PutInstancePublicPorts ReleaseStaticIp
            UnpeerVpc UpdateDomainEntry
        """,
    ),
)
