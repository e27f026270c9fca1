"""One incident's case file, as the phases read and write it: all of it lives in the ledger and the evidence store."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from prefect.logging import get_run_logger

from incident.actor import Actor
from incident.finding import Finding, parse_finding
from incident.ledger import Kind
from incident.plan import Plan
from incident.record import Record
from tasks.hands import Hands, hands

Phase = Callable[..., Awaitable[str]]


class Case:
    """What is known of one incident so far."""

    def __init__(self, incident: str, hands_: Hands | None = None) -> None:
        self.incident = incident
        self.hands = hands_ or hands()

    @property
    def finding(self) -> Finding:
        return parse_finding(self.hands.evidence.load_json(self.incident, "finding.json"))

    def actor(self, round_: int) -> Actor:
        line = self.hands.ledger.find(self.incident, f"actor:{round_}")
        if line is None:
            raise LookupError(f"{self.incident}: the actor of look {round_} is not in the ledger")
        return Actor.from_json(line.body)

    def records(self, round_: int) -> list[Record]:
        return [Record.parse(raw) for raw in self.hands.evidence.load_json(self.incident, f"records/look-{round_}.json")]

    def keep_plan(self, name: str, round_: int, plan: Plan) -> None:
        body = {"name": name, "round": round_, "digest": plan.digest, "plan": plan.model_dump(mode="json")}
        self.hands.ledger.append(self.incident, Kind.PLAN, f"plan:{name}:{round_}", body)

    def plan(self, name: str, round_: int) -> Plan | None:
        line = self.hands.ledger.find(self.incident, f"plan:{name}:{round_}")
        return Plan.model_validate(line.body["plan"]) if line else None

    def suspects(self) -> tuple[str, ...]:
        """ARNs that the finding names; these people may not decide on it."""
        finding = self.finding
        user = finding.access_key.user_name if finding.access_key else ""
        return (f"arn:aws:iam::{finding.account}:user/{user}",) if user else ()

    def note(self, key: str, body: dict[str, Any]) -> None:
        self.hands.ledger.append(self.incident, Kind.NOTE, key, body)


def once(name: str) -> Callable[[Phase], Phase]:
    """Run a phase once in an incident's life: what it returned stands in the ledger, and a run that starts again reads it there."""

    def decorate(phase: Phase) -> Phase:
        @wraps(phase)
        async def run(incident: str, round_: int = 1) -> str:
            ledger, key = hands().ledger, f"phase:{name}:{round_}"
            done = ledger.find(incident, f"{key}:done")
            if done is not None:
                return str(done.body["returned"])
            ledger.append(incident, Kind.PHASE, f"{key}:begun", {"phase": name, "round": round_, "state": "begun"})
            returned = await phase(incident, round_)
            body = {"phase": name, "round": round_, "state": "done", "returned": returned}
            ledger.append(incident, Kind.PHASE, f"{key}:done", body)
            get_run_logger().info("%s %s: %s", incident, name, returned)
            return returned

        return run

    return decorate
