"""Takes down that somebody has taken an incident, or calls the next level in, after they have proved who they are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from incident.approvals import principals_meet
from incident.ledger import Kind
from incident.people.occasions import facts
from incident.policy import Policy
from tasks.ledger import Ledger
from tasks.roster import Roster

Surface = Literal["slack", "command line", "prefect"]


class Acknowledging:
    """The desk at which an incident is taken.

    Args:
        ack_time: for how long an acknowledgement holds.
    """

    def __init__(
        self,
        ledger: Ledger,
        roster: Roster,
        policy: Policy,
        clock: Callable[[], datetime],
        ack_time: timedelta = timedelta(hours=1),
    ) -> None:
        self._ledger, self._roster, self._policy, self._clock, self._ack_time = ledger, roster, policy, clock, ack_time

    def take(self, incident: str, *, person: str, code: str, surface: Surface) -> tuple[str, datetime | None]:
        """Write down that a person has taken an incident: why not, in one sentence, or until when they have it."""
        problem = self.objection(incident, person) or self._roster.check(person, code)
        return (problem, None) if problem else ("", self.taken(incident, person, surface))

    def taken(self, incident: str, person: str, surface: Surface) -> datetime:
        """Write it down for somebody who has proved who they are, and answer until when it holds."""
        now = self._clock()
        until = now + self._ack_time
        body = {"person": person, "surface": surface, "at": now.isoformat(), "until": until.isoformat()}
        self._ledger.append(incident, Kind.ACK, f"ack:{person}:{now.isoformat()}", body)
        return until

    def call(self, incident: str, *, person: str, code: str, surface: Surface, reason: str) -> str:
        """Call the next level in; why not, in one sentence."""
        problem = self.objection(incident, person) or self._roster.check(person, code)
        if problem:
            return problem
        self.called(incident, person, surface, reason)
        return ""

    def called(self, incident: str, person: str, surface: Surface, reason: str) -> None:
        """Write down that somebody who has proved who they are calls the next level in."""
        body = {"person": person, "surface": surface, "reason": reason[:1000]}
        self._ledger.append(incident, Kind.ESCALATE, f"escalate:{person}:{self._clock().isoformat()}", body)

    def objection(self, incident: str, person: str) -> str:
        """Why a person may neither take an incident nor call people in: whoever the finding names may not silence it."""
        lines = self._ledger.lines(incident)
        if facts(lines, self._clock()) is None:
            return f"the ledger knows no incident {incident}; `countermand incidents` lists them"
        responder = self._policy.by_name(person)
        if responder is None:
            return f"{person or 'this person'} is not among the responders of the policy"
        suspects = {arn for line in lines if line.kind in (Kind.OPENED, Kind.QUESTION) for arn in line.body.get("suspects", ())}
        if principals_meet(responder.principals, suspects):
            return f"{person} is named in the finding or acts with what the actor holds, and may not take the incident"
        return ""
