"""From records to the actor: what each record hands out, what it lets them command, and what a service did for them.

Every link names the record that shows it. What a record proves is proved; what could also be somebody else's is suspected, and
people are asked about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from incident import services
from incident.actor import Actor, Credential, Foothold, Link, role_of, session_of
from incident.family import Scope
from incident.record import Record, in_order

_SESSION_CALLS = frozenset(
    {
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:GetSessionToken",
        "sts:GetFederationToken",
    }
)


def followed(actor: Actor, records: Iterable[Record]) -> Actor:
    """The actor with every credential and principal that the records show to be theirs, to any depth."""
    pending = in_order(records)
    while True:
        before = actor
        actor = services.delegated(actor, pending)
        for record in pending:
            actor = _learned(actor, record)
        if actor == before:
            return actor


def _learned(actor: Actor, record: Record) -> Actor:
    actor = _switched(_recognized(actor, record), record)
    link = _link(actor, record)
    if link is None or not record.succeeded:
        return actor
    credential = minted(record)
    if credential is not None:
        actor = actor.with_credential(replace(credential, link=link))
    for foothold in commanded(record):
        actor = actor.with_foothold(foothold if link is Link.PROVED else replace(foothold, link=link))
    return actor


def _link(actor: Actor, record: Record) -> Link | None:
    """How sure it is that a record is the actor's; `None` where nothing speaks for it."""
    if actor.did(record):
        return Link.PROVED
    credential = actor.credentials.get(record.identity.access_key)
    if credential is not None and credential.link is Link.SUSPECTED and actor.counts(credential, record):
        return Link.SUSPECTED
    return None


def _recognized(actor: Actor, record: Record) -> Actor:
    """The actor with the key of a record that was made as a principal that they command, or that hands out a session of one."""
    key = record.identity.access_key
    for foothold in actor.footholds:
        if key and foothold.holds(record):
            actor = actor.with_credential(_as_credential(foothold, record))
        credential = minted(record)
        if credential is not None and _is_session_of(foothold, record):
            actor = actor.with_credential(replace(credential, link=foothold.link, how=foothold.how, made=foothold.made))
    return actor


def _switched(actor: Actor, record: Record) -> Actor:
    """The actor with the role to which a console session of theirs was switched. The record names no key, but whom it came from."""
    if record.operation != "signin:SwitchRole" or not record.succeeded:
        return actor
    came_from = _text(_mapping(record.raw.get("additionalEventData")).get("SwitchFrom"))
    account, user = came_from.split(":")[4] if came_from.count(":") >= 5 else "", came_from.rpartition("/")[2]
    commands = any(
        one.link is Link.PROVED and one.kind in ("user", "console") and (one.account, one.name) == (account, user)
        for one in actor.footholds
    )
    stolen = any((one.account, one.owner) == (account, user) for one in actor.proved)
    inside = actor.since is None or record.time >= actor.since
    if record.event_id in actor.struck or not (commands or (stolen and inside and not actor.is_owners(record))):
        return actor
    link = Link.PROVED if commands or record.source_ip in actor.addresses else Link.SUSPECTED
    role, session = role_of(record.identity), session_of(record.identity)
    how = f"{came_from} switched to role {role} in the console"
    return actor.with_foothold(Foothold("session", record.account, role, session, record.time, link, how, record.event_id))


def _as_credential(foothold: Foothold, record: Record) -> Credential:
    identity = record.identity
    long_lived = identity.access_key.startswith("AKIA")
    kind = "role" if identity.type == "AssumedRole" else "user" if long_lived else "session"
    owner = identity.issuer_arn if kind == "role" else identity.name
    return Credential(
        access_key=identity.access_key,
        owner=owner,
        kind=kind,
        link=foothold.link,
        how=f"{foothold.how}, and {record.event_name} was called as it",
        record=foothold.record or record.event_id,
        account=foothold.account,
        made=foothold.made,
        issued=identity.session_created,
        session=session_of(identity) if kind == "role" else "",
    )


def _is_session_of(foothold: Foothold, record: Record) -> bool:
    """Whether a record hands out a session of a role that the actor commands."""
    role = _text(record.request.get("roleArn"))
    if foothold.kind not in ("role", "session") or record.time < foothold.since or not role:
        return False
    if role.count(":") >= 5 and role.split(":")[4] != foothold.account:
        return False
    named = foothold.name in ("", role.rpartition("/")[2])
    return named and (foothold.kind == "role" or _text(record.request.get("roleSessionName")) == foothold.session)


# --- what a record hands out --------------------------------------------------------------------------------------------------


def minted(record: Record) -> Credential | None:
    """The credential that a record hands out, or none. Its link is proved: CloudTrail's answer names the new key.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    if not record.succeeded:
        return None
    if record.operation == "iam:CreateAccessKey":
        return _minted_key(record)
    if record.operation in _SESSION_CALLS:
        return _minted_session(record)
    return None


def _minted_key(record: Record) -> Credential | None:
    made = _mapping(record.response.get("accessKey"))
    key, user = _text(made.get("accessKeyId")), _text(made.get("userName")) or record.identity.name
    if not key:
        return None
    how = f"{record.identity.label} made this key for user {user}"
    parent = record.identity.access_key
    return Credential(key, user, "user", Link.PROVED, how, record.event_id, record.account, True, record.time.isoformat(), parent)


def _minted_session(record: Record) -> Credential | None:
    key = _text(_mapping(record.response.get("credentials")).get("accessKeyId"))
    if not key:
        return None
    if record.event_name == "GetSessionToken":
        owner, kind = record.identity.name, "session"
    elif record.event_name == "GetFederationToken":
        owner, kind = record.identity.name, "federated"
    else:
        owner, kind = _text(record.request.get("roleArn")), "role"
    account = owner.split(":")[4] if owner.startswith("arn:") and owner.count(":") >= 5 else record.account
    how = f"{record.identity.label} called {record.event_name}{_carried(record)}"
    parent, session = record.identity.access_key, _text(record.request.get("roleSessionName"))
    issued = record.time.isoformat()
    return Credential(key, owner, kind, Link.PROVED, how, record.event_id, account, True, issued, parent, session)


def _carried(record: Record) -> str:
    """The source identity and session tags that a session was given: they follow it down a chain of roles."""
    told: list[str] = []
    if record.request.get("sourceIdentity"):
        told.append(f"source identity {_text(record.request['sourceIdentity'])}")
    tags = _mapping(record.request.get("principalTags"))
    if tags:
        told.append("tags " + ", ".join(f"{name}={_text(value)}" for name, value in sorted(tags.items())))
    return f" with {' and '.join(told)}" if told else ""


# --- what a record lets the actor command --------------------------------------------------------------------------------------


def commanded(record: Record) -> Iterator[Foothold]:
    """The principals that a record of the actor's lets them command."""
    for kind, account, name, session, link, how in _commanded(record):
        yield Foothold(kind, account, name, session, record.time, link, how, record.event_id)


_Commanded = tuple[str, str, str, str, Link, str]


def _commanded(record: Record) -> Iterator[_Commanded]:
    who, request, account = record.identity.label, record.request, record.account
    user, role = _text(request.get("userName")), _text(request.get("roleName"))
    match record.operation:
        case "iam:CreateUser":
            yield "user", account, user, "", Link.PROVED, f"{who} made user {user}"
        case "iam:CreateLoginProfile" | "iam:UpdateLoginProfile":
            yield "console", account, user, "", Link.PROVED, f"{who} set the console password of user {user}"
        case "iam:CreateRole":
            yield "role", account, role, "", Link.PROVED, f"{who} made role {role}"
        case "iam:UpdateAssumeRolePolicy":
            yield "role", account, role, "", Link.SUSPECTED, f"{who} changed whom role {role} trusts"
        case "ec2:RunInstances":
            for instance in _with_a_role(record.response):
                yield "session", account, "", instance, Link.PROVED, f"{who} started instance {instance}"
        case "ssm:SendCommand" | "ssm:StartSession" | "ec2-instance-connect:SendSSHPublicKey":
            for instance in _reached(request):
                how = f"{who} got into instance {instance} by {record.event_name}"
                yield "session", account, "", instance, Link.SUSPECTED, how
        case "ec2:AssociateIamInstanceProfile" | "ec2:ReplaceIamInstanceProfileAssociation":
            for instance in _associated(record):
                yield "session", account, "", instance, Link.SUSPECTED, f"{who} gave instance {instance} another profile"
        case _ if record.service == "lambda":
            yield from _function(record)
        case _:
            pass


def _function(record: Record) -> Iterator[_Commanded]:
    """A Lambda function runs its code as its role, in sessions of its name. CloudTrail adds the API's date to Lambda's events."""
    name = _text(record.request.get("functionName")).rpartition(":")[2]
    who = record.identity.label
    if record.event_name.startswith("CreateFunction2"):
        yield "session", record.account, "", name, Link.PROVED, f"{who} made function {name}"
    elif record.event_name.startswith("UpdateFunctionCode2"):
        yield "session", record.account, "", name, Link.SUSPECTED, f"{who} changed the code of function {name}"


def _with_a_role(response: Mapping[str, Any]) -> Iterator[str]:
    """The started instances that can call AWS; one that gets a profile later is found by that call."""
    for item in _items(response.get("instancesSet")):
        if item.get("iamInstanceProfile"):
            yield _text(item.get("instanceId"))


def _reached(request: Mapping[str, Any]) -> Iterator[str]:
    """The instances that a call reaches into; SSM names them in three ways."""
    named = request.get("instanceIds")
    listed = cast(list[object], named) if isinstance(named, list) else []
    for value in (*listed, request.get("target"), request.get("instanceId")):
        if _text(value).startswith("i-"):
            yield _text(value)


def _associated(record: Record) -> Iterator[str]:
    for part in (record.request, *map(_mapping, record.request.values()), *map(_mapping, record.response.values())):
        if _text(part.get("instanceId")) or _text(part.get("InstanceId")):
            yield _text(part.get("instanceId")) or _text(part.get("InstanceId"))
            return


# --- whose a credential is, and what must still be asked -------------------------------------------------------------------------


def holder(record: Record) -> tuple[str, str]:
    """The kind of the credential that signed a record, and whose it is."""
    identity = record.identity
    match identity.type:
        case "AssumedRole":
            return "role", identity.issuer_arn
        case "FederatedUser":
            return "federated", identity.name
        case "Root":
            return "root", "root"
        case _:
            return "session" if identity.access_key.startswith("ASIA") else "user", identity.name


def used_by(record: Record, link: Link, how: str) -> Credential:
    """The credential that signed a record, as one of the actor's."""
    kind, owner = holder(record)
    account = record.identity.account or record.account
    return Credential(record.identity.access_key, owner, kind, link, how, record.event_id, account)


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the event history: an attribute and its value, everywhere, in one account or one place, from a time on."""

    attribute: str
    value: str
    place: Scope | None = None
    since: datetime | None = None
    account: str = ""


def questions(actor: Actor, records: Iterable[Record]) -> Iterator[Question]:
    """What the event history must still tell of the actor. A credential's use is recorded in the account that it belongs to.

    One question by name shows every credential of a user whom the actor made, and every session of that name.
    """
    commands = [one for one in actor.footholds if one.link is Link.PROVED]
    names = {(one.account, one.session or one.name): one.since for one in commands if one.kind in ("user", "session")}
    for credential in actor.proved:
        since = datetime.fromisoformat(credential.issued) if credential.made and credential.issued else None
        told = names.get((credential.account, credential.session or credential.owner))
        shown = told is not None and since is not None and told <= since
        if credential.kind != "service" and not shown:
            yield Question("AccessKeyId", credential.access_key, since=since, account=credential.account)
    for one in commands:
        attribute, value = "Username", one.session or one.name
        if one.kind == "role":
            attribute, value = "ResourceName", f"arn:aws:iam::{one.account}:role/{one.name}"
        yield Question(attribute, value, since=one.since, account=one.account)
    for record, attribute, value in services.questions(actor, records):
        yield Question(attribute, value, Scope(record.account, record.region), record.time)


def suspects(actor: Actor, records: Iterable[Record]) -> Actor:
    """The actor with credentials that may be theirs too: used from the actor's own address inside the window, or in a session that
    carries a source identity that the actor set.
    """
    marks = _marks(actor, records := list(records))
    for record in records:
        identity = record.identity
        inside = actor.since is None or record.time >= actor.since
        if not identity.access_key or identity.access_key in actor.credentials or not inside:
            continue
        why = _suspicion(actor, record, marks)
        if why:
            actor = actor.with_credential(used_by(record, Link.SUSPECTED, why))
    return actor


def _marks(actor: Actor, records: Iterable[Record]) -> frozenset[str]:
    """The source identities that the actor gave to sessions of their own."""
    given = (record for record in records if record.operation == "sts:AssumeRole" and actor.did(record))
    return frozenset(filter(None, (_text(record.request.get("sourceIdentity")) for record in given)))


def _suspicion(actor: Actor, record: Record, marks: frozenset[str]) -> str:
    if record.source_ip in actor.addresses:
        return f"it was used from {record.source_ip}, the actor's own address"
    if record.identity.source_identity in marks:
        return f"its session carries source identity {record.identity.source_identity}, which the actor set"
    return ""


def _items(value: object) -> list[Mapping[str, Any]]:
    items = _mapping(value).get("items")
    return [_mapping(item) for item in cast(list[object], items)] if isinstance(items, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
