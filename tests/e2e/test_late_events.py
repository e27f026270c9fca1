"""What CloudTrail shows only after containment becomes an addition with an approval of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from playing import played

from drill import scenario as scenarios

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "late-arrivals.yaml"


@pytest.mark.nightly
@pytest.mark.slow
def test_what_arrives_late_is_asked_about_and_undone_too(tmp_path):
    verdict, told = played(SCENARIO, tmp_path)
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert told.count("Waiting for people") == 3
    assert "1 change by the actor" in told
    assert "3 changes by the actor" in told
