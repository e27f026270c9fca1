"""Which EC2 operations CloudTrail writes in the classic dialect; all others are wrapped.

Seen in real records, or taken to be classic for having been part of the API before about 2015.
"""

_NAMES = """
    AcceptVpcPeeringConnection AllocateAddress AssignPrivateIpAddresses AssociateAddress AssociateDhcpOptions
    AssociateRouteTable AttachInternetGateway AttachNetworkInterface AttachVolume AttachVpnGateway
    AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CancelSpotInstanceRequests
    CopyImage CopySnapshot CreateCustomerGateway CreateDhcpOptions CreateImage CreateInstanceExportTask
    CreateInternetGateway CreateKeyPair CreateNetworkAcl CreateNetworkAclEntry CreateNetworkInterface
    CreatePlacementGroup CreateRoute CreateRouteTable CreateSecurityGroup CreateSnapshot CreateSubnet CreateTags
    CreateVolume CreateVpc CreateVpcPeeringConnection CreateVpnConnection CreateVpnConnectionRoute CreateVpnGateway
    DeleteCustomerGateway DeleteDhcpOptions DeleteInternetGateway DeleteKeyPair DeleteNetworkAcl
    DeleteNetworkAclEntry DeleteNetworkInterface DeletePlacementGroup DeleteRoute DeleteRouteTable
    DeleteSecurityGroup DeleteSnapshot DeleteSubnet DeleteTags DeleteVolume DeleteVpc DeleteVpcPeeringConnection
    DeleteVpnConnection DeleteVpnConnectionRoute DeleteVpnGateway DeregisterImage
    DetachInternetGateway DetachNetworkInterface DetachVolume DetachVpnGateway DisableVgwRoutePropagation
    DisassociateAddress DisassociateRouteTable EnableVgwRoutePropagation GetConsoleOutput GetPasswordData
    ImportKeyPair ModifyImageAttribute ModifyInstanceAttribute ModifyNetworkInterfaceAttribute
    ModifySnapshotAttribute ModifySubnetAttribute ModifyVolumeAttribute ModifyVpcAttribute MonitorInstances
    RebootInstances RegisterImage RejectVpcPeeringConnection ReleaseAddress ReplaceNetworkAclAssociation
    ReplaceNetworkAclEntry ReplaceRoute ReplaceRouteTableAssociation RequestSpotInstances ResetImageAttribute ResetInstanceAttribute
    ResetNetworkInterfaceAttribute ResetSnapshotAttribute RevokeSecurityGroupEgress RevokeSecurityGroupIngress
    RunInstances StartInstances StopInstances TerminateInstances UnassignPrivateIpAddresses UnmonitorInstances
"""
CLASSIC = frozenset(_NAMES.split())

# The wrapper is the operation's name and "Request", but for this one seen in the wild.
WRAPPERS = {"DeleteTransitGatewayVpcAttachment": "DelTGwVpcAttachReq"}
