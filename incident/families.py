"""Every family that Countermand knows, by the records it understands and the settings it owns."""

from __future__ import annotations

from incident.family import Family
from incident.network import registry as network
from incident.resources import bucket, compute, credentials, evidence, federation, function_part, identity, managed_policy, stack
from incident.resources.account_public_access import ACCOUNT_PUBLIC_ACCESS
from incident.resources.auto_scaling import AUTO_SCALING_GROUPS
from incident.resources.block_device import BLOCK_DEVICES
from incident.resources.brought_along import IMPORT_TASKS
from incident.resources.event_rule import EVENT_RULES
from incident.resources.group import GROUPS
from incident.resources.instance_profile import ASSOCIATIONS, INSTANCE_PROFILES
from incident.resources.launch_template import LAUNCH_TEMPLATES
from incident.resources.preparing import recording, warning, watching
from incident.resources.quarantine import QUARANTINE_RULES
from incident.resources.role import ROLES
from incident.resources.spot import SPOT

PREPARING: tuple[Family, ...] = (*watching.FAMILIES, *recording.FAMILIES, *warning.FAMILIES)
"""What only a plan of `countermand prepare` changes."""

FAMILIES: tuple[Family, ...] = (
    *network.FAMILIES,
    *compute.FAMILIES,
    *identity.FAMILIES,
    *federation.FAMILIES,
    *credentials.FAMILIES,
    ROLES,
    *managed_policy.FAMILIES,
    GROUPS,
    INSTANCE_PROFILES,
    ASSOCIATIONS,
    LAUNCH_TEMPLATES,
    AUTO_SCALING_GROUPS,
    BLOCK_DEVICES,
    QUARANTINE_RULES,
    *evidence.FAMILIES,
    *stack.FAMILIES,
    SPOT,
    IMPORT_TASKS,
    *function_part.FAMILIES,
    EVENT_RULES,
    *bucket.FAMILIES,
    ACCOUNT_PUBLIC_ACCESS,
    *PREPARING,
)

_BY_EVENT = {event: family for family in FAMILIES for event in family.events}
_BY_KIND = {kind: family for family in FAMILIES for kind in family.kinds}

EXISTENCE_KINDS = frozenset(kind for family in FAMILIES for kind in family.kinds if kind not in family.part_of)
"""The kinds that are not part of another kind's resource."""


def family_for_event(operation: str) -> Family | None:
    """The family that understands a record's `service:EventName`, or none."""
    return _BY_EVENT.get(operation)


def family_for_kind(kind: str) -> Family:
    """The family that owns a kind of setting.

    Raises:
        KeyError: no family owns it.
    """
    return _BY_KIND[kind]
