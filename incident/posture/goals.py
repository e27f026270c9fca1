"""A setting that a place is to have, and the plan from what is there to what is to be there.

A setting that is right already makes no step, so that a plan that was carried out makes an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.plan import Phase, Plan, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread
from incident.posture.places import Place
from incident.settings import Observed, SettingKey, Value, same

CASE = "preparation"
"""The chain of the ledger that holds the plans of preparation, as an incident's chain holds its own."""


@dataclass(frozen=True)
class Goal:
    """A setting, the value that it must have, and after which others of the same place.

    `value` is made from the live one where that holds more than ours, such as a topic's policy.
    """

    key: SettingKey
    value: Callable[[Value], Value]
    title: str
    part: str
    after: tuple[SettingKey, ...] = ()


@dataclass
class Goals:
    """What a place is to be given, and what is left to people. `closing` is the automation that closes ports."""

    closing: Mapping[str, Any]

    wanted: list[Goal] = field(default_factory=list[Goal])
    left: list[Unplanned] = field(default_factory=list[Unplanned])

    def want(self, part: str, key: SettingKey, value: Value, title: str, *after: SettingKey) -> SettingKey:
        return self.merge(part, key, lambda live: value, title, *after)

    def merge(self, part: str, key: SettingKey, value: Callable[[Value], Value], title: str, *after: SettingKey) -> SettingKey:
        if all(one.key != key for one in self.wanted):
            self.wanted.append(Goal(key, value, title, part, after))
        return key

    def leave(self, place: Place, part: str, why: str, advice: str, status: str = "needs-setting") -> None:
        what = f"{part} in {place.account} {place.region}"
        self.left.append(Unplanned(status=status, what=what, why=why, advice=advice))


def planned(found: Goals, live: Mapping[SettingKey, Observed | Unread | None], look: int = 1) -> Plan:
    """The plan from the live values to the goals."""
    steps: list[Step] = []
    left = list(found.left)
    made: dict[SettingKey, str] = {}
    for goal in found.wanted:
        outcome = _step(goal, live.get(goal.key, Unread("it was not read")), made)
        if isinstance(outcome, Step):
            steps.append(outcome)
            made[goal.key] = outcome.id
        elif isinstance(outcome, Unplanned):
            left.append(outcome)
    because = "What `countermand readiness` found missing, as the settings under prepare say."
    return Plan(incident=CASE, title="Prepare", look=look, because=because, steps=tuple(steps), unplanned=tuple(left))


def _step(goal: Goal, found: Observed | Unread | None, made: Mapping[SettingKey, str]) -> Step | Unplanned | None:
    if isinstance(found, Unread):
        return _left(goal, "unread", found.reason, "let the role read it, and plan again")
    now = found.value if found else None
    wanted = goal.value(now)
    if same(now, wanted):
        return None
    family = family_for_kind(goal.key.kind)
    change = family.change(goal.key, found, wanted)
    if isinstance(change, Unrestorable):
        return _left(goal, "conflict", change.reason, change.advice, now, wanted)
    back = family.change(goal.key, Observed(goal.key, wanted, found.handles if found else {}), now)
    kept = isinstance(back, Unrestorable)
    return Step(
        id=step_id(Phase.PREPARE, goal.key, wanted),
        phase=Phase.PREPARE,
        title=goal.title,
        key=goal.key,
        expects=now,
        leaves=wanted,
        calls=tuple(PlannedCall.of(call) for call in change),
        undo=() if kept else tuple(PlannedCall.of(call) for call in back),
        source=f"prepare: {goal.part}",
        after=tuple(made[key] for key in goal.after if key in made),
        irreversible=back.reason if kept else "",
    )


def _left(goal: Goal, status: str, why: str, advice: str, now: Value = None, wanted: Value = None) -> Unplanned:
    return Unplanned(status=status, what=goal.title, why=why, advice=advice, key=goal.key, found=now, wanted=wanted)
