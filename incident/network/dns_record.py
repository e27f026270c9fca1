"""Zones of Route 53 with the networks that see them, and their records, one setting each.

A record is a name, a type, and for weighted and such records the identifier of one of them. A zone that was made can be deleted;
one that was deleted does not come back as it was, for AWS gives it other name servers, which whoever delegates to it must learn.

Route 53 is global: its records of what was done appear in us-east-1, and its settings are in no region. A deletion must name the
whole record, and so proves what was there.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, family, immutable, seen
from incident.network.service import Service
from incident.network.values import identifiers, items, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.resources.identity import GLOBAL
from incident.settings import Observed, SettingKey, Value, Write

ROUTE53 = Service("route53", "route53")
ZONE = "hosted-zone"
RECORD = "dns-record"
NETWORK = "hosted-zone-network"

_CHOICES = (
    "SetIdentifier",
    "Weight",
    "Region",
    "GeoLocation",
    "Failover",
    "MultiValueAnswer",
    "HealthCheckId",
    "CidrRoutingConfig",
)


def _domain(name: Any) -> str:
    """A name as Route 53 keeps it: lower case, with its last dot, and the star as a number."""
    plain = text(name).lower().replace("*", r"\052")
    return plain if plain.endswith(".") or not plain else f"{plain}."


def _name(told: JsonObject) -> str:
    return " ".join(filter(None, (_domain(told.get("Name")), text(told.get("Type")), text(told.get("SetIdentifier")))))


def _value(told: JsonObject) -> dict[str, Any]:
    alias = mapping(told.get("AliasTarget"))
    target = {**alias, "DNSName": _domain(alias.get("DNSName"))} if alias else None
    return present(
        {
            "TTL": whole(told.get("TTL")),
            "ResourceRecords": sorted(identifiers(told.get("ResourceRecords"), "Value")),
            "AliasTarget": target,
            **{name: told.get(name) for name in _CHOICES},
        }
    )


def _zone(identifier: Any) -> str:
    return text(identifier).removeprefix("/hostedzone/")


def _seen_from(told: JsonObject) -> dict[str, str]:
    return {"VPCRegion": text(told.get("VPCRegion"))}


# --- records of what was done -------------------------------------------------------------------------------------------------


def _key(event: Event, kind: str, zone: Any, name: str = "") -> SettingKey:
    return event.key(kind, _zone(zone), name)._replace(region=GLOBAL)


def _create_zone(event: Event) -> Iterator[Write]:
    zone = mapping(event.response.get("HostedZone"))
    yield Write(_key(event, ZONE, zone.get("Id")), {"Name": _domain(zone.get("Name"))}, before=None)
    network = mapping(event.request.get("VPC"))
    if network:
        yield Write(_key(event, NETWORK, zone.get("Id"), text(network.get("VPCId"))), _seen_from(network), before=None)


def _delete_zone(event: Event) -> Iterator[Write]:
    zone = _key(event, ZONE, event.request.get("Id"))
    yield Write(zone, None)
    for key in event.known.keys_of(NETWORK, zone.resource):
        if event.value(key) is not None:
            yield Write(key, None)


def _associate(event: Event) -> Iterator[Write]:
    network = mapping(event.request.get("VPC"))
    yield Write(_key(event, NETWORK, event.request.get("HostedZoneId"), text(network.get("VPCId"))), _seen_from(network))


def _disassociate(event: Event) -> Iterator[Write]:
    """The call names the network whole, and so proves where it was."""
    network = mapping(event.request.get("VPC"))
    key = _key(event, NETWORK, event.request.get("HostedZoneId"), text(network.get("VPCId")))
    yield Write(key, None, before=_seen_from(network))


def _write(event: Event) -> Iterator[Write]:
    zone = _zone(event.request.get("HostedZoneId"))
    for change in structures(mapping(event.request.get("ChangeBatch")).get("Changes")):
        told = mapping(change.get("ResourceRecordSet"))
        key, value = _key(event, RECORD, zone, _name(told)), _value(told)
        action = text(change.get("Action"))
        if action == "CREATE":
            yield Write(key, value, before=None)
        elif action == "DELETE":
            yield Write(key, None, before=value)
        else:
            yield Write(key, value)


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_zones(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for zone in structures(answer.get("HostedZones")) or structures(answer.get("HostedZone")):
        yield seen(Scope(scope.account, GLOBAL), ZONE, _zone(zone.get("Id")), {"Name": _domain(zone.get("Name"))})
        for network in structures(answer.get("VPCs")):
            name = text(network.get("VPCId"))
            yield seen(Scope(scope.account, GLOBAL), NETWORK, _zone(zone.get("Id")), _seen_from(network), name)


def _observe_records(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    zone = _zone(read.parameters.get("HostedZoneId"))
    for told in structures(answer.get("ResourceRecordSets")):
        yield seen(Scope(scope.account, GLOBAL), RECORD, zone, _value(told), _name(told))


def _records_of(key: SettingKey) -> Read:
    return ROUTE53.read("ListResourceRecordSets", HostedZoneId=key.resource)


def _read_record(key: SettingKey) -> Read:
    name, kind, *_ = (*key.name.split(" "), "", "")
    return ROUTE53.read("ListResourceRecordSets", HostedZoneId=key.resource, StartRecordName=name, StartRecordType=kind)


def _read_zone(key: SettingKey) -> Read:
    return ROUTE53.read("GetHostedZone", Id=key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_zone(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return ROUTE53.call("DeleteHostedZone", {"Id": key.resource}, loses="the zone's id and name servers")
    if live is not None:
        return immutable(key.resource)
    return Unrestorable(
        f"the zone {wanted.get('Name')} would come back with other name servers",
        "Make it again, restore its records, and give its new name servers to whoever delegates to it, such as the registrar.",
    )


def _change_network(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    operation = "DisassociateVPCFromHostedZone" if wanted is None else "AssociateVPCWithHostedZone"
    place = mapping(live.value if wanted is None and live else wanted)
    parameters = {"HostedZoneId": key.resource, "VPC": {"VPCId": key.name, **place}}
    return ROUTE53.call(operation, parameters, permissions=("ec2:DescribeVpcs",))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    name, kind, *_ = (*key.name.split(" "), "", "")
    action = "DELETE" if wanted is None else "CREATE" if live is None else "UPSERT"
    value = mapping(live.value if wanted is None and live else wanted)
    records = [{"Value": one} for one in items(value.get("ResourceRecords"))]
    value = {**value, "ResourceRecords": records} if records else value
    changes = [{"Action": action, "ResourceRecordSet": {"Name": name, "Type": kind, **value}}]
    return ROUTE53.call("ChangeResourceRecordSets", {"HostedZoneId": key.resource, "ChangeBatch": {"Changes": changes}})


DNS_RECORDS = family(
    Kind(ZONE, 60, _read_zone, _change_zone, details=lambda key: (_read_zone(key), _records_of(key))),
    Kind(NETWORK, 12, _read_zone, _change_network, part_of=ZONE, opens=lambda key, value: True),
    Kind(RECORD, 10, _read_record, _change),
    service=ROUTE53.source,
    readers={
        "ChangeResourceRecordSets": _write,
        "CreateHostedZone": _create_zone,
        "DeleteHostedZone": _delete_zone,
        "AssociateVPCWithHostedZone": _associate,
        "DisassociateVPCFromHostedZone": _disassociate,
    },
    observers={"ListHostedZones": _observe_zones, "GetHostedZone": _observe_zones, "ListResourceRecordSets": _observe_records},
    inventory=(ROUTE53.read("ListHostedZones"),),
    absent_codes=("NoSuchHostedZone",),
    home_only=True,
    acts={
        ZONE: Acts(removes=("route53:DeleteHostedZone",)),
        NETWORK: Acts(
            sets=(
                "ec2:DescribeVpcs",
                "route53:AssociateVPCWithHostedZone",
            ),
            removes=(
                "ec2:DescribeVpcs",
                "route53:DisassociateVPCFromHostedZone",
            ),
        ),
        RECORD: Acts(sets=("route53:ChangeResourceRecordSets",), removes=("route53:ChangeResourceRecordSets",)),
    },
)
