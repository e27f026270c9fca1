"""The concurrency that is reserved for a function. Nothing reserved is absent; none at all, 0, stops the function.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Change, Read, Scope
from incident.network.function_access import LAMBDA, named, versioned
from incident.network.kinds import Event, Kind, Observer, Reader, seen
from incident.network.values import whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

CONCURRENCY = "function-concurrency"
_NAME, _RESERVED = "reserved", "ReservedConcurrentExecutions"


def _key(event: Event) -> SettingKey:
    return event.key(CONCURRENCY, named(event.requested("FunctionName"))[0], _NAME)


def _put(event: Event) -> Iterator[Write]:
    yield Write(_key(event), whole(event.request[_RESERVED]))


def _delete(event: Event) -> Iterator[Write]:
    yield Write(_key(event), None)


def concurrency_of(key: SettingKey) -> Read:
    return LAMBDA.read("GetFunctionConcurrency", FunctionName=key.resource)


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    value = whole(answer.get(_RESERVED))
    if value is not None:
        yield seen(scope, CONCURRENCY, read.parameters["FunctionName"], value, _NAME)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    function = {"FunctionName": key.resource}
    if wanted is None:
        return LAMBDA.call("DeleteFunctionConcurrency", function)
    return LAMBDA.call("PutFunctionConcurrency", {**function, _RESERVED: wanted})


READERS: dict[str, Reader] = {
    **versioned("PutFunctionConcurrency", _put, "20171031"),
    **versioned("DeleteFunctionConcurrency", _delete, "20171031"),
}
OBSERVERS: dict[str, Observer] = {"GetFunctionConcurrency": _observe}
KINDS = (Kind(CONCURRENCY, 10, concurrency_of, _change, part_of="function"),)
