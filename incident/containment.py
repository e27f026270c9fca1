"""The plan that stops the actor: keys inactive, sessions denied."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import UTC, datetime

from incident.actor import Actor, Credential, Link
from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import Phase, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread
from incident.resources.identity import ACCESS_KEY, GLOBAL, ROLE_POLICY, USER, USER_POLICY, access_key, compact
from incident.resources.role import ROLE
from incident.settings import Observed, SettingKey, Value, same

_DENIED_BEFORE = re.compile(r'"aws:TokenIssueTime":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z)"')
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_NOT_READ = Unread("it was not read")

Live = Mapping[SettingKey, Observed | Unread | None]
"""What a read just showed of each setting; `None` is absent."""

DENY_POLICY = "CountermandRevokeOlderSessions"
KINDS = (ACCESS_KEY, ROLE_POLICY, USER_POLICY)
"""The kinds of settings that containment brings to a value, and a release back."""
BEYOND_US = "beyond-us"
"""The status of what no call of ours stops: a person is paged, and nothing is said to be contained."""


def deny_older_sessions(now: datetime) -> str:
    """A policy that refuses every session whose token was issued before `now`.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
    """
    moment = now.strftime(_MOMENT)
    condition = {"DateLessThan": {"aws:TokenIssueTime": moment}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return compact({"Version": "2012-10-17", "Statement": [statement]})


def wanted_settings(actor: Actor, now: datetime) -> dict[SettingKey, tuple[Value, Credential]]:
    """The settings that stop every proved credential of the actor, and the credential that each one stops."""
    wanted: dict[SettingKey, tuple[Value, Credential]] = {}
    for credential in actor.proved:
        key = stopped_by(credential)
        if key is None:
            continue
        if key.kind == ACCESS_KEY:
            wanted[key] = ("Inactive", credential)
            continue
        held = wanted.get(key)
        if held is None or held[1].issued < credential.issued:
            wanted[key] = (deny_older_sessions(now), credential)
    return wanted


def stopped_by(credential: Credential) -> SettingKey | None:
    """The setting that stops a credential: a key's status, or a deny on whose session it is; `None` where nothing of ours does."""
    if credential.kind in ("root", "service") or not credential.owner:
        return None
    if credential.kind == "user":
        return access_key(credential.account, credential.access_key, credential.owner)
    kind = ROLE_POLICY if credential.kind == "role" else USER_POLICY
    return SettingKey(credential.account, GLOBAL, kind, credential.owner.rsplit("/", 1)[-1], DENY_POLICY)


def settings_to_read(actor: Actor, now: datetime) -> list[SettingKey]:
    """What must be read to plan containment and to prove it: the settings that stop the actor, and whether their holders exist."""
    wanted = wanted_settings(actor, now)
    return [*wanted, *dict.fromkeys(holder for key in wanted if (holder := holder_of(key)))]


def holder_of(key: SettingKey) -> SettingKey | None:
    """The user or role that a deny is put on. Their sessions end with them."""
    kinds = {ROLE_POLICY: ROLE, USER_POLICY: USER}
    return key._replace(kind=kinds[key.kind], name="") if key.kind in kinds else None


def _is_gone(key: SettingKey, live: Live) -> bool:
    """Whether a read showed that whom a deny would be put on is not there any more."""
    holder = holder_of(key)
    return holder is not None and live.get(holder, _NOT_READ) is None


def containment(actor: Actor, live: Live, now: datetime) -> tuple[list[Step], list[Unplanned]]:
    """The steps that stop the actor from the state that was just read, and what they cannot stop."""
    steps: list[Step] = []
    unplanned = [_suspected(credential) for credential in actor.credentials.values() if credential.link is Link.SUSPECTED]
    unplanned += [_beyond_us(credential) for credential in _unstoppable(actor)]
    for key, (value, credential) in wanted_settings(actor, now).items():
        if _is_gone(key, live):
            continue
        found = live.get(key, _NOT_READ)
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
    denied = denied_before(live)
    return denied is not None and credential.issued != "" and datetime.fromisoformat(credential.issued) < denied


def denied_before(live: Value) -> datetime | None:
    """Before which moment tokens are denied; `None` for anything but our deny as a whole.

    An actor may have put a policy of this name there, with our words and another meaning.
    """
    found = _DENIED_BEFORE.search(live) if isinstance(live, str) else None
    if found is None:
        return None
    moment = datetime.strptime(found.group(1), _MOMENT).replace(tzinfo=UTC)
    return moment if live == deny_older_sessions(moment) else None


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
        advice=f"Ask its owner, and amend the case with: credential {credential.access_key} theirs, or not-theirs.",
        records=(credential.record,) if credential.record else (),
    )


def _beyond_us(credential: Credential) -> Unplanned:
    """A credential that no policy and no call of ours stops."""
    if credential.kind == "root":
        why = "no policy binds the root user, and only they can change or delete their own credentials"
        advice = "Page the account's owner: they must sign in, change the root password, and delete the root access keys."
    else:
        why, advice = "no record of its use shows whose it is", "Find its owner and deactivate it by hand."
    return Unplanned(status=BEYOND_US, what=f"stop {credential.access_key} in account {credential.account}", why=why, advice=advice)


def from_the_management_account(account: str) -> Unplanned:
    """What a response cannot do where the actor stands in an organization's management account.

    See https://docs.aws.amazon.com/organizations/latest/userguide/orgs_best-practices_mgmt-acct.html
    """
    return Unplanned(
        status=BEYOND_US,
        what=f"close the organization's management account {account}, in which the actor has credentials",
        why="no service control policy binds it, and from it every member account can be entered",
        advice="Page the organization's owner: look at AWSControlTower and OrganizationAccountAccessRole in every member account.",
    )


def _unstoppable(actor: Actor) -> list[Credential]:
    return [credential for credential in actor.proved if credential.kind == "root" or not credential.owner]


def still_open(
    actor: Actor, live: Live, now: datetime, freed: Container[SettingKey] = (), by_hand: Container[str] = ()
) -> list[str]:
    """The proved credentials that a read does not show as stopped.

    Args:
        freed: settings that a responder wants released.
        by_hand: ids of the items that a person took care of, such as a root user's key.
    """
    open_keys = [credential.access_key for credential in _unstoppable(actor) if _beyond_us(credential).id not in by_hand]
    for key, (_, credential) in wanted_settings(actor, now).items():
        if key not in freed and not _is_gone(key, live) and not _is_stopped(key, live.get(key, _NOT_READ), credential, actor):
            open_keys.append(credential.access_key)
    return open_keys


def _is_stopped(key: SettingKey, found: Observed | Unread | None, credential: Credential, actor: Actor) -> bool:
    """Whether a key is inactive or gone, or a session was handed out before what our deny denies."""
    if isinstance(found, Unread):
        return False
    if key.kind == ACCESS_KEY:
        return found is None or found.value == "Inactive"
    denied = denied_before(found.value) if found else None
    handed_out = datetime.fromisoformat(credential.issued) if credential.issued else actor.since
    return denied is not None and (handed_out is None or handed_out < denied)
