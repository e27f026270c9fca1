"""What people add after the response: notes in the report's sections, backlog items, and the word that closes an incident.

Each is written down only after its author proved who they are, and never by somebody whom the finding names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from incident.approvals import principals_meet
from incident.ledger import Kind, Line
from incident.policy import Policy
from incident.reports import backlog
from incident.reports.closing import is_closed, reasons_against
from incident.reports.report import report
from incident.reports.sections import Remark, remark_problem
from incident.settings import canonical
from tasks.evidence import EvidenceStore
from tasks.ledger import Ledger
from tasks.roster import Roster

SURFACE = "command line"


class Aftermath:
    """The desk at which an incident is finished. What it answers is why not, in one sentence; nothing when it was written down."""

    def __init__(
        self, ledger: Ledger, roster: Roster, policy: Policy, evidence: EvidenceStore, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._roster, self._policy, self._evidence, self._clock = ledger, roster, policy, evidence, clock

    def note(self, incident: str, section: str, text: str, *, person: str, code: str) -> str:
        """Write into a section of the report."""
        lines = self._ledger.lines(incident)
        problem = _unknown(incident, lines) or remark_problem(section, text) or self._may_not(lines, person, code)
        if problem:
            return problem
        remark = Remark(section=section, text=_speakable(text), person=person, surface=SURFACE, at=self._clock())
        return self._write(incident, Kind.REMARK, f"remark:{section}", [remark.model_dump(mode="json")])

    def backlog(self, chain: str, bodies: Sequence[Mapping[str, Any]], *, person: str, code: str) -> str:
        """Add, assign or finish items, all or none."""
        lines = self._ledger.lines(chain)
        problem = "" if chain == backlog.BACKLOG_CHAIN else _unknown(chain, lines)
        problem = problem or self._not_in_order(lines, bodies) or self._may_not(lines, person, code)
        return problem or self._write(chain, Kind.BACKLOG, "backlog", bodies)

    def close(self, incident: str, *, person: str, code: str, reason: str, force: bool) -> tuple[str, ...]:
        """Close an incident; every reason against it where there is one and it is not forced."""
        lines = self._ledger.lines(incident)
        problem = _unknown(incident, lines) or (f"{incident} is closed already" if is_closed(lines) else "")
        problem = problem or ("" if reason.strip() else "say why in --reason: it stands in the report")
        against = () if problem else self.against(incident, lines)
        if problem or (against and not force):
            return (problem,) if problem else against
        problem = self._may_not(lines, person, code)
        if problem:
            return (problem,)
        body = {"person": person, "surface": SURFACE, "method": "one-time-code", "reason": _speakable(reason)[:1000]}
        self._ledger.append(incident, Kind.CLOSED, "closed", {**body, "forced": bool(against), "against": list(against)})
        return ()

    def against(self, incident: str, lines: Sequence[Line]) -> tuple[str, ...]:
        """What speaks against closing it now."""
        return reasons_against(lines, report(lines).unplanned, sorted(self._evidence.waiting(incident)))

    def _not_in_order(self, lines: Sequence[Line], bodies: Sequence[Mapping[str, Any]]) -> str:
        known = {item.id for item in backlog.items(lines)}
        for body in bodies:
            if body["does"] == "add":
                problem = backlog.problem(str(body["title"]), str(body["perspective"]))
            else:
                missing = str(body["item"]) not in known
                problem = f"no item {str(body['item'])[:40]!r} is in this backlog; `countermand backlog list` shows them" * missing
                empty = not str(body.get("owner", body.get("how", ""))).strip()
                problem = problem or ("say who has it (--owner), or how it was done (--how)" if empty else "")
            if problem:
                return problem
        return "" if bodies else "there is nothing to write down: everything recommended is in the backlog already"

    def _may_not(self, lines: Sequence[Line], person: str, code: str) -> str:
        responder = self._policy.by_name(person)
        if responder is None:
            return f"{person or 'this person'} is not among the responders of the policy"
        suspects = {arn for line in lines if line.kind in (Kind.OPENED, Kind.QUESTION) for arn in line.body.get("suspects", ())}
        if principals_meet(responder.principals, suspects):
            return f"{person} is named in the finding or acts with what the actor holds, and may not speak for this incident"
        return self._roster.check(person, code)

    def _write(self, chain: str, kind: Kind, prefix: str, bodies: Sequence[Mapping[str, Any]]) -> str:
        position = self._ledger.head(chain)[0]
        keyed = [(chain, kind, f"{prefix}:{position}:{_digest(body)}", body) for body in bodies]
        self._ledger.append_all(keyed)
        return ""


def _speakable(text: str) -> str:
    """A text as the ledger can hold it: a terminal may hand over bytes that are no text."""
    return text.strip().encode("utf-8", "replace").decode()


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical(dict(body)).encode()).hexdigest()[:16]


def _unknown(incident: str, lines: Sequence[Line]) -> str:
    opened = any(line.kind == Kind.OPENED for line in lines)
    return "" if opened else f"the ledger knows no incident {incident}; `countermand incidents` lists them"
