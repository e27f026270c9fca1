"""The policy file: who may decide what, for how long, and what nobody may touch."""

from __future__ import annotations

from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Question = Literal["contain", "restore", "addition"]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Responder(_Strict):
    """A person who may decide. `principals` are their own AWS ARNs: someone whom a finding names may not decide on it."""

    name: str = Field(min_length=1, max_length=80)
    slack_team: str = ""
    slack_user: str = ""
    principals: tuple[str, ...] = ()


class ApprovalRule(_Strict):
    """How many people must agree, and for how long the question and the answer hold (minutes)."""

    people: int = Field(default=1, ge=1, le=2)
    question_minutes: int = Field(default=240, ge=1, le=10080)
    answer_minutes: int = Field(default=60, ge=1, le=1440)

    @property
    def question_time(self) -> timedelta:
        return timedelta(minutes=self.question_minutes)

    @property
    def answer_time(self) -> timedelta:
        return timedelta(minutes=self.answer_minutes)


class Policy(_Strict):
    """What the organization allows.

    Attributes:
        responders: the people who may decide.
        approvals: the rule for each kind of question.
        responder_principals: ARNs (with `*`) of Countermand's own roles and users; nothing may cut them off.
        break_glass: ARNs (with `*`) of emergency principals; nothing may cut them off.
        protected_resources: resource ids or ARNs (with `*`) that no plan may change.
        largest_plan: the most steps that one plan may have.
    """

    responders: tuple[Responder, ...] = ()
    approvals: dict[Question, ApprovalRule] = Field(default_factory=dict[Question, ApprovalRule])
    responder_principals: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    largest_plan: int = Field(default=500, ge=1)

    def rule(self, question: Question) -> ApprovalRule:
        return self.approvals.get(question, ApprovalRule())

    def by_slack(self, team: str, user: str) -> Responder | None:
        """The responder whom a Slack identity stands for; team and user must both match."""
        if not team or not user:
            return None
        return next((person for person in self.responders if (person.slack_team, person.slack_user) == (team, user)), None)

    def by_name(self, name: str) -> Responder | None:
        return next((person for person in self.responders if person.name == name), None)


def matches(value: str, patterns: tuple[str, ...]) -> bool:
    """Whether a value is one of the patterns; `*` stands for any text, and letters keep their case."""
    return any(fnmatchcase(value, pattern) for pattern in patterns)
