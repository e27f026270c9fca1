"""What CloudTrail shows only after containment becomes an addition with an approval of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from drill import scenario as scenarios
from gateway.practice.exercise import Exercise

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "late-arrivals.yaml"


@pytest.mark.slow
def test_what_arrives_late_is_asked_about_and_undone_too(tmp_path):
    log, verdict_file = tmp_path / "log", tmp_path / "verdict.json"
    exercise = Exercise(
        SCENARIO,
        interactive=False,
        json_out=verdict_file,
        dump=None,
        console=Console(file=log.open("w"), width=200),
    )
    assert exercise.run() == 0, log.read_text()
    verdict = json.loads(verdict_file.read_text())
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    told = log.read_text()
    assert told.count("Waiting for people") == 3
    assert "1 change by the actor" in told
    assert "3 changes by the actor" in told
