"""What a scenario's flow logs record by the end of the attack."""

from __future__ import annotations

from collections.abc import Set
from ipaddress import ip_address
from typing import Any

from drill.scenario_calls import references
from drill.scenario_yaml import Source

_KEYS = {"flow_log": str, "region": str, "interface": str, "source": str, "target": str, "port": int, "bytes": int, "action": str}
_EXAMPLE = "{flow_log: $log, interface: $eni, source: 198.51.100.7, target: 10.0.1.5, port: 22, bytes: 4249}"


def check_flows(source: Source, regions: tuple[str, ...], names: Set[str]) -> tuple[dict[str, Any], ...]:
    """The flows of `flows`, with the defaults put in."""
    raw = source.data.get("flows", [])
    if not isinstance(raw, list):
        raise source.error(("flows",), f"flows is {type(raw).__name__}", f"write a list, as in [{_EXAMPLE}]")
    return tuple(_checked(source, number, flow, regions, names) for number, flow in enumerate(raw))


def _checked(source: Source, number: int, flow: Any, regions: tuple[str, ...], names: Set[str]) -> dict[str, Any]:
    path = ("flows", number)
    if not isinstance(flow, dict) or set(flow) - set(_KEYS):
        raise source.error(path, f"the flow is {flow!r}", f"write a mapping, as in {_EXAMPLE}")
    whole = {"region": regions[0], "bytes": 0, "action": "ACCEPT", **flow}
    for key, kind in _KEYS.items():
        if not isinstance(whole.get(key), kind):
            raise source.error(path, f"{key} is {whole.get(key)!r}", f"write it as in {_EXAMPLE}")
    if whole["region"] not in regions or whole["action"] not in ("ACCEPT", "REJECT"):
        raise source.error(path, "the region is not enabled, or the action no ACCEPT or REJECT", f"write it as in {_EXAMPLE}")
    for place, name in references(flow, path):
        if name not in names:
            raise source.error(place, f"${name} is not defined", f"use one of {', '.join(sorted(names))}")
    for key in ("source", "target"):
        _check_address(source, path, whole[key])
    return whole


def _check_address(source: Source, path: tuple[str, int], text: str) -> None:
    if text.startswith("$"):
        return
    try:
        ip_address(text)
    except ValueError:
        raise source.error(path, f"{text!r} is no IP address", f"write it as in {_EXAMPLE}") from None
