"""One incident's case file, as the phases read and write it: all of it lives in the ledger and the evidence store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from prefect.logging import get_run_logger

from incident.actor import Actor
from incident.amendments import Amendments, read_amendment
from incident.family import Scope
from incident.findings.arrivals import parse_arrival
from incident.findings.finding import NOTE, Finding, FindingError, parse_finding
from incident.findings.joining import joined_since
from incident.findings.named import delivered_finding
from incident.ledger import INTAKE, Kind, Line
from incident.plan import Plan
from incident.record import Record
from tasks.baseline import Baseline
from tasks.hands import Hands, hands

Phase = Callable[..., Awaitable[str]]


class Case:
    """What is known of one incident so far."""

    def __init__(self, incident: str, hands_: Hands | None = None) -> None:
        self.incident = incident
        self.hands = hands_ or hands()
        self.hands.aws.act_for(incident)

    @property
    def finding(self) -> Finding:
        """What the response is about: the finding that opened the incident, or where a note did, the first seed that followed."""
        if seeds := self.seeds():
            return seeds[0]
        opened = self.hands.ledger.find(self.incident, "opened")
        by_hand = opened is not None and "by" in opened.body
        kept = self.hands.evidence.load_json(self.incident, "finding.json")
        return parse_finding(kept, by_hand=True) if by_hand else parse_arrival(kept)

    def seeds(self) -> list[Finding]:
        """What responders named for an incident that only a note opened; nothing is done before there is one."""
        opened = self.hands.ledger.find(self.incident, "opened")
        if opened is None or opened.body["type"] != NOTE:
            return []
        return [finding for finding in self._delivered(self._news()) if finding.named is not None]

    def looks(self) -> list[str]:
        """Why each look at the records was begun, in their order."""
        return [str(line.body["why"]) for line in self.hands.ledger.lines(self.incident, Kind.LOOK)]

    def begin_look(self, look: int, why: str) -> None:
        """Begin a look, with what responders have said until now; said again it changes nothing."""
        said, joined = len(self.hands.ledger.lines(self.incident, Kind.AMENDMENT)), len(self._news())
        body = {"look": look, "why": why, "amendments": said, "findings": joined}
        self.hands.ledger.append(self.incident, Kind.LOOK, f"look:{look}", body)

    def amendments(self, look: int) -> Amendments:
        """What responders had said when a look began."""
        lines = self.hands.ledger.lines(self.incident, Kind.AMENDMENT)[: self._amendments_at(look)]
        return Amendments.of(read_amendment(line.body) for line in lines)

    def overtaken(self, look: int) -> bool:
        """Whether a later look was begun already."""
        return len(self.looks()) > look

    def amended_since(self, look: int) -> bool:
        """Whether a responder said something after a look began."""
        return len(self.hands.ledger.lines(self.incident, Kind.AMENDMENT)) > self._amendments_at(look)

    def _amendments_at(self, look: int) -> int:
        line = self.hands.ledger.find(self.incident, f"look:{look}")
        return int(line.body["amendments"]) if line else 0

    def joined(self, look: int) -> list[Finding]:
        """The findings that had joined with news when a look began, as they were delivered: each is read back before it counts."""
        line = self.hands.ledger.find(self.incident, f"look:{look}")
        return self._delivered(self._news()[: int(line.body.get("findings", 0)) if line else 0])

    def _delivered(self, joined: list[Line]) -> list[Finding]:
        deliveries = [self.hands.ledger.find(INTAKE, str(line.body["delivery"])) for line in joined]
        found: list[Finding] = []
        for delivery in filter(None, deliveries):
            try:
                found.append(delivered_finding(delivery.body))
            except FindingError as error:
                self.note(f"not-believed:{delivery.key}"[:500], {"finding": "", "why": str(error)})
        return found

    def joined_since(self, look: int) -> bool:
        """Whether a finding that names something new joined after a look began, and makes another."""
        looks = (line.body for line in self.hands.ledger.lines(self.incident, Kind.LOOK))
        return joined_since(look, looks, len(self._news()))

    def _news(self) -> list[Line]:
        return [line for line in self.hands.ledger.lines(self.incident, Kind.FINDING) if line.body["news"]]

    def actor(self, look: int) -> Actor:
        line = self.hands.ledger.find(self.incident, f"actor:{look}")
        if line is None:
            raise LookupError(f"{self.incident}: the actor of look {look} is not in the ledger")
        return Actor.from_json(line.body)

    def records(self, look: int) -> list[Record]:
        return self.load_records(f"records/look-{look}.json")

    def load_records(self, name: str) -> list[Record]:
        return [Record.parse(raw) for raw in self.hands.evidence.load_json(self.incident, name)]

    def baseline(self, place: Scope, actor: Actor) -> Baseline | None:
        """The newest baseline of a place from before the actor's window."""
        return self.hands.baselines.newest(place, actor.since or self.hands.clock())

    def keep_plan(self, name: str, look: int, plan: Plan) -> None:
        body = {"name": name, "look": look, "digest": plan.digest, "plan": plan.model_dump(mode="json")}
        self.hands.ledger.append(self.incident, Kind.PLAN, f"plan:{name}:{look}", body)

    def plan(self, name: str, look: int) -> Plan | None:
        line = self.hands.ledger.find(self.incident, f"plan:{name}:{look}")
        return Plan.model_validate(line.body["plan"]) if line else None

    def done(self, phase: str, look: int) -> bool:
        """Whether a phase of a look has ended."""
        return self.hands.ledger.find(self.incident, f"phase:{phase}:{look}:done") is not None

    def suspects(self, look: int) -> tuple[str, ...]:
        """ARNs that the finding names, and whom the actor acts as; these people may not decide on it."""
        return tuple(dict.fromkeys((*self.finding.named_principals, *self.actor(look).principals)))

    def note(self, key: str, body: dict[str, Any]) -> None:
        self.hands.ledger.append(self.incident, Kind.NOTE, key, body)


def once(name: str) -> Callable[[Phase], Phase]:
    """Run a phase once in a look: what it returned stands in the ledger, and a run that starts again reads it there."""

    def decorate(phase: Phase) -> Phase:
        @wraps(phase)
        async def run(incident: str, look: int = 1) -> str:
            hands().working.check(incident)
            ledger, key = hands().ledger, f"phase:{name}:{look}"
            done = ledger.find(incident, f"{key}:done")
            if done is not None:
                return str(done.body["returned"])
            ledger.append(incident, Kind.PHASE, f"{key}:begun", {"phase": name, "look": look, "state": "begun"})
            returned = await phase(incident, look)
            body = {"phase": name, "look": look, "state": "done", "returned": returned}
            ledger.append(incident, Kind.PHASE, f"{key}:done", body)
            get_run_logger().info("%s %s: %s", incident, name, returned)
            return returned

        return run

    return decorate
