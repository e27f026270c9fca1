"""Plans that must never run, whoever approves them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from incident.families import family_for_kind
from incident.family import ANY_RESOURCE, Scope
from incident.plan import Plan, Step
from incident.planner import Unread
from incident.policy import Policy, matches
from incident.resources.credentials import USER_CREDENTIAL_KINDS
from incident.resources.identity import (
    ACCESS_KEY,
    ATTACHED_USER_POLICY,
    LOGIN_PROFILE,
    MEMBERSHIP,
    ROLE_POLICY,
    USER,
    USER_BOUNDARY,
    USER_POLICY,
)
from incident.resources.role import ATTACHED_ROLE_POLICY, ROLE, ROLE_BOUNDARY, TRUST
from incident.settings import SettingKey, Value
from incident.words import counted

_USER_KINDS = frozenset({USER, USER_POLICY, ATTACHED_USER_POLICY, USER_BOUNDARY, LOGIN_PROFILE, MEMBERSHIP, *USER_CREDENTIAL_KINDS})
_ROLE_KINDS = frozenset({ROLE, TRUST, ROLE_POLICY, ATTACHED_ROLE_POLICY, ROLE_BOUNDARY})
_EC2_ID = re.compile(r"[a-z]+(-[a-z]+)*-([0-9a-f]{8}|[0-9a-f]{17})")
_FEWEST = 10
"""A share of fewer resources than this says nothing: one of three is a third."""


class Tagged(NamedTuple):
    """A resource that can carry tags."""

    account: str
    region: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} ({self.region})"


Tags = Mapping[Tagged, Mapping[str, str] | Unread]
"""The live tags of resources, or why they are not known."""

Existing = Mapping[Scope, frozenset[tuple[str, str]]]
"""By region, the kind and the id of each resource that was there before; only of kinds of which everything was read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The step that must not run, and the rule that says so."""

    step: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"refused by rule {self.rule}: {self.reason} (step {self.step})"


def refusals(
    plan: Plan, policy: Policy, own_access_key: str = "", tags: Tags | None = None, existing: Existing | None = None
) -> list[Refusal]:
    """Why a plan is refused; an empty list when nothing forbids it.

    Args:
        own_access_key: the access key with which Countermand itself calls AWS.
        tags: the live tags of what `tagged` names. What is not in it is unknown, and unknown is not clean.
        existing: what was there before, of which no plan may change more than the policy's share.
    """
    found = [refusal for step in plan.steps for refusal in _of_step(step, policy, own_access_key)]
    found += [refusal for step in plan.steps for refusal in _of_tags(step, policy, tags or {})]
    reason = f"the plan has {len(plan.steps)} steps and the policy allows {policy.largest_plan}"
    found += [Refusal(step.id, "largest_plan", reason) for step in plan.steps[policy.largest_plan :]]
    return [*found, *_of_shares(plan, policy, existing or {})]


def refused_now(step: Step, policy: Policy, own_access_key: str, tags: Tags) -> list[Refusal]:
    """Why one step must not run, by the rules that look at it alone; the rules on a whole plan were asked when it was made."""
    return [*_of_step(step, policy, own_access_key), *_of_tags(step, policy, tags)]


def tagged(steps: Iterable[Step]) -> frozenset[Tagged]:
    """What steps change that EC2 names by an id, and that carries tags."""
    return frozenset(Tagged(step.account, step.region, name) for step in steps for name in _names(step) if _EC2_ID.fullmatch(name))


def existing_resources(settings: Iterable[tuple[SettingKey, Value]], covered: frozenset[str]) -> frozenset[tuple[str, str]]:
    """The kind and the id of each resource in a baseline, as far as it read everything of the kind."""
    return frozenset(
        (key.kind, key.resource) for key, value in settings if key.kind in covered and not key.name and value is not None
    )


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


def _of_tags(step: Step, policy: Policy, tags: Tags) -> Iterator[Refusal]:
    """At most one refusal for each resource that a step changes, which says the first tag that protects it."""
    if not policy.protected_tags:
        return
    for resource in sorted(tagged([step])):
        held = tags.get(resource, Unread("they were not read"))
        if isinstance(held, Unread):
            yield Refusal(step.id, "protected_tags", f"the tags of {resource} are not known: {held.reason}")
            continue
        for name, pattern in policy.protected_tags.items():
            if name in held and matches(held[name], (pattern,)):
                yield Refusal(step.id, "protected_tags", f"{resource} has the protected tag {name}={held[name]}")
                break


def _of_shares(plan: Plan, policy: Policy, existing: Existing) -> Iterator[Refusal]:
    """Every step on a kind of which the plan changes too much: which of them would be one too many, nothing tells."""
    if policy.largest_share >= 1:
        return
    changed: dict[tuple[Scope, str], list[Step]] = {}
    for step in plan.steps:
        place = Scope(step.account, step.region)
        kind = _kind_of(step.key, existing.get(place, frozenset()))
        # What makes something that is missing changes nothing of what is there.
        if kind and step.expects is not None:
            changed.setdefault((place, kind), []).append(step)
    for (place, kind), steps in changed.items():
        there = sum(one == kind for one, _ in existing[place])
        touched = len({step.key.resource for step in steps})
        if there < _FEWEST or touched <= policy.largest_share * there:
            continue
        what = f"{touched} of {counted(there, kind.replace('-', ' '))} in {place.region}"
        reason = f"the plan changes {what}, more than the {policy.largest_share:.0%} that the policy allows"
        yield from (Refusal(step.id, "largest_share", reason) for step in steps)


def _kind_of(key: SettingKey, there: frozenset[tuple[str, str]]) -> str:
    """The kind of the resource that a setting is part of, if that was there before; a tag is part of whatever has its id."""
    parent = family_for_kind(key.kind).part_of.get(key.kind, key.kind)
    if parent == ANY_RESOURCE:
        return next((kind for kind, resource in there if resource == key.resource), "")
    return parent if (parent, key.resource) in there else ""


def _names(step: Step) -> Iterable[str]:
    """What a step changes, and the instance that it isolates, whose interface or target its key may name."""
    return dict.fromkeys(filter(None, (step.key.resource, step.concerns)))


def _resources(step: Step) -> list[str]:
    """What a step changes; an instance is named by its id or its ARN."""
    named = _names(step)
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
