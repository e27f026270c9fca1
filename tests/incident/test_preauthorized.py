"""Containment before anybody is asked: only what the policy names, only what can be taken back, only where it is severe enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import Policy, Preauthorization
from incident.preauthorized import preauthorized
from incident.settings import SettingKey

CALL = PlannedCall(service="iam", operation="UpdateAccessKey", parameters={}, permissions=())
RULE = Preauthorization(name="keys off", settings=("access-key", "quarantine-*"), severity=7)
POLICY = Policy(preauthorized=(RULE,))


def step(id_: str = "s1", kind: str = "access-key", **more) -> Step:
    key = SettingKey("1", "global", kind, "AKIA")
    usual = {"phase": Phase.CONTAIN, "title": id_, "key": key, "undo": (CALL,), "leaves": "Inactive"}
    return Step(id=id_, calls=(CALL,), **(usual | more))


def allowed(*steps: Step, severity: float = 8) -> set[str]:
    return set(preauthorized(Plan(incident="i", title="t", steps=steps), POLICY, severity))


def test_a_named_step_of_a_severe_finding_begins_at_once():
    assert allowed(step(), step("s2", "quarantine-group")) == {"s1", "s2"}


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "role-policy"},
        {"undo": ()},
        {"irreversible": "what it holds is gone"},
        {"phase": Phase.ERADICATE},
        {"evidence": ("snapshot",)},
        {"after": ("s0",)},
    ],
)
def test_everything_else_waits(other):
    assert allowed(step(**other)) == set()


def test_a_milder_finding_waits():
    assert allowed(step(), severity=6.9) == set()


@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 5), max_size=3)), max_size=6))
def test_whatever_a_step_comes_after_is_allowed_too(shape):
    steps = [
        step(f"s{number}", undo=(CALL,) if back else (), after=tuple(f"s{needed}" for needed in after if needed < number))
        for number, (back, after) in enumerate(shape)
    ]
    got = allowed(*steps)
    assert all(set(one.after) <= got and one.undo for one in steps if one.id in got)
