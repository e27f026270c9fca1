"""The plan that stops the actor: keys inactive, sessions denied."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import datetime

from incident.actor import Actor, Credential, Link
from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import Phase, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread
from incident.resources.identity import ACCESS_KEY, GLOBAL, ROLE_POLICY, USER_POLICY, access_key, compact
from incident.settings import Observed, SettingKey, Value, same

_DENIED_BEFORE = re.compile(r'"aws:TokenIssueTime":"([0-9TZ:+-]+)"')
DENY_POLICY = "CountermandRevokeOlderSessions"


def deny_older_sessions(now: datetime) -> str:
    """A policy that refuses every session whose token was issued before `now`.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
    """
    moment = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return compact({"Version": "2012-10-17", "Statement": [statement]})


def wanted_settings(actor: Actor, now: datetime) -> dict[SettingKey, tuple[Value, Credential]]:
    """The settings that stop every proved credential of the actor, and the credential that each one stops."""
    wanted: dict[SettingKey, tuple[Value, Credential]] = {}
    for credential in actor.proved:
        if credential.kind in ("root", "service") or not credential.owner:
            continue
        if credential.kind == "user":
            wanted[access_key(credential.account, credential.access_key, credential.owner)] = ("Inactive", credential)
            continue
        kind = ROLE_POLICY if credential.kind == "role" else USER_POLICY
        holder = credential.owner.rsplit("/", 1)[-1]
        key = SettingKey(credential.account, GLOBAL, kind, holder, DENY_POLICY)
        held = wanted.get(key)
        if held is None or held[1].issued < credential.issued:
            wanted[key] = (deny_older_sessions(now), credential)
    return wanted


def containment(
    actor: Actor, live: Mapping[SettingKey, Observed | Unread | None], now: datetime
) -> tuple[list[Step], list[Unplanned]]:
    """The steps that stop the actor from the state that was just read, and what they cannot stop."""
    steps: list[Step] = []
    unplanned = [_suspected(credential) for credential in actor.credentials.values() if credential.link is Link.SUSPECTED]
    unplanned += [_beyond_us(credential) for credential in actor.proved if credential.kind == "root" or not credential.owner]
    for key, (value, credential) in wanted_settings(actor, now).items():
        found = live.get(key, Unread("it was not read"))
        outcome = _contained(key, value, credential, found)
        if isinstance(outcome, Step):
            steps.append(outcome)
        elif isinstance(outcome, Unplanned):
            unplanned.append(outcome)
    return steps, unplanned


def _contained(key: SettingKey, value: Value, credential: Credential, found: Observed | Unread | None) -> Step | Unplanned | None:
    if isinstance(found, Unread):
        return _unread(key, credential, found.reason)
    live = found.value if found else None
    if same(live, value) or (key.kind == ACCESS_KEY and live is None) or _already_denied(live, credential):
        return None
    family = family_for_kind(key.kind)
    change = family.change(key, found, value)
    back = family.change(key, Observed(key, value), live)
    if isinstance(change, Unrestorable):
        return _unread(key, credential, change.reason)
    return Step(
        id=step_id(Phase.CONTAIN, key, value),
        phase=Phase.CONTAIN,
        title=_title(key, credential),
        key=key,
        expects=live,
        leaves=value,
        calls=tuple(PlannedCall.of(call) for call in change),
        undo=() if isinstance(back, Unrestorable) else tuple(PlannedCall.of(call) for call in back),
        why=(credential.record,) if credential.record else (),
        source=credential.how,
    )


def _already_denied(live: Value, credential: Credential) -> bool:
    """Whether a deny that stands was written after the credential was handed out, so that a newer one adds nothing."""
    found = _DENIED_BEFORE.search(live) if isinstance(live, str) else None
    if found is None or not credential.issued:
        return False
    return datetime.fromisoformat(credential.issued) < datetime.fromisoformat(found.group(1))


def _title(key: SettingKey, credential: Credential) -> str:
    if key.kind == ACCESS_KEY:
        return f"Deactivate access key {key.resource} of user {key.name}"
    holder = "role" if key.kind == ROLE_POLICY else "user"
    return f"Deny all sessions of {holder} {key.resource} that were issued before now (every user of the {holder} signs in again)"


def _unread(key: SettingKey, credential: Credential, reason: str) -> Unplanned:
    return Unplanned(
        status="unread",
        what=f"stop {credential.access_key} of {credential.owner}",
        why=f"its live value could not be read: {reason}",
        advice="Contain it by hand or restore access and plan again.",
        key=key,
    )


def _suspected(credential: Credential) -> Unplanned:
    return Unplanned(
        status="suspected",
        what=f"credential {credential.access_key} of {credential.owner}",
        why=f"{credential.how}; this does not prove that the actor holds it",
        advice=f"Ask its owner; if it is the actor's, `countermand credential INCIDENT {credential.access_key} --theirs`.",
        records=(credential.record,) if credential.record else (),
    )


def _beyond_us(credential: Credential) -> Unplanned:
    """A credential that no policy and no call of ours stops."""
    if credential.kind == "root":
        why = "no policy binds the root user, and only they can change or delete their own credentials"
        advice = "Page the account's owner: they must sign in, change the root password, and delete the root access keys."
    else:
        why, advice = "no record of its use shows whose it is", "Find its owner and deactivate it by hand."
    return Unplanned(
        status="beyond-us", what=f"stop {credential.access_key} in account {credential.account}", why=why, advice=advice
    )


def still_open(
    actor: Actor, live: Mapping[SettingKey, Observed | Unread | None], now: datetime, freed: Container[SettingKey] = ()
) -> list[str]:
    """The proved credentials that a read does not show as stopped, less those that a responder wants released."""
    open_keys = [credential.access_key for credential in actor.proved if credential.kind == "root" or not credential.owner]
    for key, (_, credential) in wanted_settings(actor, now).items():
        if key not in freed and not _stopped(key, live.get(key)):
            open_keys.append(credential.access_key)
    return open_keys


def _stopped(key: SettingKey, found: Observed | Unread | None) -> bool:
    if isinstance(found, Unread):
        return False
    if key.kind == ACCESS_KEY:
        return found is None or found.value == "Inactive"
    return found is not None
