"""What an actor hangs on functions: layers, the sources whose events call them, versions and aliases.

A layer version is known by the end of its ARN, `layer:NAME:VERSION`; its number is not given twice. Publishing a version of a
function makes none where nothing changed since the last one, and its record does not say which: what nothing else tells is a
question.
https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html
https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.function_access import LAMBDA, named, versioned
from incident.network.kinds import Event, Kind, family, first, immutable, seen
from incident.network.values import mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Value, Write

LAYER = "layer-version"
SOURCE = "event-source-mapping"
SOURCE_STATE = "event-source-state"
VERSION = "function-version"
ALIAS = "function-alias"

_FUNCTION = "function"
_LAYER_GOES = "its content goes with it; functions that have it keep it, no other can be given it"
_VERSION_GOES = "the code of that version goes with it"
_SETTLED = frozenset({"Enabled", "Disabled", ""})


# --- layers -------------------------------------------------------------------------------------------------------------------


def _layer_key(event: Event, name: str, version: object) -> SettingKey:
    named_by_arn = name.rpartition("layer:")[2]
    return event.key(LAYER, f"layer:{named_by_arn}:{text(version)}" if named_by_arn and text(version) else "")


def _layer(key: SettingKey) -> dict[str, Any]:
    name, _, version = key.resource.removeprefix("layer:").rpartition(":")
    return {"LayerName": name, "VersionNumber": whole(version) or 0}


def _publish_layer(event: Event) -> Iterator[Write]:
    arn = event.answered("LayerVersionArn")
    yield Write(_layer_key(event, arn.rpartition(":")[0] or event.requested("LayerName"), event.response.get("Version")), {}, None)


def _delete_layer(event: Event) -> Iterator[Write]:
    yield Write(_layer_key(event, event.requested("LayerName"), event.request.get("VersionNumber")), None, before={})


def _observe_layer(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("Version"):
        yield seen(scope, LAYER, f"layer:{read.parameters['LayerName']}:{text(answer['Version'])}", {})


def _change_layer(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return LAMBDA.call("DeleteLayerVersion", _layer(key), irreversible=_LAYER_GOES)
    advice = "Publish it again from its source: it gets another number, which the functions that use it must name."
    return Unrestorable("a deleted layer version's content is in no record", advice)


# --- event sources ------------------------------------------------------------------------------------------------------------

_MAKING = ("EventSourceArn", "FunctionName", "BatchSize", "StartingPosition")


def _source(told: JsonObject) -> dict[str, Any]:
    function = first(told.get("FunctionArn"), told.get("FunctionName"))
    return present(
        {
            "EventSourceArn": text(told.get("EventSourceArn")),
            "FunctionName": function,
            "BatchSize": whole(told.get("BatchSize")),
            "StartingPosition": text(told.get("StartingPosition")),
        }
    )


def _identity(body: JsonObject) -> str:
    """A mapping's UUID, whose first letter alone CloudTrail makes small."""
    return first(body.get("UUID"), body.get("Uuid"))


def _create_source(event: Event) -> Iterator[Write]:
    resource = _identity(event.response)
    yield Write(event.key(SOURCE, resource), _source(event.response), before=None)
    enabled = text(event.request.get("Enabled")) != "false"
    yield Write(event.key(SOURCE_STATE, resource, "Enabled"), enabled, before=None)


def _update_source(event: Event) -> Iterator[Write]:
    resource = first(_identity(event.request), _identity(event.response))
    if event.request.get("Enabled") is not None:
        yield Write(event.key(SOURCE_STATE, resource, "Enabled"), text(event.request["Enabled"]) == "true")
    if event.request.keys() - {"UUID", "Uuid", "Enabled", "FunctionName"} or event.requested("FunctionName"):
        yield Write(event.key(SOURCE, resource), _source(event.response) or UNKNOWN)


def _delete_source(event: Event) -> Iterator[Write]:
    resource = first(_identity(event.request), _identity(event.response))
    yield Write(event.key(SOURCE, resource), None, before=_source(event.response) or UNKNOWN)


def _shown_source(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    resource, state = text(told.get("UUID")), text(told.get("State"))
    if not resource:
        return
    settled = state in _SETTLED
    yield seen(scope, SOURCE, resource, _source(told), settled=settled)
    yield seen(scope, SOURCE_STATE, resource, state not in ("Disabled", "Disabling"), "Enabled", settled=settled)


def _observe_sources(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("EventSourceMappings")):
        yield from _shown_source(scope, told)


def _observe_source(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield from _shown_source(scope, answer)


def _change_source(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return LAMBDA.call("DeleteEventSourceMapping", {"UUID": key.resource})
    if live is not None:
        asked = {name: value for name, value in mapping(wanted).items() if name in ("FunctionName", "BatchSize")}
        if mapping(live.value).get("EventSourceArn") != mapping(wanted).get("EventSourceArn"):
            return immutable(key.resource)
        return LAMBDA.call("UpdateEventSourceMapping", {"UUID": key.resource, **asked})
    if not mapping(wanted).get("EventSourceArn"):
        return Unrestorable("its source is not one that a record tells whole", "Make the mapping again by hand.")
    loses = "its UUID, and where in a stream it had come to; filters, retries and destinations are as AWS makes them"
    return LAMBDA.call("CreateEventSourceMapping", dict(wanted), creates="UUID", loses=loses)


def _change_source_state(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return LAMBDA.call("UpdateEventSourceMapping", {"UUID": key.resource, "Enabled": bool(wanted)})


# --- versions and aliases -----------------------------------------------------------------------------------------------------


def _publish_version(event: Event) -> Iterator[Write]:
    yield Write(event.key(VERSION, _of(event), event.answered("Version")), {})


def _of(event: Event) -> str:
    return named(first(event.answered("FunctionName"), event.requested("FunctionName")))[0]


def _observe_version(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("FunctionName"):
        yield seen(scope, VERSION, answer["FunctionName"], {}, text(answer.get("Version")))


def _change_version(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        asked = {"FunctionName": key.resource, "Qualifier": key.name}
        return LAMBDA.call("DeleteFunction", asked, irreversible=_VERSION_GOES)
    return Unrestorable(
        "a deleted version's number is not given twice, and its code is in no record",
        "Publish it again from its source, and point the aliases and callers that named it to the new number.",
    )


def _alias(told: JsonObject) -> dict[str, Any]:
    weights = mapping(mapping(told.get("RoutingConfig")).get("AdditionalVersionWeights"))
    return present({"FunctionVersion": text(told.get("FunctionVersion")), "Weights": dict(weights) or None})


def _alias_key(event: Event) -> SettingKey:
    return event.key(ALIAS, named(event.requested("FunctionName"))[0], event.requested("Name"))


def _create_alias(event: Event) -> Iterator[Write]:
    yield Write(_alias_key(event), _alias({**event.request, **event.response}), before=None)


def _update_alias(event: Event) -> Iterator[Write]:
    yield Write(_alias_key(event), _alias(event.response) or UNKNOWN)


def _delete_alias(event: Event) -> Iterator[Write]:
    yield Write(_alias_key(event), None)


def _observe_alias(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("Name"):
        yield seen(scope, ALIAS, read.parameters["FunctionName"], _alias(answer), text(answer["Name"]))


def _change_alias(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    alias = {"FunctionName": key.resource, "Name": key.name}
    if wanted is None:
        return LAMBDA.call("DeleteAlias", alias)
    value = mapping(wanted)
    weights: dict[str, Any] = {"AdditionalVersionWeights": mapping(value.get("Weights"))}
    asked = {**alias, "FunctionVersion": value.get("FunctionVersion"), "RoutingConfig": weights}
    return LAMBDA.call("CreateAlias" if live is None else "UpdateAlias", asked)


def _read_source(key: SettingKey) -> Read:
    return LAMBDA.read("GetEventSourceMapping", UUID=key.resource)


def _read_alias(key: SettingKey) -> Read:
    return LAMBDA.read("GetAlias", FunctionName=key.resource, Name=key.name)


def _read_version(key: SettingKey) -> Read:
    return LAMBDA.read("GetFunctionConfiguration", FunctionName=key.resource, Qualifier=key.name)


EVENT_SOURCES = family(
    Kind(SOURCE, 5, _read_source, _change_source),
    Kind(SOURCE_STATE, 5, _read_source, _change_source_state, part_of=SOURCE),
    service=LAMBDA.source,
    readers={
        **versioned("CreateEventSourceMapping", _create_source, "20150331"),
        **versioned("UpdateEventSourceMapping", _update_source, "20150331"),
        **versioned("DeleteEventSourceMapping", _delete_source, "20150331"),
    },
    observers={"ListEventSourceMappings": _observe_sources, "GetEventSourceMapping": _observe_source},
    inventory=(LAMBDA.read("ListEventSourceMappings"),),
    absent_codes=("ResourceNotFoundException",),
    acts={
        SOURCE: Acts(
            sets=("lambda:CreateEventSourceMapping", "lambda:UpdateEventSourceMapping"),
            removes=("lambda:DeleteEventSourceMapping",),
        ),
        SOURCE_STATE: Acts(sets=("lambda:UpdateEventSourceMapping",)),
    },
)

# No sweep lists these: what was there before is told by their records or is a question.
FUNCTION_PARTS = family(
    Kind(LAYER, 62, lambda key: LAMBDA.read("GetLayerVersion", **_layer(key)), _change_layer),
    Kind(VERSION, 12, _read_version, _change_version, part_of=_FUNCTION),
    Kind(ALIAS, 11, _read_alias, _change_alias, part_of=_FUNCTION),
    service=LAMBDA.source,
    readers={
        **versioned("PublishLayerVersion", _publish_layer, "20181031"),
        **versioned("DeleteLayerVersion", _delete_layer, "20181031"),
        **versioned("PublishVersion", _publish_version, "20141111", "20150331"),
        **versioned("CreateAlias", _create_alias, "20150331"),
        **versioned("UpdateAlias", _update_alias, "20150331"),
        **versioned("DeleteAlias", _delete_alias, "20150331"),
    },
    observers={
        "GetLayerVersion": _observe_layer,
        "GetFunctionConfiguration": _observe_version,
        "GetAlias": _observe_alias,
    },
    inventory=(),
    absent_codes=("ResourceNotFoundException",),
    acts={
        LAYER: Acts(removes=("lambda:DeleteLayerVersion",)),
        VERSION: Acts(removes=("lambda:DeleteFunction",)),
        ALIAS: Acts(sets=("lambda:CreateAlias", "lambda:UpdateAlias"), removes=("lambda:DeleteAlias",)),
    },
)

FAMILIES = (EVENT_SOURCES, FUNCTION_PARTS)
