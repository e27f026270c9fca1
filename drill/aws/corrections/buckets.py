"""Buckets: a list says where each is, a new one is set up as today, one that holds versions stays, a policy's conditions count."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend
from moto.s3.responses import S3Response

from drill.aws import policies
from drill.aws.bucket_access import set_up_as_today
from drill.aws.corrections.base import corrects

_CONTEXT = {"aws:SecureTransport": "true"}
"""What a bucket's policy can be judged by here. The range speaks plain HTTP, and stands for an AWS that is reached by TLS."""


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(S3Response)
def all_buckets(self: Any) -> Any:
    """moto does not say in which region a bucket is. AWS does where the request has any parameter."""
    asked = {name: self._get_param(name) for name in ("prefix", "bucket-region", "max-buckets")}
    self.data["Action"] = "ListBuckets"
    if not any(asked.values()):
        return all_buckets.moto(self)  # type: ignore[attr-defined]
    self._authenticate_and_authorize_s3_action()
    found = self.backend.list_buckets(
        prefix=asked["prefix"], bucket_region=asked["bucket-region"], max_buckets=asked["max-buckets"]
    )
    owner = {"ID": "bcaf1ffd86f41161ca5fb16fd081034f", "DisplayName": "webfile"}
    shown = [{"Name": one.name, "CreationDate": one.creation_date_ISO8601, "BucketRegion": one.region_name} for one in found]
    return self.serialized(ActionResult({"Owner": owner, "Buckets": shown}))


@corrects(S3Backend)
def create_bucket(self: Any, bucket_name: str, region_name: str, bucket_namespace: str | None = None) -> Any:
    """moto sets up a bucket as it was before April 2023."""
    bucket = create_bucket.moto(self, bucket_name, region_name, bucket_namespace)  # type: ignore[attr-defined]
    set_up_as_today(bucket, PublicAccessBlock(*(True,) * 4))
    return bucket


@corrects(S3Backend)
def delete_bucket(self: Any, bucket_name: str) -> Any:
    """moto deletes a bucket whose objects are all hidden by delete markers."""
    bucket = self.get_bucket(bucket_name)
    if any(bucket.keys.getlist(name) for name in bucket.keys):
        return None
    return delete_bucket.moto(self, bucket_name)  # type: ignore[attr-defined]


@corrects(FakeBucket)
def get_permission(self: Any, action: str, resource: str) -> Any:
    """moto takes a statement with a condition for one whose condition always holds."""
    from moto.iam.access_control import IAMPolicy, PermissionResult

    if self.policy is None:
        return PermissionResult.NEUTRAL
    whole = json.loads(self.policy)
    told = [one for one in policies.statements(whole) if policies.conditions_hold(one.get("Condition", {}), _CONTEXT)]
    return IAMPolicy(json.dumps({**whole, "Statement": told})).is_action_permitted(action, resource)
