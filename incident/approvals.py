"""Decisions: who said what about which plan, until when, and whether that is enough to act on.

The executor trusts these records alone, never the state of a Prefect run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from incident.findings.joining import joined_since
from incident.ledger import Kind, Line
from incident.plan import Plan
from incident.planner import Unread, brief
from incident.policy import Policy, Question
from incident.settings import Observed, SettingKey, Value, canonical, same


class Answer(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class Asked(BaseModel):
    """A question put to people about one plan.

    Attributes:
        fingerprint: SHA-256, in hex, of the state that the plan was made from; an approval holds for that state alone.
        begun: ids of the plan's steps that the policy allowed before anybody was asked.
        look: the look at the records that the plan is of.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    question: Question
    digest: str
    asked_at: datetime
    expires_at: datetime
    people: int
    suspects: tuple[str, ...] = ()
    fingerprint: str = ""
    begun: tuple[str, ...] = ()
    look: int = 0


class Decision(BaseModel):
    """One person's answer. `method` says how they proved who they are, `surface` where they answered."""

    model_config = ConfigDict(frozen=True)

    question: str
    person: str
    method: Literal["slack-identity-and-code", "slack-identity", "one-time-code"]
    surface: Literal["slack", "prefect", "command line"]
    answer: Answer
    digest: str
    fingerprint: str = ""
    struck: tuple[str, ...] = ()
    reason: str = ""
    decided_at: datetime
    expires_at: datetime


class Standing(StrEnum):
    """Where a question stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    AMENDED = "overtaken by what a responder added to the case"
    JOINED = "overtaken by another finding about the same actor or instance"
    MOVED = "void, for what the plan would change has moved since"


def overtaken(asked: Asked, lines: Iterable[Line]) -> bool:
    """Whether a question about restoration that waits is overtaken by what a finding has named meanwhile: that is contained first.

    A question about containment never is: to answer it stops somebody sooner than a new plan would.

    Args:
        lines: the incident's lines, or those of its findings and looks.
    """
    if asked.question != "restore" or not asked.look:
        return False
    kept = list(lines)
    news = sum(bool(line.body["news"]) for line in kept if line.kind == Kind.FINDING)
    return news > 0 and joined_since(asked.look, (line.body for line in kept if line.kind == Kind.LOOK), news)


def fingerprint(plan: Plan) -> str:
    """SHA-256, in hex, of every setting that a plan would change, with the value that it had when the plan was made."""
    state = [[list(step.key), step.expects] for step in plan.steps]
    return hashlib.sha256(canonical(state).encode()).hexdigest()


def moved(plan: Plan, live: Mapping[SettingKey, Observed | Unread | None]) -> list[str]:
    """The steps that find neither the value that the plan was made from nor the one that it wants, in words.

    What could not be read is not known to have moved: its step finds out, and fails if it still cannot be read. Nor is a setting of
    a resource that the plan itself has yet to make, or one that an earlier step of the plan brings to what a later one expects.
    """
    made = {step.replaces for step in plan.steps if step.replaces}
    found: dict[SettingKey, str] = {}
    for step in plan.steps:
        now = live.get(step.key, Unread("it was not read"))
        if step.key in found:
            continue
        found[step.key] = ""
        if isinstance(now, Unread) or (now is not None and not now.settled) or (now is None and step.key.resource in made):
            continue
        value = now.value if now else None
        if not same(value, step.expects) and not same(value, step.leaves):
            found[step.key] = f"{step.title}: it is {_brief(value)}, and was {_brief(step.expects)}"
    return [words for words in found.values() if words]


def is_high_risk(plan: Plan, question: Question) -> bool:
    """Whether a decision does more than stop somebody for now: everything but containment that can be taken back."""
    return question != "contain" or any(step.irreversible for step in plan.steps)


def _brief(value: Value) -> str:
    return "absent" if value is None else brief(value)


def objection(asked: Asked, person: str, digest: str, now: datetime, policy: Policy, decided: Iterable[Decision]) -> str:
    """Why a person's answer does not count, in one sentence; empty when it counts."""
    responder = policy.by_name(person)
    if responder is None:
        return f"{person or 'this person'} is not among the responders of the policy"
    if principals_meet(responder.principals, asked.suspects):
        return f"{person} is named in the finding or acts with what the actor holds, and may not decide on it"
    if digest != asked.digest:
        return "the plan has changed since you opened it; read the new one and decide again"
    if now >= asked.expires_at:
        return f"the question expired at {asked.expires_at:%Y-%m-%d %H:%M} UTC; a new one must be asked"
    if any(decision.person == person for decision in decided):
        return f"{person} has already answered this question"
    return ""


def principals_meet(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether two groups of ARNs name a principal in common."""
    return bool({_principal(arn) for arn in some} & {_principal(arn) for arn in others})


def _principal(arn: str) -> str:
    """An ARN without the path of an IAM user or role, which not everything that names one tells.

    See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    head, slash, name = arn.partition("/")
    return f"{head}{slash}{name.rsplit('/', 1)[-1]}" if ":iam::" in head else arn


def standing(asked: Asked, decisions: Iterable[Decision], now: datetime) -> Standing:
    """Where a question stands: one rejection wins, silence is never consent, an approval holds until it expires."""
    valid = [decision for decision in decisions if decision.question == asked.id and decision.digest == asked.digest]
    if any(decision.answer is Answer.REJECT for decision in valid):
        return Standing.REJECTED
    approvals = [decision for decision in valid if decision.answer is Answer.APPROVE]
    people = {decision.person for decision in approvals if now < decision.expires_at}
    if len(people) >= asked.people:
        return Standing.APPROVED
    lapsed = len({decision.person for decision in approvals}) >= asked.people
    return Standing.EXPIRED if lapsed or now >= asked.expires_at else Standing.WAITING


def struck(asked: Asked, decisions: Iterable[Decision]) -> frozenset[str]:
    """The steps that any approver struck."""
    return frozenset(
        step
        for decision in decisions
        if decision.question == asked.id and decision.digest == asked.digest and decision.answer is Answer.APPROVE
        for step in decision.struck
    )
