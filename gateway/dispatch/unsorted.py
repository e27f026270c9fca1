"""Deliveries that are not sorted yet: taken up from the intake chain, and chosen for the next round."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from incident.findings.finding import Finding, FindingError, Origin, parse_finding
from incident.findings.named import delivered_finding
from incident.ledger import INTAKE, Kind, Line
from tasks.ledger import Ledger

AT_ONCE = 500
MOST_RECORDS = 2000
"""How many records that CloudTrail does not show yet are held in memory; the others wait in the ledger for their turn."""

_LOOKUPS_AT_ONCE = 20
_log = logging.getLogger("countermand.gateway")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that is not sorted yet."""

    line: Line
    finding: Finding
    by_hand: bool
    problem: str = ""
    """Why it cannot be read; people are told of it all the same."""

    @property
    def is_read_back(self) -> bool:
        return not self.by_hand and not self.problem


class Unsorted:
    """What waits. Most of it is held in memory, and what does not fit stays in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read_to = self._records = 0
        self._left_after: int | None = None
        self._waiting: dict[str, Waiting] = {}

    def take_up(self) -> None:
        """Take up what was delivered since the last time, a page at a time.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        self._records = sum(one.finding.origin is Origin.CLOUDTRAIL for one in self._waiting.values())
        after = self._read_to
        while page := self._ledger.lines(INTAKE, Kind.DELIVERY, after=after, most=AT_ONCE):
            for line in page:
                self._take(line)
                after = line.position
        self._read_to = after

    def take_up_what_was_left(self) -> None:
        """Where half of the places are free again, take up what was left in the ledger."""
        if self._left_after is None or self._records > MOST_RECORDS // 2:
            return
        after, self._left_after = self._left_after, None
        while page := self._ledger.lines(INTAKE, Kind.DELIVERY, after=after, most=AT_ONCE):
            for line in page:
                after = line.position
                # What lies behind was not read a first time yet.
                if after > self._read_to:
                    return
                if line.key not in self._waiting and self._ledger.find(INTAKE, f"sorted:{line.key}") is None:
                    self._take(line)
                if self._left_after is not None:
                    return

    def chosen(self) -> list[Waiting]:
        """The severest first. CloudTrail answers two questions a second, so its records come a few at a time."""
        ordered = sorted(self._waiting.values(), key=lambda one: (not one.by_hand, -one.finding.severity, one.line.position))
        records = [one for one in ordered if one.finding.origin is Origin.CLOUDTRAIL][:_LOOKUPS_AT_ONCE]
        others = [one for one in ordered if one.finding.origin is not Origin.CLOUDTRAIL][:AT_ONCE]
        # A record that CloudTrail does not show yet must not be asked for before others that came later.
        for one in records:
            self._waiting[one.line.key] = self._waiting.pop(one.line.key)
        return others + records

    def drop(self, delivery: str) -> None:
        """Leave out a delivery, by its key: it is sorted."""
        self._waiting.pop(delivery, None)

    def held(self) -> dict[str, Waiting]:
        """What is held, to `hold` it again where a round comes to nothing."""
        return dict(self._waiting)

    def hold(self, held: Mapping[str, Waiting]) -> None:
        """Hold this again, as it was."""
        self._waiting = dict(held)

    def _take(self, line: Line) -> None:
        try:
            finding = delivered_finding(line.body)
        except FindingError as error:
            _log.error("delivery %s cannot be read; see `countermand ledger verify %s`", line.position, INTAKE)
            unreadable = parse_finding({"id": line.key, "type": "unreadable"})
            self._waiting[line.key] = Waiting(_light(line), unreadable, False, f"its delivery cannot be read: {error}")
            return
        if finding.origin is Origin.CLOUDTRAIL:
            if self._records >= MOST_RECORDS:
                self._leave(line)
                return
            self._records += 1
        self._waiting[line.key] = Waiting(_light(line), _lightly(finding), "by" in line.body)

    def _leave(self, line: Line) -> None:
        if self._left_after is None:
            _log.warning("%s records wait for CloudTrail; what comes meanwhile waits in the ledger", MOST_RECORDS)
            self._left_after = line.position - 1


def _light(line: Line) -> Line:
    """A delivery without what was delivered: it may wait long, beside many others."""
    body: object = line.body
    kept = body if isinstance(body, Mapping) else {}
    return replace(line, body={"incident": kept.get("incident", ""), "joins": kept.get("joins", "")})


def _lightly(finding: Finding) -> Finding:
    """What is needed to read a finding back; a responder's word is not read back, and stays whole."""
    return finding if finding.named else replace(finding, title=finding.title[:300], description="", remote_ips=(), pointed=None)
