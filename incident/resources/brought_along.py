"""What comes into being along with what an actor ordered: the snapshots of an image, and what an import makes.

No record of the actor's names these. CreateImage and CopyImage answer with the image alone; AWS writes the image into the
description of each snapshot that it makes for it, where it stays when the image is gone. RegisterImage makes no snapshot: those
that it names were there before. An import answers with a task, which tells what it made.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/deregister-ami.html
https://docs.aws.amazon.com/vm-import/latest/userguide/vmimport-image-import.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, call, family, listing, seen
from incident.network.values import mapping, structures, text
from incident.record import JsonObject
from incident.resources.compute import IMAGE, SNAPSHOT, USED_BY
from incident.resources.spot import ORDERS
from incident.settings import UNKNOWN, Observed, Reversal, SettingKey, Source, Value, Write

IMAGE_IMPORT, SNAPSHOT_IMPORT = "image-import", "snapshot-import"
IMPORTS = frozenset({IMAGE_IMPORT, SNAPSHOT_IMPORT})
BRINGS_ALONG = ORDERS | IMPORTS | {IMAGE}
"""The kinds of what makes more than its record says."""

_TASK = "ImportTaskId"
_ENDED = frozenset({"completed", "deleted", "deleting"})
_Live = TypeVar("_Live")


# --- what comes along ---------------------------------------------------------------------------------------------------------


def reads_along(order: SettingKey) -> tuple[Read, ...]:
    """The reads that show what an image or an import has brought along."""
    name = order.resource
    if order.kind == IMAGE:
        return (_described(f"Created by CreateImage(*) for {name}*", f"Copied for DestinationAmi {name} *"),)
    if order.kind == IMAGE_IMPORT:
        return (_read(order), _described(f"Created by AWS-VMImport service for {name}*"))
    return (_read(order),)


def _described(*descriptions: str) -> Read:
    return listing("DescribeSnapshots", OwnerIds=["self"], Filters=[{"Name": "description", "Values": list(descriptions)}])


def along(order: Reversal, answer: JsonObject) -> Iterator[Reversal]:
    """What the answer to such a read shows, as what the actor made with it."""
    for kind, resource in _shown_along(answer):
        key = order.key._replace(kind=kind, resource=resource)
        made_by = order.key if order.key.kind == IMAGE else None
        yield replace(order, key=key, target=None, source=Source.RECORD, written=UNKNOWN, since=(), relying=(), made_by=made_by)


def _shown_along(answer: JsonObject) -> Iterator[tuple[str, str]]:
    snapshots = [text(one.get("SnapshotId")) for one in structures(answer.get("Snapshots"))]
    for task in structures(answer.get("ImportImageTasks")):
        if text(task.get("ImageId")):
            yield IMAGE, text(task["ImageId"])
        snapshots += [text(one.get("SnapshotId")) for one in structures(task.get("SnapshotDetails"))]
    for task in structures(answer.get("ImportSnapshotTasks")):
        snapshots.append(text(mapping(task.get("SnapshotTaskDetail")).get("SnapshotId")))
    yield from ((SNAPSHOT, snapshot) for snapshot in dict.fromkeys(snapshots) if snapshot)


# --- who uses a snapshot ------------------------------------------------------------------------------------------------------


def images_of(snapshots: Iterable[SettingKey]) -> Read:
    """The read that shows which of our images use any of the snapshots, all of one region.

    See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html
    """
    filters = [{"Name": "block-device-mapping.snapshot-id", "Values": [one.resource for one in snapshots]}]
    return listing("DescribeImages", Owners=["self"], Filters=filters)


def going(reversals: Iterable[Reversal]) -> frozenset[str]:
    """The images that go, as the actor made them and nobody relies on them."""
    return frozenset(one.key.resource for one in reversals if one.key.kind == IMAGE and one.target is None and not one.relying)


def users_in(snapshots: Iterable[SettingKey], answers: Iterable[JsonObject], gone: frozenset[str]) -> dict[SettingKey, set[str]]:
    """For each snapshot the images that use it, less those that go."""
    by_id = {one.resource: one for one in snapshots}
    found: dict[SettingKey, set[str]] = {}
    for image in (image for answer in answers for image in structures(answer.get("Images"))):
        for device in structures(image.get("BlockDeviceMappings")):
            snapshot = by_id.get(text(mapping(device.get("Ebs")).get("SnapshotId")))
            if snapshot is not None and text(image.get("ImageId")) not in gone:
                found.setdefault(snapshot, set()).add(text(image.get("ImageId")))
    return found


def with_users(live: Mapping[SettingKey, _Live], users: Mapping[SettingKey, Iterable[str]]) -> dict[SettingKey, _Live]:
    """The live values, with the images that use a snapshot though the actor did not make them."""
    return {key: _used(found, sorted(users.get(key, ()))) for key, found in live.items()}


def _used(found: _Live, images: list[str]) -> _Live:
    if not images or not isinstance(found, Observed):
        return found
    return replace(found, handles={**found.handles, USED_BY: ", ".join(images)})


# --- imports ------------------------------------------------------------------------------------------------------------------


def _read(key: SettingKey) -> Read:
    operation = "DescribeImportImageTasks" if key.kind == IMAGE_IMPORT else "DescribeImportSnapshotTasks"
    return listing(operation, ImportTaskIds=[key.resource])


def _ordered(event: Event) -> Iterator[Write]:
    kind = IMAGE_IMPORT if event.operation == "ImportImage" else SNAPSHOT_IMPORT
    yield Write(event.key(kind, event.answered(_TASK)), {}, before=None)


def _cancelled(event: Event) -> Iterator[Write]:
    task = event.requested(_TASK)
    kind = SNAPSHOT_IMPORT if task.startswith("import-snap-") else IMAGE_IMPORT
    yield Write(event.key(kind, task), None, before={})


def _observe_images(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for task in structures(answer.get("ImportImageTasks")):
        yield seen(scope, IMAGE_IMPORT, task.get(_TASK), None if text(task.get("Status")) in _ENDED else {})


def _observe_snapshots(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for task in structures(answer.get("ImportSnapshotTasks")):
        state = text(mapping(task.get("SnapshotTaskDetail")).get("Status"))
        yield seen(scope, SNAPSHOT_IMPORT, task.get(_TASK), None if state in _ENDED else {})


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return Unrestorable("a cancelled import cannot be taken up again", "Import it anew from where its file is kept.")
    return call("CancelImportTask", {_TASK: key.resource}, irreversible="an import cannot be taken up again")


# An import is cancelled before what it has made goes, for it would make the rest.
IMPORT_TASKS = family(
    Kind(IMAGE_IMPORT, 4, _read, _change, acts=Acts(removes=("ec2:CancelImportTask",))),
    Kind(SNAPSHOT_IMPORT, 4, _read, _change, acts=Acts(removes=("ec2:CancelImportTask",))),
    readers={"ImportImage": _ordered, "ImportSnapshot": _ordered, "CancelImportTask": _cancelled},
    observers={"DescribeImportImageTasks": _observe_images, "DescribeImportSnapshotTasks": _observe_snapshots},
    inventory=(),
    absent_codes=("InvalidConversionTaskId", "InvalidConversionTaskId.Malformed"),
)
