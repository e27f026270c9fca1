"""The plan that keeps evidence: snapshots of every instance before anything happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.findings.finding import Finding
from incident.isolation import suspects
from incident.plan import Phase, Plan, PlannedCall, Step, Unplanned, step_id
from incident.resources.auto_scaling import GROUP
from incident.resources.compute import INSTANCE
from incident.resources.evidence import COMPLETED, EVIDENCE_COPY, EVIDENCE_LOCK, EVIDENCE_SHARE, GOVERNANCE, key_for
from incident.resources.spot import TAKES_INSTANCES
from incident.settings import Reversal, SettingKey, Value
from incident.volatile import Of, rests_on


def at_stake(reversals: Iterable[Reversal], finding: Finding) -> list[SettingKey]:
    """The instances that would be deleted or isolated: what they hold is kept before."""
    given = list(reversals)
    gone = [one.key for one in given if one.key.kind == INSTANCE and one.target is None]
    return list(dict.fromkeys([*gone, *(suspect.key for suspect in suspects(given, finding))]))


def beyond_snapshots(volumes: Mapping[SettingKey, tuple[str, ...]], stores: Mapping[SettingKey, int | None]) -> list[Unplanned]:
    """What of the instances no snapshot holds. `stores` are the gigabytes of instance store that an instance's type has.

    See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-lifetime.html
    """
    told: list[Unplanned] = []
    for key, held in volumes.items():
        has = stores.get(key, 0)
        if not held:
            told.append(_lost(key, "has no EBS volume", "instance-store data dies with the instance and cannot be kept"))
        elif has is None:
            told.append(
                _lost(key, "may have an instance store", "AWS did not say what its type has; such data dies with the instance")
            )
        elif has:
            told.append(
                _lost(
                    key, f"has {has} GB of instance store", "that data dies with the instance; snapshots hold the EBS volumes only"
                )
            )
    return told


def _lost(key: SettingKey, what: str, why: str) -> Unplanned:
    advice = "Strike the deletion if its memory or disks matter, and image it by hand first."
    return Unplanned(status="no-evidence", what=f"instance {key.resource} ({key.region}) {what}", why=why, advice=advice, key=key)


def snapshot_steps(incident: str, volumes: Mapping[SettingKey, tuple[str, ...]]) -> tuple[Step, ...]:
    """One step for each instance that has volumes; `volumes` maps an instance's key to the ids of its volumes."""
    steps = [_snapshots(incident, instance, held) for instance, held in sorted(volumes.items()) if held]
    return tuple(step for step in steps if step is not None)


def _snapshots(incident: str, instance: SettingKey, volumes: tuple[str, ...]) -> Step | None:
    return _step(
        key_for(instance.account, instance.region, instance.resource, incident),
        dict.fromkeys(sorted(volumes), COMPLETED),
        f"Snapshot volumes of instance {instance.resource} ({instance.region})",
        "evidence is kept before anything is stopped or deleted",
    )


@dataclass(frozen=True, slots=True)
class Handover:
    """What happens to snapshots: copied under a key (`{region}` in it is theirs), shared with an account, locked for days."""

    account: str = ""
    key: str = ""
    lock_days: int = 0


def copy_steps(incident: str, snapshots: Iterable[SettingKey], handover: Handover) -> tuple[Step, ...]:
    """A copy of each snapshot under the evidence account's key; `snapshots` are settings whose resource is a snapshot."""
    if not handover.key:
        return ()
    told = "what the default AWS key encrypts cannot be shared"
    steps = [
        _step(
            SettingKey(one.account, one.region, EVIDENCE_COPY, one.resource, incident),
            {"state": COMPLETED, "key": handover.key.replace("{region}", one.region)},
            f"Copy snapshot {one.resource} ({one.region}) under the key of account {handover.account}",
            told,
        )
        for one in snapshots
    ]
    return tuple(step for step in steps if step is not None)


def seal_steps(snapshots: Iterable[SettingKey], copies: Iterable[SettingKey], handover: Handover) -> tuple[Step, ...]:
    """The copies shared with the evidence account, and all of them locked."""
    copied = list(copies)
    shared = [
        _step(
            SettingKey(one.account, one.region, EVIDENCE_SHARE, one.resource, handover.account),
            True,
            f"Share snapshot {one.resource} ({one.region}) with account {handover.account}",
            "evidence is held where the actor has no hand",
        )
        for one in copied
        if handover.account
    ]
    locked = [
        _step(
            SettingKey(one.account, one.region, EVIDENCE_LOCK, one.resource),
            {"mode": GOVERNANCE, "days": handover.lock_days},
            f"Lock snapshot {one.resource} ({one.region}) for {handover.lock_days} days",
            "a lock keeps evidence from being deleted by mistake or by the actor",
        )
        for one in (*snapshots, *copied)
        if handover.lock_days
    ]
    return tuple(step for step in (*shared, *locked) if step is not None)


def _step(key: SettingKey, wanted: Value, title: str, source: str) -> Step | None:
    change = family_for_kind(key.kind).change(key, None, wanted)
    if isinstance(change, Unrestorable):
        return None
    calls = tuple(PlannedCall.of(call) for call in change)
    identity = step_id(Phase.EVIDENCE, key, wanted)
    return Step(id=identity, phase=Phase.EVIDENCE, title=title, key=key, leaves=wanted, calls=calls, source=source)


_TAKE_INSTANCES = TAKES_INSTANCES | {GROUP}
"""What takes its instances along: a step does not say which."""


def resting_on_evidence(steps: tuple[Step, ...], evidence: Plan, kept: Kept | None = None) -> tuple[Step, ...]:
    """The steps, each deletion resting on the snapshots that were taken of an instance and on the facts that were kept of it.

    A group or fleet takes its instances along, and a step does not say which: it rests on all that was kept where it is.
    """
    taken = {(step.account, step.region, step.key.resource): step.id for step in evidence.steps}

    def resting(step: Step) -> Step:
        rests = (*_rests_on(step, taken), *(_facts_of(step, kept) if kept else ()))
        return step.model_copy(update={"evidence": rests}) if rests else step

    return tuple(map(resting, steps))


@dataclass(frozen=True, slots=True)
class Kept:
    """What the manifest says of facts: the names of the items, and of those that could not be kept, each with the reason."""

    items: frozenset[str] = frozenset()
    gaps: Mapping[str, str] = field(default_factory=dict[str, str])


def not_kept(steps: tuple[Step, ...], kept: Kept) -> tuple[Unplanned, ...]:
    """What could not be kept of what the steps delete, for the people who decide on it."""
    return tuple(told for step in steps if step.leaves is None and (told := _not_kept_of(step.key, kept)) is not None)


def _not_kept_of(key: SettingKey, kept: Kept) -> Unplanned | None:
    lost = [(name.rpartition("/")[2], kept.gaps[name]) for name in rests_on(key) if name in kept.gaps]
    if not lost:
        return None
    return Unplanned(
        status="no-evidence",
        what=f"of {key.kind} {key.resource} ({key.region}) could not be kept: {', '.join(item for item, _ in lost)}",
        why="; ".join(dict.fromkeys(why for _, why in lost)),
        advice="It is gone with the deletion; strike the deletion if it matters, and take it by hand first.",
        key=key,
    )


def _facts_of(step: Step, kept: Kept) -> tuple[str, ...]:
    if step.leaves is not None:
        return ()
    if step.key.kind in _TAKE_INSTANCES:
        return tuple(sorted(name for name in kept.items if name.startswith(f"{Of.INSTANCE}/{step.region}/")))
    return tuple(name for name in rests_on(step.key) if name not in kept.gaps)


def _rests_on(step: Step, taken: Mapping[tuple[str, str, str], str]) -> tuple[str, ...]:
    if step.leaves is not None:
        return ()
    if step.key.kind in _TAKE_INSTANCES:
        return tuple(item for where, item in taken.items() if where[:2] == (step.account, step.region))
    if step.key.kind == INSTANCE and (step.account, step.region, step.key.resource) in taken:
        return (taken[step.account, step.region, step.key.resource],)
    return ()
