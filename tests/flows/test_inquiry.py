"""Questions to CloudTrail: each once, and again only where it must reach further back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flows import inquiry
from flows.inquiry import Inquiry
from incident.attribution import Question
from incident.family import Scope
from tasks.work import Looked

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HERE, THERE = Scope("111122223333", "us-east-1"), Scope("444455556666", "us-east-1")


@pytest.fixture
def desk(monkeypatch):
    seen: list[tuple] = []

    async def look_up(scope, attribute, values, start, end):
        seen.append((scope, attribute, tuple(values), start))
        return Looked(scope, [], [], None)

    monkeypatch.setattr(inquiry, "look_up", look_up)
    hands = SimpleNamespace(clock=lambda: NOON, history=SimpleNamespace(reach=timedelta(days=90)))
    asking = Inquiry(SimpleNamespace(hands=hands), [HERE, THERE])

    def ask(*questions: Question) -> list[tuple]:
        seen.clear()
        asyncio.run(asking.ask(questions))
        return list(seen)

    return SimpleNamespace(ask=ask, asking=asking)


def named(hours: int | None = None, account: str = HERE.account) -> Question:
    return Question("Username", "svc", since=None if hours is None else NOON - timedelta(hours=hours), account=account)


def test_of_the_same_question_from_several_times_the_earliest_is_asked(desk):
    assert desk.ask(named(1), named(3), named(2)) == [(HERE, "Username", ("svc",), NOON - timedelta(hours=3))]


def test_what_was_asked_from_an_earlier_time_is_answered(desk):
    desk.ask(named(3))
    assert desk.asking.answers([named(1)])
    assert desk.ask(named(1)) == []


def test_what_must_reach_further_back_is_asked_again(desk):
    desk.ask(named(1))
    assert not desk.asking.answers([named()])
    assert desk.ask(named()) == [(HERE, "Username", ("svc",), NOON - timedelta(days=90))]


def test_the_same_name_in_another_account_is_another_question(desk):
    desk.ask(named(1))
    assert [scope for scope, *_ in desk.ask(named(1, THERE.account))] == [THERE]
