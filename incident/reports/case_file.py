"""An incident's ledger lines, sorted once for everything that the report derives from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from incident.actor import Actor, Credential
from incident.coverage import coverage
from incident.ledger import Kind, Line
from incident.plan import Plan, Step
from incident.reports.story import Calls, calls_of

GOOD = ("done", "already right")
"""The results with which a step ended well."""


@dataclass(frozen=True)
class CaseFile:
    """The lines and what they say; of what is said anew at each look, the newest counts."""

    lines: Sequence[Line]

    def all(self, kind: Kind) -> list[Line]:
        return [line for line in self.lines if line.kind == kind]

    def newest(self, kind: Kind) -> Line | None:
        return next((line for line in reversed(self.lines) if line.kind == kind), None)

    def body(self, kind: Kind) -> Mapping[str, Any]:
        """The newest line's body; empty where there is no such line."""
        line = self.newest(kind)
        return line.body if line else {}

    def position(self, kind: Kind) -> int:
        """Where the newest line of a kind stands; 0 where there is none."""
        line = self.newest(kind)
        return line.position if line else 0

    def _note(self, prefix: str) -> Line | None:
        return next((line for line in reversed(self.lines) if line.kind == Kind.NOTE and line.key.startswith(prefix)), None)

    @cached_property
    def opened(self) -> Mapping[str, Any]:
        line = next((line for line in self.lines if line.kind == Kind.OPENED), None)
        return line.body if line else {}

    @cached_property
    def actor(self) -> Actor | None:
        body = self.body(Kind.ACTOR)
        return Actor.from_json(body) if body else None

    @property
    def seed(self) -> Credential | None:
        """The credential that the finding names."""
        return self.actor.credentials.get(self.actor.seed) if self.actor else None

    @cached_property
    def calls(self) -> tuple[Calls, ...]:
        return calls_of(self.lines)

    @property
    def calls_line(self) -> int:
        line = self._note("calls:")
        return line.position if line else 0

    @property
    def means(self) -> Mapping[str, Any]:
        line = self._note("means:")
        return line.body if line else {}

    @property
    def means_line(self) -> int:
        line = self._note("means:")
        return line.position if line else 0

    @cached_property
    def plans(self) -> list[tuple[Line, Plan]]:
        return [(line, Plan.model_validate(line.body["plan"])) for line in self.all(Kind.PLAN)]

    @cached_property
    def outcomes(self) -> list[Line]:
        return self.all(Kind.OUTCOME)

    def done_well(self, phase: str) -> list[Line]:
        return [line for line in self.outcomes if line.body["phase"] == phase and line.body["result"] in GOOD]

    @cached_property
    def steps(self) -> dict[str, Step]:
        """Every step that was planned, by its id; of one planned again the last."""
        return {step.id: step for _, plan in self.plans for step in plan.steps}

    @cached_property
    def coverage(self) -> list[dict[str, Any]]:
        return coverage(self.lines)

    @property
    def finding_types(self) -> dict[str, int]:
        """The types of the findings that opened and joined the incident, each with the line that tells it."""
        line = next((line for line in self.lines if line.kind == Kind.OPENED), None)
        return {str(line.body.get("type", "")): line.position} if line else {}
