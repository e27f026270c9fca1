"""Who else is cut off when the sessions of a role are denied: a deny by issue time asks nobody whose session it is.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident.actor import Actor
from incident.attribution import minted
from incident.plan import Step
from incident.record import Record, in_order
from incident.resources.identity import ROLE_POLICY, USER_POLICY

LONGEST_SESSION = timedelta(hours=12)
"""No session of a role lives longer: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html"""

_USUAL_SESSION = timedelta(hours=1)
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class RoleUse:
    """What was read of a role: who assumed it lately, when it was last used as IAM says, and what could not be read."""

    records: Sequence[Record] = ()
    last_used: str = ""
    gaps: tuple[str, ...] = ()


def cut_off(steps: Iterable[Step], roles: Mapping[str, str], uses: Mapping[str, RoleUse], actor: Actor, now: datetime) -> list[str]:
    """Whom each deny cuts off besides the actor, a line each.

    Args:
        steps: the steps of containment.
        roles: the ARN of each denied role, by the id of the step.
        uses: what was read of each role, by its ARN.
    """
    told: list[str] = []
    for step in steps:
        if step.key.kind == USER_POLICY:
            told.append(f"user {step.key.resource}: their own console and command line sessions end too")
        elif step.key.kind == ROLE_POLICY and step.id in roles:
            told += _of_role(step.key.resource, roles[step.id], uses.get(roles[step.id]), actor, now)
    return list(dict.fromkeys(told))


def _of_role(name: str, arn: str, use: RoleUse | None, actor: Actor, now: datetime) -> list[str]:
    if use is None:
        return [f"role {name}: who else uses it was not read"]
    sessions = [one for one in in_order(use.records) if _lives(one, arn, now) and not _is_actors(one, actor)]
    by_caller: dict[str, list[Record]] = {}
    for record in sessions:
        by_caller.setdefault(_caller(record), []).append(record)
    told = [f"role {name}: {_in_words(caller, records)}" for caller, records in list(by_caller.items())[:_SHOWN]]
    if len(by_caller) > _SHOWN:
        told.append(f"role {name}: and {len(by_caller) - _SHOWN} more callers")
    if not by_caller:
        told.append(f"role {name}: CloudTrail shows no session of anybody else that could still live")
    if use.last_used:
        told.append(f"role {name}: last used {use.last_used}, by whomever")
    return told + [f"role {name}: who else uses it is not known: {gap}" for gap in use.gaps]


def _lives(record: Record, arn: str, now: datetime) -> bool:
    """Whether a record handed out a session of the role that may live; AWS's own services renew theirs before they end."""
    given = minted(record)
    if given is None or given.owner != arn:
        return False
    seconds = record.request.get("durationSeconds")
    lasts = timedelta(seconds=seconds) if isinstance(seconds, int) else _USUAL_SESSION
    return record.time <= now < record.time + (LONGEST_SESSION if record.identity.invoked_by else lasts)


def _is_actors(record: Record, actor: Actor) -> bool:
    given = minted(record)
    return actor.did(record) or (given is not None and any(given.access_key == one.access_key for one in actor.proved))


def _caller(record: Record) -> str:
    if record.identity.invoked_by:
        return f"{record.identity.invoked_by} for {record.request.get('roleSessionName', 'no name')}"
    return record.identity.arn or record.identity.label


def _in_words(caller: str, records: Sequence[Record]) -> str:
    count = "1 session" if len(records) == 1 else f"{len(records)} sessions"
    return f"{caller} with {count}, the newest from {records[-1].time:%Y-%m-%d %H:%M} UTC"
