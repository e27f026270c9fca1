"""How a family is put together: its kinds of settings, who reads which record, and what a read's answer shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from incident import shapes
from incident.family import Acts, Call, Change, Family, Lookup, Read, Scope, Unrestorable
from incident.network.values import mapping, structures, tags, text
from incident.record import JsonObject, Record
from incident.settings import UNKNOWN, Known, Observed, SettingKey, Unknown, Value, Write, same

TAG = "tag"
TOP = "."
"""For `Resource.made`: the answer itself describes what was made."""


class Event:
    """One record in boto3's parameter names, and the keys and common writes that readers make of it."""

    def __init__(self, record: Record, known: Known) -> None:
        self.record = record
        self.known = known
        self.request = shapes.request(record)

    @cached_property
    def response(self) -> dict[str, Any]:
        return shapes.response(self.record)

    @property
    def operation(self) -> str:
        return self.record.event_name

    def key(self, kind: str, resource: str, name: str = "") -> SettingKey:
        """A setting where the record was made.

        Raises:
            ValueError: the record names no resource.
        """
        if not resource:
            raise ValueError(f"the record names no {kind}")
        return SettingKey(self.record.account, self.record.region, kind, resource, name)

    def value(self, key: SettingKey) -> Value | Unknown:
        """What earlier records and the baseline tell of a setting."""
        return self.known.value(key)

    def requested(self, name: str) -> str:
        return text(self.request.get(name))

    def answered(self, name: str) -> str:
        return text(self.response.get(name))

    def created(
        self, kind: str, resource: str, value: Value, described: JsonObject, handles: Mapping[str, str] | None = None
    ) -> Iterator[Write]:
        """A new resource and its tags; that the call succeeded proves that neither was there."""
        yield Write(self.key(kind, resource), value, before=None, handles=handles or {})
        for name, tag in (tags(described) or self._requested_tags()).items():
            yield Write(self.key(TAG, resource, name), tag, before=None)

    def deleted(self, kind: str, resource: str, *parts: str) -> Iterator[Write]:
        """A resource that is gone, and every setting that vanished with it."""
        yield Write(self.key(kind, resource), None)
        for part in (*parts, TAG):
            for key in self.known.keys_of(part, resource):
                if self.value(key) is not None:
                    yield Write(key, None)

    def _requested_tags(self) -> dict[str, str]:
        found = tags(self.request)
        for specification in structures(self.request.get("TagSpecifications")):
            found |= tags(specification)
        return found


Reader = Callable[[Event], Iterable[Write]]
Observer = Callable[[Scope, Read, JsonObject], Iterable[Observed]]


@dataclass(frozen=True)
class Kind:
    """One kind of setting; the fields are those of `Family`, for this kind."""

    name: str
    rank: int
    read: Callable[[SettingKey], Read]
    change: Callable[[SettingKey, Observed | None, Value], Change]
    part_of: str = ""
    opens: Callable[[SettingKey, Value], bool] = lambda key, value: False
    harm: Callable[[SettingKey, Value, Value | Unknown], str] = lambda key, found, wanted: ""
    implies: Callable[[SettingKey, Value], Iterable[tuple[SettingKey, Value]]] = lambda key, value: ()
    details: Callable[[SettingKey], Iterable[Read]] = lambda key: ()
    place: Callable[[SettingKey, Value, Value], int] = lambda key, found, wanted: 0
    acts: Acts = field(default_factory=Acts)


def family(
    *kinds: Kind,
    readers: Mapping[str, Reader],
    observers: Mapping[str, Observer],
    inventory: Iterable[str | Read],
    absent_codes: Iterable[str] = (),
    service: str = "ec2",
    home_only: bool = False,
    acts: Mapping[str, Acts] | None = None,
    looks: tuple[str, ...] = (),
) -> Family:
    """A family of one service's, by the name that records have for it.

    `readers` are by event name, `observers` by read operation, and `inventory` are the reads that list everything. `acts` are by
    kind, beside those that a kind has of its own.
    """
    by_name = {kind.name: kind for kind in kinds}
    declared = acts or {}

    def writes(record: Record, known: Known) -> Iterable[Write]:
        return readers[record.event_name](Event(record, known))

    def observe(scope: Scope, read: Read, answer: JsonObject) -> Iterable[Observed]:
        return observers[read.operation](scope, read, answer)

    return Family(
        kinds=tuple(by_name),
        events=frozenset(f"{service}:{name}" for name in readers),
        writes=writes,
        inventory=tuple(read if isinstance(read, Read) else listing(read) for read in inventory),
        read=lambda key: by_name[key.kind].read(key),
        observe=observe,
        change=lambda key, live, wanted: change(by_name[key.kind], key, live, wanted),
        absent_codes=frozenset(absent_codes),
        opens=lambda key, value: value is not None and by_name[key.kind].opens(key, value),
        harm=lambda key, found, wanted: by_name[key.kind].harm(key, found, wanted),
        part_of={kind.name: kind.part_of for kind in kinds if kind.part_of},
        rank={kind.name: kind.rank for kind in kinds},
        implies=lambda key, value: by_name[key.kind].implies(key, value) if value is not None else (),
        # A read may show settings of other families as well, which have no further reads here.
        details=lambda key: by_name[key.kind].details(key) if key.kind in by_name else (),
        place=lambda key, found, wanted: by_name[key.kind].place(key, found, wanted),
        home_only=home_only,
        acts={kind.name: kind.acts | declared.get(kind.name, Acts()) for kind in kinds},
        looks=looks,
    )


def change(kind: Kind, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """What every kind has in common: a setting that is right already needs no call."""
    now = None if live is None else live.value
    if same(now, wanted):
        return ()
    return kind.change(key, None if now is None else live, wanted)


def listing(operation: str, **parameters: Any) -> Read:
    """A read of EC2."""
    return Read("ec2", operation, parameters)


def filtered(operation: str, name: str, *values: str) -> Read:
    """A read of EC2 that one filter narrows; an id that does not exist gives an empty answer and no error."""
    return Read("ec2", operation, {"Filters": [{"Name": name, "Values": list(values)}]})


def call(
    operation: str,
    parameters: Mapping[str, Any],
    *,
    permissions: tuple[str, ...] = (),
    creates: str = "",
    loses: str = "",
    irreversible: str = "",
    lookups: Mapping[str, Lookup] | None = None,
) -> tuple[Call]:
    """A change of one call to EC2; its permission has the operation's name, `permissions` are needed as well."""
    needed = (f"ec2:{operation}", *permissions)
    return (Call("ec2", operation, dict(parameters), needed, creates, loses, irreversible, lookups or {}),)


def seen(
    scope: Scope,
    kind: str,
    resource: Any,
    value: Value,
    name: str = "",
    handles: Mapping[str, Any] | None = None,
    *,
    settled: bool = True,
) -> Observed:
    """A setting that a read shows; handles that are not there are left out."""
    key = SettingKey(scope.account, scope.region, kind, text(resource), name)
    return Observed(key, value, {name: text(handle) for name, handle in (handles or {}).items() if handle}, settled)


def observer(listed: str, one: Callable[[Scope, JsonObject], Iterable[Observed]]) -> Observer:
    """An observer of an answer that is a list under `listed`, from what one element shows."""

    def observe(scope: Scope, read: Read, answer: JsonObject) -> Iterable[Observed]:
        for described in structures(answer.get(listed)):
            yield from one(scope, described)

    return observe


def absent_before(event: Event, writes: Iterable[tuple[SettingKey, Value]]) -> Iterator[Write]:
    """Writes of what a new resource has from its first moment."""
    for key, value in writes:
        yield Write(key, value, before=None)


def always_there(what: str) -> Unrestorable:
    """For a setting that exists as long as its resource does."""
    return Unrestorable(f"{what} has a value as long as its resource exists", "Look at the resource: it may be gone.")


def first(*values: Any) -> str:
    """The first of several places of a record that says something."""
    return next((found for found in map(text, values) if found), "")


def immutable(what: str) -> Unrestorable:
    """For a resource that exists but was made differently."""
    return Unrestorable(
        f"AWS cannot change how {what} was made",
        "Compare the two by hand, make a second one with the wanted parameters, and move what uses it.",
    )


@dataclass(frozen=True)
class Resource:
    """A resource whose existence is a setting, and which EC2 names alike in all its operations.

    Attributes:
        kind: the setting's kind.
        noun: as in `Create<noun>` and `Delete<noun>`, and the member of the answer that describes what was made.
        listed: the member of the describe answer that lists them, as in `Describe<listed>`.
        value: a description to the parameters that make the resource again.
        parameters: such a value to the create call's parameters.
        gone: states in which a resource is still listed but is not there any more.
        unsettled: states on the way to another.
        parts: kinds of settings that vanish with the resource.
        loses: what does not come back when it is deleted and made again.
        filter_name: the describe filter for one id, where it is not the id's name with dashes.
        ids: the describe parameter for ids, where there is no such filter. An id that is not there is then an error, one of the
            family's `absent_codes`.
    """

    kind: str
    noun: str
    listed: str
    rank: int
    value: Callable[[JsonObject], Value]
    parameters: Callable[[Value], dict[str, Any]] = dict
    identifier: str = ""
    describe: str = ""
    made: str = ""
    gone: frozenset[str] = frozenset({"deleted", "deleting", "failed", "rejected", "expired"})
    unsettled: frozenset[str] = frozenset({"pending", "deleting", "modifying", "initiating-request", "provisioning"})
    parts: tuple[str, ...] = ()
    loses: str = "the id: it comes back under a new one"
    filter_name: str = ""
    ids: str = ""

    @property
    def id(self) -> str:
        return self.identifier or f"{self.noun}Id"

    @property
    def read_operation(self) -> str:
        return self.describe or f"Describe{self.listed}"

    def describing(self, event: Event) -> dict[str, Any]:
        """What a create record tells of the new resource, the answer over the request."""
        described = event.response.get(self.made or self.noun)
        return {**event.request, **(mapping(described) or event.response)}

    def read_created(self, event: Event) -> Iterator[Write]:
        described = self.describing(event)
        yield from event.created(self.kind, text(described.get(self.id)), self.value(described), described)

    def read_deleted(self, event: Event) -> Iterator[Write]:
        yield from event.deleted(self.kind, event.requested(self.id), *self.parts)

    def read_modified(self, event: Event) -> Iterator[Write]:
        """For calls that answer with the whole resource as it is now."""
        described = mapping(event.response.get(self.made or self.noun))
        resource = text(described.get(self.id)) or event.requested(self.id)
        yield Write(event.key(self.kind, resource), self.value(described) if described else UNKNOWN)

    def readers(self) -> dict[str, Reader]:
        return {f"Create{self.noun}": self.read_created, f"Delete{self.noun}": self.read_deleted}

    def state(self, described: JsonObject) -> str:
        state = described.get("State") or described.get("Status")
        return text(mapping(state).get("Code") or mapping(state).get("State") or state)

    def is_gone(self, described: JsonObject) -> bool:
        return self.state(described).lower() in self.gone

    def observed(self, scope: Scope, described: JsonObject) -> Iterator[Observed]:
        value = None if self.is_gone(described) else self.value(described)
        settled = self.state(described).lower() not in self.unsettled
        yield seen(scope, self.kind, described.get(self.id), value, settled=settled)

    def observe(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        for described in structures(answer.get(self.listed)):
            yield from self.observed(scope, described)

    def read(self, key: SettingKey) -> Read:
        if self.ids:
            return listing(self.read_operation, **{self.ids: [key.resource]})
        return filtered(self.read_operation, self.filter_name or _dashed(self.id), key.resource)

    def change(self, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        if wanted is None:
            return call(f"Delete{self.noun}", {self.id: key.resource}, loses=self.loses)
        if live is not None:
            return immutable(key.resource)
        path = self.id if self.made == TOP else f"{self.made or self.noun}.{self.id}"
        return call(f"Create{self.noun}", self.parameters(wanted), creates=path, loses=self.loses)

    def as_kind(
        self,
        *,
        change: Callable[[SettingKey, Observed | None, Value], Change] | None = None,
        opens: Callable[[SettingKey, Value], bool] = lambda key, value: False,
        implies: Callable[[SettingKey, Value], Iterable[tuple[SettingKey, Value]]] = lambda key, value: (),
        details: Callable[[SettingKey], Iterable[Read]] = lambda key: (),
    ) -> Kind:
        """The resource as a kind of setting, with what is particular to it."""
        acts = Acts() if change else Acts((f"ec2:Create{self.noun}",), (f"ec2:Delete{self.noun}",))
        return Kind(
            self.kind, self.rank, self.read, change or self.change, opens=opens, implies=implies, details=details, acts=acts
        )


def _dashed(name: str) -> str:
    """`VpcPeeringConnectionId` as describe filters spell it."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")
