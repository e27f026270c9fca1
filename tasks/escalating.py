"""Drives escalation: tells whoever is due, and carries what the second channels have not taken yet.

Everything that it knows is in the ledger. It can end at any instruction and start again, and two may run at once: a rung is written
under its number with its messages, and an attempt under its own before it is made, so each is somebody's, once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from incident.ledger import Kind
from incident.people.escalation import EscalationPolicy
from incident.people.ladder import outlook
from incident.people.messages import progress
from incident.people.notices import Entry, Way, fallback_entries, rung_entries, stakeholder_entries
from incident.people.occasions import facts
from incident.people.sending import Result, Sending, missed_by_slack, outbox
from tasks.channels import Channel, NotTaken, WillNotTake, channels_of
from tasks.escalation_file import load_escalation
from tasks.executor import Boundary
from tasks.hands import Hands
from tasks.ledger import Ledger, LedgerUnavailable

_log = logging.getLogger("countermand.escalation")
_MOST_STEPS = 200
"""Far more than can be due of one incident at one moment."""

Start = Callable[[Callable[[], None]], object]


def at_once(work: Callable[[], None]) -> None:
    """Make an attempt in the caller's own thread."""
    work()


class Escalating:
    """The driver.

    Args:
        channels: what carries the messages, beside Slack, which has an outbox of its own.
        boundary: called between any two instructions that matter, so that a test can end the process there.
    """

    def __init__(
        self,
        ledger: Ledger,
        policy: EscalationPolicy,
        channels: Mapping[Way, Channel],
        clock: Callable[[], datetime],
        boundary: Boundary = lambda name: None,
    ) -> None:
        self._ledger, self._policy, self._channels, self._clock, self._boundary = ledger, policy, channels, clock, boundary
        self._seen: dict[str, tuple[tuple[int, str], datetime | None]] = {}

    @property
    def policy(self) -> EscalationPolicy:
        return self._policy

    def look(self, start: Start = at_once) -> datetime | None:
        """Do for every incident what is due, and answer when something is due next.

        Args:
            start: makes an attempt, in this thread or another; the look waits for none that it was given away.

        Raises:
            LedgerUnavailable: nothing can be done that cannot be recorded.
        """
        chains = {*self._ledger.incidents_with(Kind.OPENED), *self._ledger.incidents_with(Kind.NOTICE)}
        waits = [at for incident in sorted(chains) if (at := self._look_after(incident, start)) is not None]
        return min(waits, default=None)

    def _look_after(self, incident: str, start: Start) -> datetime | None:
        """One incident; one whose lines cannot be understood holds up no other."""
        head = self._ledger.head(incident)
        seen, next_at = self._seen.get(incident, (None, None))
        if seen == head and (next_at is None or self._clock() < next_at):
            return next_at
        try:
            next_at = self.see_to(incident, start)
        except (KeyError, TypeError, ValueError) as error:
            _log.error("%s: its ledger lines cannot be understood (%s); run `countermand ledger verify`", incident, error)
            next_at = None
        self._seen[incident] = (head, next_at)
        return next_at

    def see_to(self, incident: str, start: Start = at_once) -> datetime | None:
        """Do what is due of one incident, and answer when something is due next."""
        waits: list[datetime | None] = [self._tell(incident), self._fall_back(incident)]
        sendings, next_at = outbox(self._ledger.lines(incident), self._clock())
        for sending in sendings:
            self._begin(sending, start)
        if sendings:
            next_at = min(filter(None, (next_at, outbox(self._ledger.lines(incident), self._clock())[1])), default=None)
        return min((at for at in (*waits, next_at) if at is not None), default=None)

    # ---- who is due -------------------------------------------------------------------------------------------------

    def _tell(self, incident: str) -> datetime | None:
        for _ in range(_MOST_STEPS):
            lines, now = self._ledger.lines(incident), self._clock()
            known = facts(lines, now)
            if known is None:
                return None
            view = outlook(self._policy, known, lines, now)
            entries = [rung_entries(self._policy, known, rung, now) for rung in view.rungs]
            entries += [stakeholder_entries(self._policy, known, one, now) for one in view.stakeholders]
            for several in entries:
                self._write(several, several[0][2])
            if not entries:
                self._say_who_did_not_answer(incident, view.exhausted)
                return view.next_at
        raise ValueError(f"more than {_MOST_STEPS} tellings are due at once")

    def _say_who_did_not_answer(self, incident: str, climbs: Iterable[str]) -> None:
        """A ladder that ended unanswered is said once, where everybody who looks at the incident reads it."""
        for climb in climbs:
            told = "Nobody answered, and the escalation is at its end. `/incident escalate` calls its last level again."
            text, blocks = progress(told)
            key = f"nobody-answered:{climb}"
            self._ledger.append(incident, Kind.MESSAGE, f"message:{key}", {"key": key, "text": text, "blocks": blocks})

    def _fall_back(self, incident: str) -> datetime | None:
        lines, now = self._ledger.lines(incident), self._clock()
        known = facts(lines, now)
        if known is None:
            return None
        missed, next_at = missed_by_slack(self._policy, lines, now)
        for line in missed:
            entries = fallback_entries(self._policy, known, line)
            self._write(entries, entries[0][2])
        return next_at

    def _write(self, entries: list[Entry], name: str) -> None:
        self._boundary(f"before {name}")
        self._ledger.append_all(entries)
        self._boundary(f"after {name}")

    # ---- the outbox -------------------------------------------------------------------------------------------------

    def _begin(self, sending: Sending, start: Start) -> None:
        """Claim an attempt, and make it if nobody else has claimed it."""
        self._boundary(f"before {sending.attempt}")
        _, ours = self._ledger.append(*sending.begun(self._clock()))
        self._boundary(f"after {sending.attempt}")
        if ours:
            start(lambda: self._attempt(sending))

    def _attempt(self, sending: Sending) -> None:
        result, detail = self._delivered(sending)
        self._boundary(f"before {sending.result}")
        try:
            self._ledger.append(*sending.ended(result, detail, self._clock()))
        except LedgerUnavailable as error:
            # The lease brings it back; the channel knows the copy by its key where it can.
            _log.warning("%s: %s", sending.notice.incident, error)
        self._boundary(f"after {sending.result}")
        if result is not Result.DELIVERED:
            _log.warning("%s: %s to %s: %s", sending.notice.incident, sending.notice.way, sending.notice.contact, detail)

    def _delivered(self, sending: Sending) -> tuple[Result, str]:
        channel = self._channels.get(sending.notice.way)
        if channel is None:
            return Result.REFUSED, f"this version knows no channel {sending.notice.way}"
        try:
            return Result.DELIVERED, channel.deliver(sending.notice, sending.number)
        except WillNotTake as refusal:
            return Result.REFUSED, str(refusal)
        except NotTaken as failure:
            return Result.FAILED, str(failure)


def escalating(hands: Hands, boundary: Boundary = lambda name: None) -> Escalating | None:
    """The driver of this process; `None` where the configuration names no escalation policy.

    Raises:
        ConfigError: the policy cannot be used.
    """
    policy = load_escalation(hands.config)
    if policy is None:
        return None
    return Escalating(hands.ledger, policy, channels_of(hands.config, hands.aws, hands.clock), hands.clock, boundary)
