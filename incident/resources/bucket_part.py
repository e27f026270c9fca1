"""One thing that is set on a bucket: how a read and a record tell it, and the calls that set it and take it off."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from incident.family import Acts, Call, Change, Read, Scope
from incident.network.kinds import Event, Observer, Reader, always_there, seen
from incident.network.service import Service
from incident.network.values import text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Unknown, Value, Write

S3 = Service("s3", "s3")


def named(event: Event) -> str:
    """The bucket that a record is about."""
    return text(event.record.request.get("bucketName"))


@dataclass(frozen=True)
class Part:
    """A part of a bucket's settings.

    Attributes:
        kind, name: of its setting's key.
        read: the operation that shows it, `told` what the answer says, and `absent` the error that says that there is none.
        put: the operation that sets it, `parameters` what it is given, and `permission` the IAM action without the service.
        delete: the operation that takes it off; empty where it is set to nothing (`parameters` of `None`) or always there.
        events: what each record puts, by event name.
        passing: further actions that setting it may need.
        off: whether the value `None` is put, as an empty body.
        change_with: what changes it where the calls above do not.
        harm: see `Family.harm`.
        place: where it is set among the parts of a bucket, the lower first; what it is set to may matter.
    """

    kind: str
    name: str
    read: str
    told: Callable[[JsonObject], Value]
    parameters: Callable[[Value], dict[str, Any]]
    put: str
    events: Mapping[str, Callable[[JsonObject], Value | Unknown]]
    delete: str = ""
    absent: str = ""
    permission: str = ""
    passing: tuple[str, ...] = ()
    off: bool = False
    change_with: Callable[[SettingKey, Observed | None, Value], Change | None] = lambda key, live, wanted: None
    harm: Callable[[SettingKey, Value, Value | Unknown], str] = lambda key, found, wanted: ""
    place: Callable[[Value], int] = lambda wanted: 0

    def reading(self, key: SettingKey) -> Read:
        return S3.read(self.read, Bucket=key.resource)

    def observe(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        yield seen(scope, self.kind, read.parameters["Bucket"], self.told(answer), self.name)

    def readers(self) -> dict[str, Reader]:
        return {name: self._reader(value) for name, value in self.events.items()}

    def _reader(self, value: Callable[[JsonObject], Value | Unknown]) -> Reader:
        def writes(event: Event) -> Iterator[Write]:
            yield Write(event.key(self.kind, named(event), self.name), value(event.record.request))

        return writes

    @property
    def _setting(self) -> str:
        return f"s3:{self.permission or self.put}"

    @property
    def acts(self) -> Acts:
        removes = (f"s3:{self.permission or self.delete}",) if self.delete else (self._setting,) if self.off else ()
        return Acts((self._setting, *self.passing), removes)

    def change(self, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        particular = self.change_with(key, live, wanted)
        if particular is not None:
            return particular
        bucket = {"Bucket": key.resource}
        if wanted is None and self.delete:
            return (Call("s3", self.delete, bucket, self.acts.removes),)
        if wanted is None and not self.off:
            return always_there(self.name)
        needed = self.acts.sets if wanted is not None else self.acts.removes
        return (Call("s3", self.put, {**bucket, **self.parameters(wanted)}, needed),)


def readers_of(parts: Iterable[Part]) -> dict[str, Reader]:
    """Who reads which record of what is set on buckets."""
    return {name: reader for part in parts for name, reader in part.readers().items()}


def observers_of(parts: Iterable[Part]) -> dict[str, Observer]:
    return {part.read: part.observe for part in parts}


def acts_of(parts: Iterable[Part]) -> Acts:
    """Every action that a kind's changes need."""
    found = Acts()
    for part in parts:
        found = found | part.acts
    return Acts(tuple(dict.fromkeys(found.sets)), tuple(dict.fromkeys(found.removes)))
