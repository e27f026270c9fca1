"""Calls in a scenario: finding the operation, checking its parameters, and putting saved names in their places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import ListShape, OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator, range_check

from drill.scenario_yaml import Path, Source

_WHOLE = re.compile(r"^\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})$")
_WITHIN = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

_session = botocore.session.get_session()


@cache
def _services() -> frozenset[str]:
    return frozenset(_session.get_available_services())


@cache
def _operations(service: str) -> dict[str, str]:
    """Operation names of a service by boto3's method names."""
    return {xform_name(name): name for name in _model(service).operation_names}


@cache
def _model(service: str) -> ServiceModel:
    return _session.get_service_model(service)


def operation_of(service: str, method: str) -> str:
    """The operation behind a method of a client, or nothing where there is no such client or method."""
    return _operations(service).get(method, "") if service in _services() else ""


def operation_model(service: str, operation: str) -> OperationModel:
    """botocore's model of an operation."""
    return _model(service).operation_model(operation)


def find_operation(source: Source, path: Path, call: Any) -> tuple[str, str, str]:
    """Split `ec2.create_vpc` into service, operation and method.

    Raises:
        ScenarioError: There is no such client or method in boto3.
    """
    if not isinstance(call, str) or call.count(".") != 1:
        raise source.error(path, f"call is {call!r}", "write client.method as in ec2.create_vpc")
    service, method = call.split(".")
    if service not in _services():
        near = _near(service, _services())
        raise source.error(path, f"boto3 has no client {service!r}", f"use one such as {near}")
    operation = _operations(service).get(method)
    if operation is None:
        near = _near(method, _operations(service))
        raise source.error(path, f"{service} has no operation {method!r}", f"use one such as {near}")
    return service, operation, method


def _near(word: str, known: Mapping[str, str] | frozenset[str]) -> str:
    from difflib import get_close_matches

    return ", ".join(get_close_matches(word, list(known), n=3, cutoff=0.3) or sorted(known)[:3])


# ---- saved names ------------------------------------------------------------------------------------------------


def references(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every `$name` and `${name}` in a value, with its place."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from references(child, (*path, key))
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from references(child, (*path, i))
    elif isinstance(value, str):
        whole = _WHOLE.match(value)
        names = [whole.group(1) or whole.group(2)] if whole else _WITHIN.findall(value)
        for name in names:
            yield path, name


def substitute(value: Any, names: Mapping[str, Any]) -> Any:
    """Put saved values in. A whole `$name` keeps the value's type; `${name}` within a text becomes text."""
    if isinstance(value, dict):
        return {k: substitute(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [substitute(v, names) for v in value]
    if not isinstance(value, str):
        return value
    whole = _WHOLE.match(value)
    if whole:
        return names[whole.group(1) or whole.group(2)]
    return _WITHIN.sub(lambda m: str(names[m.group(1)]), value)


# ---- parameters -------------------------------------------------------------------------------------------------


class _Unknown:
    """Stands for a value that only the run will know."""


class _Validator(ParamValidator):
    """botocore's check of parameters, but for values that are not known yet."""

    def _validate(self, params: Any, shape: Shape, errors: Any, name: str) -> None:
        if isinstance(params, _Unknown):
            return
        if isinstance(shape, ListShape) and isinstance(params, list):
            # botocore checks the types of plain members all at once, where an unknown one has no place.
            range_check(name, len(params), shape, "invalid length", errors)
            for i, item in enumerate(params):
                self._validate(item, shape.member, errors, f"{name}[{i}]")
            return
        super()._validate(params, shape, errors, name)


def _with_unknowns(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _with_unknowns(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_unknowns(v) for v in value]
    return _Unknown() if isinstance(value, str) and _WHOLE.match(value) else value


def check_parameters(source: Source, path: Path, service: str, operation: str, params: dict[str, Any]) -> None:
    """Check a step's parameters against botocore's model.

    Raises:
        ScenarioError: A parameter is unknown, missing or of the wrong type.
    """
    shape = operation_model(service, operation).input_shape
    if shape is None:
        if params:
            raise source.error(path, f"{operation} takes no parameters", "remove with")
        return
    errors = _Validator().validate(_with_unknowns(params), shape)
    if errors.has_errors():
        reason, name, details = errors._errors[0]
        where = _located(path, name, reason, details)
        raise source.error(where, f"{operation}: {_told(errors)}", _remedy(reason, shape, details))


def _told(errors: Any) -> str:
    return str(errors.generate_report().splitlines()[0])


def _located(path: Path, name: str, reason: str, details: dict[str, Any]) -> Path:
    """From botocore's `IpPermissions[0].FromPort` to a path into the file."""
    parts = tuple(int(i) if i else n for n, i in _STEP.findall(name or ""))
    if reason == "unknown field":
        parts = (*parts, details.get("unknown_param", ""))
    return (*path, *parts)


def _remedy(reason: str, shape: Shape, details: dict[str, Any]) -> str:
    if reason == "invalid type":
        wanted = details.get("valid_types", [])
        return 'put the value in quotes, as in "6"' if "str" in str(wanted) else f"write {' or '.join(wanted)}"
    if reason == "missing required field":
        return f"add {details.get('required_name', 'it')}"
    if reason == "unknown field":
        return "spell it as boto3 does"
    return "see boto3's reference"
