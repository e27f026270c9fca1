"""Questions and decisions in the ledger: the only authority for whether a plan may run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from incident.approvals import Answer, Asked, Decision, Standing, fingerprint, objection, overtaken, standing, struck
from incident.ledger import Kind, Line
from incident.plan import Phase, Plan
from incident.policy import Policy, Question
from incident.preauthorized import preauthorized
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
            fingerprint=fingerprint(plan),
            begun=tuple(self._preauthorized(plan)),
            look=look,
        )
        line, _ = self._ledger.append(plan.incident, Kind.QUESTION, f"question:{asked.id}", asked.model_dump(mode="json"))
        return Asked.model_validate(line.body)

    def find(self, incident: str, question: str) -> Asked | None:
        line = self._ledger.find(incident, f"question:{question}")
        return Asked.model_validate(line.body) if line else None

    def waiting(self, incident: str) -> Asked | None:
        """The newest question that waits for people, or nothing."""
        every = [Asked.model_validate(line.body) for line in self._ledger.lines(incident, Kind.QUESTION)]
        return next((asked for asked in reversed(every) if self.standing(incident, asked.id) is Standing.WAITING), None)

    def plan_of(self, incident: str, asked: Asked) -> Plan | None:
        """The plan that a question is about."""
        lines = [line for line in self._ledger.lines(incident, Kind.PLAN) if line.body["digest"] == asked.digest]
        return Plan.model_validate(lines[-1].body["plan"]) if lines else None

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
            fingerprint=asked.fingerprint,
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
        if self._ledger.find(incident, f"void:{question}") is not None:
            return "what the plan would change has moved since; a new plan is on its way"
        if self.standing(incident, question) is Standing.JOINED:
            return "another finding joined since this was asked; what it names is contained first, and a new plan is on its way"
        return objection(asked, person, digest, self._clock(), self._policy, self.decisions(incident, question))

    def standing(self, incident: str, question: str) -> Standing:
        asked = self.find(incident, question)
        if asked is None:
            return Standing.WAITING
        if self._amended_since(incident, question):
            return Standing.AMENDED
        if self._ledger.find(incident, f"void:{question}") is not None:
            return Standing.MOVED
        found = standing(asked, self.decisions(incident, question), self._clock())
        return Standing.JOINED if found is Standing.WAITING and self._joined_since(incident, asked) else found

    def struck(self, incident: str, question: str) -> frozenset[str]:
        asked = self.find(incident, question)
        return struck(asked, self.decisions(incident, question)) if asked else frozenset()

    def void(self, plan: Plan, asked: Asked, why: list[str]) -> None:
        """What was approved is not there any more: the approval counts for nothing from now on."""
        body = {"question": asked.id, "plan": plan.digest, "fingerprint": asked.fingerprint, "moved": why}
        self._ledger.append(plan.incident, Kind.VOID, f"void:{asked.id}", body)

    def preauthorize(self, plan: Plan, severity: float) -> dict[str, str]:
        """Write down which steps the policy allows before anybody is asked; the rule's name for each. Said again, it stays."""
        allowed, now = preauthorized(plan, self._policy, severity), self._clock()
        if not allowed:
            return {}
        until = now + self._policy.rule("contain").answer_time
        body = {"plan": plan.digest, "severity": severity, "steps": allowed, "expires_at": until.isoformat()}
        line, _ = self._ledger.append(plan.incident, Kind.PREAUTHORIZATION, f"preauthorized:{plan.short_digest}", body)
        return dict(line.body["steps"])

    def has_run_out(self, plan: Plan) -> bool:
        """Whether the plan was approved once and no answer holds any more."""
        lines = self._ledger.lines(plan.incident, Kind.QUESTION)
        asked = [line.body["id"] for line in lines if line.body["digest"] == plan.digest]
        return bool(asked) and all(
            self.decisions(plan.incident, one) and self.standing(plan.incident, one) is Standing.EXPIRED for one in asked
        )

    def permits(self, plan: Plan, step_id: str) -> str:
        """Why a step may not run now; empty when it may. Taking evidence only adds and needs no approval."""
        step = next(step for step in plan.steps if step.id == step_id)
        if step.phase is Phase.EVIDENCE:
            return ""
        questions = [Asked.model_validate(line.body) for line in self._ledger.lines(plan.incident, Kind.QUESTION)]
        of_plan = [asked for asked in questions if asked.digest == plan.digest]
        if any(step_id in self.struck(plan.incident, asked.id) for asked in of_plan):
            return "an approver struck this step"
        if any(self.standing(plan.incident, asked.id) is Standing.APPROVED for asked in of_plan):
            return ""
        if step_id in self._preauthorized(plan) and not any(self._is_off(plan.incident, asked) for asked in of_plan):
            return ""
        return f"no valid approval stands for plan {plan.short_digest}"

    def _preauthorized(self, plan: Plan) -> dict[str, str]:
        """The steps that the policy allowed and still allows, while that holds."""
        line = self._ledger.find(plan.incident, f"preauthorized:{plan.short_digest}")
        if line is None or line.body["plan"] != plan.digest or self._clock() >= datetime.fromisoformat(line.body["expires_at"]):
            return {}
        allowed = preauthorized(plan, self._policy, float(line.body["severity"]))
        return {step: rule for step, rule in line.body["steps"].items() if allowed.get(step) == rule}

    def _is_off(self, incident: str, asked: Asked) -> bool:
        """Whether people said no to a plan, or the case went on without it."""
        return self.standing(incident, asked.id) in (Standing.REJECTED, Standing.AMENDED, Standing.MOVED)

    def _question(self, incident: str, question: str) -> Line:
        line = self._ledger.find(incident, f"question:{question}")
        if line is None:
            raise Refused("there is no such question; it may belong to another incident")
        return line

    def _joined_since(self, incident: str, asked: Asked) -> bool:
        """Whether a finding that joined has overtaken a question that waits."""
        return overtaken(asked, [*self._ledger.lines(incident, Kind.FINDING), *self._ledger.lines(incident, Kind.LOOK)])

    def _amended_since(self, incident: str, question: str) -> bool:
        """Whether the case was amended after a question was put, so that its plan is not the newest word."""
        return bool(self._ledger.lines(incident, Kind.AMENDMENT, after=self._question(incident, question).position))
