"""The policy file: who may decide what, for how long, and what nobody may touch."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from incident.settings import Entry

Question = Literal["contain", "restore", "addition", "release", "prepare"]
Miss = Literal["principal", "time", "resource", "operation", "approval"]
"""In what a change differs from an approved one: who, when, on what, by which call, or that nobody had approved it then."""


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


class ApprovedChange(_Strict):
    """Work that was agreed on before: what these principals do to these resources meanwhile is not an actor's, whoever looks.

    A thief of one of the principals' keys would work under the ticket too: name few resources and a short time.
    """

    ticket: str = Field(min_length=1, max_length=80)
    principals: tuple[str, ...] = Field(min_length=1)
    resources: tuple[str, ...] = Field(min_length=1)
    since: AwareDatetime = Field(alias="from")
    until: AwareDatetime

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> ApprovedChange:
        if self.until <= self.since:
            raise ValueError(f"the approved change {self.ticket} ends before it begins")
        return self

    def covers(self, entry: Entry) -> bool:
        """Whether one write is part of the change."""
        return not self.misses(entry)

    def misses(self, entry: Entry) -> frozenset[Miss]:
        """In what one write differs from what was agreed on; in nothing where it is part of it."""
        identity, found = entry.record.identity, set[Miss]()
        if not any(matches(arn, self.principals) for arn in (identity.arn, identity.issuer_arn) if arn):
            found.add("principal")
        if not self.since <= entry.record.time <= self.until:
            found.add("time")
        if not matches(entry.key.resource, self.resources):
            found.add("resource")
        return frozenset(found)


class Preauthorization(_Strict):
    """Containment that may begin before anybody is asked: steps on these kinds of settings, where the finding is severe enough.

    Only what containment does and what can be taken back is ever meant; see `incident.preauthorized`.
    """

    name: str = Field(min_length=1, max_length=80)
    settings: tuple[str, ...] = Field(min_length=1)
    severity: float = Field(default=7, ge=1, le=10)


class Policy(_Strict):
    """What the organization allows.

    Attributes:
        responders: the people who may decide.
        approvals: the rule for each kind of question.
        responder_principals: ARNs (with `*`) of Countermand's own roles and users; nothing may cut them off.
        break_glass: ARNs (with `*`) of emergency principals; nothing may cut them off.
        protected_resources: resource ids or ARNs (with `*`) that no plan may change.
        protected_tags: tag keys with a pattern of values (with `*`); no plan may change a resource in EC2 that has such a tag.
        largest_plan: the most steps that one plan may have.
        largest_share: the share of the resources of one kind that a region had before, which one plan may change or delete; 1.0
            allows all. Counted only where the baseline has read all of the kind and there are ten or more.
        approved_changes: agreed work, by ticket: who, on what, from when until when. It is kept and named as such.
        internal_vpcs: VPC ids (with `*`) that are to have no way to the internet.
        internal_tags: tag keys with a pattern of values (with `*`); a VPC that has such a tag is to have none either.
        preauthorized: reversible containment that begins before anybody is asked. Everything else waits; no answer is no.
        code_in_slack: whether a decision in Slack needs a one-time code `always`, or only where it is a `high-risk` one.
    """

    responders: tuple[Responder, ...] = ()
    approvals: dict[Question, ApprovalRule] = Field(default_factory=dict[Question, ApprovalRule])
    responder_principals: tuple[str, ...] = ()
    break_glass: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    protected_tags: dict[str, str] = Field(default_factory=dict[str, str])
    largest_plan: int = Field(default=500, ge=1)
    largest_share: float = Field(default=1.0, gt=0, le=1)
    approved_changes: tuple[ApprovedChange, ...] = ()
    internal_vpcs: tuple[str, ...] = ()
    internal_tags: dict[str, str] = Field(default_factory=dict[str, str])
    preauthorized: tuple[Preauthorization, ...] = ()
    code_in_slack: Literal["always", "high-risk"] = "high-risk"

    def rule(self, question: Question) -> ApprovalRule:
        return self.approvals.get(question, ApprovalRule())

    def ticket(self, entry: Entry) -> str:
        """The ticket of the approved change that a write is part of, or nothing."""
        return next((change.ticket for change in self.approved_changes if change.covers(entry)), "")

    def knowing(self, requests: Iterable[ApprovedChange]) -> Policy:
        """The same policy, in which the change requests that were handed in count as approved changes too."""
        return self.model_copy(update={"approved_changes": (*self.approved_changes, *requests)})

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
