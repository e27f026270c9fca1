"""Groups of users: their existence and their policies; who is in one is a setting of the user.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateGroup.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, family, immutable
from incident.network.values import mapping
from incident.record import JsonObject
from incident.resources.iam import (
    EVERYTHING,
    IAM,
    NO_SUCH,
    Policies,
    deleted,
    holders,
    key,
    path,
    shown,
    taking_away,
)
from incident.settings import Observed, SettingKey, Value, Write

_POLICIES = Policies("Group")
GROUP = _POLICIES.kind
GROUP_POLICY, ATTACHED_GROUP_POLICY = _POLICIES.inline, _POLICIES.attached


def _create(event: Event) -> Iterator[Write]:
    described = {**event.request, **mapping(event.response.get("Group"))}
    yield Write(key(event, GROUP, event.requested("GroupName")), path(described), before=None)


def _delete(event: Event) -> Iterator[Write]:
    group = key(event, GROUP, event.requested("GroupName"))
    yield from deleted(event, group, {}, _POLICIES.inline, _POLICIES.attached)


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    group = mapping(answer.get("Group"))
    if group:
        yield shown(scope, GROUP, group.get("GroupName"), path(group))


def _observe_details(scope: Scope, read: Read, group: JsonObject) -> Iterator[Observed]:
    yield shown(scope, GROUP, group.get("GroupName"), path(group))
    yield from _POLICIES.details(scope, group)


def _read(setting: SettingKey) -> Read:
    return IAM.read("GetGroup", GroupName=setting.resource)


def _change(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    group = {"GroupName": setting.resource}
    if wanted is None:
        return (
            taking_away("RemoveUserFromGroup", group, "UserName", _read(setting), "Users[].UserName"),
            *_POLICIES.taken_away(setting.resource),
            *IAM.call("DeleteGroup", group, loses="the group's id"),
        )
    if live is None:
        return IAM.call("CreateGroup", {**group, **wanted}, loses="the group's id", creates="Group.GroupName")
    return immutable(f"group {setting.resource}")


GROUPS = family(
    Kind(GROUP, 52, _read, _change),
    *_POLICIES.kinds(),
    service=IAM.source,
    readers={"CreateGroup": _create, "DeleteGroup": _delete, **_POLICIES.readers()},
    observers={"GetGroup": _observe, EVERYTHING: holders("GroupDetailList", _observe_details), **_POLICIES.observers()},
    inventory=(IAM.read(EVERYTHING, Filter=["Group"]),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        GROUP: Acts(
            sets=("iam:CreateGroup",),
            removes=(
                "iam:DeleteGroup",
                "iam:DeleteGroupPolicy",
                "iam:DetachGroupPolicy",
                "iam:GetGroup",
                "iam:ListAttachedGroupPolicies",
                "iam:ListGroupPolicies",
                "iam:RemoveUserFromGroup",
            ),
        ),
        "attached-group-policy": Acts(sets=("iam:AttachGroupPolicy",), removes=("iam:DetachGroupPolicy",)),
        "group-policy": Acts(sets=("iam:PutGroupPolicy",), removes=("iam:DeleteGroupPolicy",)),
    },
    looks=("iam:ListGroupPolicies",),
)
