"""An exercise that leaves behind what was up during it: what its run showed in Prefect, its ledger, its estate."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import httpx

from gateway.practice.exercise import Exercise
from incident.ledger import Kind

PARTS = ("summary", "plans", "regions", "regions-read", "timeline", "links")
_PATIENCE_SECONDS = 60


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
