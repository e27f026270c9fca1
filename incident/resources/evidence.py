"""Snapshots taken as evidence: a setting of the instance, so that taking them twice takes them once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from incident.family import Call, Change, Family, Read, Scope
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
    for snapshot in answer.get("Snapshots", []):
        key = key_for(scope.account, scope.region, _tag(snapshot, INSTANCE_TAG), _tag(snapshot, INCIDENT_TAG))
        taken.setdefault(key, {})[snapshot["VolumeId"]] = (snapshot["State"], snapshot["SnapshotId"])
    for key, states in taken.items():
        value = {volume: state for volume, (state, _) in states.items()}
        handles = {volume: snapshot for volume, (_, snapshot) in states.items()}
        yield Observed(key, value, handles, settled=all(state != "pending" for state in value.values()))


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
)

FAMILIES = (SNAPSHOTS_OF_INSTANCES,)
