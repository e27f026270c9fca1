"""Finds in the intake chain what opened an incident."""

from __future__ import annotations

from collections.abc import Mapping

from incident.findings.joining import Outcome
from incident.ledger import INTAKE, Kind, Line
from tasks.ledger import Ledger


def opening_delivery(ledger: Ledger, incident: str) -> Line | None:
    """The delivery that opened an incident: the first that was sorted so, or the first that names it."""
    for line in ledger.lines(INTAKE, Kind.SORTED):
        if line.body.get("incident") == incident and line.body.get("outcome") == Outcome.OPENS:
            return ledger.find(INTAKE, str(line.body["delivery"]))
    bodies = ((line, line.body) for line in ledger.lines(INTAKE, Kind.DELIVERY))
    return next((line for line, body in bodies if isinstance(body, Mapping) and body.get("incident") == incident), None)
