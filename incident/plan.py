"""Plans as data: what would be changed, in which order, on what evidence, and how it is taken back.

What was approved is what runs: a plan is known by the digest of its content.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from incident.family import Call
from incident.settings import SettingKey, Value, canonical


class Phase(StrEnum):
    """The phases in which a plan changes AWS, in the order in which they run."""

    EVIDENCE = "evidence"
    CONTAIN = "contain"
    ERADICATE = "eradicate"
    RECOVER = "recover"
    RELEASE = "release"
    PREPARE = "prepare"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedLookup(_Frozen):
    """A parameter read just before the call: the read, and the JMESPath of the value, or of `each` value, in its answer."""

    service: str
    operation: str
    parameters: dict[str, Any]
    path: str
    each: bool = False


class PlannedCall(_Frozen):
    """One AWS call with every parameter as it will be sent; `lookups` are those that only the moment of the call knows."""

    service: str
    operation: str
    parameters: dict[str, Any]
    permissions: tuple[str, ...]
    lookups: dict[str, PlannedLookup] = Field(default_factory=dict[str, PlannedLookup])

    @classmethod
    def of(cls, call: Call) -> PlannedCall:
        lookups = {
            name: PlannedLookup(
                service=lookup.read.service,
                operation=lookup.read.operation,
                parameters=dict(lookup.read.parameters),
                path=lookup.path,
                each=lookup.each,
            )
            for name, lookup in call.lookups.items()
        }
        return cls(
            service=call.service,
            operation=call.operation,
            parameters=dict(call.parameters),
            permissions=call.permissions,
            lookups=lookups,
        )


class Step(_Frozen):
    """One setting brought from the value it has to the value it must have.

    Attributes:
        id: unique within the incident, the same whenever the same step is planned again.
        key: the setting.
        expects: the live value that the plan was made from. A step that finds another value stops.
        leaves: the value that a later read must show.
        calls: the calls that do it, in order.
        undo: the calls that take it back; empty when nothing does.
        why: ids of the CloudTrail records that are the evidence.
        source: where the wanted value comes from.
        after: ids of steps that must be done before this one.
        evidence: ids of evidence steps that must be complete, and names of kept items that must verify, before this one.
        creates: JMESPath of the new id in the last call's response, when the step makes a resource again.
        replaces: the id of the deleted resource that the new one stands for; later steps that name it get the new id.
        irreversible: why the step cannot be taken back; empty when it can.
        loses: what does not come back the same.
        closes_exposure: whether the step closes a way in or out.
        concerns: the id of the instance that the step isolates, for its key may name another resource, such as an interface.
    """

    id: str
    phase: Phase
    title: str
    key: SettingKey
    expects: Value = None
    leaves: Value = None
    calls: tuple[PlannedCall, ...]
    undo: tuple[PlannedCall, ...] = ()
    why: tuple[str, ...] = ()
    source: str = ""
    after: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    creates: str = ""
    replaces: str = ""
    irreversible: str = ""
    loses: str = ""
    closes_exposure: bool = False
    concerns: str = ""

    @property
    def account(self) -> str:
        return self.key.account

    @property
    def region(self) -> str:
        return self.key.region

    @property
    def reversible(self) -> bool:
        return not self.irreversible

    @property
    def permissions(self) -> tuple[str, ...]:
        return tuple(sorted({permission for call in self.calls for permission in call.permissions}))


TO_CHOOSE = ("conflict", "needs-prior-state")
"""The statuses of items that a person settles by choosing a value: their live value was read."""


class Unplanned(_Frozen):
    """Something the actor did that the plan does not undo, and why; a person decides.

    `status` is `needs-prior-state`, `conflict`, `not-invertible`, `not-understood`, `unread` or `protected`. `id` names the item on
    the command line and in the form, and stays the same from one plan to the next.
    """

    status: str
    what: str
    why: str
    advice: str = ""
    records: tuple[str, ...] = ()
    key: SettingKey | None = None
    found: Value = None
    wanted: Value = None
    authors: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        content = canonical(list(self.key) if self.key else self.what)
        return f"left-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


class MadeState(StrEnum):
    """What has become of something that the actor made."""

    EXISTS = "exists"
    RELIED_ON = "relied on by others"
    GONE = "already gone"
    UNREAD = "could not be read"


class Made(_Frozen):
    """A resource that the actor made, as it was when the plan was; `detail` says by whom it was deleted, or who relies on it."""

    key: SettingKey
    state: MadeState
    detail: str = ""
    records: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        told = f"{self.key.kind.replace('-', ' ')} {self.key.resource} ({self.key.account}, {self.key.region}): {self.state}"
        return f"{told}, {self.detail}" if self.detail else told


class Plan(_Frozen):
    """An ordered list of steps for one incident. `because` says in one or two sentences what happened.

    `look` is the look at the records that it rests on: a plan that is made again is decided on again, though it says the same.
    """

    incident: str
    title: str
    look: int = 1
    because: str = ""
    steps: tuple[Step, ...]
    unplanned: tuple[Unplanned, ...] = ()
    cut_off: tuple[str, ...] = Field(default=(), description="who else can no longer work once it has run")
    kept: tuple[str, ...] = Field(default=(), description="other people's work on the same settings, left as it is")
    doubts: tuple[str, ...] = Field(default=(), description="changes that could be the owner's or the actor's")
    chosen: tuple[str, ...] = Field(default=(), description="what responders chose or took care of themselves")
    made: tuple[Made, ...] = Field(default=(), description="what the actor made, also what is gone already")

    @property
    def to_settle(self) -> frozenset[str]:
        """Ids of what a person can settle: by choosing a value, or by ruling on a credential."""
        return frozenset(item.id for item in self.unplanned if item.status in (*TO_CHOOSE, "suspected"))

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the plan would do, in hex: what an approval approves."""
        content = self.model_dump(mode="json")
        if not self.made:
            # Plans of ledgers from before there was such a list keep the digest that was decided on.
            del content["made"]
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    @property
    def short_digest(self) -> str:
        """The first twelve hex digits of the digest: what people compare by eye."""
        return self.digest[:12]

    def without(self, struck: frozenset[str]) -> Plan:
        """The plan less the steps that were struck, and less those that must come after one of them."""
        gone = set(struck)
        kept: list[Step] = []
        for step in self.steps:
            if step.id in gone or gone.intersection(step.after):
                gone.add(step.id)
            else:
                kept.append(step)
        return self.model_copy(update={"steps": tuple(kept)})

    def counts(self) -> dict[str, int]:
        """How many steps create, update and delete, as people ask before they say yes."""
        tally = {"create": 0, "update": 0, "delete": 0}
        for step in self.steps:
            kind = "create" if step.expects is None else "delete" if step.leaves is None else "update"
            tally[kind] += 1
        return tally


def is_item(evidence: str) -> bool:
    """Whether what a step rests on is a kept item, by its name, and not a step that takes evidence."""
    return "/" in evidence


def step_id(phase: Phase, key: SettingKey, leaves: Value) -> str:
    """The same id for the same step, whenever and by whomever it is planned."""
    content = canonical([phase, list(key), leaves])
    return f"{phase}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"
