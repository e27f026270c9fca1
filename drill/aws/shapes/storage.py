"""S3's dialect: the bucket's name, the XML body as it was sent, and the subresource that the query names.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

_SUBRESOURCES = {
    "BucketAcl": "acl",
    "BucketCors": "cors",
    "BucketEncryption": "encryption",
    "BucketLifecycle": "lifecycle",
    "BucketLifecycleConfiguration": "lifecycle",
    "BucketLogging": "logging",
    "BucketNotificationConfiguration": "notification",
    "BucketOwnershipControls": "ownershipControls",
    "BucketPolicy": "policy",
    "BucketReplication": "replication",
    "BucketTagging": "tagging",
    "BucketVersioning": "versioning",
    "BucketWebsite": "website",
    "PublicAccessBlock": "publicAccessBlock",
}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HEADERS = {
    "ACL": "x-amz-acl",
    "ObjectLockEnabledForBucket": "x-amz-bucket-object-lock-enabled",
    "ObjectOwnership": "x-amz-object-ownership",
    "TransitionDefaultMinimumObjectSize": "x-amz-transition-default-minimum-object-size",
}
_VERBS = ("Delete", "Put")

_EVENT_NAMES = {
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def event_name(service: str, operation: str) -> str:
    """What CloudTrail calls an operation; S3's control plane is of the whole account."""
    if service == "s3control":
        return operation.replace("PublicAccessBlock", "AccountPublicAccessBlock")
    return _EVENT_NAMES.get(operation, operation)


def request(operation: str, shape: StructureShape, params: dict[str, Any]) -> dict[str, Any]:
    """A call's `requestParameters`: a bucket's, or where no bucket is named the account's."""
    named = {"accountId": params["AccountId"]} if params.get("AccountId") else {"bucketName": params.get("Bucket", "")}
    out: dict[str, Any] = {**named, "Host": "s3.amazonaws.com"}
    verb = next((verb for verb in _VERBS if operation.startswith(verb)), "")
    subresource = _SUBRESOURCES.get(operation.removeprefix(verb)) if verb else None
    if subresource:
        out[subresource] = ""
    for name, member in shape.members.items():
        if isinstance(member, StructureShape) and "location" not in member.serialization and name in params:
            out[name] = {"xmlns": _NAMESPACE, **_as_xml(member, params[name])}
    if "Policy" in params:
        out["bucketPolicy"] = _document(params["Policy"])
    out |= {header: params[name] for name, header in _HEADERS.items() if name in params}
    if "Key" in params:
        out["key"] = params["Key"]
    return out


def _document(policy: Any) -> Any:
    try:
        return json.loads(policy)
    except (TypeError, ValueError):
        return policy


def _as_xml(shape: Shape, value: Any) -> Any:
    """A body as XML turned to JSON has it: XML's names, and a list of one is the element itself."""
    if isinstance(shape, StructureShape):
        out: dict[str, Any] = {}
        for name, inner in (value or {}).items():
            member = shape.members[name]
            out[_word(member, name)] = _listed(member, inner) if isinstance(member, ListShape) else _as_xml(member, inner)
        return out
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def _listed(shape: ListShape, value: Any) -> Any:
    entries = [_as_xml(shape.member, entry) for entry in value or []]
    told = entries[0] if len(entries) == 1 else entries
    return told if shape.serialization.get("flattened") else {_word(shape.member, "member"): told}


def _word(shape: Shape, name: str) -> str:
    return str(shape.serialization.get("name", name))
