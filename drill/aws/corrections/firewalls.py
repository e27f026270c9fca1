"""Network firewalls: policies and rule groups behind their tokens, protections that protect, and firewalls that change and go."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.networkfirewall.models import NetworkFirewallBackend, NetworkFirewallModel
from moto.networkfirewall.responses import NetworkFirewallResponse

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


def _refuse(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(code, message)


# ---- policies and rule groups -----------------------------------------------------------------------------------

_NOUNS = {"FirewallPolicy": "firewall-policy", "RuleGroup": ""}
_KINDS = {"STATELESS": "stateless-rulegroup", "STATEFUL": "stateful-rulegroup"}
_DESCRIBED = ("Description", "EncryptionConfiguration", "Tags", "Type", "Capacity")


def _store(backend: Any, noun: str) -> dict[str, dict[str, Any]]:
    """The policies or rule groups of a region, which moto has no place for, by ARN."""
    if not hasattr(backend, "documents"):
        backend.documents = {name: {} for name in _NOUNS}
    found: dict[str, dict[str, Any]] = backend.documents[noun]
    return found


def _arn(response: Any, noun: str, name: str) -> str:
    kind = _NOUNS[noun] or _KINDS[response._get_param("Type") or "STATEFUL"]
    return f"arn:aws:network-firewall:{response.region}:{response.current_account}:{kind}/{name}"


def _found(response: Any, noun: str) -> dict[str, Any]:
    arn = response._get_param(f"{noun}Arn") or _arn(response, noun, response._get_param(f"{noun}Name"))
    found = _store(response.networkfirewall_backend, noun).get(arn)
    if found is None:
        raise _refuse("ResourceNotFoundException", f"The resource {arn} was not found")
    return found


def _asked(response: Any, noun: str) -> Any:
    """The document; rules in Suricata's language are shown inside one."""
    rules = response._get_param("Rules") if noun == "RuleGroup" else None
    return {"RulesSource": {"RulesString": rules}} if rules else response._get_param(noun)


def _shown(noun: str, kept: dict[str, Any], *, whole: bool = False) -> ActionResult:
    described = {
        f"{noun}Name": kept["Name"],
        f"{noun}Arn": kept["Arn"],
        f"{noun}Id": kept["Id"],
        f"{noun}Status": "ACTIVE",
        **{name: kept[name] for name in _DESCRIBED if kept.get(name) is not None},
    }
    document = {noun: kept["Document"]} if whole else {}
    return ActionResult({"UpdateToken": kept["Token"], f"{noun}Response": described, **document})


def _in_use(backend: Any, arn: str) -> bool:
    policies = _store(backend, "FirewallPolicy").values()
    lists = ("StatelessRuleGroupReferences", "StatefulRuleGroupReferences")
    referred = [one["ResourceArn"] for kept in policies for name in lists for one in kept["Document"].get(name) or []]
    return arn in referred or any(firewall.firewall_policy_arn == arn for firewall in backend.firewalls.values())


def _create(noun: str) -> Any:
    def create(self: Any) -> ActionResult:
        name = self._get_param(f"{noun}Name")
        arn = _arn(self, noun, name)
        store = _store(self.networkfirewall_backend, noun)
        if arn in store:
            raise _refuse("InvalidRequestException", f"A resource with the specified name already exists: {name}")
        kept = {"Name": name, "Arn": arn, "Id": str(uuid4()), "Token": str(uuid4()), "Document": _asked(self, noun)}
        kept |= {member: self._get_param(member) for member in _DESCRIBED}
        if not self._get_bool_param("DryRun"):
            store[arn] = kept
        return _shown(noun, kept)

    return create


def _describe(noun: str) -> Any:
    def describe(self: Any) -> ActionResult:
        return _shown(noun, _found(self, noun), whole=True)

    return describe


def _update(noun: str) -> Any:
    def update(self: Any) -> ActionResult:
        kept = _found(self, noun)
        if self._get_param("UpdateToken") != kept["Token"]:
            raise _refuse("InvalidTokenException", "Update token is invalid")
        told = {name: self._get_param(name) for name in ("Description", "EncryptionConfiguration")}
        changed = {"Document": _asked(self, noun), "Token": str(uuid4())} | {k: v for k, v in told.items() if v is not None}
        if self._get_bool_param("DryRun"):
            return _shown(noun, kept | changed)
        kept |= changed
        return _shown(noun, kept)

    return update


def _delete(noun: str) -> Any:
    def delete(self: Any) -> ActionResult:
        kept = _found(self, noun)
        if _in_use(self.networkfirewall_backend, kept["Arn"]):
            raise _refuse("InvalidOperationException", f"Unable to delete the object because it is still in use: {kept['Arn']}")
        del _store(self.networkfirewall_backend, noun)[kept["Arn"]]
        answer = _shown(noun, kept)
        return ActionResult({f"{noun}Response": {**answer.result[f"{noun}Response"], f"{noun}Status": "DELETING"}})

    return delete


def _list(noun: str, listed: str) -> Any:
    def shown(self: Any) -> ActionResult:
        kept = _store(self.networkfirewall_backend, noun).values()
        return ActionResult({listed: [{"Name": one["Name"], "Arn": one["Arn"]} for one in kept]})

    return shown


for _noun, _words, _plural, _listed in (
    ("FirewallPolicy", "firewall_policy", "firewall_policies", "FirewallPolicies"),
    ("RuleGroup", "rule_group", "rule_groups", "RuleGroups"),
):
    for _verb, _made in (("create", _create), ("describe", _describe), ("update", _update), ("delete", _delete)):
        setattr(NetworkFirewallResponse, f"{_verb}_{_words}", _made(_noun))
    setattr(NetworkFirewallResponse, f"list_{_plural}", _list(_noun, _listed))


# ---- firewalls --------------------------------------------------------------------------------------------------


def _firewall(response: Any) -> NetworkFirewallModel:
    found: NetworkFirewallModel = response.networkfirewall_backend.describe_firewall(
        response._get_param("FirewallName"), response._get_param("FirewallArn")
    )
    token = response._get_param("UpdateToken")
    if token and token != found.update_token:
        raise _refuse("InvalidTokenException", "Update token is invalid")
    return found


def _answer(firewall: NetworkFirewallModel, **told: Any) -> ActionResult:
    firewall.update_token = str(uuid4())
    names = {"FirewallArn": firewall.arn, "FirewallName": firewall.firewall_name, "UpdateToken": firewall.update_token}
    return ActionResult({**names, **told})


@corrects(NetworkFirewallBackend)
def create_firewall(self: Any, *args: Any, **kwargs: Any) -> NetworkFirewallModel:
    """moto protects what nobody asked it to protect, and makes a second firewall of the same name in place of the first."""
    name = kwargs.get("firewall_name")
    if any(firewall.firewall_name == name for firewall in self.firewalls.values()):
        raise _refuse("InvalidRequestException", f"A resource with the specified name already exists: {name}")
    protections = ("delete_protection", "subnet_change_protection", "firewall_policy_change_protection")
    kwargs |= {protection: bool(kwargs.get(protection)) for protection in protections}
    kwargs["subnet_mappings"] = [{"IPAddressType": "IPV4", **one} for one in kwargs.get("subnet_mappings") or []]
    made: NetworkFirewallModel = create_firewall.moto(self, *args, **kwargs)
    return made


@corrects(NetworkFirewallResponse)
def delete_firewall(self: Any) -> ActionResult:
    firewall = _firewall(self)
    if firewall.delete_protection:
        raise _refuse("InvalidOperationException", "The firewall is protected from deletion")
    del self.networkfirewall_backend.firewalls[firewall.arn]
    shown = {"FirewallName": firewall.firewall_name, "FirewallArn": firewall.arn, "VpcId": firewall.vpc_id}
    return ActionResult({"Firewall": shown, "FirewallStatus": {"Status": "DELETING"}})


@corrects(NetworkFirewallResponse)
def associate_firewall_policy(self: Any) -> ActionResult:
    firewall = _firewall(self)
    if firewall.firewall_policy_change_protection:
        raise _refuse("InvalidOperationException", "The firewall's policy is protected from changes")
    firewall.firewall_policy_arn = self._get_param("FirewallPolicyArn")
    return _answer(firewall, FirewallPolicyArn=firewall.firewall_policy_arn)


def _subnets_to_change(response: Any) -> NetworkFirewallModel:
    firewall = _firewall(response)
    if firewall.subnet_change_protection:
        raise _refuse("InvalidOperationException", "The firewall's subnets are protected from changes")
    return firewall


@corrects(NetworkFirewallResponse)
def associate_subnets(self: Any) -> ActionResult:
    firewall = _subnets_to_change(self)
    asked = [{"IPAddressType": "IPV4", **one} for one in self._get_param("SubnetMappings")]
    taken = {one["SubnetId"] for one in firewall.subnet_mappings}
    if any(one["SubnetId"] in taken for one in asked):
        raise _refuse("InvalidRequestException", "A subnet is associated already")
    firewall.subnet_mappings = [*firewall.subnet_mappings, *asked]
    return _answer(firewall, SubnetMappings=firewall.subnet_mappings)


@corrects(NetworkFirewallResponse)
def disassociate_subnets(self: Any) -> ActionResult:
    firewall = _subnets_to_change(self)
    gone = set(self._get_param("SubnetIds"))
    firewall.subnet_mappings = [one for one in firewall.subnet_mappings if one["SubnetId"] not in gone]
    return _answer(firewall, SubnetMappings=firewall.subnet_mappings)


@corrects(NetworkFirewallResponse)
def update_firewall_delete_protection(self: Any) -> ActionResult:
    firewall = _firewall(self)
    firewall.delete_protection = bool(self._get_bool_param("DeleteProtection"))
    return _answer(firewall, DeleteProtection=firewall.delete_protection)


@corrects(NetworkFirewallResponse)
def update_subnet_change_protection(self: Any) -> ActionResult:
    firewall = _firewall(self)
    firewall.subnet_change_protection = bool(self._get_bool_param("SubnetChangeProtection"))
    return _answer(firewall, SubnetChangeProtection=firewall.subnet_change_protection)


@corrects(NetworkFirewallResponse)
def update_firewall_policy_change_protection(self: Any) -> ActionResult:
    firewall = _firewall(self)
    firewall.firewall_policy_change_protection = bool(self._get_bool_param("FirewallPolicyChangeProtection"))
    return _answer(firewall, FirewallPolicyChangeProtection=firewall.firewall_policy_change_protection)


@corrects(NetworkFirewallResponse)
def update_firewall_description(self: Any) -> ActionResult:
    firewall = _firewall(self)
    firewall.description = self._get_param("Description")
    return _answer(firewall, Description=firewall.description)


@corrects(NetworkFirewallBackend)
def update_logging_configuration(
    self: Any, firewall_arn: str, firewall_name: str, logging_configuration: dict[str, Any] | None
) -> NetworkFirewallModel:
    """moto takes any number of changes at once; AWS takes one destination more, less, or elsewhere."""
    firewall = self._get_firewall(firewall_arn, firewall_name)
    before = (firewall.logging_configs or {}).get("LogDestinationConfigs") or []
    after = (logging_configuration or {}).get("LogDestinationConfigs") or []
    gone, new = [one for one in before if one not in after], [one for one in after if one not in before]
    types = {(one["LogType"], one["LogDestinationType"]) for one in (*gone, *new)}
    if len(gone) > 1 or len(new) > 1 or len(types) > 1:
        raise _refuse("InvalidRequestException", "Only one log destination can be added, removed or changed at a time")
    done: NetworkFirewallModel = update_logging_configuration.moto(
        self, firewall_arn, firewall_name, {"LogDestinationConfigs": after}
    )
    return done
