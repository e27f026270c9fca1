"""Network firewalls: the firewall with its policy, subnets and protections, its logging, its policies and their rule groups.

A firewall is one setting, for its parts depend on each other: a protected policy cannot be swapped before the protection is off.
Policies and rule groups are whole documents behind an optimistic lock, whose token is read just before the call. The ARN of each
is made of its name, so that what is made again has its old ARN. An update's record has the document, its answer only describes it.
https://docs.aws.amazon.com/network-firewall/latest/APIReference/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from incident.family import Acts, Call, Change, Lookup, Read, Scope
from incident.network.kinds import Event, Kind, Observer, Reader, always_there, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, identifiers, items, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

NFW = Service("network-firewall", "network-firewall")
FIREWALL = "firewall"
LOGGING = "firewall-logging"
POLICY = "firewall-policy"
RULE_GROUP = "firewall-rule-group"

_PASSES = "aws:pass"
_ENDPOINTS_LOST = "the ids of its endpoints: routes to the old ones must be pointed to the new ones by hand"
_DOCUMENT_LOST = "its id and its tags; the ARN is the same again"
_LOG_PERMISSIONS = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:UpdateLogDelivery",
)


# --- values -------------------------------------------------------------------------------------------------------------------

_DEFAULTS = {
    "IPAddressType": "IPV4",
    "KeyId": "AWS_OWNED_KMS_KEY",
    "RuleOrder": "DEFAULT_ACTION_ORDER",
    "StreamExceptionPolicy": "DROP",
    "Type": "AWS_OWNED_KMS_KEY",
}
"""What AWS answers where nothing was asked; left out, so that a request and the answer after it are the same."""

_NAMED_BY_PEOPLE = frozenset({"RuleVariables", "IPSets", "PortSets", "IPSetReferences", "LogDestination"})
"""Maps, whose keys are names that somebody gave: neither a record nor this program changes their first letter."""


def _document(told: Any, *, named: bool = False) -> Any:
    """A record's or an answer's value under boto3's member names, without what says nothing."""
    if isinstance(told, list):
        return [_document(one) for one in cast(list[Any], told)]
    if not isinstance(told, Mapping):
        return told
    found: dict[str, Any] = {}
    for key, inner in cast(JsonObject, told).items():
        name = key if named else key[:1].upper() + key[1:]
        value = _document(inner, named=name in _NAMED_BY_PEOPLE)
        if value not in (None, "", [], {}) and _DEFAULTS.get(name) != value:
            found[name] = value
    return found


def _references(document: JsonObject) -> dict[str, Any]:
    """A policy with its rule groups in one order, for their priority says which comes first."""
    lists = ("StatelessRuleGroupReferences", "StatefulRuleGroupReferences")
    ordered = {name: sorted(document[name], key=lambda one: text(one.get("ResourceArn"))) for name in lists if name in document}
    return {**document, **ordered}


_MADE_WITH = ("FirewallName", "VpcId", "TransitGatewayId", "AvailabilityZoneMappings", "EncryptionConfiguration")
_CHANGED = ("FirewallPolicyArn", "Description", "EnabledAnalysisTypes")
_PROTECTIONS = ("DeleteProtection", "SubnetChangeProtection", "FirewallPolicyChangeProtection")


def _firewall(told: JsonObject) -> dict[str, Any]:
    """A firewall as the parameters that make it again."""
    named = _document(told)
    return {
        **present({name: named.get(name) for name in (*_MADE_WITH, *_CHANGED)}),
        "SubnetMappings": _mappings(named.get("SubnetMappings")),
        **{name: flag(named.get(name)) for name in _PROTECTIONS},
    }


def _mappings(told: Any) -> list[JsonObject]:
    return sorted((mapping(_document(one)) for one in structures(told)), key=lambda one: text(one.get("SubnetId")))


def _logging(told: Any) -> list[JsonObject]:
    """Where the logs of a firewall go, each type of log once."""
    named = mapping(_document(told))
    return sorted(structures(named.get("LogDestinationConfigs")), key=lambda one: text(one.get("LogType")))


def _policy(described: JsonObject, document: Any) -> dict[str, Any]:
    told = mapping(_document(described))
    kept = ("FirewallPolicyName", "Description", "EncryptionConfiguration")
    return {**present({name: told.get(name) for name in kept}), "FirewallPolicy": _references(mapping(_document(document)))}


def _rule_group(described: JsonObject, document: Any) -> dict[str, Any]:
    told = mapping(_document(described))
    kept = ("RuleGroupName", "Type", "Description", "EncryptionConfiguration")
    return {
        **present({name: told.get(name) for name in kept}),
        "Capacity": whole(told.get("Capacity")),
        "RuleGroup": _document(document),
    }


@dataclass(frozen=True)
class Document:
    """A resource that is one document: a policy or a rule group.

    Attributes:
        noun: as in `Create<noun>`, and the member that holds the document.
        value: a description and the document to the parameters that make it again.
        fixed: parameters that only a creation takes.
    """

    kind: str
    noun: str
    rank: int
    value: Callable[[JsonObject, Any], dict[str, Any]]
    listed: str
    opens: Callable[[SettingKey, Value], bool]
    fixed: tuple[str, ...] = ()

    @property
    def arn(self) -> str:
        return f"{self.noun}Arn"

    @property
    def description(self) -> str:
        return f"{self.noun}Response"

    # --- records

    def _told(self, event: Event) -> tuple[str, JsonObject]:
        """The ARN and what describes the document. The answer is read as it is, for its member looks like EC2's wrapping."""
        described = mapping(mapping(_document(event.record.response)).get(self.description))
        return text(described.get(self.arn)) or event.requested(self.arn), {**event.request, **described}

    def _asked(self, event: Event) -> Any:
        """The document of a request; rules in Suricata's language may come as they are, and are then shown inside one."""
        request = event.record.request
        noun = self.noun[:1].lower() + self.noun[1:]
        rules = text(request.get("rules"))
        return {"RulesSource": {"RulesString": rules}} if rules else request.get(noun)

    def read_created(self, event: Event) -> Iterator[Write]:
        if not flag(event.request.get("DryRun")):
            arn, described = self._told(event)
            yield Write(event.key(self.kind, arn), self.value(described, self._asked(event)), before=None)

    def read_updated(self, event: Event) -> Iterator[Write]:
        if not flag(event.request.get("DryRun")):
            arn, described = self._told(event)
            asked = self._asked(event)
            yield Write(event.key(self.kind, arn), self.value(described, asked) if asked else UNKNOWN)

    def read_deleted(self, event: Event) -> Iterator[Write]:
        arn, _ = self._told(event)
        yield Write(event.key(self.kind, arn), None)

    def readers(self) -> dict[str, Reader]:
        return {
            f"Create{self.noun}": self.read_created,
            f"Update{self.noun}": self.read_updated,
            f"Delete{self.noun}": self.read_deleted,
        }

    # --- reads

    def read(self, key: SettingKey) -> Read:
        return NFW.read(f"Describe{self.noun}", **{self.arn: key.resource})

    def _observe_list(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        """The list has names only; each listed one is read on its own, and then is what that read shows."""
        for one in structures(answer.get(self.listed)):
            yield seen(scope, self.kind, one.get("Arn"), {f"{self.noun}Name": text(one.get("Name"))})

    def _observe(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        described = mapping(_document(answer.get(self.description)))
        state = text(described.get(f"{self.noun}Status"))
        value = None if state == "DELETING" else self.value(described, answer.get(self.noun))
        yield seen(scope, self.kind, described.get(self.arn), value, settled=state not in ("DELETING", "UPDATING"))

    def observers(self) -> dict[str, Observer]:
        return {f"List{self.listed}": self._observe_list, f"Describe{self.noun}": self._observe}

    # --- changes

    def change(self, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        if wanted is None:
            return NFW.call(f"Delete{self.noun}", {self.arn: key.resource}, loses=_DOCUMENT_LOST)
        if live is None:
            created = f"{self.description}.{self.arn}"
            return NFW.call(f"Create{self.noun}", wanted, creates=created, loses=_DOCUMENT_LOST)
        if any(live.value.get(name) != wanted.get(name) for name in self.fixed):
            return immutable(key.resource)
        kept = {name: value for name, value in wanted.items() if name not in (*self.fixed, f"{self.noun}Name")}
        token = Lookup(self.read(key), "UpdateToken")
        return NFW.call(f"Update{self.noun}", {self.arn: key.resource, **kept}, lookups={"UpdateToken": token})

    def as_kind(self) -> Kind:
        return Kind(self.kind, self.rank, self.read, self.change, opens=self.opens, details=lambda key: (self.read(key),))


def _policy_lets_through(key: SettingKey, value: Value) -> bool:
    document = mapping(mapping(value).get("FirewallPolicy"))
    lists = ("StatelessDefaultActions", "StatelessFragmentDefaultActions")
    return any(_PASSES in identifiers(document.get(name)) for name in lists)


def _rules_let_through(key: SettingKey, value: Value) -> bool:
    source = mapping(mapping(mapping(value).get("RuleGroup")).get("RulesSource"))
    stateless = structures(mapping(source.get("StatelessRulesAndCustomActions")).get("StatelessRules"))
    actions = [action for rule in stateless for action in identifiers(mapping(rule.get("RuleDefinition")).get("Actions"))]
    stateful = identifiers(source.get("StatefulRules"), "Action")
    written = text(source.get("RulesString")).splitlines()
    return _PASSES in actions or "PASS" in stateful or any(line.strip().startswith("pass ") for line in written)


_POLICIES = Document(POLICY, "FirewallPolicy", 22, _policy, "FirewallPolicies", _policy_lets_through)
_RULE_GROUPS = Document(RULE_GROUP, "RuleGroup", 24, _rule_group, "RuleGroups", _rules_let_through, ("Type", "Capacity"))


# --- records of firewalls -----------------------------------------------------------------------------------------------------


def _firewall_key(event: Event) -> SettingKey:
    described = mapping(event.response.get("Firewall"))
    arn = text(described.get("FirewallArn")) or event.answered("FirewallArn") or event.requested("FirewallArn")
    return event.key(FIREWALL, arn)


def _create_firewall(event: Event) -> Iterator[Write]:
    described = mapping(mapping(event.record.response).get("firewall"))
    key = _firewall_key(event)
    yield Write(key, _firewall({**event.record.request, **described}), before=None)
    yield Write(key._replace(kind=LOGGING), [], before=None)


def _delete_firewall(event: Event) -> Iterator[Write]:
    key = _firewall_key(event)
    yield Write(key, None)
    yield Write(key._replace(kind=LOGGING), None)


def _set(name: str, told: Callable[[Event], Value]) -> Reader:
    """A reader of a call that changes one part of a firewall and answers with that part."""

    def read(event: Event) -> Iterator[Write]:
        key = _firewall_key(event)
        known = event.value(key)
        changed = present({name: told(event)}) if name in ("Description", "EnabledAnalysisTypes") else {name: told(event)}
        kept = {} if known is None or isinstance(known, Unknown) else {one: known[one] for one in known if one != name}
        yield Write(key, {**kept, **changed} if kept else UNKNOWN)

    return read


def _answered_mappings(event: Event) -> list[JsonObject]:
    return _mappings(event.record.response.get("subnetMappings"))


def _set_logging(event: Event) -> Iterator[Write]:
    key = _firewall_key(event)
    yield Write(key._replace(kind=LOGGING), _logging(event.record.request.get("loggingConfiguration")))


# --- reads of firewalls -------------------------------------------------------------------------------------------------------


def _observe_listed_firewalls(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for one in structures(answer.get("Firewalls")):
        yield seen(scope, FIREWALL, one.get("FirewallArn"), {"FirewallName": text(one.get("FirewallName"))})


def _observe_firewall(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    firewall = mapping(_document(answer.get("Firewall")))
    state = text(mapping(answer.get("FirewallStatus")).get("Status"))
    value = None if state == "DELETING" else _firewall(firewall)
    yield seen(scope, FIREWALL, firewall.get("FirewallArn"), value, settled=state not in ("PROVISIONING", "DELETING"))


def _observe_logging(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield seen(scope, LOGGING, answer.get("FirewallArn"), _logging(answer.get("LoggingConfiguration")))


def _read_firewall(key: SettingKey) -> Read:
    return NFW.read("DescribeFirewall", FirewallArn=key.resource)


def _read_logging(key: SettingKey) -> Read:
    return NFW.read("DescribeLoggingConfiguration", FirewallArn=key.resource)


# --- changes of firewalls -----------------------------------------------------------------------------------------------------


def _change_firewall(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None:
        return NFW.call("CreateFirewall", wanted, creates="Firewall.FirewallArn", loses=_ENDPOINTS_LOST)
    now, ask = mapping(live.value), partial(_ask, key)
    if wanted is None:
        unprotected = ask("UpdateFirewallDeleteProtection", DeleteProtection=False) if now.get("DeleteProtection") else ()
        return (*unprotected, *ask("DeleteFirewall", loses=_ENDPOINTS_LOST))
    if any(now.get(name) != wanted.get(name) for name in _MADE_WITH):
        return immutable(key.resource)
    return tuple(_changes(now, wanted, ask))


def _ask(key: SettingKey, operation: str, *, loses: str = "", **parameters: Any) -> tuple[Call]:
    return NFW.call(operation, {"FirewallArn": key.resource, **parameters}, loses=loses)


_UNPROTECT = {
    "SubnetMappings": ("UpdateSubnetChangeProtection", "SubnetChangeProtection"),
    "FirewallPolicyArn": ("UpdateFirewallPolicyChangeProtection", "FirewallPolicyChangeProtection"),
}
_PROTECT = {
    "SubnetChangeProtection": "UpdateSubnetChangeProtection",
    "FirewallPolicyChangeProtection": "UpdateFirewallPolicyChangeProtection",
    "DeleteProtection": "UpdateFirewallDeleteProtection",
}


def _changes(now: JsonObject, wanted: JsonObject, ask: Callable[..., tuple[Call]]) -> Iterator[Call]:
    """The calls for what differs: protections in the way go first, and every protection is as wanted in the end."""
    standing = {name: flag(now.get(name)) for name in _PROTECT}
    for what, (operation, protection) in _UNPROTECT.items():
        if now.get(what) != wanted.get(what) and standing[protection]:
            yield from ask(operation, **{protection: False})
            standing[protection] = False
    if now.get("FirewallPolicyArn") != wanted.get("FirewallPolicyArn"):
        yield from ask("AssociateFirewallPolicy", FirewallPolicyArn=wanted.get("FirewallPolicyArn"))
    yield from _subnet_changes(structures(now.get("SubnetMappings")), structures(wanted.get("SubnetMappings")), ask)
    if now.get("Description") != wanted.get("Description"):
        yield from ask("UpdateFirewallDescription", **present({"Description": wanted.get("Description")}))
    if now.get("EnabledAnalysisTypes") != wanted.get("EnabledAnalysisTypes"):
        yield from ask("UpdateFirewallAnalysisSettings", EnabledAnalysisTypes=items(wanted.get("EnabledAnalysisTypes")))
    for protection, operation in _PROTECT.items():
        if standing[protection] != flag(wanted.get(protection)):
            yield from ask(operation, **{protection: flag(wanted.get(protection))})


def _subnet_changes(now: list[JsonObject], wanted: list[JsonObject], ask: Callable[..., tuple[Call]]) -> Iterator[Call]:
    """Subnets join before others leave, for a firewall has at least one; one of another address type must leave first."""
    missing = [one for one in wanted if one not in now]
    surplus = [text(one.get("SubnetId")) for one in now if one not in wanted]
    rejoins = {text(one.get("SubnetId")) for one in missing} & set(surplus)
    if rejoins:
        yield from ask("DisassociateSubnets", SubnetIds=sorted(rejoins), loses=_ENDPOINTS_LOST)
    if missing:
        yield from ask("AssociateSubnets", SubnetMappings=missing, loses=_ENDPOINTS_LOST)
    if set(surplus) - rejoins:
        yield from ask("DisassociateSubnets", SubnetIds=sorted(set(surplus) - rejoins))


def _change_logging(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """One destination in each call: AWS takes no more at once."""
    if wanted is None:
        return always_there("the logging of a firewall")
    now = [] if live is None else structures(live.value)
    asked: list[list[JsonObject]] = []
    for config in [one for one in now if not _has_place(one, structures(wanted))]:
        now = [one for one in now if one != config]
        asked.append(now)
    for config in [one for one in structures(wanted) if one not in now]:
        now = [*(one for one in now if not _has_place(one, [config])), config]
        asked.append(now)
    return tuple(call for configs in asked for call in _log(key, configs))


def _has_place(config: JsonObject, others: Iterable[JsonObject]) -> bool:
    """Whether one of the others is a destination of the same types, so that it is changed in place."""
    types = ("LogType", "LogDestinationType")
    return any(all(one.get(name) == config.get(name) for name in types) for one in others)


def _log(key: SettingKey, configs: list[JsonObject]) -> tuple[Call]:
    configuration = {"LogDestinationConfigs": configs}
    return NFW.call(
        "UpdateLoggingConfiguration",
        {"FirewallArn": key.resource, "LoggingConfiguration": configuration},
        permissions=_LOG_PERMISSIONS,
    )


FIREWALLS = family(
    Kind(FIREWALL, 20, _read_firewall, _change_firewall, details=lambda key: (_read_firewall(key), _read_logging(key))),
    Kind(LOGGING, 10, _read_logging, _change_logging, part_of=FIREWALL),
    _POLICIES.as_kind(),
    _RULE_GROUPS.as_kind(),
    service=NFW.source,
    readers={
        "CreateFirewall": _create_firewall,
        "DeleteFirewall": _delete_firewall,
        "AssociateFirewallPolicy": _set("FirewallPolicyArn", lambda event: event.requested("FirewallPolicyArn")),
        "AssociateSubnets": _set("SubnetMappings", _answered_mappings),
        "DisassociateSubnets": _set("SubnetMappings", _answered_mappings),
        "UpdateFirewallDescription": _set("Description", lambda event: event.requested("Description")),
        "UpdateFirewallAnalysisSettings": _set(
            "EnabledAnalysisTypes", lambda event: identifiers(event.record.request.get("enabledAnalysisTypes"))
        ),
        **{operation: _set(name, lambda event, name=name: flag(event.request.get(name))) for name, operation in _PROTECT.items()},
        "UpdateLoggingConfiguration": _set_logging,
        **_POLICIES.readers(),
        **_RULE_GROUPS.readers(),
    },
    observers={
        "ListFirewalls": _observe_listed_firewalls,
        "DescribeFirewall": _observe_firewall,
        "DescribeLoggingConfiguration": _observe_logging,
        **_POLICIES.observers(),
        **_RULE_GROUPS.observers(),
    },
    inventory=(NFW.read("ListFirewalls"), NFW.read("ListFirewallPolicies"), NFW.read("ListRuleGroups", Scope="ACCOUNT")),
    absent_codes=("ResourceNotFoundException",),
    acts={
        FIREWALL: Acts(
            sets=(
                "network-firewall:AssociateFirewallPolicy",
                "network-firewall:AssociateSubnets",
                "network-firewall:CreateFirewall",
                "network-firewall:DisassociateSubnets",
                "network-firewall:UpdateFirewallAnalysisSettings",
                "network-firewall:UpdateFirewallDeleteProtection",
                "network-firewall:UpdateFirewallDescription",
                "network-firewall:UpdateFirewallPolicyChangeProtection",
                "network-firewall:UpdateSubnetChangeProtection",
            ),
            removes=("network-firewall:DeleteFirewall", "network-firewall:UpdateFirewallDeleteProtection"),
        ),
        LOGGING: Acts(
            sets=(
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:UpdateLogDelivery",
                "network-firewall:UpdateLoggingConfiguration",
            )
        ),
        POLICY: Acts(
            sets=(
                "network-firewall:CreateFirewallPolicy",
                "network-firewall:UpdateFirewallPolicy",
            ),
            removes=("network-firewall:DeleteFirewallPolicy",),
        ),
        RULE_GROUP: Acts(
            sets=(
                "network-firewall:CreateRuleGroup",
                "network-firewall:UpdateRuleGroup",
            ),
            removes=("network-firewall:DeleteRuleGroup",),
        ),
    },
)
