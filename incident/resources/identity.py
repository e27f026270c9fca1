"""Access keys, users and their policies, and the policies by which containment cuts sessions off.

IAM is global: its settings stand in the region `global`, and its records appear in us-east-1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from incident.family import Call, Change, Family, Read, Scope, Unrestorable
from incident.record import Record
from incident.settings import UNKNOWN, Known, Observed, SettingKey, Value, Write

GLOBAL = "global"
ACCESS_KEY = "access-key"
USER = "user"
USER_POLICY = "user-policy"
ROLE_POLICY = "role-policy"
ATTACHED_USER_POLICY = "attached-user-policy"
LOGIN_PROFILE = "login-profile"

_NO_SUCH = frozenset({"NoSuchEntity"})
_NOT_HAD_BACK = "a deleted key or password cannot be had back; a new one is made instead"


def access_key(account: str, key_id: str, user: str) -> SettingKey:
    return SettingKey(account, GLOBAL, ACCESS_KEY, key_id, user)


def _call(operation: str, loses: str = "", irreversible: str = "", **parameters: Any) -> tuple[Call, ...]:
    return (Call("iam", operation, parameters, (f"iam:{operation}",), loses=loses, irreversible=irreversible),)


def _target_user(record: Record) -> str:
    """The user that a call names; IAM takes the caller where none is named."""
    return str(record.request.get("userName") or record.identity.name)


def _key_writes(record: Record, known: Known) -> Iterable[Write]:
    user = _target_user(record)
    if record.event_name == "CreateAccessKey":
        made = record.response["accessKey"]
        owner = str(made.get("userName") or user)
        yield Write(access_key(record.account, str(made["accessKeyId"]), owner), after="Active", before=None)
        return
    key = access_key(record.account, str(record.request["accessKeyId"]), user)
    yield Write(key, after=None if record.event_name == "DeleteAccessKey" else str(record.request["status"]))


def _observe_keys(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for item in answer.get("AccessKeyMetadata", []):
        yield Observed(access_key(scope.account, item["AccessKeyId"], item["UserName"]), item["Status"])


def _change_key(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None:
        if wanted is None:
            return ()
        return Unrestorable("a deleted access key cannot be had back", "Let its owner make a new one.")
    if live.value == wanted:
        return ()
    if wanted is None:
        return _call("DeleteAccessKey", irreversible=_NOT_HAD_BACK, UserName=key.name, AccessKeyId=key.resource)
    return _call("UpdateAccessKey", UserName=key.name, AccessKeyId=key.resource, Status=wanted)


def _user_writes(record: Record, known: Known) -> Iterable[Write]:
    key = SettingKey(record.account, GLOBAL, USER, _target_user(record))
    yield Write(
        key, after={} if record.event_name == "CreateUser" else None, before=None if record.event_name == "CreateUser" else {}
    )


def _change_user(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _call("DeleteUser", irreversible=_NOT_HAD_BACK, UserName=key.resource) if live else ()
    return _call("CreateUser", loses="its unique id, keys and password", UserName=key.resource) if live is None else ()


def _attached_writes(record: Record, known: Known) -> Iterable[Write]:
    key = SettingKey(record.account, GLOBAL, ATTACHED_USER_POLICY, _target_user(record), str(record.request["policyArn"]))
    yield Write(key, after={} if record.event_name == "AttachUserPolicy" else None)


def _observe_attached(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
    for item in answer.get("AttachedPolicies", []):
        user = read.parameters["UserName"]
        yield Observed(SettingKey(scope.account, GLOBAL, ATTACHED_USER_POLICY, user, item["PolicyArn"]), {})


def _change_attached(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if (live is None) == (wanted is None):
        return ()
    operation = "DetachUserPolicy" if wanted is None else "AttachUserPolicy"
    return _call(operation, UserName=key.resource, PolicyArn=key.name)


def _login_writes(record: Record, known: Known) -> Iterable[Write]:
    key = SettingKey(record.account, GLOBAL, LOGIN_PROFILE, _target_user(record))
    created = record.event_name == "CreateLoginProfile"
    yield Write(key, after={} if created else None, before=None if created else {})


def _change_login(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return () if live else Unrestorable("a deleted password cannot be had back", "Let the user set a new one.")
    return _call("DeleteLoginProfile", irreversible=_NOT_HAD_BACK, UserName=key.resource) if live else ()


def _document(text: object) -> str:
    """A policy document as one comparable text; IAM answers with it URL-encoded."""
    return unquote(text) if isinstance(text, str) else ""


def _inline_family(kind: str, owner: str) -> Family:
    """The inline policies of users or roles; `owner` is `User` or `Role`."""
    parameter, field = f"{owner}Name", f"{owner[:1].lower()}{owner[1:]}Name"
    put, delete = f"Put{owner}Policy", f"Delete{owner}Policy"

    def writes(record: Record, known: Known) -> Iterable[Write]:
        holder = str(record.request.get(field) or record.identity.name)
        key = SettingKey(record.account, GLOBAL, kind, holder, str(record.request["policyName"]))
        yield Write(key, after=_document(record.request.get("policyDocument")) or UNKNOWN if record.event_name == put else None)

    def observe(scope: Scope, read: Read, answer: Mapping[str, Any]) -> Iterable[Observed]:
        document = answer["PolicyDocument"]
        text = document if isinstance(document, str) else compact(document)
        yield Observed(SettingKey(scope.account, GLOBAL, kind, answer[parameter], answer["PolicyName"]), _document(text))

    def change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        named = {parameter: key.resource, "PolicyName": key.name}
        if wanted is None:
            return _call(delete, **named) if live else ()
        if live is not None and live.value == wanted:
            return ()
        return _call(put, **named, PolicyDocument=wanted)

    return Family(
        kinds=(kind,),
        events=frozenset({f"iam:{put}", f"iam:{delete}"}),
        writes=writes,
        inventory=(),
        read=lambda key: Read("iam", f"Get{owner}Policy", {parameter: key.resource, "PolicyName": key.name}),
        observe=observe,
        change=change,
        absent_codes=_NO_SUCH,
        rank={kind: 40},
    )


def compact(document: object) -> str:
    """A policy document as the text that we send and compare."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


ACCESS_KEYS = Family(
    kinds=(ACCESS_KEY,),
    events=frozenset({"iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey"}),
    writes=_key_writes,
    inventory=(),
    read=lambda key: Read("iam", "ListAccessKeys", {"UserName": key.name}),
    observe=_observe_keys,
    change=_change_key,
    absent_codes=_NO_SUCH,
    rank={ACCESS_KEY: 40},
)

USERS = Family(
    kinds=(USER,),
    events=frozenset({"iam:CreateUser", "iam:DeleteUser"}),
    writes=_user_writes,
    inventory=(),
    read=lambda key: Read("iam", "GetUser", {"UserName": key.resource}),
    observe=lambda scope, read, answer: [Observed(SettingKey(scope.account, GLOBAL, USER, answer["User"]["UserName"]), {})],
    change=_change_user,
    absent_codes=_NO_SUCH,
    rank={USER: 50},
)

ATTACHED_POLICIES = Family(
    kinds=(ATTACHED_USER_POLICY,),
    events=frozenset({"iam:AttachUserPolicy", "iam:DetachUserPolicy"}),
    writes=_attached_writes,
    inventory=(),
    read=lambda key: Read("iam", "ListAttachedUserPolicies", {"UserName": key.resource}),
    observe=_observe_attached,
    change=_change_attached,
    absent_codes=_NO_SUCH,
    rank={ATTACHED_USER_POLICY: 40},
)

LOGIN_PROFILES = Family(
    kinds=(LOGIN_PROFILE,),
    events=frozenset({"iam:CreateLoginProfile", "iam:DeleteLoginProfile"}),
    writes=_login_writes,
    inventory=(),
    read=lambda key: Read("iam", "GetLoginProfile", {"UserName": key.resource}),
    observe=lambda scope, read, answer: [
        Observed(SettingKey(scope.account, GLOBAL, LOGIN_PROFILE, answer["LoginProfile"]["UserName"]), {})
    ],
    change=_change_login,
    absent_codes=_NO_SUCH,
    rank={LOGIN_PROFILE: 40},
)

FAMILIES = (
    ACCESS_KEYS,
    USERS,
    ATTACHED_POLICIES,
    LOGIN_PROFILES,
    _inline_family(USER_POLICY, "User"),
    _inline_family(ROLE_POLICY, "Role"),
)
