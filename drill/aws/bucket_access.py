"""Who may reach a bucket: what AWS refuses there and moto does not, and an account's block of public access.

Since April 2023 a new bucket takes no access lists and blocks all public access, so that a public policy is refused until somebody
takes the block off.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html
"""

from __future__ import annotations

import json
from typing import Any

from drill.aws.bucket_settings import Body, Handler, bucket_of, kept
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_HARMLESS_LISTS = ("private", "bucket-owner-full-control", "")
_PUBLIC_LISTS = ("public-read", "public-read-write", "authenticated-read")
_OWNERS_ALONE = "BucketOwnerEnforced"


class AccountBlocks:
    """The block of public access of each account, which counts beside that of each bucket."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, bool]] = {}

    def clear(self) -> None:
        self._of.clear()

    def handlers(self) -> dict[tuple[str, str], Handler]:
        return {
            ("s3control", "GetPublicAccessBlock"): self._get,
            ("s3control", "PutPublicAccessBlock"): self._put,
            ("s3control", "DeletePublicAccessBlock"): self._delete,
        }

    def _get(self, call: Call, caller: Caller) -> Body:
        found = self._of.get(_own(call, caller))
        if found is None:
            raise AwsError("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found", 404)
        return {"PublicAccessBlockConfiguration": dict(found)}

    def _put(self, call: Call, caller: Caller) -> Body:
        asked = call.params.get("PublicAccessBlockConfiguration") or {}
        self._of[_own(call, caller)] = {name: bool(asked.get(name)) for name in _BLOCKS}
        return {}

    def _delete(self, call: Call, caller: Caller) -> Body:
        self._of.pop(_own(call, caller), None)
        return {}

    def blocks(self, bucket: Any, what: str) -> bool:
        """Whether a bucket or its account blocks something, `policy` or `acls`."""
        held = bucket.public_access_block
        of_bucket = held is not None and getattr(held, f"block_public_{what}")
        of_account = self._of.get(bucket.account_id, {}).get("BlockPublicPolicy" if what == "policy" else "BlockPublicAcls")
        return bool(of_bucket or of_account)

    def check(self, call: Call, caller: Caller) -> None:
        """What AWS refuses and moto does not.

        Raises:
            AwsError: the call is refused.
        """
        refused = _REFUSALS.get(call.operation) if call.service == "s3" else None
        if refused is not None:
            refused(self, call, bucket_of(call, caller))


def _own(call: Call, caller: Caller) -> str:
    if call.params.get("AccountId") != caller.account:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return caller.account


# ---- refusals -------------------------------------------------------------------------------------------------------


def _policy(blocks: AccountBlocks, call: Call, bucket: Any) -> None:
    if blocks.blocks(bucket, "policy") and _is_public(str(call.params.get("Policy", ""))):
        message = "public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
        raise AwsError("AccessDenied", f"User is not authorized to perform: s3:PutBucketPolicy because {message}", 403)


def _is_public(policy: str) -> bool:
    try:
        statements = json.loads(policy).get("Statement", [])
    except (AttributeError, ValueError):
        raise AwsError("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'") from None
    listed = statements if isinstance(statements, list) else [statements]
    allowing = [one for one in listed if one.get("Effect") == "Allow" and not one.get("Condition")]
    return any(one.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]}) for one in allowing)


def _list(blocks: AccountBlocks, call: Call, bucket: Any) -> None:
    canned = str(call.params.get("ACL") or "")
    granted = (call.params.get("AccessControlPolicy") or {}).get("Grants") or []
    groups = [grant for grant in granted if "groups/global/" in str((grant.get("Grantee") or {}).get("URI", ""))]
    others = canned not in _HARMLESS_LISTS or len(granted) > 1 or groups
    if bucket.ownership_rule == _OWNERS_ALONE and others:
        raise AwsError("AccessControlListNotSupported", "The bucket does not allow ACLs")
    if blocks.blocks(bucket, "acls") and (canned in _PUBLIC_LISTS or groups):
        message = "public access control lists (ACLs) are prevented by the BlockPublicAcls setting in S3 Block Public Access."
        raise AwsError("AccessDenied", f"User is not authorized to perform: s3:PutBucketAcl because {message}", 403)


def _ownership(blocks: AccountBlocks, call: Call, bucket: Any) -> None:
    rules = (call.params.get("OwnershipControls") or {}).get("Rules") or [{}]
    grants = bucket.acl.grants if bucket.acl else []
    if rules[0].get("ObjectOwnership") == _OWNERS_ALONE and len(grants) > 1:
        message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        raise AwsError("InvalidBucketAclWithObjectOwnership", message)


def _versioning(blocks: AccountBlocks, call: Call, bucket: Any) -> None:
    asked = (call.params.get("VersioningConfiguration") or {}).get("Status")
    if asked == "Suspended" and kept(bucket).get("Replication"):
        message = "A replication configuration is present on this bucket, so the versioning state cannot be changed."
        raise AwsError("InvalidBucketState", message, 409)


_REFUSALS = {
    "PutBucketPolicy": _policy,
    "PutBucketAcl": _list,
    "PutBucketOwnershipControls": _ownership,
    "PutBucketVersioning": _versioning,
}


def set_up_as_today(bucket: Any, block: Any) -> None:
    """What a new bucket has: its owner's lists alone, and no public access."""
    bucket.ownership_rule = _OWNERS_ALONE
    bucket.public_access_block = block
    kept(bucket)
