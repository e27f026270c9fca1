"""Decisions: who said what about which plan, until when, and whether that is enough to act on.

The executor trusts these records alone, never the state of a Prefect run.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from incident.policy import Policy, Question


class Answer(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"


class Asked(BaseModel):
    """A question put to people about one plan."""

    model_config = ConfigDict(frozen=True)

    id: str
    question: Question
    digest: str
    asked_at: datetime
    expires_at: datetime
    people: int
    suspects: tuple[str, ...] = ()


class Decision(BaseModel):
    """One person's answer. `method` says how they proved who they are, `surface` where they answered."""

    model_config = ConfigDict(frozen=True)

    question: str
    person: str
    method: Literal["slack-identity-and-code", "slack-identity", "one-time-code"]
    surface: Literal["slack", "prefect", "command line"]
    answer: Answer
    digest: str
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


def objection(asked: Asked, person: str, digest: str, now: datetime, policy: Policy, decided: Iterable[Decision]) -> str:
    """Why a person's answer does not count, in one sentence; empty when it counts."""
    responder = policy.by_name(person)
    if responder is None:
        return f"{person or 'this person'} is not among the responders of the policy"
    if set(responder.principals) & set(asked.suspects):
        return f"{person} is named in the finding and may not decide on it"
    if digest != asked.digest:
        return "the plan has changed since you opened it; read the new one and decide again"
    if now >= asked.expires_at:
        return f"the question expired at {asked.expires_at:%Y-%m-%d %H:%M} UTC; a new one must be asked"
    if any(decision.person == person for decision in decided):
        return f"{person} has already answered this question"
    return ""


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
