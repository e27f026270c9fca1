"""Which IAM actions the responder needs, and for what: what the families declare, and the reads that are nobody's family.

The policies of `deployments/aws/` are made from this (`incident.policies`). A family that is added is in them by itself; a read
outside of the families is to be put into `READS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from incident import containment, isolation
from incident.families import FAMILIES, PREPARING, family_for_kind
from incident.family import Acts, Family, Read
from incident.network import registry as network
from incident.resources import evidence
from incident.resources.event_rule import RULE, TARGET
from incident.resources.identity import ACCESS_KEY
from incident.settings import SettingKey


class Acting(StrEnum):
    """What a policy is for. Releasing goes with containing: whoever may cut off must be able to let go."""

    READ = "read"
    CONTAIN = "contain"
    KEEP_EVIDENCE = "keep-evidence"
    ERADICATE = "eradicate"
    RECOVER = "recover"
    PREPARE = "prepare"


READS: dict[str, tuple[str, ...]] = {
    "which accounts and regions there are": (
        "ec2:DescribeRegions",
        "organizations:DescribeOrganization",
        "organizations:ListAccounts",
    ),
    "who we are, so that no plan cuts us off": ("sts:GetCallerIdentity",),
    "the other accounts": ("sts:AssumeRole", "sts:SetSourceIdentity"),
    "the finding, read back": ("guardduty:GetFindings", "guardduty:ListDetectors", "securityhub:GetFindings"),
    "what GuardDuty found and nobody delivered": ("guardduty:ListFindings",),
    "who did what": ("cloudtrail:LookupEvents",),
    "what it was before": ("config:GetResourceConfigHistory", "config:ListDiscoveredResources"),
    "what an instance is used for, before it is isolated": (
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "ec2:DescribeIamInstanceProfileAssociations",
        "ec2:DescribeInstanceAttribute",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeVpcs",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
    ),
    "what the network carried": ("ec2:DescribeFlowLogs", "ec2:DescribeNetworkInterfaces", "logs:FilterLogEvents"),
    "what dies with an instance, function, user, role or policy": (
        "ec2:DescribeFlowLogs",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeVolumes",
        "ec2:GetConsoleOutput",
        "ec2:GetConsoleScreenshot",
        "iam:GetAccessKeyLastUsed",
        "iam:GetGroup",
        "iam:GetGroupPolicy",
        "iam:GetPolicyVersion",
        "iam:ListAttachedGroupPolicies",
        "iam:ListEntitiesForPolicy",
        "iam:ListGroupPolicies",
        "iam:ListPolicyVersions",
        "iam:GetRole",
        "iam:GetRolePolicy",
        "iam:GetUser",
        "iam:GetUserPolicy",
        "iam:ListAccessKeys",
        "iam:ListAttachedRolePolicies",
        "iam:ListAttachedUserPolicies",
        "iam:ListGroupsForUser",
        "iam:ListRolePolicies",
        "iam:ListUserPolicies",
        "lambda:GetFunction",
    ),
    "unexpected charges": (
        "ce:GetCostAndUsage",
        "ec2:DescribeImages",
        "ec2:DescribeSnapshots",
        "lambda:ListFunctions",
        "lambda:ListLayers",
    ),
    "who may change the network": ("iam:GetAccountAuthorizationDetails",),
    "how ready an account is": (
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "cloudwatch:DescribeAlarms",
        "config:DescribeConfigRules",
        "config:DescribeConfigurationRecorderStatus",
        "config:DescribeConfigurationRecorders",
        "config:DescribeDeliveryChannels",
        "config:DescribeRemediationConfigurations",
        "events:ListRules",
        "events:ListTargetsByRule",
        "guardduty:GetDetector",
        "guardduty:ListDetectors",
        "securityhub:DescribeHub",
        "securityhub:GetEnabledStandards",
    ),
    "tags: whose a resource is, and what an interrupted step made": ("ec2:DescribeTags",),
}
"""The reads outside of the families, by what they are for."""

UNMARKING = ("ec2:DeleteTags",)
"""The executor takes its own tag off again from what a step has made."""

_PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}
_OTHER_NAMES = {
    "s3:DeleteBucketCors": "s3:PutBucketCORS",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteBucketReplication": "s3:PutReplicationConfiguration",
    "s3:DeleteBucketTagging": "s3:PutBucketTagging",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketCors": "s3:PutBucketCORS",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "s3:PutBucketReplication": "s3:PutReplicationConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3control:DeletePublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3control:PutPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "lambda:Invoke": "lambda:InvokeFunction",
}


def action_of(service: str, operation: str) -> str:
    """The IAM action of an operation; `service` is boto3's name of its client.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    named = f"{_PREFIXES.get(service, service)}:{operation}"
    return _OTHER_NAMES.get(named, named)


def reads_of(family: Family) -> frozenset[str]:
    """The actions of a family's reads: of its inventory, of what shows one setting, and of what its changes look up."""
    found = {action_of(read.service, read.operation) for read in _family_reads(family)}
    return frozenset(found | set(family.looks))


def _family_reads(family: Family) -> Iterable[Read]:
    yield from family.inventory
    for kind in family.kinds:
        example = SettingKey("111122223333", "us-east-1", kind, "example", "example")
        yield family.read(example)
        yield from family.details(example._replace(name=""))


def needed() -> dict[Acting, frozenset[str]]:
    """The actions of each policy. One that several kinds of acting need is in each, so that each policy stands alone."""
    kept = {kind for family in evidence.FAMILIES for kind in family.kinds}
    before = {kind for family in PREPARING for kind in family.kinds}
    prepared = [_acts_of(kind) for kind in (*before, RULE, TARGET)]
    acts = {kind: one for family in FAMILIES for kind, one in family.acts.items() if kind not in kept | before}
    evidenced = [one for family in evidence.FAMILIES for one in family.acts.values()]
    contained = [_acts_of(kind) for kind in (*containment.KINDS, *isolation.KINDS)]
    # A key was there before it was contained, so that its release deletes none.
    released = [_acts_of(kind) for kind in (*containment.KINDS, *isolation.KINDS) if kind != ACCESS_KEY]
    # What AWS makes along with a resource that is made again, and that one did not have, is taken away while recovering.
    parts = [acts[kind] for family in network.FAMILIES for kind in family.part_of if kind in acts]
    found = {
        Acting.READ: {action for family in FAMILIES for action in reads_of(family)}.union(*READS.values()),
        Acting.CONTAIN: {*_sets(contained), *_removes(released), *isolation.TAGGING, *UNMARKING},
        Acting.KEEP_EVIDENCE: {*_sets(evidenced), *_removes(evidenced)},
        Acting.ERADICATE: {*_removes(acts.values())},
        Acting.RECOVER: {*_sets(acts.values()), *_removes(parts), *UNMARKING},
        Acting.PREPARE: {*_sets(prepared), *_removes(prepared)},
    }
    reading = found[Acting.READ]
    return {acting: frozenset(actions if acting is Acting.READ else actions - reading) for acting, actions in found.items()}


def _acts_of(kind: str) -> Acts:
    return family_for_kind(kind).acts.get(kind, Acts())


def _sets(acts: Iterable[Acts]) -> Iterable[str]:
    return (action for one in acts for action in one.sets)


def _removes(acts: Iterable[Acts]) -> Iterable[str]:
    return (action for one in acts for action in one.removes)
