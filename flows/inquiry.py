"""Questions to CloudTrail: each is asked once, everywhere that it must be, and what could not be answered is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from flows.case import Case
from incident.actor import Actor
from incident.attribution import Question
from incident.family import Scope
from incident.record import Record
from tasks.cloudtrail import distinct
from tasks.work import Looked, in_thread, look_up

BEFORE_THE_WINDOW = timedelta(hours=1)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass
class Inquiry:
    """What was asked for one look, and what was answered.

    Attributes:
        scopes: every enabled region of every account.
        records: all that was answered about the actor, once each, oldest first.
        around: everybody's changes in the regions that the actor touched.
        gaps: what could not be answered: where, by status, and why.
    """

    case: Case
    scopes: list[Scope]
    records: list[Record] = field(default_factory=list[Record])
    around: list[Record] = field(default_factory=list[Record])
    gaps: list[tuple[Scope, str, str]] = field(default_factory=list[tuple[Scope, str, str]])
    _seen: dict[str, Record] = field(default_factory=dict[str, Record])
    _asked: dict[Question, datetime] = field(default_factory=dict[Question, datetime])
    _surrounded: set[Scope] = field(default_factory=set[Scope])

    async def ask(self, questions: Iterable[Question]) -> list[Record]:
        """Ask what was not asked yet, in all its places at once; answers the records of these questions."""
        waiting = self._unanswered(questions)
        if not waiting:
            return []
        self._asked |= {_what(one): one.since or _ALWAYS for one in waiting}
        end = self.case.hands.clock()
        begin = end - self.case.hands.history.reach
        together = self._by_place(waiting)
        answers = await asyncio.gather(
            *(look_up(scope, attribute, values, max(begin, start or begin), end) for scope, attribute, values, start in together)
        )
        found = self._take(answers)
        self.records = _merged(self.records, found)
        return found

    def answers(self, questions: Iterable[Question]) -> bool:
        """Whether all of these were asked."""
        return not self._unanswered(questions)

    def _unanswered(self, questions: Iterable[Question]) -> list[Question]:
        """What was not asked yet, or only from a later time on; each once, from the earliest time."""
        earliest: dict[Question, Question] = {}
        for one in questions:
            held = earliest.setdefault(_what(one), one)
            if (one.since or _ALWAYS) < (held.since or _ALWAYS):
                earliest[_what(one)] = one
        return [one for what, one in earliest.items() if what not in self._asked or (one.since or _ALWAYS) < self._asked[what]]

    async def look_around(self, actor: Actor) -> list[Record]:
        """Everybody's changes in the regions that the actor changed, since the baseline or an hour before the window."""
        theirs = (record for record in self.records if not record.read_only and actor.did(record))
        places = {Scope(record.account, record.region) for record in theirs} - self._surrounded
        self._surrounded |= places
        end = self.case.hands.clock()
        starts = {place: await in_thread(since, self.case, place, actor, end) for place in sorted(places, key=_where)}
        answers = await asyncio.gather(*(look_up(place, "ReadOnly", ["false"], start, end) for place, start in starts.items()))
        found = self._take(answers)
        self.around = _merged(self.around, found)
        return found

    def _by_place(self, questions: list[Question]) -> list[tuple[Scope, str, list[str], datetime | None]]:
        """Questions of one attribute and time are asked of a place together."""
        groups: dict[tuple[Scope, str, datetime | None], list[str]] = {}
        for question in questions:
            for scope in self._places(question):
                groups.setdefault((scope, question.attribute, question.since), []).append(question.value)
        return [(scope, attribute, values, start) for (scope, attribute, start), values in groups.items()]

    def _places(self, question: Question) -> list[Scope]:
        """Where a question is asked; of an account that we do not cover, everywhere."""
        if question.place is not None:
            return [question.place]
        return [scope for scope in self.scopes if scope.account == question.account] or self.scopes

    def _take(self, answers: list[Looked]) -> list[Record]:
        """The answers' records, and their gaps noted. A record that two answers show is held once."""
        self.gaps += [(answer.scope, *answer.gap) for answer in answers if answer.gap is not None]
        found = distinct([record for answer in answers for record in answer.records][::-1])
        return [self._seen.setdefault(record.event_id, record) if record.event_id else record for record in found]


def _what(question: Question) -> Question:
    """A question without its time."""
    return replace(question, since=None)


def since(case: Case, place: Scope, actor: Actor, now: datetime) -> datetime:
    """From when on everybody's changes in a place bear on what the actor changed."""
    window = (actor.since or now) - BEFORE_THE_WINDOW
    stored = case.baseline(place, actor)
    return min(stored.at, window) if stored else window


def _where(place: Scope) -> tuple[str, str]:
    return place.account, place.region


def _merged(held: list[Record], found: list[Record]) -> list[Record]:
    return distinct([*held, *found][::-1])
