"""Questions and decisions in the ledger: the only authority for whether a plan may run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from incident.approvals import Answer, Asked, Decision, Standing, objection, standing, struck
from incident.ledger import Kind, Line
from incident.plan import Phase, Plan
from incident.policy import Policy, Question
from tasks.ledger import Ledger


class Refused(Exception):
    """An answer that does not count; the message says why in a sentence that the person can act on."""


class Approvals:
    """What was asked and answered about an incident's plans."""

    def __init__(self, ledger: Ledger, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._ledger, self._policy, self._clock = ledger, policy, clock

    def ask(self, plan: Plan, question: Question, look: int, suspects: tuple[str, ...]) -> Asked:
        """Put the question once; asking again with the same plan and look returns the one that stands."""
        rule, now = self._policy.rule(question), self._clock()
        asked = Asked(
            id=f"{question}-{look}-{plan.short_digest}",
            question=question,
            digest=plan.digest,
            asked_at=now,
            expires_at=now + rule.question_time,
            people=rule.people,
            suspects=suspects,
        )
        line, _ = self._ledger.append(plan.incident, Kind.QUESTION, f"question:{asked.id}", asked.model_dump(mode="json"))
        return Asked.model_validate(line.body)

    def find(self, incident: str, question: str) -> Asked | None:
        line = self._ledger.find(incident, f"question:{question}")
        return Asked.model_validate(line.body) if line else None

    def decisions(self, incident: str, question: str) -> list[Decision]:
        every = (Decision.model_validate(line.body) for line in self._ledger.lines(incident, Kind.DECISION))
        return [decision for decision in every if decision.question == question]

    def decide(
        self,
        incident: str,
        question: str,
        *,
        person: str,
        method: Literal["slack-identity-and-code", "slack-identity", "one-time-code"],
        surface: Literal["slack", "prefect", "command line"],
        answer: Answer,
        digest: str,
        reason: str = "",
        steps_struck: tuple[str, ...] = (),
    ) -> Decision:
        """Record a person's answer.

        Raises:
            Refused: the answer does not count: unknown person, stale plan, expired question, second answer.
        """
        now = self._clock()
        why_not = self.objection(incident, question, person=person, digest=digest)
        if why_not:
            raise Refused(why_not)
        asked = Asked.model_validate(self._question(incident, question).body)
        decision = Decision(
            question=question,
            person=person,
            method=method,
            surface=surface,
            answer=answer,
            digest=digest,
            struck=steps_struck,
            reason=reason[:1000],
            decided_at=now,
            expires_at=now + self._policy.rule(asked.question).answer_time,
        )
        key = f"decision:{question}:{person}"
        line, new = self._ledger.append(incident, Kind.DECISION, key, decision.model_dump(mode="json"))
        if not new:
            raise Refused(f"{person} has already answered this question")
        return Decision.model_validate(line.body)

    def objection(self, incident: str, question: str, *, person: str, digest: str) -> str:
        """Why a person's answer would not count, in one sentence; empty when it would. To be asked before a code is burnt."""
        asked = self.find(incident, question)
        if asked is None:
            return "there is no such question; it may belong to another incident"
        if self._amended_since(incident, question):
            return "a responder added to the case since this was asked; a new plan is on its way"
        return objection(asked, person, digest, self._clock(), self._policy, self.decisions(incident, question))

    def standing(self, incident: str, question: str) -> Standing:
        asked = self.find(incident, question)
        if asked is None:
            return Standing.WAITING
        if self._amended_since(incident, question):
            return Standing.AMENDED
        return standing(asked, self.decisions(incident, question), self._clock())

    def struck(self, incident: str, question: str) -> frozenset[str]:
        asked = self.find(incident, question)
        return struck(asked, self.decisions(incident, question)) if asked else frozenset()

    def permits(self, plan: Plan, step_id: str) -> str:
        """Why a step may not run now; empty when it may. Taking evidence only adds and needs no approval."""
        step = next(step for step in plan.steps if step.id == step_id)
        if step.phase is Phase.EVIDENCE:
            return ""
        questions = [Asked.model_validate(line.body) for line in self._ledger.lines(plan.incident, Kind.QUESTION)]
        for asked in (asked for asked in questions if asked.digest == plan.digest):
            if self.standing(plan.incident, asked.id) is not Standing.APPROVED:
                continue
            if step_id in self.struck(plan.incident, asked.id):
                return "an approver struck this step"
            return ""
        return f"no valid approval stands for plan {plan.short_digest}"

    def _question(self, incident: str, question: str) -> Line:
        line = self._ledger.find(incident, f"question:{question}")
        if line is None:
            raise Refused("there is no such question; it may belong to another incident")
        return line

    def _amended_since(self, incident: str, question: str) -> bool:
        """Whether the case was amended after a question was put, so that its plan is not the newest word."""
        return bool(self._ledger.lines(incident, Kind.AMENDMENT, after=self._question(incident, question).position))
