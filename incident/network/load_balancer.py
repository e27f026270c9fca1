"""Load balancers of the second generation: their groups and subnets, their listeners, and the rules of each listener.

A rule is known by its priority, of which a listener has one each; its ARN is a handle, new each time that the rule is made again.
Classic load balancers share the event source and have operations of other names.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, identifiers, items, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

ELB = Service("elbv2", "elasticloadbalancing")
BALANCER = "load-balancer"
ATTRIBUTE = "load-balancer-attribute"
LISTENER = "listener"
RULE = "listener-rule"

_GROUPS, _SUBNETS = "SecurityGroups", "Subnets"
_SECURE = ("HTTPS", "TLS")
_LISTENER_LOSES = "the ARN: it comes back under a new one"
_RULE_LOSES = "the rule's ARN and tags: it comes back under a new ARN, untagged"


# --- values -------------------------------------------------------------------------------------------------------------------


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


def _set_groups(event: Event) -> Iterator[Write]:
    yield Write(_attribute(event, _GROUPS), sorted(identifiers(event.request.get("SecurityGroups"))))


def _set_subnets(event: Event) -> Iterator[Write]:
    chosen = identifiers(event.request.get("Subnets")) or identifiers(event.request.get("SubnetMappings"), "SubnetId")
    yield Write(_attribute(event, _SUBNETS), sorted(chosen))


def _attribute(event: Event, name: str) -> SettingKey:
    return event.key(ATTRIBUTE, event.requested("LoadBalancerArn"), name)


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
        kept = {name: text(balancer.get(name)) for name in ("LoadBalancerName", "Type", "Scheme", "VpcId")}
        yield seen(scope, BALANCER, arn, present(kept), settled=settled)
        yield seen(scope, ATTRIBUTE, arn, sorted(identifiers(balancer.get("SecurityGroups"))), _GROUPS, settled=settled)
        subnets = sorted(identifiers(balancer.get("AvailabilityZones"), "SubnetId"))
        yield seen(scope, ATTRIBUTE, arn, subnets, _SUBNETS, settled=settled)


def _observe_listeners(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for listener in structures(answer.get("Listeners")):
        yield seen(scope, LISTENER, listener.get("ListenerArn"), _listener(listener))


def _observe_rules(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for rule in structures(answer.get("Rules")):
        # The last rule is the listener's default actions.
        if not flag(rule.get("IsDefault")):
            listener = _listener_of(text(rule.get("RuleArn")))
            yield seen(scope, RULE, listener, _rule(rule), _priority(rule), _handles(rule))


def _balancer(key: SettingKey) -> Read:
    return ELB.read("DescribeLoadBalancers", LoadBalancerArns=[key.resource])


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_balancer(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return immutable(key.resource)


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None or live is None:
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
    Kind(
        BALANCER,
        60,
        _balancer,
        _change_balancer,
        details=lambda key: (ELB.read("DescribeListeners", LoadBalancerArn=key.resource),),
    ),
    Kind(ATTRIBUTE, 10, _balancer, _change_attribute, part_of=BALANCER),
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
        "DescribeListeners": _observe_listeners,
        "DescribeRules": _observe_rules,
    },
    inventory=(ELB.read("DescribeLoadBalancers"),),
    absent_codes=("LoadBalancerNotFound", "ListenerNotFound", "RuleNotFound"),
)
