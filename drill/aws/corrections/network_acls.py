"""Network ACLs: ICMP kept, protocols as numbers, the closing deny, and AWS's own errors."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.network_acls import NetworkAcl, NetworkAclBackend
from moto.ec2.responses.network_acls import NetworkACLs

from drill.aws.corrections.base import canonical_cidr, corrects, refuse

_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}
_CLOSING_RULE = 32767


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(NetworkACLs)
def _get_param(self: Any, name: str, if_none: Any = None) -> Any:
    """moto asks for `Icmp`, which the request calls `IcmpTypeCode`."""
    if name.startswith("Icmp."):
        name = name.replace("Icmp.", "IcmpTypeCode.")
    return super(NetworkACLs, self)._get_param(name, if_none)


def _entry(acl: NetworkAcl, number: int, egress: bool) -> Any:
    return next((e for e in acl.network_acl_entries if e.egress == egress and e.rule_number == number), None)


@corrects(NetworkAclBackend)
def create_network_acl_entry(self: Any, **entry: Any) -> Any:
    """moto keeps protocol names and CIDRs as given."""
    protocol = str(entry["protocol"]).lower()
    entry["protocol"] = _NUMBERS.get(protocol, protocol)
    for key in ("cidr_block", "ipv6_cidr_block"):
        if entry.get(key):
            entry[key] = canonical_cidr(entry[key])
    if entry["protocol"] in ("6", "17") and entry.get("port_range_from") is None:
        raise refuse("MissingParameter", "The request must contain the parameter portRange")
    return create_network_acl_entry.moto(self, **entry)


@corrects(NetworkAclBackend)
def delete_network_acl_entry(self: Any, network_acl_id: str, rule_number: int, egress: bool) -> Any:
    """moto fails inside where an entry is missing, and deletes the closing rule."""
    acl = self.get_network_acl(network_acl_id)
    if _entry(acl, rule_number, egress) is None:
        message = f"The network acl entry identified by {rule_number} does not exist."
        raise refuse("InvalidNetworkAclEntry.NotFound", message)
    if rule_number == _CLOSING_RULE:
        raise refuse("InvalidParameterValue", f"Value ({rule_number}) for parameter ruleNumber is invalid.")
    return delete_network_acl_entry.moto(self, network_acl_id, rule_number, egress)


@corrects(NetworkAclBackend)
def replace_network_acl_entry(self: Any, **entry: Any) -> Any:
    """moto has lost the old entry where the new one is refused."""
    acl = self.get_network_acl(entry["network_acl_id"])
    before = list(acl.network_acl_entries)
    self.delete_network_acl_entry(entry["network_acl_id"], entry["rule_number"], entry["egress"])
    try:
        return self.create_network_acl_entry(**entry)
    except Exception:
        acl.network_acl_entries = before
        raise


@corrects(NetworkAclBackend)
def create_network_acl(self: Any, vpc_id: str, tags: Any = None, default: bool = False) -> NetworkAcl:
    """moto's own ACLs are empty; AWS closes both directions with a deny."""
    acl: NetworkAcl = create_network_acl.moto(self, vpc_id, tags, default)
    for egress in (True, False):
        if _entry(acl, _CLOSING_RULE, egress) is None:
            self.create_network_acl_entry(
                network_acl_id=acl.id,
                rule_number=_CLOSING_RULE,
                protocol="-1",
                rule_action="deny",
                egress=egress,
                cidr_block="0.0.0.0/0",
                icmp_code=None,
                icmp_type=None,
                port_range_from=None,
                port_range_to=None,
                ipv6_cidr_block=None,
            )
    return acl


@corrects(NetworkAclBackend)
def replace_network_acl_association(self: Any, association_id: str, network_acl_id: str) -> Any:
    """moto fails inside where the association is missing, and loses it where the ACL is."""
    if not any(association_id in acl._associations for acl in self.network_acls.values()):
        message = f"The association ID '{association_id}' does not exist"
        raise refuse("InvalidAssociationID.NotFound", message)
    self.get_network_acl(network_acl_id)
    return replace_network_acl_association.moto(self, association_id, network_acl_id)


@corrects(NetworkACLs)
def describe_network_acls(self: Any) -> ActionResult:
    """moto calls a missing ACL a missing route table."""
    for ident in self._get_param("NetworkAclIds", []):
        self.ec2_backend.get_network_acl(ident)
    result: ActionResult = describe_network_acls.moto(self)
    return result


@corrects(NetworkACLs)
def delete_network_acl(self: Any) -> Any:
    """moto deletes a network's default ACL."""
    acl = self.ec2_backend.get_network_acl(self._get_param("NetworkAclId"))
    if acl.default:
        raise refuse("InvalidParameterValue", f"cannot delete default network ACL {acl.id}")
    return delete_network_acl.moto(self)
