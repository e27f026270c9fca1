"""Decisions made in Slack: identity from the click, the person from the policy, the proof of a high-risk one from a code."""

from __future__ import annotations

from gateway.dispatch.waker import Waker
from gateway.slack.dialog import Described
from incident.approvals import Answer, Asked, is_high_risk
from incident.people.messages import slack, summary_of
from incident.plan import Plan
from incident.policy import Policy
from tasks.approvals import Approvals, Refused
from tasks.roster import Roster
from tasks.work import in_thread


class SlackDecisions:
    """What the Slack door calls when somebody clicked; an answer that begins with `error: ` is shown as one."""

    def __init__(self, policy: Policy, approvals: Approvals, roster: Roster, waker: Waker) -> None:
        self._policy, self._approvals, self._roster, self._waker = policy, approvals, roster, waker

    async def decide(
        self, *, team: str, user: str, approval_id: str, digest: str, decision: str, reason: str, code: str, struck: tuple[str, ...]
    ) -> str:
        """Record the decision; the waker wakes the run, so that Slack has its answer within its three seconds."""
        incident, _, question = approval_id.partition(":")
        problem = await in_thread(self._record, team, user, incident, question, digest, decision, reason, code, struck)
        if problem:
            return f"error: {problem}"
        self._waker.nudge()
        return f"Your answer counts: {decision} for plan {digest[:12]}."

    async def describe(self, approval_id: str) -> Described:
        """What the dialog shows."""
        incident, _, question = approval_id.partition(":")
        return await in_thread(self._describe, incident, question)

    def _record(
        self,
        team: str,
        user: str,
        incident: str,
        question: str,
        digest: str,
        decision: str,
        reason: str,
        code: str,
        struck: tuple[str, ...],
    ) -> str:
        person = self._policy.by_slack(team, user)
        if person is None:
            return "the policy file names no responder with your Slack team and user"
        if decision not in (Answer.APPROVE, Answer.REJECT):
            return "the button carries an answer that is not known"
        wrong = self._approvals.objection(incident, question, person=person.name, digest=digest)
        if wrong:
            return wrong
        asked, plan = self._question(incident, question)
        if asked is None or plan is None:
            return "this question is not known any more; open the newest message"
        if set(struck) - {step.id for step in plan.steps}:
            return "the dialog names a step that the plan has not; press the button again"
        needs_code = self._needs_code(plan, asked)
        wrong = self._roster.check(person.name, code) if needs_code else ""
        if wrong:
            return wrong
        try:
            self._approvals.decide(
                incident,
                question,
                person=person.name,
                method="slack-identity-and-code" if needs_code else "slack-identity",
                surface="slack",
                answer=Answer(decision),
                digest=digest,
                reason=reason,
                steps_struck=struck,
            )
        except Refused as refused:
            return str(refused)
        return ""

    def _describe(self, incident: str, question: str) -> Described:
        asked, plan = self._question(incident, question)
        if asked is None or plan is None:
            return Described("This question is not known any more.")
        final = [f"• cannot be taken back: {slack(step.title)}" for step in plan.steps if step.irreversible]
        others = [f"• also cut off: {slack(line)}" for line in plan.cut_off]
        unknown = [f"• {slack(item.what)}: {slack(item.why)}" for item in plan.unplanned]
        steps = [f"• {slack(step.title)}" for step in plan.steps if not step.irreversible]
        more = [f"… {len(steps) - 8} more"] if len(steps) > 8 else []
        facts = [f"*{slack(plan.title)}*: {slack(summary_of(plan))}", *final[:8], *others[:8], *unknown[:8], *steps[:8], *more]
        named = tuple((step.id, step.title) for step in plan.steps if step.id not in asked.begun)
        return Described("\n".join(facts), named, self._needs_code(plan, asked))

    def _question(self, incident: str, question: str) -> tuple[Asked | None, Plan | None]:
        """The question and the plan that it is about, as far as the ledger knows them."""
        asked = self._approvals.find(incident, question)
        return asked, self._approvals.plan_of(incident, asked) if asked else None

    def _needs_code(self, plan: Plan, asked: Asked) -> bool:
        return self._policy.code_in_slack == "always" or is_high_risk(plan, asked.question)
