"""Opens an incident by hand, for a responder who has proved who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.findings.finding import FindingError, Named, incident_id, parse_finding
from incident.findings.named import named_finding
from incident.findings.notes import note_finding
from incident.ledger import INTAKE, Kind
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

    def open(
        self,
        named: Named,
        *,
        account: str,
        region: str,
        since: datetime,
        severity: float,
        title: str,
        code: str,
        joins: str = "",
    ) -> Opened:
        """Put the incident into the intake chain; durable when this returns. The code is burnt only when all else is right.

        Args:
            joins: the incident to which this is added, such as one that a note opened; without one, a new incident is opened.

        Raises:
            NotOpened: something in it cannot be, or the person did not prove that they may.
            LedgerUnavailable: nothing was written.
        """
        try:
            content = named_finding(named, account, region, since, severity, title, self._clock())
        except FindingError as error:
            raise NotOpened(str(error)) from None
        if joins and self._ledger.find(joins, "opened") is None:
            raise NotOpened(
                f"the ledger knows no incident {joins[:60]} whose response has begun; `countermand incidents` lists them"
            )
        return self._delivered(content, account, code, joins)

    def note(self, note: str, *, person: str, account: str, region: str, code: str) -> Opened:
        """Open an incident by a note alone: people are told, and nothing acts until somebody names a seed; see `open`.

        Raises:
            NotOpened, LedgerUnavailable: as `open`.
        """
        try:
            content = note_finding(note, person, account, region, self._clock())
        except FindingError as error:
            raise NotOpened(str(error)) from None
        return self._delivered(content, account, code)

    def _delivered(self, content: dict[str, Any], account: str, code: str, joins: str = "") -> Opened:
        finding = parse_finding(content, by_hand=True)
        person, reason = (finding.named.person, finding.named.reason) if finding.named else ("", "")
        if account and self._accounts and account not in self._accounts:
            raise NotOpened(f"account {account} is not among the accounts that the configuration covers; see aws.accounts")
        if self._policy.by_name(person) is None:
            raise NotOpened(f"{person} is not among the responders of the policy")
        incident = joins or incident_id(finding)
        key = f"by-hand:{incident}" + (f":{incident_id(finding)}" if joins else "")
        if self._ledger.find(INTAKE, key) is not None:
            return Opened(incident, new=False)
        if problem := self._roster.check(person, code):
            raise NotOpened(problem)
        by = {"person": person, "method": "one-time-code", "reason": reason, "at": self._clock().isoformat()}
        body = {"incident": incident, "finding": content, "by": by, **({"joins": joins} if joins else {})}
        _, new = self._ledger.append(INTAKE, Kind.DELIVERY, key, body)
        return Opened(incident, new)
