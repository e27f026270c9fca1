"""Who acted: the credentials that trace back to one finding, each with the record that proves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from incident.record import Record

_SESSION_CALLS = frozenset(
    {
        "sts:AssumeRole",
        "sts:AssumeRoleWithSAML",
        "sts:AssumeRoleWithWebIdentity",
        "sts:GetSessionToken",
        "sts:GetFederationToken",
    }
)


class Link(StrEnum):
    """How sure we are that a credential is in the actor's hands."""

    PROVED = "proved"
    SUSPECTED = "suspected"
    EXCLUDED = "excluded"
    """A responder said that it is not the actor's."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key or a session's key.

    Attributes:
        access_key: the access key id.
        owner: the IAM user name, or the role's ARN for a session.
        kind: `user` for a long-term key, `role`, `session` (GetSessionToken) or `federated`.
        link: proved or suspected.
        how: one plain sentence.
        record: id of the CloudTrail record that shows the link; empty for the finding's own key.
        account: the account that the credential belongs to.
        made: whether the actor made it, so that it has no rightful owner.
        issued: when it was handed out (ISO 8601, UTC); empty for the finding's own key.
    """

    access_key: str
    owner: str
    kind: str
    link: Link
    how: str
    record: str
    account: str
    made: bool = False
    issued: str = ""


@dataclass(frozen=True)
class Actor:
    """The actor's credentials and the moment from which their use counts as the actor's.

    A stolen key still has its rightful owner: calls from an address that used it before the window, and that the finding does not
    name, are taken for the owner's also inside the window. `struck` are ids of records that a responder took off the actor,
    `rulings` their words on credentials: the link that counts, and who says so.
    """

    credentials: Mapping[str, Credential] = field(default_factory=dict[str, Credential])
    since: datetime | None = None
    since_reason: str = ""
    seed: str = ""
    owner_addresses: frozenset[str] = frozenset()
    struck: frozenset[str] = frozenset()
    rulings: Mapping[str, tuple[Link, str]] = field(default_factory=dict[str, tuple[Link, str]])

    @property
    def proved(self) -> list[Credential]:
        return [credential for credential in self.credentials.values() if credential.link is Link.PROVED]

    def did(self, record: Record) -> bool:
        """Whether a record is the actor's: made with a proved credential, inside the window."""
        credential = self.credentials.get(record.identity.access_key)
        if credential is None or credential.link is not Link.PROVED or record.event_id in self.struck:
            return False
        if credential.made or self.since is None:
            return True
        return record.time >= self.since and record.source_ip not in self.owner_addresses

    def with_credential(self, credential: Credential) -> Actor:
        """The actor with one more credential. One that is proved stays so; a responder's word counts before any link."""
        if credential.access_key in self.rulings:
            link, who = self.rulings[credential.access_key]
            return self._holding(replace(credential, link=link, how=f"{who}; {credential.how}"))
        held = self.credentials.get(credential.access_key)
        if held is not None and (held.link is Link.PROVED or credential.link is Link.SUSPECTED):
            return self
        return self._holding(credential)

    def _holding(self, credential: Credential) -> Actor:
        return replace(self, credentials={**self.credentials, credential.access_key: credential})

    def with_issue_time(self, access_key: str, issued: str) -> Actor:
        """The actor with the time at which a credential was handed out."""
        known = replace(self.credentials[access_key], issued=issued)
        return replace(self, credentials={**self.credentials, access_key: known})

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat() if self.since else None,
            "since_reason": self.since_reason,
            "seed": self.seed,
            "owner_addresses": sorted(self.owner_addresses),
            "struck": sorted(self.struck),
            "credentials": [
                {name: getattr(credential, name) for name in Credential.__slots__} for credential in self.credentials.values()
            ],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Actor:
        items = cast(list[dict[str, Any]], body["credentials"])
        held = [replace(Credential(**item), link=Link(item["link"])) for item in items]
        since = datetime.fromisoformat(body["since"]) if body["since"] else None
        credentials = {credential.access_key: credential for credential in held}
        struck = frozenset[str](body.get("struck", ()))
        return cls(credentials, since, body["since_reason"], body["seed"], frozenset(body["owner_addresses"]), struck)


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
    return Credential(key, user, "user", Link.PROVED, how, record.event_id, record.account, True, record.time.isoformat())


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
    how = f"{record.identity.label} called {record.event_name}"
    return Credential(key, owner, kind, Link.PROVED, how, record.event_id, account, True, record.time.isoformat())


def followed(actor: Actor, records: Iterable[Record]) -> Actor:
    """The actor with every credential that their own records hand out, to any depth."""
    pending = sorted(records, key=lambda record: record.time)
    while True:
        before = len(actor.proved)
        for record in pending:
            credential = minted(record)
            if credential is not None and actor.did(record):
                actor = actor.with_credential(credential)
        if len(actor.proved) == before:
            return actor


def origin(actor: Actor, records: Iterable[Record], remote_ips: frozenset[str]) -> Actor:
    """The actor with the credential that a temporary seed key came from.

    The caller of AssumeRole may be the rightful user whose session was stolen afterwards. They count as the actor only where they
    called from an address that the finding names; otherwise the link is suspected and nobody acts on it.
    """
    for record in records:
        credential = minted(record)
        parent = record.identity.access_key
        if credential is None or credential.access_key not in actor.credentials or not parent:
            continue
        actor = actor.with_issue_time(credential.access_key, credential.issued)
        link = Link.PROVED if record.source_ip in remote_ips else Link.SUSPECTED
        how = f"it called {record.event_name} that gave {credential.access_key}, from {record.source_ip}"
        kind = "role" if record.identity.type == "AssumedRole" else "user"
        owner = record.identity.issuer_arn if kind == "role" else record.identity.name
        actor = actor.with_credential(Credential(parent, owner, kind, link, how, record.event_id, record.account))
    return actor


def opened(actor: Actor, records: Iterable[Record], first_seen: datetime, remote_ips: frozenset[str]) -> Actor:
    """The actor with the window set: from the finding's first sign, or the first call from one of its addresses.

    Which addresses are the rightful owner's is told by who used the credential before.
    """
    used = [record for record in records if record.identity.access_key in actor.credentials]
    since, reason = first_seen, "the finding's first sign"
    for record in used:
        if record.source_ip in remote_ips and record.time < since:
            since, reason = record.time, f"the first call from {record.source_ip} with the compromised credential"
    owners = frozenset(record.source_ip for record in used if record.time < since and record.source_ip) - remote_ips
    return replace(actor, since=since, since_reason=reason, owner_addresses=owners)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
