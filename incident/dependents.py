"""What may depend on a resource, so that AWS refuses to delete it: the reads that show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from incident.family import Read
from incident.settings import SettingKey


@dataclass(frozen=True, slots=True)
class Dependents:
    """One read, the JMESPath of the names in each page of its answer, and what they are the names of."""

    read: Read
    path: str
    word: str


_Reads = Callable[[str], tuple[Dependents, ...]]


def dependents_of(key: SettingKey) -> tuple[Dependents, ...]:
    """The reads that show what depends on a setting's resource; none where we know of none."""
    reads = _READS.get(key.kind)
    return reads(key.resource) if reads else ()


def _filtered(operation: str, name: str, value: str, path: str, word: str) -> Dependents:
    return Dependents(Read("ec2", operation, {"Filters": [{"Name": name, "Values": [value]}]}), path, word)


_INTERFACES = "NetworkInterfaces[].join('', [NetworkInterfaceId, ' (', Description || 'no description', ')'])"


def _interfaces(by: str, value: str) -> Dependents:
    return _filtered("DescribeNetworkInterfaces", by, value, _INTERFACES, "interface")


def _of_group(group: str) -> tuple[Dependents, ...]:
    others = f"SecurityGroups[?GroupId != '{group}'].GroupId"
    return (
        _interfaces("group-id", group),
        _filtered("DescribeSecurityGroups", "ip-permission.group-id", group, others, "group"),
        _filtered("DescribeSecurityGroups", "egress.ip-permission.group-id", group, others, "group"),
    )


def _of_vpc(vpc: str) -> tuple[Dependents, ...]:
    return (
        _interfaces("vpc-id", vpc),
        _filtered("DescribeSubnets", "vpc-id", vpc, "Subnets[].SubnetId", "subnet"),
        _filtered("DescribeInternetGateways", "attachment.vpc-id", vpc, "InternetGateways[].InternetGatewayId", "gateway"),
        _filtered("DescribeVpcEndpoints", "vpc-id", vpc, "VpcEndpoints[].VpcEndpointId", "endpoint"),
        _filtered("DescribeSecurityGroups", "vpc-id", vpc, "SecurityGroups[?GroupName != 'default'].GroupId", "group"),
    )


def _of_volume(volume: str) -> tuple[Dependents, ...]:
    return (_filtered("DescribeVolumes", "volume-id", volume, "Volumes[].Attachments[].InstanceId", "instance"),)


def _of_interface(interface: str) -> tuple[Dependents, ...]:
    path = "NetworkInterfaces[].Attachment | [].not_null(InstanceId, InstanceOwnerId)"
    return (_filtered("DescribeNetworkInterfaces", "network-interface-id", interface, path, "instance"),)


def _of_snapshot(snapshot: str) -> tuple[Dependents, ...]:
    read = Read(
        "ec2",
        "DescribeImages",
        {"Owners": ["self"], "Filters": [{"Name": "block-device-mapping.snapshot-id", "Values": [snapshot]}]},
    )
    return (Dependents(read, "Images[].ImageId", "image"),)


def _of_user(user: str) -> tuple[Dependents, ...]:
    asked = {"UserName": user}
    return (
        Dependents(Read("iam", "ListAccessKeys", asked), "AccessKeyMetadata[].AccessKeyId", "access key"),
        Dependents(Read("iam", "ListAttachedUserPolicies", asked), "AttachedPolicies[].PolicyArn", "policy"),
        Dependents(Read("iam", "ListUserPolicies", asked), "PolicyNames", "policy"),
        Dependents(Read("iam", "ListGroupsForUser", asked), "Groups[].GroupName", "group"),
        Dependents(Read("iam", "ListMFADevices", asked), "MFADevices[].SerialNumber", "MFA device"),
        Dependents(Read("iam", "ListSSHPublicKeys", asked), "SSHPublicKeys[].SSHPublicKeyId", "SSH key"),
        Dependents(Read("iam", "ListSigningCertificates", asked), "Certificates[].CertificateId", "signing certificate"),
    )


def _of_role(role: str) -> tuple[Dependents, ...]:
    asked = {"RoleName": role}
    return (
        Dependents(Read("iam", "ListAttachedRolePolicies", asked), "AttachedPolicies[].PolicyArn", "policy"),
        Dependents(Read("iam", "ListRolePolicies", asked), "PolicyNames", "policy"),
        Dependents(Read("iam", "ListInstanceProfilesForRole", asked), "InstanceProfiles[].InstanceProfileName", "instance profile"),
    )


def _of_members(group: str) -> tuple[Dependents, ...]:
    asked = {"GroupName": group}
    return (
        Dependents(Read("iam", "GetGroup", asked), "Users[].UserName", "user"),
        Dependents(Read("iam", "ListAttachedGroupPolicies", asked), "AttachedPolicies[].PolicyArn", "policy"),
        Dependents(Read("iam", "ListGroupPolicies", asked), "PolicyNames", "policy"),
    )


_READS: dict[str, _Reads] = {
    "group": _of_members,
    "network-interface": _of_interface,
    "role": _of_role,
    "security-group": _of_group,
    "snapshot": _of_snapshot,
    "subnet": lambda subnet: (_interfaces("subnet-id", subnet),),
    "user": _of_user,
    "volume": _of_volume,
    "vpc": _of_vpc,
}
