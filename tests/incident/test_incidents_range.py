"""The promise, at scale: after the revert every setting is what it was, with the colleague's work on it.

`COUNTERMAND_INCIDENTS` sets the number of incidents; `make nightly` asks for 5,000. Each part draws its own and they run side by
side.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from range_changes import make, prefix_entry
from range_incidents import ATTACKER, ESTATES, INCIDENTS, Change, Incident

from drill.aws import Range, RangeConfig

EXAMPLES = int(os.environ.get("COUNTERMAND_INCIDENTS", "200"))
PARTS = 4
LEAST_OPERATIONS = 25


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
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_after_the_revert_everything_is_as_before_with_the_colleagues_work_on_it(aws: Range, part: int):
    operations: set[str] = set()

    @settings(
        max_examples=EXAMPLES // PARTS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )
    @example([], [(ATTACKER, (prefix_entry, True, "10.6.0.0/16", "another"))])
    @example([(make, "nat", 1)], [(ATTACKER, (make, "nat", 1))])
    @seed(part)
    @given(ESTATES, INCIDENTS)
    def incident(estate: list[Change], steps: list[tuple[str, Change]]) -> None:
        operations.update(restores(aws, estate, steps))

    incident()
    assert EXAMPLES < 200 or len(operations) >= LEAST_OPERATIONS, sorted(operations)
