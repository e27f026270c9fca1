"""Records of Route 53, one setting each: a name, a type, and for weighted and such records the identifier of one of them.

Route 53 is global: its records of what was done appear in us-east-1, and its settings are in no region. A deletion must name the
whole record, and so proves what was there.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Change, Read, Scope
from incident.network.kinds import Event, Kind, family, immutable, seen
from incident.network.service import Service
from incident.network.values import identifiers, items, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.resources.identity import GLOBAL
from incident.settings import Observed, SettingKey, Value, Write

ROUTE53 = Service("route53", "route53")
ZONE = "hosted-zone"
RECORD = "dns-record"

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


def _write(event: Event) -> Iterator[Write]:
    zone = _zone(event.request.get("HostedZoneId"))
    for change in structures(mapping(event.request.get("ChangeBatch")).get("Changes")):
        told = mapping(change.get("ResourceRecordSet"))
        key, value = event.key(RECORD, zone, _name(told))._replace(region=GLOBAL), _value(told)
        action = text(change.get("Action"))
        if action == "CREATE":
            yield Write(key, value, before=None)
        elif action == "DELETE":
            yield Write(key, None, before=value)
        else:
            yield Write(key, value)


def _observe_zones(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for zone in structures(answer.get("HostedZones")) or structures(answer.get("HostedZone")):
        yield seen(Scope(scope.account, GLOBAL), ZONE, _zone(zone.get("Id")), {"Name": _domain(zone.get("Name"))})


def _observe_records(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    zone = _zone(read.parameters.get("HostedZoneId"))
    for told in structures(answer.get("ResourceRecordSets")):
        yield seen(Scope(scope.account, GLOBAL), RECORD, zone, _value(told), _name(told))


def _records_of(key: SettingKey) -> Read:
    return ROUTE53.read("ListResourceRecordSets", HostedZoneId=key.resource)


def _read_record(key: SettingKey) -> Read:
    name, kind, *_ = (*key.name.split(" "), "", "")
    return ROUTE53.read("ListResourceRecordSets", HostedZoneId=key.resource, StartRecordName=name, StartRecordType=kind)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    name, kind, *_ = (*key.name.split(" "), "", "")
    action = "DELETE" if wanted is None else "CREATE" if live is None else "UPSERT"
    value = mapping(live.value if wanted is None and live else wanted)
    records = [{"Value": one} for one in items(value.get("ResourceRecords"))]
    value = {**value, "ResourceRecords": records} if records else value
    changes = [{"Action": action, "ResourceRecordSet": {"Name": name, "Type": kind, **value}}]
    return ROUTE53.call("ChangeResourceRecordSets", {"HostedZoneId": key.resource, "ChangeBatch": {"Changes": changes}})


DNS_RECORDS = family(
    Kind(
        ZONE,
        60,
        lambda key: ROUTE53.read("GetHostedZone", Id=key.resource),
        lambda key, live, wanted: immutable(key.resource),
        details=lambda key: (_records_of(key),),
    ),
    Kind(RECORD, 10, _read_record, _change),
    service=ROUTE53.source,
    readers={"ChangeResourceRecordSets": _write},
    observers={"ListHostedZones": _observe_zones, "GetHostedZone": _observe_zones, "ListResourceRecordSets": _observe_records},
    inventory=(ROUTE53.read("ListHostedZones"),),
    absent_codes=("NoSuchHostedZone",),
    home_only=True,
)
