"""The network before the incident, attacked, and after the response, as the plans and outcomes tell it: setting by setting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from incident.ledger import Line
from incident.network.registry import FAMILIES
from incident.plan import Phase, Step, Unplanned
from incident.planner import brief
from incident.reports.case_file import GOOD, CaseFile
from incident.settings import SettingKey, Value

ABSENT = "absent"
NOT_KNOWN = "not known"
_RESTORING = (Phase.ERADICATE, Phase.RECOVER)


class After(StrEnum):
    """How a setting stands after the response."""

    AS_BEFORE = "as before"
    NOT_BACK = "not put back"
    LEFT = "left to people"


@dataclass(frozen=True, slots=True)
class Changed:
    """One setting of the network that the actor changed, with its three values in words.

    `exposes` tells whether the attacked value opened a way in or out. `line` is the ledger line that the last value comes from.
    """

    key: SettingKey
    before: str
    attacked: str
    after: str
    state: After
    exposes: bool
    records: tuple[str, ...]
    line: int

    @property
    def place(self) -> str:
        return f"{self.key.account} {self.key.region}"

    @property
    def what(self) -> str:
        return self.key.kind.replace("-", " ")


def before_after(case: CaseFile) -> tuple[Changed, ...]:
    """Every setting of the network in the restoration's plans, by place and resource; of one planned again, the first attacked
    value and the newest end.
    """
    first: dict[SettingKey, Step] = {}
    last: dict[SettingKey, Step] = {}
    left: dict[SettingKey, tuple[Line, Unplanned]] = {}
    lines: dict[SettingKey, Line] = {}
    for line, plan in case.plans:
        for step in plan.steps:
            if step.phase in _RESTORING and _is_network(step.key):
                first.setdefault(step.key, step)
                last[step.key], lines[step.key] = step, line
        left |= {item.key: (line, item) for item in plan.unplanned if item.key is not None and _is_network(item.key)}
    ends = {str(line.body["step"]): line for line in case.outcomes}
    rows = [_row(first[key], step, ends.get(step.id), lines[key]) for key, step in last.items()]
    rows += [_left(line, key, item) for key, (line, item) in left.items() if key not in last]
    return tuple(sorted(rows, key=lambda row: (row.place, row.key.resource, row.key.kind, row.key.name)))


def _row(first: Step, step: Step, end: Line | None, planned: Line) -> Changed:
    well = end is not None and end.body["result"] in GOOD
    after = brief_or_absent(step.leaves) if well else brief_or_absent(step.expects)
    return Changed(
        key=step.key,
        before=brief_or_absent(step.leaves),
        attacked=brief_or_absent(first.expects),
        after=after,
        state=After.AS_BEFORE if well else After.NOT_BACK,
        exposes=step.closes_exposure,
        records=step.why,
        line=end.position if end is not None else planned.position,
    )


def _left(line: Line, key: SettingKey, item: Unplanned) -> Changed:
    before = NOT_KNOWN if item.status == "needs-prior-state" else brief_or_absent(item.wanted)
    now = NOT_KNOWN if item.status == "unread" else brief_or_absent(item.found)
    return Changed(key, before, now, now, After.LEFT, False, item.records, line.position)


def brief_or_absent(value: Value) -> str:
    return ABSENT if value is None else brief(value)


@lru_cache(maxsize=1)
def _network_kinds() -> frozenset[str]:
    return frozenset(kind for family in FAMILIES for kind in family.kinds)


def _is_network(key: SettingKey) -> bool:
    return key.kind in _network_kinds()
