"""Many findings, one incident: by what a finding belongs to an incident that is open, and what becomes of each delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incident.actor import Actor, Link
from incident.findings.finding import Finding, Named

JOINED = "another finding joined"
"""Why a look at the records was begun that a joining finding made."""

LOOKS_FOR_FINDINGS = 5
"""How often findings that join may make an incident look again; whoever can cause findings must not keep it looking for ever."""


class Outcome(StrEnum):
    """What became of a delivery."""

    OPENS = "opens"
    JOINS = "joins"
    VERSION = "version"
    SUPPRESSED = "suppressed"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Sorted:
    """One delivery, sorted.

    Attributes:
        delivery: the key of its line in the intake chain.
        incident: the incident that it opens or joins; empty where it does neither.
        why: in one sentence.
        responds: whether the finding starts a response; `None` where that is not known yet.
        handles: by what others join it.
        follows: the closed incident about the same actor or instance that the one which it opens comes after.
    """

    delivery: str
    incident: str
    outcome: Outcome
    why: str
    responds: bool | None
    handles: frozenset[str]
    finding: str
    account: str
    severity: float
    updated_at: datetime
    follows: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "delivery": self.delivery,
            "incident": self.incident,
            "outcome": str(self.outcome),
            "why": self.why,
            "responds": self.responds,
            "handles": sorted(self.handles),
            "finding": self.finding,
            "account": self.account,
            "severity": self.severity,
            "updated_at": self.updated_at.isoformat(),
            "follows": self.follows,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Sorted:
        """Read back what `to_json` wrote.

        Raises:
            KeyError, ValueError: somebody changed it.
        """
        return cls(
            delivery=str(body["delivery"]),
            incident=str(body["incident"]),
            outcome=Outcome(body["outcome"]),
            why=str(body["why"]),
            responds=body["responds"],
            handles=frozenset(map(str, body["handles"])),
            finding=str(body["finding"]),
            account=str(body["account"]),
            severity=float(body["severity"]),
            updated_at=datetime.fromisoformat(body["updated_at"]),
            follows=str(body.get("follows", "")),
        )


def joined_since(look: int, looks: Iterable[Mapping[str, Any]], news: int) -> bool:
    """Whether findings that name something new joined after a look began, and make another.

    Args:
        look: its number.
        looks: the incident's looks, as the ledger has them.
        news: how many findings that name something new have joined by now.
    """
    begun = [one for one in looks if int(one["look"]) <= look]
    known = next((int(one.get("findings", 0)) for one in begun if int(one["look"]) == look), 0)
    return news > known and sum(one["why"] == JOINED for one in begun) < LOOKS_FOR_FINDINGS


def handles(finding: Finding) -> frozenset[str]:
    """What names the actor or the instance of a finding. A role alone is not enough: others use it too."""
    found: set[str] = set()
    key, account = finding.access_key, finding.account
    if key is not None and key.access_key_id:
        found.add(f"key:{key.access_key_id}")
    if key is not None and key.user_type == "IAMUser" and key.user_name:
        found.add(f"user:{account}:{key.user_name}")
    if key is not None and key.user_type == "AssumedRole" and ":" in key.principal_id:
        found.add(f"session:{key.principal_id}")
        found.update(_of_instance(account, key.principal_id.rpartition(":")[2]))
    if finding.instance is not None:
        found.update(_of_instance(account, finding.instance.instance_id))
    for named in filter(None, (finding.named, finding.pointed)):
        found.update(_of_named(account, named))
    return frozenset(found)


def handles_of(actor: Actor, account: str) -> frozenset[str]:
    """What names an actor who has been identified: the credentials that are proved to be theirs, and the users they made."""
    proved = [credential for credential in actor.credentials.values() if credential.link is Link.PROVED]
    made = [one for one in actor.footholds if one.link is Link.PROVED and one.kind == "user" and one.made]
    keys = {f"key:{credential.access_key}" for credential in proved}
    return frozenset(keys | {f"user:{one.account or account}:{one.name}" for one in made})


def _of_named(account: str, named: Named) -> set[str]:
    found = {f"key:{key}" for key in named.access_keys} | {f"user:{account}:{user}" for user in named.users}
    found |= {f"resource:{account}:{name}" for name in named.resources}
    return found.union(*(_of_instance(account, instance) for instance in named.instances))


def _of_instance(account: str, name: str) -> set[str]:
    return {f"instance:{account}:{name}"} if name.startswith("i-") else set()
