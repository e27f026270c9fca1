"""The promise, at scale: after the revert every setting is what it was, with the colleague's work on it.

`COUNTERMAND_INCIDENTS` sets the number of incidents; `make nightly` asks for 5,000. Each part draws its own and they run side by
side.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from range_changes import (
    MADE,
    acl_entry,
    authorize,
    describe_rule,
    elastic_ip,
    endpoint,
    interface_attribute,
    internet_gateway,
    make,
    modify_rule,
    prefix_entry,
    revoke,
    route,
    subnet_attribute,
    table_of,
    tag,
    use_acl,
    vpc_attribute,
)
from range_incidents import ATTACKER, COLLEAGUE, ESTATES, INCIDENTS, Change, Incident

from drill.aws import Range, RangeConfig

EXAMPLES = int(os.environ.get("COUNTERMAND_INCIDENTS", "60"))
PARTS = 4
LEAST_OPERATIONS = 25

WORLD = "0.0.0.0/0"
EVERYTHING: list[Change] = [
    (authorize, "ingress", 0, "tcp", (22, 22), WORLD, "a rule"),
    (authorize, "egress", 1, "udp", (1000, 2000), "::/0", ""),
    (describe_rule, "ingress", 0, 0, "another"),
    (describe_rule, "egress", 0, 0, "another"),
    (modify_rule, "ingress", 0, 1, (443, 443), "a rule"),
    (revoke, "ingress", 0, 0, True),
    (revoke, "egress", 0, 0, False),
    (route, "create", 1, "192.0.2.0/24", 0),
    (route, "replace", 0, WORLD, 2),
    (route, "delete", 1, "192.0.2.0/24", 0),
    (acl_entry, "create", 99, False, "6", WORLD, True),
    (acl_entry, "replace", 99, False, "-1", "10.0.0.0/8", False),
    (acl_entry, "delete", 99, False, "6", WORLD, True),
    (use_acl, 0),
    (table_of, "replace", 0, 1),
    (table_of, "associate", 1, 1),
    (table_of, "disassociate", 0, 0),
    (table_of, "main", 0, 0),
    (subnet_attribute, 0, "MapPublicIpOnLaunch", True),
    (vpc_attribute, "EnableDnsSupport", False),
    (interface_attribute, 0, "SourceDestCheck", 0),
    (elastic_ip, True, 0),
    (elastic_ip, False, 0),
    (internet_gateway, False),
    (internet_gateway, True),
    (prefix_entry, True, "10.6.0.0/16", "another"),
    (endpoint, "policy", 0),
    (tag, True, "vpc", "env", "a rule"),
    (tag, False, "vpc", "env", ""),
    *((make, what, 0) for what in MADE),
]
"""An attacker who does all that they can."""


@pytest.fixture(scope="module")
def aws() -> Iterator[Range]:
    with Range(RangeConfig(regions=("us-east-1",))) as running:
        yield running


def restores(aws: Range, estate: list[Change], steps: list[tuple[str, Change]]) -> set[str]:
    """Play an incident, undo it, and compare; the attacker's operations."""
    incident = Incident(aws, estate)
    incident.happens(steps)
    found, proposal = incident.reverted()
    assert found.not_undone == ()
    assert [item for item in proposal.unplanned if item.status != "conflict"] == []
    assert incident.differences(proposal) == {}
    return incident.operations


@pytest.mark.slow
@pytest.mark.parametrize("hand", [None, COLLEAGUE], ids=["alone", "with a colleague between"])
def test_an_attacker_who_does_everything_is_undone(aws: Range, hand: str | None):
    between = [(hand, (tag, True, "subnet", "Name", "a rule")), (hand, (vpc_attribute, "EnableDnsHostnames", True))] if hand else []
    steps = [(ATTACKER, change) for change in EVERYTHING]
    operations = restores(aws, [], [*steps[:20], *between, *steps[20:]])
    assert len(operations) >= LEAST_OPERATIONS, sorted(operations)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_after_the_revert_everything_is_as_before_with_the_colleagues_work_on_it(aws: Range, part: int):
    @settings(
        max_examples=EXAMPLES // PARTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @example([], [(ATTACKER, (prefix_entry, True, "10.6.0.0/16", "another"))])
    @example([(make, "nat", 1)], [(ATTACKER, (make, "nat", 1))])
    @example([], [(ATTACKER, (make, "dhcp", 0)), (COLLEAGUE, (make, "dhcp", 0))])
    @example([], [(COLLEAGUE, (make, "peering", 1)), (ATTACKER, (vpc_attribute, "EnableDnsHostnames", True))])
    @example(
        [],
        [(COLLEAGUE, (authorize, "ingress", 1, "50", (22, 22), WORLD, "a rule")), (ATTACKER, (describe_rule, "ingress", 1, 0, ""))],
    )
    @seed(part)
    @given(ESTATES, INCIDENTS)
    def incident(estate: list[Change], steps: list[tuple[str, Change]]) -> None:
        restores(aws, estate, steps)

    incident()
