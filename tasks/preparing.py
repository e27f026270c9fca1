"""Plans of preparation: made from what was read, kept and asked about in the ledger, and carried out by the one executor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from incident.approvals import Answer, Asked, Standing, moved
from incident.families import family_for_kind
from incident.guards import refusals, tagged
from incident.ledger import Kind
from incident.plan import Plan, Unplanned
from incident.planner import Unread
from incident.posture.goals import CASE, planned
from incident.posture.preparing import goals
from incident.release import released, to_read
from incident.settings import Observed, SettingKey
from tasks.approvals import Refused
from tasks.aws import observe
from tasks.closing_ports import closing_document
from tasks.executor import Outcome
from tasks.guarding import tags_of
from tasks.hands import Hands
from tasks.readiness import Readiness, read_readiness
from tasks.roster import RosterError

_AT_ONCE = 16
_HELD = (Standing.WAITING, Standing.APPROVED)


class NotToBeRun(Exception):
    """Why a plan does not run; the message says what to do."""


class Preparing:
    """What `countermand prepare` does.

    Args:
        hands: the process's hands; their configuration says what is wanted.
    """

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        hands.aws.act_for(CASE)

    def read(self, accounts: Iterable[str], regions: Iterable[str]) -> Readiness:
        """How ready the chosen places are.

        Raises:
            AwsError: the accounts are not known.
        """
        return read_readiness(self._hands, self._hands.config.prepare, accounts, regions)

    def plan(self, readiness: Readiness) -> tuple[Plan, Asked | None]:
        """The plan for what is missing, and the question that stands about it; an empty plan asks nothing.

        The same plan, made again while it waits, is the same question.
        """
        found = goals(readiness.places, readiness.checks, self._hands.config.prepare, closing_document())
        live = self._live([goal.key for goal in found.wanted])
        last = self._newest()
        if last is not None:
            again = self._guarded(planned(found, live, last.look))
            if again.digest == last.digest and self._is_open(last):
                return last, self._hands.approvals.ask(last, "prepare", last.look, ())
        plan = self._guarded(planned(found, live, last.look + 1 if last else 1))
        return plan, self._asked(plan) if plan.steps else None

    def plan_back(self, digest: str) -> tuple[Plan, Asked | None]:
        """The plan that takes back what an earlier plan did: each setting gets the value that it had.

        Raises:
            NotToBeRun: there is no such plan.
        """
        earlier = [plan for plan in self._plans() if len(digest) >= 12 and plan.digest.startswith(digest.lower())]
        if not earlier:
            raise NotToBeRun("no plan of preparation has this digest; give at least twelve digits of one that was carried out")
        ended = self._hands.executor.outcomes(earlier[-1])
        done = [step for step in earlier[-1].steps if step.id in ended and ended[step.id].good]
        steps, left = released(done, self._live(to_read(done)), "preparation")
        last = self._newest()
        plan = Plan(
            incident=CASE,
            title="Take preparation back",
            look=last.look + 1 if last else 1,
            because=f"Somebody asked to take back plan {earlier[-1].short_digest}.",
            steps=tuple(steps),
            unplanned=tuple(left),
        )
        plan = self._guarded(plan)
        return plan, self._asked(plan) if plan.steps else None

    def approve(self, plan: Plan, person: str, code: str, struck: tuple[str, ...]) -> None:
        """A responder's yes to a plan, proved by a one-time code.

        Raises:
            NotToBeRun: it does not count, and why.
        """
        asked, unknown = self.question(plan), set(struck) - {step.id for step in plan.steps}
        if unknown:
            raise NotToBeRun(f"the plan has no step {min(unknown)}; `countermand prepare` prints their ids")
        approvals = self._hands.approvals
        try:
            # A code is good once: it is spent only on an answer that can count.
            wrong = approvals.objection(CASE, asked.id, person=person, digest=plan.digest) or self._hands.roster.check(person, code)
            if wrong:
                raise NotToBeRun(wrong)
            approvals.decide(
                CASE,
                asked.id,
                person=person,
                method="one-time-code",
                surface="command line",
                answer=Answer.APPROVE,
                digest=plan.digest,
                steps_struck=struck,
            )
        except (Refused, RosterError) as error:
            raise NotToBeRun(str(error)) from None

    def plan_with(self, digest: str) -> Plan:
        """The newest plan of preparation, by at least twelve digits of its digest.

        Raises:
            NotToBeRun: it is another one, or there is none.
        """
        last = self._newest()
        if last is None or len(digest) < 12 or not last.digest.startswith(digest.lower()):
            shown = f"the newest plan is {last.short_digest}" if last else "no plan was made"
            raise NotToBeRun(f"{shown}; run `countermand prepare`, read its plan, and give at least twelve digits of its digest")
        return last

    def question(self, plan: Plan) -> Asked:
        """The question that stands about a plan."""
        return self._hands.approvals.ask(plan, "prepare", plan.look, ())

    def apply(self, plan: Plan, tell: Callable[[str], None]) -> list[Outcome]:
        """Carry an approved plan out, step by step; run again after an interruption it goes on.

        Raises:
            NotToBeRun: nobody approved it, or what it would change has moved.
        """
        asked = self.question(plan)
        standing = self._hands.approvals.standing(CASE, asked.id)
        if standing is not Standing.APPROVED:
            raise NotToBeRun(f"plan {plan.short_digest} is {standing}; it needs {asked.people} of the responders")
        if not self._hands.executor.begun(plan):
            strayed = moved(plan, self._live([step.key for step in plan.steps]))
            if strayed:
                self._hands.approvals.void(plan, asked, strayed)
                raise NotToBeRun(f"what the plan would change has moved since: {strayed[0]}; run `countermand prepare` again")
        return [self._hands.executor.apply(plan, step, tell) for step in plan.steps]

    def _asked(self, plan: Plan) -> Asked:
        body = {"name": "prepare", "look": plan.look, "digest": plan.digest, "plan": plan.model_dump(mode="json")}
        self._hands.ledger.append(CASE, Kind.PLAN, f"plan:prepare:{plan.look}", body)
        return self._hands.approvals.ask(plan, "prepare", plan.look, ())

    def _plans(self) -> list[Plan]:
        return [Plan.model_validate(line.body["plan"]) for line in self._hands.ledger.lines(CASE, Kind.PLAN)]

    def _newest(self) -> Plan | None:
        return next(reversed(self._plans()), None)

    def _is_open(self, plan: Plan) -> bool:
        """Whether a plan still waits to be decided or carried out."""
        asked = self.question(plan)
        done = self._hands.executor.outcomes(plan)
        return self._hands.approvals.standing(CASE, asked.id) in _HELD and len(done) < len(plan.steps)

    def _live(self, keys: list[SettingKey]) -> dict[SettingKey, Observed | Unread | None]:
        aws = self._hands.aws
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip(keys, pool.map(lambda key: observe(aws, family_for_kind(key.kind), key), keys), strict=True))

    def _guarded(self, plan: Plan) -> Plan:
        """The plan less what a guard refuses, which is shown to people."""
        policy = self._hands.policy
        resources = tagged(plan.steps) if policy.protected_tags else ()
        tags = {one: tags_of(self._hands.aws, one) for one in resources}
        refused = refusals(plan, policy, tags=tags)
        if not refused:
            return plan
        left = [Unplanned(status="protected", what=f"step {one.step}", why=str(one)) for one in refused]
        kept = plan.without(frozenset(one.step for one in refused))
        return kept.model_copy(update={"unplanned": (*kept.unplanned, *left)})
