"""EventBridge rules and their targets: what calls somebody's code again and again, long after the key is gone.

A rule on the default bus is known by the end of its ARN, `rule/NAME`, one on another bus by `rule/BUS/NAME`. `PutRule` makes a
rule or replaces one whole, and its record does not say which; what was there is told by an earlier record or a sweep, or is a
question.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Call, Change, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, family, seen
from incident.network.service import Service
from incident.network.values import document, identifiers, mapping, present, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

EVENTS = Service("events", "events")
BUS = "event-bus"
RULE = "event-rule"
TARGET = "event-target"

_DEFAULT_BUS = "default"
_PREFIX, _BUS_PREFIX = "rule/", "event-bus/"
_STATE, _ENABLED, _DISABLED = "State", "ENABLED", "DISABLED"
_SAID = ("Name", "ScheduleExpression", "Description", "RoleArn", _STATE)
_TOLD_WHOLE = frozenset({"Id", "Arn", "RoleArn", "InputPath"})
"""What of a target a record shows as it was asked. Its input may be left out or hidden, and the keys of maps lose their case."""


# --- values -------------------------------------------------------------------------------------------------------------------


def _resource(name: str, bus: str) -> str:
    """A rule by the end of its ARN; a bus may be given by its ARN too."""
    where = bus.rpartition(_BUS_PREFIX)[2]
    return "" if not name else f"{_PREFIX}{name}" if where in ("", _DEFAULT_BUS) else f"{_PREFIX}{where}/{name}"


def _named(key: SettingKey, name: str) -> dict[str, str]:
    """The parameters that name a rule; what calls the rule itself depends on the operation."""
    bus, _, rule = key.resource.removeprefix(_PREFIX).rpartition("/")
    return present({name: rule, "EventBusName": bus})


def _rule(told: JsonObject) -> dict[str, Any]:
    said = {name: text(told.get(name)) for name in _SAID[1:]}
    said[_STATE] = said[_STATE] or _ENABLED
    return present({**said, "EventPattern": document(told.get("EventPattern"))})


def _target(told: JsonObject) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name != "Id" and value not in (None, "", [], {})}


# --- records ------------------------------------------------------------------------------------------------------------------


def _key(event: Event, asked: str = "Name") -> SettingKey:
    return event.key(RULE, _resource(event.requested(asked), event.requested("EventBusName")))


def _put(event: Event) -> Iterator[Write]:
    yield Write(_key(event), _rule(event.request))


def _switched(event: Event) -> Iterator[Write]:
    """A rule on or off, the rest of it as it was."""
    key = _key(event)
    known = event.value(key)
    on = event.operation == "EnableRule"
    told = isinstance(known, Unknown) or known is None
    yield Write(key, UNKNOWN if told else {**mapping(known), _STATE: _ENABLED if on else _DISABLED})


def _delete(event: Event) -> Iterator[Write]:
    """AWS refuses to delete a rule that has targets, so that their removal has a record of its own."""
    yield Write(_key(event), None)


def _put_targets(event: Event) -> Iterator[Write]:
    rule, failed = _key(event, "Rule"), _failed(event)
    for told in structures(event.request.get("Targets")):
        target = text(told.get("Id"))
        if target not in failed:
            whole = told.keys() <= _TOLD_WHOLE
            yield Write(event.key(TARGET, rule.resource, target), _target(told) if whole else UNKNOWN)


def _remove_targets(event: Event) -> Iterator[Write]:
    rule, failed = _key(event, "Rule"), _failed(event)
    for target in identifiers(event.request.get("Ids")):
        if target not in failed:
            yield Write(event.key(TARGET, rule.resource, target), None)


def _create_bus(event: Event) -> Iterator[Write]:
    """A name that is taken is refused."""
    yield Write(event.key(BUS, _BUS_PREFIX + event.requested("Name")), {}, before=None)


def _delete_bus(event: Event) -> Iterator[Write]:
    yield Write(event.key(BUS, _BUS_PREFIX + event.requested("Name").rpartition(_BUS_PREFIX)[2]), None)


def _failed(event: Event) -> set[str]:
    return {text(one.get("TargetId")) for one in structures(event.response.get("FailedEntries"))}


# --- reads --------------------------------------------------------------------------------------------------------------------


def _read(key: SettingKey) -> Read:
    return EVENTS.read("DescribeRule", **_named(key, "Name"))


def _read_targets(key: SettingKey) -> Read:
    return EVENTS.read("ListTargetsByRule", **_named(key, "Rule"))


def _bus(key: SettingKey) -> str:
    return key.resource.removeprefix(_BUS_PREFIX)


def _rules_on(key: SettingKey) -> tuple[Read, ...]:
    return (EVENTS.read("ListRules", EventBusName=_bus(key)),)


def _observe_buses(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    """The answer of a list, or of a read of one."""
    for told in structures(answer.get("EventBuses")) or [answer]:
        if told.get("Name"):
            yield seen(scope, BUS, _BUS_PREFIX + text(told.get("Name")), {})


def _shown(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    resource = _resource(text(told.get("Name")), text(told.get("EventBusName")))
    if resource and not told.get("ManagedBy"):
        yield seen(scope, RULE, resource, _rule(told))


def _observe_all(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("Rules")):
        yield from _shown(scope, told)


def _observe_one(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield from _shown(scope, answer)


def _observe_targets(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    resource = _resource(text(read.parameters.get("Rule")), text(read.parameters.get("EventBusName")))
    for told in structures(answer.get("Targets")):
        yield seen(scope, TARGET, resource, _target(told), text(told.get("Id")))


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return (_all_targets_off(key), *EVENTS.call("DeleteRule", _named(key, "Name")))
    asked = dict(mapping(wanted))
    pattern = asked.pop("EventPattern", None)
    if pattern is not None:
        asked["EventPattern"] = _as_text(pattern)
    return EVENTS.call("PutRule", {**_named(key, "Name"), **asked}, permissions=("iam:PassRole",) if "RoleArn" in asked else ())


def _change_bus(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return EVENTS.call("DeleteEventBus", {"Name": _bus(key)})
    loses = "who may put events on it, and what it archives"
    return EVENTS.call("CreateEventBus", {"Name": _bus(key)}, loses=loses)


def _all_targets_off(key: SettingKey) -> Call:
    """A rule with targets cannot be deleted; those that it has at that moment go first, whoever put them there."""
    targets = Lookup(_read_targets(key), "Targets[].Id && [Targets[].Id]", each=True)
    needed = ("events:RemoveTargets", "events:ListTargetsByRule")
    return Call("events", "RemoveTargets", _named(key, "Rule"), needed, lookups={"Ids": targets})


def _as_text(pattern: Any) -> str:
    return pattern if isinstance(pattern, str) else json.dumps(pattern, sort_keys=True, separators=(",", ":"))


def _change_target(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return EVENTS.call("RemoveTargets", {**_named(key, "Rule"), "Ids": [key.name]})
    if not mapping(wanted).get("Arn"):
        return Unrestorable(f"nothing tells where target {key.name} led", "Put the target back by hand.")
    passing = ("iam:PassRole",) if "RoleArn" in wanted else ()
    return EVENTS.call("PutTargets", {**_named(key, "Rule"), "Targets": [{"Id": key.name, **wanted}]}, permissions=passing)


EVENT_RULES = family(
    Kind(BUS, 6, lambda key: EVENTS.read("DescribeEventBus", Name=_bus(key)), _change_bus, details=_rules_on),
    Kind(RULE, 5, _read, _change, details=lambda key: (_read_targets(key),)),
    Kind(TARGET, 4, _read_targets, _change_target, part_of=RULE),
    service=EVENTS.source,
    readers={
        "CreateEventBus": _create_bus,
        "DeleteEventBus": _delete_bus,
        "PutRule": _put,
        "EnableRule": _switched,
        "DisableRule": _switched,
        "DeleteRule": _delete,
        "PutTargets": _put_targets,
        "RemoveTargets": _remove_targets,
    },
    observers={
        "ListEventBuses": _observe_buses,
        "DescribeEventBus": _observe_buses,
        "ListRules": _observe_all,
        "DescribeRule": _observe_one,
        "ListTargetsByRule": _observe_targets,
    },
    inventory=(EVENTS.read("ListEventBuses"),),
    absent_codes=("ResourceNotFoundException",),
    acts={
        BUS: Acts(sets=("events:CreateEventBus",), removes=("events:DeleteEventBus",)),
        RULE: Acts(sets=("events:PutRule", "iam:PassRole"), removes=("events:DeleteRule", "events:RemoveTargets")),
        TARGET: Acts(sets=("events:PutTargets", "iam:PassRole"), removes=("events:RemoveTargets",)),
    },
)
