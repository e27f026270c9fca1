"""The range as seen from outside: its control doors, and boto3 clients for whoever acts."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from drill.aws.config import KeyPair

_TIMEOUT = 120
_making = threading.Lock()


@cache
def _session() -> boto3.session.Session:
    """One session for all clients: each session reads the service models anew, and making clients is not thread-safe."""
    return boto3.session.Session()


class RangeError(RuntimeError):
    """The range refused a control request; the message is the range's own."""


@dataclass(frozen=True)
class RangeClient:
    """A range at a URL, in this process or another."""

    url: str

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body, default=str).encode() if body is not None else None
        request = urllib.request.Request(  # noqa: S310  the range's own address
            f"{self.url}/range/{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as e:
            raise RangeError(f"{method} /range/{path}: {json.load(e).get('error', e.reason)}") from e

    def health(self) -> dict[str, Any]:
        """Time, accounts, enabled regions, and how many records and calls there are."""
        health: dict[str, Any] = self._ask("GET", "health")
        return health

    def advance(self, seconds: float) -> None:
        """Move the range's clock."""
        self._ask("POST", "clock", {"advance_seconds": seconds})

    def settings(self, **values: float) -> None:
        """Change `delivery_lag`, `snapshot_seconds`, `snapshot_failures` (how many of the next end as error) or `call_delay`, or
        switch `config_recorder`, `trail_files` or `watch_traffic` on (1) or off (0).
        """
        self._ask("POST", "settings", dict(values))

    def calls(self, since: int = 0, refused: bool = False) -> list[dict[str, Any]]:
        """The changing calls that took effect, from number `since` + 1; with `refused` also those that did not."""
        calls: list[dict[str, Any]] = self._ask("GET", f"calls?since={since}&refused={int(refused)}")
        return calls

    def records(self) -> list[dict[str, Any]]:
        """Every CloudTrail record, oldest first, delivered or not."""
        records: list[dict[str, Any]] = self._ask("GET", "records")
        return records

    def keep_records(self, records: Sequence[dict[str, Any]]) -> None:
        """Put records that are ready into the trail, as if their calls had been made."""
        self._ask("POST", "records", {"records": list(records)})

    def traffic(self) -> list[dict[str, Any]]:
        """The calls that were served since `watch_traffic` was switched on, reads included, in the order of their answers."""
        traffic: list[dict[str, Any]] = self._ask("GET", "traffic")
        return traffic

    def deliver_trail_files(self) -> dict[str, Any]:
        """Deliver to S3 what is due: the bucket, and the keys of the files just written."""
        delivered: dict[str, Any] = self._ask("POST", "trail-files", {})
        return delivered

    def add_finding(self, finding: dict[str, Any]) -> None:
        """Put a finding (in the shape of GetFindings) into GuardDuty."""
        self._ask("POST", "finding", finding)

    def session(self, kind: str, **asked: Any) -> tuple[KeyPair, datetime | None]:
        """A session that AWS hands out by itself, with its records; `drill.aws.sessions` has the kinds."""
        given = self._ask("POST", "session", {"kind": kind, **asked})
        expires = datetime.fromisoformat(given["expires"]) if given["expires"] else None
        return KeyPair(given["access_key"], given["secret"], given["token"]), expires

    def fault(self, **rule: Any) -> None:
        """Add a fault, a throttle (`rate`) or stale reads (`stale_reads`); `clear=True` ends all but the throttles."""
        self._ask("POST", "fault", rule)

    def reset(self) -> None:
        """Forget everything."""
        self._ask("POST", "reset", {})

    def dump(self) -> dict[str, Any]:
        """Everything that exists in every account and enabled region."""
        dump: dict[str, Any] = self._ask("GET", "dump")
        return dump


def boto_client(
    url: str,
    service: str,
    region: str,
    keys: KeyPair,
    source_ip: str = "",
    user_agent: str = "",
    attempts: int = 1,
    invoked_by: str = "",
) -> Any:
    """A boto3 client of the range, whose calls come from `source_ip`, or from a service that acts for the holder of the keys."""
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        parameter_validation=True,
    )
    with _making:
        client = _session().client(service, endpoint_url=url, region_name=region, config=config, **keys.for_boto3())
    # botocore adds a word of its own to whatever user agent it is given.
    told = {"X-Range-Source-IP": source_ip, "X-Range-User-Agent": user_agent, "X-Range-Invoked-By": invoked_by}
    headers = {name: value for name, value in told.items() if value}
    if headers:

        def add_source(params: dict[str, Any], **kwargs: Any) -> None:
            params["headers"].update(headers)

        client.meta.events.register("before-call", add_source)
    client.meta.events.register("before-sign.s3-control", _at_one_name)
    return client


def _at_one_name(request: Any, **kwargs: Any) -> None:
    """The range has one name, before which S3's control plane would put the account."""
    request.url = re.sub(r"://\d{12}\.", "://", request.url, count=1)
