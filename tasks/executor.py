"""The one executor: every step of every plan runs the same way, and may be killed at any instruction.

Intent to the ledger; read the live state; skip what is already right; stop at what is neither expected nor right; call; read again
until it is stable; outcome to the ledger.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from incident.families import family_for_kind
from incident.ledger import Kind, Line
from incident.new_ids import step_with_new_ids
from incident.plan import Phase, Plan, Step, is_item
from incident.planner import Unread, brief
from incident.settings import Observed, Value, canonical, same
from tasks.approvals import Approvals
from tasks.aws import Aws, AwsError, observe
from tasks.evidence import EvidenceStore, EvidenceUnavailable
from tasks.ledger import Ledger
from tasks.step_calls import StepCalls, Tell, is_tagged

log = logging.getLogger(__name__)


class Result(StrEnum):
    """How a step ended."""

    DONE = "done"
    ALREADY_RIGHT = "already right"
    MOVED = "moved"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_CONFIRMED = "not confirmed"
    BLOCKED = "blocked"
    STRUCK = "struck"


GOOD = frozenset({Result.DONE, Result.ALREADY_RIGHT})
TAKEN_AT_MOST = 3
"""How often a snapshot that fails is taken before a person is told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended and what is known of it. `new_id` is the id of a resource that was made again."""

    step: str
    result: Result
    detail: str = ""
    new_id: str = ""

    @property
    def good(self) -> bool:
        return self.result in GOOD


Boundary = Callable[[str], None]
"""Called with a name between any two instructions whose order matters, so that a test can end the process just there."""


Guard = Callable[[Step], str]
"""Why a step must not run after all, whoever approved it; empty when it may. Asked just before the step begins."""

Fence = Callable[[str], None]
"""Raises where another process works at the incident now. Asked while the step is held, so that of two only one goes on with it."""


class Executor:
    """Applies the steps of one incident's plans."""

    def __init__(
        self,
        aws: Aws,
        ledger: Ledger,
        approvals: Approvals,
        boundary: Boundary = lambda name: None,
        pause: Callable[[float], None] = time.sleep,
        evidence: EvidenceStore | None = None,
        guard: Guard = lambda step: "",
        timer: Callable[[], float] = time.monotonic,
        fence: Fence = lambda incident: None,
    ) -> None:
        self._aws, self._ledger, self._approvals, self._evidence = aws, ledger, approvals, evidence
        self._boundary, self._pause, self._guard, self._timer, self._fence = boundary, pause, guard, timer, fence
        self._calls = StepCalls(aws, pause)
        self._round = ""

    def again(self, name: str) -> Executor:
        """The executor for steps that somebody undid: under this name each runs once more, by its plan's own approval."""
        other = copy(self)
        other._round = f":again:{name}"
        return other

    def apply(self, plan: Plan, step: Step, tell: Tell = log.info) -> Outcome:
        """Bring one setting to the value that the step leaves; safe to call again after a crash at any point. `tell` is told of
        what takes long.

        Raises:
            LedgerUnavailable: the ledger cannot be written; nothing more is done to AWS.
        """
        # Two workers may run one incident, and two incidents want one setting: one at a time changes it, the other waits.
        with self._ledger.holding(_held(step)):
            self._fence(plan.incident)
            return self._recorded(plan, step) or self._applied(plan, step, tell)

    def _applied(self, plan: Plan, step: Step, tell: Tell) -> Outcome:
        not_now = self._not_now(plan, step)
        if not_now is not None:
            return self._conclude(plan, step, not_now)
        step = self._with_new_ids(plan, step)
        _, first_time = self._ledger.append(plan.incident, Kind.INTENT, self._key("intent", plan, step), self._intent(plan, step))
        self._boundary(f"{step.id}: after intent")
        outcome = self._bring_about(plan, step, first_time, tell)
        self._boundary(f"{step.id}: before outcome")
        return self._conclude(plan, step, outcome)

    def begin(self, plan: Plan, step: Step) -> None:
        """Make a step's calls and do not wait for what they bring about; `apply` goes on from there. Safe to call again.

        Raises:
            LedgerUnavailable: the ledger cannot be written; nothing more is done to AWS.
        """
        with self._ledger.holding(_held(step)):
            self._fence(plan.incident)
            if self._recorded(plan, step) is None and self._not_now(plan, step) is None:
                self._begun(plan, step)

    def _begun(self, plan: Plan, step: Step) -> None:
        step = self._with_new_ids(plan, step)
        _, first_time = self._ledger.append(plan.incident, Kind.INTENT, self._key("intent", plan, step), self._intent(plan, step))
        if first_time and observe(self._aws, family_for_kind(step.key.kind), step.key) is None:
            self._make_calls(plan, step, None, log.info)

    def outcomes(self, plan: Plan) -> dict[str, Outcome]:
        """What is recorded of the plan's steps."""
        found = {step.id: self._recorded(plan, step, first=True) for step in plan.steps}
        return {step: outcome for step, outcome in found.items() if outcome is not None}

    def begun(self, plan: Plan) -> frozenset[str]:
        """The plan's steps that were begun or have ended."""
        keys = {step.id: (self._key("intent", plan, step), self._key("outcome", plan, step)) for step in plan.steps}
        return frozenset(
            step for step, said in keys.items() if any(self._ledger.find(plan.incident, key) is not None for key in said)
        )

    def _bring_about(self, plan: Plan, step: Step, first_time: bool, tell: Tell) -> Outcome:
        try:
            made = "" if first_time else self._made_before_a_crash(plan, step)
        except AwsError as error:
            return Outcome(step.id, Result.FAILED, f"whether it was made before an interruption could not be read: {error}")
        if made:
            self._calls.unmark(step, made)
            return Outcome(step.id, Result.DONE, "made before an interruption", made)
        called = not first_time and self._journal(plan, step, 0) is not None
        live = self._live(step, first_time, called)
        if isinstance(live, Unread):
            return Outcome(step.id, Result.FAILED, f"its live value could not be read: {live.reason}")
        found = live.value if live else None
        settling = live is not None and not live.settled
        if same(found, step.leaves) and not settling:
            return Outcome(step.id, Result.ALREADY_RIGHT if first_time else Result.DONE)
        # Evidence is ours alone: what an earlier look began is waited for, and what failed then is taken again.
        evidence = step.phase is Phase.EVIDENCE
        on_its_way = settling and (evidence or not first_time)
        begun = called or on_its_way or (not first_time and _is_on_the_way(step, found)) or (evidence and _has_failed(found))
        if not same(found, step.expects) and not begun:
            return Outcome(step.id, Result.MOVED, f"it is {brief(found)}; the plan was made when it was {brief(step.expects)}")
        problem, new_id = ("", "") if on_its_way else self._make_calls(plan, step, found, tell)
        outcome = self._confirm(step, problem, new_id)
        if outcome.new_id:
            self._calls.unmark(step, outcome.new_id)
        return self._taken_again(plan, step, outcome, tell) if evidence else outcome

    def _taken_again(self, plan: Plan, step: Step, outcome: Outcome, tell: Tell) -> Outcome:
        """A snapshot or a copy that ended in an error is taken again, a few times; a person is told of the last."""
        for attempt in range(2, TAKEN_AT_MOST + 1):
            failed = self._calls.shown(step)
            if outcome.result is not Result.FAILED or isinstance(failed, Unread) or not _has_failed(failed):
                return outcome
            tell(f"{step.title}: {outcome.detail}; taken again, try {attempt} of {TAKEN_AT_MOST}")
            problem, _ = self._make_calls(plan, step, failed, tell, attempt)
            if not problem:
                self._calls.settled(step, lambda shown, old=failed: not same(shown, old))
            outcome = self._confirm(step, problem, "")
        if outcome.result is Result.FAILED:
            return replace(outcome, detail=f"{outcome.detail}, {TAKEN_AT_MOST} times; take it by hand and amend the case")
        return outcome

    def _live(self, step: Step, first_time: bool, called: bool) -> Observed | Unread | None:
        """The setting as it is now. A read may show what was before our last change, so neither that it moved nor, after an
        interruption, that nothing was done is believed of one read.
        """
        live = observe(self._aws, family_for_kind(step.key.kind), step.key)
        if isinstance(live, Unread) or called or (live is not None and not live.settled):
            return live
        believed = (step.leaves, step.expects) if first_time else (step.leaves,)
        return self._calls.settled(step, lambda shown: any(same(shown, value) for value in believed))

    def _make_calls(self, plan: Plan, step: Step, found: Value, tell: Tell, attempt: int = 1) -> tuple[str, str]:
        """Make the calls that this attempt has not journalled yet; the first problem ends it. Answers the problem and the new id.

        `found` is the setting before the first of them.
        """
        new_id = ""
        for index, call in enumerate(step.calls):
            key = self._key(f"call:{index}" if attempt == 1 else f"call:{index}:{attempt}", plan, step)
            journalled = self._ledger.find(plan.incident, key)
            if journalled is not None:
                new_id = str(journalled.body.get("new_id", "")) or new_id
                continue
            try:
                made = self._calls.make(step, call, self._calls.shown(step) if index else found, tell)
            except AwsError as error:
                return f"{error.operation} answered {error.code}: {error.message}", new_id
            self._boundary(f"{step.id}: after call {index}")
            new_id = made.new_id if step.creates and index == len(step.calls) - 1 else new_id
            body = {"step": step.id, "operation": call.operation, "new_id": new_id, "request_id": _request_id(made.answer)}
            self._ledger.append(plan.incident, Kind.CALL, key, body)
            self._boundary(f"{step.id}: after journal {index}")
        return "", new_id

    def _confirm(self, step: Step, problem: str, new_id: str) -> Outcome:
        """Read until the setting shows what the step leaves; a call's success is what a later read shows."""
        config = self._aws.config
        patience = config.snapshot_deadline_seconds if step.phase is Phase.EVIDENCE else config.call_deadline_seconds
        if problem:
            patience = min(patience, 2.0)
        key = step.key._replace(resource=new_id) if new_id and step.replaces else step.key
        deadline, delay, shown = self._timer() + patience, 0.05, "nothing"
        while True:
            live = observe(self._aws, family_for_kind(key.kind), key)
            if isinstance(live, Unread):
                shown = f"nothing, for it fails: {live.reason}"
            else:
                found = live.value if live else None
                shown = "that it is absent" if found is None else brief(found)
                if same(found, step.leaves) and (live is None or live.settled):
                    return Outcome(step.id, Result.DONE, new_id=new_id)
                if live is not None and live.settled and _has_failed(found):
                    return Outcome(step.id, Result.FAILED, f"it ended as {brief(found)}", new_id)
            if self._timer() >= deadline:
                break
            self._pause(delay)
            delay = min(delay * 1.6, 5.0)
        if problem:
            return Outcome(step.id, Result.FAILED, problem, new_id)
        return Outcome(step.id, Result.NOT_CONFIRMED, f"after {patience:.0f} s a read still shows {shown}", new_id)

    def _not_now(self, plan: Plan, step: Step) -> Outcome | None:
        """Why the step does not run: it lacks approval, or a step that it needs did not end well."""
        forbidden = self._approvals.permits(plan, step.id)
        if forbidden:
            result = Result.STRUCK if "struck" in forbidden else Result.REFUSED
            return Outcome(step.id, result, forbidden)
        # What has begun is finished: a step left half-way, as between two groups, harms more than one that is guarded too late.
        if self._ledger.find(plan.incident, self._key("intent", plan, step)) is None:
            refused = self._guard(step)
            if refused:
                return Outcome(step.id, Result.REFUSED, refused)
        ended = self.outcomes(plan)
        for needed in step.after:
            if needed not in ended or not ended[needed].good:
                state = ended[needed].result if needed in ended else "not run"
                return Outcome(step.id, Result.BLOCKED, f"it needs step {needed}, which is {state}")
        for item in step.evidence:
            lacking = self._lacking(plan.incident, item)
            if lacking:
                return Outcome(step.id, Result.BLOCKED, f"its evidence {item} is {lacking}")
        return None

    def _lacking(self, incident: str, item: str) -> str:
        """What keeps a step from resting on evidence: on a step that takes it, or on an item that was kept."""
        if not is_item(item):
            return "" if self._evidence_complete(incident, item) else "not complete"
        if self._evidence is None:
            return "out of sight: no evidence store is at hand"
        try:
            return self._evidence.damage(incident, item)
        except EvidenceUnavailable as error:
            return f"out of sight: {error}"

    def _evidence_complete(self, incident: str, step_id: str) -> bool:
        ends = [line for line in self._ledger.lines(incident, Kind.OUTCOME) if line.body["step"] == step_id]
        return any(Result(line.body["result"]) in GOOD for line in ends)

    def _made_before_a_crash(self, plan: Plan, step: Step) -> str:
        """The resource that this step made before the journal could say so, found by the step's own tag.

        Raises:
            AwsError: the tags could not be read; made again it would be there twice.
        """
        if not step.creates or not step.replaces:
            return ""
        last = self._journal(plan, step, len(step.calls) - 1)
        if last is not None:
            return str(last.body.get("new_id", ""))
        return self._calls.marked(step, patient=True) if any(is_tagged(step, call) for call in step.calls) else ""

    def _with_new_ids(self, plan: Plan, step: Step) -> Step:
        """The step with the ids of resources that were made again in place of the deleted ones."""
        return step_with_new_ids(step, renamed_ids(self._ledger, plan.incident))

    def _recorded(self, plan: Plan, step: Step, first: bool = False) -> Outcome | None:
        key = self._key("outcome", plan, step)
        line = self._ledger.find(plan.incident, key.removesuffix(self._round) if first else key)
        if line is None:
            return None
        body = line.body
        return Outcome(step.id, Result(body["result"]), body["detail"], body["new_id"])

    def _conclude(self, plan: Plan, step: Step, outcome: Outcome) -> Outcome:
        body = {
            "step": step.id,
            "title": step.title,
            "phase": step.phase,
            "plan": plan.digest,
            "result": outcome.result,
            "detail": outcome.detail,
            "new_id": outcome.new_id,
            "replaces": step.replaces,
            "region": step.region,
            "account": step.account,
        }
        self._ledger.append(plan.incident, Kind.OUTCOME, self._key("outcome", plan, step), body)
        self._boundary(f"{step.id}: after outcome")
        return outcome

    def _journal(self, plan: Plan, step: Step, index: int) -> Line | None:
        return self._ledger.find(plan.incident, self._key(f"call:{index}", plan, step))

    def _key(self, what: str, plan: Plan, step: Step) -> str:
        return f"{what}:{plan.short_digest}:{step.id}{self._round}"

    @staticmethod
    def _intent(plan: Plan, step: Step) -> Mapping[str, Any]:
        return {"step": step.id, "plan": plan.digest, "title": step.title, "calls": [call.operation for call in step.calls]}


def _held(step: Step) -> str:
    """The name under which only one worker at a time changes a setting."""
    return f"step:{canonical(list(step.key))}"


def renamed_ids(ledger: Ledger, incident: str) -> dict[str, str]:
    """Old ids of deleted resources to the ids under which they were made again."""
    ends = ledger.lines(incident, Kind.OUTCOME)
    return {line.body["replaces"]: line.body["new_id"] for line in ends if line.body.get("replaces") and line.body.get("new_id")}


def _is_on_the_way(step: Step, found: Value) -> bool:
    """Whether a step of several calls was interrupted between two of them: a value that its first call sets is our own."""
    return len(step.calls) > 1 and any(same(found, value) for value in step.calls[0].parameters.values())


def _has_failed(found: Value) -> bool:
    return isinstance(found, dict) and any(state in ("error", "failed") for state in found.values())


def _request_id(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
