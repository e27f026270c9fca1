"""The plan that keeps evidence: snapshots of every instance before anything happens to it."""

from __future__ import annotations

from collections.abc import Mapping

from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import Phase, Plan, PlannedCall, Step, step_id
from incident.resources.auto_scaling import GROUP
from incident.resources.compute import INSTANCE
from incident.resources.evidence import COMPLETED, key_for
from incident.settings import SettingKey


def snapshot_steps(incident: str, volumes: Mapping[SettingKey, tuple[str, ...]]) -> tuple[Step, ...]:
    """One step for each instance that has volumes; `volumes` maps an instance's key to the ids of its volumes."""
    steps = [_snapshots(incident, instance, held) for instance, held in sorted(volumes.items()) if held]
    return tuple(step for step in steps if step is not None)


def _snapshots(incident: str, instance: SettingKey, volumes: tuple[str, ...]) -> Step | None:
    key = key_for(instance.account, instance.region, instance.resource, incident)
    wanted = dict.fromkeys(sorted(volumes), COMPLETED)
    change = family_for_kind(key.kind).change(key, None, wanted)
    if isinstance(change, Unrestorable):
        return None
    return Step(
        id=step_id(Phase.EVIDENCE, key, wanted),
        phase=Phase.EVIDENCE,
        title=f"Snapshot volumes of instance {instance.resource} ({instance.region})",
        key=key,
        expects=None,
        leaves=wanted,
        calls=tuple(PlannedCall.of(call) for call in change),
        source="evidence is kept before anything is stopped or deleted",
    )


def resting_on_evidence(steps: tuple[Step, ...], evidence: Plan) -> tuple[Step, ...]:
    """The steps, each deletion of an instance resting on the snapshots that were taken of it.

    A group takes its instances along, and a step does not say which: it rests on all that were taken where it is.
    """
    taken = {(step.account, step.region, step.key.resource): step.id for step in evidence.steps}
    return tuple(step.model_copy(update={"evidence": rests}) if (rests := _rests_on(step, taken)) else step for step in steps)


def _rests_on(step: Step, taken: Mapping[tuple[str, str, str], str]) -> tuple[str, ...]:
    if step.leaves is not None:
        return ()
    if step.key.kind == GROUP:
        return tuple(item for where, item in taken.items() if where[:2] == (step.account, step.region))
    if step.key.kind == INSTANCE and (step.account, step.region, step.key.resource) in taken:
        return (taken[step.account, step.region, step.key.resource],)
    return ()
