"""From reversals and live values to an ordered plan: the smallest set of calls from what is to what must be."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from typing import Any, cast

from incident.collector import collector_paused
from incident.families import EXISTENCE_KINDS, family_for_kind
from incident.family import ANY_RESOURCE, Call, Unrestorable
from incident.plan import Phase, Plan, PlannedCall, Step, Unplanned, step_id
from incident.settings import UNKNOWN, Observed, Reversal, SettingKey, Source, Unknown, Value, canonical, names_in, same


@dataclass(frozen=True, slots=True)
class Unread:
    """A live value that could not be read, and why. Unknown is not clean."""

    reason: str


Live = Mapping[SettingKey, Observed | Unread | None]
"""What a read just showed of each setting; `None` is absent."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Steps in the order in which they run, and what is left to people."""

    steps: tuple[Step, ...]
    unplanned: tuple[Unplanned, ...]


def propose(reversals: Iterable[Reversal], live: Live) -> Proposal:
    """Plan the way back for every setting that the actor wrote.

    A setting is left alone, and said so, where nothing tells its prior value, where its live value is neither what the actor
    wrote nor what is wanted, where somebody else's work stands on it, and where it could not be read.
    """
    with collector_paused():
        return _proposed(reversals, live)


def _proposed(reversals: Iterable[Reversal], live: Live) -> Proposal:
    wanted = _without_what_stays(list(reversals))
    doomed = {reversal.key for reversal in wanted if _is_undone_making(reversal)}
    makings = {(*key[:2], key.resource) for key in doomed}
    recreated = _recreated(wanted, live)
    implied = _implied(recreated)
    steps: list[Step] = []
    unplanned: list[Unplanned] = []
    for reversal in wanted:
        key = reversal.key
        if _lives_in(key, doomed) or (key in implied and same(implied[key], reversal.target)):
            continue
        found = live.get(key, Unread("it was not read"))
        if _lives_in(key, recreated):
            # What hung on a deleted resource went with it, whatever a read of its old id shows; AWS gives the new one its own.
            found = Observed(key, implied[key]) if key in implied else None
            reversal = replace(reversal, written=implied[key]) if key in implied else reversal
        outcome = _planned(_with_its_maker(reversal, makings), found)
        if isinstance(outcome, Step):
            steps.append(outcome)
        elif isinstance(outcome, Unplanned):
            unplanned.append(outcome)
    steps += _unwanted(implied, {reversal.key for reversal in wanted})
    steps = _after_their_makers(steps, wanted)
    return Proposal(ordered(steps), tuple(unplanned))


def _after_their_makers(steps: list[Step], wanted: Iterable[Reversal]) -> list[Step]:
    """The steps, those on what came with another resource after the step on that."""
    makers = {reversal.key: reversal.made_by for reversal in wanted if reversal.made_by is not None}
    by_key = {step.key: step.id for step in steps} if makers else {}
    waits = {key: by_key[maker] for key, maker in makers.items() if maker in by_key}
    return [step.model_copy(update={"after": (waits[step.key],)}) if step.key in waits else step for step in steps]


def _is_undone_making(reversal: Reversal) -> bool:
    """Whether a resource that the actor made is to go; one that others rely on waits for a person."""
    return reversal.key.name == "" and reversal.target is None and not reversal.relying


def _without_what_stays(wanted: list[Reversal]) -> list[Reversal]:
    """Less what came with a resource that stays; what the actor added to it later goes."""
    staying = {
        reversal.key: {record.event_id for record in reversal.by_actor}
        for reversal in wanted
        if reversal.key.name == "" and _stays(reversal)
    }
    if not staying:
        return wanted
    making = frozenset[str]().union(*staying.values())
    return [
        reversal
        for reversal in wanted
        if not _lives_in(reversal.key, staying) or any(record.event_id not in making for record in reversal.by_actor)
    ]


def _stays(reversal: Reversal) -> bool:
    """Whether a resource that the actor made stays: for now, as others rely on it, or because a responder chose so."""
    if reversal.source is Source.RESPONDER:
        return reversal.target is not None and same(reversal.target, reversal.written)
    return bool(reversal.relying)


def _recreated(wanted: Iterable[Reversal], live: Live) -> dict[SettingKey, Value]:
    """The resources that are made again, with what they are made of."""
    return {
        reversal.key: reversal.target
        for reversal in wanted
        if reversal.key.name == "" and reversal.target not in (None, UNKNOWN) and live.get(reversal.key, UNKNOWN) is None
    }


def _implied(recreated: Mapping[SettingKey, Value]) -> dict[SettingKey, Value]:
    """The settings that AWS makes along with each resource that is made again."""
    return {
        key: value
        for resource, content in recreated.items()
        for key, value in family_for_kind(resource.kind).implies(resource, content)
    }


def _unwanted(implied: Mapping[SettingKey, Value], wanted: set[SettingKey]) -> list[Step]:
    """Steps that take away what AWS makes along with a resource and this one did not have, such as a rule that lets all out."""
    steps: list[Step] = []
    for key, value in implied.items():
        if key in wanted:
            continue
        change = family_for_kind(key.kind).change(key, Observed(key, value), None)
        if not isinstance(change, Unrestorable) and change:
            steps.append(
                Step(
                    id=step_id(Phase.RECOVER, key, None),
                    phase=Phase.RECOVER,
                    title=title(key, value, None),
                    key=key,
                    expects=value,
                    leaves=None,
                    calls=tuple(PlannedCall.of(call) for call in change),
                    source="AWS makes it with every new one; this one did not have it",
                )
            )
    return steps


def _lives_in(key: SettingKey, resources: Container[SettingKey]) -> bool:
    """Whether a setting lives in one of these resources and goes and comes with it."""
    parent = family_for_kind(key.kind).part_of.get(key.kind)
    if parent is None:
        return False
    if parent != ANY_RESOURCE:
        return key._replace(kind=parent, name="") in resources
    return any(key._replace(kind=kind, name="") in resources for kind in EXISTENCE_KINDS)


def _with_its_maker(reversal: Reversal, makings: Container[tuple[str, ...]]) -> Reversal:
    """What hangs on a resource that the actor made did not exist before it, whatever else is unknown."""
    made = (*reversal.key[:2], reversal.key.resource) in makings
    return replace(reversal, target=None, source=Source.RECORD) if made and isinstance(reversal.target, Unknown) else reversal


def _planned(reversal: Reversal, live: Observed | Unread | None) -> Step | Unplanned | None:
    if isinstance(live, Unread):
        return _left(reversal, "unread", f"its live value could not be read: {live.reason}", "Restore access to it and plan again.")
    found = None if live is None else live.value
    if reversal.relying and found is not None:
        return _left(reversal, "conflict", _who_set_what(reversal, found), "Choose whether it stays, and move what uses it.", found)
    if isinstance(reversal.target, Unknown):
        advice = "Give the value it must have, from a backup, AWS Config or the person who owns it."
        return _left(reversal, "needs-prior-state", "no record, Config item or baseline tells the value before", advice, found)
    if same(found, reversal.target):
        return None
    if not isinstance(reversal.written, Unknown) and not same(found, reversal.written):
        return _left(reversal, "conflict", _who_set_what(reversal, found), "Choose which value it must have.", found)
    change = family_for_kind(reversal.key.kind).change(reversal.key, live, reversal.target)
    if isinstance(change, Unrestorable):
        return _left(reversal, change.status, change.reason, change.advice, found)
    return _step(reversal, live, change) if change else None


def _who_set_what(reversal: Reversal, found: Value) -> str:
    """Both values and their authors, for the person who chooses."""
    last = reversal.by_actor[-1]
    told = [f"{last.identity.label} left it {_valued(reversal.written)} at {last.time:%Y-%m-%d %H:%M:%S} UTC"]
    later = {(entry.key, entry.record.event_id): entry for entry in (*reversal.since[-1:], *reversal.relying)}
    for entry in later.values():
        what = (
            "it" if entry.key == reversal.key else f"{entry.key.kind} {entry.key.name} of {entry.key.resource}".replace("  ", " ")
        )
        when = f"{entry.record.time:%Y-%m-%d %H:%M:%S} UTC"
        told.append(f"{entry.record.identity.label} set {what} to {_valued(entry.after)} at {when}")
    if not reversal.since and not reversal.relying:
        told.append("someone whom no record shows changed it since")
    return "; ".join([*told, f"now it is {_valued(found)}"])


def _valued(value: Value | Unknown) -> str:
    return "unknown" if isinstance(value, Unknown) else "absent" if value is None else brief(value)


def _left(reversal: Reversal, status: str, why: str, advice: str, found: Value = None) -> Unplanned:
    authors = dict.fromkeys(
        [record.identity.label for record in reversal.by_actor]
        + [entry.record.identity.label for entry in (*reversal.since, *reversal.relying)]
    )
    harm = "" if status == "unread" else family_for_kind(reversal.key.kind).harm(reversal.key, found, reversal.target)
    return Unplanned(
        status=status,
        what=f"{reversal.by_actor[-1].event_name} on {reversal.key}",
        why=f"{why}; as it is, {harm}" if harm else why,
        advice=advice,
        records=tuple(record.event_id for record in reversal.by_actor),
        key=reversal.key,
        found=found,
        wanted=None if reversal.target is UNKNOWN else reversal.target,
        authors=tuple(authors),
    )


def _step(reversal: Reversal, live: Observed | None, calls: tuple[Call, ...]) -> Step:
    key, target = reversal.key, reversal.target
    family = family_for_kind(key.kind)
    found = None if live is None else live.value
    phase = Phase.ERADICATE if target is None else Phase.RECOVER
    recreates = target is not None and key.name == "" and bool(calls[-1].creates)
    opened = live is not None and family.opens(key, found)
    return Step(
        id=step_id(phase, key, target),
        phase=phase,
        title=title(key, found, target),
        key=key,
        expects=found,
        leaves=target,
        calls=tuple(PlannedCall.of(call) for call in calls),
        undo=_undo(key, target, found),
        why=tuple(record.event_id for record in reversal.by_actor),
        source=str(reversal.source),
        creates=calls[-1].creates,
        replaces=key.resource if recreates else "",
        irreversible=next((call.irreversible for call in calls if call.irreversible), ""),
        loses="; ".join(call.loses for call in calls if call.loses),
        closes_exposure=opened and (target is None or not family.opens(key, target)),
    )


def _undo(key: SettingKey, live: Value, wanted: Value) -> tuple[PlannedCall, ...]:
    observed = None if live is None else Observed(key, live)
    try:
        change = family_for_kind(key.kind).change(key, observed, wanted)
    except (KeyError, ValueError):
        return ()
    return () if isinstance(change, Unrestorable) else tuple(PlannedCall.of(call) for call in change)


def first_wave(plan: Plan) -> tuple[Step, ...]:
    """What runs as eradication: deletions, closed exposures and what does harm, as far as they wait for nothing that is restored
    later."""
    chosen: dict[str, Step] = {}
    for step in plan.steps:
        if (step.phase is Phase.ERADICATE or step.closes_exposure or _harm(step)) and chosen.keys() >= set(step.after):
            chosen[step.id] = step
    return tuple(chosen.values())


def title(key: SettingKey, found: Value, target: Value) -> str:
    """One plain line for people: what happens to which setting, and what the value that is there does, where that is harm."""
    harm = family_for_kind(key.kind).harm(key, found, target)
    return f"{_happens(key, found, target)}; as it is, {harm}" if harm else _happens(key, found, target)


def _happens(key: SettingKey, found: Value, target: Value) -> str:
    name = f"{key.kind.replace('-', ' ')} {key.name}".strip()
    where = f"{key.resource} ({key.region})"
    if target is None:
        return f"Remove {name} from {where}" if key.name else f"Delete {name} {where}"
    if found is None:
        return f"Put back {name} in {where}: {brief(target)}" if key.name else f"Create {name} {where} again"
    return f"Set {name} of {where} from {brief(found)} back to {brief(target)}"


def brief(value: Value) -> str:
    """A value in few words."""
    if isinstance(value, dict):
        named = sorted(cast(dict[str, Any], value).items())
        parts = [f"{name} {brief(item)}" for name, item in named if item not in ("", None, [], {})]
        return ", ".join(parts) or "present"
    if isinstance(value, list):
        return " ".join(brief(item) for item in cast(list[Any], value)) or "none"
    text = value if isinstance(value, str) else canonical(value)
    return text if len(text) <= 80 else text[:77] + "…"


def ordered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Exposure first, then what is deleted, then what is restored; a step never comes before one that it needs.

    Needs are read from names, and an actor can write names: where steps need each other in a circle, the most urgent of them waits
    for no other, so that nobody can keep a plan from being made. AWS refuses what really cannot go first, and the step says so.
    """
    needed = {step.id: step for step in _with_needs(list(steps))}
    waits = {step.id: set(step.after) for step in needed.values()}
    frees: dict[str, list[str]] = {}
    for step in needed.values():
        for earlier in step.after:
            frees.setdefault(earlier, []).append(step.id)
    ready = [(_urgency(step), step.id) for step in needed.values() if not waits[step.id]]
    heapify(ready)
    placed: list[Step] = []
    while len(placed) < len(needed):
        if not ready:
            freed = min((step for step in needed.values() if waits[step.id]), key=_urgency)
            still = [earlier for earlier in freed.after if earlier not in waits[freed.id]]
            needed[freed.id] = freed.model_copy(update={"after": tuple(still)})
            waits[freed.id].clear()
            heappush(ready, (_urgency(freed), freed.id))
        _, done = heappop(ready)
        placed.append(needed[done])
        for later in frees.get(done, ()):
            if done in waits[later]:
                waits[later].discard(done)
                if not waits[later]:
                    heappush(ready, (_urgency(needed[later]), later))
    return tuple(placed)


_PHASES = {phase: place for place, phase in enumerate(Phase)}


def _urgency(step: Step) -> tuple[bool, int, int, int, str]:
    family = family_for_kind(step.key.kind)
    rank, place = family.rank.get(step.key.kind, 0), family.place(step.key, step.expects, step.leaves)
    # A way that is a resource of its own, such as a gateway, lets go only when what uses it is gone.
    hurried = (step.closes_exposure or bool(_harm(step))) and step.key.name != ""
    return (not hurried, _PHASES[step.phase], rank if step.leaves is None else -rank, place, step.id)


def _harm(step: Step) -> str:
    """What the value that a step takes back does; preparation and evidence change nothing of an actor's."""
    if step.phase not in (Phase.ERADICATE, Phase.RECOVER):
        return ""
    return family_for_kind(step.key.kind).harm(step.key, step.expects, step.leaves)


def _with_needs(steps: list[Step]) -> list[Step]:
    """Each step with the steps it must follow: a deletion follows every step that lets go of the resource."""
    before = {step.id: names_in([step.expects, *step.key[2:]]) for step in steps}
    wanted = {step.id: names_in([step.leaves, *step.key[2:]]) for step in steps}
    deletions = _by_name((word_for(step.key), step) for step in steps if step.leaves is None)
    creations = _by_name((step.replaces, step) for step in steps if step.replaces)
    needs: dict[str, set[str]] = {step.id: set(step.after) for step in steps}
    for step in steps:
        for deletion in _named(deletions, before[step.id]):
            if deletion is not step and _lets_go_first(step, deletion, before):
                needs[deletion.id].add(step.id)
        for creation in _named(creations, wanted[step.id]):
            if creation is not step and _comes_later(step, creation, wanted):
                needs[step.id].add(creation.id)
    return [step.model_copy(update={"after": tuple(sorted(needs[step.id]))}) if needs[step.id] else step for step in steps]


def word_for(key: SettingKey) -> str:
    """The word by which the values of other settings name a resource, or a part of one such as a template's version."""
    return f"{key.resource}/{key.name}" if key.name else key.resource


def _by_name(named: Iterable[tuple[str, Step]]) -> dict[str, list[Step]]:
    """Steps by the resource that they delete or make again, so that a step finds those that it names."""
    found: dict[str, list[Step]] = {}
    for name, step in named:
        found.setdefault(name, []).append(step)
    return found


def _named(steps: Mapping[str, list[Step]], names: Iterable[str]) -> Iterable[Step]:
    return (step for name in names for step in steps.get(name, ()))


def _lets_go_first(step: Step, deletion: Step, names: Mapping[str, frozenset[str]]) -> bool:
    """Whether a step on a resource runs before its deletion; two deletions that name each other run in rank order."""
    if step.key.resource not in names[deletion.id] or step.leaves is not None or step.key.name:
        return True
    return _urgency(step)[2:] < _urgency(deletion)[2:]


def _comes_later(step: Step, creation: Step, names: Mapping[str, frozenset[str]]) -> bool:
    """Whether a step follows a creation that it names; of two creations that name each other the higher rank is first."""
    if not step.replaces or step.replaces not in names[creation.id]:
        return True
    return _urgency(creation)[2:] < _urgency(step)[2:]
