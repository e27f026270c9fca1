"""The policies of the responder's role as documents: least privilege by kind of acting, a boundary, and denies that no plan passes.

What is needed comes from `incident.permissions`; here is what each action may be done to. AWS allows 6,144 characters in a managed
policy, white space apart, so that a longer list is several policies.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from incident.permissions import Acting, needed

Statement = dict[str, Any]
Document = dict[str, Any]

MOST_CHARACTERS = 6_144
# AWS counts names that CloudFormation puts in; a partition's or account's is shorter than what stands for it.
_ROOM = 5_900

# --- what an action may be done to --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scoped:
    """Where an action is allowed: on which resources, on what condition. Actions that share both share a statement."""

    resource: str = "*"
    condition: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def statement(self, sid: str, actions: Iterable[str]) -> Statement:
        resource: Any = _sub(self.resource) if "${" in self.resource else self.resource
        written: Statement = {"Sid": sid, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
        for operator, key, values in self.condition:
            written.setdefault("Condition", {}).setdefault(operator, {})[key] = list(values)
        return written


def _on_condition(key: str, *values: str) -> Scoped:
    return Scoped(condition=(("StringEquals", key, values),))


ROLE_NAME, PATH = "CountermandResponder", "/countermand/"
_DOCUMENT = "arn:${AWS::Partition}:ssm:*:${AWS::AccountId}:document/Countermand-*"
_SNAPSHOTS = "arn:${AWS::Partition}:ec2:*::snapshot/*"
_SCOPES: dict[str, Scoped] = {
    "ec2:CopySnapshot": Scoped(_SNAPSHOTS),
    "ec2:LockSnapshot": Scoped(_SNAPSHOTS),
    "ec2:ModifySnapshotAttribute": Scoped(_SNAPSHOTS),
    # To instances, and as the role of a flow log, rule, function or replication that is set again; to nothing else that AWS runs.
    "iam:PassRole": _on_condition(
        "iam:PassedToService",
        "ec2.amazonaws.com",
        "events.amazonaws.com",
        "lambda.amazonaws.com",
        "s3.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
    ),
    # Where Countermand itself runs as this role, it takes the same role in the other accounts.
    "sts:AssumeRole": Scoped(f"arn:${{AWS::Partition}}:iam::*:role/{ROLE_NAME}"),
    "sts:SetSourceIdentity": Scoped(f"arn:${{AWS::Partition}}:iam::*:role/{ROLE_NAME}"),
    "iam:CreateServiceLinkedRole": _on_condition("iam:AWSServiceName", "autoscaling.amazonaws.com"),
}
_EVIDENCE_TAGS = Scoped(_SNAPSHOTS, (("StringEquals", "ec2:CreateAction", ("CopySnapshot", "CreateSnapshot", "CreateSnapshots")),))


_PREPARED_SERVICES = ("config.amazonaws.com", "events.amazonaws.com", "ssm.amazonaws.com", "vpc-flow-logs.amazonaws.com")
_LINKED_SERVICES = (
    "config.amazonaws.com",
    "guardduty.amazonaws.com",
    "malware-protection.guardduty.amazonaws.com",
    "remediation.config.amazonaws.com",
    "securityhub.amazonaws.com",
)
_PREPARING = {
    "iam:PassRole": _on_condition("iam:PassedToService", *_PREPARED_SERVICES),
    "iam:CreateServiceLinkedRole": _on_condition("iam:AWSServiceName", *_LINKED_SERVICES),
    "ssm:CreateDocument": Scoped(_DOCUMENT),
    "ssm:DeleteDocument": Scoped(_DOCUMENT),
    "ssm:UpdateDocument": Scoped(_DOCUMENT),
    "ssm:UpdateDocumentDefaultVersion": Scoped(_DOCUMENT),
}


def _scope(acting: Acting, action: str) -> Scoped:
    if acting is Acting.PREPARE and action in _PREPARING:
        return _PREPARING[action]
    if acting is Acting.KEEP_EVIDENCE and action == "ec2:CreateTags":
        return _EVIDENCE_TAGS
    return _SCOPES.get(action, Scoped())


def _sub(text: str) -> Statement:
    return {"Fn::Sub": text}


# --- the documents ------------------------------------------------------------------------------------------------------------


def documents(acting: Acting, actions: Iterable[str] | None = None) -> list[Document]:
    """The policies of one kind of acting, as few as the limit allows; together they allow exactly what is needed."""
    by_scope: dict[Scoped, list[str]] = defaultdict(list)
    for action in sorted(needed()[acting] if actions is None else actions):
        by_scope[_scope(acting, action)].append(action)
    name = "".join(word.title() for word in acting.split("-"))
    found: list[list[Statement]] = [[]]
    for number, (scope, several) in enumerate(sorted(by_scope.items(), key=lambda item: str(item[0]))):
        waiting = list(several)
        while waiting:
            sid = f"{name}{number or ''}"
            fits = _fitting(found[-1], scope, sid, waiting)
            if fits:
                found[-1].append(scope.statement(sid, waiting[:fits]))
            if fits < len(waiting):
                found.append([])
            waiting = waiting[fits:]
    return [document(statements) for statements in found if statements]


def _fitting(before: list[Statement], scope: Scoped, sid: str, waiting: list[str]) -> int:
    """How many of the actions there is room for."""
    fits = len(waiting)
    while fits and size(document([*before, scope.statement(sid, waiting[:fits])])) > _ROOM:
        fits -= 1
    return fits


def document(statements: list[Statement]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}


def size(policy: Document) -> int:
    """The characters that AWS counts: all but white space."""
    return len("".join(json.dumps(policy, separators=(",", ":")).split()))


# --- what no plan may do ------------------------------------------------------------------------------------------------------

_WRITES = ("Add", "Attach", "Create", "Deactivate", "Delete", "Detach", "Pass", "Put", "Remove", "Set", "Tag", "Untag", "Update")
_TAMPERING = (
    "cloudtrail:Delete*",
    "cloudtrail:Deregister*",
    "cloudtrail:Put*",
    "cloudtrail:Stop*",
    "cloudtrail:Update*",
    "config:Delete*",
    "config:Put*",
    "config:Stop*",
    "guardduty:Archive*",
    "guardduty:Create*",
    "guardduty:Delete*",
    "guardduty:Disassociate*",
    "guardduty:Stop*",
    "guardduty:Update*",
    "securityhub:BatchDisable*",
    "securityhub:Delete*",
    "securityhub:Disable*",
)
_PREPARES = ("config:Put", "config:Delete", "cloudtrail:Update", "guardduty:Create", "guardduty:Update")
_TAMPERING_WHILE_PREPARING = (
    *(one for one in _TAMPERING if not one.startswith(_PREPARES)),
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "config:DeleteRetentionConfiguration",
    "guardduty:CreateFilter",
    "guardduty:CreateIPSet",
    "guardduty:UpdateFilter",
    "guardduty:UpdateIPSet",
)
"""What stays forbidden where the role may prepare: what watches can be made and mended, and never be taken away or narrowed by
suppressions."""
_BEYOND = (
    "account:Close*",
    "account:Disable*",
    "account:Put*",
    "ec2:UnlockSnapshot",
    "kms:Disable*",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "organizations:Attach*",
    "organizations:Close*",
    "organizations:Create*",
    "organizations:Delete*",
    "organizations:Detach*",
    "organizations:Disable*",
    "organizations:Leave*",
    "organizations:Move*",
    "organizations:Remove*",
    "organizations:Update*",
    "s3:BypassGovernanceRetention",
)


def denies() -> list[Statement]:
    """What the role may never do, whatever else allows it: change itself or whom it trusts, blind the account, leave its place."""
    ourselves = [
        _sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{ROLE_NAME}"),
        _sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:policy{PATH}*"),
        {"Ref": "TrustedPrincipal"},
    ]
    kept = [_sub("arn:${AWS::Partition}:s3:::${EvidenceBucket}"), _sub("arn:${AWS::Partition}:s3:::${EvidenceBucket}/*")]
    loosening = [
        "s3:Delete*",
        "s3:PutBucket*",
        "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration",
        "s3:PutReplicationConfiguration",
    ]
    everything = {"Effect": "Deny", "Resource": "*"}
    return [
        {"Sid": "NeverItself", "Effect": "Deny", "Action": [f"iam:{verb}*" for verb in _WRITES], "Resource": ourselves},
        {
            "Fn::If": [
                "MayPrepare",
                {"Sid": "NeverBlind", **everything, "Action": list(_TAMPERING_WHILE_PREPARING)},
                {"Sid": "NeverBlind", **everything, "Action": list(_TAMPERING)},
            ]
        },
        {"Sid": "NeverBeyond", **everything, "Action": list(_BEYOND)},
        {"Fn::If": ["KeepsInBucket", _denied("NeverTheEvidence", loosening, kept), {"Ref": "AWS::NoValue"}]},
    ]


def _denied(sid: str, actions: list[str], resources: list[Any]) -> Statement:
    return {"Sid": sid, "Effect": "Deny", "Action": actions, "Resource": resources}


def boundary(more: Iterable[str] = ()) -> Document:
    """The most that the role can ever do, whatever is attached to it: the verbs that its policies use, less the denies."""
    actions = {action for some in needed().values() for action in some} | set(more)
    allowed = {"Sid": "AtMost", "Effect": "Allow", "Action": _verbs(actions), "Resource": "*"}
    return document([allowed, *denies()])


def _verbs(actions: Iterable[str]) -> list[str]:
    """`ec2:CreateRoute` as `ec2:Create*`; an action that has no further word stays as it is."""
    return sorted({f"{service}:{_first_word(operation)}*" for service, _, operation in (one.partition(":") for one in actions)})


def _first_word(operation: str) -> str:
    ends = [at for at in range(1, len(operation)) if operation[at].isupper() and operation[at - 1].islower()]
    return operation[: ends[0]] if ends else operation.rstrip("*")


def allowed_by(policies: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The actions that documents allow, as they are written."""
    statements = [one for policy in policies for one in policy["Statement"] if one.get("Effect") == "Allow"]
    return frozenset(action for one in statements for action in one["Action"])
