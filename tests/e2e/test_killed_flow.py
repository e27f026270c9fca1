"""The flow's process killed between steps of the demo's plans: the end is the same, and so are the calls."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from killed_flow import STRIDE
from killing_worker import KillingWorker
from playing import played

from gateway.practice.exercise import DEMO
from gateway.practice.stack import Stack


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_again_and_again_nothing_is_lost_or_done_twice(tmp_path):
    workers: list[KillingWorker] = []

    def start(stack: Stack) -> None:
        workers.append(KillingWorker(stack))
        workers[-1].start()

    verdict, _ = played(DEMO, tmp_path, start_worker=start)
    workers[0].stop()
    steps = verdict["steps"]
    assert workers[0].kills == len(steps) // STRIDE
    assert {step["outcome"] for step in steps} == {"done"}
    assert len(verdict["calls"]) >= len(steps)
    assert max(Counter(json.dumps(call, sort_keys=True) for call in verdict["calls"]).values()) == 1
    assert max(Counter(step["id"] for step in steps).values()) == 1
    assert verdict["restored"]
    assert verdict["leftovers"] == []
    assert verdict["claimed"]["complete"]
