"""Buckets: a list says where each is, and a deletion of one that holds versions is refused."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

from drill.aws.corrections.base import corrects


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
def delete_bucket(self: Any, bucket_name: str) -> Any:
    """moto deletes a bucket whose objects are all hidden by delete markers."""
    bucket = self.get_bucket(bucket_name)
    if any(bucket.keys.getlist(name) for name in bucket.keys):
        return None
    return delete_bucket.moto(self, bucket_name)  # type: ignore[attr-defined]
