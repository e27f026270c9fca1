"""The checks that a scenario passes before it is run. Each answers plain values for `drill.scenario` to build from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from drill.scenario_calls import check_parameters, find_operation, references
from drill.scenario_principals import needed_names
from drill.scenario_stacks import expand
from drill.scenario_yaml import Path, Source

_STEP_KEYS = {"as", "region", "call", "with", "save", "fails", "after", "legitimate", "proxied"}
_FINDING_KEYS = {"type", "principal", "region", "severity", "instance", "bucket", "title", "description"}
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)([smhd])$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_FINDING_TYPE = re.compile(r"^[A-Za-z]+:[A-Za-z0-9]+/\S+$")


def require(source: Source, path: Path, kind: type, example: str) -> Any:
    """The value at a path, if it is there and of its kind."""
    value: Any = source.data
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, kind) and not (kind is str and not value):
        return value
    where = ".".join(str(p) for p in path) or "the file"
    fault = f"{where} is missing" if value is None else f"{where} is {type(value).__name__}, not {kind.__name__}"
    raise source.error(path, fault, f"write {example}")


def read_duration(source: Source, path: Path, value: Any) -> float:
    """Seconds of a duration such as 90s, 10m, 2h or 1d."""
    match = _DURATION.match(value) if isinstance(value, str) else None
    if not match:
        raise source.error(path, f"{path[-1]} is {value!r}", "write a number and s, m, h or d, as in 10m")
    return float(match.group(1)) * _SECONDS[match.group(2)]


def _only(source: Source, path: Path, value: dict[str, Any], known: set[str], what: str) -> None:
    for key in value:
        if key not in known:
            remedy = f"use one of {', '.join(sorted(known))}"
            raise source.error((*path, key), f"unknown key {key!r} in {what}", remedy)


# ---- steps ------------------------------------------------------------------------------------------------------


def check_steps(
    source: Source, part: str, principals: Mapping[str, Any], regions: tuple[str, ...], names: set[str]
) -> list[dict[str, Any]]:
    """The steps of `estate` or `attack`; `names` grows by what they save."""
    raw = source.data.get(part, [] if part == "estate" else None)
    if raw is None and part == "estate":
        raw = []
    if not isinstance(raw, list) or (part == "attack" and not raw):
        raise source.error((part,), f"{part} is no list of steps", "write - {as: …, region: …, call: …, with: {…}}")
    checked: list[dict[str, Any]] = []
    for place, step in enumerate(raw):
        through = isinstance(step, dict) and "through" in step
        plain = expand(source, (part, place), step, dict(principals)) if through else [((part, place), step, {})]
        checked += [_check_step(source, path, one, principals, regions, names) | extra for path, one, extra in plain]
    return checked


def _check_step(
    source: Source, path: Path, step: Any, principals: Mapping[str, Any], regions: tuple[str, ...], names: set[str]
) -> dict[str, Any]:
    if not isinstance(step, dict):
        raise source.error(path, "a step is no mapping", "write - {as: …, region: …, call: …, with: {…}}")
    _only(source, path, step, _STEP_KEYS, "the step")
    who = step.get("as")
    if who not in principals:
        fault = "the step does not say who acts" if who is None else f"unknown principal {who!r}"
        raise source.error((*path, "as"), fault, f"write as: with one of {', '.join(principals)}")
    for name in sorted(needed_names(dict(principals), str(who)) - names):
        raise source.error((*path, "as"), f"{who} acts before ${name} is saved", "save the instance's id in an earlier step")
    service, operation, method = find_operation(source, (*path, "call"), step.get("call"))
    params = step.get("with")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise source.error((*path, "with"), "with is no mapping", "write with: {Parameter: value}")
    for place, name in references(params, (*path, "with")):
        if name not in names:
            known = ", ".join(sorted(names)) or "none so far"
            raise source.error(place, f"${name} is not defined here", f"save it in an earlier step; known are {known}")
    check_parameters(source, (*path, "with"), service, operation, params)
    save = _check_save(source, path, step)
    names |= set(save)
    return {
        "label": f"{source.file}:{source.line(path)}",
        "principal": who,
        "region": _check_region(source, path, step, regions),
        "service": service,
        "method": method,
        "params": params,
        "save": save,
        "fails": _check_fails(source, path, step),
        "after": read_duration(source, (*path, "after"), step["after"]) if "after" in step else 0.0,
        "legitimate": _check_flag(source, path, step, "legitimate"),
        "proxied": _check_proxied(source, path, step, principals[who]),
    }


def _check_region(source: Source, path: Path, step: dict[str, Any], regions: tuple[str, ...]) -> str:
    from drill.aws.config import all_regions

    region = step.get("region", regions[0])
    if region not in all_regions():
        raise source.error((*path, "region"), f"unknown region {region!r}", f"use one of {', '.join(regions)}")
    if region not in regions and "fails" not in step:
        remedy = "add it to regions, or say what the call fails with"
        raise source.error((*path, "region"), f"region {region} is not enabled", remedy)
    return str(region)


def _check_save(source: Source, path: Path, step: dict[str, Any]) -> dict[str, str]:
    save = step.get("save") or {}
    if not isinstance(save, dict):
        raise source.error((*path, "save"), "save is no mapping", "write save: {vpc: Vpc.VpcId}")
    if save and "fails" in step:
        raise source.error((*path, "save"), "a call that fails answers nothing to save", "remove save or fails")
    for name, expression in save.items():
        if not _NAME.match(str(name)):
            raise source.error((*path, "save", name), f"{name!r} is no name", "use letters, digits and _")
        try:
            jmespath.compile(str(expression))
        except JMESPathError as e:
            problem = str(e).splitlines()[0]
            remedy = "write a path into the answer, as in Vpc.VpcId"
            raise source.error((*path, "save", name), f"{expression!r} is no JMESPath: {problem}", remedy) from e
    return {str(k): str(v) for k, v in save.items()}


def _check_fails(source: Source, path: Path, step: dict[str, Any]) -> str:
    if "fails" not in step:
        return ""
    code = step["fails"]
    if not isinstance(code, str) or not re.match(r"^[A-Za-z][\w.]+$", code):
        remedy = "write AWS's error code, as in UnauthorizedOperation"
        raise source.error((*path, "fails"), f"fails is {code!r}", remedy)
    return code.removeprefix("Client.").removeprefix("Server.")


def _check_flag(source: Source, path: Path, step: dict[str, Any], key: str) -> bool:
    value = step.get(key, False)
    if not isinstance(value, bool):
        raise source.error((*path, key), f"{key} is {value!r}", "write true or false")
    return value


def _check_proxied(source: Source, path: Path, step: dict[str, Any], principal: Mapping[str, Any]) -> bool:
    proxied = _check_flag(source, path, step, "proxied")
    if proxied and not principal["console"]:
        raise source.error((*path, "proxied"), f"{step['as']} is not in the console", "use proxied with a console principal")
    return proxied


# ---- the finding ------------------------------------------------------------------------------------------------


def check_finding(source: Source, principals: Mapping[str, Any], regions: tuple[str, ...], names: set[str]) -> dict[str, Any]:
    """What GuardDuty reports."""
    example = 'finding: {type: "UnauthorizedAccess:IAMUser/…", principal: …, region: …, severity: 8}'
    raw = require(source, ("finding",), dict, example)
    path: Path = ("finding",)
    _only(source, path, raw, _FINDING_KEYS, "finding")
    kind = require(source, ("finding", "type"), str, 'type: "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom"')
    if not _FINDING_TYPE.match(kind):
        remedy = 'write Purpose:Resource/Family, as in "Recon:IAMUser/MaliciousIPCaller"'
        raise source.error((*path, "type"), f"{kind!r} is no finding type", remedy)
    who = raw.get("principal")
    if who not in principals:
        fault = "finding has no principal" if who is None else f"unknown principal {who!r}"
        raise source.error((*path, "principal"), fault, f"use one of {', '.join(principals)}")
    region = raw.get("region", regions[0])
    if region not in regions:
        remedy = f"use one of {', '.join(regions)}"
        raise source.error((*path, "region"), f"region {region!r} is not enabled", remedy)
    severity = raw.get("severity", 8)
    if isinstance(severity, bool) or not isinstance(severity, int | float) or not 0.1 <= severity <= 10:
        raise source.error((*path, "severity"), f"severity is {severity!r}", "write a number from 0.1 to 10")
    for place, name in references(raw, path):
        if name not in names:
            raise source.error(place, f"${name} is not defined", f"use one of {', '.join(sorted(names))}")
    if ":EC2/" in kind and "instance" not in raw:
        raise source.error(path, f"{kind} is about an instance", "add instance: $name of a saved instance id")
    if ":S3/" in kind and "bucket" not in raw:
        raise source.error(path, f"{kind} is about a bucket", "add bucket: with its name")
    return {**raw, "region": region, "severity": float(severity)}
