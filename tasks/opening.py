"""Opens an incident by hand, for a responder who has proved who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from incident.finding import FindingError, Named, incident_id, parse_finding
from incident.ledger import INTAKE, Kind
from incident.named import named_finding
from incident.policy import Policy
from tasks.ledger import Ledger
from tasks.roster import Roster


class NotOpened(Exception):
    """Nothing was opened; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The incident, and whether it is new: the same words said again open no second one."""

    incident: str
    new: bool


class Opening:
    """The desk at which an incident is opened by hand.

    Args:
        accounts: the accounts that the configuration covers; none covers every account.
    """

    def __init__(
        self, ledger: Ledger, roster: Roster, policy: Policy, accounts: tuple[str, ...], clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._roster, self._policy, self._accounts, self._clock = ledger, roster, policy, accounts, clock

    def open(self, named: Named, *, account: str, region: str, since: datetime, severity: float, title: str, code: str) -> Opened:
        """Put the incident into the intake chain; durable when this returns. The code is burnt only when all else is right.

        Raises:
            NotOpened: something in it cannot be, or the person did not prove that they may.
            LedgerUnavailable: nothing was written.
        """
        now = self._clock()
        try:
            content = named_finding(named, account, region, since, severity, title, now)
            finding = parse_finding(content, by_hand=True)
        except FindingError as error:
            raise NotOpened(str(error)) from None
        if self._accounts and account not in self._accounts:
            raise NotOpened(f"account {account} is not among the accounts that the configuration covers; see aws.accounts")
        if self._policy.by_name(named.person) is None:
            raise NotOpened(f"{named.person} is not among the responders of the policy")
        incident = incident_id(finding)
        key = f"by-hand:{incident}"
        if self._ledger.find(INTAKE, key) is not None:
            return Opened(incident, new=False)
        if problem := self._roster.check(named.person, code):
            raise NotOpened(problem)
        reason = finding.named.reason if finding.named else ""
        by = {"person": named.person, "method": "one-time-code", "reason": reason, "at": now.isoformat()}
        _, new = self._ledger.append(INTAKE, Kind.DELIVERY, key, {"incident": incident, "finding": content, "by": by})
        return Opened(incident, new)
