"""Which steps of a containment plan the policy allows before anybody was asked."""

from __future__ import annotations

from incident.plan import Phase, Plan, Step
from incident.policy import Policy, matches


def preauthorized(plan: Plan, policy: Policy, severity: float) -> dict[str, str]:
    """The steps that may run at once, each with the name of the rule that allows it.

    A step is left to people if it cannot be taken back, if it rests on evidence, or if it comes after one that is left to people.

    Args:
        severity: the finding's, from 1 to 10, as GuardDuty counts.
    """
    rules = [rule for rule in policy.preauthorized if severity >= rule.severity]
    allowed: dict[str, str] = {}
    for step in plan.steps:
        rule = next((rule.name for rule in rules if matches(step.key.kind, rule.settings)), "")
        if rule and _can_be_taken_back(step) and all(needed in allowed for needed in step.after):
            allowed[step.id] = rule
    return allowed


def _can_be_taken_back(step: Step) -> bool:
    return step.phase is Phase.CONTAIN and bool(step.undo) and not step.irreversible and not step.evidence
