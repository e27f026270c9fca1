"""Network interfaces: their groups and other attributes, their addresses, and the instance each is attached to.

Interfaces that an AWS service manages are that service's settings and not shown here. An instance's own attributes `groupSet` and
`sourceDestCheck` are those of its first interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, filtered, seen
from incident.network.values import address, flag, identifiers, mapping, structures, text, texts, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

INTERFACE = "network-interface"
ATTRIBUTE = "network-interface-attribute"
ADDRESS = "network-interface-address"
ATTACHMENT = "network-interface-attachment"
PUBLIC = "network-interface-public-address"
"""An address that AWS lent to an interface, by the private one it stands for. Elastic IP addresses are settings of their own."""

_PRIMARY, _SECONDARY = {"Primary": True}, {"Primary": False}

_INTERFACES = Resource(
    kind=INTERFACE,
    noun="NetworkInterface",
    listed="NetworkInterfaces",
    rank=60,
    value=lambda told: texts(told, ("SubnetId", "PrivateIpAddress")),
    unsettled=frozenset({"pending", "attaching", "detaching"}),
    parts=(ATTRIBUTE, ADDRESS),
    loses="the id and the MAC address: it comes back under new ones",
)


# --- what an interface has ----------------------------------------------------------------------------------------------------


def _attributes(told: JsonObject) -> dict[str, Value]:
    return {
        "Groups": sorted(identifiers(told.get("Groups"), "GroupId")),
        "SourceDestCheck": flag(told.get("SourceDestCheck", True)),
        "Description": text(told.get("Description")),
    }


def _addresses(told: JsonObject) -> dict[str, dict[str, bool]]:
    """Addresses and delegated prefixes, by what they are."""
    found: dict[str, dict[str, bool]] = {}
    for one in structures(told.get("PrivateIpAddresses")):
        found[text(one.get("PrivateIpAddress"))] = _PRIMARY if flag(one.get("Primary")) else _SECONDARY
    for name in identifiers(told.get("Ipv6Addresses"), "Ipv6Address"):
        found[address(name)] = _SECONDARY
    for version in ("4", "6"):
        for prefix in identifiers(told.get(f"Ipv{version}Prefixes"), f"Ipv{version}Prefix"):
            found[prefix] = _SECONDARY
    return found


def _public_addresses(told: JsonObject) -> Iterator[tuple[str, str]]:
    """Addresses that AWS lent, by the private ones: AWS tells that of the primary address at the top as well."""
    lent = [told, *structures(told.get("PrivateIpAddresses"))]
    for one in lent:
        association = mapping(one.get("Association"))
        if text(association.get("PublicIp")) and not association.get("AllocationId"):
            yield text(one.get("PrivateIpAddress")), text(association["PublicIp"])


def _attachment(told: JsonObject) -> dict[str, Any]:
    return {
        "InstanceId": text(told.get("InstanceId")),
        "DeviceIndex": whole(told.get("DeviceIndex")) or 0,
        "DeleteOnTermination": flag(told.get("DeleteOnTermination")),
    }


def _attachment_handles(attachment_id: Any, value: dict[str, Any]) -> dict[str, str]:
    """The attachment's id, and for an instance's first interface the instance's: calls may name it in the interface's stead."""
    handles = {"AttachmentId": text(attachment_id)} if attachment_id else {}
    return handles if value["DeviceIndex"] else {**handles, "InstanceId": value["InstanceId"]}


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _INTERFACES.describing(event)
    interface = text(described.get("NetworkInterfaceId"))
    yield from _INTERFACES.read_created(event)
    for name, value in _attributes(described).items():
        yield Write(event.key(ATTRIBUTE, interface, name), value, before=None)
    for name, value in _addresses(described).items():
        yield Write(event.key(ADDRESS, interface, name), value, before=None)


def _attach(event: Event) -> Iterator[Write]:
    value = _attachment(event.request)
    handles = _attachment_handles(event.response.get("AttachmentId"), value)
    yield Write(event.key(ATTACHMENT, event.requested("NetworkInterfaceId")), value, before=None, handles=handles)


def _detach(event: Event) -> Iterator[Write]:
    attachment = event.requested("AttachmentId")
    yield Write(event.known.alias(attachment) or event.key(ATTACHMENT, attachment), None)


def _modify(event: Event) -> Iterator[Write]:
    yield from _modified(event, event.requested("NetworkInterfaceId"))
    attachment = mapping(event.request.get("Attachment"))
    if "DeleteOnTermination" in attachment:
        key = event.known.alias(text(attachment.get("AttachmentId")))
        key = key or event.key(ATTACHMENT, event.requested("NetworkInterfaceId"))
        old = event.value(key)
        known = None if isinstance(old, Unknown) else old
        yield Write(key, {**known, "DeleteOnTermination": flag(attachment["DeleteOnTermination"])} if known else UNKNOWN)


def _reset(event: Event) -> Iterator[Write]:
    yield Write(event.key(ATTRIBUTE, event.requested("NetworkInterfaceId"), "SourceDestCheck"), True)


def modify_instance(event: Event) -> Iterator[Write]:
    """What `ModifyInstanceAttribute` does to the instance's first interface."""
    instance = event.requested("InstanceId")
    first = event.known.alias(instance)
    interface = first.resource if first else instance
    yield from _modified(event, interface)
    if event.requested("Attribute").lower() == "sourcedestcheck":
        yield Write(event.key(ATTRIBUTE, interface, "SourceDestCheck"), flag(event.request.get("Value")))


def _modified(event: Event, interface: str) -> Iterator[Write]:
    asked = _attributes(event.request)
    if "Description" in event.request:
        described = event.request["Description"]
        asked["Description"] = text(mapping(described).get("Value")) if mapping(described) else text(described)
    for name, value in asked.items():
        if name in event.request:
            yield Write(event.key(ATTRIBUTE, interface, name), value)


def _assign(event: Event) -> Iterator[Write]:
    interface = event.requested("NetworkInterfaceId")
    # An address that may be taken from another interface proves nothing of where it was.
    before = UNKNOWN if flag(event.request.get("AllowReassignment")) else None
    for name in _assigned(event, "Assigned") or _assigned(event, ""):
        yield Write(event.key(ADDRESS, interface, name), _SECONDARY, before=before)


def _unassign(event: Event) -> Iterator[Write]:
    interface = event.requested("NetworkInterfaceId")
    for name in _assigned(event, ""):
        yield Write(event.key(ADDRESS, interface, name), None, before=_SECONDARY)


def _assigned(event: Event, prefix: str) -> list[str]:
    """The addresses and prefixes of the answer (`Assigned…`), which has those that AWS chose, or of the request."""
    told = event.response if prefix else event.request
    return [
        address(name)
        for member, inner in (
            ("PrivateIpAddresses", "PrivateIpAddress"),
            ("Ipv6Addresses", "Ipv6Address"),
            ("Ipv4Prefixes", "Ipv4Prefix"),
            ("Ipv6Prefixes", "Ipv6Prefix"),
        )
        for name in identifiers(told.get(prefix + member), inner)
    ]


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for interface in structures(answer.get("NetworkInterfaces")):
        if flag(interface.get("RequesterManaged")):
            continue
        resource = interface.get("NetworkInterfaceId")
        yield from _INTERFACES.observed(scope, interface)
        for name, value in _attributes(interface).items():
            yield seen(scope, ATTRIBUTE, resource, value, name)
            yield from _under_its_instance(scope, read, name, value)
        for name, value in _addresses(interface).items():
            yield seen(scope, ADDRESS, resource, value, name)
        for name, public in dict(_public_addresses(interface)).items():
            yield seen(scope, PUBLIC, resource, {"PublicIp": public}, name)
        attachment = mapping(interface.get("Attachment"))
        if attachment.get("InstanceId") and text(attachment.get("Status")) != "detached":
            value = _attachment(attachment)
            settled = not text(attachment.get("Status")).endswith("ing")
            handles = _attachment_handles(attachment.get("AttachmentId"), value)
            yield seen(scope, ATTACHMENT, resource, value, handles=handles, settled=settled)


def _under_its_instance(scope: Scope, read: Read, name: str, value: Value) -> Iterator[Observed]:
    """The same attribute by the instance's id, where that is all that a record told and so what was asked for."""
    for asked in structures(read.parameters.get("Filters")):
        if asked.get("Name") == "attachment.instance-id":
            yield seen(scope, ATTRIBUTE, identifiers(asked.get("Values"))[0], value, name)


def _read(key: SettingKey) -> Read:
    if key.resource.startswith("i-"):
        first = {"Name": "attachment.device-index", "Values": ["0"]}
        instance = {"Name": "attachment.instance-id", "Values": [key.resource]}
        return Read("ec2", "DescribeNetworkInterfaces", {"Filters": [instance, first]})
    if key.resource.startswith("eni-attach-"):
        return filtered("DescribeNetworkInterfaces", "attachment.attachment-id", key.resource)
    return filtered("DescribeNetworkInterfaces", "network-interface-id", key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    value = wanted if key.name == "Groups" else {"Value": wanted}
    if key.resource.startswith("i-"):
        return call("ModifyInstanceAttribute", {"InstanceId": key.resource, key.name: value})
    return call("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": key.resource, key.name: value})


def _change_public_address(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    advice = "Give the interface an Elastic IP address, or stop and start its instance for another address."
    return Unrestorable("AWS lends and takes this address as the instance starts and stops", advice)


def _change_address(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted == _PRIMARY or (live is not None and live.value == _PRIMARY):
        # An interface is made with its primary address and keeps it.
        return () if live is None else always_there("a primary address")
    interface = {"NetworkInterfaceId": key.resource}
    version = "6" if ":" in key.name else "4"
    verb = "Assign" if wanted else "Unassign"
    noun = "Ipv6Addresses" if version == "6" else "PrivateIpAddresses"
    member = f"Ipv{version}Prefixes" if "/" in key.name else noun
    return call(f"{verb}{noun}", {**interface, member: [key.name]})


def _change_attachment(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if key.resource.startswith("eni-attach-"):
        return Unrestorable("nothing tells which interface this attachment was of", "Attach the interface by hand.")
    attachment = live.handles.get("AttachmentId", "") if live else ""
    calls = ()
    if live is not None:
        if wanted is not None and {**live.value, **wanted} == {**live.value, "DeleteOnTermination": wanted["DeleteOnTermination"]}:
            return _delete_on_termination(key, attachment, wanted)
        calls = call("DetachNetworkInterface", {"AttachmentId": attachment})
    if wanted is None:
        return calls
    where = {name: wanted[name] for name in ("InstanceId", "DeviceIndex")}
    return (*calls, *call("AttachNetworkInterface", {"NetworkInterfaceId": key.resource, **where}))


def _delete_on_termination(key: SettingKey, attachment: str, wanted: Value) -> Change:
    chosen = {"AttachmentId": attachment, "DeleteOnTermination": wanted["DeleteOnTermination"]}
    return call("ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": key.resource, "Attachment": chosen})


def _implied(key: SettingKey, value: Value) -> Iterator[tuple[SettingKey, Value]]:
    if value.get("PrivateIpAddress"):
        yield key._replace(kind=ADDRESS, name=value["PrivateIpAddress"]), _PRIMARY


NETWORK_INTERFACES = family(
    _INTERFACES.as_kind(implies=_implied),
    Kind(ATTRIBUTE, 10, _read, _change_attribute, part_of=INTERFACE),
    Kind(ADDRESS, 49, _read, _change_address, part_of=INTERFACE),
    Kind(PUBLIC, 49, _read, _change_public_address, part_of=INTERFACE),
    Kind(ATTACHMENT, 55, _read, _change_attachment),
    readers={
        "CreateNetworkInterface": _create,
        "DeleteNetworkInterface": _INTERFACES.read_deleted,
        "AttachNetworkInterface": _attach,
        "DetachNetworkInterface": _detach,
        "ModifyNetworkInterfaceAttribute": _modify,
        "ResetNetworkInterfaceAttribute": _reset,
        "AssignPrivateIpAddresses": _assign,
        "UnassignPrivateIpAddresses": _unassign,
        "AssignIpv6Addresses": _assign,
        "UnassignIpv6Addresses": _unassign,
    },
    observers={"DescribeNetworkInterfaces": _observe},
    inventory=("DescribeNetworkInterfaces",),
    absent_codes=(
        "InvalidNetworkInterfaceID.NotFound",
        "InvalidAttachmentID.NotFound",
        "InvalidNetworkInterfaceAttachmentId.Malformed",
    ),
    acts={
        ATTRIBUTE: Acts(
            sets=(
                "ec2:ModifyInstanceAttribute",
                "ec2:ModifyNetworkInterfaceAttribute",
            )
        ),
        ADDRESS: Acts(
            sets=(
                "ec2:AssignIpv6Addresses",
                "ec2:AssignPrivateIpAddresses",
            ),
            removes=(
                "ec2:UnassignIpv6Addresses",
                "ec2:UnassignPrivateIpAddresses",
            ),
        ),
        ATTACHMENT: Acts(
            sets=(
                "ec2:AttachNetworkInterface",
                "ec2:DetachNetworkInterface",
            ),
            removes=("ec2:DetachNetworkInterface",),
        ),
    },
)
