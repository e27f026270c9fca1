"""How many runs are started: a storm must not drown Prefect, nor hold up what is worse than it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident.findings.finding import FindingError
from incident.findings.named import delivered_finding
from incident.ledger import Line
from tasks.ledger import Ledger

_MINUTE = timedelta(minutes=1)
_HIGH = 7.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The pace.

    Attributes:
        a_minute: starts in a minute, over all.
        an_account: starts in a minute for one account.
        not_begun: runs that were started and have not begun; with so many, nothing more is started until they do.
    """

    a_minute: int = 30
    an_account: int = 10
    not_begun: int = 40


class Pace:
    """Chooses which incidents start now: the severest first, of one severity the oldest. What is not chosen waits in the ledger.

    Half of the pace is kept for what is high or critical, so that a storm of lesser findings cannot use it up.
    """

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime], limits: Limits | None = None) -> None:
        self._ledger, self._clock, self._limits = ledger, clock, limits or Limits()
        self._recent: deque[tuple[datetime, str]] = deque()
        self._accounts: dict[str, str] = {}
        self._not_begun: set[str] = set()

    def chosen(self, waiting: Mapping[str, Line], starting: Collection[str] = ()) -> dict[str, Line]:
        """Those of the waiting that may start now, beside those that are being started."""
        now = self._clock()
        while self._recent and now - self._recent[0][0] >= _MINUTE:
            self._recent.popleft()
        # Starts may end while this looks, so what they count up is only taken from, never replaced.
        self._not_begun -= {one for one in tuple(self._not_begun) if self._ledger.find(one, "opened") is not None}
        left = min(self._limits.a_minute - len(self._recent), self._limits.not_begun - len(self._not_begun)) - len(starting)
        by_account = Counter(account for _, account in tuple(self._recent))
        by_account.update(self._accounts.get(one, "") for one in starting)
        chosen: dict[str, Line] = {}
        for incident, severity, account, line in _severest_first(waiting):
            room, place = left, self._limits.an_account
            if severity < _HIGH:
                room, place = room - self._limits.a_minute // 2, place // 2
            if room > 0 and by_account[account] < place:
                chosen[incident] = line
                self._accounts[incident] = account
                by_account[account] += 1
                left -= 1
        return chosen

    def started(self, incident: str) -> None:
        """Count one that was started."""
        self._recent.append((self._clock(), self._accounts.pop(incident, "")))
        self._not_begun.add(incident)


def _severest_first(waiting: Mapping[str, Line]) -> list[tuple[str, float, str, Line]]:
    told: list[tuple[str, float, str, Line]] = []
    for incident, line in waiting.items():
        try:
            finding = delivered_finding(line.body)
        except FindingError:
            told.append((incident, 0.0, "", line))
        else:
            # A responder waits behind nobody.
            told.append((incident, 11.0 if finding.named else finding.severity, finding.account, line))
    return sorted(told, key=lambda one: (-one[1], one[3].position))
