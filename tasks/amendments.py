"""Takes down what responders add to a case, after they have proved who they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from incident.amendments import Amendment, Strike, Unclear, amendment
from incident.findings.finding import NOTE
from incident.ledger import Kind
from incident.plan import Plan, Unplanned
from incident.policy import Policy
from incident.settings import canonical
from tasks.evidence import EvidenceStore
from tasks.ledger import Ledger
from tasks.roster import Roster


class Amending:
    """The desk at which a case is amended."""

    def __init__(
        self, ledger: Ledger, roster: Roster, policy: Policy, evidence: EvidenceStore, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._roster, self._policy, self._evidence, self._clock = ledger, roster, policy, evidence, clock

    def take(
        self, incident: str, lines: list[str], *, person: str, code: str, surface: Literal["prefect", "command line"], reason: str
    ) -> str:
        """Write down every line, or none; why none, in one sentence. The code is burnt only when all else is right."""
        opened = self._ledger.find(incident, "opened")
        if opened is None:
            return f"the ledger knows no incident {incident}; `countermand incidents` lists them"
        if opened.body.get("type") == NOTE and not self._ledger.lines(incident, Kind.FINDING):
            return f"{incident} was opened by a note; name what is the actor's with `countermand open --joins {incident}`"
        if not opened.body["responds"] and opened.body.get("type") != NOTE:
            return f"{incident} was only reported, so there is no plan to amend: {opened.body['reason']}"
        said = {"person": person, "method": "one-time-code", "surface": surface, "reason": reason[:1000], "at": self._clock()}
        left = self.left(incident)
        try:
            amendments = [self._checked(incident, amendment(line, said, left)) for line in lines if line.strip()]
        except Unclear as unclear:
            return str(unclear)
        if not amendments:
            return "there is nothing in these words; write one amendment a line"
        problem = self._not_entitled(incident, person) or self._roster.check(person, code)
        if problem:
            return problem
        self._ledger.append_all([(incident, Kind.AMENDMENT, _key(one), one.model_dump(mode="json")) for one in amendments])
        return ""

    def left(self, incident: str) -> list[Unplanned]:
        """What the incident's plans leave to people, in the order of the plans."""
        plans = (Plan.model_validate(line.body["plan"]) for line in self._ledger.lines(incident, Kind.PLAN))
        return [item for plan in plans for item in plan.unplanned]

    def _checked(self, incident: str, one: Amendment) -> Amendment:
        if isinstance(one, Strike) and one.record not in self._kept_records(incident):
            raise Unclear(f"no record {one.record[:60]} is among the incident's evidence; give an eventID from the plan or report")
        return one

    def _kept_records(self, incident: str) -> set[str]:
        names = [item["item"] for item in self._evidence.manifest(incident) if str(item["item"]).startswith("records/")]
        records: list[dict[str, Any]] = [record for name in names for record in self._evidence.load_json(incident, name)]
        return {str(record.get("eventID", "")) for record in records}

    def _not_entitled(self, incident: str, person: str) -> str:
        responder = self._policy.by_name(person)
        if responder is None:
            return f"{person or 'this person'} is not among the responders of the policy"
        opened = self._ledger.find(incident, "opened")
        asked = [opened] if opened else []
        suspects = {arn for line in (*asked, *self._ledger.lines(incident, Kind.QUESTION)) for arn in line.body.get("suspects", ())}
        return f"{person} is named in the finding and may not decide on it" if suspects & set(responder.principals) else ""


def _key(one: Amendment) -> str:
    """One key for one saying: sent twice, it stands once."""
    content = canonical(one.model_dump(mode="json"))
    return f"amendment:{one.kind}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"
