"""Instance profiles: their existence, the role in each, and the instances that have one.

An instance profile is global, its association with an instance is in the instance's region.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope
from incident.network import kinds
from incident.network.kinds import Event, Kind, family, filtered, immutable, seen
from incident.network.values import mapping, structures, text
from incident.record import JsonObject
from incident.resources.compute import INSTANCE
from incident.resources.iam import IAM, NO_SUCH, deleted, key, path, shown, taking_away
from incident.settings import UNKNOWN, Observed, SettingKey, Value, Write

PROFILE = "instance-profile"
PROFILE_ROLE = "instance-profile-role"
ASSOCIATION = "instance-profile-association"

_LOSES = "the profile's id and tags"
_GONE = frozenset({"disassociating", "disassociated"})


# --- profiles -----------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = {**event.request, **mapping(event.response.get("InstanceProfile"))}
    yield Write(key(event, PROFILE, event.requested("InstanceProfileName")), path(described), before=None)


def _delete(event: Event) -> Iterator[Write]:
    yield from deleted(event, key(event, PROFILE, event.requested("InstanceProfileName")), {}, PROFILE_ROLE)


def _add_role(event: Event) -> Iterator[Write]:
    """A profile takes one role only, so that the one that was added was not there."""
    yield Write(key(event, PROFILE_ROLE, event.requested("InstanceProfileName"), event.requested("RoleName")), {}, before=None)


def _remove_role(event: Event) -> Iterator[Write]:
    yield Write(key(event, PROFILE_ROLE, event.requested("InstanceProfileName"), event.requested("RoleName")), None, before={})


def _shown(scope: Scope, profile: JsonObject) -> Iterator[Observed]:
    name = profile.get("InstanceProfileName")
    yield shown(scope, PROFILE, name, path(profile))
    for role in structures(profile.get("Roles")):
        yield shown(scope, PROFILE_ROLE, name, {}, text(role.get("RoleName")))


def _observe_one(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("InstanceProfile"):
        yield from _shown(scope, mapping(answer.get("InstanceProfile")))


def _observe_all(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for profile in structures(answer.get("InstanceProfiles")):
        yield from _shown(scope, profile)


def _read(setting: SettingKey) -> Read:
    return IAM.read("GetInstanceProfile", InstanceProfileName=setting.resource)


def _change(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    profile = {"InstanceProfileName": setting.resource}
    if wanted is None:
        return (
            taking_away("RemoveRoleFromInstanceProfile", profile, "RoleName", _read(setting), "InstanceProfile.Roles[].RoleName"),
            *IAM.call("DeleteInstanceProfile", profile, loses=_LOSES),
        )
    if live is None:
        creates = "InstanceProfile.InstanceProfileName"
        return IAM.call("CreateInstanceProfile", {**profile, **wanted}, loses=_LOSES, creates=creates)
    return immutable(f"instance profile {setting.resource}")


def _change_role(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    named = {"InstanceProfileName": setting.resource, "RoleName": setting.name}
    if wanted is None:
        return IAM.call("RemoveRoleFromInstanceProfile", named)
    return IAM.call("AddRoleToInstanceProfile", named, permissions=("iam:PassRole",))


INSTANCE_PROFILES = family(
    Kind(PROFILE, 44, _read, _change),
    Kind(PROFILE_ROLE, 42, _read, _change_role, part_of=PROFILE),
    service=IAM.source,
    readers={
        "CreateInstanceProfile": _create,
        "DeleteInstanceProfile": _delete,
        "AddRoleToInstanceProfile": _add_role,
        "RemoveRoleFromInstanceProfile": _remove_role,
    },
    observers={"GetInstanceProfile": _observe_one, "ListInstanceProfiles": _observe_all},
    inventory=(IAM.read("ListInstanceProfiles"),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        PROFILE: Acts(
            sets=("iam:CreateInstanceProfile",),
            removes=(
                "iam:DeleteInstanceProfile",
                "iam:GetInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
            ),
        ),
        PROFILE_ROLE: Acts(
            sets=(
                "iam:AddRoleToInstanceProfile",
                "iam:PassRole",
            ),
            removes=("iam:RemoveRoleFromInstanceProfile",),
        ),
    },
)


# --- the instances that have one ----------------------------------------------------------------------------------------------


def _told(event: Event) -> JsonObject:
    return mapping(event.response.get("IamInstanceProfileAssociation"))


def _value(told: JsonObject) -> dict[str, str]:
    return {"Arn": text(mapping(told.get("IamInstanceProfile")).get("Arn"))}


def _handles(told: JsonObject) -> dict[str, str]:
    return {"AssociationId": text(told.get("AssociationId"))}


def _of_instance(event: Event) -> SettingKey:
    return event.key(ASSOCIATION, text(_told(event).get("InstanceId")), "profile")


def _associate(event: Event) -> Iterator[Write]:
    """An instance that has a profile is refused another one."""
    yield Write(_of_instance(event), _value(_told(event)), before=None, handles=_handles(_told(event)))


def _replace(event: Event) -> Iterator[Write]:
    yield Write(_of_instance(event), _value(_told(event)), handles=_handles(_told(event)))


def _disassociate(event: Event) -> Iterator[Write]:
    """The answer tells which profile it was."""
    told = _value(_told(event))
    yield Write(_of_instance(event), None, before=told if told["Arn"] else UNKNOWN)


def _observe_association(scope: Scope, described: JsonObject) -> Iterator[Observed]:
    state = text(described.get("State"))
    if state not in _GONE:
        value, handles = _value(described), _handles(described)
        settled = state == "associated"
        yield seen(scope, ASSOCIATION, described.get("InstanceId"), value, "profile", handles, settled=settled)


def _change_association(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    held = {"AssociationId": live.handles.get("AssociationId", "")} if live else {}
    if wanted is None:
        return kinds.call("DisassociateIamInstanceProfile", held)
    operation = "ReplaceIamInstanceProfileAssociation" if live else "AssociateIamInstanceProfile"
    named = held or {"InstanceId": setting.resource}
    return kinds.call(operation, {**named, "IamInstanceProfile": wanted}, permissions=("iam:PassRole",))


ASSOCIATIONS = family(
    Kind(
        ASSOCIATION,
        12,
        lambda setting: filtered("DescribeIamInstanceProfileAssociations", "instance-id", setting.resource),
        _change_association,
        part_of=INSTANCE,
    ),
    readers={
        "AssociateIamInstanceProfile": _associate,
        "ReplaceIamInstanceProfileAssociation": _replace,
        "DisassociateIamInstanceProfile": _disassociate,
    },
    observers={"DescribeIamInstanceProfileAssociations": kinds.observer("IamInstanceProfileAssociations", _observe_association)},
    inventory=("DescribeIamInstanceProfileAssociations",),
    acts={
        ASSOCIATION: Acts(
            sets=(
                "ec2:AssociateIamInstanceProfile",
                "ec2:ReplaceIamInstanceProfileAssociation",
                "iam:PassRole",
            ),
            removes=("ec2:DisassociateIamInstanceProfile",),
        ),
    },
)
