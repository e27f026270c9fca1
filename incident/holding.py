"""Whether containment still stands: IAM spreads a change within seconds, and whoever may do so can take it back.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from incident.actor import Actor, Credential, Link
from incident.attribution import Question, used_by
from incident.containment import denied_before, holder_of, stopped_by
from incident.families import family_for_event, family_for_kind
from incident.family import Scope, Unrestorable
from incident.plan import Phase, PlannedCall, Step
from incident.planner import Unread, brief
from incident.record import Record, in_order
from incident.resources.compute import INSTANCE
from incident.resources.identity import ACCESS_KEY, GLOBAL
from incident.settings import Fold, Observed, SettingKey, same

Live = Mapping[SettingKey, Observed | Unread | None]
_NOT_READ = Unread("it was not read")
_ALWAYS_ANSWERED = "sts:GetCallerIdentity"
"""AWS answers it whatever a policy denies: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""


@dataclass(frozen=True, slots=True)
class Contained:
    """A containment step that was carried out.

    Attributes:
        step: with the ids of what was made.
        plan: the digest of its plan.
        done_at: when it was carried out, the last time.
    """

    step: Step
    plan: str
    done_at: datetime


@dataclass(frozen=True, slots=True)
class Undone:
    """A containment step that a read shows not to stand any more. `covered`: to do the same again is what people approved."""

    contained: Contained
    found: str
    covered: bool


def in_force(carried_out: Iterable[Contained]) -> list[Contained]:
    """The last step on each setting: what an earlier one set was replaced by it."""
    last = {one.step.key: one for one in carried_out}
    return list(last.values())


def to_read(contained: Iterable[Contained]) -> list[SettingKey]:
    """What must be read to tell what stands: each setting, and what it goes with."""
    return list(dict.fromkeys(key for one in contained for key in (one.step.key, _goes_with(one.step)) if key))


def undone(contained: Iterable[Contained], live: Live) -> tuple[list[Undone], list[str]]:
    """What does not stand any more, and what could not be read."""
    broken: list[Undone] = []
    unread: list[str] = []
    for one in contained:
        found = live.get(one.step.key, _NOT_READ)
        if isinstance(found, Unread):
            unread.append(f"{one.step.title}: {found.reason}")
        elif not _stands(one.step, found, live):
            value = found.value if found else None
            broken.append(Undone(one, "absent" if value is None else brief(value), _covers(one.step, found)))
    return broken, unread


def _goes_with(step: Step) -> SettingKey | None:
    """The user, role or instance with which what the step left ends."""
    if step.concerns:
        return step.key._replace(kind=INSTANCE, resource=step.concerns, name="")
    return holder_of(step.key)


def _stands(step: Step, found: Observed | None, live: Live) -> bool:
    value = found.value if found else None
    if same(value, step.leaves):
        return True
    goes_with = _goes_with(step)
    if goes_with is not None and live.get(goes_with, _NOT_READ) is None:
        return True
    denied = denied_before(step.leaves)
    if denied is not None:
        standing = denied_before(value)
        return standing is not None and standing >= denied
    # What is gone as a whole, such as a key or an interface, needs no containment.
    return value is None


def _covers(step: Step, found: Observed | None) -> bool:
    """Whether the step's own calls, from the very value that people saw, bring back what it left."""
    if not same(found.value if found else None, step.expects):
        return False
    change = family_for_kind(step.key.kind).change(step.key, found, step.leaves)
    if isinstance(change, Unrestorable) or not change:
        return False
    # A step that goes through a value between, as through an all-open group, ends with the same call.
    return tuple(PlannedCall.of(call) for call in change) == step.calls[-len(change) :]


# --- who did it ---------------------------------------------------------------------------------------------------------------


def questions(steps: Iterable[Contained], home_region: str) -> list[Question]:
    """Who changed what containment set, since it did: CloudTrail lists a record by the resources that it names."""
    asked: list[Question] = []
    for one in steps:
        key = one.step.key
        place = Scope(key.account, home_region if key.region == GLOBAL else key.region)
        names = (key.resource, key.name if key.kind == ACCESS_KEY else "", one.step.concerns)
        asked += [Question("ResourceName", name, place, one.done_at) for name in dict.fromkeys(names) if name]
    return list(dict.fromkeys(asked))


def undoer(one: Contained, records: Iterable[Record]) -> Record | None:
    """The last record, since a step was carried out, that wrote something else on its setting; `None` where none shows it yet.

    CloudTrail's times are whole seconds.
    """
    since = one.done_at.replace(microsecond=0)
    later = [record for record in in_order(records) if record.succeeded and not record.read_only and record.time >= since]
    return next((record for record in reversed(later) if _breaks(one.step, record)), None)


def _breaks(step: Step, record: Record) -> bool:
    family = family_for_event(record.operation)
    if family is None:
        return False
    try:
        writes = Fold().read(record, family.writes)
    except (KeyError, ValueError, TypeError, AttributeError):
        # A record of a shape that is not known accuses nobody.
        return False
    return any(entry.key == step.key and not same(entry.after, step.leaves) for entry in writes)


def suspected(actor: Actor, one: Contained, record: Record) -> Actor:
    """The actor with whoever undid a step as a suspect: a colleague may have done so to get their work going again."""
    if not record.identity.access_key:
        return actor
    return actor.with_credential(used_by(record, Link.SUSPECTED, f"it undid our containment: {one.step.title}"))


# --- does it still work -------------------------------------------------------------------------------------------------------


def still_working(actor: Actor, contained: Sequence[Contained], records: Iterable[Record], spread_seconds: float) -> list[str]:
    """The stopped credentials with which a call succeeded after what stopped them must have spread, with the newest such call.

    Nothing is tried with the credential: only what CloudTrail has shown so far counts, so that silence proves nothing.
    """
    by_key = {one.step.key: one for one in contained if one.step.phase is Phase.CONTAIN}
    found: list[str] = []
    known = list(records)
    for credential in actor.proved:
        setting = stopped_by(credential)
        one = by_key.get(setting) if setting else None
        if one is None or not _is_stopped_by(credential, one):
            continue
        later = [record for record in known if _works(credential, record, one.done_at, spread_seconds)]
        if later:
            newest = in_order(later)[-1]
            found.append(
                f"{credential.access_key} of {credential.owner}: {newest.operation} in {newest.region} at "
                f"{newest.time:%Y-%m-%d %H:%M:%S} UTC (record {newest.event_id})"
            )
    return found


def _is_stopped_by(credential: Credential, one: Contained) -> bool:
    """A session that was handed out later is no fault of a deny of those before."""
    denied = denied_before(one.step.leaves)
    return denied is None or not credential.issued or datetime.fromisoformat(credential.issued) < denied


def _works(credential: Credential, record: Record, stopped_at: datetime, spread_seconds: float) -> bool:
    if record.identity.access_key != credential.access_key or not record.succeeded:
        return False
    if record.operation == _ALWAYS_ANSWERED and credential.kind != "user":
        return False
    return (record.time - stopped_at).total_seconds() > spread_seconds


def since(one: Contained, done_at: datetime) -> Contained:
    """The same step, carried out once more."""
    return replace(one, done_at=max(one.done_at, done_at))
