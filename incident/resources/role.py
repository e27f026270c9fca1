"""Roles: their existence, whom they trust, and their policies.

Whom a role trusts is a setting of its own, and also a part of what makes the role again.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, always_there, family, immutable
from incident.network.values import mapping, text
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
    policy,
    shown,
    taking_away,
)
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

_POLICIES = Policies("Role")
ROLE = _POLICIES.kind
ROLE_POLICY, ATTACHED_ROLE_POLICY, ROLE_BOUNDARY = _POLICIES.inline, _POLICIES.attached, _POLICIES.boundary
TRUST = "role-trust"

_TRUSTED = "AssumeRolePolicyDocument"
_GOES = "the role's id: sessions and policies that name it do not know the one that is made again"
_LOSES = "the role's id, description, session length and tags: what named it by its id must be pointed to the new one"


def _value(told: JsonObject) -> dict[str, str]:
    """A role as the parameters that make it again."""
    return {**path(told), _TRUSTED: policy(told.get(_TRUSTED))}


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    role = key(event, ROLE, event.requested("RoleName"))
    value = _value({**event.request, **mapping(event.response.get("Role"))})
    yield Write(role, value, before=None)
    yield Write(_trust_of(role), value[_TRUSTED], before=None)
    yield from _POLICIES.created_with(event)


def _delete(event: Event) -> Iterator[Write]:
    role = key(event, ROLE, event.requested("RoleName"))
    yield from deleted(event, role, UNKNOWN, TRUST, ROLE_POLICY, ATTACHED_ROLE_POLICY, ROLE_BOUNDARY)


def _update_trust(event: Event) -> Iterator[Write]:
    role, trusted = key(event, ROLE, event.requested("RoleName")), policy(event.request.get("PolicyDocument"))
    yield Write(_trust_of(role), trusted)
    known = event.value(role)
    if known is not None and not isinstance(known, Unknown):
        yield Write(role, {**known, _TRUSTED: trusted})


def _trust_of(role: SettingKey) -> SettingKey:
    return role._replace(kind=TRUST, name="trust")


# --- reads --------------------------------------------------------------------------------------------------------------------


def _shown(scope: Scope, role: JsonObject) -> Iterator[Observed]:
    value = _value(role)
    yield shown(scope, ROLE, role.get("RoleName"), value)
    yield shown(scope, TRUST, role.get("RoleName"), value[_TRUSTED], "trust")
    yield from _POLICIES.shown_boundary(scope, role)


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("Role"):
        yield from _shown(scope, mapping(answer.get("Role")))


def _observe_details(scope: Scope, read: Read, role: JsonObject) -> Iterator[Observed]:
    yield from _shown(scope, role)
    yield from _POLICIES.details(scope, role)


def _read(setting: SettingKey) -> Read:
    return IAM.read("GetRole", RoleName=setting.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    role = {"RoleName": setting.resource}
    if wanted is None:
        profiles = IAM.read("ListInstanceProfilesForRole", **role)
        return (
            taking_away(
                "RemoveRoleFromInstanceProfile",
                role,
                "InstanceProfileName",
                profiles,
                "InstanceProfiles[].InstanceProfileName",
            ),
            *_POLICIES.taken_away(setting.resource),
            *IAM.call("DeleteRole", role, irreversible=_GOES),
        )
    if live is None:
        return IAM.call("CreateRole", {**role, **wanted}, loses=_LOSES, creates="Role.RoleName")
    differing = {name for name in {*live.value, *wanted} if live.value.get(name) != wanted.get(name)}
    return () if differing <= {_TRUSTED} else immutable(f"role {setting.resource}")


def _change_trust(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there("whom a role trusts")
    return IAM.call("UpdateAssumeRolePolicy", {"RoleName": setting.resource, "PolicyDocument": wanted})


def _implied(setting: SettingKey, value: Any) -> Iterator[tuple[SettingKey, Value]]:
    yield _trust_of(setting), text(value.get(_TRUSTED))


ROLES = family(
    Kind(ROLE, 48, _read, _change, implies=_implied),
    Kind(TRUST, 42, _read, _change_trust, part_of=ROLE),
    *_POLICIES.kinds(),
    _POLICIES.boundary_kind(),
    service=IAM.source,
    readers={
        "CreateRole": _create,
        "DeleteRole": _delete,
        "UpdateAssumeRolePolicy": _update_trust,
        **_POLICIES.readers(),
    },
    observers={"GetRole": _observe, EVERYTHING: holders("RoleDetailList", _observe_details), **_POLICIES.observers()},
    inventory=(IAM.read(EVERYTHING, Filter=["Role"]),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        ROLE: Acts(
            sets=("iam:CreateRole",),
            removes=(
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListInstanceProfilesForRole",
                "iam:ListRolePolicies",
                "iam:RemoveRoleFromInstanceProfile",
            ),
        ),
        TRUST: Acts(sets=("iam:UpdateAssumeRolePolicy",)),
        ROLE_POLICY: Acts(sets=("iam:PutRolePolicy",), removes=("iam:DeleteRolePolicy",)),
        ATTACHED_ROLE_POLICY: Acts(sets=("iam:AttachRolePolicy",), removes=("iam:DetachRolePolicy",)),
    },
    looks=(
        "iam:ListInstanceProfilesForRole",
        "iam:ListRolePolicies",
    ),
)
