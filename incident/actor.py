"""Who acted: the credentials that trace back to one finding, each with the record that proves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, cast

from incident.record import Identity, Record


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
        kind: `user` for a long-term key, `role`, `session` (of a user: GetSessionToken or the console), `federated`, `root`, or
            `service` for a session in which an AWS service acted for the actor.
        link: proved, suspected or excluded.
        how: one plain sentence.
        record: id of the CloudTrail record that shows the link; empty for the finding's own key.
        account: the account that the credential belongs to.
        made: whether the actor made it, so that it has no rightful owner.
        issued: when it was handed out (ISO 8601, UTC); empty for the finding's own key.
        parent: the access key that it came from; empty where there is none.
        session: the name of a role's session, which CloudTrail calls its user name.
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
    parent: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Foothold:
    """A principal that the actor commands, known by name: the key of every session of it that a record shows is theirs.

    Attributes:
        kind: `user` (every credential of a user), `console` (a user's console sessions), `role` (every session of a role) or
            `session` (a role's sessions of one name: an instance's id, a function's, a switched user's).
        account: where it lives.
        name: the user's or role's name; empty for any role.
        session: the session's name for kind `session`.
        since: from when on.
        link, how, record: as `Credential` has them.
        made: whether the actor made it, so that it has no rightful owner.
    """

    kind: str
    account: str
    name: str
    session: str
    since: datetime
    link: Link
    how: str
    record: str
    made: bool = True

    def holds(self, record: Record) -> bool:
        """Whether a record was made as this principal."""
        identity = record.identity
        if record.time < self.since or identity.account not in ("", self.account):
            return False
        match self.kind:
            case "user":
                return identity.type == "IAMUser" and identity.name == self.name
            case "console":
                return identity.type == "IAMUser" and identity.name == self.name and is_from_console(record)
            case "role":
                return identity.type == "AssumedRole" and role_of(identity) == self.name
            case _:
                named = self.name in ("", role_of(identity))
                return identity.type == "AssumedRole" and named and session_of(identity) == self.session


def is_from_console(record: Record) -> bool:
    """Whether a call came from a session of the AWS console.

    See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    return record.service == "signin" or str(record.raw.get("sessionCredentialFromConsole", "")).lower() == "true"


def role_of(identity: Identity) -> str:
    """The name of the role of an assumed-role session."""
    return identity.name or (identity.arn.split("/")[1] if identity.arn.count("/") >= 2 else "")


def session_of(identity: Identity) -> str:
    """The name of an assumed-role session."""
    return identity.principal_id.partition(":")[2] or identity.arn.rpartition("/")[2]


@dataclass(frozen=True)
class Actor:
    """The actor's credentials and the moment from which their use counts as the actor's.

    A stolen key still has its rightful owner, so inside the window too some of its calls may be theirs; `is_owners` tells.

    Attributes:
        credentials: by access key id.
        footholds: principals that the actor commands.
        since: when the window opens; `None` for a window without beginning.
        since_reason: why then, in a few words.
        seed: the access key that the finding names.
        addresses: the actor's own addresses.
        agents: patterns (with `*`) of the actor's own user agents; empty where none is known.
        owner_addresses: from where the stolen credential was used before the window.
        owner_programs: with what it was used before the window.
        attributed: ids of records that a service made for somebody, and whether it was for the actor.
        struck: ids of records that a responder took off the actor.
        rulings: responders' words on credentials: the link that counts, and who says so.
    """

    credentials: Mapping[str, Credential] = field(default_factory=dict[str, Credential])
    since: datetime | None = None
    since_reason: str = ""
    seed: str = ""
    owner_addresses: frozenset[str] = frozenset()
    struck: frozenset[str] = frozenset()
    rulings: Mapping[str, tuple[Link, str]] = field(default_factory=dict[str, tuple[Link, str]])
    footholds: tuple[Foothold, ...] = ()
    addresses: frozenset[str] = frozenset()
    agents: tuple[str, ...] = ()
    owner_programs: frozenset[str] = frozenset()
    attributed: Mapping[str, bool] = field(default_factory=dict[str, bool])

    @property
    def principals(self) -> tuple[str, ...]:
        """ARNs of whom the actor acts as or may act as: a user's for each of their credentials, a session's for each session."""
        found: dict[str, None] = {}
        for credential in self.credentials.values():
            if credential.link is Link.EXCLUDED or not credential.owner:
                continue
            if credential.kind != "role":
                found[f"arn:aws:iam::{credential.account}:user/{credential.owner}"] = None
            elif credential.session:
                role = credential.owner.rsplit("/", 1)[-1]
                found[f"arn:aws:sts::{credential.account}:assumed-role/{role}/{credential.session}"] = None
        return tuple(found)

    @property
    def proved(self) -> list[Credential]:
        return [credential for credential in self.credentials.values() if credential.link is Link.PROVED]

    def did(self, record: Record) -> bool:
        """Whether a record is the actor's: made with a proved credential inside the window, and not the rightful owner's."""
        if record.event_id in self.struck:
            return False
        if record.event_id in self.attributed:
            return self.attributed[record.event_id]
        key = record.identity.access_key
        if not key:
            return any(foothold.link is Link.PROVED and foothold.holds(record) for foothold in self.footholds)
        credential = self.credentials.get(key)
        return credential is not None and credential.link is Link.PROVED and self.counts(credential, record)

    def counts(self, credential: Credential, record: Record) -> bool:
        """Whether the use of a credential is the actor's, if the credential is."""
        if credential.made or self.since is None:
            return True
        return record.time >= self.since and not self.is_owners(record)

    def is_owners(self, record: Record) -> bool:
        """Whether a call inside the window is taken for the rightful owner's: from where they worked before, and, where the actor
        is known by a user agent, also with what they worked with.
        """
        if any(fnmatchcase(record.user_agent, pattern) for pattern in self.agents) or record.source_ip in self.addresses:
            return False
        if record.source_ip not in self.owner_addresses:
            return False
        return not self.agents or program(record.user_agent) in self.owner_programs

    def doubt(self, record: Record) -> str:
        """Why a call with a stolen credential could be the other's, of owner and actor; empty where nothing speaks for it."""
        credential = self.credentials.get(record.identity.access_key)
        if credential is None or credential.made or self.since is None or record.time < self.since:
            return ""
        known = program(record.user_agent) in self.owner_programs
        if self.is_owners(record):
            return "" if known else "with a program that the owner had not used before"
        return "with a program that the owner used before" if known else ""

    def with_credential(self, credential: Credential) -> Actor:
        """The actor with one more credential. One that is proved stays so; a responder's word counts before any link."""
        held = self.credentials.get(credential.access_key)
        if credential.access_key in self.rulings:
            link, who = self.rulings[credential.access_key]
            if held is not None and held.link is link and held.how.startswith(who):
                return self
            return self._holding(replace(credential, link=link, how=f"{who}; {credential.how}"))
        if held is not None and (held.link is Link.PROVED or credential.link is Link.SUSPECTED):
            return self
        return self._holding(credential)

    def with_foothold(self, foothold: Foothold) -> Actor:
        """The actor with one more principal; the same one is held once, by its strongest link."""
        named = (foothold.kind, foothold.account, foothold.name, foothold.session)
        others = [one for one in self.footholds if (one.kind, one.account, one.name, one.session) != named]
        held = next((one for one in self.footholds if one not in others), None)
        if held is not None and (held.link is Link.PROVED or foothold.link is Link.SUSPECTED):
            return self
        return replace(self, footholds=(*others, foothold))

    def with_issue_time(self, access_key: str, issued: str) -> Actor:
        """The actor with the time at which a credential was handed out."""
        return self._holding(replace(self.credentials[access_key], issued=issued))

    def _holding(self, credential: Credential) -> Actor:
        return replace(self, credentials={**self.credentials, credential.access_key: credential})

    def to_json(self) -> dict[str, Any]:
        """The actor for the ledger; rulings stand there as amendments."""
        return {
            "since": self.since.isoformat() if self.since else None,
            "since_reason": self.since_reason,
            "seed": self.seed,
            "addresses": sorted(self.addresses),
            "agents": list(self.agents),
            "owner_addresses": sorted(self.owner_addresses),
            "owner_programs": sorted(self.owner_programs),
            "struck": sorted(self.struck),
            "attributed": dict(self.attributed),
            "credentials": [_plain(credential) for credential in self.credentials.values()],
            "footholds": [_plain(foothold) | {"since": foothold.since.isoformat()} for foothold in self.footholds],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Actor:
        items = cast(list[dict[str, Any]], body["credentials"])
        held = [replace(Credential(**item), link=Link(item["link"])) for item in items]
        return cls(
            credentials={credential.access_key: credential for credential in held},
            since=datetime.fromisoformat(body["since"]) if body["since"] else None,
            since_reason=body["since_reason"],
            seed=body["seed"],
            addresses=frozenset(body["addresses"]),
            agents=tuple(body["agents"]),
            owner_addresses=frozenset(body["owner_addresses"]),
            owner_programs=frozenset(body["owner_programs"]),
            struck=frozenset(body["struck"]),
            attributed=body["attributed"],
            footholds=tuple(_foothold(item) for item in body["footholds"]),
        )


def _plain(held: Credential | Foothold) -> dict[str, Any]:
    return {one.name: getattr(held, one.name) for one in fields(held)}


def _foothold(item: dict[str, Any]) -> Foothold:
    return replace(Foothold(**item), link=Link(item["link"]), since=datetime.fromisoformat(item["since"]))


_PRODUCT = re.compile(r"(?<!\S)(?!(?:m|md|ua|os|lang|cfg|api|exec-env|app)/)[A-Za-z][\w.-]*/\S+")
_RUN = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


def program(user_agent: str) -> str:
    """The products that a user agent names, with their versions: what the same program says of itself each time.

    Remarks, features, the operating system and ids of a run change from call to call. A user agent that names no product is known
    by all of its text.
    """
    products = _PRODUCT.findall(user_agent)
    return " ".join(products) if products else _RUN.sub("*", " ".join(user_agent.split()))
