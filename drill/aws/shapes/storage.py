"""S3's dialect: the bucket's name, the XML body as it was sent, and the subresource that the query names.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
"""

from __future__ import annotations

import json
from typing import Any

_SUBRESOURCES = {
    "DeleteBucketOwnershipControls": "ownershipControls",
    "DeleteBucketPolicy": "policy",
    "DeletePublicAccessBlock": "publicAccessBlock",
    "PutBucketAcl": "acl",
    "PutBucketOwnershipControls": "ownershipControls",
    "PutBucketPolicy": "policy",
    "PutBucketVersioning": "versioning",
    "PutPublicAccessBlock": "publicAccessBlock",
}
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_BODIES = ("CreateBucketConfiguration", "OwnershipControls", "PublicAccessBlockConfiguration", "VersioningConfiguration")
_ELEMENTS = {"Rules": "Rule", "Grants": "Grant"}
"""Lists whose elements XML names by another word."""

EVENT_NAMES = {
    "DeletePublicAccessBlock": "DeleteBucketPublicAccessBlock",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def request(operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """A bucket call's `requestParameters`."""
    out: dict[str, Any] = {"bucketName": params.get("Bucket", ""), "Host": "s3.amazonaws.com"}
    if operation in _SUBRESOURCES:
        out[_SUBRESOURCES[operation]] = ""
    for body in _BODIES:
        if body in params:
            out[body] = {"xmlns": _NAMESPACE, **_as_xml(params[body])}
    if "Policy" in params:
        out["bucketPolicy"] = _document(params["Policy"])
    if "ACL" in params:
        out["x-amz-acl"] = params["ACL"]
    if "AccessControlPolicy" in params:
        told = params["AccessControlPolicy"]
        grants = {"AccessControlList": {"Grant": _as_xml(told.get("Grants", []))}, "Owner": _as_xml(told.get("Owner", {}))}
        out["AccessControlPolicy"] = {"xmlns": _NAMESPACE, **grants}
    if "Key" in params:
        out["key"] = params["Key"]
    return out


def _document(policy: Any) -> Any:
    try:
        return json.loads(policy)
    except (TypeError, ValueError):
        return policy


def _as_xml(value: Any) -> Any:
    """A body as XML turned to JSON has it: a list of one is the element itself."""
    if isinstance(value, list):
        entries = [_as_xml(entry) for entry in value]
        return entries[0] if len(entries) == 1 else entries
    if isinstance(value, dict):
        return {_ELEMENTS.get(name, name): _as_xml(inner) for name, inner in value.items()}
    return value
