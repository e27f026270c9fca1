"""Plans that must never run, whoever approves them."""

from __future__ import annotations

from dataclasses import dataclass

from incident.plan import Plan, Step
from incident.policy import Policy, matches
from incident.resources.identity import (
    ACCESS_KEY,
    ATTACHED_USER_POLICY,
    LOGIN_PROFILE,
    MEMBERSHIP,
    ROLE_POLICY,
    USER,
    USER_POLICY,
)
from incident.resources.role import ATTACHED_ROLE_POLICY, ROLE, TRUST

_USER_KINDS = frozenset({USER, USER_POLICY, ATTACHED_USER_POLICY, LOGIN_PROFILE, MEMBERSHIP})
_ROLE_KINDS = frozenset({ROLE, TRUST, ROLE_POLICY, ATTACHED_ROLE_POLICY})


@dataclass(frozen=True, slots=True)
class Refusal:
    """The step that must not run, and the rule that says so."""

    step: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"refused by rule {self.rule}: {self.reason} (step {self.step})"


def refusals(plan: Plan, policy: Policy, own_access_key: str = "") -> list[Refusal]:
    """Why a plan is refused; an empty list when nothing forbids it.

    Args:
        own_access_key: the access key with which Countermand itself calls AWS.
    """
    found = [refusal for step in plan.steps for refusal in _of_step(step, policy, own_access_key)]
    if len(plan.steps) > policy.largest_plan:
        reason = f"the plan has {len(plan.steps)} steps and the policy allows {policy.largest_plan}"
        found.append(Refusal(plan.steps[policy.largest_plan].id, "largest_plan", reason))
    return found


def _of_step(step: Step, policy: Policy, own_access_key: str) -> list[Refusal]:
    found: list[Refusal] = []
    if step.key.kind == ACCESS_KEY and step.key.resource == own_access_key:
        found.append(Refusal(step.id, "responder", "it would cut off Countermand's own access key"))
    principal = _principal(step)
    if principal and matches(principal, policy.responder_principals):
        found.append(Refusal(step.id, "responder_principals", f"it would cut off Countermand itself ({principal})"))
    if principal and matches(principal, policy.break_glass):
        found.append(Refusal(step.id, "break_glass", f"{principal} is a break-glass principal"))
    for resource in _resources(step):
        if matches(resource, policy.protected_resources):
            found.append(Refusal(step.id, "protected_resources", f"{resource} is protected by policy"))
            break
    return found


def _resources(step: Step) -> list[str]:
    """What a step changes; an instance is named by its id or its ARN, also where the step is on its interface or its target."""
    named = dict.fromkeys(filter(None, (step.key.resource, step.concerns)))
    arns = [f"arn:aws:ec2:{step.region}:{step.account}:instance/{name}" for name in named if name.startswith("i-")]
    return [*named, *arns]


def _principal(step: Step) -> str:
    if step.key.kind == ACCESS_KEY:
        return f"arn:aws:iam::{step.account}:user/{step.key.name}"
    if step.key.kind in _USER_KINDS:
        return f"arn:aws:iam::{step.account}:user/{step.key.resource}"
    if step.key.kind in _ROLE_KINDS:
        return f"arn:aws:iam::{step.account}:role/{step.key.resource}"
    return ""
