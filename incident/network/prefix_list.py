"""Managed prefix lists, one setting for each entry.

Changing entries needs the list's current version, which is read just before the call. A version that is restored may hold anything:
what its entries are then must be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from incident.family import Acts, Change, Lookup, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, immutable, listing, seen
from incident.network.values import cidr, is_world, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

LIST = "prefix-list"
ENTRY = "prefix-list-entry"

_NO_WAIT = frozenset({"deleted", "delete-complete"})


def _value(told: JsonObject) -> dict[str, Any]:
    return present(
        {
            "PrefixListName": text(told.get("PrefixListName")),
            "AddressFamily": text(told.get("AddressFamily")),
            "MaxEntries": whole(told.get("MaxEntries")),
        }
    )


_LISTS = Resource(
    kind=LIST,
    noun="ManagedPrefixList",
    listed="PrefixLists",
    rank=86,
    value=_value,
    identifier="PrefixListId",
    describe="DescribeManagedPrefixLists",
    made="PrefixList",
    gone=_NO_WAIT | {"delete-in-progress"},
    unsettled=frozenset({"create-in-progress", "modify-in-progress", "restore-in-progress", "delete-in-progress"}),
    parts=(ENTRY,),
    loses="the id: it comes back under a new one, and what names the list must be pointed to it",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _LISTS.describing(event)
    yield from _LISTS.read_created(event)
    for name, value in _entries(event.request.get("Entries")):
        yield Write(event.key(ENTRY, text(described.get("PrefixListId")), name), value, before=None)


def _modify(event: Event) -> Iterator[Write]:
    resource = event.requested("PrefixListId")
    changed = {name: value for name, value in _value(event.request).items() if name in ("PrefixListName", "MaxEntries")}
    if changed:
        key = event.key(LIST, resource)
        known = event.value(key)
        yield Write(key, UNKNOWN if known is None or isinstance(known, Unknown) else {**known, **changed})
    for name, value in _entries(event.request.get("AddEntries")):
        yield Write(event.key(ENTRY, resource, name), value)
    for name, _ in _entries(event.request.get("RemoveEntries")):
        yield Write(event.key(ENTRY, resource, name), None)


def _restore(event: Event) -> Iterator[Write]:
    """An older version's entries are in force; the record does not say which."""
    resource = event.requested("PrefixListId")
    for key in event.known.keys_of(ENTRY, resource) or [event.key(ENTRY, resource, "*")]:
        yield Write(key, UNKNOWN)


def _entries(told: Any) -> Iterator[tuple[str, dict[str, str]]]:
    for entry in structures(told):
        yield cidr(entry.get("Cidr")), {"Description": text(entry.get("Description"))}


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_lists(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for one in structures(answer.get("PrefixLists")):
        # AWS's own lists are nobody's settings.
        if text(one.get("OwnerId")) != "AWS":
            yield from _LISTS.observed(scope, one)


def _observe_entries(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name, value in _entries(answer.get("Entries")):
        yield seen(scope, ENTRY, read.parameters.get("PrefixListId"), value, name)


def _read_entries(key: SettingKey) -> Read:
    return listing("GetManagedPrefixListEntries", PrefixListId=key.resource)


def _details(key: SettingKey) -> Iterable[Read]:
    return [_read_entries(key)]


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_list(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None:
        return _LISTS.change(key, live, wanted)
    if live.value.get("AddressFamily") != wanted.get("AddressFamily"):
        return immutable(key.resource)
    asked = {name: value for name, value in wanted.items() if live.value.get(name) != value}
    return call("ModifyManagedPrefixList", {"PrefixListId": key.resource, **asked})


def _change_entry(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    version = Lookup(listing("DescribeManagedPrefixLists", PrefixListIds=[key.resource]), "PrefixLists[0].Version")
    entry = {"Cidr": key.name}
    chosen = {"RemoveEntries": [entry]} if wanted is None else {"AddEntries": [{**entry, **present(wanted)}]}
    return call("ModifyManagedPrefixList", {"PrefixListId": key.resource, **chosen}, lookups={"CurrentVersion": version})


PREFIX_LISTS = family(
    _LISTS.as_kind(change=_change_list, details=_details),
    Kind(ENTRY, 20, _read_entries, _change_entry, part_of=LIST, opens=lambda key, value: is_world(key.name)),
    readers={
        "CreateManagedPrefixList": _create,
        "ModifyManagedPrefixList": _modify,
        "RestoreManagedPrefixListVersion": _restore,
        "DeleteManagedPrefixList": _LISTS.read_deleted,
    },
    observers={"DescribeManagedPrefixLists": _observe_lists, "GetManagedPrefixListEntries": _observe_entries},
    inventory=("DescribeManagedPrefixLists",),
    absent_codes=("InvalidPrefixListID.NotFound", "InvalidPrefixListId.NotFound"),
    acts={
        LIST: Acts(
            sets=(
                "ec2:CreateManagedPrefixList",
                "ec2:ModifyManagedPrefixList",
            ),
            removes=("ec2:DeleteManagedPrefixList",),
        ),
        ENTRY: Acts(sets=("ec2:ModifyManagedPrefixList",), removes=("ec2:ModifyManagedPrefixList",)),
    },
)
