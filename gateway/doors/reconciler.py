"""Lists what GuardDuty has and we have not, in every region of every account: whatever the other doors missed.

How far each place was read stands in the ledger. https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.intake import Ingested
from incident.family import Read, Scope
from incident.findings.finding import FindingError, parse_finding
from incident.ledger import DOORS_CHAIN, Kind
from tasks.aws import Aws, AwsError
from tasks.ledger import Ledger, LedgerUnavailable
from tasks.read_back import MOST_IDS

_SIDE_BY_SIDE = 8
_log = logging.getLogger("countermand.gateway")


class Reconciler:
    """Reads every place behind its watermark, again and again.

    Args:
        every_seconds: how often.
        reach: how far back the first look goes; EventBridge itself tries for 24 hours.
    """

    def __init__(
        self,
        ledger: Ledger,
        aws: Aws,
        take: Callable[[bytes, Mapping[str, Any]], Ingested],
        clock: Callable[[], datetime],
        every_seconds: float = 300.0,
        reach: timedelta = timedelta(hours=24),
    ) -> None:
        self._ledger, self._aws, self._take, self._clock = ledger, aws, take, clock
        self._every, self._reach = every_seconds, reach
        self._marks: dict[Scope, int] = {}
        self._failing: dict[Scope, str] = {}
        self._read_to = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except LedgerUnavailable as error:
                _log.warning("findings are not reconciled: %s", error)
            await asyncio.sleep(self._every)

    def look(self) -> int:
        """Read every place once; how many findings were new.

        Raises:
            LedgerUnavailable: what was read could not be written; the watermarks stay where they are.
        """
        self._catch_up()
        places = self._places()
        with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="reconcile") as pool:
            return sum(pool.map(self._reconciled, places))

    def _places(self) -> list[Scope]:
        places: list[Scope] = []
        try:
            accounts = self._aws.covered()
        except AwsError as error:
            self._failed(Scope("the organization", "every region"), str(error))
            return []
        for account in accounts:
            try:
                places += [Scope(account, region) for region in self._aws.regions(account).enabled]
            except AwsError as error:
                self._failed(Scope(account, "every region"), str(error))
        return places

    def _reconciled(self, place: Scope) -> int:
        """One place; what could not be read stays behind the watermark, and is said in the ledger once."""
        try:
            new, mark = self._read(place)
        except AwsError as error:
            self._failed(place, str(error))
            return 0
        self._failing.pop(place, None)
        if mark > self._marks.get(place, -1):
            body = {"account": place.account, "region": place.region, "updated_at_ms": mark}
            self._ledger.append(DOORS_CHAIN, Kind.NOTE, f"watermark:{place.account}:{place.region}:{mark}", body)
            self._marks[place] = mark
        return new

    def _read(self, place: Scope) -> tuple[int, int]:
        """How many were new, and the newest update that was read (milliseconds since 1970)."""
        since = self._marks.get(place, int((self._clock() - self._reach).timestamp() * 1000))
        new, mark = 0, since
        for page in self._aws.read_all(place, Read("guardduty", "ListDetectors")):
            for detector in page.get("DetectorIds", []):
                for finding in self._findings(place, detector, since):
                    taken = self._take(json.dumps(finding, default=str).encode(), {"door": "reconciler"})
                    new += taken.outcome == "accepted"
                    mark = max(mark, _updated_ms(finding, since))
        # A time that lies ahead must not hide what comes before it.
        return new, min(mark, int(self._clock().timestamp() * 1000))

    def _findings(self, place: Scope, detector: str, since: int) -> list[dict[str, Any]]:
        # The same moment again: two findings may share it, and one that is known costs nothing.
        criteria = {"updatedAt": {"GreaterThanOrEqual": since}, "service.archived": {"Equals": ["false"]}}
        asked = {
            "DetectorId": detector,
            "FindingCriteria": {"Criterion": criteria},
            "SortCriteria": {"AttributeName": "updatedAt", "OrderBy": "ASC"},
        }
        ids = [id_ for page in self._aws.read_all(place, Read("guardduty", "ListFindings", asked)) for id_ in page["FindingIds"]]
        found: list[dict[str, Any]] = []
        for start in range(0, len(ids), MOST_IDS):
            batch = {"DetectorId": detector, "FindingIds": ids[start : start + MOST_IDS]}
            found += self._aws.call(place.account, place.region, "guardduty", "GetFindings", batch).get("Findings", [])
        return found

    def _catch_up(self) -> None:
        for line in self._ledger.lines(DOORS_CHAIN, Kind.NOTE, after=self._read_to):
            self._read_to = line.position
            if line.key.startswith("watermark:"):
                place = Scope(str(line.body["account"]), str(line.body["region"]))
                self._marks[place] = max(self._marks.get(place, 0), int(line.body["updated_at_ms"]))

    def _failed(self, place: Scope, why: str) -> None:
        """Unknown is not clean: where GuardDuty could not be asked, the ledger says so, once until it changes."""
        if self._failing.get(place) == why:
            return
        self._failing[place] = why
        _log.warning("GuardDuty is not reconciled in %s, %s: %s", place.account, place.region, why)
        body = {"account": place.account, "region": place.region, "why": why}
        self._ledger.append(DOORS_CHAIN, Kind.COVERAGE, f"unread:{place.account}:{place.region}:{self._clock().isoformat()}", body)


def _updated_ms(finding: Mapping[str, Any], since: int) -> int:
    try:
        updated = parse_finding(finding).updated_at
    except FindingError:
        return since
    return int((updated - datetime.fromtimestamp(0, UTC)) / timedelta(milliseconds=1))
