"""AWS Config's configuration items as prior state: what one of them tells of a resource, setting by setting.

An item holds a resource as its describe call showed it at one moment, with every name in lowerCamel. Turned back, it is read by the
same `observe` that reads the live network, so that a value from Config equals one from AWS.
https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigurationItem.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from incident.config_types import ITEM_TYPES, ItemType
from incident.families import family_for_kind
from incident.family import Read, Scope
from incident.network.values import items, mapping, structures, text
from incident.record import JsonObject, RecordError, parse_time
from incident.settings import Observed, PriorValue, Reversal, SettingKey, Source, Unknown

TAG = "tag"
Prior = tuple[SettingKey, PriorValue]

_DELETED = frozenset({"ResourceDeleted", "ResourceDeletedNotRecorded"})
_RECORDED = frozenset({"OK", "ResourceDiscovered"})
_DOCUMENTS = frozenset({"assumeRolePolicyDocument", "document", "policyDocument"})
_NO_REGION = frozenset({"", "Not Applicable", "Regional", "Multiple Availability Zones"})


@dataclass(frozen=True, slots=True)
class Question:
    """Whose history tells a setting: the resource's by its id, or those that have a `name`; else one of all of the type."""

    scope: Scope
    type: str
    resource: str = ""
    name: str = ""


def question_about(key: SettingKey) -> Question | None:
    """Which items can tell a setting, `None` where Config keeps nothing of it."""
    scope = Scope(key.account, key.region)
    for kind in ITEM_TYPES.values():
        if key.kind in kind.of_others:
            return Question(scope, kind.name)
        owns = key.kind in (*kind.whole, *kind.partly) or (key.kind == TAG and kind.tagged)
        if owns and kind.called:
            return Question(scope, kind.name, name=key.resource.rpartition("/")[2])
        if owns and key.resource.startswith(kind.prefix):
            return Question(scope, kind.name, key.resource)
    return None


def open_questions(found: Iterable[Reversal]) -> dict[Question, datetime]:
    """What to ask Config for the settings whose prior value nothing told, and before which moment: the actor's first write."""
    asked: dict[Question, datetime] = {}
    for reversal in unanswered(found):
        question, first = question_about(reversal.key), reversal.by_actor[0].time
        if question is not None:
            asked[question] = min(first, asked.get(question, first))
    return asked


def unanswered(found: Iterable[Reversal]) -> list[Reversal]:
    """The reversals whose prior value nothing told."""
    return [reversal for reversal in found if isinstance(reversal.target, Unknown)]


def told(taken: Iterable[JsonObject], wanted: Iterable[SettingKey], scope: Scope | None = None) -> list[Prior]:
    """What items tell: all that they show, and of the wanted settings those that they show to be absent.

    Args:
        taken: configuration items in any of the forms that Config has for them.
        wanted: the settings whose prior value is asked for.
        scope: where the items were read, for those that do not say it themselves.
    """
    asked = list(wanted)
    found: list[Prior] = []
    for item in taken:
        shown = prior_values(item, scope)
        found += shown
        found += _absent(item, {key for key, _ in shown}, asked, scope)
    return found


def prior_values(item: JsonObject, scope: Scope | None = None) -> list[Prior]:
    """Each setting that an item shows; that a deleted resource is absent; nothing for a type or a status that tells nothing.

    Raises:
        ValueError: the item says neither when nor of what it is.
    """
    kind, status = ITEM_TYPES.get(text(item.get("resourceType"))), _status(item)
    if kind is None or status not in _DELETED | _RECORDED:
        return []
    place, at = _scope(item, scope), captured_at(item)
    if status in _DELETED:
        gone = [Observed(SettingKey(*_of(place), name, _called(kind, item)), None) for name in kind.whole[:1]]
        return [(one.key, PriorValue(None, at, Source.CONFIG)) for one in gone]
    tags = _tags(place, item) if kind.tagged else ()
    shown = {one.key: one for one in (*_observed(kind, place, item), *tags)}
    return [(key, PriorValue(one.value, at, Source.CONFIG, one.aliases)) for key, one in shown.items()]


def captured_at(item: JsonObject) -> datetime:
    """When an item was taken.

    Raises:
        ValueError: it does not say it in any form that is known.
    """
    value = item.get("configurationItemCaptureTime")
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, Mapping):
        parts = cast(Mapping[str, Any], value)
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return datetime(*(int(parts.get(name, 0)) for name in names), tzinfo=UTC)
    try:
        return parse_time(value)
    except RecordError:
        raise ValueError(f"configuration item of {_resource(item)}: no configurationItemCaptureTime") from None


def _absent(item: JsonObject, shown: set[SettingKey], wanted: Iterable[SettingKey], scope: Scope | None) -> Iterator[Prior]:
    """The wanted settings of an item's own resource that it would show if they had been there."""
    kind, status = ITEM_TYPES.get(text(item.get("resourceType"))), _status(item)
    if kind is None or status not in _DELETED | _RECORDED:
        return
    place, at = _scope(item, scope), captured_at(item)
    tags = (TAG,) if kind.tagged else ()
    complete = {*kind.whole, *tags, *(kind.partly if status in _DELETED else ())}
    for key in wanted:
        if key[:2] == _of(place) and key.resource == _called(kind, item) and key.kind in complete and key not in shown:
            yield key, PriorValue(None, at, Source.CONFIG)


def _observed(kind: ItemType, scope: Scope, item: JsonObject) -> Iterator[Observed]:
    described = _described(kind, item)
    for shown in kind.shown:
        family = family_for_kind(shown.kind)
        parameters: dict[str, Any] = {}
        listed = [described]
        if shown.listed == "SecurityGroupRules":
            listed = _rules(described)
        if kind.name == "AWS::EC2::Instance":
            listed = [one for one in structures(described.get("NetworkInterfaces")) if _is_first(one)]
            parameters = {"Filters": [{"Name": "attachment.instance-id", "Values": [_resource(item)]}]}
        if shown.listed == "Entries":
            listed = structures(described.get("Entries"))
            parameters = {"PrefixListId": _resource(item)}
        if not shown.listed:
            yield from family.observe(scope, Read("", shown.operation, parameters), described)
        elif listed and any(listed):
            yield from family.observe(scope, Read("ec2", shown.operation, parameters), {shown.listed: listed})


def _is_first(interface: JsonObject) -> bool:
    return text(mapping(interface.get("Attachment")).get("DeviceIndex")) in ("", "0")


def _rules(group: JsonObject) -> list[JsonObject]:
    """A group's permissions as `DescribeSecurityGroupRules` lists them; Config keeps no rule ids."""
    return [
        {"GroupId": group.get("GroupId"), "IsEgress": listed == "IpPermissionsEgress", **_ports(permission), **peer}
        for listed in ("IpPermissions", "IpPermissionsEgress")
        for permission in structures(group.get(listed))
        for peer in _peers(permission)
    ]


def _ports(permission: JsonObject) -> JsonObject:
    return {name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in permission}


def _peers(permission: JsonObject) -> Iterator[JsonObject]:
    # Older items list networks as plain texts; newer ones have both, and descriptions only in the structures.
    networks = structures(permission.get("Ipv4Ranges")) or [
        mapping(one) or {"CidrIp": one} for one in items(permission.get("IpRanges"))
    ]
    for network in networks:
        yield {"CidrIpv4": network.get("CidrIp"), "Description": network.get("Description")}
    for network in structures(permission.get("Ipv6Ranges")):
        yield {"CidrIpv6": network.get("CidrIpv6"), "Description": network.get("Description")}
    for one in items(permission.get("PrefixListIds")):
        prefix = mapping(one) or {"PrefixListId": one}
        yield {"PrefixListId": prefix.get("PrefixListId"), "Description": prefix.get("Description")}
    for group in structures(permission.get("UserIdGroupPairs")):
        yield {"ReferencedGroupInfo": group, "Description": group.get("Description")}


def _tags(scope: Scope, item: JsonObject) -> Iterator[Observed]:
    for name, value in mapping(item.get("tags")).items():
        yield Observed(SettingKey(*_of(scope), TAG, _resource(item), name), text(value))


def _described(kind: ItemType, item: JsonObject) -> JsonObject:
    configuration = item.get("configuration")
    if isinstance(configuration, str):
        try:
            configuration = json.loads(configuration)
        except ValueError:
            raise ValueError(f"configuration item of {_resource(item)}: its configuration is no JSON") from None
    if any(not shown.listed for shown in kind.shown):
        # The family turns the names inside by itself, for some of them are names that people gave.
        return {name[:1].upper() + name[1:]: inner for name, inner in mapping(configuration).items()}
    return kind.reshaped(mapping(_as_described(configuration)))


def _as_described(value: Any) -> Any:
    """A configuration under the names of the describe call; what is null there is left out here."""
    if isinstance(value, Mapping):
        pairs = cast(JsonObject, value).items()
        return {
            name[:1].upper() + name[1:]: _document(inner) if name in _DOCUMENTS else _as_described(inner)
            for name, inner in pairs
            if inner is not None
        }
    if isinstance(value, list):
        return [_as_described(inner) for inner in cast(list[Any], value)]
    return value


def _document(value: Any) -> Any:
    """A policy, whose names are its author's; Config has it as text, as a structure, or as a list of one."""
    listed = cast(list[Any], value) if isinstance(value, list) else []
    return listed[0] if len(listed) == 1 else cast(Any, value)


def _status(item: JsonObject) -> str:
    return text(item.get("configurationItemStatus"))


def _resource(item: JsonObject) -> str:
    return text(item.get("resourceId"))


def _called(kind: ItemType, item: JsonObject) -> str:
    """What settings call an item's resource."""
    if kind.called == "ARN":
        return text(item.get("arn") or item.get("ARN"))
    return text(item.get(kind.called)) if kind.called else _resource(item)


def _of(scope: Scope) -> tuple[str, str]:
    return scope.account, scope.region


def _scope(item: JsonObject, scope: Scope | None) -> Scope:
    """Where an item's resource is, by the item itself or its ARN; items of some types name no region."""
    arn = (text(item.get("arn") or item.get("ARN")).split(":") + [""] * 5)[:5]
    account = text(item.get("accountId") or item.get("awsAccountId")) or arn[4] or (scope.account if scope else "")
    region = text(item.get("awsRegion"))
    if region in _NO_REGION:
        region = arn[3] or (scope.region if scope else "")
    if not account or not region or not _resource(item):
        raise ValueError(f"configuration item of {_resource(item) or 'nothing'}: it names no account, region or resource")
    return Scope(account, region)
