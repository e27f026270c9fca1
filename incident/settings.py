"""The network as settings: each has a key, a value, and a history of writes with authors.

To undo an actor is to give each setting that they wrote the value it would have without them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from incident.record import Record

Value = Any
"""A JSON value. `None` means that the setting is absent: no such rule, route or resource."""


class Unknown:
    """The value of a setting that nothing we read tells. There is one: `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class SettingKey(NamedTuple):
    """What a setting is a setting of.

    `resource` is the AWS id or ARN; `name` tells the settings of one resource apart, and is empty for the resource's own existence.
    """

    account: str
    region: str
    kind: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Write(NamedTuple):
    """One setting written by one record.

    `before` is what the record itself proves about the value it replaced, `UNKNOWN` if it proves nothing.
    `handles` are ids by which later records and calls may name this setting (a rule id, an association id).
    """

    key: SettingKey
    after: Value | Unknown
    before: Value | Unknown = UNKNOWN
    handles: Mapping[str, str] = MappingProxyType({})

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(self.handles.values())


@dataclass(frozen=True, slots=True)
class Observed:
    """A live setting. `handles` are ids that a call on it must name; `settled` is false while AWS is still changing it."""

    key: SettingKey
    value: Value
    handles: Mapping[str, str] = field(default_factory=dict[str, str])
    settled: bool = True

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(self.handles.values())


class Known(Protocol):
    """What earlier records and the baseline tell the reader of a record."""

    def alias(self, identifier: str) -> SettingKey | None:
        """The setting that a rule, association or attachment id stands for."""
        ...

    def value(self, key: SettingKey) -> Value | Unknown:
        """The setting's value just before the record."""
        ...

    def keys_of(self, kind: str, resource: str) -> list[SettingKey]:
        """The keys of one kind and resource that are known, present or absent."""
        ...

    def keys_naming(self, kind: str, resource: str) -> list[SettingKey]:
        """The keys of one kind whose values name a resource just before the record, such as the listeners of a load balancer."""
        ...


class Source(StrEnum):
    """Where a prior value came from, most trusted first."""

    RESPONDER = "a responder"
    RECORD = "the record itself"
    EARLIER_RECORD = "an earlier record"
    CONFIG = "AWS Config"
    BASELINE = "the stored baseline"
    NOTHING = "nothing tells"


_TRUST = {source: -place for place, source in enumerate(Source)}


@dataclass(frozen=True, slots=True)
class PriorValue:
    """A value that was read before the incident, by whom and when."""

    value: Value
    at: datetime
    source: Source
    aliases: tuple[str, ...] = ()


class Entry(NamedTuple):
    """One write in a setting's history; `source` says where `before` comes from. `record` has no bodies any more."""

    record: Record
    key: SettingKey
    before: Value | Unknown
    after: Value | Unknown
    source: Source


@dataclass(slots=True)
class History:
    """A setting's writes, oldest first, and what was read of it at other times.

    `written` is the last value that a record left, at `written_at`; it outlives `entries` where a fold keeps none.
    """

    key: SettingKey
    prior: list[PriorValue] = field(default_factory=list[PriorValue])
    entries: list[Entry] = field(default_factory=list[Entry])
    written: Value | Unknown = UNKNOWN
    written_at: datetime | None = None
    aliases: tuple[str, ...] = ()

    @property
    def untold(self) -> bool:
        """Whether no read and no record told anything of the setting yet."""
        return self.written_at is None and not self.prior

    def value_at(self, moment: datetime) -> tuple[Value | Unknown, Source]:
        """The value at `moment`, from the newest thing that tells it; between equals in time the more trusted wins."""
        value, source, at = self.written, Source.EARLIER_RECORD, self.written_at
        for prior in self.prior:
            if prior.at <= moment and (at is None or (prior.at, _TRUST[prior.source]) > (at, _TRUST[source])):
                value, source, at = prior.value, prior.source, prior.at
        return value, Source.NOTHING if at is None or value is UNKNOWN else source


@dataclass(frozen=True, slots=True)
class Reversal:
    """What one setting must be again, and why.

    `target` is the value without the actor's writes, `UNKNOWN` where nothing tells it. `by_actor` are the actor's records on it,
    `since` the writes of others after the actor's last. `relying` are writes of others that stand on what the actor made: they name
    it, or they changed in place what was not there before. `made_by` is the resource with which this came, and which goes first.
    """

    key: SettingKey
    target: Value | Unknown
    source: Source
    written: Value | Unknown
    by_actor: tuple[Record, ...]
    since: tuple[Entry, ...] = ()
    relying: tuple[Entry, ...] = ()
    made_by: SettingKey | None = None


ReadWrites = Callable[[Record, Known], Iterable[Write]]
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Fold:
    """Records folded, oldest first, over what was read of the network before them."""

    def __init__(
        self,
        baseline: Iterable[tuple[SettingKey, PriorValue]] = (),
        swept_at: Callable[[SettingKey], datetime | None] = lambda key: None,
        *,
        keeps_entries: bool = True,
    ) -> None:
        """Start from a baseline.

        Args:
            baseline: what was read before the records, with what told it.
            swept_at: when a sweep listed everything of a setting's kind and place, so that what it does not show was absent then;
                `None` where none did.
            keeps_entries: whether histories keep every write with its record, as `reversals` needs them. Without, a fold grows with
                the settings and not with the records.
        """
        self._keeps_entries = keeps_entries
        self._swept_at = swept_at
        self.histories: dict[SettingKey, History] = {}
        self._aliases: dict[str, SettingKey] = {}
        self._by_resource: dict[tuple[str, str], list[SettingKey]] = {}
        self._moment = _BEGINNING
        for key, prior in baseline:
            self._history(key).prior.append(prior)
            for alias in prior.aliases:
                self._aliases[alias] = key

    def alias(self, identifier: str) -> SettingKey | None:
        return self._aliases.get(identifier)

    def value(self, key: SettingKey) -> Value | Unknown:
        """The setting's value just before the record that is being read."""
        history = self.histories.get(key) or History(key, self._not_shown(key))
        return history.value_at(self._moment)[0]

    def keys_of(self, kind: str, resource: str) -> list[SettingKey]:
        return list(self._by_resource.get((kind, resource), ()))

    def keys_naming(self, kind: str, resource: str) -> list[SettingKey]:
        of_kind = [history for key, history in self.histories.items() if key.kind == kind]
        return [history.key for history in of_kind if resource in names_in(history.value_at(self._moment)[0])]

    def read(self, record: Record, reader: ReadWrites) -> list[Entry]:
        """Fold one record in: its writes join their histories, each with the value that it replaced."""
        self._moment = record.time
        writes = list(reader(record, self))
        kept = record.gist if writes else record
        return [self._written(kept, write) for write in writes]

    def _written(self, record: Record, write: Write) -> Entry:
        history = self._history(write.key)
        if history.untold:
            history.prior.extend(self._not_shown(write.key))
        before, source = write.before, Source.RECORD
        if before is UNKNOWN:
            before, source = history.value_at(record.time)
        entry = Entry(record, history.key, before, write.after, source)
        history.written, history.written_at = write.after, record.time
        if self._keeps_entries:
            history.entries.append(entry)
        if write.handles or write.after is None:
            self._name(history, write.aliases)
        return entry

    def _name(self, history: History, aliases: tuple[str, ...]) -> None:
        """Let ids stand for a setting. Without entries, those that stood for it before are forgotten, or ids would pile up."""
        if not self._keeps_entries:
            for alias in history.aliases:
                self._aliases.pop(alias, None)
        history.aliases = aliases
        for alias in aliases:
            self._aliases[alias] = history.key

    def _not_shown(self, key: SettingKey) -> list[PriorValue]:
        """What a sweep that listed everything of a kind tells of a setting that it does not show: it was absent."""
        at = self._swept_at(key)
        return [] if at is None else [PriorValue(None, at, Source.BASELINE)]

    def _history(self, key: SettingKey) -> History:
        history = self.histories.get(key)
        if history is None:
            history = self.histories[key] = History(key)
            self._by_resource.setdefault((key.kind, key.resource), []).append(key)
        return history


def reversals(
    fold: Fold, by_actor: Callable[[Record], bool], approved: Callable[[Entry], bool] = lambda entry: False
) -> list[Reversal]:
    """For each setting that the actor wrote, the value it would have without them; an approved write is not the actor's."""

    def mine(entry: Entry) -> bool:
        return by_actor(entry.record) and not approved(entry)

    found = [_reversal(history, mine) for history in fold.histories.values()]
    return _with_reliance([reversal for reversal in found if reversal is not None], fold, mine)


def _reversal(history: History, is_mine: Callable[[Entry], bool]) -> Reversal | None:
    entries = history.entries
    first = next((place for place, entry in enumerate(entries) if is_mine(entry)), None)
    if first is None:
        return None
    mine = [entries[first]]
    others: list[Entry] = []
    since: list[Entry] = []
    for entry in entries[first + 1 :]:
        if is_mine(entry):
            mine.append(entry)
            since = []
        else:
            others.append(entry)
            since.append(entry)
    value, source = (others[-1].after, Source.EARLIER_RECORD) if others else (mine[0].before, mine[0].source)
    return Reversal(
        key=history.key,
        target=value,
        source=Source.NOTHING if value is UNKNOWN else source,
        written=mine[-1].after,
        by_actor=tuple(entry.record for entry in mine),
        since=tuple(since),
        relying=tuple(since[-1:]) if _changed_in_place(mine, since) else (),
    )


def _changed_in_place(mine: list[Entry], since: list[Entry]) -> bool:
    """Whether others changed what the actor brought into being, without making it again themselves."""
    if mine[0].before is not None or not since or since[-1].after is None:
        return False
    return all(entry.before is not None and entry.after is not None for entry in since)


def _with_reliance(found: list[Reversal], fold: Fold, is_mine: Callable[[Entry], bool]) -> list[Reversal]:
    """The same, with the last writes of others that name a resource of the actor's making."""
    made = {reversal.key.resource: reversal.key for reversal in found if reversal.key.name == "" and reversal.target is None}
    relying: dict[SettingKey, list[Entry]] = {}
    for history in fold.histories.values() if made else ():
        last = history.entries[-1] if history.entries else None
        if last is None or last.after is None or isinstance(last.after, Unknown) or is_mine(last):
            continue
        for name in names_in([last.after, last.key.name]) & made.keys() - {last.key.resource}:
            relying.setdefault(made[name], []).append(last)
    return [replace(one, relying=(*one.relying, *relying[one.key])) if one.key in relying else one for one in found]


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]*")
_ODD = re.compile(r"[A-Za-z0-9][+=,@]|[+=@]")
_ODD_NAME = re.compile(r'[A-Za-z0-9][^\s"\\]*')


def names_in(value: Value) -> frozenset[str]:
    """Every word in a value that could be a resource's id or name; names in IAM may hold `+`, `=`, `,` and `@` as well."""
    told = canonical(value)
    names = frozenset(_NAME.findall(told))
    return names.union(_ODD_NAME.findall(told)) if _ODD.search(told) else names


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def canonical(value: Value) -> str:
    """One text for one value: the form in which values are compared and hashed."""
    return _CANONICAL.encode(value)


def same(left: Value | Unknown, right: Value | Unknown) -> bool:
    """Whether two values are equal; an unknown value equals nothing, not even itself."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return False
    if left is None or right is None:
        return left is right
    return canonical(left) == canonical(right)
