"""What each record changed, and what takes that back: CloudTrail read aloud.

Records are folded in time order first to last, so that an earlier record tells what a later one replaced. Nothing is dropped
silently: a record that cannot be read is explained as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from heapq import heapify, heappushpop
from typing import Any, NamedTuple, cast

from incident.families import family_for_event, family_for_kind
from incident.family import Call, Family, Unrestorable
from incident.network.opposites import advised_call
from incident.network.registry import Standing, recognize, standing
from incident.planner import word_for
from incident.record import JsonObject, Record, RecordError, in_order
from incident.settings import UNKNOWN, Entry, Fold, Known, Observed, SettingKey, Unknown, Value, Write, names_in, same


class Certainty(StrEnum):
    """How sure the undo of a record is."""

    EXACT = "exact"
    NEEDS_PRIOR_STATE = "needs-prior-state"
    NOT_INVERTIBLE = "not-invertible"
    NOT_UNDERSTOOD = "not-understood"


@dataclass(frozen=True, slots=True)
class Changed:
    """One setting that a record wrote."""

    key: SettingKey
    before: Value | Unknown
    after: Value | Unknown

    def to_json(self) -> dict[str, Any]:
        return {"key": str(self.key), "before": _shown(self.before), "after": _shown(self.after)}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One record: the settings it changed, and the calls that change them back or, as text, why there are none.

    `note` is for people: what the undo does not bring back, or what is missing for the rest of it.
    """

    event_id: str
    event_name: str
    settings: tuple[Changed, ...]
    undo: tuple[Call, ...] | str
    certainty: Certainty
    note: str = ""
    record: Record | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The explanation as `countermand explain --json` prints it."""
        return {
            "eventID": self.event_id,
            "eventName": self.event_name,
            "settings": [changed.to_json() for changed in self.settings],
            "undo": self.undo if isinstance(self.undo, str) else [_call_shown(call) for call in self.undo],
            "certainty": self.certainty.value,
            "note": self.note,
        }


WINDOW = 10_000
"""How many records that change the network are held to put them in order; a longer trail is explained while it is read."""


def explain(records: Iterable[object], window: int = WINDOW) -> Iterator[Explanation]:
    """Explain every record that changes the network, or who may do what, and every one that cannot be read; others are skipped.

    What is held is a window of records and the settings that they wrote, however long the trail. Only a trail that runs backwards
    must be held whole.
    """
    reader, sorter = _Reader(), _Sorter(window)
    before: datetime | None = None
    for number, raw in enumerate(records, start=1):
        try:
            record, note = _parsed(raw, before)
        except RecordError as reason:
            yield _unreadable(raw, number, str(reason))
            continue
        before = record.time
        if _is_explained(record):
            for ripe in sorter.put(_Held(record.time, number, record, note)):
                yield reader.explain(ripe)
    for held in sorter.rest():
        yield reader.explain(held)


_PERMITTING = frozenset({"iam", "s3"})
"""The services that say who may do what: what families understand of them is explained like the network."""


def _is_explained(record: Record) -> bool:
    permits = record.service in _PERMITTING and family_for_event(record.operation) is not None
    return permits or standing(record) is not Standing.ELSEWHERE


def _parsed(raw: object, before: datetime | None) -> tuple[Record, str]:
    """A record and what is to be said of it. One whose time alone cannot be read takes the time of the one before it."""
    try:
        return Record.parse(raw), ""
    except RecordError as reason:
        if not isinstance(raw, Mapping):
            raise
        moment = before or datetime.min.replace(tzinfo=UTC)
        try:
            placed = Record.parse({**cast(JsonObject, raw), "eventTime": moment.isoformat()})
        except RecordError:
            raise reason from None
        return placed, f"{reason}: read where it stands"


class _Held(NamedTuple):
    """A record on its way: those of one second stay in the order in which they came."""

    time: datetime
    number: int
    record: Record
    note: str


class _Sorter:
    """Puts records in order of time, holding no more of them than a window."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._held: list[_Held] = []
        self._streams = self._backwards = False
        self._told: dict[tuple[str, str], datetime] = {}

    def put(self, held: _Held) -> Iterator[_Held]:
        """Take one record, and give back what cannot be overtaken any more."""
        if self._streams:
            yield self._noted(heappushpop(self._held, held))
            return
        self._held.append(held)
        if len(self._held) > self._window and not self._backwards:
            self._backwards = self._held[0].time > self._held[-1].time
            self._streams = not self._backwards
            if self._streams:
                heapify(self._held)

    def rest(self) -> Iterator[_Held]:
        if self._streams:
            yield from map(self._noted, sorted(self._held))
        else:
            yield from in_order(self._held)

    def _noted(self, held: _Held) -> _Held:
        """A record that stands further behind its time than the window reaches is explained where it stands, and says so."""
        place = held.record.account, held.record.region
        if held.time < self._told.setdefault(place, held.time):
            late = f"it stands more than {self._window} records behind its time, and is read where it stands"
            return held._replace(note="; ".join(filter(None, (held.note, late))))
        self._told[place] = held.time
        return held


class _Reader:
    """Folds records one by one, and remembers the ids by which calls can name what they made."""

    def __init__(self) -> None:
        self._fold = Fold(keeps_entries=False)
        self._handles: dict[SettingKey, Mapping[str, str]] = {}

    def explain(self, held: _Held) -> Explanation:
        explanation = self._explained(held.record)
        return replace(explanation, note="; ".join(filter(None, (held.note, explanation.note))))

    def _explained(self, record: Record) -> Explanation:
        if not record.succeeded:
            return _explained(record, undo=f"nothing changed: errorCode {record.error_code}", certainty=Certainty.EXACT)
        family = family_for_event(record.operation)
        if family is None and standing(record) is Standing.RECOGNIZED:
            return _recognized(record)
        if family is None:
            reason = f"{record.operation} is not known to Countermand: look it up, and undo it by hand"
            return _explained(record, undo=reason, certainty=Certainty.NOT_UNDERSTOOD)
        try:
            return self._understood(record, family)
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            return _explained(record, undo=f"the record has an unknown shape: {reason}", certainty=Certainty.NOT_UNDERSTOOD)

    def _understood(self, record: Record, family: Family) -> Explanation:
        def writes(record: Record, known: Known) -> list[Write]:
            found = list(family.writes(record, known))
            self._remember(found)
            return found

        entries = self._fold.read(record, writes)
        changed = tuple(Changed(entry.key, entry.before, entry.after) for entry in entries)
        if all(same(entry.before, entry.after) for entry in entries):
            return _explained(record, changed, "nothing changed: the settings had these values before", Certainty.EXACT)
        undo = _Undo(entries, self._handles, self._fold)
        return _explained(record, changed, *undo.outcome())

    def _remember(self, writes: Iterable[Write]) -> None:
        for write in writes:
            if write.handles and write.after is not None:
                self._handles[write.key] = write.handles
            elif write.after is None:
                self._handles.pop(write.key, None)


class _Undo:
    """The calls that take one record's settings back to what they were."""

    def __init__(self, entries: list[Entry], handles: Mapping[SettingKey, Mapping[str, str]], known: Known) -> None:
        self.handles = handles
        self.known = known
        self.calls: list[Call] = []
        self.unknown: list[SettingKey] = []
        self.refused: list[Unrestorable] = []
        self.implied: dict[SettingKey, Value] = {}
        self.new_ids: dict[str, str] = {}
        going = {word_for(entry.key) for entry in entries if entry.before is None}
        for entry in sorted(entries, key=lambda entry: _undo_order(entry, going)):
            if not _goes_with_its_parent(entry, entries):
                self._take_back(entry)
        for key, value in self.implied.items():
            if known.value(key) is None and all(entry.key != key for entry in entries):
                self._change(key, Observed(key, value), None)

    def outcome(self) -> tuple[tuple[Call, ...] | str, Certainty, str]:
        """What to do, how sure that is, and what to say besides."""
        calls = merged(self.calls)
        reasons = [f"{refusal.reason}. {refusal.advice}" for refusal in self.refused]
        if self.unknown:
            names = ", ".join(str(key) for key in self.unknown)
            reasons.insert(0, f"what was before is not in these records: {names}")
        certainty = Certainty.EXACT
        if self.unknown:
            certainty = Certainty.NEEDS_PRIOR_STATE
        elif self.refused:
            certainty = Certainty.NOT_INVERTIBLE
        losses = sorted({f"does not bring back {call.loses}" for call in calls if call.loses and not _removes(call)})
        if calls:
            return calls, certainty, "; ".join([*reasons, *losses])
        return "; ".join(reasons) or "nothing to undo", certainty, ""

    def _take_back(self, entry: Entry) -> None:
        if isinstance(entry.before, Unknown) or isinstance(entry.after, Unknown):
            self.unknown.append(entry.key)
            return
        after = self.implied.get(entry.key) if entry.after is None else entry.after
        live = None if after is None else Observed(entry.key, after, self.handles.get(entry.key, {}))
        self._change(entry.key, live, entry.before)
        if live is None and entry.key.name == "":
            self.implied |= dict(family_for_kind(entry.key.kind).implies(entry.key, entry.before))

    def _change(self, key: SettingKey, live: Observed | None, wanted: Value) -> None:
        answer = family_for_kind(key.kind).change(key, live, wanted)
        if isinstance(answer, Unrestorable):
            self.refused.append(answer)
            return
        for call in answer:
            self.calls.append(replace(call, parameters=_renamed(call.parameters, self.new_ids)))
            if call.creates:
                self.new_ids[key.resource] = f"<{call.creates} of {call.operation}>"


def _goes_with_its_parent(entry: Entry, entries: list[Entry]) -> bool:
    """Whether an entry needs no undo of its own, for undoing its parent's creation takes it along."""
    parent = family_for_kind(entry.key.kind).part_of.get(entry.key.kind, "")
    return entry.before is None and any(
        other.before is None
        and other.after is not None
        and other.key.resource == entry.key.resource
        and other.key.name == ""
        and other.key != entry.key
        and parent in ("*", other.key.kind)
        for other in entries
    )


def _undo_order(entry: Entry, going: set[str]) -> tuple[int, int]:
    """What goes, goes first and leaf before root, but after what lets go of it; what comes back, comes root before leaf."""
    place = family_for_kind(entry.key.kind).rank.get(entry.key.kind, 0)
    if entry.before is not None and going and names_in(None if isinstance(entry.after, Unknown) else entry.after) & going:
        return (-1, -place)
    return (0, place) if entry.before is None else (1, -place)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Parameters in which what was made again goes by its new id."""
    if isinstance(value, Mapping):
        return {name: _renamed(inner, names) for name, inner in cast(JsonObject, value).items()}
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in cast(list[Any], value)]
    return names.get(value, value) if isinstance(value, str) else value


def _removes(call: Call) -> bool:
    return call.operation.startswith(("Delete", "Revoke"))


_LISTS = frozenset(
    {"SecurityGroupRuleIds", "InstanceIds", "IpPermissions", "Tags", "Resources", "AddEntries", "RemoveEntries", "FlowLogIds"}
)
"""Parameters whose calls may be made as one: the parts of each take effect on their own."""


def merged(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The same calls, with neighbours that differ in one list only made one."""
    found: list[Call] = []
    for call in calls:
        joined = _joined(found[-1], call) if found else None
        if joined is None:
            found.append(call)
        else:
            found[-1] = joined
    return tuple(found)


def _joined(left: Call, right: Call) -> Call | None:
    if left.operation != right.operation or left.parameters.keys() != right.parameters.keys():
        return None
    different = [name for name in left.parameters if left.parameters[name] != right.parameters[name]]
    if len(different) != 1 or different[0] not in _LISTS:
        return None
    name = different[0]
    both = [*cast(list[Any], left.parameters[name]), *cast(list[Any], right.parameters[name])]
    return replace(left, parameters={**left.parameters, name: both})


def _recognized(record: Record) -> Explanation:
    known = recognize(record)
    text = f"{known.what}. {known.advice}" if known else record.operation
    advised = advised_call(record)
    if advised:
        text = f"{known.what if known else record.operation}. By hand, for nothing here verifies it: {advised}."
    needs = known is not None and known.undo.value == "overwrites"
    return _explained(record, undo=text, certainty=Certainty.NEEDS_PRIOR_STATE if needs else Certainty.NOT_INVERTIBLE)


def _explained(
    record: Record,
    settings: tuple[Changed, ...] = (),
    undo: tuple[Call, ...] | str = "",
    certainty: Certainty = Certainty.NOT_UNDERSTOOD,
    note: str = "",
) -> Explanation:
    return Explanation(record.event_id, record.event_name, settings, undo, certainty, note, record)


def _unreadable(raw: object, number: int, reason: str) -> Explanation:
    body: JsonObject = cast(JsonObject, raw) if isinstance(raw, Mapping) else {}
    return Explanation(
        event_id=str(body.get("eventID") or ""),
        event_name=str(body.get("eventName") or ""),
        settings=(),
        undo=f"record {number} cannot be read: {reason}",
        certainty=Certainty.NOT_UNDERSTOOD,
    )


def _call_shown(call: Call) -> dict[str, Any]:
    looked_up = {name: f"<{lookup.path} of {lookup.read.operation}>" for name, lookup in call.lookups.items()}
    return {"operation": call.operation, "parameters": {**call.parameters, **looked_up}}


def _shown(value: Value | Unknown) -> Any:
    return {"unknown": True} if value is UNKNOWN else value
