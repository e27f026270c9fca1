"""What a recorded call looks like to MITRE ATT&CK: technique and tactic by operation.

The names and numbers are those of ATT&CK for Enterprise, version 17 (https://attack.mitre.org/matrices/enterprise/cloud/). A call
says what was done; the technique says what such calls are known to serve. It is an inference, and the report calls it one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from incident.reports.story import Calls


@dataclass(frozen=True, slots=True)
class Technique:
    """One technique and the tactic that it mostly serves here."""

    id: str
    name: str
    tactic: str


@dataclass(slots=True)
class Seen:
    """What of one technique the calls show: how often it was done and refused, by which operations, and the first record."""

    technique: Technique
    done: int = 0
    refused: int = 0
    operations: dict[str, int] = field(default_factory=dict[str, int])
    record: str = ""


TACTICS = (
    "Initial Access",
    "Execution",
    "Persistence",
    "Privilege Escalation",
    "Defense Evasion",
    "Credential Access",
    "Discovery",
    "Collection",
    "Exfiltration",
    "Impact",
)
"""In the order of the matrix."""

_TABLE = """
T1078.004 | Valid Accounts: Cloud Accounts | Initial Access | ConsoleLogin SwitchRole
T1648 | Serverless Execution | Execution | CreateFunction UpdateFunctionCode Invoke InvokeFunction PublishVersion PublishLayerVersion
T1651 | Cloud Administration Command | Execution | SendCommand StartSession
T1098.001 | Account Manipulation: Additional Cloud Credentials | Persistence | CreateAccessKey UploadSSHPublicKey ImportKeyPair CreateKeyPair CreateServiceSpecificCredential UploadSigningCertificate
T1098.003 | Account Manipulation: Additional Cloud Roles | Persistence | AttachUserPolicy AttachRolePolicy AttachGroupPolicy PutUserPolicy PutRolePolicy PutGroupPolicy AddUserToGroup UpdateAssumeRolePolicy CreateRole CreatePolicyVersion SetDefaultPolicyVersion AddRoleToInstanceProfile AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation DeleteRolePermissionsBoundary DeleteUserPermissionsBoundary
T1136.003 | Create Account: Cloud Account | Persistence | CreateUser CreateLoginProfile UpdateLoginProfile
T1525 | Implant Internal Image | Persistence | RegisterImage CreateImage ImportImage
T1546 | Event Triggered Execution | Persistence | PutRule PutTargets CreateEventSourceMapping AddPermission CreateSchedule
T1556.006 | Modify Authentication Process: Multi-Factor Authentication | Persistence | DeactivateMFADevice DeleteVirtualMFADevice CreateVirtualMFADevice EnableMFADevice
T1133 | External Remote Services | Persistence | CreateVpnConnection CreateClientVpnEndpoint CreateVpnGateway AttachVpnGateway CreateCustomerGateway
T1484.002 | Domain or Tenant Policy Modification: Trust Modification | Privilege Escalation | CreateSAMLProvider UpdateSAMLProvider CreateOpenIDConnectProvider
T1548.005 | Abuse Elevation Control Mechanism: Temporary Elevated Cloud Access | Privilege Escalation | AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity GetSessionToken GetFederationToken
T1562.007 | Impair Defenses: Disable or Modify Cloud Firewall | Defense Evasion | AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress RevokeSecurityGroupEgress ModifySecurityGroupRules CreateSecurityGroup DeleteSecurityGroup CreateNetworkAclEntry ReplaceNetworkAclEntry DeleteNetworkAclEntry ReplaceNetworkAclAssociation CreateNetworkAcl DeleteNetworkAcl ModifyVpcBlockPublicAccessOptions CreateVpcBlockPublicAccessExclusion UpdateFirewallPolicy UpdateRuleGroup DeleteFirewall DeletePublicAccessBlock PutPublicAccessBlock
T1562.008 | Impair Defenses: Disable or Modify Cloud Logs | Defense Evasion | StopLogging DeleteTrail UpdateTrail PutEventSelectors PutInsightSelectors DeleteFlowLogs DeleteDetector UpdateDetector StopConfigurationRecorder DeleteConfigurationRecorder DeleteDeliveryChannel DeleteLogGroup DeleteLogStream PutRetentionPolicy
T1562.001 | Impair Defenses: Disable or Modify Tools | Defense Evasion | DisassociateMembers StopMonitoringMembers DeleteMembers DisableSecurityHub DeleteAlarms DisableAlarmActions DeleteRule DisableRule CreateFilter CreateIPSet
T1578.001 | Modify Cloud Compute Infrastructure: Create Snapshot | Defense Evasion | CreateSnapshot CreateSnapshots
T1578.002 | Modify Cloud Compute Infrastructure: Create Cloud Instance | Defense Evasion | RunInstances RequestSpotInstances RequestSpotFleet CreateFleet CreateAutoScalingGroup StartInstances CreateLaunchTemplate
T1578.003 | Modify Cloud Compute Infrastructure: Delete Cloud Instance | Defense Evasion | TerminateInstances
T1578.005 | Modify Cloud Compute Infrastructure: Modify Cloud Compute Configurations | Defense Evasion | ModifyInstanceAttribute ModifyNetworkInterfaceAttribute ModifyInstanceMetadataOptions RequestServiceQuotaIncrease
T1599 | Network Boundary Bridging | Defense Evasion | CreateRoute ReplaceRoute DeleteRoute AssociateRouteTable ReplaceRouteTableAssociation CreateInternetGateway AttachInternetGateway CreateEgressOnlyInternetGateway CreateNatGateway AllocateAddress AssociateAddress CreateVpcPeeringConnection AcceptVpcPeeringConnection CreateTransitGateway CreateTransitGatewayVpcAttachment CreateTransitGatewayRoute CreateVpcEndpoint ModifyVpcEndpoint CreateVpcEndpointServiceConfiguration ModifySubnetAttribute CreateNetworkInterface AttachNetworkInterface CreateLoadBalancer CreateListener ModifyListener RegisterTargets CreateVpc CreateSubnet
T1555.006 | Credentials from Password Stores: Cloud Secrets Management Stores | Credential Access | GetSecretValue BatchGetSecretValue GetParameter GetParameters GetParametersByPath
T1040 | Network Sniffing | Credential Access | CreateTrafficMirrorSession CreateTrafficMirrorTarget CreateTrafficMirrorFilter CreateTrafficMirrorFilterRule
T1552.005 | Unsecured Credentials: Cloud Instance Metadata API | Credential Access | GetPasswordData
T1087.004 | Account Discovery: Cloud Account | Discovery | ListUsers ListRoles ListAccessKeys GetUser GetRole GetAccountAuthorizationDetails GetCallerIdentity ListAccounts
T1069.003 | Permission Groups Discovery: Cloud Groups | Discovery | ListGroups ListGroupsForUser ListAttachedUserPolicies ListUserPolicies ListPolicies GetPolicyVersion
T1619 | Cloud Storage Object Discovery | Discovery | ListBuckets ListObjects ListObjectsV2
T1654 | Log Enumeration | Discovery | LookupEvents DescribeTrails GetTrailStatus
T1530 | Data from Cloud Storage | Collection | GetObject
T1537 | Transfer Data to Cloud Account | Exfiltration | ModifySnapshotAttribute ModifyImageAttribute CopySnapshot CopyImage PutBucketPolicy PutBucketReplication ModifyDBSnapshotAttribute
T1485 | Data Destruction | Impact | DeleteBucket DeleteObject DeleteObjects DeleteVolume DeleteDBInstance DeleteTable DeleteVpc DeleteSubnet DeleteRouteTable DeleteVpcPeeringConnection DeleteLoadBalancer DetachInternetGateway DeleteInternetGateway DeleteNatGateway
T1490 | Inhibit System Recovery | Impact | DeleteSnapshot DeregisterImage DeleteBackupVault DeleteRecoveryPoint
T1489 | Service Stop | Impact | StopInstances DeregisterTargets DetachNetworkInterface DisassociateAddress ReleaseAddress PutFunctionConcurrency
T1531 | Account Access Removal | Impact | DeleteLoginProfile DeleteUser DeleteAccessKey UpdateAccessKey DetachUserPolicy DetachRolePolicy DeleteUserPolicy DeleteRolePolicy
T1565.002 | Data Manipulation: Transmitted Data Manipulation | Impact | ChangeResourceRecordSets CreateHostedZone AssociateDhcpOptions ModifyVpcAttribute
"""  # noqa: E501 - one technique a line is how it is read and kept

_INFRASTRUCTURE = Technique("T1580", "Cloud Infrastructure Discovery", "Discovery")
_SERVICES = Technique("T1526", "Cloud Service Discovery", "Discovery")
_NETWORK_SERVICES = frozenset({"", "ec2", "elasticloadbalancing", "autoscaling", "rds"})


def _read() -> dict[str, Technique]:
    found: dict[str, Technique] = {}
    for row in _TABLE.strip().splitlines():
        id_, name, tactic, operations = (cell.strip() for cell in row.split("|"))
        found |= dict.fromkeys(operations.split(), Technique(id_, name, tactic))
    return found


OPERATIONS = _read()


def technique(call: Calls) -> Technique | None:
    """The technique that a call is known to serve; `None` for a change that the table does not know."""
    known = OPERATIONS.get(call.event)
    if known is not None or call.changed:
        return known
    if call.event.startswith(("Describe", "List", "Get", "Search", "Lookup")):
        return _INFRASTRUCTURE if call.service in _NETWORK_SERVICES else _SERVICES
    return None


def techniques(calls: Iterable[Calls]) -> tuple[list[Seen], dict[str, int]]:
    """The techniques that calls show, in the order of the matrix, and the changing calls that the table does not know."""
    seen: dict[str, Seen] = {}
    unknown: dict[str, int] = {}
    for call in calls:
        found = technique(call)
        if found is None:
            unknown[call.event] = unknown.get(call.event, 0) + call.count
            continue
        one = seen.setdefault(found.id, Seen(found))
        one.record = one.record or call.record
        one.operations[call.event] = one.operations.get(call.event, 0) + call.count
        if call.refused:
            one.refused += call.count
        else:
            one.done += call.count
    ranked = sorted(seen.values(), key=lambda one: (TACTICS.index(one.technique.tactic), one.technique.id))
    return ranked, unknown
