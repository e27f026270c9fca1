"""Stored baselines as the inventory looks at them."""

from __future__ import annotations

from datetime import datetime

from incident.exposures.inventory import Sight
from incident.exposures.visible import Visible
from incident.family import Scope
from tasks.baseline import Baseline, Baselines


def sight_of(baseline: Baseline) -> Sight:
    """A stored baseline as a sight."""
    settings = {key: prior.value for key, prior in baseline.settings if prior.value is not None}
    seen = Visible(baseline.scope, settings.items(), baseline.covered)
    return Sight(baseline.at, seen, settings, baseline.covered, baseline.failed, baseline.passed_over)


def sight_at(baselines: Baselines, place: Scope, moment: datetime) -> Sight | None:
    """A place as the newest sweep until a moment saw it; `None` where none is stored."""
    found = baselines.at(place, moment)
    return sight_of(found) if found else None
