"""The status message says when the escalation goes on, as long as nobody has taken the incident."""

from __future__ import annotations

from datetime import timedelta

from escalating import INCIDENT, NOON, Book, policy

from incident.people.status import status
from incident.policy import Policy


def test_the_next_deadline_is_shown_until_somebody_has_the_incident():
    book = Book(policy())
    book.open(suspects=[])
    book.tick(NOON)
    later = NOON + timedelta(minutes=1)
    shown = status(INCIDENT, book.lines, Policy(), later)
    assert shown.deadline == (NOON + timedelta(minutes=5), "the escalation goes on, unless one answers")
    book.ack(later)
    assert status(INCIDENT, book.lines, Policy(), later).deadline is None
