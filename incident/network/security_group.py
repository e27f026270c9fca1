"""Security groups and their rules.

A rule has a setting of its own, so that an actor's rule goes and everybody else's stay. Its id is a handle: it is new each time
that the same rule is made again. Revoking a rule that is not there can succeed and change nothing: the answer then lists it as
unknown.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import TOP, Event, Kind, Reader, Resource, call, family, filtered, first, seen
from incident.network.rules import Rule, Told, described, permitted, requested
from incident.network.values import identifiers, is_world, mapping, structures, text, texts
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

GROUP = "security-group"
RULE = "security-group-rule"
QUARANTINE_TAG = "countermand:quarantine"
"""On every group that we make to isolate instances; its value is what the group is for."""

_EVERYTHING_OUT = "egress all all 0.0.0.0/0"
_EVERYTHING_OUT_IPV6 = "egress all all ::/0"
_RULE_LOSES = "the rule's id and tags: it comes back under a new id, untagged"


# --- records ------------------------------------------------------------------------------------------------------------------


def _create_group(event: Event) -> Iterator[Write]:
    group = event.answered("GroupId")
    value = _group_value({**event.request, "Description": event.request.get("GroupDescription", event.request.get("Description"))})
    yield from event.created(GROUP, group, value, event.response)
    for key, rule in _implied(event.key(GROUP, group), value):
        yield Write(key, rule, before=None)
    vpc = text(value.get("VpcId"))
    if vpc and any(":" in key.name and event.value(key) for key in event.known.keys_of("vpc-cidr", vpc)):
        yield Write(event.key(RULE, group, _EVERYTHING_OUT_IPV6), {"description": ""}, before=None)


def _delete_group(event: Event) -> Iterator[Write]:
    yield from event.deleted(GROUP, _group_of(event), RULE)


def _authorize(direction: str) -> Reader:
    def read(event: Event) -> Iterator[Write]:
        answered = structures(event.response.get("SecurityGroupRules"))
        group = _group_of(event, answered)
        told = [described(item, event.record.account) for item in answered]
        for rule in told or requested(event.request, event.record.account, direction):
            yield Write(event.key(RULE, group, rule.rule.name), rule.value, before=None, handles=rule.handles)

    return read


def _revoke(direction: str) -> Reader:
    def read(event: Event) -> Iterator[Write]:
        owner = event.record.account
        answered = structures(event.response.get("RevokedSecurityGroupRules"))
        group = _group_of(event, answered)
        if answered:
            for item in answered:
                rule = described(item, owner, direction)
                yield Write(event.key(RULE, group, rule.rule.name), None, before=rule.value, handles=rule.handles)
            return
        missed = {rule.rule for rule in permitted(event.response.get("UnknownIpPermissions"), owner, direction)}
        for rule in requested(event.request, owner, direction):
            if rule.rule not in missed:
                key = event.key(RULE, group, rule.rule.name)
                yield Write(key, None, before=_description_before(event, key, rule))
        for rule_id in identifiers(event.request.get("SecurityGroupRuleIds"), "SecurityGroupRuleId"):
            yield Write(event.known.alias(rule_id) or event.key(RULE, group, rule_id), None)

    return read


def _description_before(event: Event, key: SettingKey, rule: Told) -> Value:
    """What a revoked rule was: the revocation proves that it was there, and an earlier read may know how it was described."""
    known = event.value(key)
    return rule.value if known is None or isinstance(known, Unknown) else known


def _modify(event: Event) -> Iterator[Write]:
    group = _group_of(event)
    for update in structures(event.request.get("SecurityGroupRules")):
        rule_id, wanted = text(update.get("SecurityGroupRuleId")), mapping(update.get("SecurityGroupRule"))
        handles = {"SecurityGroupRuleId": rule_id}
        old = event.known.alias(rule_id)
        if old is None or old.name == rule_id:
            yield Write(event.key(RULE, group, rule_id), UNKNOWN, handles=handles)
            continue
        new = described(wanted, event.record.account, Rule.named(old.name).direction)
        key = event.key(RULE, group, new.rule.name)
        if key == old:
            yield Write(key, new.value, handles=handles)
        else:
            yield Write(old, None)
            yield Write(key, new.value, before=None, handles=handles)


def _describe_rules(direction: str) -> Reader:
    def read(event: Event) -> Iterator[Write]:
        group = _group_of(event)
        for rule in permitted(event.request.get("IpPermissions"), event.record.account, direction):
            yield Write(event.key(RULE, group, rule.rule.name), rule.value)
        for update in structures(event.request.get("SecurityGroupRuleDescriptions")):
            rule_id = text(update.get("SecurityGroupRuleId"))
            key = event.known.alias(rule_id) or event.key(RULE, group, rule_id)
            yield Write(key, {"description": text(update.get("Description"))}, handles={"SecurityGroupRuleId": rule_id})

    return read


def _group_of(event: Event, answered: list[JsonObject] | None = None) -> str:
    group = first(event.request.get("GroupId"), *(rule.get("GroupId") for rule in answered or ()), event.response.get("GroupId"))
    if not group and event.request.get("GroupName"):
        raise ValueError("the record names the security group by name only; its id must be looked up")
    return group


def _group_value(told: JsonObject) -> dict[str, str]:
    return texts(told, ("GroupName", "Description", "VpcId"))


def _implied(key: SettingKey, value: Value) -> Iterator[tuple[SettingKey, Value]]:
    """A new group lets everything out."""
    yield key._replace(kind=RULE, name=_EVERYTHING_OUT), {"description": ""}


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_groups(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for group in structures(answer.get("SecurityGroups")):
        yield seen(scope, GROUP, group.get("GroupId"), _group_value(group))


def _observe_rules(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for item in structures(answer.get("SecurityGroupRules")):
        told = described(item, scope.account)
        yield seen(scope, RULE, item.get("GroupId"), told.value, told.rule.name, told.handles)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_rule(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    try:
        rule = Rule.named(key.name)
    except ValueError as reason:
        return Unrestorable(str(reason), f"Look at the rules of {key.resource} and decide by hand.")
    rule_id = live.handles.get("SecurityGroupRuleId") if live else None
    if wanted is None:
        chosen: dict[str, Any] = {"SecurityGroupRuleIds": [rule_id]} if rule_id else {"IpPermissions": [rule.permission()]}
        return call(f"RevokeSecurityGroup{rule.side}", {"GroupId": key.resource, **chosen}, loses=_RULE_LOSES)
    description = text(wanted.get("description"))
    if rule_id:
        # By its id: a rule of a protocol without ports may hold some that its name leaves out, for AWS heeds none there.
        described_rule = {"SecurityGroupRuleId": rule_id, "Description": description}
        asked = {"GroupId": key.resource, "SecurityGroupRuleDescriptions": [described_rule]}
        return call(f"UpdateSecurityGroupRuleDescriptions{rule.side}", asked)
    verb = "AuthorizeSecurityGroup" if live is None else "UpdateSecurityGroupRuleDescriptions"
    asked = {"GroupId": key.resource, "IpPermissions": [rule.permission(description)]}
    return call(f"{verb}{rule.side}", asked, loses=_RULE_LOSES if live is None else "")


def _rule_opens(key: SettingKey, value: Value) -> bool:
    try:
        return is_world(Rule.named(key.name).peer)
    except ValueError:
        return True


_GROUPS = Resource(
    kind=GROUP,
    noun="SecurityGroup",
    listed="SecurityGroups",
    identifier="GroupId",
    rank=65,
    value=_group_value,
    made=TOP,
    loses="the id: it comes back under a new one, and what named the group must be pointed to it",
)


_BY_SIDE: dict[str, Callable[[str], Reader]] = {
    "AuthorizeSecurityGroup": _authorize,
    "RevokeSecurityGroup": _revoke,
    "UpdateSecurityGroupRuleDescriptions": _describe_rules,
}

SECURITY_GROUPS = family(
    _GROUPS.as_kind(implies=_implied),
    Kind(
        RULE,
        10,
        lambda key: filtered("DescribeSecurityGroupRules", "group-id", key.resource),
        _change_rule,
        part_of=GROUP,
        opens=_rule_opens,
    ),
    readers={
        "CreateSecurityGroup": _create_group,
        "DeleteSecurityGroup": _delete_group,
        "ModifySecurityGroupRules": _modify,
        **{verb + side: make(side.lower()) for verb, make in _BY_SIDE.items() for side in ("Ingress", "Egress")},
    },
    observers={"DescribeSecurityGroups": _observe_groups, "DescribeSecurityGroupRules": _observe_rules},
    inventory=("DescribeSecurityGroups", "DescribeSecurityGroupRules"),
    absent_codes=("InvalidGroup.NotFound", "InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound"),
    acts={
        RULE: Acts(
            sets=(
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
                "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
            ),
            removes=(
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ),
        ),
    },
)
