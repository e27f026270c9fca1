"""The way back from containment, or from preparation: each setting that it changed gets the value that it had before, by a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import Phase, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread, brief
from incident.resources.compute import INSTANCE
from incident.resources.identity import ACCESS_KEY
from incident.settings import Observed, SettingKey, Value, same

Live = Mapping[SettingKey, Observed | Unread | None]


def released(contained: Iterable[Step], live: Live, by: str = "containment") -> tuple[list[Step], list[Unplanned]]:
    """The steps that put back what containment changed, the last change first, and what cannot or need not be put back.

    Args:
        contained: containment's steps that were carried out, in their order.
        live: what a read just showed of their settings.
        by: what changed them, for people.
    """
    steps: list[Step] = []
    unplanned: list[Unplanned] = []
    for step in reversed(_one_each(contained)):
        outcome = _undone(step, live.get(step.key, Unread("it was not read")), by) if _is_there(step, live) else None
        if isinstance(outcome, Step):
            steps.append(outcome)
        elif isinstance(outcome, Unplanned):
            unplanned.append(outcome)
    return steps, unplanned


def to_read(contained: Iterable[Step]) -> list[SettingKey]:
    """What must be read to plan a release: each setting, and each instance that was isolated."""
    steps = list(contained)
    return list(dict.fromkeys([*(step.key for step in steps), *(_instance(step) for step in steps if step.concerns)]))


def _instance(step: Step) -> SettingKey:
    return step.key._replace(kind=INSTANCE, resource=step.concerns, name="")


def _is_there(step: Step, live: Live) -> bool:
    """Whether the instance that a step isolated is still there; nothing is put back for one that is gone."""
    return not step.concerns or live.get(_instance(step), Unread("it was not read")) is not None


def _one_each(contained: Iterable[Step]) -> list[Step]:
    """One step for each setting: from the value before the first change to the value after the last, at the place of the first."""
    merged: dict[SettingKey, Step] = {}
    for step in contained:
        first = merged.get(step.key)
        merged[step.key] = step if first is None else first.model_copy(update={"leaves": step.leaves})
    return list(merged.values())


def _undone(step: Step, found: Observed | Unread | None, by: str) -> Step | Unplanned | None:
    if isinstance(found, Unread):
        return _left(step, "unread", f"its live value could not be read: {found.reason}", None)
    value = found.value if found else None
    if same(value, step.expects) or (found is None and step.leaves is not None):
        # What is gone, with what it was a setting of, needs no way back; what containment itself took away does.
        return None
    if not same(value, step.leaves):
        return _left(step, "conflict", f"{by} left it {_valued(step.leaves)}, and now it is {_valued(value)}", value)
    change = family_for_kind(step.key.kind).change(step.key, found, step.expects)
    if isinstance(change, Unrestorable):
        return _left(step, "not-invertible", change.reason, value)
    return Step(
        id=step_id(Phase.RELEASE, step.key, step.expects),
        phase=Phase.RELEASE,
        title=f"Take back: {step.title}{_warning(step)}",
        key=step.key,
        expects=value,
        leaves=step.expects,
        calls=tuple(PlannedCall.of(call) for call in change),
        undo=step.calls,
        why=step.why,
        source=f"the value from before {by}",
    )


def _warning(step: Step) -> str:
    """What a tired person must not overlook."""
    return " (whoever stole this key can use it again)" if step.key.kind == ACCESS_KEY and step.expects == "Active" else ""


def _left(step: Step, status: str, why: str, found: Value) -> Unplanned:
    return Unplanned(
        status=status,
        what=f"take back: {step.title}",
        why=why,
        advice="Decide by hand.",
        key=step.key,
        found=found,
        wanted=step.expects,
    )


def _valued(value: Value) -> str:
    return "absent" if value is None else brief(value)
