"""One fact, one value: what a family reads from a record is what it reads from AWS's answer about the same thing.

Each example is a record as CloudTrail writes it and the answer that AWS gives afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from examples import ACCOUNT, REGION, record

from incident.family import Scope
from incident.network.registry import family_for_event, family_for_kind
from incident.settings import Fold, SettingKey, Unknown, Value, canonical

SCOPE = Scope(ACCOUNT, REGION)
DEFAULT_LOG_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} "
    "${start} ${end} ${action} ${log-status}"
)


@dataclass(frozen=True)
class Example:
    """A record, the read whose answer shows the same settings, and further reads by operation."""

    operation: str
    request: dict[str, Any]
    response: dict[str, Any]
    answer: dict[str, Any]
    kind: str
    resource: str
    name: str = ""
    hidden: tuple[str, ...] = field(default=())
    """Kinds of settings that the record tells and this answer does not show."""


def wrapped(operation: str, **members: Any) -> dict[str, Any]:
    return {f"{operation}Request": members}


def answer(operation: str, **members: Any) -> dict[str, Any]:
    return {f"{operation}Response": {"xmlns": "http://ec2.amazonaws.com/doc/2016-11-15/", "requestId": "r", **members}}


EXAMPLES = [
    Example(
        "AuthorizeSecurityGroupIngress",
        {
            "groupId": "sg-1",
            "ipPermissions": {
                "items": [
                    {
                        "ipProtocol": "tcp",
                        "fromPort": 22,
                        "toPort": 22,
                        "groups": {"items": [{"groupId": "sg-2", "userId": ACCOUNT}]},
                        "ipRanges": {"items": [{"cidrIp": "192.0.2.7/24", "description": "office"}]},
                        "ipv6Ranges": {"items": [{"cidrIpv6": "2001:DB8::/32"}]},
                        "prefixListIds": {"items": [{"prefixListId": "pl-1", "description": "list"}]},
                    }
                ]
            },
        },
        {"requestId": "r", "_return": True},
        {
            "SecurityGroupRules": [
                {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-1", "GroupOwnerId": ACCOUNT, "IsEgress": False, "IpProtocol": "tcp"}
                | {"FromPort": 22, "ToPort": 22}
                | peer
                for peer in (
                    {"CidrIpv4": "192.0.2.0/24", "Description": "office"},
                    {"CidrIpv6": "2001:db8::/32"},
                    {"PrefixListId": "pl-1", "Description": "list"},
                    {"ReferencedGroupInfo": {"GroupId": "sg-2", "UserId": ACCOUNT}},
                )
            ]
        },
        "security-group-rule",
        "sg-1",
    ),
    Example(
        "AuthorizeSecurityGroupEgress",
        {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "-1", "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}},
        {},
        {
            "SecurityGroupRules": [
                {"GroupId": "sg-1", "IsEgress": True, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0"}
            ]
        },
        "security-group-rule",
        "sg-1",
    ),
    Example(
        "AuthorizeSecurityGroupIngress",
        {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "icmp", "fromPort": 8, "toPort": -1, "cidrIp": "10.0.0.0/8"},
        {},
        {
            "SecurityGroupRules": [
                {"GroupId": "sg-1", "IsEgress": False, "IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "CidrIpv4": "10.0.0.0/8"}
            ]
        },
        "security-group-rule",
        "sg-1",
    ),
    Example(
        "AuthorizeSecurityGroupIngress",
        {
            "groupId": "sg-1",
            "ipPermissions": {
                "items": [{"ipProtocol": "6", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]}}]
            },
        },
        {},
        {
            "SecurityGroupRules": [
                {"GroupId": "sg-1", "IsEgress": False, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "10.0.0.0/8"}
            ]
        },
        "security-group-rule",
        "sg-1",
    ),
    Example(
        "CreateSecurityGroup",
        {"groupName": "web", "groupDescription": "the web", "vpcId": "vpc-1"},
        {"requestId": "r", "_return": True, "groupId": "sg-1"},
        {
            "SecurityGroups": [
                {"GroupId": "sg-1", "GroupName": "web", "Description": "the web", "VpcId": "vpc-1", "OwnerId": ACCOUNT}
            ]
        },
        "security-group",
        "sg-1",
        hidden=("security-group-rule",),
    ),
    *(
        Example(
            "CreateRoute",
            {"routeTableId": "rtb-1", "destinationCidrBlock": "10.9.1.1/16", **asked},
            {"_return": True},
            {
                "RouteTables": [
                    {
                        "RouteTableId": "rtb-1",
                        "VpcId": "vpc-1",
                        "Routes": [
                            {"DestinationCidrBlock": "10.9.0.0/16", "Origin": "CreateRoute", "State": state, **shown},
                            {"DestinationCidrBlock": "10.8.0.0/16", "Origin": "EnableVgwRoutePropagation", "GatewayId": "vgw-1"},
                        ],
                    }
                ]
            },
            "route",
            "rtb-1",
        )
        for asked, shown, state in (
            ({"gatewayId": "igw-1"}, {"GatewayId": "igw-1"}, "active"),
            ({"natGatewayId": "nat-1"}, {"NatGatewayId": "nat-1"}, "blackhole"),
            ({"vpcEndpointId": "vpce-1"}, {"GatewayId": "vpce-1"}, "active"),
            ({"transitGatewayId": "tgw-1"}, {"TransitGatewayId": "tgw-1"}, "active"),
            ({"vpcPeeringConnectionId": "pcx-1"}, {"VpcPeeringConnectionId": "pcx-1"}, "active"),
            (
                {"networkInterfaceId": "eni-1"},
                {"NetworkInterfaceId": "eni-1", "InstanceId": "i-1", "InstanceOwnerId": ACCOUNT},
                "active",
            ),
            ({"egressOnlyInternetGatewayId": "eigw-1"}, {"EgressOnlyInternetGatewayId": "eigw-1"}, "active"),
            ({"carrierGatewayId": "cagw-1"}, {"CarrierGatewayId": "cagw-1"}, "active"),
            ({"localGatewayId": "lgw-1"}, {"LocalGatewayId": "lgw-1"}, "active"),
            ({"coreNetworkArn": "arn:1"}, {"CoreNetworkArn": "arn:1"}, "active"),
        )
    ),
    Example(
        "AssociateRouteTable",
        {"routeTableId": "rtb-1", "subnetId": "subnet-1"},
        {"associationId": "rtbassoc-1", "associationState": {"state": "associated"}},
        {
            "RouteTables": [
                {
                    "RouteTableId": "rtb-1",
                    "VpcId": "vpc-1",
                    "Associations": [
                        {
                            "RouteTableAssociationId": "rtbassoc-1",
                            "SubnetId": "subnet-1",
                            "Main": False,
                            "AssociationState": {"State": "associated"},
                        }
                    ],
                }
            ]
        },
        "route-table-association",
        "subnet-1",
    ),
    Example(
        "CreateNetworkAclEntry",
        {"networkAclId": "acl-1", "ruleNumber": 100, "egress": False, "ruleAction": "allow", "aclProtocol": "6"}
        | {"cidrBlock": "0.0.0.0/0", "icmpTypeCode": {}, "portRange": {"from": 22, "to": 23}},
        {"_return": True},
        {
            "NetworkAcls": [
                {
                    "NetworkAclId": "acl-1",
                    "VpcId": "vpc-1",
                    "Entries": [
                        {
                            "RuleNumber": 100,
                            "Egress": False,
                            "Protocol": "6",
                            "RuleAction": "allow",
                            "CidrBlock": "0.0.0.0/0",
                            "PortRange": {"From": 22, "To": 23},
                        },
                        {"RuleNumber": 32767, "Egress": False, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"},
                    ],
                }
            ]
        },
        "network-acl-entry",
        "acl-1",
    ),
    Example(
        "CreateNetworkAclEntry",
        {"networkAclId": "acl-1", "ruleNumber": 7, "egress": True, "ruleAction": "deny", "aclProtocol": "58"}
        | {"ipv6CidrBlock": "::/0", "icmpTypeCode": {"type": 128, "code": -1}, "portRange": {}},
        {"_return": True},
        {
            "NetworkAcls": [
                {
                    "NetworkAclId": "acl-1",
                    "Entries": [
                        {
                            "RuleNumber": 7,
                            "Egress": True,
                            "Protocol": "58",
                            "RuleAction": "deny",
                            "Ipv6CidrBlock": "::/0",
                            "IcmpTypeCode": {"Code": -1, "Type": 128},
                        }
                    ],
                }
            ]
        },
        "network-acl-entry",
        "acl-1",
    ),
    Example(
        "CreateVpcPeeringConnection",
        {"vpcId": "vpc-1", "peerVpcId": "vpc-2", "peerOwnerId": "444455556666"},
        {
            "vpcPeeringConnection": {
                "vpcPeeringConnectionId": "pcx-1",
                "requesterVpcInfo": {"vpcId": "vpc-1", "ownerId": ACCOUNT, "region": REGION, "cidrBlock": "10.0.0.0/16"},
                "accepterVpcInfo": {"vpcId": "vpc-2", "ownerId": "444455556666", "region": REGION},
                "status": {"code": "initiating-request"},
                "tagSet": {},
            }
        },
        {
            "VpcPeeringConnections": [
                {
                    "VpcPeeringConnectionId": "pcx-1",
                    "RequesterVpcInfo": {"VpcId": "vpc-1", "OwnerId": ACCOUNT, "Region": REGION},
                    "AccepterVpcInfo": {"VpcId": "vpc-2", "OwnerId": "444455556666", "Region": REGION},
                    "Status": {"Code": "pending-acceptance"},
                }
            ]
        },
        "vpc-peering",
        "pcx-1",
    ),
    Example(
        "CreateNatGateway",
        wrapped("CreateNatGateway", SubnetId="subnet-1", AllocationId="eipalloc-1", ClientToken="t"),
        answer(
            "CreateNatGateway",
            natGateway={
                "natGatewayId": "nat-1",
                "subnetId": "subnet-1",
                "state": "pending",
                "connectivityType": "public",
                "natGatewayAddressSet": {"item": {"allocationId": "eipalloc-1"}},
            },
        ),
        {
            "NatGateways": [
                {
                    "NatGatewayId": "nat-1",
                    "SubnetId": "subnet-1",
                    "State": "available",
                    "ConnectivityType": "public",
                    "NatGatewayAddresses": [
                        {"AllocationId": "eipalloc-1", "PublicIp": "203.0.113.9", "PrivateIp": "10.0.0.9", "IsPrimary": True}
                    ],
                }
            ]
        },
        "nat-gateway",
        "nat-1",
    ),
    Example(
        "CreateNetworkInterface",
        {
            "subnetId": "subnet-1",
            "description": "d",
            "groupSet": {"items": [{"groupId": "sg-2"}, {"groupId": "sg-1"}]},
            "privateIpAddressesSet": {},
        },
        {
            "networkInterface": {
                "networkInterfaceId": "eni-1",
                "subnetId": "subnet-1",
                "description": "d",
                "status": "pending",
                "sourceDestCheck": True,
                "privateIpAddress": "10.0.0.9",
                "groupSet": {"items": [{"groupId": "sg-2", "groupName": "b"}, {"groupId": "sg-1", "groupName": "a"}]},
                "privateIpAddressesSet": {"item": [{"privateIpAddress": "10.0.0.9", "primary": True}]},
                "tagSet": {},
            }
        },
        {
            "NetworkInterfaces": [
                {
                    "NetworkInterfaceId": "eni-1",
                    "SubnetId": "subnet-1",
                    "Description": "d",
                    "Status": "available",
                    "SourceDestCheck": True,
                    "PrivateIpAddress": "10.0.0.9",
                    "Groups": [{"GroupId": "sg-1", "GroupName": "a"}, {"GroupId": "sg-2", "GroupName": "b"}],
                    "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.9", "Primary": True}],
                }
            ]
        },
        "network-interface",
        "eni-1",
    ),
    Example(
        "AttachNetworkInterface",
        {"networkInterfaceId": "eni-1", "instanceId": "i-1", "deviceIndex": 1},
        {"attachmentId": "eni-attach-1"},
        {
            "NetworkInterfaces": [
                {
                    "NetworkInterfaceId": "eni-1",
                    "SubnetId": "subnet-1",
                    "Attachment": {
                        "AttachmentId": "eni-attach-1",
                        "InstanceId": "i-1",
                        "DeviceIndex": 1,
                        "DeleteOnTermination": False,
                        "Status": "attached",
                    },
                }
            ]
        },
        "network-interface-attachment",
        "eni-1",
    ),
    Example(
        "AllocateAddress",
        {"domain": "vpc"},
        {"publicIp": "203.0.113.9", "domain": "vpc", "allocationId": "eipalloc-1", "publicIpv4Pool": "amazon"},
        {"Addresses": [{"PublicIp": "203.0.113.9", "Domain": "vpc", "AllocationId": "eipalloc-1", "PublicIpv4Pool": "amazon"}]},
        "address",
        "eipalloc-1",
        hidden=("address-association",),
    ),
    Example(
        "CreateVpc",
        {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "default", "amazonProvidedIpv6CidrBlock": False},
        {
            "vpc": {
                "vpcId": "vpc-1",
                "state": "pending",
                "cidrBlock": "10.0.0.0/16",
                "cidrBlockAssociationSet": {
                    "items": [
                        {"cidrBlock": "10.0.0.0/16", "associationId": "vpc-cidr-assoc-1", "cidrBlockState": {"state": "associated"}}
                    ]
                },
                "ipv6CidrBlockAssociationSet": {},
                "instanceTenancy": "default",
                "tagSet": {},
            }
        },
        {
            "Vpcs": [
                {
                    "VpcId": "vpc-1",
                    "State": "available",
                    "CidrBlock": "10.0.0.0/16",
                    "InstanceTenancy": "default",
                    "CidrBlockAssociationSet": [
                        {"AssociationId": "vpc-cidr-assoc-1", "CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}
                    ],
                }
            ]
        },
        "vpc",
        "vpc-1",
        hidden=("vpc-attribute",),
    ),
    Example(
        "CreateSubnet",
        {"vpcId": "vpc-1", "cidrBlock": "10.0.1.0/24"},
        {
            "subnet": {
                "subnetId": "subnet-1",
                "state": "pending",
                "vpcId": "vpc-1",
                "cidrBlock": "10.0.1.0/24",
                "availabilityZone": "us-east-1a",
                "mapPublicIpOnLaunch": False,
                "assignIpv6AddressOnCreation": False,
                "ipv6CidrBlockAssociationSet": {},
                "privateDnsNameOptionsOnLaunch": {"hostnameType": "ip-name", "enableResourceNameDnsARecord": False},
            }
        },
        {
            "Subnets": [
                {
                    "SubnetId": "subnet-1",
                    "State": "available",
                    "VpcId": "vpc-1",
                    "CidrBlock": "10.0.1.0/24",
                    "AvailabilityZone": "us-east-1a",
                    "MapPublicIpOnLaunch": False,
                    "AssignIpv6AddressOnCreation": False,
                    "PrivateDnsNameOptionsOnLaunch": {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False},
                }
            ]
        },
        "subnet",
        "subnet-1",
    ),
    Example(
        "CreateDhcpOptions",
        {
            "dhcpConfigurationSet": {
                "items": [{"key": "domain-name-servers", "valueSet": {"items": [{"value": "10.0.0.3"}, {"value": "10.0.0.2"}]}}]
            }
        },
        {
            "dhcpOptions": {
                "dhcpOptionsId": "dopt-1",
                "dhcpConfigurationSet": {
                    "items": [{"key": "domain-name-servers", "valueSet": {"items": [{"value": "10.0.0.3"}, {"value": "10.0.0.2"}]}}]
                },
            }
        },
        {
            "DhcpOptions": [
                {
                    "DhcpOptionsId": "dopt-1",
                    "DhcpConfigurations": [
                        {"Key": "domain-name-servers", "Values": [{"Value": "10.0.0.2"}, {"Value": "10.0.0.3"}]}
                    ],
                }
            ]
        },
        "dhcp-options",
        "dopt-1",
    ),
    Example(
        "CreateVpcEndpoint",
        wrapped(
            "CreateVpcEndpoint",
            VpcId="vpc-1",
            ServiceName="com.amazonaws.us-east-1.s3",
            RouteTableId={"content": "rtb-1", "tag": 1},
        ),
        answer(
            "CreateVpcEndpoint",
            vpcEndpoint={
                "vpcEndpointId": "vpce-1",
                "vpcEndpointType": "Gateway",
                "vpcId": "vpc-1",
                "serviceName": "com.amazonaws.us-east-1.s3",
                "state": "available",
                "policyDocument": '{"Version": "2008-10-17", "Statement": []}',
                "routeTableIdSet": {"item": "rtb-1"},
                "subnetIdSet": "",
                "groupSet": "",
                "privateDnsEnabled": False,
            },
        ),
        {
            "VpcEndpoints": [
                {
                    "VpcEndpointId": "vpce-1",
                    "VpcEndpointType": "Gateway",
                    "VpcId": "vpc-1",
                    "ServiceName": "com.amazonaws.us-east-1.s3",
                    "State": "available",
                    "PolicyDocument": '{"Statement":[],"Version":"2008-10-17"}',
                    "RouteTableIds": ["rtb-1"],
                    "SubnetIds": [],
                    "Groups": [],
                    "PrivateDnsEnabled": False,
                }
            ]
        },
        "vpc-endpoint",
        "vpce-1",
    ),
    Example(
        "ModifyManagedPrefixList",
        wrapped(
            "ModifyManagedPrefixList",
            PrefixListId="pl-1",
            CurrentVersion=1,
            AddEntry={"Cidr": "10.0.0.0/8", "Description": "x", "tag": 1},
        ),
        answer("ModifyManagedPrefixList", prefixList={"prefixListId": "pl-1"}),
        {"Entries": [{"Cidr": "10.0.0.0/8", "Description": "x"}]},
        "prefix-list-entry",
        "pl-1",
    ),
    Example(
        "CreateFlowLogs",
        wrapped(
            "CreateFlowLogs",
            ResourceType="VPC",
            ResourceId={"content": "vpc-1", "tag": 1},
            TrafficType="ALL",
            LogGroupName="flows",
            DeliverLogsPermissionArn="arn:aws:iam::111122223333:role/flows",
        ),
        answer("CreateFlowLogs", flowLogIdSet={"item": "fl-1"}, unsuccessful=""),
        {
            "FlowLogs": [
                {
                    "FlowLogId": "fl-1",
                    "FlowLogStatus": "ACTIVE",
                    "ResourceId": "vpc-1",
                    "TrafficType": "ALL",
                    "LogDestinationType": "cloud-watch-logs",
                    "LogGroupName": "flows",
                    "DeliverLogsPermissionArn": "arn:aws:iam::111122223333:role/flows",
                    "LogFormat": DEFAULT_LOG_FORMAT,
                    "MaxAggregationInterval": 600,
                }
            ]
        },
        "flow-log",
        "fl-1",
    ),
    Example(
        "CreateTrafficMirrorFilterRule",
        wrapped("CreateTrafficMirrorFilterRule", TrafficMirrorFilterId="tmf-1", RuleNumber=100, Protocol=6),
        answer(
            "CreateTrafficMirrorFilterRule",
            trafficMirrorFilterRule={
                "trafficMirrorFilterRuleId": "tmfr-1",
                "trafficMirrorFilterId": "tmf-1",
                "trafficDirection": "egress",
                "ruleNumber": 100,
                "ruleAction": "accept",
                "protocol": 6,
                "sourceCidrBlock": "0.0.0.0/0",
                "destinationCidrBlock": "0.0.0.0/0",
            },
        ),
        {
            "TrafficMirrorFilterRules": [
                {
                    "TrafficMirrorFilterRuleId": "tmfr-1",
                    "TrafficMirrorFilterId": "tmf-1",
                    "TrafficDirection": "egress",
                    "RuleNumber": 100,
                    "RuleAction": "accept",
                    "Protocol": 6,
                    "SourceCidrBlock": "0.0.0.0/0",
                    "DestinationCidrBlock": "0.0.0.0/0",
                }
            ]
        },
        "traffic-mirror-filter-rule",
        "tmfr-1",
    ),
    Example(
        "CreateVpcBlockPublicAccessExclusion",
        wrapped("CreateVpcBlockPublicAccessExclusion", VpcId="vpc-1", InternetGatewayExclusionMode="allow-bidirectional"),
        answer(
            "CreateVpcBlockPublicAccessExclusion",
            vpcBlockPublicAccessExclusion={"exclusionId": "vpcbpa-exclude-1", "state": "create-in-progress"},
        ),
        {
            "VpcBlockPublicAccessExclusions": [
                {
                    "ExclusionId": "vpcbpa-exclude-1",
                    "InternetGatewayExclusionMode": "allow-bidirectional",
                    "ResourceArn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-1",
                    "State": "create-complete",
                }
            ]
        },
        "vpc-block-public-access-exclusion",
        "vpcbpa-exclude-1",
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.operation} {example.resource}")
def test_a_record_and_a_read_tell_the_same(example: Example):
    told = record(example.operation, request=example.request, response=example.response)
    family = family_for_event(told.operation)
    assert family is not None

    written = {
        entry.key: entry.after for entry in Fold().read(told, family.writes) if entry.key.kind not in (*example.hidden, "tag")
    }

    key = SettingKey(ACCOUNT, REGION, example.kind, example.resource, example.name)
    reading = family_for_kind(example.kind)
    shown = {observed.key: observed.value for observed in reading.observe(SCOPE, reading.read(key), example.answer)}
    assert written
    assert {str(key): value for key, value in written.items()} == {str(key): shown.get(key) for key in written}


def writes(name: str, request: dict[str, Any], response: dict[str, Any] | None = None) -> list[tuple[str, Value, Value]]:
    """What a single record tells, with nothing known before it."""
    told = record(name, request=request, response=response or {})
    family = family_for_event(told.operation)
    assert family is not None
    return [(str(one.key).split("/", 2)[2], _shown(one.before), _shown(one.after)) for one in Fold().read(told, family.writes)]


def _shown(value: Value | Unknown) -> str:
    return "unknown" if isinstance(value, Unknown) else canonical(value)


def test_a_revocation_proves_that_the_rule_was_there():
    request = {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "0.0.0.0/0"}
    assert writes("RevokeSecurityGroupIngress", request) == [
        ("security-group-rule/sg-1/ingress tcp 22-22 0.0.0.0/0", '{"description":""}', "null")
    ]


def test_a_revocation_that_found_nothing_wrote_nothing():
    permission = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    asked = {"groupId": "sg-1", "ipPermissions": {"items": [permission]}}
    assert writes("RevokeSecurityGroupIngress", asked, {"_return": True, "unknownIpPermissionSet": {"items": [permission]}}) == []


def test_a_revocation_that_answers_with_the_rules_tells_all_of_them():
    answered = {
        "revokedSecurityGroupRuleSet": {
            "items": [
                {
                    "securityGroupRuleId": "sgr-1",
                    "groupId": "sg-1",
                    "isEgress": False,
                    "ipProtocol": "tcp",
                    "fromPort": 22,
                    "toPort": 22,
                }
                | {"cidrIpv4": "0.0.0.0/0", "description": "way in"}
            ]
        }
    }
    asked = {"groupId": "sg-1", "ipPermissions": {}, "securityGroupRuleIds": {"items": ["sgr-1"]}}
    assert writes("RevokeSecurityGroupIngress", asked, answered) == [
        ("security-group-rule/sg-1/ingress tcp 22-22 0.0.0.0/0", '{"description":"way in"}', "null")
    ]


def test_a_revocation_by_an_unknown_id_needs_prior_state():
    asked = {"groupId": "sg-1", "ipPermissions": {}, "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-1"}]}}
    assert writes("RevokeSecurityGroupIngress", asked) == [("security-group-rule/sg-1/sgr-1", "unknown", "null")]


def test_a_peer_group_of_another_account_keeps_its_account():
    permission = {"ipProtocol": "-1", "groups": {"items": [{"groupId": "sg-9", "userId": "444455556666"}]}}
    (told,) = writes("AuthorizeSecurityGroupIngress", {"groupId": "sg-1", "ipPermissions": {"items": [permission]}})
    assert told[0] == "security-group-rule/sg-1/ingress all all 444455556666/sg-9"


def test_a_deleted_route_is_unknown_and_a_created_one_was_not_there():
    assert writes("DeleteRoute", {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"}) == [
        ("route/rtb-1/0.0.0.0/0", "unknown", "null")
    ]
    assert writes("CreateRoute", {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}) == [
        ("route/rtb-1/0.0.0.0/0", "null", '{"GatewayId":"igw-1"}')
    ]


def test_an_association_that_nothing_knows_is_told_by_its_id():
    assert writes("DisassociateRouteTable", {"associationId": "rtbassoc-1"}) == [
        ("route-table-association/rtbassoc-1", "unknown", "null")
    ]


def test_a_detached_gateway_tells_what_it_was_attached_to():
    assert writes("DetachInternetGateway", {"internetGatewayId": "igw-1", "vpcId": "vpc-1"}) == [
        ("internet-gateway-attachment/igw-1", '{"VpcId":"vpc-1"}', "null")
    ]


def test_a_rule_that_names_its_peer_by_name_only_is_said_to():
    with pytest.raises(ValueError, match="by name only"):
        writes(
            "AuthorizeSecurityGroupIngress",
            {"groupId": "sg-1", "ipPermissions": {}, "ipProtocol": "tcp", "sourceSecurityGroupName": "x"},
        )
