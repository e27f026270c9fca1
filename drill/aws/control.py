"""The range's own doors under /range/, for whoever runs the exercise."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from drill.aws import corrections
from drill.aws.app import Application
from drill.aws.clock import iso
from drill.aws.faults import Fault, Throttle
from drill.aws.staleness import Stale
from drill.aws.wire import Answer, Environ

Json = Any
Door = Callable[[dict[str, Any], dict[str, str]], Json]
_SETTINGS = (
    "delivery_lag", "snapshot_seconds", "snapshot_failures", "config_recorder", "trail_files", "call_delay", "watch_traffic",
)  # fmt: skip
# What the trail files a record by, and what LookupEvents chooses by.
_NEEDED = ("eventID", "eventName", "eventSource", "eventTime", "awsRegion", "recipientAccountId", "userIdentity", "readOnly")


class Control:
    """Health, clock, calls, traffic, records, trail files, findings, sessions, faults, dump and reset."""

    def __init__(self, app: Application, reset: Callable[[], None], dump: Callable[[], Json]) -> None:
        self._app = app
        self._reset = reset
        self._dump = dump
        self._doors: dict[tuple[str, str], Door] = {
            ("GET", "health"): self._health,
            ("POST", "clock"): self._clock,
            ("POST", "settings"): self._settings,
            ("GET", "calls"): self._calls,
            ("GET", "traffic"): lambda body, query: self._app.traffic.seen(),
            ("GET", "records"): self._records,
            ("POST", "records"): self._keep_records,
            ("POST", "trail-files"): self._trail_files,
            ("POST", "costs"): self._costs,
            ("POST", "finding"): self._finding,
            ("POST", "session"): self._session,
            ("POST", "fault"): self._fault,
            ("GET", "dump"): lambda body, query: self._dump(),
            ("POST", "reset"): self._on_reset,
        }

    def __call__(self, environ: Environ, body: bytes) -> Answer:
        name = environ["PATH_INFO"].removeprefix("/range/").strip("/")
        door = self._doors.get((environ["REQUEST_METHOD"], name))
        if door is None:
            known = ", ".join(f"{method} /range/{path}" for method, path in sorted(self._doors))
            return _json(404, {"error": f"no such door; there are {known}"})
        query = {k: v[-1] for k, v in parse_qs(environ.get("QUERY_STRING", "")).items()}
        try:
            return _json(200, door(_object(body), query))
        except (ValueError, TypeError) as e:
            return _json(400, {"error": str(e)})

    def _health(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        config = self._app.config
        return {
            "status": "ok",
            "time": iso(self._app.clock.now()),
            "accounts": list(config.accounts),
            "regions": sorted(config.enabled),
            "records": len(self._app.trail.records()),
            "calls": len(self._app.performed),
        }

    def _clock(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        seconds = float(body.get("advance_seconds", 0))
        return {"time": iso(self._app.clock.advance(seconds)), "offset_seconds": self._app.clock.offset}

    def _settings(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        for key in body:
            if key not in _SETTINGS:
                raise ValueError(f"unknown setting {key!r}; use one of {', '.join(_SETTINGS)}")
        if "delivery_lag" in body:
            self._app.trail.delivery_lag = float(body["delivery_lag"])
        if "snapshot_seconds" in body:
            corrections.apply(self._app.clock, float(body["snapshot_seconds"]))
        if "snapshot_failures" in body:
            corrections.fail_snapshots(int(body["snapshot_failures"]))
        if "config_recorder" in body:
            self._app.recorder.switch(bool(body["config_recorder"]))
        if "trail_files" in body:
            self._app.trail_files.switch(bool(body["trail_files"]))
        if "call_delay" in body:
            self._app.traffic.delay = float(body["call_delay"])
        if "watch_traffic" in body:
            self._app.traffic.watch(bool(body["watch_traffic"]))
        return body

    def _calls(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        since = int(query.get("since", 0))
        wanted = self._app.performed[since:]
        if query.get("refused") not in ("1", "true"):
            wanted = [c for c in wanted if c["errorCode"] is None]
        return wanted

    def _records(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        return self._app.trail.records()

    def _keep_records(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        """File records that are ready, as if their calls had been made at the times that they tell."""
        records = body.get("records", [])
        for record in records:
            missing = [key for key in _NEEDED if key not in record]
            if missing:
                raise ValueError(f"record {record.get('eventID', 'without an id')} has no {missing[0]}; give each the whole record")
        for record in records:
            self._app.trail.keep(record, datetime.fromisoformat(record["eventTime"]).timestamp())
        return {"records": len(records)}

    def _trail_files(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        """Deliver what is due."""
        files = self._app.trail_files
        return {**files.state(), "files": files.deliver()}

    def _costs(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        """Say what was spent: `spent` is a list of account, day, service, region and amount; `enabled` switches Cost Explorer."""
        self._app.costs.enabled = bool(body.get("enabled", self._app.costs.enabled))
        for one in body.get("spent", []):
            self._app.costs.spend(**one)
        return {"enabled": self._app.costs.enabled}

    def _finding(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        return self._app.findings.add(body)

    def _session(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        session = self._app.sessions.open(**body)
        expires = None if session.expires_at is None else iso(session.expires_at)
        return {"access_key": session.access_key, "secret": session.secret, "token": session.token, "expires": expires}

    def _fault(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        if body.get("clear"):
            self._app.troubles.clear()
            self._app.staleness.clear()
        elif "stale_reads" in body:
            self._app.staleness.add(Stale.parse(body))
        elif "rate" in body:
            rate = float(body["rate"])
            burst = float(body.get("burst", max(1.0, rate)))
            self._app.troubles.limit(Throttle(body.get("service", "*"), body.get("operation", "*"), rate, burst))
        else:
            self._app.troubles.add(Fault.parse(body))
        return [*self._app.troubles.faults(), *self._app.staleness.rules()]

    def _on_reset(self, body: dict[str, Any], query: dict[str, str]) -> Json:
        self._reset()
        return {"status": "ok"}


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    read = json.loads(body)
    if not isinstance(read, dict):
        raise TypeError("the body is to be a JSON object")
    return read


def _json(status: int, value: Json) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(value, default=str).encode())
