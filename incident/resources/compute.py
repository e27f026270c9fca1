"""Instances, volumes, snapshots, images and key pairs: their existence, as an actor makes them.

What is deleted here is gone for good, so every deletion rests on evidence taken before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from incident import shapes
from incident.family import Acts, Call, Change, Family, Lookup, Read, Scope, Unrestorable
from incident.network.values import structures, text
from incident.record import Record
from incident.settings import Known, Observed, SettingKey, Value, Write

INSTANCE = "instance"
VOLUME = "volume"
SNAPSHOT = "snapshot"
IMAGE = "image"
KEY_PAIR = "key-pair"
SPOT_REQUEST = "spot-request"
"""A kind of `incident.resources.spot`."""

USED_BY = "used by"
"""The handle of a live snapshot under which stand the images that use it and that the actor did not make."""

_GONE_FOR_GOOD = "its content cannot be made again; the evidence taken before is what remains"
_INSTANCE_STATES_GONE = frozenset({"terminated"})
_INSTANCE_STATES_MOVING = frozenset({"pending", "shutting-down", "stopping"})


def _items(container: object) -> list[Mapping[str, Any]]:
    """The members of one of CloudTrail's `{"items": [...]}` lists."""
    items = cast(Mapping[str, Any], container).get("items") if isinstance(container, Mapping) else None
    return [cast(Mapping[str, Any], item) for item in cast(list[object], items or []) if isinstance(item, Mapping)]


def _instance_value(raw: Mapping[str, Any], image: str, type_: str) -> dict[str, str]:
    return {"image": str(raw.get(image, "")), "type": str(raw.get(type_, ""))}


def _instance_writes(record: Record, known: Known) -> Iterable[Write]:
    for item in _items(record.response.get("instancesSet")):
        resource = str(item["instanceId"])
        key = SettingKey(record.account, record.region, INSTANCE, resource)
        if record.event_name == "RunInstances":
            yield Write(key, after=_instance_value(item, "imageId", "instanceType"), before=None)
            ordered = str(item.get("spotInstanceRequestId", ""))
            if ordered:
                # A persistent request launches another instance in the place of one that is ended.
                yield Write(SettingKey(record.account, record.region, SPOT_REQUEST, ordered), after={}, before=None)
        else:
            yield Write(key, after=None, before=known.value(key))


def _observe_instances(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for reservation in answer.get("Reservations", []):
        for instance in reservation["Instances"]:
            state = instance["State"]["Name"]
            if state in _INSTANCE_STATES_GONE:
                continue
            key = SettingKey(scope.account, scope.region, INSTANCE, instance["InstanceId"])
            value = _instance_value(instance, "ImageId", "InstanceType")
            yield Observed(key, value, settled=state not in _INSTANCE_STATES_MOVING)


def _by_id(kind: str, response_field: str, request_field: str) -> Callable[[Record, Known], Iterable[Write]]:
    """Writes of a create or delete call that names one resource by id."""

    def writes(record: Record, known: Known) -> Iterable[Write]:
        creating = record.event_name.startswith(("Create", "Register", "Import", "Copy"))
        resource = record.response.get(response_field) if creating else record.request.get(request_field)
        if not isinstance(resource, str) or not resource:
            raise ValueError(f"{record.event_name} names no {response_field if creating else request_field}")
        key = SettingKey(record.account, record.region, kind, resource)
        if creating:
            yield Write(key, after={}, before=None)
        else:
            yield Write(key, after=None, before=known.value(key))

    return writes


def _observe_list(kind: str, collection: str, id_field: str, gone: frozenset[str]) -> Callable[..., Iterable[Observed]]:
    def observe(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
        for item in answer.get(collection, []):
            if item.get("State") in gone:
                continue
            yield Observed(SettingKey(scope.account, scope.region, kind, item[id_field]), {})

    return observe


def _removal(kind: str, operation: str, parameter: str, listed: bool = False) -> Callable[..., Change]:
    """A change function for a resource that can be deleted but not made again."""

    def change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        if wanted is not None:
            return Unrestorable(f"a deleted {kind} cannot be made again", "Restore it from a backup, then close this by name.")
        if live is None:
            return ()
        parameters = {parameter: [key.resource] if listed else key.resource}
        return (Call("ec2", operation, parameters, (f"ec2:{operation}",), irreversible=_GONE_FOR_GOOD),)

    return change


def _termination(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """A termination; whoever switched the protection against it on, we or the actor, it is switched off first.

    See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html
    """
    ending = _removal(INSTANCE, "TerminateInstances", "InstanceIds", listed=True)(key, live, wanted)
    if isinstance(ending, Unrestorable) or not ending:
        return ending
    protection = Read("ec2", "DescribeInstanceAttribute", {"InstanceId": key.resource, "Attribute": "disableApiTermination"})
    protected = Lookup(protection, "[@][?DisableApiTermination.Value].InstanceId", each=True)
    off = {"DisableApiTermination": {"Value": False}}
    needed = ("ec2:ModifyInstanceAttribute",)
    return (Call("ec2", "ModifyInstanceAttribute", off, needed, lookups={"InstanceId": protected}), *ending)


INSTANCES = Family(
    kinds=(INSTANCE,),
    events=frozenset({"ec2:RunInstances", "ec2:TerminateInstances"}),
    writes=_instance_writes,
    inventory=(Read("ec2", "DescribeInstances"),),
    read=lambda key: Read("ec2", "DescribeInstances", {"InstanceIds": [key.resource]}),
    observe=_observe_instances,
    change=_termination,
    absent_codes=frozenset({"InvalidInstanceID.NotFound"}),
    rank={INSTANCE: 10},
    acts={
        INSTANCE: Acts(
            removes=(
                "ec2:ModifyInstanceAttribute",
                "ec2:TerminateInstances",
            )
        ),
    },
    looks=("ec2:DescribeInstanceAttribute",),
)

VOLUMES = Family(
    kinds=(VOLUME,),
    events=frozenset({"ec2:CreateVolume", "ec2:DeleteVolume"}),
    writes=_by_id(VOLUME, "volumeId", "volumeId"),
    inventory=(),
    read=lambda key: Read("ec2", "DescribeVolumes", {"VolumeIds": [key.resource]}),
    observe=_observe_list(VOLUME, "Volumes", "VolumeId", frozenset({"deleted", "deleting"})),
    change=_removal(VOLUME, "DeleteVolume", "VolumeId"),
    absent_codes=frozenset({"InvalidVolume.NotFound"}),
    rank={VOLUME: 20},
    acts={
        VOLUME: Acts(removes=("ec2:DeleteVolume",)),
    },
)

_one_snapshot = _by_id(SNAPSHOT, "snapshotId", "snapshotId")


def _snapshot_writes(record: Record, known: Known) -> Iterable[Write]:
    """CreateSnapshots answers with one snapshot for each volume of an instance.

    See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSnapshots.html
    """
    if record.event_name != "CreateSnapshots":
        yield from _one_snapshot(record, known)
        return
    made = structures(shapes.response(record).get("Snapshots"))
    if not made:
        raise ValueError("CreateSnapshots names no snapshot")
    for one in made:
        yield Write(SettingKey(record.account, record.region, SNAPSHOT, text(one["SnapshotId"])), after={}, before=None)


def _snapshot_removal(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    images = live.handles.get(USED_BY, "") if live else ""
    if images and wanted is None:
        reason = f"{images} uses it, an image that the actor did not make"
        return Unrestorable(reason, "Choose whether the image stays; once it is deregistered, plan again.", "conflict")
    return _removal(SNAPSHOT, "DeleteSnapshot", "SnapshotId")(key, live, wanted)


SNAPSHOTS = Family(
    kinds=(SNAPSHOT,),
    events=frozenset({"ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CopySnapshot", "ec2:DeleteSnapshot"}),
    writes=_snapshot_writes,
    inventory=(),
    read=lambda key: Read("ec2", "DescribeSnapshots", {"SnapshotIds": [key.resource]}),
    observe=_observe_list(SNAPSHOT, "Snapshots", "SnapshotId", frozenset()),
    change=_snapshot_removal,
    absent_codes=frozenset({"InvalidSnapshot.NotFound"}),
    rank={SNAPSHOT: 25},
    acts={SNAPSHOT: Acts(removes=("ec2:DeleteSnapshot",))},
)

_one_image = _by_id(IMAGE, "imageId", "imageId")


def _image_writes(record: Record, known: Known) -> Iterable[Write]:
    """An image may be made of an object in a bucket, too.

    See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRestoreImageTask.html
    """
    if record.event_name != "CreateRestoreImageTask":
        yield from _one_image(record, known)
        return
    made = text(shapes.response(record).get("ImageId"))
    if not made:
        raise ValueError("CreateRestoreImageTask names no image")
    yield Write(SettingKey(record.account, record.region, IMAGE, made), after={}, before=None)


IMAGES = Family(
    kinds=(IMAGE,),
    events=frozenset(
        {"ec2:CreateImage", "ec2:RegisterImage", "ec2:CopyImage", "ec2:CreateRestoreImageTask", "ec2:DeregisterImage"}
    ),
    writes=_image_writes,
    inventory=(),
    read=lambda key: Read("ec2", "DescribeImages", {"ImageIds": [key.resource]}),
    observe=_observe_list(IMAGE, "Images", "ImageId", frozenset({"deregistered"})),
    change=_removal(IMAGE, "DeregisterImage", "ImageId"),
    absent_codes=frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}),
    rank={IMAGE: 22},
    acts={IMAGE: Acts(removes=("ec2:DeregisterImage",))},
)

KEY_PAIRS = Family(
    kinds=(KEY_PAIR,),
    events=frozenset({"ec2:CreateKeyPair", "ec2:ImportKeyPair", "ec2:DeleteKeyPair"}),
    writes=_by_id(KEY_PAIR, "keyName", "keyName"),
    inventory=(),
    read=lambda key: Read("ec2", "DescribeKeyPairs", {"KeyNames": [key.resource]}),
    observe=_observe_list(KEY_PAIR, "KeyPairs", "KeyName", frozenset()),
    change=_removal(KEY_PAIR, "DeleteKeyPair", "KeyName"),
    absent_codes=frozenset({"InvalidKeyPair.NotFound"}),
    rank={KEY_PAIR: 30},
    acts={
        KEY_PAIR: Acts(removes=("ec2:DeleteKeyPair",)),
    },
)

FAMILIES = (INSTANCES, VOLUMES, SNAPSHOTS, IMAGES, KEY_PAIRS)
