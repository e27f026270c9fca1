"""Delivering a finding to the doors."""

from __future__ import annotations

import json
from typing import Any

import httpx
from findings import envelope, finding

from incident.findings.finding import incident_id, parse_finding

KEY = {"X-Countermand-Key": "current-key"}
DOOR = "/webhooks/guardduty"
INCIDENT = incident_id(parse_finding(finding()))


def deliver(doors: httpx.Client, content: Any = None, headers: dict[str, Any] | None = None) -> httpx.Response:
    """Post a body, or the finding in its EventBridge envelope, with the current key unless others are given."""
    body = content if isinstance(content, bytes) else json.dumps(envelope(finding()) if content is None else content).encode()
    return doors.post(DOOR, content=body, headers=KEY if headers is None else headers)
