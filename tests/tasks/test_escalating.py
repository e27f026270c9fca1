"""The driver: killed between any two steps and started again, it tells everybody once; what no channel takes is tried again."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from incident.ledger import GENESIS, Kind, Line, chained
from incident.people.escalation import EscalationPolicy
from incident.people.notices import Entry, Notice
from incident.people.sending import FIRST_WAIT, GIVEN_UP_AFTER, LEASE, LONGEST_WAIT, Result, fates, outbox
from tasks.channels import NotTaken, WillNotTake
from tasks.escalating import Escalating
from tasks.ledger import Ledger

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INCIDENT = "inc-1"
OPENED = {
    "title": "Alice's key",
    "type": "Recon:IAMUser/X",
    "severity": 8.0,
    "account": "111122223333",
    "region": "us-east-1",
    "responds": True,
    "reason": "why",
    "pages": False,
}
POLICY = EscalationPolicy.model_validate(
    {
        "contacts": {
            "a": {"email": ["a@example.com"], "slack": ["U0A1"]},
            "b": {"webhook": ["pager"], "email": ["b@example.com"]},
            "c": {"slack": ["U0C1"], "email": ["c@example.com"]},
            "law": {"email": ["law@example.com"]},
        },
        "ladders": {
            "main": {
                "levels": [
                    {"name": "one", "whom": ["a"], "wait_minutes": 5, "repeats": 1},
                    {"name": "two", "whom": ["b", "c"], "wait_minutes": 10},
                ]
            }
        },
        "rules": [{"ladder": "main"}],
        "stakeholders": [{"name": "legal", "whom": ["law"], "when": {"minutes": 7}}],
        "fallback": {"after_seconds": 60, "whom": ["b"], "channels": ["email"]},
    }
)


class Time:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Killed(BaseException):
    """The process ends here."""


class Post:
    """A channel that keeps what it took; a copy is known by its key, as a paging service knows it."""

    def __init__(self) -> None:
        self.taken: list[Notice] = []
        self.attempts: Counter[str] = Counter()
        self.error: Exception | None = None

    def deliver(self, notice: Notice, attempt: int) -> str:
        self.attempts[notice.id] += 1
        if self.error is not None:
            raise self.error
        if notice.dedup not in {one.dedup for one in self.taken}:
            self.taken.append(notice)
        return "taken"


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def ledger(tmp_path, clock) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def driver(ledger, clock, post):
    """A new process's driver."""

    def driver_(boundary=lambda name: None, policy: EscalationPolicy = POLICY) -> Escalating:
        return Escalating(ledger, policy, {"email": post, "webhook": post, "sns": post}, clock, boundary)

    return driver_


def slack_takes_everything(ledger: Ledger, incident: str = INCIDENT) -> None:
    for line in ledger.lines(incident, Kind.MESSAGE):
        if line.key.startswith("message:"):
            ledger.append(incident, Kind.MESSAGE, f"sent:{line.body['key']}", {"key": line.body["key"], "ts": "1.0"})


def run(driver: Escalating, clock: Time, until: datetime, ledger: Ledger, incident: str = INCIDENT) -> None:
    """Look, and sleep until the driver wants to look again; Slack takes what it gets."""
    while True:
        driver.see_to(incident)
        slack_takes_everything(ledger, incident)
        following = driver.see_to(incident)
        if following is None or following > until:
            return
        assert following > clock.now
        clock.now = following


def ids(post: Post) -> list[str]:
    return [one.id for one in post.taken]


WHOLE = [
    "opened:1:a:email:1",
    "opened:2:a:email:1",
    "stakeholder:legal:law:email:1",
    "opened:3:b:email:1",
    "opened:3:b:webhook:1",
    "opened:3:c:email:1",
]


def test_it_tells_everybody_once_and_in_order(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    run(driver(), clock, NOON + timedelta(hours=5), ledger)
    assert ids(post) == WHOLE
    assert set(post.attempts.values()) == {1}
    slack = [line.body["key"] for line in ledger.lines(INCIDENT, Kind.MESSAGE) if line.key.startswith("message:")]
    assert slack == ["escalation:opened:1:a", "escalation:opened:2:a", "escalation:opened:3:c", "nobody-answered:opened"]
    assert ledger.verify(INCIDENT) is None


SHORT = EscalationPolicy.model_validate(
    POLICY.model_dump(by_alias=True)
    | {
        "ladders": {
            "main": {
                "levels": [
                    {"name": "one", "whom": ["a"], "wait_minutes": 10},
                    {"name": "two", "whom": ["b"], "channels": ["email"]},
                ]
            }
        }
    }
)
SHORT_WHOLE = ["opened:1:a:email:1", "stakeholder:legal:law:email:1", "opened:2:b:email:1"]


def test_killed_between_any_two_steps_it_tells_the_same_people_the_same_and_nobody_twice(ledger, clock):
    """Every boundary of the climb, one after the other; a copy comes only where the end fell between sending and writing."""
    for boundary in itertools.count():
        incident, post, seen = f"inc-{boundary}", Post(), []
        clock.now = NOON

        def kill(name: str, seen: list[str] = seen, at: int = boundary) -> None:
            seen.append(name)
            if len(seen) == at + 1:
                raise Killed(name)

        ledger.append(incident, Kind.OPENED, "opened", OPENED)
        killed = False
        while True:
            driver = Escalating(ledger, SHORT, {"email": post}, clock, kill)
            try:
                run(driver, clock, NOON + timedelta(hours=5), ledger, incident)
                break
            except Killed:
                # Somebody starts it again a while later.
                killed = True
                clock.now += timedelta(seconds=5)
        if not killed:
            break
        assert sorted(ids(post)) == sorted(SHORT_WHOLE), seen[boundary]
        copies = post.attempts.total() - len(SHORT_WHOLE)
        assert copies == (1 if seen[boundary].startswith("before result:") else 0), seen[boundary]
        rungs = [line for line in ledger.lines(incident) if line.key.startswith("rung:")]
        assert [(line.body["level"], line.body["telling"]) for line in rungs] == [(0, 1), (1, 1)], seen[boundary]
    assert boundary == len(SHORT_WHOLE) * 4 + 3 * 2


def test_two_drivers_at_once_make_each_attempt_once(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: one.look(), [driver() for _ in range(4)]))
    assert post.attempts == {"opened:1:a:email:1": 1}


def test_a_channel_that_is_down_is_tried_again_ever_more_slowly_until_it_takes_it(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    ledger.append(INCIDENT, Kind.ACK, "ack:1", {"person": "alice", "surface": "slack", "until": "x"})
    ledger.append(INCIDENT, Kind.ESCALATE, "escalate:1", {"person": "alice", "surface": "slack", "reason": "help"})
    ledger.append(INCIDENT, Kind.ACK, "ack:2", {"person": "alice", "surface": "slack", "until": "x"})
    post.error = NotTaken("the mail server was not reached")
    one = driver()
    assert one.look() == NOON + FIRST_WAIT
    clock.now = NOON + FIRST_WAIT
    assert one.look() == NOON + FIRST_WAIT * 3
    post.error, clock.now = None, NOON + FIRST_WAIT * 3
    one.look()
    assert ids(post) == ["opened:1:a:email:1"]
    assert post.attempts["opened:1:a:email:1"] == 3
    assert fates(ledger.lines(INCIDENT))["opened:1:a:email:1"].result == "delivered"


def test_what_a_channel_will_never_take_is_recorded_and_not_tried_again(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    post.error = WillNotTake("no such address; correct it")
    run(driver(), clock, NOON + timedelta(hours=5), ledger)
    assert set(post.attempts.values()) == {1}
    fate = fates(ledger.lines(INCIDENT))["opened:1:a:email:1"]
    assert (fate.result, fate.detail, fate.final) == ("refused", "no such address; correct it", True)


def _line(position: int, entry: Entry, at: datetime) -> Line:
    incident, kind, key, body = entry
    return chained(incident, position, key, str(kind), at, body, GENESIS)


def test_after_a_day_a_message_is_given_up_and_that_stands_in_its_result():
    notice = Notice(INCIDENT, "opened:1:a:email:1", "a", "email", "a@example.com", "subject", "text", {})
    lines, now = [_line(1, notice.entry(), NOON)], NOON
    while True:
        ready, following = outbox(lines, now)
        for sending in ready:
            for entry in (sending.begun(now), sending.ended(Result.FAILED, "down", now)):
                lines.append(_line(len(lines) + 1, entry, now))
        if not ready and following is None:
            break
        now = following or now
    assert lines[-1].body["final"]
    assert GIVEN_UP_AFTER <= now - NOON < GIVEN_UP_AFTER + LONGEST_WAIT
    assert 90 < len(lines) / 2 < 120


def test_an_attempt_whose_process_died_is_made_again_after_its_lease(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)

    def die(name: str) -> None:
        if name.startswith("after attempt:"):
            raise Killed

    with pytest.raises(Killed):
        driver(die).look()
    assert driver().look() <= NOON + LEASE
    assert not post.taken
    slack_takes_everything(ledger)
    clock.now = NOON + LEASE
    driver().look()
    assert ids(post) == ["opened:1:a:email:1"]


# ---- Slack is down ----------------------------------------------------------------------------------------------


def message(ledger: Ledger, key: str, text: str) -> None:
    ledger.append(INCIDENT, Kind.MESSAGE, f"message:{key}", {"key": key, "text": text, "blocks": []})


def test_what_slack_has_not_taken_goes_out_by_the_others_once(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    message(ledger, "question:1", "Contain needs a decision")
    one = driver()
    one.look()
    clock.now = NOON + timedelta(seconds=59)
    one.look()
    assert not [each for each in ids(post) if each.startswith("fallback")]
    clock.now = NOON + timedelta(seconds=60)
    one.look()
    driver().look()
    fallen = [each for each in post.taken if each.id.startswith("fallback:question:1")]
    assert [(each.to, each.way) for each in fallen] == [("b@example.com", "email")]
    assert "Contain needs a decision" in fallen[0].text
    clock.now += timedelta(hours=5)
    slack_takes_everything(ledger)
    before = len(post.taken)
    driver().look()
    assert not [each for each in post.taken[before:] if each.id.startswith("fallback:question")]


def test_what_slack_took_in_time_goes_out_nowhere_else(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    message(ledger, "question:1", "Contain needs a decision")
    slack_takes_everything(ledger)
    clock.now = NOON + timedelta(minutes=2)
    driver().look()
    assert not [each for each in ids(post) if each.startswith("fallback:question")]


def test_whoever_was_to_be_told_in_slack_alone_is_told_by_another_way(ledger, clock, post, driver):
    given = POLICY.model_dump(by_alias=True)
    given["ladders"] = {"main": {"levels": [{"name": "one", "whom": ["c"], "channels": ["slack"], "wait_minutes": 60}]}}
    policy = EscalationPolicy.model_validate(given)
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    driver(policy=policy).look()
    assert not post.taken
    clock.now = NOON + timedelta(seconds=60)
    driver(policy=policy).look()
    assert sorted(each.to for each in post.taken) == ["b@example.com", "c@example.com"]


def test_one_incident_that_cannot_be_understood_holds_up_no_other(ledger, clock, post, driver):
    ledger.append("inc-0", Kind.OPENED, "opened", {"severity": "high"})
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    driver().look()
    assert ids(post) == ["opened:1:a:email:1"]


def test_names_that_aws_let_an_attacker_choose_are_inert(ledger, clock, post, driver):
    ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED | {"title": "<!channel> *x*\r\nBcc: evil@example.com"})
    driver().look()
    (mail,) = post.taken
    assert "\n" not in mail.subject
    assert "\r" not in mail.text
    (line,) = ledger.lines(INCIDENT, Kind.MESSAGE)
    (block,) = line.body["blocks"]
    assert "<!channel>" not in block["text"]["text"]
    assert block["text"]["text"].startswith("<@U0A1>\n")
