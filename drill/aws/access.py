"""The gate: is the key good here, and may its holder make this call?"""

from __future__ import annotations

import os
from pathlib import Path

from drill.aws import policies
from drill.aws.clock import iso
from drill.aws.config import RESPONDER_ROLE, RangeConfig
from drill.aws.errors import expired_credentials, not_authorized, unknown_credentials
from drill.aws.identity import Caller, Directory
from drill.aws.resources import resource_of
from drill.aws.wire import Call

# Services with one endpoint for all regions: a region that is not opted in does not keep anyone from them.
GLOBAL_SERVICES = frozenset({"iam", "organizations", "route53", "cloudfront", "account", "support", "budgets", "ce"})

ACTIONS_FOLDER = "COUNTERMAND_RANGE_ACTIONS"
"""The environment variable that names a folder, in which each range writes the actions that its responder took."""

_ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
_ACTION_PREFIX = {"cloudwatch": "cloudwatch", "elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}
_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketCors": "PutBucketCORS",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
}
_S3_CONTROL_ACTIONS = {
    "DeletePublicAccessBlock": "PutAccountPublicAccessBlock",
    "GetPublicAccessBlock": "GetAccountPublicAccessBlock",
    "PutPublicAccessBlock": "PutAccountPublicAccessBlock",
}


def action_of(call: Call) -> str:
    """The IAM action that a call needs."""
    if call.service == "s3":
        if call.operation == "GetObject" and call.params.get("VersionId"):
            return "s3:GetObjectVersion"
        return f"s3:{_S3_ACTIONS.get(call.operation, call.operation)}"
    if call.service == "s3control":
        return f"s3:{_S3_CONTROL_ACTIONS.get(call.operation, call.operation)}"
    if call.service == "lambda" and call.operation == "Invoke":
        return "lambda:InvokeFunction"
    return f"{_ACTION_PREFIX.get(call.service, call.signing_name)}:{call.operation}"


class Gate:
    """Authenticates and authorizes calls."""

    def __init__(self, config: RangeConfig, directory: Directory) -> None:
        self._config = config
        self._directory = directory
        self._noted: set[str] = set()

    def authenticate(self, call: Call) -> Caller:
        """Find who is calling.

        Raises:
            AwsError: The key is unknown, inactive, expired, or the region is not opted in.
        """
        caller = self._directory.find(call.access_key)
        refused = unknown_credentials(call.service, call.protocol)
        if caller is None or not caller.active or caller.token != call.token:
            raise refused
        if caller.expires_at is not None and call.time >= caller.expires_at:
            raise expired_credentials(call.service, call.protocol)
        if call.region not in self._config.enabled and call.service not in GLOBAL_SERVICES:
            raise refused
        if not _may_reach(call, caller):
            raise refused
        return caller

    def authorize(self, call: Call, caller: Caller) -> None:
        """Check the caller's policies.

        Raises:
            AwsError: A policy denies the call, or none allows it.
        """
        action = action_of(call)
        self._note(action, caller)
        if caller.bootstrap or action in _ALWAYS_ALLOWED:
            return
        layers = policies.layers_of(caller)
        if not layers:
            return
        decision = policies.decide(layers, action, request_context(call, caller), resource_of(call, caller.account))
        if not decision.allowed:
            raise not_authorized(call.service, caller.arn, action, f"on resource: * {decision.reason}")

    def _note(self, action: str, caller: Caller) -> None:
        """Write down, once each, what the responder does: what is never done needs no permission."""
        folder = os.environ.get(ACTIONS_FOLDER)
        if not folder or caller.name != RESPONDER_ROLE or action in self._noted:
            return
        self._noted.add(action)
        with (Path(folder) / f"{os.getpid()}.txt").open("a") as file:
            file.write(f"{action}\n")


def _may_reach(call: Call, caller: Caller) -> bool:
    """Whether a session is of a kind that IAM and STS answer at all.

    A session of GetFederationToken, or of GetSessionToken without MFA, has no access to IAM and next to none to STS. See
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
    """
    token_of_user = caller.kind == "IAMUser" and caller.issued_at is not None and not (caller.console or caller.mfa)
    if caller.kind != "FederatedUser" and not token_of_user:
        return True
    if call.service == "sts":
        return call.operation == "GetCallerIdentity" or (token_of_user and call.operation == "AssumeRole")
    return call.service != "iam"


def request_context(call: Call, caller: Caller) -> dict[str, str]:
    """The condition keys of a call."""
    context = {
        "aws:CurrentTime": iso(call.time),
        "aws:EpochTime": str(int(call.time)),
        "aws:PrincipalAccount": caller.account,
        "aws:PrincipalArn": caller.role_arn or caller.arn,
        "aws:PrincipalType": "User" if caller.kind == "IAMUser" else caller.kind,
        "aws:RequestedRegion": call.region,
        "aws:SecureTransport": "true",
        "aws:SourceIp": call.source_ip,
        "aws:UserAgent": call.user_agent,
        "aws:userid": caller.principal_id,
    }
    if caller.kind == "IAMUser":
        context["aws:username"] = caller.name
    if caller.issued_at is not None:
        context["aws:TokenIssueTime"] = iso(caller.issued_at)
        context["aws:MultiFactorAuthPresent"] = str(caller.mfa).lower()
    if caller.source_identity:
        context["aws:SourceIdentity"] = caller.source_identity
    if call.operation == "CreateServiceLinkedRole":
        context["iam:AWSServiceName"] = str(call.params.get("AWSServiceName", ""))
    if call.invoked_by:
        context["aws:ViaAWSService"] = "true"
        context["aws:CalledViaLast"] = call.invoked_by
    return context
