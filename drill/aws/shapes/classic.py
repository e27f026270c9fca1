"""The classic EC2 dialect: lowerCamel keys, lists as {"items": […]}, an empty list or structure as {}."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from botocore.utils import parse_timestamp

REMOVED = "<sensitiveDataRemoved>"

# (operation or structure, member) -> key. "*" stands for any owner and counts for lists only.
_KEYS: dict[tuple[str, str], str] = {
    ("*", "BlockDeviceMappings"): "blockDeviceMapping",
    ("*", "DhcpConfigurations"): "dhcpConfigurationSet",
    ("*", "Filters"): "filterSet",
    ("*", "Groups"): "groupSet",
    ("*", "InstanceIds"): "instancesSet",
    ("*", "NetworkInterfaces"): "networkInterfaceSet",
    ("*", "PrivateIpAddresses"): "privateIpAddressesSet",
    ("*", "Resources"): "resourcesSet",
    ("*", "SecurityGroupIds"): "groupSet",
    ("*", "TagSpecifications"): "tagSpecificationSet",
    ("*", "Tags"): "tagSet",
    ("AllocateAddress", "Address"): "publicIp",
    ("CreateNetworkAclEntry", "Protocol"): "aclProtocol",
    ("CreateSecurityGroup", "Description"): "groupDescription",
    ("CreateVolume", "AvailabilityZone"): "zone",
    ("ModifySnapshotAttribute", "Attribute"): "attributeType",
    ("ReplaceNetworkAclEntry", "Protocol"): "aclProtocol",
}
# Lists of plain ids become lists of objects with this one key.
_ITEM_KEYS = {
    "Groups": "groupId",
    "InstanceIds": "instanceId",
    "Resources": "resourceId",
    "SecurityGroupIds": "groupId",
}
# What a record shows even where the caller left it out.
_RULES: dict[str, Any] = {"ipPermissions": {}}
_ENTRY: dict[str, Any] = {"icmpTypeCode": {}, "portRange": {}}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "AttachVolume": {"deleteOnTermination": False},
    "AuthorizeSecurityGroupEgress": _RULES,
    "AuthorizeSecurityGroupIngress": _RULES,
    "CreateNetworkAclEntry": _ENTRY,
    "CreateNetworkInterface": {"groupSet": {}, "privateIpAddressesSet": {}},
    "CreateVpc": {"instanceTenancy": "default", "amazonProvidedIpv6CidrBlock": False},
    "DeleteSnapshot": {"force": False},
    "DeleteTags": {"tagSet": {}},
    "DeleteVolume": {"reportVolumeFailure": False},
    "IpPermission": {"groups": {}, "ipRanges": {}, "ipv6Ranges": {}, "prefixListIds": {}},
    "ReplaceNetworkAclEntry": _ENTRY,
    "RevokeSecurityGroupEgress": _RULES,
    "RevokeSecurityGroupIngress": _RULES,
    "RunInstances": {
        "blockDeviceMapping": {},
        "disableApiStop": False,
        "disableApiTermination": False,
        "monitoring": {"enabled": False},
    },
    "StopInstances": {"force": False},
}
_LAUNCH_ITEM = ("imageId", "minCount", "maxCount", "keyName")
_SENSITIVE_REQUEST = {
    "ModifyInstanceAttribute": ("userData", "value"),
    "RunInstances": ("userData",),
}
# Answers that have a return value besides what the API model shows.
_RETURN_TOO = {"CreateSecurityGroup"}
_SENSITIVE_RESPONSE = {"keyMaterial", "customerGatewayConfiguration", "passwordData"}


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


# ---- requests ---------------------------------------------------------------------------------------------------


def request(operation: str, shape: Shape, params: dict[str, Any]) -> dict[str, Any]:
    """A classic call's `requestParameters`."""
    out = _structure(shape, params, operation)
    if operation == "RunInstances":
        out["instancesSet"] = {"items": [{k: out.pop(k) for k in _LAUNCH_ITEM if k in out}]}
    elif operation == "ModifyImageAttribute" and "launchPermission" in out:
        out.setdefault("attributeType", "launchPermission")
    elif operation == "ModifySnapshotAttribute" and "attributeType" in out:
        out["attributeType"] = "CREATE_VOLUME_PERMISSION" if "olume" in out["attributeType"] else "PRODUCT_CODES"
    elif operation == "CreateVolume" and "size" in out:
        out["size"] = str(out["size"])
    for key in _SENSITIVE_REQUEST.get(operation, ()):
        if key in out:
            out[key] = REMOVED
    return out


def _structure(shape: Shape, value: dict[str, Any], owner: str) -> dict[str, Any]:
    out = dict(_DEFAULTS.get(owner, {}))
    assert isinstance(shape, StructureShape)
    for member, member_shape in shape.members.items():
        if member in value and member != "DryRun":
            out[_key(owner, member, member_shape)] = _member(owner, member, member_shape, value[member])
    return out


def _key(owner: str, member: str, shape: Shape) -> str:
    if (owner, member) == ("TagSpecification", "Tags"):
        return "tags"
    named = _KEYS.get((owner, member))
    if named is None and isinstance(shape, ListShape):
        named = _KEYS.get(("*", member))
    return named or lower_first(shape.serialization.get("name", member))


def _member(owner: str, member: str, shape: Shape, value: Any) -> Any:
    if isinstance(shape, ListShape):
        items = [_item(member, shape.member, entry) for entry in value]
        if (owner, member) == ("TagSpecification", "Tags"):
            return items
        return {"items": items} if items else {}
    if isinstance(shape, StructureShape):
        return _structure(shape, value, shape.name)
    return value


def _item(member: str, shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape):
        return _structure(shape, value, shape.name)
    return {_ITEM_KEYS[member]: value} if member in _ITEM_KEYS else value


# ---- responses --------------------------------------------------------------------------------------------------


def response(operation: str, shape: Shape | None, body: bytes, request_id: str) -> dict[str, Any]:
    """A classic answer's `responseElements`, read from EC2's XML."""
    root = ET.fromstring(body)  # noqa: S314  the range's own answer
    out: dict[str, Any] = {"requestId": request_id}
    read = _read(root, shape)
    out.update({k: v for k, v in read.items() if k != "requestId"} if isinstance(read, dict) else {})
    if shape is None or not (set(out) - {"requestId"}) or operation in _RETURN_TOO:
        out["_return"] = True
    return out


def _tag(element: ET.Element) -> str:
    return element.tag.rsplit("}", 1)[-1]


def _read(element: ET.Element, shape: Shape | None) -> Any:
    children = list(element)
    if not children:
        return _leaf((element.text or "").strip(), shape)
    if isinstance(shape, ListShape) or all(_tag(child) == "item" for child in children):
        member = shape.member if isinstance(shape, ListShape) else None
        return {"items": [_read(child, member) for child in children]}
    by_name: dict[str, Shape] = {}
    if isinstance(shape, StructureShape):
        by_name = {s.serialization.get("name", name): s for name, s in shape.members.items()}
    out: dict[str, Any] = {}
    for child in children:
        name = _tag(child)
        if name in _SENSITIVE_RESPONSE:
            out[name] = REMOVED
        else:
            out["_return" if name == "return" else name] = _read(child, by_name.get(name))
    return out


def _leaf(text: str, shape: Shape | None) -> Any:
    kind = shape.type_name if shape is not None else ("structure" if not text else "guess")
    if kind in ("list", "structure"):
        return {}
    if kind == "boolean" or (kind == "guess" and text in ("true", "false")):
        return text == "true"
    if kind in ("integer", "long") and text:
        return int(text)
    if kind == "timestamp" and text:
        return int(parse_timestamp(text).timestamp() * 1000)
    return text
