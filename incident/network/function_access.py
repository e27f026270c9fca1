"""Who may call a function, and the URL that it has on the internet.

Each statement of a function's policy is a setting, by its id; an alias or a version has statements and a URL of its own, and its
name is then a part of the setting's. A statement is kept as the parameters of the call that adds it; one that denies, or excepts
somebody or something, keeps that, for no call makes it.
https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Call, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Observer, Reader, seen
from incident.network.service import Service
from incident.network.values import document, items, mapping, present, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

LAMBDA = Service("lambda", "lambda")
PERMISSION = "function-permission"
URL = "function-url"

_LATEST = "$LATEST"
_URL_LOSES = "the URL: it comes back under a new one"

_CONDITIONS = {
    ("ArnLike", "aws:sourcearn"): "SourceArn",
    ("StringEquals", "aws:sourceaccount"): "SourceAccount",
    ("StringEquals", "aws:principalorgid"): "PrincipalOrgID",
    ("StringEquals", "lambda:functionurlauthtype"): "FunctionUrlAuthType",
    ("StringEquals", "lambda:eventsourcetoken"): "EventSourceToken",
    ("Bool", "lambda:invokedviafunctionurl"): "InvokedViaFunctionUrl",
}
"""A statement's conditions, and the parameter that each is made of; their keys are in any case."""
UNMADE = ("Effect", "NotAction", "NotPrincipal")
"""What of a statement no parameter makes; an effect of `Allow` is not kept."""

_ASKED = ("Action", "Principal", *_CONDITIONS.values())


# --- values -------------------------------------------------------------------------------------------------------------------


def named(told: str) -> tuple[str, str]:
    """A function's name and its alias or version, from a name, an ARN or a part of one, with or without the latter."""
    name, _, qualifier = told.rpartition("function:")[2].partition(":")
    return name, "" if qualifier == _LATEST else qualifier


def _statement(told: JsonObject) -> dict[str, Any]:
    """A statement of a policy as the parameters that add it; a condition that no parameter makes stays as it is."""
    principal = told.get("Principal")
    who = mapping(principal)
    named_one = _single(who.get("Service") or who.get("AWS") or principal)
    value: dict[str, Any] = {"Action": _single(told.get("Action")), "Principal": text(named_one) or named_one}
    rest: dict[str, Any] = {}
    for operator, pairs in mapping(told.get("Condition")).items():
        for name, inner in mapping(pairs).items():
            parameter, only = _CONDITIONS.get((operator, name.lower())), text(_single(inner))
            if parameter and only:
                value[parameter] = only
            else:
                rest.setdefault(operator, {})[name] = inner
    unmade = {name: told.get(name) for name in UNMADE if told.get(name) != "Allow"}
    return present({**value, **unmade, "Condition": rest or None})


def _single(told: Any) -> Any:
    """The only one of a list; a list of several stays one."""
    several = items(told)
    return several[0] if len(several) == 1 else told


def _asked_statement(request: JsonObject) -> dict[str, Any]:
    return present({name: text(request.get(name)) for name in _ASKED})


def _url(told: JsonObject) -> dict[str, Any]:
    mode = text(told.get("InvokeMode")).upper()
    cors = {name: value for name, value in mapping(told.get("Cors")).items() if value not in (None, [], False, 0)}
    return present({"AuthType": text(told.get("AuthType")), "Cors": cors or None, "InvokeMode": "" if mode == "BUFFERED" else mode})


# --- records ------------------------------------------------------------------------------------------------------------------


def _permission_key(event: Event, identifier: str) -> SettingKey:
    function, qualifier = _function(event)
    return event.key(PERMISSION, function, " ".join(filter(None, (identifier, qualifier))))


def _function(event: Event) -> tuple[str, str]:
    function, qualifier = named(event.requested("FunctionName"))
    asked = event.requested("Qualifier")
    return function, qualifier or ("" if asked == _LATEST else asked)


def _add(event: Event) -> Iterator[Write]:
    """An id that is taken is refused, so that what was added was not there."""
    statement = mapping(document(event.record.response.get("statement")))
    value = _statement(statement) if statement else _asked_statement(event.request)
    yield Write(_permission_key(event, event.requested("StatementId")), value, before=None)


def _remove(event: Event) -> Iterator[Write]:
    yield Write(_permission_key(event, event.requested("StatementId")), None)


def _url_key(event: Event) -> SettingKey:
    function, qualifier = _function(event)
    return event.key(URL, function, qualifier or _LATEST)


def _create_url(event: Event) -> Iterator[Write]:
    yield Write(_url_key(event), _url({**event.request, **event.response}), before=None)


def _update_url(event: Event) -> Iterator[Write]:
    yield Write(_url_key(event), _url(event.response))


def _delete_url(event: Event) -> Iterator[Write]:
    yield Write(_url_key(event), None)


def versioned(name: str, reader: Reader, *versions: str) -> dict[str, Reader]:
    return {f"{name}{version}": reader for version in ("", *versions)}


READERS: dict[str, Reader] = {
    **versioned("AddPermission", _add, "20150331", "20150331v2"),
    **versioned("RemovePermission", _remove, "20150331", "20150331v2"),
    **versioned("CreateFunctionUrlConfig", _create_url, "20211031"),
    **versioned("UpdateFunctionUrlConfig", _update_url, "20211031"),
    **versioned("DeleteFunctionUrlConfig", _delete_url, "20211031"),
}


# --- reads --------------------------------------------------------------------------------------------------------------------


def _parameters(function: str, qualifier: str) -> dict[str, str]:
    return present({"FunctionName": function, "Qualifier": qualifier})


def _read_permission(key: SettingKey) -> Read:
    return LAMBDA.read("GetPolicy", **_parameters(key.resource, key.name.partition(" ")[2]))


def _read_url(key: SettingKey) -> Read:
    return LAMBDA.read("GetFunctionUrlConfig", **_parameters(key.resource, key.name.removeprefix(_LATEST)))


def details(key: SettingKey) -> tuple[Read, ...]:
    """The policy and the URL of a function itself; those of an alias are read where a record names one."""
    return tuple(LAMBDA.read(operation, FunctionName=key.resource) for operation in ("GetPolicy", "GetFunctionUrlConfig"))


def _observe_policy(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    function, qualifier = text(read.parameters.get("FunctionName")), text(read.parameters.get("Qualifier"))
    for statement in structures(mapping(document(answer.get("Policy"))).get("Statement")):
        name = " ".join(filter(None, (text(statement.get("Sid")), qualifier)))
        if _qualifier(statement) == qualifier:
            yield seen(scope, PERMISSION, function, _statement(statement), name)


def _qualifier(statement: JsonObject) -> str:
    return named(text(statement.get("Resource")))[1]


def _observe_url(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("AuthType"):
        name = text(read.parameters.get("Qualifier")) or _LATEST
        yield seen(scope, URL, read.parameters.get("FunctionName"), _url(answer), name)


OBSERVERS: dict[str, Observer] = {"GetPolicy": _observe_policy, "GetFunctionUrlConfig": _observe_url}


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_permission(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    identifier, _, qualifier = key.name.partition(" ")
    statement = {**_parameters(key.resource, qualifier), "StatementId": identifier}
    unmade = [name for name in (*UNMADE, "Condition") if name in mapping(wanted)]
    if unmade:
        return Unrestorable(f"no call makes the {' and '.join(unmade)} of statement {identifier}", "Add the statement by hand.")
    calls: tuple[Call, ...] = ()
    if live is not None:
        calls += LAMBDA.call("RemovePermission", statement)
    if wanted is not None:
        shown = {name: value == "true" if name == "InvokedViaFunctionUrl" else value for name, value in wanted.items()}
        calls += LAMBDA.call("AddPermission", {**statement, **shown})
    return calls


def _change_url(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    function = _parameters(key.resource, key.name.removeprefix(_LATEST))
    if wanted is None:
        return LAMBDA.call("DeleteFunctionUrlConfig", function, loses=_URL_LOSES)
    if live is None:
        return LAMBDA.call("CreateFunctionUrlConfig", {**function, **wanted}, loses=_URL_LOSES)
    # What is not named stays as it is, so that what came newly is named as nothing.
    return LAMBDA.call("UpdateFunctionUrlConfig", {**function, "Cors": {}, "InvokeMode": "BUFFERED", **wanted})


def _lets_others_in(key: SettingKey, value: Value) -> bool:
    """A service of AWS calls for its own reasons; everybody, or another account, is a way in."""
    statement = mapping(value)
    return statement.get("Effect") != "Deny" and not text(statement.get("Principal")).endswith(".amazonaws.com")


KINDS = (
    Kind(PERMISSION, 10, _read_permission, _change_permission, part_of="function", opens=_lets_others_in),
    Kind(
        URL,
        10,
        _read_url,
        _change_url,
        part_of="function",
        opens=lambda key, value: mapping(value).get("AuthType") == "NONE",
    ),
)
