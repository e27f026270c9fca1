"""Decisions made in Slack: the click's identity from Slack, the person from the policy, the proof from the one-time code."""

from __future__ import annotations

from gateway.waker import Waker
from incident.approvals import Answer
from incident.ledger import Kind
from incident.messages import slack, summary_of
from incident.plan import Plan
from incident.policy import Policy
from tasks.approvals import Approvals, Refused
from tasks.ledger import Ledger
from tasks.roster import Roster
from tasks.work import in_thread


class SlackDecisions:
    """What the Slack door calls when somebody clicked; an answer that begins with `error: ` is shown as one."""

    def __init__(self, ledger: Ledger, policy: Policy, approvals: Approvals, roster: Roster, waker: Waker) -> None:
        self._ledger, self._policy, self._approvals, self._roster, self._waker = ledger, policy, approvals, roster, waker

    async def decide(
        self, *, team: str, user: str, surface: str, approval_id: str, digest: str, decision: str, reason: str, code: str
    ) -> str:
        """Record the decision; the waker wakes the run, so that Slack has its answer within its three seconds."""
        incident, _, question = approval_id.partition(":")
        problem = await in_thread(self._record, team, user, incident, question, digest, decision, reason, code)
        if problem:
            return f"error: {problem}"
        self._waker.nudge()
        return f"Your answer counts: {decision} for plan {digest[:12]}."

    async def describe(self, approval_id: str) -> str:
        """What the dialog says above its fields."""
        incident, _, question = approval_id.partition(":")
        return await in_thread(self._describe, incident, question)

    def _record(
        self, team: str, user: str, incident: str, question: str, digest: str, decision: str, reason: str, code: str
    ) -> str:
        person = self._policy.by_slack(team, user)
        if person is None:
            return "the policy file names no responder with your Slack team and user"
        if decision not in (Answer.APPROVE, Answer.REJECT):
            return "the button carries an answer that is not known"
        wrong = self._approvals.objection(incident, question, person=person.name, digest=digest)
        wrong = wrong or self._roster.check(person.name, code)
        if wrong:
            return wrong
        try:
            self._approvals.decide(
                incident,
                question,
                person=person.name,
                method="slack-identity-and-code",
                surface="slack",
                answer=Answer(decision),
                digest=digest,
                reason=reason,
            )
        except Refused as refused:
            return str(refused)
        return ""

    def _describe(self, incident: str, question: str) -> str:
        asked = self._approvals.find(incident, question)
        plans = [line for line in self._ledger.lines(incident, Kind.PLAN) if asked and line.body["digest"] == asked.digest]
        if asked is None or not plans:
            return "This question is not known any more."
        plan = Plan.model_validate(plans[-1].body["plan"])
        final = [f"• cannot be taken back: {slack(step.title)}" for step in plan.steps if step.irreversible]
        unknown = [f"• {slack(item.what)}: {slack(item.why)}" for item in plan.unplanned]
        steps = [f"• {slack(step.title)}" for step in plan.steps if not step.irreversible]
        more = [f"… {len(steps) - 8} more"] if len(steps) > 8 else []
        return "\n".join([f"*{slack(plan.title)}*: {slack(summary_of(plan))}", *final[:8], *unknown[:8], *steps[:8], *more])
