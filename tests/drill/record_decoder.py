"""From a record's `requestParameters` back to API parameters: the opposite of `drill.aws.shapes`, for round trips."""

from __future__ import annotations

from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from drill.aws.shapes import classic, families, wrapped
from drill.aws.wire import service_model


def decode(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """API parameters of one recorded EC2 call."""
    shape = service_model("ec2").operation_model(operation).input_shape
    if operation in families.CLASSIC:
        return _classic(shape, _unfold(operation, parameters), operation)
    inner = next(iter(parameters.values()))
    return _wrapped(shape, inner) if isinstance(inner, dict) else {}


def _unfold(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    out = dict(parameters)
    if operation == "RunInstances" and isinstance(out.get("instancesSet"), dict):
        out |= (out.pop("instancesSet").get("items") or [{}])[0]
    if operation == "ModifySnapshotAttribute" and "attributeType" in out:
        out["attributeType"] = "createVolumePermission"
    if operation == "ModifyImageAttribute":
        out.pop("attributeType", None)
    if operation == "ModifyInstanceAttribute" and "userData" in out:
        out["userData"] = {"value": out["userData"]}
    return out


def _classic(shape: Shape, value: dict[str, Any], owner: str) -> dict[str, Any]:
    defaults = classic._DEFAULTS.get(owner, {})
    out: dict[str, Any] = {}
    assert isinstance(shape, StructureShape)
    for member, member_shape in shape.members.items():
        key = classic._key(owner, member, member_shape)
        if key not in value or (key in defaults and value[key] == defaults[key]):
            continue
        if isinstance(member_shape, ListShape):
            items = value[key] if isinstance(value[key], list) else value[key].get("items", [])
            out[member] = [_classic_item(member, member_shape.member, item) for item in items]
        elif isinstance(member_shape, StructureShape):
            out[member] = _classic(member_shape, value[key], member_shape.name)
        else:
            out[member] = int(value[key]) if member_shape.type_name in ("integer", "long") else value[key]
    return out


def _classic_item(member: str, shape: Shape, item: Any) -> Any:
    if isinstance(shape, StructureShape):
        return _classic(shape, item, shape.name)
    return item[classic._ITEM_KEYS[member]] if member in classic._ITEM_KEYS else item


def _wrapped(shape: Shape, value: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    assert isinstance(shape, StructureShape)
    for member, member_shape in shape.members.items():
        key = wrapped._wire_name(member, member_shape)
        if key not in value:
            continue
        if isinstance(member_shape, ListShape):
            entries = value[key] if isinstance(value[key], list) else [value[key]]
            out[member] = [_wrapped_entry(member_shape.member, entry) for entry in entries]
        elif isinstance(member_shape, StructureShape):
            out[member] = _wrapped(member_shape, value[key])
        else:
            out[member] = value[key]
    return out


def _wrapped_entry(shape: Shape, entry: Any) -> Any:
    if isinstance(shape, StructureShape):
        return _wrapped(shape, entry)
    return entry.get("content") if isinstance(entry, dict) else entry
