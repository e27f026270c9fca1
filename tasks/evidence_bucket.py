"""Evidence in a bucket with Object Lock: nobody changes or deletes an item's version before its time, whoever holds our keys.

In governance mode those who may bypass the lock still can; in compliance mode nobody can, not even the root user, so it is had by
name only.

See https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError

from incident.family import Read, Scope
from tasks.aws import Aws, AwsError
from tasks.config import EvidenceStoreConfig
from tasks.evidence import EvidenceUnavailable, Item

_NOT_THERE = frozenset({"NoSuchKey", "NoSuchVersion", "404", "405", "MethodNotAllowed"})
_UNLOCKED_BUCKET = "InvalidRequest"


class Bucket:
    """A bucket, with one folder for each incident in it, behind the configured prefix."""

    def __init__(self, aws: Aws, config: EvidenceStoreConfig, clock: Callable[[], datetime]) -> None:
        self._aws, self._config, self._clock = aws, config, clock
        self._region = config.region or aws.config.home_region

    def write(self, incident: str, name: str, content: bytes) -> Item:
        """Store an item under a lock. S3 refuses content that does not have the hash."""
        key = self._key(incident, name)
        until = (self._clock() + timedelta(days=self._config.retention_days)).replace(microsecond=0)
        parameters = {
            "Bucket": self._config.bucket,
            "Key": key,
            "Body": content,
            "ChecksumAlgorithm": "SHA256",
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
            "ObjectLockMode": self._config.mode.upper(),
            "ObjectLockRetainUntilDate": until,
            **self._encryption(),
        }
        try:
            answer = self._aws.call(self._config.account, self._region, "s3", "PutObject", parameters)
        except AwsError as error:
            raise self._unavailable(error) from None
        version = str(answer.get("VersionId", ""))
        if not version:
            raise EvidenceUnavailable(
                f"bucket {self._config.bucket} keeps no versions; it must have Object Lock (docs/evidence.md)"
            )
        return {"bucket": self._config.bucket, "key": key, "version": version, "locked_until": until.isoformat()}

    def read(self, incident: str, item: Item) -> bytes:
        content, _ = self._version(incident, item)
        if content is None:
            raise LookupError(f"{incident}: version {item.get('version')} of evidence {item['item']} is missing")
        return content

    def holds(self, incident: str, item: Item) -> bool:
        return any(one["VersionId"] == item["version"] for one in self._of_key(incident, item))

    def damage(self, incident: str, item: Item) -> str:
        """What is wrong with an item; a later version or a delete marker hides it from all who do not ask for the version."""
        content, until = self._version(incident, item)
        if content is None:
            return "missing"
        if hashlib.sha256(content).hexdigest() != item["sha256"]:
            return "changed"
        if until is None or until < datetime.fromisoformat(str(item["locked_until"])):
            return "unlocked: its lock was lifted or shortened"
        return self._hidden(incident, item)

    def names(self, incident: str) -> set[str]:
        folder = self._key(incident, "")
        return {str(one["Key"]).removeprefix(folder) for one in self._versions(folder)}

    def _hidden(self, incident: str, item: Item) -> str:
        latest = next((one for one in self._of_key(incident, item) if one.get("IsLatest")), None)
        if latest is not None and latest["VersionId"] == item["version"]:
            return ""
        if latest is None or "ETag" in latest:
            return f"changed: the current version is not {item['version']}, the one recorded, which is intact"
        return f"missing: a delete marker hides version {item['version']}, which is intact"

    def _version(self, incident: str, item: Item) -> tuple[bytes | None, datetime | None]:
        """The version that was recorded and until when it is locked; `None` where it is gone."""
        try:
            answer = self._get_object(incident, item)
            return bytes(answer["Body"].read()), answer.get("ObjectLockRetainUntilDate")
        except LookupError:
            return None, None
        except (BotoCoreError, OSError) as error:
            raise EvidenceUnavailable(f"{self._where(error)}; try again") from None

    def _of_key(self, incident: str, item: Item) -> Iterator[dict[str, Any]]:
        key = self._key(incident, item["item"])
        return (one for one in self._versions(key) if one["Key"] == key)

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version and delete marker whose key begins with a prefix."""
        read = Read("s3", "ListObjectVersions", {"Bucket": self._config.bucket, "Prefix": prefix})
        try:
            for page in self._aws.read_all(Scope(self._config.account, self._region), read):
                yield from (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        except AwsError as error:
            raise self._unavailable(error) from None

    def _get_object(self, incident: str, item: Item) -> dict[str, Any]:
        named = {"Bucket": self._config.bucket, "Key": self._key(incident, item["item"]), "VersionId": str(item.get("version", ""))}
        try:
            return self._aws.call(self._config.account, self._region, "s3", "GetObject", named)
        except AwsError as error:
            if error.code in _NOT_THERE:
                raise LookupError from None
            raise self._unavailable(error) from None

    def _unavailable(self, error: AwsError) -> EvidenceUnavailable:
        if error.code == _UNLOCKED_BUCKET and error.operation == "PutObject":
            return EvidenceUnavailable(f"{self._where(error)}; the bucket must have Object Lock (docs/evidence.md)")
        return EvidenceUnavailable(f"{self._where(error)}; see evidence_store in the configuration and the bucket's policy")

    def _where(self, error: Exception) -> str:
        return f"evidence bucket {self._config.bucket}: {' '.join(str(error).split())[:300]}"

    def _encryption(self) -> dict[str, str]:
        """Without a key of its own the bucket's default applies."""
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self._config.key} if self._config.key else {}

    def _key(self, incident: str, name: str) -> str:
        return "/".join(part for part in (self._config.prefix, incident) if part) + f"/{name}"
