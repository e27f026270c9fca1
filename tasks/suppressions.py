"""Takes down what responders agree to leave unanswered, after they have proved who they are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError

from incident.findings.finding import Finding
from incident.findings.suppression import Suppression
from incident.ledger import SUPPRESSION_CHAIN, Kind
from incident.policy import Policy
from tasks.ledger import Ledger
from tasks.roster import Roster


class NotSuppressed(Exception):
    """Nothing was written; the message is one sentence that says why."""


class Suppressions:
    """The exceptions in the ledger. Removing one is a line too, with who and why."""

    def __init__(self, ledger: Ledger, roster: Roster, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._ledger, self._roster, self._policy, self._clock = ledger, roster, policy, clock

    def add(
        self,
        *,
        types: tuple[str, ...],
        accounts: tuple[str, ...],
        names: tuple[str, ...],
        below: float,
        until: datetime,
        person: str,
        reason: str,
        code: str,
    ) -> Suppression:
        """Write down an exception; the code is burnt only when all else is right.

        Raises:
            NotSuppressed: something in it cannot be, or the person did not prove that they may.
            LedgerUnavailable: nothing was written.
        """
        now = self._clock()
        words = "\n".join([*types, "", *accounts, "", *names, str(below), until.isoformat(), now.isoformat()])
        try:
            made = Suppression(
                id=f"sup-{hashlib.sha256(words.encode()).hexdigest()[:8]}",
                types=types,
                accounts=accounts,
                names=names,
                below=below,
                person=person,
                reason=" ".join(reason.split()),
                since=now,
                until=until,
            )
        except ValidationError as error:
            problem = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, problem["loc"][:1]))
            said = problem["msg"].removeprefix("Value error, ")
            raise NotSuppressed(f"{where}: {said}" if where else said) from None
        self._prove(person, code)
        self._ledger.append(SUPPRESSION_CHAIN, Kind.SUPPRESSION, f"added:{made.id}", made.model_dump(mode="json"))
        return made

    def remove(self, id_: str, *, person: str, reason: str, code: str) -> None:
        """End an exception now.

        Raises:
            NotSuppressed: there is none of this id, or the person did not prove that they may.
        """
        if id_ not in {one.id for one in self.standing()}:
            raise NotSuppressed(f"no exception {id_} stands; `countermand suppress list` lists them")
        if not reason.strip():
            raise NotSuppressed("--reason needs words: why it is removed")
        self._prove(person, code)
        body = {"id": id_, "person": person, "reason": " ".join(reason.split())[:1000], "at": self._clock().isoformat()}
        self._ledger.append(SUPPRESSION_CHAIN, Kind.NOTE, f"removed:{id_}", body)

    def standing(self) -> list[Suppression]:
        """The exceptions that hold now, the oldest first."""
        lines, now = self._ledger.lines(SUPPRESSION_CHAIN), self._clock()
        removed = {str(line.body["id"]) for line in lines if line.key.startswith("removed:")}
        made = [Suppression.model_validate(line.body) for line in lines if line.kind == Kind.SUPPRESSION]
        return [one for one in made if one.id not in removed and now < one.until]

    def covering(self, finding: Finding) -> Suppression | None:
        """The exception that holds for a finding now, if there is one."""
        return next((one for one in self.standing() if one.covers(finding, self._clock())), None)

    def _prove(self, person: str, code: str) -> None:
        if self._policy.by_name(person) is None:
            raise NotSuppressed(f"{person or 'this person'} is not among the responders of the policy")
        if problem := self._roster.check(person, code):
            raise NotSuppressed(problem)
