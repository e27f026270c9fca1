"""Snapshots taken as evidence: a setting of the instance, so that taking them twice takes them once.

What happens to them after, each a setting of a snapshot: a copy under the evidence account's key, for what the default AWS key
encrypts cannot be shared; that it is shared; and a lock, in governance mode, for a lock in compliance mode cannot be undone.

See https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html and
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshot-lock.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incident.family import Acts, Call, Change, Family, Read, Scope
from incident.record import Record
from incident.settings import Known, Observed, SettingKey, Value, Write

EVIDENCE_SNAPSHOTS = "evidence-snapshots"
INCIDENT_TAG = "countermand:incident"
INSTANCE_TAG = "countermand:instance"
COMPLETED = "completed"


def key_for(account: str, region: str, instance: str, incident: str) -> SettingKey:
    return SettingKey(account, region, EVIDENCE_SNAPSHOTS, instance, incident)


def _no_writes(record: Record, known: Known) -> Iterable[Write]:
    return ()


def _read(key: SettingKey) -> Read:
    filters = [
        {"Name": f"tag:{INCIDENT_TAG}", "Values": [key.name]},
        {"Name": f"tag:{INSTANCE_TAG}", "Values": [key.resource]},
    ]
    return Read("ec2", "DescribeSnapshots", {"Filters": filters, "OwnerIds": ["self"]})


def _tag(snapshot: Mapping[str, Any], name: str) -> str:
    return next((str(tag["Value"]) for tag in snapshot.get("Tags", []) if tag["Key"] == name), "")


def _observe(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    taken: dict[SettingKey, dict[str, tuple[str, str]]] = {}
    for snapshot in sorted(answer.get("Snapshots", []), key=_worth):
        key = key_for(scope.account, scope.region, _tag(snapshot, INSTANCE_TAG), _tag(snapshot, INCIDENT_TAG))
        taken.setdefault(key, {})[snapshot["VolumeId"]] = (snapshot["State"], snapshot["SnapshotId"])
    for key, states in taken.items():
        value = {volume: state for volume, (state, _) in states.items()}
        handles = {volume: snapshot for volume, (_, snapshot) in states.items()}
        yield Observed(key, value, handles, settled=all(state != "pending" for state in value.values()))


def _worth(snapshot: Mapping[str, Any]) -> tuple[int, str]:
    """Where there are several of a volume, because one failed and was taken again, the one that counts comes last."""
    rank = {COMPLETED: 2, "pending": 1}.get(snapshot["State"], 0)
    return rank, str(snapshot.get("StartTime", ""))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is not None or not wanted:
        return ()
    tags = [{"Key": INCIDENT_TAG, "Value": key.name}, {"Key": INSTANCE_TAG, "Value": key.resource}]
    parameters = {
        "InstanceSpecification": {"InstanceId": key.resource, "ExcludeBootVolume": False},
        "Description": f"Evidence of {key.name}, instance {key.resource}",
        "TagSpecifications": [{"ResourceType": "snapshot", "Tags": tags}],
    }
    return (Call("ec2", "CreateSnapshots", parameters, ("ec2:CreateSnapshots", "ec2:CreateTags")),)


SNAPSHOTS_OF_INSTANCES = Family(
    kinds=(EVIDENCE_SNAPSHOTS,),
    events=frozenset(),
    writes=_no_writes,
    inventory=(),
    read=_read,
    observe=_observe,
    change=_change,
    acts={
        EVIDENCE_SNAPSHOTS: Acts(
            sets=(
                "ec2:CreateSnapshots",
                "ec2:CreateTags",
            )
        ),
    },
)


# --- a copy under another key -------------------------------------------------------------------------------------------------

EVIDENCE_COPY = "evidence-copy"
COPY_TAG = "countermand:copy-of"
KEY_TAG = "countermand:key"


def _read_copy(key: SettingKey) -> Read:
    filters = [
        {"Name": f"tag:{INCIDENT_TAG}", "Values": [key.name]},
        {"Name": f"tag:{COPY_TAG}", "Values": [key.resource]},
    ]
    return Read("ec2", "DescribeSnapshots", {"Filters": filters, "OwnerIds": ["self"]})


def _observe_copy(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    copies = {_tag(one, COPY_TAG): one for one in sorted(answer.get("Snapshots", []), key=_worth)}
    for snapshot in copies.values():
        key = SettingKey(scope.account, scope.region, EVIDENCE_COPY, _tag(snapshot, COPY_TAG), _tag(snapshot, INCIDENT_TAG))
        value = {"state": snapshot["State"], "key": _tag(snapshot, KEY_TAG)}
        yield Observed(key, value, {"copy": snapshot["SnapshotId"]}, settled=snapshot["State"] != "pending")


def _change_copy(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is not None or not wanted:
        return ()
    tags = {INCIDENT_TAG: key.name, COPY_TAG: key.resource, KEY_TAG: wanted["key"]}
    parameters = {
        "SourceSnapshotId": key.resource,
        "SourceRegion": key.region,
        "Encrypted": True,
        "KmsKeyId": wanted["key"],
        "Description": f"Evidence of {key.name}, copy of {key.resource}",
        "TagSpecifications": [
            {"ResourceType": "snapshot", "Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}
        ],
    }
    return (Call("ec2", "CopySnapshot", parameters, ("ec2:CopySnapshot", "ec2:CreateTags")),)


COPIES_OF_SNAPSHOTS = Family(
    kinds=(EVIDENCE_COPY,),
    events=frozenset(),
    writes=_no_writes,
    inventory=(),
    read=_read_copy,
    observe=_observe_copy,
    change=_change_copy,
    acts={EVIDENCE_COPY: Acts(sets=("ec2:CopySnapshot", "ec2:CreateTags"))},
)


# --- shared with the evidence account -----------------------------------------------------------------------------------------

EVIDENCE_SHARE = "evidence-share"
_PERMISSION = "createVolumePermission"


def _observe_share(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for one in answer.get("CreateVolumePermissions", []):
        if "UserId" in one:
            yield Observed(SettingKey(scope.account, scope.region, EVIDENCE_SHARE, answer["SnapshotId"], one["UserId"]), True)


def _change_share(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if (live is not None) == bool(wanted):
        return ()
    operation = "add" if wanted else "remove"
    parameters = {"SnapshotId": key.resource, "Attribute": _PERMISSION, "OperationType": operation, "UserIds": [key.name]}
    return (Call("ec2", "ModifySnapshotAttribute", parameters, ("ec2:ModifySnapshotAttribute",)),)


SHARED_SNAPSHOTS = Family(
    kinds=(EVIDENCE_SHARE,),
    events=frozenset(),
    writes=_no_writes,
    inventory=(),
    read=lambda key: Read("ec2", "DescribeSnapshotAttribute", {"SnapshotId": key.resource, "Attribute": _PERMISSION}),
    observe=_observe_share,
    change=_change_share,
    acts={EVIDENCE_SHARE: Acts(sets=("ec2:ModifySnapshotAttribute",), removes=("ec2:ModifySnapshotAttribute",))},
)


# --- locked -------------------------------------------------------------------------------------------------------------------

EVIDENCE_LOCK = "evidence-lock"
GOVERNANCE = "governance"


def _observe_lock(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for one in answer.get("Snapshots", []):
        value = {"mode": one["LockState"], "days": one["LockDuration"]}
        yield Observed(SettingKey(scope.account, scope.region, EVIDENCE_LOCK, one["SnapshotId"]), value)


def _change_lock(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is not None or not wanted:
        return ()
    parameters = {"SnapshotId": key.resource, "LockMode": wanted["mode"], "LockDuration": wanted["days"]}
    return (Call("ec2", "LockSnapshot", parameters, ("ec2:LockSnapshot",)),)


LOCKED_SNAPSHOTS = Family(
    kinds=(EVIDENCE_LOCK,),
    events=frozenset(),
    writes=_no_writes,
    inventory=(),
    read=lambda key: Read("ec2", "DescribeLockedSnapshots", {"SnapshotIds": [key.resource]}),
    observe=_observe_lock,
    change=_change_lock,
    acts={EVIDENCE_LOCK: Acts(sets=("ec2:LockSnapshot",))},
)

FAMILIES = (SNAPSHOTS_OF_INSTANCES, COPIES_OF_SNAPSHOTS, SHARED_SNAPSHOTS, LOCKED_SNAPSHOTS)
