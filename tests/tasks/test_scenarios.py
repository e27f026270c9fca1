"""Every scenario of the library, answered by the core and the executor, judged by a look that shares no code with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from direct import apply_all, attacked
from permissions import missing

import drill
from drill.aws.range import Range
from drill.scenario import load
from drill.stage import range_config
from gateway.practice.configuration import granted_to

pytestmark = pytest.mark.served

LIBRARY = sorted((Path(drill.__file__).parent / "scenarios").glob("*.yaml"))
QUICK = ("open-ssh-to-world", "foreign-network", "torn-down")


def _parameter(path: Path) -> object:
    """A few are enough for the inner loop."""
    return pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.slow])


@pytest.mark.parametrize("path", [_parameter(path) for path in LIBRARY if len(load(path).accounts) == 1])
def test_the_network_is_what_it_was_and_nothing_is_left(path, tmp_path):
    scenario = load(path)
    with Range(range_config(scenario, snapshot_seconds=0, granted=granted_to(scenario.account_ids))) as aws:
        world = attacked(aws, scenario, tmp_path)
        outcomes = apply_all(world.executor(), world.plans)
        assert [outcome for outcome in outcomes if not outcome.good] == []
        assert missing(world.plans) == []
        judged = world.judged()
        assert judged.differences == []
        assert judged.leftovers == []
        assert [item for plan in world.plans for item in plan.unplanned] == []
        assert world.at_another_look() == ([], []), "what was put back under new ids is as it must be"
