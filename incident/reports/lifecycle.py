"""Each phase of the response in NIST's words: the phase of SP 800-61r2, and the CSF 2.0 outcomes that SP 800-61r3 puts there.

https://doi.org/10.6028/NIST.SP.800-61r3
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from incident.ledger import Kind
from incident.reports.case_file import CaseFile

_ANALYSIS = "Detection and analysis"
_RESPONSE = "Containment, eradication, recovery"
_AFTER = "Post-incident activity"

OUTCOMES = {
    "DE.AE-02": "potentially adverse events are analyzed",
    "DE.AE-03": "information is correlated from several sources",
    "DE.AE-04": "estimated impact and scope are understood",
    "DE.AE-08": "an incident is declared when events meet the criteria",
    "RS.MA-01": "the response plan is carried out once an incident is declared",
    "RS.MA-02": "incident reports are triaged and validated",
    "RS.MA-03": "incidents are categorized and prioritized",
    "RS.MA-04": "incidents are escalated or elevated as needed",
    "RS.MA-05": "the criteria for beginning recovery are applied",
    "RS.AN-03": "what took place, and its root cause, is established",
    "RS.AN-06": "what was done in the investigation is recorded, with integrity and provenance",
    "RS.AN-07": "incident data is collected, with integrity and provenance",
    "RS.AN-08": "the incident's magnitude is estimated and validated",
    "RS.CO-02": "stakeholders are notified",
    "RS.MI-01": "incidents are contained",
    "RS.MI-02": "incidents are eradicated",
    "RC.RP-01": "the recovery part of the plan is carried out",
    "RC.RP-02": "recovery actions are selected, scoped, prioritized and performed",
    "RC.RP-05": "restored assets are verified and normal operation is confirmed",
    "RC.RP-06": "the end of recovery is declared and the documentation completed",
    "ID.IM-03": "improvements are identified from what was done",
}
"""The outcomes by id, shortened."""

PHASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "detect": (_ANALYSIS, ("DE.AE-02", "DE.AE-08", "RS.MA-02", "RS.MA-03")),
    "identify": (_ANALYSIS, ("DE.AE-03", "RS.AN-03")),
    "scope": (_ANALYSIS, ("DE.AE-04", "RS.AN-08")),
    "keep-facts": (_ANALYSIS, ("RS.AN-06", "RS.AN-07")),
    "plan-evidence": (_ANALYSIS, ("RS.AN-07",)),
    "begin-evidence": (_ANALYSIS, ("RS.AN-07",)),
    "keep-evidence": (_ANALYSIS, ("RS.AN-06", "RS.AN-07")),
    "plan-containment": (_RESPONSE, ("RS.MA-01",)),
    "contain-at-once": (_RESPONSE, ("RS.MI-01",)),
    "contain": (_RESPONSE, ("RS.MI-01",)),
    "plan-restoration": (_RESPONSE, ("RS.MA-05", "RC.RP-02")),
    "eradicate": (_RESPONSE, ("RS.MI-02",)),
    "recover": (_RESPONSE, ("RC.RP-01", "RC.RP-02")),
    "plan-release": (_RESPONSE, ("RC.RP-02",)),
    "release": (_RESPONSE, ("RC.RP-02",)),
    "prove": (_RESPONSE, ("RC.RP-05",)),
}
_HOLD = (_RESPONSE, ("RS.MI-01",))
_OTHER: dict[str, tuple[str, str, tuple[str, ...]]] = {
    Kind.DECISION: ("people decide", _RESPONSE, ("RS.MA-04", "RS.MA-05")),
    Kind.NOTICE: ("people are told", _RESPONSE, ("RS.CO-02",)),
    Kind.MESSAGE: ("people are told", _RESPONSE, ("RS.CO-02",)),
    Kind.REPORT: ("report", _AFTER, ("RS.AN-06", "ID.IM-03")),
    Kind.REMARK: ("determinations", _AFTER, ("RS.AN-03", "ID.IM-03")),
    Kind.BACKLOG: ("lessons and backlog", _AFTER, ("ID.IM-03",)),
    Kind.CLOSED: ("close", _AFTER, ("RC.RP-06",)),
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that the response did, NIST's phase for it, the outcomes by id, when it ended, and the ledger line that says so."""

    name: str
    phase: str
    outcomes: tuple[str, ...]
    at: datetime
    line: int


def stages(case: CaseFile) -> tuple[Stage, ...]:
    """What was done, in the ledger's order; what happens often, such as messages, once, where it happened last."""
    found: dict[str, Stage] = {}
    for line in case.lines:
        if line.kind == Kind.PHASE and line.body["state"] == "done":
            name = str(line.body["phase"])
            phase, outcomes = PHASES.get(name, _HOLD if name.startswith("hold") else (_RESPONSE, ()))
            look = line.body.get("look", 1)
            title = name.replace("-", " ") + ("" if look == 1 else f" (look {look})")
            found[f"{name}:{look}"] = Stage(title, phase, outcomes, line.at, line.position)
        elif line.kind in _OTHER:
            title, phase, outcomes = _OTHER[line.kind]
            found.pop(title, None)
            found[title] = Stage(title, phase, outcomes, line.at, line.position)
    return tuple(sorted(found.values(), key=lambda one: one.line))
