"""Route 53's records of a zone."""

from __future__ import annotations

from typing import Any

from moto.route53.models import Route53Backend

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(Route53Backend)
def change_resource_record_sets(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    """A record that was deleted can be created again, whatever other names the zone has."""
    zone = self.get_hosted_zone(zoneid)
    standing = {_identity(one.name, one.type, one.set_identifier) for one in zone.rrsets}
    for change in change_list:
        told = change["ResourceRecordSet"]
        wanted = _identity(told["Name"], told["Type"], told.get("SetIdentifier"))
        # moto looks for it in its journal, and then for any record at or after the name.
        if change["Action"] == "CREATE" and wanted not in standing:
            while change in zone.rr_changes:
                zone.rr_changes.remove(change)
    change_resource_record_sets.moto(self, zoneid, change_list)  # type: ignore[attr-defined]


def _identity(name: str, kind: str, set_identifier: str | None) -> tuple[str, str, str]:
    return name.lower().rstrip("."), kind, set_identifier or ""
