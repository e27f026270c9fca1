"""What the playbook asks to be determined: exploited weaknesses, exploits and tools, intent, attribution, damage.

Each section says what the evidence says, every claim with the records or the ledger line that show it, and names what no evidence
tells as an open question with whom to ask. A responder answers in their own words, which stand there with name and time.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from incident.ledger import Kind
from incident.reports.case_file import CaseFile
from incident.reports.section_claims import Claim, attribution, damage, intent, tools, weaknesses

LONGEST_REMARK = 4000

TITLES = {
    "weaknesses": "Exploited weaknesses",
    "tools": "Exploits and tools",
    "intent": "Intent",
    "attribution": "Attribution",
    "damage": "Damage",
}
_CLAIMS = {"weaknesses": weaknesses, "tools": tools, "intent": intent, "attribution": attribution, "damage": damage}


class Remark(BaseModel):
    """What a responder wrote into a section; `method` says how they proved who they are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: str
    text: str = Field(max_length=LONGEST_REMARK)
    person: str
    method: str = "one-time-code"
    surface: str = "command line"
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Said:
    """A remark as the report shows it, with the ledger line that holds it."""

    text: str
    person: str
    at: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """One of the playbook's five determinations. `asks` are the open questions, each beginning with whom to ask."""

    name: str
    title: str
    claims: tuple[Claim, ...]
    asks: tuple[str, ...]
    remarks: tuple[Said, ...]

    @property
    def is_open(self) -> bool:
        """Whether something is asked and nobody has answered."""
        return bool(self.asks) and not self.remarks


def sections(case: CaseFile) -> tuple[Section, ...]:
    """The five sections, in the playbook's order."""
    remarks: dict[str, list[Said]] = {}
    for line in case.all(Kind.REMARK):
        said = Said(str(line.body["text"]), str(line.body["person"]), str(line.body["at"]), line.position)
        remarks.setdefault(str(line.body["section"]), []).append(said)
    made: list[Section] = []
    for name, title in TITLES.items():
        claims, asks = _CLAIMS[name](case)
        made.append(Section(name, title, tuple(claims), tuple(asks), tuple(remarks.get(name, ()))))
    return tuple(made)


def remark_problem(section: str, text: str) -> str:
    """What keeps a remark from being written down, in one sentence; empty when nothing does."""
    if section not in TITLES:
        return f"there is no section {section[:40]!r}; use one of: {', '.join(TITLES)}"
    if not text.strip():
        return "the note is empty; write what you found out, and from whom"
    if len(text) > LONGEST_REMARK:
        return f"the note has {len(text)} characters; keep it under {LONGEST_REMARK} and put the rest into a file beside the case"
    return ""
