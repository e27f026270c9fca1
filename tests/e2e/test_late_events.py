"""What CloudTrail shows only after containment becomes an addition with an approval of its own, and what the run shows."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playing import played

from drill import scenario as scenarios
from gateway.practice.exercise import Exercise
from incident.ledger import Kind
from incident.reports.redaction import redacted
from incident.reports.report import report
from incident.reports.report_json import report_json
from tasks import render

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "late-arrivals.yaml"
_ID = re.compile(r"(?:vpc|subnet|sg|sgr|igw|rtb|acl|eni|dopt|aclassoc|rtbassoc)-[0-9a-f]{8,17}|arn:aws\S+|A[KS]IA[A-Z0-9]{12,}")
PARTS = ("summary", "plans", "regions", "regions-read", "timeline", "links")
_PATIENCE_SECONDS = 60
_NAMES = {"UserName", "RoleName", "GroupName", "Description"}


class Watched(Exercise):
    """An exercise that leaves behind what was up during it."""

    seen = SimpleNamespace()

    def _show(self, verdict: dict[str, Any], parts: Any) -> None:
        api, entered = f"{parts.stack.prefect_url}/api/artifacts", {"auth": parts.stack.prefect_auth, "timeout": 30}
        lines = parts.hands.ledger.lines(verdict["incident"])
        self.seen.run = next(line for line in lines if line.kind == Kind.RUN).body["flow_run"]
        self.seen.incident, self.seen.lines, self.seen.estate = verdict["incident"], lines, parts.aws.dump()
        self.seen.keys = [key for keys in parts.stage.happened.keys.values() for key in keys]
        self.seen.made, deadline = [], time.monotonic() + _PATIENCE_SECONDS
        for part in PARTS:
            asked = {"artifacts": {"key": {"any_": [f"{verdict['incident']}-{part}"]}}, "limit": 200}
            self.seen.made += httpx.post(f"{api}/filter", json=asked, **entered).raise_for_status().json()
        # The report stands in the ledger a moment before the run shows that it ended.
        while not hasattr(self.seen, "latest") or "restored" not in self.seen.latest["summary"].splitlines()[0]:
            assert time.monotonic() < deadline, self.seen.latest
            keys = [f"{verdict['incident']}-{part}" for part in PARTS]
            asked = {"artifacts": {"key": {"any_": keys}}, "limit": 200}
            newest = httpx.post(f"{api}/latest/filter", json=asked, **entered).raise_for_status().json()
            self.seen.latest = {one["key"].removeprefix(f"{verdict['incident']}-"): one["data"] for one in newest}
            threading.Event().wait(0.2)
        super()._show(verdict, parts)


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    verdict, told = played(SCENARIO, tmp_path_factory.mktemp("late"), Watched)
    return verdict, told, Watched.seen


@pytest.mark.slow
def test_what_arrives_late_is_asked_about_and_undone_too(answered):
    verdict, told, _ = answered
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert told.count("Waiting for people") == 3
    assert "1 change by the actor" in told
    assert "3 changes by the actor" in told


@pytest.mark.slow
def test_the_run_showed_each_part_as_it_went_under_keys_that_stay(answered):
    _, _, seen = answered
    assert {one["flow_run_id"] for one in seen.made} == {seen.run}
    versions = Counter(one["key"].removeprefix(f"{seen.incident}-") for one in seen.made)
    assert set(versions) == set(PARTS)
    assert versions["summary"] > 5, "made anew as the response went"
    assert f"/incidents/{seen.incident}/report" in seen.latest["links"]
    assert seen.latest["regions-read"] == 100


@pytest.mark.slow
def test_nothing_of_the_estate_is_left_in_the_redacted_report(answered):
    _, _, seen = answered
    written = report(redacted(seen.lines))
    left = render.html(written) + render.text(written) + report_json(written)
    known = set(_strings(seen.estate))
    ids = {hit for text in known for hit in _ID.findall(text)} | set(seen.keys) | set(seen.estate)
    assert len(ids) > 20, "the estate has something to be hidden"
    assert sorted(one for one in ids if one in left) == []
    names = {value for name, value in _named(seen.estate) if name in _NAMES and len(value) > 2 and value != "default"}
    assert {"mallory", "owner", "web"} <= names
    words = [one for one in names if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", _without_our_words(left))]
    assert sorted(words) == []


def _without_our_words(text: str) -> str:
    """The report's own words hold “owner” in a heading and in what it asks."""
    return re.sub(r"<th>owner</th>|the owner of|owner: nobody|[Oo]wner's|\"owner\":|owner_addresses|team's owner", "", text)


def _strings(value: Any):
    if isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    else:
        yield str(value)


def _named(value: Any):
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, str):
                yield key, one
            yield from _named(one)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one)
