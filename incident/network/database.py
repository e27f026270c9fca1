"""Database instances: whether the internet can reach one, and the groups that guard it.

A modification may carry more than that. Each further member is a setting whose values are not known, so that it is shown to people
and never lost from sight.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, identifiers, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Value, Write

RDS = Service("rds", "rds")
DATABASE = "database"
ATTRIBUTE = "database-attribute"

_PUBLIC, _GROUPS = "PubliclyAccessible", "VpcSecurityGroupIds"
_HOW = frozenset({"DBInstanceIdentifier", "ApplyImmediately", "AllowMajorVersionUpgrade"})
"""Members that say which instance and how, not what it shall be."""


def _modify(event: Event) -> Iterator[Write]:
    answered = text(mapping(event.response.get("DBInstance")).get("DBInstanceIdentifier"))
    database = answered or event.requested("DBInstanceIdentifier").lower()
    for name, value in event.request.items():
        if name in _HOW:
            continue
        key = event.key(ATTRIBUTE, database, name)
        if name == _PUBLIC:
            yield Write(key, flag(value))
        elif name == _GROUPS:
            yield Write(key, sorted(identifiers(value)))
        else:
            yield Write(key, UNKNOWN)


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for instance in structures(answer.get("DBInstances")):
        database, settled = text(instance.get("DBInstanceIdentifier")), text(instance.get("DBInstanceStatus")) != "modifying"
        yield seen(scope, DATABASE, database, _database(instance))
        yield seen(scope, ATTRIBUTE, database, flag(instance.get(_PUBLIC)), _PUBLIC, settled=settled)
        groups = [group for group in structures(instance.get("VpcSecurityGroups")) if text(group.get("Status")) != "removing"]
        settled = settled and all(text(group.get("Status")) != "adding" for group in groups)
        yield seen(scope, ATTRIBUTE, database, sorted(identifiers(groups, "VpcSecurityGroupId")), _GROUPS, settled=settled)


def _database(told: JsonObject) -> dict[str, Any]:
    """What of an instance never changes, or is none of ours to change; its port tells what of it is reached."""
    group = mapping(told.get("DBSubnetGroup"))
    subnets = sorted(identifiers(group.get("Subnets"), "SubnetIdentifier"))
    port = whole(mapping(told.get("Endpoint")).get("Port"))
    where = present({"SubnetIds": subnets, "Port": port})
    return {"Engine": text(told.get("Engine")), "VpcId": text(group.get("VpcId")), **where}


def _read(key: SettingKey) -> Read:
    return RDS.read("DescribeDBInstances", DBInstanceIdentifier=key.resource)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    if key.name not in (_PUBLIC, _GROUPS):
        return Unrestorable(f"{key.name} of a database is not part of the network", "Decide by hand what it must be.")
    return RDS.call("ModifyDBInstance", {"DBInstanceIdentifier": key.resource, key.name: wanted, "ApplyImmediately": True})


DATABASES = family(
    Kind(DATABASE, 60, _read, lambda key, live, wanted: immutable(key.resource)),
    Kind(ATTRIBUTE, 10, _read, _change, part_of=DATABASE, opens=lambda key, value: key.name == _PUBLIC and value is True),
    service=RDS.source,
    readers={"ModifyDBInstance": _modify},
    observers={"DescribeDBInstances": _observe},
    inventory=(RDS.read("DescribeDBInstances"),),
    absent_codes=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
    acts={
        ATTRIBUTE: Acts(sets=("rds:ModifyDBInstance",)),
    },
)
