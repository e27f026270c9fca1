"""S3 buckets: their existence, their objects, and who may reach them.

A bucket that the actor made is deleted when it is empty. One that holds objects is left to people: whose data they are is in no
management record. Only an amendment of a responder's allows that it is emptied, by a step of its own that is asked about.

In us-east-1 making a bucket that one has already succeeds and changes nothing, so that a record from there proves nothing.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from incident.family import Acts, Call, Change, Family, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, family, seen
from incident.network.service import Service
from incident.network.values import document, flag, mapping, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, Reversal, SettingKey, Source, Unknown, Value, Write

_Live = TypeVar("_Live")

S3 = Service("s3", "s3")
BUCKET = "bucket"
CONTENT = "bucket-content"
ACCESS = "bucket-access"
POLICY, PUBLIC_ACCESS, OWNERSHIP, ACL = "policy", "public access block", "object ownership", "access control list"
"""What says who may reach a bucket, as the names of its settings."""

OBJECTS = {"Holds": "objects"}
"""The value of what a bucket holds, as long as it holds any version or delete marker."""
_HOLDS = "Holds"
_LENIENT_REGION = "us-east-1"
_OLD_NAMES = {"EU": "eu-west-1", "": _LENIENT_REGION}
_ORDER = (PUBLIC_ACCESS, POLICY, ACL, OWNERSHIP)
"""A public policy is refused while the block is on, and a list of grants while ownership forbids lists."""
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_GOES = "what the bucket held is gone for good; the inventory taken before says what that was"
_VERSIONS = "[{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}] | [?length(Objects) > `0`]"


def _everyone(value: Value) -> bool:
    """Whether a policy lets anybody in, or an access list one of AWS's two groups of everybody."""
    told = json.dumps(value)
    allows = [one for one in structures(mapping(value).get("Statement")) if one.get("Effect") == "Allow"]
    who = [one.get("Principal") for one in allows]
    return "*" in who or {"AWS": "*"} in who or "groups/global/" in told


# --- records ------------------------------------------------------------------------------------------------------------------


def _named(event: Event) -> str:
    return text(event.record.request.get("bucketName"))


def _create(event: Event) -> Iterator[Write]:
    """Made where its constraint says, whatever endpoint was called."""
    asked = mapping(event.record.request.get("CreateBucketConfiguration"))
    where = text(asked.get("LocationConstraint") or asked.get("locationConstraint"))
    region = _OLD_NAMES.get(where, where) if asked else event.record.region
    key = event.key(BUCKET, _named(event))._replace(region=region)
    yield Write(key, {}, before=UNKNOWN if region == _LENIENT_REGION else None)


def _delete(event: Event) -> Iterator[Write]:
    yield from event.deleted(BUCKET, _named(event), ACCESS)


def _put(name: str, value: Callable[[JsonObject], Value | Unknown]) -> Callable[[Event], Iterator[Write]]:
    def writes(event: Event) -> Iterator[Write]:
        yield Write(event.key(ACCESS, _named(event), name), value(event.record.request))

    return writes


def _policy(request: JsonObject) -> Value | Unknown:
    return mapping(document(request.get("bucketPolicy"))) or UNKNOWN


def _blocks(request: JsonObject) -> Value | Unknown:
    """What is not named is not blocked."""
    told = mapping(request.get("PublicAccessBlockConfiguration"))
    return {name: flag(told.get(name)) for name in _BLOCKS} if told else UNKNOWN


def _ownership(request: JsonObject) -> Value | Unknown:
    rules = structures(mapping(request.get("OwnershipControls")).get("Rule"))
    return text(rules[0].get("ObjectOwnership")) if rules else UNKNOWN


# --- reads --------------------------------------------------------------------------------------------------------------------


def _read(key: SettingKey) -> Read:
    """One version is enough to tell that there is a bucket, and that it holds something."""
    return S3.read("ListObjectVersions", Bucket=key.resource, MaxKeys=1)


def _observe_all(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("Buckets")):
        if text(told.get("BucketRegion")) == scope.region:
            yield seen(scope, BUCKET, told.get("Name"), {})


def _observe_versions(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    bucket = read.parameters["Bucket"]
    holds = bool(answer.get("Versions") or answer.get("DeleteMarkers"))
    yield seen(scope, BUCKET, bucket, {}, handles={_HOLDS: "objects"} if holds else None)
    if holds:
        yield seen(scope, CONTENT, bucket, OBJECTS, "objects")


def _acl_told(answer: JsonObject) -> Value:
    grants = sorted(structures(answer.get("Grants")), key=lambda one: json.dumps(one, sort_keys=True, default=str))
    return {"Owner": {"ID": text(mapping(answer.get("Owner")).get("ID"))}, "Grants": [_grant(one) for one in grants]}


def _grant(told: JsonObject) -> dict[str, Any]:
    who = {name: value for name, value in mapping(told.get("Grantee")).items() if name in ("ID", "URI", "Type")}
    return {"Grantee": who, "Permission": told.get("Permission")}


def _blocks_told(answer: JsonObject) -> Value:
    told = mapping(answer.get("PublicAccessBlockConfiguration"))
    return {name: flag(told.get(name)) for name in _BLOCKS}


def _ownership_told(answer: JsonObject) -> Value:
    rules = structures(mapping(answer.get("OwnershipControls")).get("Rules"))
    return text(rules[0].get("ObjectOwnership")) if rules else None


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return Unrestorable(
            "a deleted bucket's objects are in no record, and its name may be another account's by now",
            "Make it again if the name is free, restore its objects from a replica or backup, and plan again for who may reach it.",
        )
    if live is not None and live.handles.get(_HOLDS):
        return Unrestorable(
            "the bucket holds objects, and a bucket is never emptied without a person's word",
            "Look at what it holds (its inventory is kept as evidence). To have it emptied and deleted, amend: ITEM empty.",
        )
    return S3.call("DeleteBucket", {"Bucket": key.resource})


def _change_content(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """Every version and delete marker, a page at a time; what a lock holds stays, and the read after it says so."""
    if wanted is not None:
        return Unrestorable("deleted objects are in no record", "Restore them from a replica or a backup.")
    pages = Lookup(S3.read("ListObjectVersions", Bucket=key.resource), _VERSIONS, each=True)
    needed = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:ListBucketVersions")
    return (Call("s3", "DeleteObjects", {"Bucket": key.resource}, needed, irreversible=_GOES, lookups={"Delete": pages}),)


@dataclass(frozen=True)
class _Posture:
    """One thing that says who may reach a bucket: how a read tells it, and the calls that set it and take it off."""

    name: str
    read: str
    told: Callable[[JsonObject], Value]
    parameters: Callable[[Value], dict[str, Any]]
    put: str
    delete: str = ""
    permission: str = ""

    def reading(self, key: SettingKey) -> Read:
        return S3.read(self.read, Bucket=key.resource)

    def observe(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        yield seen(scope, ACCESS, read.parameters["Bucket"], self.told(answer), self.name)

    def change(self, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        bucket, operation = {"Bucket": key.resource}, self.put if wanted is not None else self.delete
        if not operation:
            return always_there(self.name)
        asked = {**bucket, **(self.parameters(wanted) if wanted is not None else {})}
        return (Call("s3", operation, asked, (f"s3:{self.permission or operation}",)),)


_POSTURES = (
    _Posture(
        POLICY,
        "GetBucketPolicy",
        lambda answer: document(answer.get("Policy")),
        lambda value: {"Policy": json.dumps(value, separators=(",", ":"))},
        "PutBucketPolicy",
        "DeleteBucketPolicy",
    ),
    _Posture(
        PUBLIC_ACCESS,
        "GetPublicAccessBlock",
        _blocks_told,
        lambda value: {"PublicAccessBlockConfiguration": value},
        "PutPublicAccessBlock",
        "DeletePublicAccessBlock",
        "PutBucketPublicAccessBlock",
    ),
    _Posture(
        OWNERSHIP,
        "GetBucketOwnershipControls",
        _ownership_told,
        lambda value: {"OwnershipControls": {"Rules": [{"ObjectOwnership": value}]}},
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        "PutBucketOwnershipControls",
    ),
    _Posture(ACL, "GetBucketAcl", _acl_told, lambda value: {"AccessControlPolicy": value}, "PutBucketAcl"),
)


_BY_NAME = {posture.name: posture for posture in _POSTURES}
_DEFAULT = _BY_NAME[POLICY]


def _of(key: SettingKey) -> _Posture:
    return _BY_NAME.get(key.name, _DEFAULT)


def _lets_anybody_in(key: SettingKey, value: Value) -> bool:
    """A block that is off leaves open what else allows; a policy or list that names everybody is a way in itself."""
    return key.name in (POLICY, ACL) and _everyone(value)


BUCKETS: Family = family(
    Kind(BUCKET, 41, _read, _change, details=lambda key: tuple(posture.reading(key) for posture in _POSTURES)),
    Kind(
        ACCESS,
        8,
        lambda key: _of(key).reading(key),
        lambda key, live, wanted: _of(key).change(key, live, wanted),
        part_of=BUCKET,
        opens=_lets_anybody_in,
        place=lambda key, found, wanted: _ORDER.index(key.name),
    ),
    service=S3.source,
    readers={
        "CreateBucket": _create,
        "DeleteBucket": _delete,
        "PutBucketPolicy": _put(POLICY, _policy),
        "DeleteBucketPolicy": _put(POLICY, lambda request: None),
        "PutBucketPublicAccessBlock": _put(PUBLIC_ACCESS, _blocks),
        "DeleteBucketPublicAccessBlock": _put(PUBLIC_ACCESS, lambda request: None),
        "PutBucketOwnershipControls": _put(OWNERSHIP, _ownership),
        "DeleteBucketOwnershipControls": _put(OWNERSHIP, lambda request: None),
        # A canned list is told by its name, which AWS turns into grants.
        "PutBucketAcl": _put(ACL, lambda request: UNKNOWN),
    },
    observers={
        "ListBuckets": _observe_all,
        "ListObjectVersions": _observe_versions,
        **{posture.read: posture.observe for posture in _POSTURES},
    },
    # Asked with any parameter, AWS says of each bucket where it is.
    inventory=(S3.read("ListBuckets", MaxBuckets=1000),),
    absent_codes=(
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
    ),
    acts={
        BUCKET: Acts(removes=("s3:DeleteBucket",)),
        ACCESS: Acts(
            sets=("s3:PutBucketAcl", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy", "s3:PutBucketPublicAccessBlock"),
            removes=("s3:DeleteBucketPolicy", "s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock"),
        ),
    },
)

BUCKET_CONTENTS: Family = family(
    Kind(CONTENT, 40, _read, _change_content),
    service=S3.source,
    readers={},
    observers={"ListObjectVersions": _observe_versions},
    inventory=(),
    absent_codes=("NoSuchBucket",),
    acts={CONTENT: Acts(removes=("s3:DeleteObject", "s3:DeleteObjectVersion"))},
)

FAMILIES = (BUCKETS, BUCKET_CONTENTS)


def emptied(reversals: Iterable[Reversal], allowed: Callable[[SettingKey], bool]) -> Iterator[Reversal]:
    """For each bucket that the actor made and a responder lets be emptied, what it holds as something that must go."""
    for one in reversals:
        if one.key.kind == BUCKET and one.target is None and not one.relying and allowed(one.key):
            key = one.key._replace(kind=CONTENT, name="objects")
            yield replace(one, key=key, written=UNKNOWN, source=Source.RESPONDER, since=())


def to_be_emptied(reversals: Iterable[Reversal], live: Mapping[SettingKey, _Live]) -> dict[SettingKey, _Live]:
    """The live values as they will be for a deletion that follows an emptying: the bucket holds nothing."""
    empty = {one.key._replace(kind=BUCKET, name="") for one in reversals if one.key.kind == CONTENT}
    return {key: _as_if_empty(found) if key in empty else found for key, found in live.items()}


def _as_if_empty(found: _Live) -> _Live:
    if not isinstance(found, Observed):
        return found
    return replace(found, handles={name: value for name, value in found.handles.items() if name != _HOLDS})
