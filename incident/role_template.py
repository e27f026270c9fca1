"""The CloudFormation template of the responder's role: its managed policies, its boundary, whom it trusts.

What rests on a setting, such as a bucket for evidence, is there when the setting is given; each kind of acting can be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast

from incident.permissions import Acting
from incident.policies import PATH, ROLE_NAME, Document, Statement, allowed_by, boundary, denies, document, documents

Json = dict[str, Any]

_KMS = "arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/.+"
_BUCKET = "([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?"
_PARAMETERS: Json = {
    "TrustedPrincipal": {
        "Type": "String",
        "Description": "ARN of the role or user that Countermand runs as.",
        "AllowedPattern": "arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+",
    },
    "ExternalId": {
        "Type": "String",
        "MinLength": 8,
        "Description": "Shared with Countermand's configuration (aws.external_id).",
    },
    **{
        name: {"Type": "String", "Default": "yes", "AllowedValues": ["yes", "no"], "Description": about}
        for name, about in {
            "Contain": "Whether the role may stop an actor and isolate instances, and let go again.",
            "KeepEvidence": "Whether the role may take, copy, share and lock snapshots.",
            "Eradicate": "Whether the role may delete what an actor made.",
            "Recover": "Whether the role may put back what an actor changed.",
        }.items()
    },
    "Prepare": {
        "Type": "String",
        "Default": "no",
        "AllowedValues": ["yes", "no"],
        "Description": "Whether the role may switch on what watches an account (countermand prepare). Say yes while you prepare.",
    },
    "ImportFindings": {
        "Type": "String",
        "Default": "no",
        "AllowedValues": ["yes", "no"],
        "Description": "Whether incidents are imported into Security Hub as findings (aws.security_hub).",
    },
    "TrailBucket": {
        "Type": "String",
        "Default": "",
        "Description": "The bucket with the trail's files, if events are read from them (aws.events.bucket). Its policy, and "
        "the KMS key's if the files are encrypted with one, must let this role read it too if it is in another account.",
        "AllowedPattern": _BUCKET,
    },
    "TrailKey": {
        "Type": "String",
        "Default": "",
        "Description": "ARN of the KMS key with which the trail's files are encrypted, if any.",
        "AllowedPattern": f"({_KMS})?",
    },
    "FlowLogBucket": {
        "Type": "String",
        "Default": "",
        "Description": "The bucket to which flow logs are delivered, if any. Its policy, and the KMS key's, must let this role "
        "read it too if it is in another account.",
        "AllowedPattern": _BUCKET,
    },
    "FlowLogKey": {
        "Type": "String",
        "Default": "",
        "Description": "ARN of the KMS key with which the flow logs' files are encrypted, if any.",
        "AllowedPattern": f"({_KMS})?",
    },
    "FlowLogWorkgroup": {
        "Type": "String",
        "Default": "",
        "Description": "Athena's workgroup for flow logs (WorkgroupName of flow-logs-athena.yaml), if Athena is asked. The role "
        "then needs FlowLogBucket, FlowLogDatabase and FlowLogResults too.",
        "AllowedPattern": "[a-zA-Z0-9._-]*",
    },
    "FlowLogDatabase": {
        "Type": "String",
        "Default": "",
        "Description": "The database for flow logs (DatabaseName of flow-logs-athena.yaml).",
        "AllowedPattern": "[a-z0-9_]*",
    },
    "FlowLogResults": {
        "Type": "String",
        "Default": "",
        "Description": "The bucket of Athena's results (ResultsBucket of flow-logs-athena.yaml).",
        "AllowedPattern": _BUCKET,
    },
    "EventDataStore": {
        "Type": "String",
        "Default": "",
        "Description": "ARN of the event data store of CloudTrail Lake, if events are read from it (aws.events.event_data_store).",
        "AllowedPattern": "(arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:eventdatastore/.+)?",
    },
    "EvidenceBucket": {
        "Type": "String",
        "Default": "",
        "Description": "The bucket in which evidence is kept (evidence_store.bucket), in the account where it is written from.",
        "AllowedPattern": _BUCKET,
    },
    "EvidenceKey": {
        "Type": "String",
        "Default": "",
        "Description": "ARN of the KMS key under which evidence is encrypted (evidence_store.key), if any.",
        "AllowedPattern": f"({_KMS})?",
    },
    "SnapshotKey": {
        "Type": "String",
        "Default": "",
        "Description": "ARN of the KMS key under which snapshots are copied (what snapshots.key names); `*` in it stands for any "
        "region or id.",
        "AllowedPattern": "(arn:aws[a-z-]*:kms:[a-z0-9*-]+:[0-9]{12}:key/.+)?",
    },
}


def _given(parameter: str) -> Json:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def _both(first: str, second: Json) -> Json:
    return {"Fn::And": [{"Condition": first}, second]}


_CONDITIONS: Json = {
    **{
        f"May{name}": {"Fn::Equals": [{"Ref": name}, "yes"]}
        for name in ("Contain", "KeepEvidence", "Eradicate", "Recover", "Prepare")
    },
    "ImportsFindings": {"Fn::Equals": [{"Ref": "ImportFindings"}, "yes"]},
    "ReadsTrailFiles": _given("TrailBucket"),
    "ReadsEncryptedFiles": _both("ReadsTrailFiles", _given("TrailKey")),
    "ReadsFlowLogs": _given("FlowLogBucket"),
    "ReadsEncryptedFlowLogs": _both("ReadsFlowLogs", _given("FlowLogKey")),
    "AsksAthena": {"Fn::And": [_given(f"FlowLog{one}") for one in ("Workgroup", "Database", "Results")]},
    "KeepsInBucket": _given("EvidenceBucket"),
    "KeepsEncrypted": _both("KeepsInBucket", _given("EvidenceKey")),
    "CopiesSnapshots": _given("SnapshotKey"),
    "ReadsLake": _given("EventDataStore"),
}


def _bucket(parameter: str, within: str = "") -> Json:
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::${{{parameter}}}{within}"}


def _allow(actions: Iterable[str], resource: Any) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


_COPYING = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*")
_IN_BUCKET = ("s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectRetention")
_NOT_THE_EVIDENCE = (
    "s3:DeleteBucket",
    "s3:DeleteBucketPolicy",
    "s3:DeleteBucketWebsite",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucket*",
    "s3:PutEncryptionConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutReplicationConfiguration",
)
_ATHENA = ("athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution", "athena:StopQueryExecution")
_GLUE = "arn:${AWS::Partition}:glue:*:${AWS::AccountId}:"
_TABLES = [{"Fn::Sub": f"{_GLUE}{end}"} for end in ("catalog", "database/${FlowLogDatabase}", "table/${FlowLogDatabase}/*")]
_LAKE = ("cloudtrail:CancelQuery", "cloudtrail:GetEventDataStore", "cloudtrail:GetQueryResults", "cloudtrail:StartQuery")
_HUB = "arn:${AWS::Partition}:securityhub:*:${AWS::AccountId}:"
WHERE_SET: dict[str, list[Statement]] = {
    "ImportsFindings": [
        _allow(["securityhub:BatchImportFindings"], {"Fn::Sub": f"{_HUB}product/${{AWS::AccountId}}/default"}),
        _allow(["securityhub:BatchUpdateFindings"], {"Fn::Sub": f"{_HUB}hub/default"}),
    ],
    # Without s3:BypassGovernanceRetention, and without deletion.
    "KeepsInBucket": [
        _allow(["s3:GetBucketObjectLockConfiguration", "s3:ListBucketVersions"], _bucket("EvidenceBucket")),
        _allow(_IN_BUCKET, _bucket("EvidenceBucket", "/*")),
        # What may be emptied elsewhere on a person's word is never the evidence.
        {
            "Effect": "Deny",
            "Action": list(_NOT_THE_EVIDENCE),
            "Resource": [_bucket("EvidenceBucket"), _bucket("EvidenceBucket", "/*")],
        },
    ],
    "KeepsEncrypted": [_allow(["kms:Decrypt", "kms:GenerateDataKey"], {"Ref": "EvidenceKey"})],
    "CopiesSnapshots": [_allow(_COPYING, {"Ref": "SnapshotKey"})],
    "ReadsTrailFiles": [
        _allow(["s3:ListBucket"], _bucket("TrailBucket")),
        _allow(["s3:GetObject"], _bucket("TrailBucket", "/*")),
    ],
    "ReadsEncryptedFiles": [_allow(["kms:Decrypt"], {"Ref": "TrailKey"})],
    "ReadsFlowLogs": [
        _allow(["s3:ListBucket"], _bucket("FlowLogBucket")),
        _allow(["s3:GetObject"], _bucket("FlowLogBucket", "/*")),
    ],
    "ReadsEncryptedFlowLogs": [_allow(["kms:Decrypt"], {"Ref": "FlowLogKey"})],
    "AsksAthena": [
        _allow(_ATHENA, {"Fn::Sub": "arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${FlowLogWorkgroup}"}),
        _allow(["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable"], _TABLES),
        _allow(["s3:GetBucketLocation", "s3:ListBucket"], _bucket("FlowLogResults")),
        _allow(["s3:GetObject", "s3:PutObject"], _bucket("FlowLogResults", "/*")),
    ],
    "ReadsLake": [_allow(_LAKE, {"Ref": "EventDataStore"})],
}
"""What is allowed where a parameter is given, by the condition that says so."""


def template() -> Json:
    """The whole template."""
    managed = {name: policy for acting in Acting for name, policy in _managed(acting).items()}
    attached = [_if(policy.get("Condition"), {"Ref": name}) for name, policy in managed.items()]
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": ROLE_NAME,
            "MaxSessionDuration": 3600,
            "AssumeRolePolicyDocument": _trust(),
            "PermissionsBoundary": {"Ref": "Boundary"},
            "ManagedPolicyArns": attached,
            "Policies": [{"PolicyName": "never", "PolicyDocument": document(denies())}],
        },
    }
    most = boundary(allowed_by([document(several) for several in WHERE_SET.values()]))
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role with which Countermand reads and acts in an account: policies for reading and for each kind of "
        "acting, a boundary, and denies, so that no plan can cut it off, widen it or blind the account.",
        "Parameters": _PARAMETERS,
        "Conditions": _CONDITIONS,
        "Resources": {
            "Boundary": _policy("CountermandBoundary", "The most that Countermand's role can ever do.", most),
            **managed,
            "Responder": role,
            **{name: _inline(name, statements) for name, statements in WHERE_SET.items()},
        },
        "Outputs": {"RoleArn": {"Value": {"Fn::GetAtt": ["Responder", "Arn"]}}},
    }


def _managed(acting: Acting) -> Json:
    about = {
        Acting.READ: "Read what tells what happened, what is there and what it was.",
        Acting.CONTAIN: "Stop an actor and isolate instances, and let go again.",
        Acting.KEEP_EVIDENCE: "Take, copy, share and lock snapshots.",
        Acting.ERADICATE: "Delete what an actor made.",
        Acting.RECOVER: "Put back what an actor changed.",
        Acting.PREPARE: "Switch on what watches an account and warns of changes.",
    }[acting]
    name = "".join(word.title() for word in acting.split("-"))
    policies = {f"{name}{number}": policy for number, policy in enumerate(documents(acting), start=1)}
    condition = {} if acting is Acting.READ else {"Condition": f"May{name}"}
    return {f"May{one}": {**_policy(f"Countermand{one}", about, policy), **condition} for one, policy in policies.items()}


def _policy(name: str, about: str, policy: Document) -> Json:
    properties = {"ManagedPolicyName": name, "Path": PATH, "Description": about, "PolicyDocument": policy}
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}


def _inline(condition: str, statements: list[Statement]) -> Json:
    properties = {"RoleName": {"Ref": "Responder"}, "PolicyName": condition, "PolicyDocument": document(statements)}
    return {"Type": "AWS::IAM::RolePolicy", "Condition": condition, "Properties": properties}


def _if(condition: object, value: Json) -> Json:
    return {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]} if condition else value


def _trust() -> Document:
    trusted = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "TrustedPrincipal"}},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
    }
    return document([trusted])


# --- what it comes to ---------------------------------------------------------------------------------------------------------


def granted(account: str, parameters: Json) -> tuple[list[Document], Document]:
    """The role's policies and its boundary in an account, with the parameters put in; what is not given has its default."""
    made = template()
    defaults = {name: told.get("Default", "") for name, told in made["Parameters"].items()}
    values = _Values({**defaults, "AWS::Partition": "aws", "AWS::AccountId": account, **parameters}, made["Conditions"])
    found: list[Document] = list(
        values.put_in([one["PolicyDocument"] for one in made["Resources"]["Responder"]["Properties"]["Policies"]])
    )
    for name, one in made["Resources"].items():
        attached = one["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy") and name != "Boundary"
        if attached and ("Condition" not in one or values.holds(one["Condition"])):
            found.append(values.put_in(one["Properties"]["PolicyDocument"]))
    return found, values.put_in(made["Resources"]["Boundary"]["Properties"]["PolicyDocument"])


class _Values:
    """CloudFormation's functions, as far as the template uses them."""

    def __init__(self, parameters: Json, conditions: Json) -> None:
        self._parameters, self._conditions = parameters, conditions

    def holds(self, condition: str) -> bool:
        return bool(self.put_in(self._conditions[condition]))

    def put_in(self, value: Any) -> Any:
        if isinstance(value, list):
            return [one for one in map(self.put_in, cast(list[Any], value)) if one is not None]
        if not isinstance(value, dict):
            return value
        told = cast(Json, value)
        if len(told) == 1:
            ((function, argument),) = told.items()
            if function in self._functions:
                return self._functions[function](self, argument)
        return {name: self.put_in(one) for name, one in told.items()}

    def _ref(self, name: str) -> Any:
        return None if name == "AWS::NoValue" else self._parameters[name]

    def _sub(self, text: str) -> str:
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(self._parameters[found.group(1)]), text)

    def _if(self, argument: list[Any]) -> Any:
        return self.put_in(argument[1] if self.holds(argument[0]) else argument[2])

    def _equals(self, argument: list[Any]) -> bool:
        first, second = map(self.put_in, argument)
        return bool(first == second)

    _functions: ClassVar[dict[str, Callable[[_Values, Any], Any]]] = {
        "Ref": _ref,
        "Condition": holds,
        "Fn::Sub": _sub,
        "Fn::If": _if,
        "Fn::Equals": _equals,
        "Fn::Not": lambda self, argument: not self.put_in(argument[0]),
        "Fn::And": lambda self, argument: all(self.put_in(one) for one in argument),
    }
