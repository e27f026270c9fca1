"""Sorts deliveries: reads each back from AWS, and decides once whether it opens an incident, joins one, or is left alone and why.

Every delivery gets one line, so that none is lost; what is written there is never decided again, whoever dies meanwhile.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.dispatch.unsorted import Unsorted, Waiting
from incident.actor import Actor
from incident.findings.finding import Finding, Origin, incident_id
from incident.findings.joining import Outcome, Sorted, handles, handles_of
from incident.findings.trail_event import harmless
from incident.findings.triage import triage
from incident.hub_findings import OWN
from incident.ledger import INTAKE, Kind
from incident.people.messages import joined
from incident.policy import ApprovedChange, Policy
from incident.record import Record
from tasks.ledger import Ledger, Taken
from tasks.ledger.store import Entry
from tasks.read_back import ReadBack, Reader
from tasks.suppressions import Suppressions

RETRY_TIME = timedelta(minutes=2)
"""How long a read-back that fails is tried again before the delivery opens an incident unread."""

STAYS_OPEN = timedelta(hours=24)
"""How long after its last report an incident is still joined."""

ONLY_TOLD = 5
"""How many findings on which nothing may be done get an incident of their own in an hour and account; others join the last one."""

NEWS_TOLD = 5
"""Of how many joining findings that name something new people are told, for an incident."""

_WRITTEN_AT_ONCE = 20
_BREATH_SECONDS = 0.01
"""While verdicts are written, no delivery can be: its sender waits. So they are written a few at a time, with time between."""

_NOTES = "notes"
_HOUR = timedelta(hours=1)
_LONGEST_EVENT_ID = 128
_ACTORS_READ = 200


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
        self._sorted_to = 0
        self._unsorted = Unsorted(ledger)
        self._opened: dict[str, tuple[Sorted, datetime]] = {}
        # What one round of sorting has read of the incidents; the next reads it anew.
        self._actors: dict[str, frozenset[str]] = {}
        self._reports: dict[str, datetime | None] = {}
        self._closed: dict[str, datetime | None] = {}
        self._news: dict[str, int] = {}

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
        self._news.clear()
        chosen = self._unsorted.chosen()
        read = self._reader.many([one.finding for one in chosen if one.is_read_back])
        answers = iter(read)
        opened, waiting = dict(self._opened), self._unsorted.held()
        try:
            return self._written(self._all_decided((one, next(answers) if one.is_read_back else None) for one in chosen))
        except Taken:
            # Another gateway was first with one of them. Its word holds, and what was decided after it may no longer be right.
            self._opened = opened
            self._unsorted.hold(waiting)
            return []
        except BaseException:
            self._opened = opened
            self._unsorted.hold(waiting)
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
                entries += self._for_incident(verdict, one, answer.finding if answer else one.finding)
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
                if line.kind == Kind.SORTED and line.body["outcome"] == Outcome.OPENS:
                    incident = str(line.body["incident"])
                    self._opened[incident] = (self._opened[incident][0], line.at)
        return [verdict for verdict, _ in decided]

    def _catch_up(self) -> None:
        """What was delivered and what was sorted since the last time, also by another gateway."""
        self._unsorted.take_up()
        for line in self._ledger.lines(INTAKE, Kind.SORTED, after=self._sorted_to):
            self._sorted_to = line.position
            self._remember(Sorted.from_json(line.body), line.at)
        self._unsorted.take_up_what_was_left()

    def _remember(self, sorted_: Sorted, at: datetime) -> None:
        self._unsorted.drop(sorted_.delivery)
        if sorted_.outcome is Outcome.OPENS:
            self._opened.setdefault(sorted_.incident, (sorted_, at))
        elif sorted_.outcome in (Outcome.JOINS, Outcome.VERSION):
            held = self._opened.get(sorted_.incident)
            if held is not None:
                self._opened[sorted_.incident] = (_joined_by(held[0], sorted_), held[1])

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

    def _for_incident(self, sorted_: Sorted, one: Waiting, finding: Finding) -> list[Entry]:
        """The incident's own line for what joined it; people are told where it names something new."""
        known = self._opened.get(sorted_.incident)
        new = sorted_.handles - (self._handles(known[0]) if known is not None else frozenset())
        joins = sorted_.outcome is Outcome.JOINS and bool(sorted_.responds)
        news = joins and (one.by_hand or (known is not None and bool(new)))
        line = (sorted_.incident, Kind.FINDING, f"finding:{sorted_.delivery}"[:500], {**sorted_.to_json(), "news": news})
        return [line, *self._told_news(sorted_, finding, new)] if news else [line]

    def _told_news(self, sorted_: Sorted, finding: Finding, new: frozenset[str]) -> list[Entry]:
        """A message about the first few: whoever can cause findings must not drown the thread."""
        incident = sorted_.incident
        if incident not in self._news:
            self._news[incident] = sum(bool(line.body["news"]) for line in self._ledger.lines(incident, Kind.FINDING))
        self._news[incident] += 1
        if self._news[incident] > NEWS_TOLD:
            return []
        names = [name.replace(":", " ", 1) for name in sorted(new)] or ["what a responder named"]
        text, blocks = joined(finding.type, finding.severity_word, names, self._news[incident] == NEWS_TOLD)
        key = f"joined-{hashlib.sha256(sorted_.delivery.encode()).hexdigest()[:16]}"
        return [(incident, Kind.MESSAGE, f"message:{key}", {"key": key, "text": text, "blocks": blocks})]

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
