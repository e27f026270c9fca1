"""S3 buckets: their existence, their objects, who may reach them (`bucket_access`), and how they are set up (`bucket_setup`).

A bucket that the actor made is deleted when it is empty. One that holds objects is left to people: whose data they are is in no
management record. Only an amendment of a responder's allows that it is emptied, by a step of its own that is asked about.

In us-east-1 making a bucket that one has already succeeds and changes nothing, so that a record from there proves nothing.
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from incident.family import Acts, Call, Change, Family, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, family, seen
from incident.network.values import flag, mapping, structures, text
from incident.record import JsonObject
from incident.resources import bucket_access as access
from incident.resources import bucket_setup as setup
from incident.resources.bucket_part import S3, Part, acts_of, named, observers_of, readers_of
from incident.settings import UNKNOWN, Observed, Reversal, SettingKey, Source, Value, Write

_Live = TypeVar("_Live")

BUCKET = "bucket"
CONTENT = "bucket-content"

OBJECTS = {"Holds": "objects"}
"""The value of what a bucket holds, as long as it holds any version or delete marker."""
_HOLDS = "Holds"
_LENIENT_REGION = "us-east-1"
_OLD_NAMES = {"EU": "eu-west-1", "": _LENIENT_REGION}
_GOES = "what the bucket held is gone for good; the inventory taken before says what that was"
_VERSIONS = "[{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}] | [?length(Objects) > `0`]"


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    """Made where its constraint says, whatever endpoint was called."""
    request = event.record.request
    asked = mapping(request.get("CreateBucketConfiguration"))
    where = text(asked.get("LocationConstraint") or asked.get("locationConstraint"))
    region = _OLD_NAMES.get(where, where) if asked else event.record.region
    key = event.key(BUCKET, named(event))._replace(region=region)
    proved = region != _LENIENT_REGION or event.value(key) is None
    yield Write(key, {}, before=None if region != _LENIENT_REGION else UNKNOWN)
    if proved:
        for kind, name, value in _at_first(request):
            yield Write(key._replace(kind=kind, name=name), value, before=None)


def _at_first(request: JsonObject) -> Iterator[tuple[str, str, Value]]:
    """What a bucket has from its first moment, save what no record tells: its owner's id, and how it encrypts."""
    own = {
        access.PUBLIC_ACCESS: access.ALL_BLOCKED,
        access.OWNERSHIP: text(request.get("x-amz-object-ownership")) or access.OWNERS_ALONE,
        setup.VERSIONING: {"Status": "Enabled"} if flag(request.get("x-amz-bucket-object-lock-enabled")) else None,
    }
    for part in _PARTS:
        if part.name not in (access.ACL, setup.ENCRYPTION):
            yield part.kind, part.name, own.get(part.name)


def _tagged(event: Event) -> Iterator[Write]:
    """Tags set one by one, of a bucket or of something else of S3's; what the bucket's are then is not told."""
    arn = text(event.record.request.get("resourceArn"))
    name = arn.rpartition(":::")[2]
    if name and "/" not in name:
        yield Write(event.key(setup.SETUP, name, setup.TAGS), UNKNOWN)


def _delete(event: Event) -> Iterator[Write]:
    yield from event.deleted(BUCKET, named(event), access.ACCESS, setup.SETUP)


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


_PARTS = (*access.PARTS, *setup.PARTS)
_BY_NAME = {(part.kind, part.name): part for part in _PARTS}
_FIRST = {kind: next(part for part in _PARTS if part.kind == kind) for kind in (access.ACCESS, setup.SETUP)}


def _of(key: SettingKey) -> Part:
    """The part that a setting is; of one that has no name yet, any of its kind."""
    return _BY_NAME.get((key.kind, key.name), _FIRST[key.kind])


def _place(key: SettingKey, found: Value, wanted: Value) -> int:
    return _of(key).place(wanted)


def _part(kind: str, rank: int, **more: Any) -> Kind:
    return Kind(
        kind,
        rank,
        lambda key: _of(key).reading(key),
        lambda key, live, wanted: _of(key).change(key, live, wanted),
        part_of=BUCKET,
        harm=lambda key, found, wanted: _of(key).harm(key, found, wanted),
        acts=acts_of(part for part in _PARTS if part.kind == kind),
        **more,
    )


BUCKETS: Family = family(
    Kind(
        BUCKET,
        41,
        _read,
        _change,
        details=lambda key: tuple(part.reading(key) for part in _PARTS),
        acts=Acts(removes=("s3:DeleteBucket",)),
    ),
    _part(access.ACCESS, 8, opens=access.lets_anybody_in, place=access.place),
    _part(setup.SETUP, 9, place=_place),
    service=S3.source,
    readers={
        "CreateBucket": _create,
        "DeleteBucket": _delete,
        "TagResource": _tagged,
        "UntagResource": _tagged,
        **readers_of(_PARTS),
    },
    observers={"ListBuckets": _observe_all, "ListObjectVersions": _observe_versions, **observers_of(_PARTS)},
    # Asked with any parameter, AWS says of each bucket where it is.
    inventory=(S3.read("ListBuckets", MaxBuckets=1000),),
    absent_codes=("NoSuchBucket", *(part.absent for part in _PARTS if part.absent)),
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
