"""Block devices of an instance: the volume at each, and whether the volume goes with the instance.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/preserving-volumes-on-termination.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Kind, call, family, listing, seen
from incident.network.values import flag, mapping, structures, text
from incident.record import JsonObject
from incident.resources.compute import INSTANCE
from incident.settings import Observed, SettingKey, Value

BLOCK_DEVICE = "block-device"


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for reservation in structures(answer.get("Reservations")):
        for instance in structures(reservation.get("Instances")):
            for device in structures(instance.get("BlockDeviceMappings")):
                volume = mapping(device.get("Ebs"))
                value = {"VolumeId": text(volume.get("VolumeId")), "DeleteOnTermination": flag(volume.get("DeleteOnTermination"))}
                yield seen(scope, BLOCK_DEVICE, instance.get("InstanceId"), value, text(device.get("DeviceName")))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None or live.value["VolumeId"] != wanted["VolumeId"]:
        return Unrestorable("another volume is at the device", f"Compare the volumes of {key.resource} and attach by hand.")
    device = {"DeviceName": key.name, "Ebs": {"DeleteOnTermination": wanted["DeleteOnTermination"]}}
    return call("ModifyInstanceAttribute", {"InstanceId": key.resource, "BlockDeviceMappings": [device]})


BLOCK_DEVICES = family(
    Kind(
        BLOCK_DEVICE,
        9,
        lambda key: listing("DescribeInstances", InstanceIds=[key.resource]),
        _change,
        part_of=INSTANCE,
    ),
    readers={},
    observers={"DescribeInstances": _observe},
    inventory=(),
    absent_codes=("InvalidInstanceID.NotFound",),
    acts={
        BLOCK_DEVICE: Acts(sets=("ec2:ModifyInstanceAttribute",)),
    },
)
