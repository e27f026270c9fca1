"""Interfaces, instances and snapshots: one set of groups, and an end that takes the primary interface along."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.instances import InstanceResponse

from drill.aws.corrections.base import corrects, refuse


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


# ---- groups -----------------------------------------------------------------------------------------------------


def _known_groups(backend: Any, ids: list[str]) -> list[Any]:
    groups = []
    for ident in ids:
        group = backend.get_security_group_from_id(ident)
        if group is None:
            raise InvalidSecurityGroupNotFoundError(ident)
        groups.append(group)
    return groups


def _group_set(self: Any) -> list[Any]:
    """moto shows an interface's own groups together with those of its instance."""
    groups: list[Any] = self._group_set
    return groups


NetworkInterface.group_set = property(_group_set)  # type: ignore[method-assign,assignment]


def _get_groups(self: Any) -> list[Any]:
    """moto keeps an instance's groups apart from its interfaces'; AWS shows those of the primary one."""
    nics = getattr(self, "nics", {})
    return list(nics[0]._group_set) if 0 in nics else getattr(self, "_launch_groups", [])


def _set_groups(self: Any, groups: list[Any]) -> None:
    nics = getattr(self, "nics", {})
    if 0 in nics:
        nics[0]._group_set = list(groups)
    else:
        self._launch_groups = list(groups)


Instance.security_groups = property(_get_groups, _set_groups)  # type: ignore[method-assign,assignment]


@corrects(NetworkInterfaceBackend)
def create_network_interface(
    self: Any,
    subnet: Any,
    private_ip_address: Any,
    private_ip_addresses: Any = None,
    group_ids: list[str] | None = None,
    *args: Any,
    **kwargs: Any,
) -> NetworkInterface:
    """moto invents groups that do not exist; without any, AWS takes the network's default group."""
    found = self.get_subnet(subnet) if isinstance(subnet, str) else subnet
    wanted = list(dict.fromkeys(group_ids or []))
    default = self.get_default_security_group(found.vpc_id)
    if wanted:
        _known_groups(self, wanted)
    elif default is not None:
        wanted = [default.id]
    eni: NetworkInterface = create_network_interface.moto(
        self, subnet, private_ip_address, private_ip_addresses, wanted, *args, **kwargs
    )
    return eni


@corrects(NetworkInterfaceBackend)
def modify_network_interface_attribute(
    self: Any,
    eni_id: str,
    group_ids: list[str],
    source_dest_check: bool | None = None,
    description: str | None = None,
) -> None:
    """moto takes groups that do not exist, and cannot empty a description."""
    eni = self.get_network_interface(eni_id)
    groups = _known_groups(self, group_ids)
    for group in groups:
        if group.vpc_id != eni.subnet.vpc_id:
            message = f"Security group {group.id} and interface {eni_id} belong to different networks."
            raise refuse("InvalidGroup.NotFound", message)
    modify_network_interface_attribute.moto(self, eni_id, group_ids, source_dest_check, description)
    if description is not None:
        eni.description = description


@corrects(NetworkInterfaceBackend)
def assign_ipv6_addresses(self: Any, eni_id: str, *args: Any, **kwargs: Any) -> NetworkInterface:
    """moto fails inside where the subnet has no IPv6 block."""
    if not self.get_network_interface(eni_id).subnet.ipv6_cidr_block_associations:
        raise refuse("InvalidParameterValue", f"The subnet of {eni_id} has no IPv6 CIDR block")
    eni: NetworkInterface = assign_ipv6_addresses.moto(self, eni_id, *args, **kwargs)
    return eni


@corrects(NetworkInterfaceBackend)
def delete_network_interface(self: Any, eni_id: str) -> None:
    """moto deletes attached interfaces."""
    eni = self.get_network_interface(eni_id)
    if eni.attachment_id or eni.status == "in-use":
        raise refuse("InvalidParameterValue", f"Network interface '{eni_id}' is currently in use.")
    delete_network_interface.moto(self, eni_id)


@corrects(InstanceBackend)
def modify_instance_security_groups(self: Any, instance_id: str, new_group_id_list: list[str]) -> Instance:
    """moto takes groups that do not exist; AWS refuses instances with several interfaces."""
    instance: Instance = self.get_instance(instance_id)
    groups = _known_groups(self, new_group_id_list)
    if not groups:
        raise refuse("MissingParameter", "The request must contain at least one security group")
    if len(instance.nics) > 1:
        message = f"There are multiple interfaces attached to instance '{instance_id}'. "
        raise refuse("InvalidInstanceID", message + "Please specify an interface ID for the operation instead.")
    instance.security_groups = groups
    return instance


@corrects(InstanceResponse)
def _block_device_mapping_handler(self: Any) -> bool:
    """moto fails inside where no such device is mapped."""
    mapped = self._get_param("BlockDeviceMappings", [])
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    for entry in mapped:
        if entry.get("DeviceName") not in instance.block_device_mapping:
            message = f"No device is currently mapped at {entry.get('DeviceName')}"
            raise refuse("InvalidInstanceAttributeValue", message)
    done: bool = _block_device_mapping_handler.moto(self)
    return done


# ---- the end of an instance -------------------------------------------------------------------------------------


@corrects(Instance)
def prep_nics(self: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    """moto lets the primary interface outlive its instance."""
    prep_nics.moto(self, nic_spec, *args, **kwargs)
    for index, nic in self.nics.items():
        given = next((s for s in nic_spec if int(s.get("DeviceIndex") or 0) == index), {})
        if "NetworkInterfaceId" not in given and "DeleteOnTermination" not in given:
            nic.delete_on_termination = True


@corrects(NetworkInterface)
def delete(self: Any) -> None:
    """An instance's own interface goes with it, attached or not."""
    self.ec2_backend.enis.pop(self.id, None)


@corrects(Instance)
def terminate(self: Any) -> Any:
    """moto keeps the addresses of an ended instance associated, and its remaining interfaces attached."""
    for address in list(self.ec2_backend.addresses):
        if address.association_id and (address.instance is self or address.eni in self.nics.values()):
            self.ec2_backend.disassociate_address(address=address.public_ip)
    previous = terminate.moto(self)
    for nic in list(self.nics.values()):
        self.detach_eni(nic)
    return previous


def _of_first_interface(name: str, otherwise: str | None) -> property:
    """An attribute of the primary interface; moto fails on an ended instance, which has none."""
    return property(lambda self: getattr(self.nics[0], name) if 0 in self.nics else otherwise)


moto_private_dns_name = Instance.private_dns_name.fget  # type: ignore[attr-defined]
Instance.private_ip = _of_first_interface("private_ip_address", "")  # type: ignore[assignment]
Instance.private_ip_address = _of_first_interface("private_ip_address", None)  # type: ignore[assignment]
Instance.public_ip = _of_first_interface("public_ip", None)  # type: ignore[assignment]
Instance.public_ip_address = _of_first_interface("public_ip", None)  # type: ignore[assignment]
Instance.private_dns_name = property(lambda self: moto_private_dns_name(self) if 0 in self.nics else "")  # type: ignore[assignment]


def _goes_with_instance(self: Any) -> bool:
    """moto does not say whether a volume goes with its instance."""
    mapping = self.instance.block_device_mapping.get(self.device)
    return bool(mapping and mapping.delete_on_termination)


VolumeAttachment.delete_on_termination = property(_goes_with_instance)  # type: ignore[attr-defined]


# ---- snapshots --------------------------------------------------------------------------------------------------


@corrects(ElasticBlockStore)
def describe_snapshots(self: Any) -> ActionResult:
    """moto ignores whose snapshots are asked for."""
    ids = self._get_param("SnapshotIds", [])
    found = self.ec2_backend.describe_snapshots(snapshot_ids=ids, filters=self._filters_from_querystring())
    owners = self._get_param("OwnerIds", [])
    if owners:
        known = {self.current_account if o == "self" else o for o in owners}
        found = [s for s in found if s.owner_id in known or ("amazon" in known and s.from_ami)]
    return ActionResult({"Snapshots": found})


@corrects(ElasticBlockStore)
def create_snapshots(self: Any) -> ActionResult:
    """moto leaves out the state of each snapshot."""
    answer = create_snapshots.moto(self)
    shown = answer.result["Snapshots"]
    return ActionResult({"Snapshots": [_snapshot_info(s) for s in shown]})


def _snapshot_info(snapshot: Any) -> dict[str, Any]:
    return {
        "SnapshotId": snapshot.id,
        "VolumeId": snapshot.volume_id,
        "VolumeSize": snapshot.volume_size,
        "Description": snapshot.description,
        "State": snapshot.status,
        "Progress": snapshot.progress,
        "StartTime": snapshot.start_time,
        "OwnerId": snapshot.owner_id,
        "Encrypted": snapshot.encrypted,
        "Tags": snapshot.tags if hasattr(snapshot, "tags") else snapshot.get_tags(),
    }
