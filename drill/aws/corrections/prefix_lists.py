"""Managed prefix lists: versions checked, entries counted, names kept, lists in use stay."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.managed_prefixes import ManagedPrefixList, ManagedPrefixListBackend

from drill.aws.corrections.base import canonical_cidr, corrects, dependency, refuse


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


def _list(backend: Any, ident: str | None) -> ManagedPrefixList:
    found: ManagedPrefixList | None = backend.managed_prefix_lists.get(ident)
    if found is None:
        raise refuse("InvalidPrefixListID.NotFound", f"The prefix list ID '{ident}' does not exist")
    return found


@corrects(ManagedPrefixListBackend)
def modify_managed_prefix_list(
    self: Any,
    add_entry: list[dict[str, str]],
    remove_entry: list[dict[str, str]],
    prefix_list_id: str | None = None,
    current_version: str | None = None,
    prefix_list_name: str | None = None,
) -> ManagedPrefixList:
    """moto forgets the name, ignores the version and the limit, and removes what is not there."""
    found = _list(self, prefix_list_id)
    if found.owner_id != self.account_id:
        raise refuse("UnauthorizedOperation", "You may not modify a prefix list of AWS")
    if prefix_list_name:
        found.prefix_list_name = prefix_list_name
    if add_entry or remove_entry:
        if current_version is None:
            raise refuse("MissingParameter", "The request must contain the parameter CurrentVersion")
        if int(current_version) != found.version:
            raise refuse("PrefixListVersionMismatch", "The prefix list has the incorrect version number")
        found.entries[int(found.version or 0) + 1] = _entries_after(found, add_entry or [], remove_entry or [])
        found.version = int(found.version or 0) + 1
    found.state = "modify-complete"
    return found


def _entries_after(found: ManagedPrefixList, add: list[dict[str, str]], remove: list[dict[str, str]]) -> list[dict[str, str]]:
    entries = {e["Cidr"]: e for e in found.entries.get(found.version) or []}  # type: ignore[arg-type]
    for entry in remove:
        if entries.pop(canonical_cidr(entry["Cidr"]), None) is None:
            raise refuse("InvalidPrefixListModification", f"The prefix list has no entry {entry['Cidr']}")
    for entry in add:
        cidr = canonical_cidr(entry["Cidr"])
        entries[cidr] = {**entry, "Cidr": cidr}
    if found.max_entries and len(entries) > int(found.max_entries):
        raise refuse("PrefixListMaxEntriesExceeded", "You've reached the maximum number of entries for the prefix list")
    return list(entries.values())


@corrects(ManagedPrefixListBackend)
def delete_managed_prefix_list(self: Any, prefix_list_id: str) -> ManagedPrefixList:
    """moto deletes lists in use, and shows deleted ones for a while."""
    found = _list(self, prefix_list_id)
    rules = [r for groups in self.groups.values() for g in groups.values() for r in [*g.ingress_rules, *g.egress_rules]]
    routes = [r for table in self.route_tables.values() for r in table.routes]
    used = any(r.prefix_list_id == prefix_list_id for r in rules)
    if used or any(r.destination_prefix_list_id == prefix_list_id for r in routes):
        raise dependency(prefix_list_id)
    del self.managed_prefix_lists[prefix_list_id]
    found.state = "delete-complete"
    return found


@corrects(ManagedPrefixListBackend)
def get_managed_prefix_list_entries(self: Any, prefix_list_id: str) -> ManagedPrefixList:
    """moto answers for lists that do not exist."""
    return _list(self, prefix_list_id)
