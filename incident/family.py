"""A family of settings: how one kind of resource is read from records, read from AWS, and changed.

Adding an operation to Countermand is adding a family module (or an event name to one) and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from incident.record import Record
from incident.settings import Known, Observed, SettingKey, Unknown, Value, Write

ANY_RESOURCE = "*"


@dataclass(frozen=True, slots=True)
class Read:
    """One read call: boto3's client name, the operation as AWS names it, its parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Lookup:
    """A parameter that only the moment of the call knows: `read` it and take what the JMESPath `path` finds in the answer.

    With `each`, the path finds a list on every page of the answer, and the call is made once for each element, if there are any.
    """

    read: Read
    path: str
    each: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call that changes AWS.

    `permissions` are IAM actions (https://docs.aws.amazon.com/service-authorization/latest/reference/).
    `creates` is the JMESPath of the new id in the response where the call makes a resource, so that references to a deleted one can
    follow it. `loses` says in plain words what the call cannot bring back; `irreversible` why it cannot itself be undone. Empty:
    nothing. `lookups` are further parameters that are read just before the call, such as the version of a prefix list.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    permissions: tuple[str, ...]
    creates: str = ""
    loses: str = ""
    irreversible: str = ""
    lookups: Mapping[str, Lookup] = field(default_factory=dict[str, Lookup])


@dataclass(frozen=True, slots=True)
class Acts:
    """The IAM actions that a kind's changes need: `sets` to bring a setting to a value, `removes` to take it away.

    The policies of the responder's role are made from them (`incident.policies`), and they say whatever `Call.permissions` may say.
    https://docs.aws.amazon.com/service-authorization/latest/reference/
    """

    sets: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()

    def __or__(self, other: Acts) -> Acts:
        return Acts(self.sets + other.sets, self.removes + other.removes)


@dataclass(frozen=True, slots=True)
class Unrestorable:
    """Why no call brings a setting to the wanted value, and what a person should do; `status` is the item's in the plan."""

    reason: str
    advice: str
    status: str = "not-invertible"


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
        harm: what a value that is there does, against the one that is wanted (`UNKNOWN` where nothing tells it), in plain words
            that follow "as it is"; empty where it does no more than differ. What does harm is named in the plan and goes first.
        part_of: a kind to the kind it lives in. Its settings have the parent's id as their `resource` and vanish when that is
            deleted. `ANY_RESOURCE` is the parent of what every resource can have, such as a tag.
        rank: a kind's place in a teardown, which runs in rising order; creation runs in falling order.
        implies: what AWS makes along with a resource, as the settings it has from its first moment.
        details: further reads for one listed resource, where no read lists them for all.
        place: where a change from one value to another stands among those of its rank, the lower first.
        home_only: its service is global and answers the same in every region, so that only the home region asks it.
        acts: a kind to the IAM actions of its changes. A kind that is not here changes nothing.
        looks: IAM actions of further reads, which a change makes just before its calls, or which depend on the setting's name.
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
    harm: Callable[[SettingKey, Value, Value | Unknown], str] = lambda key, found, wanted: ""
    part_of: Mapping[str, str] = field(default_factory=dict[str, str])
    rank: Mapping[str, int] = field(default_factory=dict[str, int])
    implies: Callable[[SettingKey, Value], Iterable[tuple[SettingKey, Value]]] = lambda key, value: ()
    details: Callable[[SettingKey], Iterable[Read]] = lambda key: ()
    place: Callable[[SettingKey, Value, Value], int] = lambda key, found, wanted: 0
    home_only: bool = False
    acts: Mapping[str, Acts] = field(default_factory=dict[str, Acts])
    looks: tuple[str, ...] = ()
