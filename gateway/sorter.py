"""Sorts deliveries: reads each back from AWS, and decides once whether it opens an incident, joins one, or is left alone and why.

Every delivery gets one line, so that none is lost; what is written there is never decided again, whoever dies meanwhile.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from incident.actor import Actor
from incident.findings.finding import Finding, FindingError, Origin, incident_id, parse_finding
from incident.findings.joining import Outcome, Sorted, handles, handles_of
from incident.findings.named import delivered_finding
from incident.findings.trail_event import harmless
from incident.findings.triage import triage
from incident.hub_findings import OWN
from incident.ledger import INTAKE, Kind, Line
from incident.policy import ApprovedChange, Policy
from incident.record import Record
from tasks.ledger import Ledger, Taken
from tasks.ledger.store import Entry
from tasks.read_back import ReadBack, Reader
from tasks.suppressions import Suppressions

AT_ONCE = 500
RETRY_TIME = timedelta(minutes=2)
"""How long a read-back that fails is tried again before the delivery opens an incident unread."""

STAYS_OPEN = timedelta(hours=24)
"""How long after its last report an incident is still joined."""

ONLY_TOLD = 5
"""How many findings on which nothing may be done get an incident of their own in an hour and account; others join the last one."""

_WRITTEN_AT_ONCE = 20
_BREATH_SECONDS = 0.01
"""While verdicts are written, no delivery can be: its sender waits. So they are written a few at a time, with time between."""

_NOTES = "notes"
MOST_RECORDS = 2000
"""How many records that CloudTrail does not show yet are held in memory; the others wait in the ledger for their turn."""

_HOUR = timedelta(hours=1)
_LOOKUPS_AT_ONCE = 20
_LONGEST_EVENT_ID = 128
_ACTORS_READ = 200
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


class Sorter:
    """Walks the intake chain behind the doors.

    Args:
        own: the ARNs under which our own calls appear in an account.
        lag: how long CloudTrail may take to show a record that EventBridge already carried.
        requests: the change requests that count as approved changes too.
    """

    def __init__(
        self,
        ledger: Ledger,
        reader: Reader,
        policy: Policy,
        suppressions: Suppressions,
        clock: Callable[[], datetime],
        own: Callable[[str], tuple[str, ...]] = lambda account: (),
        lag: timedelta = timedelta(minutes=15),
        requests: Callable[[], Sequence[ApprovedChange]] = tuple,
    ) -> None:
        self._ledger, self._reader, self._policy, self._suppressions = ledger, reader, policy, suppressions
        self._clock, self._own, self._lag, self._requests = clock, own, lag, requests
        self._read_to = self._sorted_to = 0
        self._records = 0
        self._left_after: int | None = None
        self._waiting: dict[str, Waiting] = {}
        self._opened: dict[str, tuple[Sorted, datetime]] = {}
        # What one round of sorting has read of the incidents; the next reads it anew.
        self._actors: dict[str, frozenset[str]] = {}
        self._reports: dict[str, datetime | None] = {}
        self._closed: dict[str, datetime | None] = {}

    def sort(self) -> list[Sorted]:
        """Sort what has arrived and answer it. What AWS does not tell yet stays for the next time.

        One gateway sorts at a time: two that each knew half of an actor's findings would open two incidents.

        Raises:
            LedgerUnavailable: the ledger cannot be read or written.
        """
        with self._ledger.holding("sorting"):
            return self._sort()

    def _sort(self) -> list[Sorted]:
        self._catch_up()
        self._reports.clear()
        self._closed.clear()
        self._actors.clear()
        chosen = self._next()
        read = self._reader.many([one.finding for one in chosen if one.is_read_back])
        answers = iter(read)
        opened, waiting = dict(self._opened), dict(self._waiting)
        try:
            return self._written(self._all_decided((one, next(answers) if one.is_read_back else None) for one in chosen))
        except Taken:
            # Another gateway was first with one of them. Its word holds, and what was decided after it may no longer be right.
            self._opened, self._waiting = opened, waiting
            return []
        except BaseException:
            self._opened, self._waiting = opened, waiting
            raise

    def _all_decided(self, chosen: Iterable[tuple[Waiting, ReadBack | None]]) -> list[tuple[Sorted, list[Entry]]]:
        """The verdicts, each with its lines; each counts with those after it before any is written."""
        decided: list[tuple[Sorted, list[Entry]]] = []
        for one, answer in chosen:
            verdict = self._decided(one, answer or ReadBack(one.finding, {}))
            if verdict is None:
                continue
            entries: list[Entry] = [(INTAKE, Kind.SORTED, f"sorted:{one.line.key}", verdict.to_json())]
            if verdict.outcome in (Outcome.JOINS, Outcome.VERSION):
                entries.append(self._for_incident(verdict, one.by_hand))
            self._remember(verdict, self._clock())
            decided.append((verdict, entries))
        return decided

    def _written(self, decided: list[tuple[Sorted, list[Entry]]]) -> list[Sorted]:
        """A verdict and the incident's own line of it are there together or not at all."""
        for start in range(0, len(decided), _WRITTEN_AT_ONCE):
            if start:
                time.sleep(_BREATH_SECONDS)
            some = decided[start : start + _WRITTEN_AT_ONCE]
            written = self._ledger.append_all([entry for _, entries in some for entry in entries], all_new=[Kind.SORTED])
            for line, _ in written:
                incident = str(line.body["incident"])
                if line.kind == Kind.SORTED and line.body["outcome"] == Outcome.OPENS:
                    self._opened[incident] = (self._opened[incident][0], line.at)
        return [verdict for verdict, _ in decided]

    def _catch_up(self) -> None:
        """What was delivered and what was sorted since the last time, also by another gateway."""
        self._records = sum(one.finding.origin is Origin.CLOUDTRAIL for one in self._waiting.values())
        self._read_to = self._take_up(self._read_to)
        for line in self._ledger.lines(INTAKE, Kind.SORTED, after=self._sorted_to):
            self._sorted_to = line.position
            self._remember(Sorted.from_json(line.body), line.at)

        self._take_up_what_was_left()

    def _take_up(self, after: int) -> int:
        """Take up the deliveries behind a position, a page at a time; the position that was read to."""
        while page := self._ledger.lines(INTAKE, Kind.DELIVERY, after=after, most=AT_ONCE):
            for line in page:
                self._take(line)
                after = line.position
        return after

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

    def _take_up_what_was_left(self) -> None:
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

    def _remember(self, sorted_: Sorted, at: datetime) -> None:
        self._waiting.pop(sorted_.delivery, None)
        if sorted_.outcome is Outcome.OPENS:
            self._opened.setdefault(sorted_.incident, (sorted_, at))
        elif sorted_.outcome in (Outcome.JOINS, Outcome.VERSION):
            held = self._opened.get(sorted_.incident)
            if held is not None:
                self._opened[sorted_.incident] = (_joined_by(held[0], sorted_), held[1])

    def _next(self) -> list[Waiting]:
        """The severest first. CloudTrail answers two questions a second, so its records come a few at a time."""
        ordered = sorted(self._waiting.values(), key=lambda one: (not one.by_hand, -one.finding.severity, one.line.position))
        records = [one for one in ordered if one.finding.origin is Origin.CLOUDTRAIL][:_LOOKUPS_AT_ONCE]
        others = [one for one in ordered if one.finding.origin is not Origin.CLOUDTRAIL][:AT_ONCE]
        # A record that CloudTrail does not show yet must not be asked for before others that came later.
        for one in records:
            self._waiting[one.line.key] = self._waiting.pop(one.line.key)
        return others + records

    def _decided(self, one: Waiting, answer: ReadBack) -> Sorted | None:
        """The verdict on one delivery; none where AWS may still tell more."""
        finding, age = answer.finding, self._clock() - one.line.at
        if one.by_hand:
            return self._by_hand(one, finding)
        if one.problem:
            return self._told(one, finding, one.problem, known=False)
        is_record = finding.origin is Origin.CLOUDTRAIL and len(finding.id) <= _LONGEST_EVENT_ID
        if answer.unknown and is_record and age < self._lag:
            return None
        if answer.problem and not answer.raw and not answer.unknown:
            return None if age < RETRY_TIME else self._opening(one, finding, answer.problem, None)
        if answer.problem:
            return self._told(one, finding, answer.problem, known=not answer.unknown)
        known = self._opened.get(self._newest_of(incident_id(finding)))
        if left := self._left_alone(finding, answer):
            return self._verdict(one, finding, *left, incident="", responds=False)
        verdict = triage(finding)
        if known is not None and self._comes_after_its_end(known[0].incident, finding):
            why = f"{known[0].incident} was closed, and the finding was seen again since"
            again = f"{one.line.body['incident'][:10]}{_version(finding)}"
            return self._following(one, finding, why, again, known[0].incident, verdict.starts_response)
        if known is not None and (known[0].responds is not False or not verdict.starts_response):
            older = _older(one.finding, finding, known[0])
            why = "an older version: what counts is what the service says now" if older else "another version"
            return self._verdict(one, finding, Outcome.VERSION, why, known[0].incident, verdict.starts_response)
        if known is not None:
            again = f"{one.line.body['incident'][:10]}{_version(finding)}"
            return self._verdict(one, finding, Outcome.OPENS, "its first version started no response", again, True)
        return self._joined(one, finding, verdict.starts_response, verdict.reason)

    def _by_hand(self, one: Waiting, finding: Finding) -> Sorted:
        """A responder's word joins what they said that it joins, or opens an incident; a note's waits for a seed."""
        verdict, joins = triage(finding), str(one.line.body.get("joins", ""))
        if joins:
            return self._verdict(one, finding, Outcome.JOINS, verdict.reason, joins, verdict.starts_response)
        opening = self._opening(one, finding, verdict.reason, verdict.starts_response)
        # It is none of those of which only the first few are told.
        return opening if verdict.starts_response else replace(opening, account=_NOTES)

    def _left_alone(self, finding: Finding, answer: ReadBack) -> tuple[Outcome, str] | None:
        if finding.origin is Origin.SECURITY_HUB and not finding.by_aws and finding.id.startswith(OWN):
            # What no service of AWS vouches for starts no response anyway: whoever forges this gains nothing.
            return Outcome.NOTED, "it is a finding that Countermand imported into Security Hub"
        if finding.archived:
            return Outcome.SUPPRESSED, "it is archived in the service that found it: someone has dealt with it or suppressed it"
        exception = self._suppressions.covering(finding)
        if exception is not None:
            until = exception.until.isoformat(timespec="minutes")
            return Outcome.SUPPRESSED, f"{exception.id} until {until}, by {exception.person}: {exception.reason}"
        if finding.origin is Origin.CLOUDTRAIL:
            policy = self._policy.knowing(self._requests())
            why = harmless(Record.parse(answer.raw), policy, self._own(finding.account))
            return (Outcome.NOTED, why) if why else None
        return None

    def _joined(self, one: Waiting, finding: Finding, responds: bool, reason: str) -> Sorted:
        """By whom it names it joins an open incident; one that starts a response joins only such."""
        named, follows = handles(finding), ""
        for incident in reversed(self._opened):
            opened, _ = self._opened[incident]
            shared = named & self._handles(opened)
            if shared and responds and self._closed_at(incident) is not None:
                follows = follows or incident
                continue
            if shared and (opened.responds is not False or not responds) and self._is_open(incident):
                what = sorted(shared)[0].replace(":", " ", 1)
                return self._verdict(one, finding, Outcome.JOINS, f"{incident} is about the same {what}", incident, responds)
        if follows:
            why = f"{reason}; {follows} about the same was closed"
            return self._following(one, finding, why, str(one.line.body["incident"]), follows, True)
        return self._opening(one, finding, reason, True) if responds else self._told(one, finding, reason, known=True)

    def _following(self, one: Waiting, finding: Finding, why: str, incident: str, follows: str, responds: bool) -> Sorted:
        """It opens an incident of its own after one that people closed; a further version of it joins that new one."""
        outcome = Outcome.OPENS if incident not in self._opened else Outcome.VERSION
        return replace(self._verdict(one, finding, outcome, why, incident, responds), follows=follows)

    def _newest_of(self, incident: str) -> str:
        """The incident that a closed one's finding opened after it, and the one after that."""
        followed = {sorted_.follows: name for name, (sorted_, _) in self._opened.items() if sorted_.follows}
        seen: set[str] = set()
        while incident in followed and incident not in seen:
            seen.add(incident)
            incident = followed[incident]
        return incident

    def _comes_after_its_end(self, incident: str, finding: Finding) -> bool:
        """Whether an incident was closed and what it was opened for was seen after that."""
        closed = self._closed_at(incident)
        return closed is not None and finding.last_seen > closed

    def _told(self, one: Waiting, finding: Finding, why: str, *, known: bool) -> Sorted:
        """Nothing may be done on it. People hear of each one by itself only while they are few.

        Of what no service knows, not even the account is believed.
        """
        account, now = finding.account if known else "", self._clock()
        same = [
            sorted_.incident
            for sorted_, at in self._opened.values()
            if sorted_.responds is False and sorted_.account == account and now - at < _HOUR
        ]
        if len(same) < ONLY_TOLD:
            return replace(self._opening(one, finding, why, False), account=account)
        reason = f"one of many on which nothing is done; told with {same[-1]}: {why}"
        return replace(self._verdict(one, finding, Outcome.JOINS, reason, same[-1], False), account=account, handles=frozenset())

    def _opening(self, one: Waiting, finding: Finding, why: str, responds: bool | None) -> Sorted:
        incident = str(one.line.body["incident"])
        known = self._opened.get(incident)
        outcome = Outcome.OPENS if known is None else Outcome.VERSION
        verdict = self._verdict(one, finding, outcome, why, incident, responds)
        # What was not read back names nobody.
        return verdict if responds else replace(verdict, handles=frozenset())

    def _verdict(self, one: Waiting, finding: Finding, outcome: Outcome, why: str, incident: str, responds: bool | None) -> Sorted:
        return Sorted(
            delivery=one.line.key,
            incident=incident,
            outcome=outcome,
            why=why,
            responds=responds,
            handles=handles(finding),
            finding=finding.id[:400],
            account=finding.account[:40],
            severity=finding.severity,
            updated_at=one.finding.updated_at,
        )

    def _for_incident(self, sorted_: Sorted, by_hand: bool) -> Entry:
        """The incident's own line for what joined it."""
        known = self._opened.get(sorted_.incident)
        news = sorted_.outcome is Outcome.JOINS and bool(sorted_.responds)
        news = news and (by_hand or (known is not None and not sorted_.handles <= self._handles(known[0])))
        body = {**sorted_.to_json(), "news": news}
        return (sorted_.incident, Kind.FINDING, f"finding:{sorted_.delivery}"[:500], body)

    def _handles(self, opened: Sorted) -> frozenset[str]:
        """What an incident is known by: its findings, and the actor as far as they have been identified."""
        if not opened.responds or len(self._opened) > _ACTORS_READ:
            return opened.handles
        if opened.incident not in self._actors:
            actors = self._ledger.lines(opened.incident, Kind.ACTOR)
            found = handles_of(Actor.from_json(actors[-1].body), opened.account) if actors else frozenset[str]()
            self._actors[opened.incident] = found
        return opened.handles | self._actors[opened.incident]

    def _closed_at(self, incident: str) -> datetime | None:
        if incident not in self._closed:
            line = self._ledger.find(incident, "closed")
            self._closed[incident] = line.at if line else None
        return self._closed[incident]

    def _is_open(self, incident: str) -> bool:
        if self._closed_at(incident) is not None:
            return False
        if incident not in self._reports:
            reports = self._ledger.lines(incident, Kind.REPORT)
            self._reports[incident] = reports[-1].at if reports else None
        reported = self._reports[incident]
        return reported is None or self._clock() - reported < STAYS_OPEN


def _light(line: Line) -> Line:
    """A delivery without what was delivered: it may wait long, beside many others."""
    body: object = line.body
    kept = body if isinstance(body, Mapping) else {}
    return replace(line, body={"incident": kept.get("incident", ""), "joins": kept.get("joins", "")})


def _lightly(finding: Finding) -> Finding:
    """What is needed to read a finding back; a responder's word is not read back, and stays whole."""
    return finding if finding.named else replace(finding, title=finding.title[:300], description="", remote_ips=(), pointed=None)


def _joined_by(opened: Sorted, joining: Sorted) -> Sorted:
    """An incident with what joined it. A note that got a seed is a response like any other."""
    seeded = opened.responds is False and bool(joining.responds) and joining.outcome is Outcome.JOINS
    handles_ = opened.handles | joining.handles
    if seeded:
        return replace(opened, handles=handles_, responds=True, account=joining.account)
    return replace(opened, handles=handles_)


def _older(delivered: Finding, current: Finding, opened: Sorted) -> bool:
    return delivered.updated_at < max(current.updated_at, opened.updated_at)


def _version(finding: Finding) -> str:
    """Six hex digits for one version of a finding, so that an incident's id keeps its form."""
    return hashlib.sha256(f"{incident_id(finding)}:{finding.updated_at.isoformat()}".encode()).hexdigest()[:6]


def counts(sorted_: Sequence[Sorted]) -> str:
    """How many of each outcome, for a log line."""
    return ", ".join(f"{sum(one.outcome is outcome for one in sorted_)} {outcome}" for outcome in Outcome)
