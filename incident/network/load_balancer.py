"""Load balancers of the second generation: their groups and subnets, their listeners, and the rules of each listener.

A rule is known by its priority, of which a listener has one each; its ARN is a handle, new each time that the rule is made again.
A balancer that was deleted took its listeners and their rules along; all come back, under new ARNs. Its own value holds what
makes it again, groups and subnets among it, although each of those is a setting of its own as well.
Classic load balancers share the event source and some operations' names; their records name no ARN, and are not understood.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from incident.family import Acts, Call, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, absent_before, always_there, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, identifiers, items, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Unknown, Value, Write

ELB = Service("elbv2", "elasticloadbalancing")
BALANCER = "load-balancer"
ATTRIBUTE = "load-balancer-attribute"
OPTION = "load-balancer-option"
LISTENER = "listener"
RULE = "listener-rule"

_GROUPS, _SUBNETS = "SecurityGroups", "Subnets"
_SECURE = ("HTTPS", "TLS")
_PROTECTED = "deletion_protection.enabled"
_BALANCER_LOSES = "the ARN and the DNS name: it comes back under new ones, without its tags, and names that point to it must follow"
_LISTENER_LOSES = "the ARN: it comes back under a new one"
_RULE_LOSES = "the rule's ARN and tags: it comes back under a new ARN, untagged"


# --- values -------------------------------------------------------------------------------------------------------------------


def _balancer(told: JsonObject) -> dict[str, Any]:
    """A balancer as the parameters that make it again; its network follows from its subnets."""
    plain = {name: text(told.get(name)) for name in ("LoadBalancerName", "Type", "Scheme", "VpcId", "IpAddressType")}
    return {**present(plain), _GROUPS: sorted(identifiers(told.get(_GROUPS))), _SUBNETS: _subnets(told)}


def _subnets(told: JsonObject) -> list[str]:
    return sorted(identifiers(told.get("AvailabilityZones"), "SubnetId"))


def _listener(told: JsonObject) -> dict[str, Any]:
    """A listener as the parameters that make it again."""
    secure = text(told.get("Protocol")) in _SECURE
    return present(
        {
            "LoadBalancerArn": text(told.get("LoadBalancerArn")),
            "Protocol": text(told.get("Protocol")),
            "Port": whole(told.get("Port")),
            "DefaultActions": _actions(told.get("DefaultActions")),
            "SslPolicy": text(told.get("SslPolicy")) if secure else "",
            "Certificates": [{"CertificateArn": name} for name in identifiers(told.get("Certificates"), "CertificateArn")],
            # A record's list of one name for all looks like a plural.
            "AlpnPolicy": identifiers(told.get("AlpnPolicy") or told.get("AlpnPolicies")),
        }
    )


def _rule(told: JsonObject) -> dict[str, Any]:
    return {
        "Conditions": [dict(condition) for condition in structures(told.get("Conditions"))],
        "Actions": _actions(told.get("Actions")),
    }


def _actions(told: Any) -> list[dict[str, Any]]:
    """Actions in one form, for AWS answers with more than it was asked for: an order, and the one target group twice."""
    actions = [_action(action) for action in structures(told)]
    return [{**action, "Order": number} for number, action in enumerate(actions, start=1)] if len(actions) > 1 else actions


def _action(told: JsonObject) -> dict[str, Any]:
    kept = {name: value for name, value in told.items() if name not in ("Order", "TargetGroupArn", "ForwardConfig")}
    if text(told.get("Type")) != "forward":
        return kept
    forward = mapping(told.get("ForwardConfig"))
    sticky = mapping(forward.get("TargetGroupStickinessConfig"))
    targets = structures(forward.get("TargetGroups")) or [{"TargetGroupArn": told.get("TargetGroupArn")}]
    if len(targets) == 1 and not flag(sticky.get("Enabled")):
        return {**kept, "TargetGroupArn": text(targets[0].get("TargetGroupArn"))}
    shares = [{"TargetGroupArn": text(one.get("TargetGroupArn")), "Weight": whole(one.get("Weight")) or 0} for one in targets]
    config: dict[str, Any] = {"TargetGroups": shares}
    if flag(sticky.get("Enabled")):
        config["TargetGroupStickinessConfig"] = dict(sticky)
    return {**kept, "ForwardConfig": config}


def _listener_of(rule_arn: str) -> str:
    """The listener's ARN, which its rules' ARNs contain."""
    return rule_arn.replace(":listener-rule/", ":listener/").rpartition("/")[0]


def _handles(rule: JsonObject) -> dict[str, str]:
    return {"RuleArn": text(rule.get("RuleArn"))}


def _priority(rule: JsonObject) -> str:
    return f"priority {text(rule.get('Priority'))}"


# --- records ------------------------------------------------------------------------------------------------------------------


def _create_balancer(event: Event) -> Iterator[Write]:
    made = structures(event.response.get("LoadBalancers"))
    if not made:
        raise ValueError("a classic load balancer")
    for balancer in made:
        key = event.key(BALANCER, text(balancer.get("LoadBalancerArn")))
        yield Write(key, _balancer(balancer), before=None)
        yield from absent_before(event, _implied(key, _balancer(balancer)))


def _implied(key: SettingKey, value: Value) -> Iterator[tuple[SettingKey, Value]]:
    """The settings that a balancer has from its first moment."""
    for name in (_GROUPS, _SUBNETS):
        yield key._replace(kind=ATTRIBUTE, name=name), items(value.get(name))


def _delete_balancer(event: Event) -> Iterator[Write]:
    arn = event.requested("LoadBalancerArn")
    listeners = event.known.keys_naming(LISTENER, arn)
    yield from event.deleted(BALANCER, arn, ATTRIBUTE, OPTION)
    for listener in listeners:
        yield from event.deleted(LISTENER, listener.resource, RULE)


def _set_groups(event: Event) -> Iterator[Write]:
    yield from _set(event, _GROUPS, sorted(identifiers(event.request.get("SecurityGroups"))))


def _set_subnets(event: Event) -> Iterator[Write]:
    chosen = identifiers(event.request.get("Subnets")) or identifiers(event.request.get("SubnetMappings"), "SubnetId")
    yield from _set(event, _SUBNETS, sorted(chosen))


def _set(event: Event, name: str, value: list[str]) -> Iterator[Write]:
    """An attribute, and the balancer that would be made again with it."""
    key = event.key(BALANCER, event.requested("LoadBalancerArn"))
    yield Write(key._replace(kind=ATTRIBUTE, name=name), value)
    known = event.value(key)
    if known is not None and not isinstance(known, Unknown):
        yield Write(key, {**known, name: value})


def _set_options(event: Event) -> Iterator[Write]:
    balancer = event.key(BALANCER, event.requested("LoadBalancerArn"))
    for name, value in options(event.request):
        yield Write(balancer._replace(kind=OPTION, name=name), value)


def options(told: JsonObject) -> Iterator[tuple[str, str]]:
    """The attributes of a balancer or a target group, which have a key and a value each."""
    for one in structures(told.get("Attributes")):
        yield text(one.get("Key")), text(one.get("Value"))


def _create_listener(event: Event) -> Iterator[Write]:
    for listener in structures(event.response.get("Listeners")):
        yield from event.created(LISTENER, text(listener.get("ListenerArn")), _listener(listener), event.request)


def _modify_listener(event: Event) -> Iterator[Write]:
    for listener in structures(event.response.get("Listeners")):
        yield Write(event.key(LISTENER, text(listener.get("ListenerArn"))), _listener(listener))


def _delete_listener(event: Event) -> Iterator[Write]:
    yield from event.deleted(LISTENER, event.requested("ListenerArn"), RULE)


def _create_rule(event: Event) -> Iterator[Write]:
    for rule in structures(event.response.get("Rules")):
        yield Write(_rule_key(event, rule), _rule(rule), before=None, handles=_handles(rule))


def _modify_rule(event: Event) -> Iterator[Write]:
    for rule in structures(event.response.get("Rules")):
        yield Write(_rule_key(event, rule), _rule(rule), handles=_handles(rule))


def _set_priorities(event: Event) -> Iterator[Write]:
    """Rules that change places: all leave theirs before any takes its new one."""
    rules = structures(event.response.get("Rules"))
    now = [_rule_key(event, rule) for rule in rules]
    for rule, key in zip(rules, now, strict=True):
        old = event.known.alias(text(rule.get("RuleArn")))
        if old is not None and old != key and old not in now:
            yield Write(old, None, before=_rule(rule))
    for rule, key in zip(rules, now, strict=True):
        yield Write(key, _rule(rule), handles=_handles(rule))


def _delete_rule(event: Event) -> Iterator[Write]:
    arn = event.requested("RuleArn")
    yield Write(event.known.alias(arn) or event.key(RULE, _listener_of(arn), arn), None)


def _rule_key(event: Event, rule: JsonObject) -> SettingKey:
    return event.key(RULE, _listener_of(text(rule.get("RuleArn"))), _priority(rule))


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_balancers(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for balancer in structures(answer.get("LoadBalancers")):
        arn, settled = text(balancer.get("LoadBalancerArn")), text(mapping(balancer.get("State")).get("Code")) != "provisioning"
        value = _balancer(balancer)
        yield seen(scope, BALANCER, arn, value, settled=settled)
        for name in (_GROUPS, _SUBNETS):
            yield seen(scope, ATTRIBUTE, arn, value[name], name, settled=settled)


def _observe_options(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name, value in options(answer):
        yield seen(scope, OPTION, read.parameters.get("LoadBalancerArn"), value, name)


def _observe_listeners(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for listener in structures(answer.get("Listeners")):
        yield seen(scope, LISTENER, listener.get("ListenerArn"), _listener(listener))


def _observe_rules(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for rule in structures(answer.get("Rules")):
        # The last rule is the listener's default actions.
        if not flag(rule.get("IsDefault")):
            listener = _listener_of(text(rule.get("RuleArn")))
            yield seen(scope, RULE, listener, _rule(rule), _priority(rule), _handles(rule))


def _read_balancer(key: SettingKey) -> Read:
    return ELB.read("DescribeLoadBalancers", LoadBalancerArns=[key.resource])


def _read_options(key: SettingKey) -> Read:
    return ELB.read("DescribeLoadBalancerAttributes", LoadBalancerArn=key.resource)


def _details(key: SettingKey) -> Iterable[Read]:
    return (ELB.read("DescribeListeners", LoadBalancerArn=key.resource), _read_options(key))


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_balancer(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        # A protected one refuses to go, and whether it is protected is a setting of its own.
        unprotected = _change_option(key._replace(kind=OPTION, name=_PROTECTED), live, "false")
        return (*unprotected, *ELB.call("DeleteLoadBalancer", {"LoadBalancerArn": key.resource}, loses=_BALANCER_LOSES))
    if live is None:
        made = {"Name": wanted.get("LoadBalancerName")}
        made |= {name: value for name, value in wanted.items() if name not in ("LoadBalancerName", "VpcId") and value}
        return ELB.call("CreateLoadBalancer", made, creates="LoadBalancers[0].LoadBalancerArn", loses=_BALANCER_LOSES)
    differing = {name for name in {*live.value, *wanted} if live.value.get(name) != wanted.get(name)}
    return () if differing <= {_GROUPS, _SUBNETS} else immutable(key.resource)


def _change_option(key: SettingKey, live: Observed | None, wanted: Value) -> tuple[Call, ...]:
    asked = [{"Key": key.name, "Value": wanted}]
    return ELB.call("ModifyLoadBalancerAttributes", {"LoadBalancerArn": key.resource, "Attributes": asked})


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    operation = "SetSecurityGroups" if key.name == _GROUPS else "SetSubnets"
    return ELB.call(operation, {"LoadBalancerArn": key.resource, key.name: items(wanted)})


def _change_listener(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return ELB.call("DeleteListener", {"ListenerArn": key.resource}, loses=_LISTENER_LOSES)
    if live is None:
        return ELB.call("CreateListener", wanted, creates="Listeners[0].ListenerArn", loses=_LISTENER_LOSES)
    kept = {name: value for name, value in wanted.items() if name != "LoadBalancerArn"}
    return ELB.call("ModifyListener", {"ListenerArn": key.resource, **kept})


def _change_rule(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    word, _, number = key.name.partition(" ")
    if word != "priority" or not number.isdigit():
        return Unrestorable(f"nothing tells what rule {key.name} said", f"Look at the rules of {key.resource} and decide by hand.")
    rule = {"RuleArn": live.handles.get("RuleArn", "")} if live else {}
    if wanted is None:
        return ELB.call("DeleteRule", rule, loses=_RULE_LOSES)
    if live is None:
        return ELB.call("CreateRule", {"ListenerArn": key.resource, "Priority": int(number), **wanted}, loses=_RULE_LOSES)
    return ELB.call("ModifyRule", {**rule, **wanted})


LOAD_BALANCERS = family(
    Kind(BALANCER, 60, _read_balancer, _change_balancer, implies=_implied, details=_details),
    Kind(ATTRIBUTE, 10, _read_balancer, _change_attribute, part_of=BALANCER),
    Kind(
        OPTION,
        10,
        _read_options,
        lambda key, live, wanted: always_there(key.name) if wanted is None else _change_option(key, live, wanted),
        part_of=BALANCER,
    ),
    Kind(
        LISTENER,
        14,
        lambda key: ELB.read("DescribeListeners", ListenerArns=[key.resource]),
        _change_listener,
        details=lambda key: (ELB.read("DescribeRules", ListenerArn=key.resource),),
        opens=lambda key, value: True,
    ),
    Kind(RULE, 12, lambda key: ELB.read("DescribeRules", ListenerArn=key.resource), _change_rule, part_of=LISTENER),
    service=ELB.source,
    readers={
        "CreateLoadBalancer": _create_balancer,
        "DeleteLoadBalancer": _delete_balancer,
        "ModifyLoadBalancerAttributes": _set_options,
        "SetSecurityGroups": _set_groups,
        "SetSubnets": _set_subnets,
        "CreateListener": _create_listener,
        "ModifyListener": _modify_listener,
        "DeleteListener": _delete_listener,
        "CreateRule": _create_rule,
        "ModifyRule": _modify_rule,
        "DeleteRule": _delete_rule,
        "SetRulePriorities": _set_priorities,
    },
    observers={
        "DescribeLoadBalancers": _observe_balancers,
        "DescribeLoadBalancerAttributes": _observe_options,
        "DescribeListeners": _observe_listeners,
        "DescribeRules": _observe_rules,
    },
    inventory=(ELB.read("DescribeLoadBalancers"),),
    absent_codes=("LoadBalancerNotFound", "ListenerNotFound", "RuleNotFound"),
    acts={
        BALANCER: Acts(
            sets=("elasticloadbalancing:CreateLoadBalancer",),
            removes=(
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
            ),
        ),
        ATTRIBUTE: Acts(
            sets=(
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            )
        ),
        LISTENER: Acts(
            sets=(
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:ModifyListener",
            ),
            removes=("elasticloadbalancing:DeleteListener",),
        ),
        RULE: Acts(
            sets=(
                "elasticloadbalancing:CreateRule",
                "elasticloadbalancing:ModifyRule",
            ),
            removes=("elasticloadbalancing:DeleteRule",),
        ),
        OPTION: Acts(sets=("elasticloadbalancing:ModifyLoadBalancerAttributes",)),
    },
)
