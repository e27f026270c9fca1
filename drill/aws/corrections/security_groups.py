"""Security groups: whole and atomic changes, rules known by what they allow, groups that are needed stay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import (
    InvalidPermissionDuplicateError,
    InvalidPermissionNotFoundError,
    InvalidSecurityGroupNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
)
from moto.ec2.models.security_groups import (
    GroupedSecurityRuleView,
    SecurityGroup,
    SecurityGroupBackend,
    SecurityGroupRule,
)
from moto.ec2.responses.security_groups import SecurityGroups

from drill.aws.corrections.base import canonical_cidr, corrects, dependency, refuse

_PEERS = ("CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupId")


def identity(rule: SecurityGroupRule) -> tuple[Any, ...]:
    """What makes a rule that rule and no other; its description is no part of it."""
    ports = (None, None) if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    return rule.ip_protocol, *ports, rule.cidr_ipv4, rule.cidr_ipv6, rule.source_group.get("GroupId"), rule.prefix_list_id


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


# ---- rules ------------------------------------------------------------------------------------------------------


@corrects(SecurityGroupRule)
def __init__(self: Any, ec2_backend: Any, ip_protocol: Any, group_id: str, *args: Any, **kwargs: Any) -> None:
    """moto keeps CIDRs as given, forgets descriptions of prefix lists, and stumbles over TCP without ports."""
    names = ("from_port", "to_port", "ip_range", "source_group", "prefix_list_id")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if str(ip_protocol).lower() in ("tcp", "udp", "6", "17") and None in (given.get("from_port"), given.get("to_port")):
        message = "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."
        raise refuse("InvalidParameterValue", message)
    if given.get("from_port") is None and given.get("to_port") is None and str(ip_protocol) != "-1":
        given["from_port"] = given["to_port"] = -1
    wanted = given.get("ip_range")
    if isinstance(wanted, dict):
        given["ip_range"] = {k: canonical_cidr(v) if k.startswith("Cidr") else v for k, v in wanted.items()}
    prefix_list = given.get("prefix_list_id") or {}
    if prefix_list and prefix_list["PrefixListId"] not in ec2_backend.managed_prefix_lists:
        ident = prefix_list["PrefixListId"]
        raise refuse("InvalidPrefixListID.NotFound", f"The prefix list ID '{ident}' does not exist")
    self.prefix_list_description = prefix_list.get("Description")
    __init__.moto(self, ec2_backend, ip_protocol, group_id, **{"from_port": None, "to_port": None, "ip_range": None, **given})
    self.ip_range, self.source_group = dict(self.ip_range), dict(self.source_group)


@corrects(SecurityGroupRule)
def __eq__(self: Any, other: object) -> bool:
    """moto compares descriptions of group rules, and finds a range equal to a group."""
    return isinstance(other, SecurityGroupRule) and identity(self) == identity(other)


@corrects(SecurityGroupRule)
def __hash__(self: Any) -> int:
    return hash(identity(self))


def _description(rule: Any) -> str | None:
    return (
        rule.ip_range.get("Description") or rule.source_group.get("Description") or getattr(rule, "prefix_list_description", None)
    )


SecurityGroupRule.description = property(_description)  # type: ignore[method-assign,assignment]


def _set_description(rule: Any, text: str | None) -> None:
    for part in (rule.ip_range, rule.source_group):
        if part:
            part.pop("Description", None)
            if text:
                part["Description"] = text
    if rule.prefix_list_id:
        rule.prefix_list_description = text


@corrects(SecurityGroup)
def _flattened_rules(self: Any, rules: list[SecurityGroupRule]) -> list[GroupedSecurityRuleView]:
    """moto leaves out the descriptions of prefix lists."""
    views: dict[tuple[Any, ...], GroupedSecurityRuleView] = {}
    for rule in rules:
        key = (rule.from_port, rule.to_port, rule.ip_protocol)
        view = views.setdefault(key, GroupedSecurityRuleView(*key))
        if rule.ip_range:
            view.all_ip_ranges.append(rule.ip_range)
        if rule.source_group:
            view.source_groups.append(rule.source_group)
        if rule.prefix_list_id:
            described = {"Description": rule.description} if rule.description else {}
            view.prefix_list_ids.append({"PrefixListId": rule.prefix_list_id, **described})
    return list(views.values())


# ---- authorize and revoke ---------------------------------------------------------------------------------------


def _group(backend: Any, name_or_id: str) -> SecurityGroup:
    group: SecurityGroup | None = backend.get_security_group_by_name_or_id(name_or_id, None)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(name_or_id)
    return group


def _rules(group: SecurityGroup, way: str) -> list[SecurityGroupRule]:
    rules: list[SecurityGroupRule] = getattr(group, f"{way}_rules")
    return rules


def _asked_rules(backend: Any, group: SecurityGroup, asked: dict[str, Any], way: str) -> Iterator[SecurityGroupRule]:
    """The rules that one permission of a request stands for."""
    yield from backend._iterate_security_rules(
        asked["ip_protocol"],
        group.group_id,
        asked["from_port"],
        asked["to_port"],
        asked["ip_ranges"],
        backend._add_source_group(asked["source_groups"], None),
        asked["prefix_list_ids"] or [],
        is_egress=way == "egress",
        tags=asked.get("sgrule_tags") or {},
    )


def _authorize(self: Any, way: str) -> ActionResult:
    """moto answers for the last permission only, and keeps the ones before a duplicate."""
    added: list[SecurityGroupRule] = []
    group = None
    for asked in self._process_rules_from_querystring():
        group = _group(self.ec2_backend, asked["group_name_or_id"])
        permission = list(_asked_rules(self.ec2_backend, group, asked, way))
        if not permission:
            raise refuse("MissingParameter", "The request must contain a source or destination for every permission")
        added += permission
    if len(set(added)) < len(added):
        raise refuse("InvalidParameterValue", "The same permission must not appear multiple times")
    if group is not None:
        present = _rules(group, way)
        for rule in added:
            if rule in present:
                raise InvalidPermissionDuplicateError()
        self.ec2_backend._verify_group_will_respect_rule_count_limit(
            group, len(present), [r.ip_range for r in added], None, egress=way == "egress"
        )
        setattr(group, f"{way}_rules", [*present, *added])
    return ActionResult({"Return": True, "SecurityGroupRules": [_shown(rule) for rule in added]})


@corrects(SecurityGroups)
def authorize_security_group_ingress(self: Any) -> ActionResult:
    return _authorize(self, "ingress")


@corrects(SecurityGroups)
def authorize_security_group_egress(self: Any) -> ActionResult:
    return _authorize(self, "egress")


def _doomed(self: Any, group: SecurityGroup, asked: dict[str, Any], way: str) -> list[SecurityGroupRule]:
    present = _rules(group, way)
    if asked["security_rule_ids"]:
        by_id = {rule.id: rule for rule in present}
        for ident in asked["security_rule_ids"]:
            if ident not in by_id:
                raise InvalidSecurityGroupRuleIdNotFoundError(ident)
        return [by_id[ident] for ident in asked["security_rule_ids"]]
    doomed = []
    for rule in _asked_rules(self.ec2_backend, group, asked, way):
        if rule not in present:
            raise InvalidPermissionNotFoundError()
        doomed.append(present[present.index(rule)])
    return doomed


def _revoke(self: Any, way: str) -> ActionResult:
    """moto wants the description to match, revokes half of a request, and says yes to absent IPv6 egress rules."""
    doomed: list[SecurityGroupRule] = []
    group = None
    for asked in self._process_rules_from_querystring():
        group = _group(self.ec2_backend, asked["group_name_or_id"])
        doomed += _doomed(self, group, asked, way)
    if group is not None:
        ids = {rule.id for rule in doomed}
        setattr(group, f"{way}_rules", [rule for rule in _rules(group, way) if rule.id not in ids])
    return ActionResult({"Return": True, "RevokedSecurityGroupRules": [_revoked(rule) for rule in doomed]})


def _revoked(rule: SecurityGroupRule) -> dict[str, Any]:
    """A rule as a revocation answers it: the peer group plainly, and nobody's account."""
    shown = {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.ip_protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "CidrIpv4": rule.cidr_ipv4,
        "CidrIpv6": rule.cidr_ipv6,
        "PrefixListId": rule.prefix_list_id,
        "ReferencedGroupId": rule.source_group.get("GroupId"),
        "Description": rule.description,
    }
    return {k: v for k, v in shown.items() if v is not None}


def _shown(rule: SecurityGroupRule) -> dict[str, Any]:
    """A rule as an authorization answers it; moto leaves out the owner and the ports of all traffic."""
    shown = _revoked(rule) | {"GroupOwnerId": rule.owner_id}
    peer = shown.pop("ReferencedGroupId", None)
    if peer:
        shown["ReferencedGroupInfo"] = {"GroupId": peer, "UserId": rule.source_group.get("UserId", rule.owner_id)}
    if rule.get_tags():
        shown["Tags"] = rule.get_tags()
    return shown


SecurityGroupRule.group_owner_id = property(lambda rule: rule.owner_id)  # type: ignore[attr-defined]


@corrects(SecurityGroups)
def revoke_security_group_ingress(self: Any) -> ActionResult:
    return _revoke(self, "ingress")


@corrects(SecurityGroups)
def revoke_security_group_egress(self: Any) -> ActionResult:
    return _revoke(self, "egress")


# ---- changing rules ---------------------------------------------------------------------------------------------


def _peer_kind(rule: SecurityGroupRule) -> str:
    values = (rule.cidr_ipv4, rule.cidr_ipv6, rule.prefix_list_id, rule.source_group.get("GroupId"))
    return next(kind for kind, value in zip(_PEERS, values, strict=True) if value)


def _replacement(backend: Any, group: SecurityGroup, old: SecurityGroupRule, new: dict[str, Any]) -> SecurityGroupRule:
    kinds = [kind for kind in _PEERS if new.get(kind)]
    if len(kinds) != 1:
        raise refuse("InvalidParameterCombination", f"Exactly one of {', '.join(_PEERS)} must be specified")
    if kinds[0] != _peer_kind(old):
        raise refuse("InvalidParameterValue", f"You may not specify {kinds[0]} for an existing {_peer_kind(old)} rule.")
    if not new.get("IpProtocol"):
        message = "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
        raise refuse("InvalidParameterValue", message)
    described = {"Description": new["Description"]} if new.get("Description") else {}
    field = {"CidrIpv4": "CidrIp", "ReferencedGroupId": "GroupId"}.get(kinds[0], kinds[0])
    peer = {field: new[kinds[0]], **described}
    return SecurityGroupRule(
        backend,
        new["IpProtocol"],
        group.group_id,
        new.get("FromPort"),
        new.get("ToPort"),
        peer if kinds[0].startswith("Cidr") else None,
        backend._add_source_group([peer], None)[0] if kinds[0] == "ReferencedGroupId" else None,
        peer if kinds[0] == "PrefixListId" else None,
        is_egress=old.is_egress,
    )


@corrects(SecurityGroupBackend)
def modify_security_group_rules(self: Any, group_id: str, rules: dict[str, dict[str, Any]]) -> None:
    """moto changes IPv4 rules only, insists on ports, keeps old descriptions and allows duplicates."""
    group = _group(self, group_id)
    changes = []
    for ident, new in rules.items():
        old = group.get_rule(ident)
        if old is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(ident)
        changes.append((old, _replacement(self, group, old, new)))
    everyone = [*group.ingress_rules, *group.egress_rules]
    for old, new_rule in changes:
        if any(r is not old and r.is_egress == old.is_egress and r == new_rule for r in everyone):
            raise InvalidPermissionDuplicateError()
    kept = ("ip_protocol", "from_port", "to_port", "ip_range", "source_group", "prefix_list_id", "prefix_list_description")
    for old, new_rule in changes:
        for attribute in kept:
            setattr(old, attribute, getattr(new_rule, attribute))


def _update_descriptions(self: Any, way: str) -> EmptyResult:
    """moto passes over rules that are not there, and over prefix lists and rule ids."""
    group = _group(self.ec2_backend, self._get_param("GroupId") or self._get_param("GroupName"))
    changes = []
    for asked in self._get_param("SecurityGroupRuleDescriptions", []):
        rule = group.get_rule(asked["SecurityGroupRuleId"])
        if rule is None:
            raise InvalidSecurityGroupRuleIdNotFoundError(asked["SecurityGroupRuleId"])
        changes.append((rule, asked.get("Description")))
    if not changes:
        for asked in self._process_rules_from_querystring():
            for rule in _asked_rules(self.ec2_backend, group, asked, way):
                present = _rules(group, way)
                if rule not in present:
                    raise InvalidPermissionNotFoundError()
                changes.append((present[present.index(rule)], rule.description))
    for rule, text in changes:
        _set_description(rule, text)
    return EmptyResult()


@corrects(SecurityGroups)
def update_security_group_rule_descriptions_ingress(self: Any) -> EmptyResult:
    return _update_descriptions(self, "ingress")


@corrects(SecurityGroups)
def update_security_group_rule_descriptions_egress(self: Any) -> EmptyResult:
    return _update_descriptions(self, "egress")


# ---- groups -----------------------------------------------------------------------------------------------------


@corrects(SecurityGroupBackend)
def create_security_group(self: Any, *args: Any, **kwargs: Any) -> SecurityGroup:
    """moto's default group lets nothing in; AWS's lets in its own members."""
    group: SecurityGroup = create_security_group.moto(self, *args, **kwargs)
    if group.is_default:
        members = {"GroupId": group.id, "UserId": self.account_id, "OwnerId": self.account_id}
        rule = SecurityGroupRule(self, "-1", group.id, None, None, None, members, is_egress=False)
        group.ingress_rules.append(rule)
    return group


@corrects(SecurityGroups)
def describe_security_groups(self: Any) -> ActionResult:
    """moto names a missing group as a Python set."""
    for ident in self._get_param("GroupIds", []):
        if self.ec2_backend.get_security_group_from_id(ident) is None:
            raise InvalidSecurityGroupNotFoundError(ident)
    result: ActionResult = describe_security_groups.moto(self)
    return result


@corrects(SecurityGroups)
def delete_security_group(self: Any) -> Any:
    """moto deletes groups that others refer to or that interfaces use, and the default one."""
    wanted = self._get_param("GroupId") or self._get_param("GroupName")
    group = _group(self.ec2_backend, wanted)
    if group.is_default or group.name == "default":
        raise refuse("CannotDelete", f'the specified group: "{group.id}" name: "default" cannot be deleted by a user')
    others = [g for groups in self.ec2_backend.groups.values() for g in groups.values() if g is not group]
    for other in others:
        if any(r.source_group.get("GroupId") == group.id for r in [*other.ingress_rules, *other.egress_rules]):
            raise dependency(group.id)
    if any(group in eni._group_set for eni in self.ec2_backend.enis.values()):
        raise dependency(group.id)
    self.ec2_backend._delete_security_group(group.vpc_id, group.id)
    return ActionResult({"Return": True, "GroupId": group.id})
