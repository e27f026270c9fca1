"""Users: their access keys, passwords, groups and policies, and the policies by which containment cuts sessions off.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Call, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, family, immutable
from incident.network.values import mapping, structures, text
from incident.record import JsonObject
from incident.resources.iam import (
    EVERYTHING,
    GLOBAL,
    IAM,
    NO_SUCH,
    POLICY_RANK,
    Policies,
    compact,
    deleted,
    holders,
    key,
    path,
    shown,
    taking_away,
)
from incident.resources.role import ROLE_POLICY
from incident.settings import UNKNOWN, Observed, SettingKey, Value, Write

__all__ = [
    "ACCESS_KEY",
    "ATTACHED_USER_POLICY",
    "FAMILIES",
    "GLOBAL",
    "LOGIN_PROFILE",
    "MEMBERSHIP",
    "ROLE_POLICY",
    "USER",
    "USER_BOUNDARY",
    "USER_POLICY",
    "access_key",
    "compact",
]

_POLICIES = Policies("User")
USER = _POLICIES.kind
USER_POLICY, ATTACHED_USER_POLICY, USER_BOUNDARY = _POLICIES.inline, _POLICIES.attached, _POLICIES.boundary
ACCESS_KEY = "access-key"
LOGIN_PROFILE = "login-profile"
SIGN_IN = "sign-in"
MEMBERSHIP = "group-membership"

_NOT_HAD_BACK = "a deleted key or password cannot be had back; a new one is made instead"
_USER_LOSES = "its unique id, keys and password"
_EARLIER_PASSWORD = {"Password": "the one before"}


def access_key(account: str, key_id: str, user: str) -> SettingKey:
    return SettingKey(account, GLOBAL, ACCESS_KEY, key_id, user)


# --- access keys --------------------------------------------------------------------------------------------------------------


def _create_key(event: Event) -> Iterator[Write]:
    made = mapping(event.response.get("AccessKey"))
    owner = text(made.get("UserName")) or _POLICIES.holder(event)
    yield Write(access_key(event.record.account, text(made["AccessKeyId"]), owner), "Active", before=None)


def _key_of(event: Event) -> SettingKey:
    return access_key(event.record.account, text(event.request["AccessKeyId"]), _POLICIES.holder(event))


def _update_key(event: Event) -> Iterator[Write]:
    yield Write(_key_of(event), text(event.request["Status"]))


def _delete_key(event: Event) -> Iterator[Write]:
    yield Write(_key_of(event), None)


def _observe_keys(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for item in structures(answer.get("AccessKeyMetadata")):
        yield shown(scope, ACCESS_KEY, item.get("AccessKeyId"), text(item.get("Status")), text(item.get("UserName")))


def _change_key(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None:
        return Unrestorable("a deleted access key cannot be had back", "Let its owner make a new one.")
    named = {"UserName": setting.name, "AccessKeyId": setting.resource}
    if wanted is None:
        return IAM.call("DeleteAccessKey", named, irreversible=_NOT_HAD_BACK)
    return IAM.call("UpdateAccessKey", {**named, "Status": wanted})


ACCESS_KEYS = family(
    Kind(ACCESS_KEY, POLICY_RANK, lambda setting: IAM.read("ListAccessKeys", UserName=setting.name), _change_key),
    service=IAM.source,
    readers={"CreateAccessKey": _create_key, "UpdateAccessKey": _update_key, "DeleteAccessKey": _delete_key},
    observers={"ListAccessKeys": _observe_keys},
    inventory=(),
    absent_codes=(NO_SUCH,),
    acts={
        ACCESS_KEY: Acts(sets=("iam:UpdateAccessKey",), removes=("iam:DeleteAccessKey",)),
    },
)


# --- passwords ----------------------------------------------------------------------------------------------------------------


def _login_of(event: Event) -> SettingKey:
    return key(event, LOGIN_PROFILE, _POLICIES.holder(event))


def _create_login(event: Event) -> Iterator[Write]:
    yield Write(_login_of(event), {}, before=None)


def _update_login(event: Event) -> Iterator[Write]:
    """No record tells a password, and no call a former one."""
    yield Write(_login_of(event)._replace(kind=SIGN_IN, name="password"), UNKNOWN, before=_EARLIER_PASSWORD)


def _delete_login(event: Event) -> Iterator[Write]:
    yield Write(_login_of(event), None, before={})


def _observe_login(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    profile = mapping(answer.get("LoginProfile"))
    if profile:
        yield shown(scope, LOGIN_PROFILE, profile.get("UserName"), {})


def _read_login(setting: SettingKey) -> Read:
    return IAM.read("GetLoginProfile", UserName=setting.resource)


def _change_login(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return Unrestorable("a deleted password cannot be had back", "Let the user set a new one.")
    return IAM.call("DeleteLoginProfile", {"UserName": setting.resource}, irreversible=_NOT_HAD_BACK)


def _change_password(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there("the password")
    advice = "Give the user a new password (UpdateLoginProfile with PasswordResetRequired), and ask who has used the other one."
    return Unrestorable("a former password cannot be set again: nobody but the user knew it", advice)


LOGIN_PROFILES = family(
    Kind(LOGIN_PROFILE, POLICY_RANK, _read_login, _change_login, part_of=USER),
    Kind(SIGN_IN, POLICY_RANK, _read_login, _change_password, part_of=USER),
    service=IAM.source,
    readers={"CreateLoginProfile": _create_login, "UpdateLoginProfile": _update_login, "DeleteLoginProfile": _delete_login},
    observers={"GetLoginProfile": _observe_login},
    inventory=(),
    absent_codes=(NO_SUCH,),
    acts={LOGIN_PROFILE: Acts(removes=("iam:DeleteLoginProfile",))},
)


# --- users, their policies and their groups -----------------------------------------------------------------------------------


def _create_user(event: Event) -> Iterator[Write]:
    described = {**event.request, **mapping(event.response.get("User"))}
    yield Write(key(event, USER, _POLICIES.holder(event)), path(described), before=None)
    yield from _POLICIES.created_with(event)


def _delete_user(event: Event) -> Iterator[Write]:
    user = key(event, USER, _POLICIES.holder(event))
    yield from deleted(event, user, {}, USER_POLICY, ATTACHED_USER_POLICY, USER_BOUNDARY, MEMBERSHIP, LOGIN_PROFILE)


def _membership(event: Event) -> SettingKey:
    return key(event, MEMBERSHIP, event.requested("UserName"), event.requested("GroupName"))


def _join(event: Event) -> Iterator[Write]:
    yield Write(_membership(event), {})


def _leave(event: Event) -> Iterator[Write]:
    yield Write(_membership(event), None)


def _observe_user(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    user = mapping(answer.get("User"))
    if user:
        yield shown(scope, USER, user.get("UserName"), path(user))
        yield from _POLICIES.shown_boundary(scope, user)


def _observe_details(scope: Scope, read: Read, user: JsonObject) -> Iterator[Observed]:
    yield shown(scope, USER, user.get("UserName"), path(user))
    yield from _POLICIES.details(scope, user)
    yield from _POLICIES.shown_boundary(scope, user)
    for group in user.get("GroupList", ()):
        yield shown(scope, MEMBERSHIP, user.get("UserName"), {}, text(group))


def _observe_groups(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for group in structures(answer.get("Groups")):
        yield shown(scope, MEMBERSHIP, read.parameters["UserName"], {}, text(group.get("GroupName")))


def _change_user(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    user = {"UserName": setting.resource}
    if wanted is None:
        return (*_emptied(setting.resource), *IAM.call("DeleteUser", user, irreversible=_NOT_HAD_BACK))
    if live is None:
        return IAM.call("CreateUser", {**user, **wanted}, loses=_USER_LOSES, creates="User.UserName")
    return immutable(f"user {setting.resource}")


def _emptied(name: str) -> tuple[Call, ...]:
    """The calls that take away whatever a user has, for a user who has anything stays."""
    user = {"UserName": name}

    def each(operation: str, parameter: str, listing: str, found: str) -> Call:
        return taking_away(operation, user, parameter, IAM.read(listing, **user), found)

    password = taking_away("DeleteLoginProfile", {}, "UserName", IAM.read("GetLoginProfile", **user), "[LoginProfile.UserName]")
    return (
        each("DeleteAccessKey", "AccessKeyId", "ListAccessKeys", "AccessKeyMetadata[].AccessKeyId"),
        password,
        each("DeleteSigningCertificate", "CertificateId", "ListSigningCertificates", "Certificates[].CertificateId"),
        each("DeleteSSHPublicKey", "SSHPublicKeyId", "ListSSHPublicKeys", "SSHPublicKeys[].SSHPublicKeyId"),
        each(
            "DeleteServiceSpecificCredential",
            "ServiceSpecificCredentialId",
            "ListServiceSpecificCredentials",
            "ServiceSpecificCredentials[].ServiceSpecificCredentialId",
        ),
        each("DeactivateMFADevice", "SerialNumber", "ListMFADevices", "MFADevices[].SerialNumber"),
        each("RemoveUserFromGroup", "GroupName", "ListGroupsForUser", "Groups[].GroupName"),
        *_POLICIES.taken_away(name),
    )


def _change_membership(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    operation = "RemoveUserFromGroup" if wanted is None else "AddUserToGroup"
    return IAM.call(operation, {"UserName": setting.resource, "GroupName": setting.name})


USERS = family(
    Kind(USER, 50, lambda setting: IAM.read("GetUser", UserName=setting.resource), _change_user),
    Kind(
        MEMBERSHIP,
        POLICY_RANK,
        lambda setting: IAM.read("ListGroupsForUser", UserName=setting.resource),
        _change_membership,
        part_of=USER,
    ),
    *_POLICIES.kinds(),
    _POLICIES.boundary_kind(),
    service=IAM.source,
    readers={
        "CreateUser": _create_user,
        "DeleteUser": _delete_user,
        "AddUserToGroup": _join,
        "RemoveUserFromGroup": _leave,
        **_POLICIES.readers(),
    },
    observers={
        "GetUser": _observe_user,
        "ListGroupsForUser": _observe_groups,
        EVERYTHING: holders("UserDetailList", _observe_details),
        **_POLICIES.observers(),
    },
    inventory=(IAM.read(EVERYTHING, Filter=["User"]),),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        USER: Acts(
            sets=("iam:CreateUser",),
            removes=(
                "iam:DeactivateMFADevice",
                "iam:DeleteAccessKey",
                "iam:DeleteLoginProfile",
                "iam:DeleteSSHPublicKey",
                "iam:DeleteServiceSpecificCredential",
                "iam:DeleteSigningCertificate",
                "iam:DeleteUser",
                "iam:DeleteUserPolicy",
                "iam:DetachUserPolicy",
                "iam:GetLoginProfile",
                "iam:ListAccessKeys",
                "iam:ListAttachedUserPolicies",
                "iam:ListGroupsForUser",
                "iam:ListMFADevices",
                "iam:ListSSHPublicKeys",
                "iam:ListServiceSpecificCredentials",
                "iam:ListSigningCertificates",
                "iam:ListUserPolicies",
                "iam:RemoveUserFromGroup",
            ),
        ),
        MEMBERSHIP: Acts(sets=("iam:AddUserToGroup",), removes=("iam:RemoveUserFromGroup",)),
        USER_POLICY: Acts(sets=("iam:PutUserPolicy",), removes=("iam:DeleteUserPolicy",)),
        ATTACHED_USER_POLICY: Acts(sets=("iam:AttachUserPolicy",), removes=("iam:DetachUserPolicy",)),
    },
    looks=(
        "iam:GetLoginProfile",
        "iam:ListAccessKeys",
        "iam:ListMFADevices",
        "iam:ListSSHPublicKeys",
        "iam:ListServiceSpecificCredentials",
        "iam:ListSigningCertificates",
        "iam:ListUserPolicies",
    ),
)

FAMILIES = (ACCESS_KEYS, USERS, LOGIN_PROFILES)
