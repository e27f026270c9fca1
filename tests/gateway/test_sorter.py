"""Many findings, one incident: what becomes of each delivery, once, and only on AWS's own word."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyotp
import pytest
from arriving import EVENT_ID, HUB_ID, asff, asff_of_guardduty, called, imported, record
from findings import ACCOUNT, INSTANCE_TYPE, KEY_RESOURCE, as_api, envelope, finding
from sorting import ACCOUNTS, Desk

from gateway.dispatch import unsorted
from gateway.dispatch.sorter import NEWS_TOLD, ONLY_TOLD
from incident.actor import Actor, Credential, Link
from incident.change_requests import read_requests
from incident.findings.finding import NOTE, Named, incident_id, parse_finding
from incident.findings.joining import Outcome
from incident.ledger import INTAKE, Kind
from incident.policy import ApprovedChange, Policy, Responder
from tasks.change_requests import KeptRequests
from tasks.ledger import store
from tasks.opening import Opening
from tasks.roster import Roster
from tasks.suppressions import NotSuppressed, Suppressions


@pytest.fixture
def people(ledger, tmp_path):
    """The desk at which exceptions are written; `code()` is alice's next."""
    now = [datetime.now(UTC)]
    roster = Roster(tmp_path / "roster", ledger, lambda: now[0])
    secret = roster.enrol("alice").split("secret=")[1].split("&")[0]
    policy = Policy(responders=(Responder(name="alice"),))
    suppressions = Suppressions(ledger, roster, policy, lambda: now[0])

    def code() -> str:
        now[0] += timedelta(minutes=1)
        return pyotp.TOTP(secret).at(now[0])

    def add(*types: str, **more: Any):
        until = more.pop("until", now[0] + timedelta(days=30))
        said = {"accounts": (), "names": (), "below": 9.0, "person": "alice", "reason": "a scanner of ours", "code": code()}
        return suppressions.add(types=types, until=until, **(said | more))

    return SimpleNamespace(suppressions=suppressions, add=add, code=code, now=now, roster=roster, policy=policy)


@pytest.fixture
def desk(ledger, people):
    return Desk(ledger, people.suppressions)


def known(desk: Desk, *bodies: dict[str, Any]) -> list[dict[str, Any]]:
    """GuardDuty knows these findings; as EventBridge carries them."""
    for body in bodies:
        desk.aws.findings[body["id"]] = as_api(body)
    return [envelope(body) for body in bodies]


def of(number: int, user: str = "mallory", key: str = "", **more: Any) -> dict[str, Any]:
    """A finding about a user's key."""
    named = {
        "accessKeyId": key or f"AKIA{user.upper():X<16}",
        "principalId": f"AIDA{user}",
        "userName": user,
        "userType": "IAMUser",
    }
    resource = KEY_RESOURCE | {"accessKeyDetails": named}
    return finding(id=f"{number:032x}", resource=resource, **more)


def test_findings_about_one_actor_are_one_incident(desk, ledger):
    sorted_ = desk.sort(*known(desk, of(1), of(2), of(3, key="AKIAANOTHEROFMALLORY"), of(4, "bob")))
    first = sorted_[0].incident
    assert [(one.outcome, one.incident == first) for one in sorted_] == [
        (Outcome.OPENS, True),
        (Outcome.JOINS, True),
        (Outcome.JOINS, True),
        (Outcome.OPENS, False),
    ]
    joined = ledger.lines(first, Kind.FINDING)
    assert [line.body["news"] for line in joined] == [False, True], "only a key that is not known yet is news"


def test_people_are_told_what_a_joining_finding_names_that_is_new(desk, ledger):
    hostile = of(2, key="AKIA<!channel>*x*")
    (first, *_) = desk.sort(*known(desk, of(1), of(3)))
    assert ledger.lines(first.incident, Kind.MESSAGE) == [], "nothing new, nothing told"
    desk.sort(*known(desk, hostile))
    (message,) = ledger.lines(first.incident, Kind.MESSAGE)
    assert "New in it: key AKIA&lt;!channel&gt;∗x∗" in message.body["text"]
    assert message.key == f"message:{message.body['key']}"


def test_of_joining_findings_only_the_first_few_are_told(desk, ledger):
    (first,) = desk.sort(*known(desk, of(1)))
    desk.sort(*known(desk, *(of(number, key=f"AKIA{number:016d}") for number in range(2, 5))))
    desk.sort(*known(desk, *(of(number, key=f"AKIA{number:016d}") for number in range(5, 12))))
    messages = ledger.lines(first.incident, Kind.MESSAGE)
    assert len(messages) == NEWS_TOLD
    assert [("not told one by one" in one.body["text"]) for one in messages] == [False] * (NEWS_TOLD - 1) + [True]
    assert len(ledger.lines(first.incident, Kind.FINDING)) == 10


def test_the_same_instance_joins_and_the_same_role_alone_does_not(desk):
    def session(number: int, name: str) -> dict[str, Any]:
        named = {
            "accessKeyId": f"ASIA{number:016d}",
            "principalId": f"AROAROLE:{name}",
            "userName": "app",
            "userType": "AssumedRole",
        }
        return finding(id=f"{number:032x}", resource=KEY_RESOURCE | {"accessKeyDetails": named})

    instance = finding(INSTANCE_TYPE, id="f" * 32)
    sorted_ = desk.sort(*known(desk, instance, session(1, "i-0123456789abcdef0"), session(2, "somebody"), session(3, "else")))
    assert [one.outcome for one in sorted_] == [Outcome.OPENS, Outcome.JOINS, Outcome.OPENS, Outcome.OPENS]


def test_a_key_that_the_actor_was_found_to_hold_joins_too(desk, ledger):
    (first,) = desk.sort(*known(desk, of(1)))
    credential = Credential("AKIAPLANTEDXXXXXXXXX", "planted", "user", Link.PROVED, "made", "", ACCOUNTS[0])
    ledger.append(first.incident, Kind.ACTOR, "actor:1", Actor(credentials={credential.access_key: credential}).to_json())
    (second,) = desk.sort(*known(desk, of(2, "planted", key="AKIAPLANTEDXXXXXXXXX")))
    assert (second.outcome, second.incident) == (Outcome.JOINS, first.incident)


def test_an_incident_that_was_reported_a_day_ago_is_not_joined_any_more(desk, ledger):
    (first,) = desk.sort(*known(desk, of(1)))
    ledger.append(first.incident, Kind.REPORT, "report:1", {})
    assert desk.sort(*known(desk, of(2)))[0].outcome is Outcome.JOINS
    desk.ahead = timedelta(hours=25)
    assert desk.sort(*known(desk, of(3)))[0].outcome is Outcome.OPENS


def close(ledger, incident):
    ledger.append(incident, Kind.CLOSED, "closed", {"person": "alice", "reason": "done"})


def test_a_closed_incident_is_not_joined_and_the_new_one_refers_to_it(desk, ledger):
    (first,) = desk.sort(*known(desk, of(1)))
    assert desk.sort(*known(desk, of(2)))[0].outcome is Outcome.JOINS
    close(ledger, first.incident)
    later, again, other = desk.sort(*known(desk, of(3), of(4), of(5, "bob")))
    assert (later.outcome, later.follows) == (Outcome.OPENS, first.incident)
    assert later.incident != first.incident
    assert first.incident in later.why
    assert (again.outcome, again.incident, again.follows) == (Outcome.JOINS, later.incident, "")
    assert (other.outcome, other.follows) == (Outcome.OPENS, "")
    assert len(ledger.lines(first.incident, Kind.FINDING)) == 1


def test_a_finding_seen_again_after_its_incident_was_closed_opens_one_new_one_and_no_more(desk, ledger):
    def seen(version: int, at: timedelta) -> dict[str, Any]:
        moment = (desk.now() + at).isoformat()
        made = of(1, updatedAt=f"2026-03-{version:02}T00:00:00Z")
        return made | {"service": made["service"] | {"eventLastSeen": moment}}

    (first,) = desk.sort(*known(desk, seen(1, -timedelta(hours=2))))
    close(ledger, first.incident)
    (old,) = desk.sort(*known(desk, seen(2, -timedelta(hours=1))))
    assert (old.outcome, old.incident) == (Outcome.VERSION, first.incident), "what it tells is from before the end"
    (new,) = desk.sort(*known(desk, seen(3, timedelta(hours=1))))
    assert (new.outcome, new.follows) == (Outcome.OPENS, first.incident)
    desk.sorter = desk.new_sorter()
    (newer,) = desk.sort(*known(desk, seen(4, timedelta(hours=2))))
    assert (newer.outcome, newer.incident) == (Outcome.VERSION, new.incident)
    close(ledger, new.incident)
    (third,) = desk.sort(*known(desk, seen(5, timedelta(hours=3))))
    assert (third.outcome, third.follows) == (Outcome.OPENS, new.incident)


def test_versions_are_kept_and_an_older_one_drives_nothing(desk, ledger):
    newer = of(1, updatedAt="2026-03-02T00:00:00Z", severity=8)
    (first,) = desk.sort(*known(desk, newer))
    older = of(1, "bob", updatedAt="2026-03-01T00:00:00Z", severity=2)
    (second,) = desk.sort(envelope(older))
    assert (second.outcome, second.incident, second.severity) == (Outcome.VERSION, first.incident, 8)
    assert "older" in second.why
    assert "user:111122223333:bob" not in second.handles, "what counts is what GuardDuty says now"
    assert len(ledger.lines(INTAKE, Kind.DELIVERY)) == 2


def test_an_altered_delivery_is_sorted_by_what_guardduty_says(desk):
    (_, bob) = desk.sort(*known(desk, of(1), of(2, "bob")))
    altered = of(2, updatedAt="2026-03-03T00:00:00Z")
    (third,) = desk.sort(envelope(altered))
    assert (third.outcome, third.incident) == (Outcome.VERSION, bob.incident)


def test_a_finding_whose_first_version_started_nothing_can_still_start_a_response(desk, ledger):
    (first,) = desk.sort(*known(desk, of(1, sample=True)))
    assert first.responds is False
    (second,) = desk.sort(*known(desk, of(1, updatedAt="2026-03-02T00:00:00Z")))
    assert (second.outcome, second.responds) == (Outcome.OPENS, True)
    assert second.incident != first.incident


def test_a_note_waits_for_a_seed_and_then_is_joined_like_any_other(desk, ledger, people):
    opening = Opening(ledger, people.roster, people.policy, (), lambda: people.now[0])
    note = opening.note("our key is on a forum", person="alice", account="", region="", code=people.code()).incident
    (opens,) = desk.sorter.sort()
    assert (opens.incident, opens.outcome, opens.responds) == (note, Outcome.OPENS, False)
    (stranger,) = desk.sort(*known(desk, of(1, "mallory", "AKIAONE")))
    assert stranger.outcome is Outcome.OPENS, "a note names nobody"
    ledger.append(note, Kind.OPENED, "opened", {"type": NOTE, "responds": False})
    named = Named(addresses=("198.51.100.9",), access_keys=("AKIATWOTWOTWOTWO",), person="alice", reason="she holds it")
    place = {
        "account": ACCOUNTS[0],
        "region": "us-east-1",
        "since": people.now[0] - timedelta(hours=1),
        "severity": 8.0,
        "title": "",
    }
    for _ in range(2):
        assert opening.open(named, **place, code=people.code(), joins=note).incident == note
    (joins,) = desk.sorter.sort()
    assert (joins.incident, joins.outcome, joins.responds) == (note, Outcome.JOINS, True)
    assert [line.body["news"] for line in ledger.lines(note, Kind.FINDING)] == [True]
    for sorter in (desk.sorter, desk.new_sorter()):
        desk.sorter = sorter
    (late,) = desk.sort(*known(desk, of(2, "dora", "AKIATWOTWOTWOTWO")))
    assert (late.incident, late.outcome) == (note, Outcome.JOINS)


def test_notes_do_not_count_among_what_is_only_told(desk, ledger, people):
    opening = Opening(ledger, people.roster, people.policy, (), lambda: people.now[0])
    for number in range(ONLY_TOLD + 1):
        opening.note(f"note {number}", person="alice", account="", region="", code=people.code())
    assert {one.outcome for one in desk.sorter.sort()} == {Outcome.OPENS}
    (forged,) = desk.sort(envelope(of(1)))
    assert forged.outcome is Outcome.OPENS


def test_what_no_service_knows_is_told_a_few_times_and_then_together(desk):
    sorted_ = desk.sort(*(envelope(of(number, user=f"u{number}", accountId=f"{number:012d}")) for number in range(30)))
    assert len([one for one in sorted_ if one.outcome is Outcome.OPENS]) == ONLY_TOLD
    assert not any(one.responds for one in sorted_)
    assert len(sorted_) == 30
    assert not desk.aws.asked, "an account that is not ours is not even asked about"


def test_forged_findings_keep_no_true_one_from_its_incident(desk):
    desk.sort(*(envelope(of(number)) for number in range(20)))
    (true,) = desk.sort(*known(desk, of(99)))
    assert (true.outcome, true.responds) == (Outcome.OPENS, True)


def test_while_guardduty_does_not_answer_the_delivery_waits_and_then_opens_all_the_same(desk):
    desk.aws.failing = "5xx:InternalError"
    assert desk.sort(*known(desk, of(1))) == []
    desk.ahead = timedelta(minutes=1)
    assert desk.sort() == []
    desk.ahead = timedelta(minutes=3)
    (opened,) = desk.sort()
    assert (opened.outcome, opened.responds) == (Outcome.OPENS, None)


def test_a_restart_and_another_gateway_decide_nothing_twice(desk, ledger):
    sorted_ = desk.sort(*known(desk, of(1), of(2)))
    other = desk.new_sorter()
    assert other.sort() == []
    desk.deliver(known(desk, of(3))[0])
    assert [one.incident for one in other.sort()] == [sorted_[0].incident]
    assert desk.sorter.sort() == []
    assert len(ledger.lines(INTAKE, Kind.SORTED)) == 3


def test_death_between_the_verdict_and_the_incidents_line_loses_no_finding(desk, ledger, monkeypatch):
    """Both lines are one transaction; what is kept in memory is taken back with it."""
    (first,) = desk.sort(*known(desk, of(1)))
    desk.deliver(known(desk, of(2, key="AKIAANOTHEROFMALLORY"))[0])
    chained = store.chained

    def dies(incident, *more):
        if incident == first.incident:
            raise KeyboardInterrupt
        return chained(incident, *more)

    with monkeypatch.context() as patched:
        patched.setattr(store, "chained", dies)
        with pytest.raises(KeyboardInterrupt):
            desk.sorter.sort()
    assert len(ledger.lines(INTAKE, Kind.SORTED)) == 1, "no verdict without the incident's line"
    assert ledger.lines(first.incident, Kind.FINDING) == []
    assert [one.incident for one in desk.sorter.sort()] == [first.incident]
    assert [line.body["news"] for line in ledger.lines(first.incident, Kind.FINDING)] == [True]
    assert desk.new_sorter().sort() == []


def test_two_gateways_that_each_know_half_of_an_actors_findings_open_one_incident(desk, ledger, monkeypatch):
    one, other = desk.sorter, desk.new_sorter()
    first, second = known(desk, of(1), of(2))
    desk.deliver(first)
    asked, go_on = threading.Event(), threading.Event()
    read, other_read = one._reader.many, other._reader.many

    def slowly(findings):
        asked.set()
        assert go_on.wait(10)
        return read(findings)

    def half(findings):
        """GuardDuty does not answer the other gateway about the first one just now."""
        answers = other_read(findings)
        return [replace(found, raw={}, problem="throttled") if "1" in found.finding.id else found for found in answers]

    monkeypatch.setattr(one._reader, "many", slowly)
    monkeypatch.setattr(other._reader, "many", half)
    threads = [threading.Thread(target=one.sort), threading.Thread(target=other.sort)]
    threads[0].start()
    assert asked.wait(10)
    desk.deliver(second)
    threads[1].start()
    threads[1].join(0.3)
    go_on.set()
    for thread in threads:
        thread.join(10)
    outcomes = [line.body["outcome"] for line in ledger.lines(INTAKE, Kind.SORTED)]
    assert outcomes == ["opens", "joins"], "the second waited for the first one's word"


def test_records_that_cloudtrail_does_not_show_are_held_in_bounds_and_none_is_lost(desk, ledger, monkeypatch, caplog):
    monkeypatch.setattr(unsorted, "MOST_RECORDS", 10)
    monkeypatch.setattr(unsorted, "AT_ONCE", 7)
    ids = [f"0b7a3c1e-1111-4222-8333-{number:012d}" for number in range(45)]
    assert desk.sort(*(called(record(one, userAgent="x" * 5000)) for one in ids)) == []
    waiting = desk.sorter._unsorted.held()
    assert len(waiting) == 10
    assert "wait in the ledger" in caplog.text or "waits in the ledger" in caplog.text
    assert all("finding" not in one.line.body for one in waiting.values()), "not what was delivered, but where it lies"
    (opened,) = desk.sort(*known(desk, of(1)))
    assert opened.outcome is Outcome.OPENS, "they hold up nothing else"
    desk.aws.records = {one: record(one) for one in ids}
    for _ in range(20):
        desk.sorter.sort()
        assert len(desk.sorter._unsorted.held()) <= 10
    sorted_ = [line.body for line in ledger.lines(INTAKE, Kind.SORTED)]
    assert len(sorted_) == 46
    assert all(body["responds"] for body in sorted_)


@pytest.mark.parametrize("body", [{"incident": "inc-0123456789ab", "finding": {"id": 1}}, {"incident": "inc-0123456789ab"}, {}])
def test_a_delivery_that_cannot_be_read_any_more_is_told_and_not_left_lying(desk, ledger, body):
    ledger.append(INTAKE, Kind.DELIVERY, "delivery:odd", body)
    (told,) = desk.sorter.sort()
    assert (told.outcome, told.responds) == (Outcome.OPENS, False)
    assert "cannot be read" in told.why
    assert desk.new_sorter().sort() == []


@pytest.mark.parametrize("source", [[], 0, "ec2.amazonaws.com"])
def test_what_was_taken_as_a_record_is_read_as_one_again(desk, source):
    desk.deliver(called(record(eventSource=source)))
    desk.ahead = timedelta(hours=1)
    (told,) = desk.sorter.sort()
    assert "CloudTrail does not know" in told.why


def test_a_name_that_no_event_has_does_not_wait_for_cloudtrail(desk):
    (told,) = desk.sort(called(record("x" * 129)))
    assert told.responds is False


def test_of_two_gateways_that_sort_at_once_the_first_ones_word_holds(desk, ledger, monkeypatch):
    """Also where the lock is lost, as when PostgreSQL ends its session."""
    one, other = desk.sorter, desk.new_sorter()
    for content in known(desk, of(1), of(2), of(3)):
        desk.deliver(content)
    read = one._reader.many

    def slowly(findings):
        assert len(other._sort()) == 3
        return read(findings)

    with monkeypatch.context() as patched:
        patched.setattr(one._reader, "many", slowly)
        assert one.sort() == []
    assert one.sort() == []
    verdicts = [line.body for line in ledger.lines(INTAKE, Kind.SORTED)]
    assert [body["outcome"] for body in verdicts] == ["opens", "joins", "joins"]
    assert len(ledger.lines(verdicts[0]["incident"], Kind.FINDING)) == 2
    assert ledger.verify(INTAKE) is None


@pytest.mark.parametrize(
    "content",
    [imported(asff(Title="\ud800")), called(record(userAgent="\ud800")), called(record("\ud800"))],
    ids=["asff", "record", "id"],
)
def test_half_a_surrogate_is_taken_and_written_once(desk, content):
    assert [desk.deliver(content).outcome for _ in range(2)] == ["accepted", "duplicate"]


# ---- Security Hub and CloudTrail ------------------------------------------------------------------------------------


def test_a_guardduty_finding_through_security_hub_is_guarddutys(desk):
    other = asff_of_guardduty(ProductFields={"aws/guardduty/service/count": "4"})
    sorted_ = desk.sort(*known(desk, finding()), imported(asff_of_guardduty()), imported(other))
    incident = incident_id(parse_finding(finding()))
    assert [(one.outcome, one.incident) for one in sorted_] == [(Outcome.OPENS, incident), (Outcome.VERSION, incident)]
    assert "securityhub" not in str(desk.aws.asked)


@pytest.mark.parametrize(
    ("more", "responds", "words"),
    [
        ({}, True, "what somebody did"),
        ({"Types": ["Software and Configuration Checks/AWS Security Best Practices"]}, False, "a state"),
        ({"ProductArn": "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"}, False, "not AWS's own"),
        ({"Resources": [{"Type": "AwsAccount", "Id": "AWS::::Account:111122223333"}]}, False, "names no resource"),
        ({"Sample": True}, False, "sample"),
    ],
)
def test_a_security_hub_finding_is_read_back_and_triaged(desk, more, responds, words):
    desk.aws.hub[HUB_ID] = asff(**more)
    (one,) = desk.sort(imported(asff()))
    assert (one.outcome, one.responds) == (Outcome.OPENS, responds)
    assert words in one.why


@pytest.mark.parametrize(
    "more", [{"RecordState": "ARCHIVED"}, {"Workflow": {"Status": "SUPPRESSED"}}, {"Workflow": {"Status": "RESOLVED"}}]
)
def test_what_was_closed_in_security_hub_is_suppressed(desk, more):
    desk.aws.hub[HUB_ID] = asff(**more)
    assert desk.sort(imported(asff()))[0].outcome is Outcome.SUPPRESSED


@pytest.mark.parametrize(
    ("product", "outcome"),
    [(f"{ACCOUNT}/default", Outcome.NOTED), ("aws/inspector", Outcome.OPENS)],
    ids=["ours", "one of AWS's that only bears our name"],
)
def test_what_we_imported_into_security_hub_comes_back_and_opens_nothing(desk, product, outcome):
    account = ACCOUNT if "default" in product else ""
    ours = asff("countermand/inc-1", ProductArn=f"arn:aws:securityhub:eu-west-1:{account}:product/{product}")
    desk.aws.hub["countermand/inc-1"] = ours
    assert desk.sort(imported(ours))[0].outcome is outcome


def test_several_findings_in_one_event_are_each_sorted(desk):
    ids = [f"{HUB_ID}{number}" for number in range(3)]
    desk.aws.hub |= {id_: asff(id_) for id_ in ids}
    sorted_ = desk.sort(imported(*(asff(id_) for id_ in ids)))
    assert [one.outcome for one in sorted_] == [Outcome.OPENS, Outcome.JOINS, Outcome.JOINS], "all are about one group"


def test_an_opened_group_starts_a_response_when_cloudtrail_shows_the_record(desk):
    assert desk.sort(called(record())) == []
    desk.ahead = timedelta(minutes=5)
    desk.aws.records[EVENT_ID] = record()
    (one,) = desk.sort()
    assert (one.outcome, one.responds) == (Outcome.OPENS, True)
    assert "key:AKIAMALLORYEXAMPLE" in one.handles


def test_a_record_that_cloudtrail_never_shows_starts_nothing(desk):
    desk.deliver(called(record()))
    desk.ahead = timedelta(minutes=16)
    (one,) = desk.sort()
    assert one.responds is False
    assert "CloudTrail does not know" in one.why


_OURS = {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/CountermandResponder/countermand-inc-1"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"cidr": "10.0.0.0/8"}, "opens nothing"),
        ({"errorCode": "Client.UnauthorizedOperation"}, "changed nothing"),
        ({"eventName": "DescribeSecurityGroups", "readOnly": True}, "opens nothing"),
        ({"userIdentity": record()["userIdentity"] | _OURS}, "Countermand itself"),
    ],
)
def test_a_change_that_opens_nothing_or_is_our_own_is_noted_only(desk, more, words):
    desk.aws.records[EVENT_ID] = record(**more)
    (one,) = desk.sort(called(record()))
    assert one.outcome is Outcome.NOTED
    assert words in one.why


def test_an_approved_change_is_noted_with_its_ticket(ledger, people):
    change = {
        "ticket": "CHG-1",
        "principals": ["arn:aws:iam::111122223333:user/mallory"],
        "resources": ["sg-*"],
        "from": "2026-03-01T00:00:00Z",
        "until": "2026-03-02T00:00:00Z",
    }
    desk = Desk(ledger, people.suppressions, Policy(approved_changes=(ApprovedChange.model_validate(change),)))
    desk.aws.records[EVENT_ID] = record()
    (one,) = desk.sort(called(record()))
    assert (one.outcome, "CHG-1" in one.why) == (Outcome.NOTED, True)


@pytest.mark.parametrize(("approvers", "outcome"), [(["carol"], Outcome.NOTED), ([], Outcome.OPENS)])
def test_a_change_request_that_was_handed_in_counts_where_somebody_approved_it(desk, ledger, approvers, outcome):
    change = {
        "ticket": "CHG-2",
        "approved_by": approvers,
        "principals": ["arn:aws:iam::111122223333:user/mallory"],
        "resources": ["sg-*"],
        "from": "2026-03-01T00:00:00Z",
        "until": "2026-03-02T00:00:00Z",
    }
    KeptRequests(ledger).keep(read_requests(change), {"door": "changes"})
    desk.aws.records[EVENT_ID] = record()
    assert desk.sort(called(record()))[0].outcome is outcome


# ---- exceptions -----------------------------------------------------------------------------------------------------


def test_an_exception_suppresses_with_who_and_why_until_it_ends(desk, people):
    made = people.add("UnauthorizedAccess:IAMUser/*", names=("mallory",))
    mallory, bob = desk.sort(*known(desk, of(1), of(2, "bob")))
    assert (mallory.outcome, bob.outcome) == (Outcome.SUPPRESSED, Outcome.OPENS)
    assert made.id in mallory.why
    assert "alice: a scanner of ours" in mallory.why
    people.now[0] += timedelta(days=31)
    assert desk.sort(*known(desk, of(3)))[0].outcome is Outcome.OPENS


def test_an_exception_counts_by_what_guardduty_says_and_not_the_delivery(desk, people):
    people.add("UnauthorizedAccess:IAMUser/*", names=("bob",))
    known(desk, of(1))
    (one,) = desk.sort(envelope(of(1, "bob")))
    assert one.outcome is Outcome.OPENS


def test_an_exception_that_is_removed_holds_no_more(desk, people):
    made = people.add("UnauthorizedAccess:IAMUser/*")
    people.suppressions.remove(made.id, person="alice", reason="the scanner is gone", code=people.code())
    assert people.suppressions.standing() == []
    assert desk.sort(*known(desk, of(1)))[0].outcome is Outcome.OPENS


@pytest.mark.parametrize(
    ("types", "more", "words"),
    [
        (("*",), {}, "fits every finding"),
        (("**",), {}, "fits every finding"),
        ((), {}, "types"),
        (("A:B/C",), {"reason": ""}, "reason"),
        (("A:B/C",), {"until": datetime.now(UTC) + timedelta(days=400)}, "more than a year"),
        (("A:B/C",), {"until": datetime.now(UTC) - timedelta(days=1)}, "ends before"),
        (("A:B/C",), {"person": "mallory"}, "not among the responders"),
        (("A:B/C",), {"code": "000000"}, "wrong"),
    ],
)
def test_an_exception_is_narrow_ends_and_has_a_proved_author(people, types, more, words):
    with pytest.raises(NotSuppressed, match=words):
        people.add(*types, **more)
    assert people.suppressions.standing() == []


def test_root_and_what_is_critical_are_never_suppressed(desk, people):
    people.add("Policy:IAMUser/*", "UnauthorizedAccess:IAMUser/*", below=9.0)
    root = finding("Policy:IAMUser/RootCredentialUsage", id="a" * 32, severity=2)
    sorted_ = desk.sort(*known(desk, root, of(2, "bob", severity=9.5)))
    assert {one.outcome for one in sorted_} == {Outcome.OPENS}


def test_a_finding_that_is_archived_in_guardduty_is_suppressed(desk):
    assert desk.sort(*known(desk, of(1, service={"archived": True})))[0].outcome is Outcome.SUPPRESSED
