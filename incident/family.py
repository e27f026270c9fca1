"""A family of settings: how one kind of resource is read from records, read from AWS, and changed.

Adding an operation to Countermand is adding a family module (or an event name to one) and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.record import Record
from incident.settings import Known, Observed, SettingKey, Value, Write


@dataclass(frozen=True, slots=True)
class Read:
    """One read call: boto3's client name, the operation as AWS names it, its parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Call:
    """One call that changes AWS.

    `permissions` are IAM actions (https://docs.aws.amazon.com/service-authorization/latest/reference/).
    `creates` is the JMESPath of
    the new id in the response where the call makes a resource, so that references to a deleted one can follow it. `loses` says in
    plain words what the call cannot bring back; `irreversible` why it cannot itself be undone. Empty: nothing.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    permissions: tuple[str, ...]
    creates: str = ""
    loses: str = ""
    irreversible: str = ""


@dataclass(frozen=True, slots=True)
class Unrestorable:
    """Why no call brings a setting to the wanted value, and what a person should do."""

    reason: str
    advice: str


Change = tuple[Call, ...] | Unrestorable
"""The calls, in order, that bring one setting to the wanted value; none when it is already right."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a read was made."""

    account: str
    region: str


@dataclass(frozen=True)
class Family:
    """One kind of resource and its settings.

    Attributes:
        kinds: the `SettingKey.kind`s that it owns.
        events: the records that it understands, as `service:EventName`.
        writes: a record to the settings it wrote. Called only for `events`, and only for records that succeeded. Raises
            `ValueError` (or `KeyError`) for a record whose shape it does not know; the caller reports it as not understood.
        inventory: the reads that list everything of the family in a region.
        read: the one read that shows a setting.
        observe: the settings that a read's answer shows. A setting that is not shown is absent.
        change: the calls from a live value to a wanted one. `live` is `None` where the setting is absent.
        absent_codes: the error codes by which AWS says that the resource is not there.
        opens: whether a value opens a way in or out; such settings are closed first.
    """

    kinds: tuple[str, ...]
    events: frozenset[str]
    writes: Callable[[Record, Known], Iterable[Write]]
    inventory: tuple[Read, ...]
    read: Callable[[SettingKey], Read]
    observe: Callable[[Scope, Read, Mapping[str, Any]], Iterable[Observed]]
    change: Callable[[SettingKey, Observed | None, Value], Change]
    absent_codes: frozenset[str] = frozenset()
    opens: Callable[[SettingKey, Value], bool] = lambda key, value: False
