"""The story of an incident: every call is counted once, and every link has the record that shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from examples import ACCOUNT, NOON, plan, record, setting, step
from hypothesis import given
from hypothesis import strategies as st

from incident.actor import Actor, Credential, Link
from incident.attribution import followed
from incident.ledger import GENESIS, Kind, Line, chained
from incident.plan import Phase
from incident.record import Record
from incident.reports.story import MOST_ROWS, Calls, Lane, actor_graph, brief_calls, calls_of, timeline

STOLEN, MADE, SESSION = "AKIAMALLORYEXAMPLE", "AKIAMADE", "ASIASESSION"


def seed(**more) -> Actor:
    return Actor(
        {STOLEN: Credential(STOLEN, "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)},
        NOON,
        "finding",
        STOLEN,
        **more,
    )


def ledger(*bodies: tuple[str, str, dict]) -> list[Line]:
    lines: list[Line] = []
    for position, (kind, key, body) in enumerate(bodies, start=1):
        at, previous = NOON + timedelta(minutes=position), lines[-1].hash if lines else GENESIS
        lines.append(chained("inc-1", position, key, kind, at, body, previous))
    return lines


def noted(actor: Actor, records: list[Record], *more: tuple[str, str, dict]) -> list[Line]:
    calls = {"look": 1, "calls": brief_calls(records, actor)}
    return ledger((Kind.ACTOR, "actor:1", actor.to_json()), (Kind.NOTE, "calls:1", calls), *more)


def makes_key(new: str, *, at: int, by: str = STOLEN) -> Record:
    return record("CreateAccessKey", service="iam", key=by, at=at, response={"accessKey": {"accessKeyId": new, "userName": "eve"}})


def assumes(new: str, *, at: int, by: str = STOLEN, role: str = "Deploy") -> Record:
    asked = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    answered = {"credentials": {"accessKeyId": new}}
    return record("AssumeRole", service="sts", key=by, at=at, request=asked, response=answered, readOnly=True)


@st.composite
def records(draw: st.DrawFn) -> list[Record]:
    names = st.sampled_from(["DescribeVpcs", "CreateRoute", "RunInstances"])
    ips = st.sampled_from(["198.51.100.7", "203.0.113.9", "10.0.0.1"])
    made: list[Record] = []
    for _ in range(draw(st.integers(0, 60))):
        name = draw(names)
        more = {"readOnly": name.startswith("Describe"), "awsRegion": draw(st.sampled_from(["us-east-1", "eu-west-1"]))}
        refused = {"errorCode": "AccessDenied"} if draw(st.booleans()) else {}
        key = draw(st.sampled_from([STOLEN, STOLEN, "AKIASOMEONEELSE"]))
        made.append(record(name, at=draw(st.integers(-100, 90_000)), ip=draw(ips), key=key, **more, **refused))
    return made


@given(records(), st.integers(0, 20))
def test_every_call_of_the_actor_is_counted_once_however_many_share_a_row(found, most):
    actor = seed(owner_addresses=frozenset({"10.0.0.1"}))
    theirs = [one for one in found if actor.did(one)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("incident.reports.story.MOST_ROWS", most)
        rows = [Calls.from_json(row) for row in brief_calls(found, actor)]
    counted = Counter[tuple[str, str, bool, bool]]()
    for row in rows:
        counted[row.event, row.region, row.refused, row.changed] += row.count
    assert counted == Counter(
        (one.event_name, one.region, not one.succeeded, one.succeeded and not one.read_only) for one in theirs
    )
    assert all(row.at <= row.until for row in rows)
    assert {row.record for row in rows} <= {one.event_id for one in theirs}


def test_up_to_the_limit_each_call_has_its_own_row_and_its_own_time():
    found = [record("DescribeVpcs", at=n, readOnly=True) for n in range(50)]
    rows = [Calls.from_json(row) for row in brief_calls(found, seed())]
    assert [(row.at, row.record, row.count) for row in rows] == [(one.time, one.event_id, 1) for one in found]


@pytest.mark.parametrize("name", ["DescribeVpcs", "CreateRoute"])
def test_ten_thousand_calls_fit_into_the_rows_and_none_is_lost(name):
    found = [
        record(name, at=n, ip=f"198.51.{n % 200}.7", readOnly=name.startswith("Describe"), awsRegion=f"region-{n % 17}")
        for n in range(10_000)
    ]
    rows = brief_calls(found, seed())
    assert len(rows) <= MOST_ROWS
    assert sum(row.get("count", 1) for row in rows) == 10_000


def test_changes_keep_their_own_rows_while_reads_can_give_way():
    reads = [record("DescribeVpcs", at=n, readOnly=True) for n in range(5_000)]
    changes = [record("CreateRoute", at=n * 10) for n in range(300)]
    rows = [Calls.from_json(row) for row in brief_calls(reads + changes, seed())]
    assert sorted(row.record for row in rows if row.changed) == sorted(one.event_id for one in changes)
    assert all(row.count == 1 for row in rows if row.changed)


def test_a_call_that_hands_out_a_credential_always_has_its_own_row(monkeypatch):
    monkeypatch.setattr("incident.reports.story.MOST_ROWS", 1)
    found = [assumes(f"ASIA{n}", at=n) for n in range(20)]
    rows = brief_calls(found, followed(seed(), found))
    assert sorted(row["gave"] for row in rows) == sorted(f"ASIA{n}" for n in range(20))


def test_the_newest_look_tells_the_calls():
    first, second = ({"look": n, "calls": brief_calls([record("CreateRoute", at=n)], seed())} for n in (1, 2))
    lines = ledger((Kind.NOTE, "calls:1", first), (Kind.NOTE, "calls:2", second), (Kind.NOTE, "late-events:1", {"until": ""}))
    assert [call.record for call in calls_of(lines)] == ["CreateRoute-2-mallory"]


def test_each_credential_hangs_under_the_one_whose_call_handed_it_out():
    found = [makes_key(MADE, at=5), assumes(SESSION, at=9, by=MADE), record("CreateRoute", at=12, key=SESSION)]
    graph = actor_graph(noted(followed(seed(), found), found))
    ids = {node.keys[0]: node.id for node in graph.held}
    links = {(edge.source, edge.target): (edge.link, edge.record) for edge in graph.edges}
    assert links[ids[STOLEN], ids[MADE]] == (Link.PROVED, found[0].event_id)
    assert links[ids[MADE], ids[SESSION]] == (Link.PROVED, found[1].event_id)
    assert links[ids[SESSION], "r0"] == (Link.PROVED, found[2].event_id)
    assert [node.depth for node in graph.held] == [0, 1, 2]


def test_where_the_seed_came_from_stands_before_it_and_stays_suspected():
    how = f"it called AssumeRole that gave {STOLEN}, from 192.0.2.1"
    actor = seed().with_credential(Credential("AKIAOLIVIA", "olivia", "user", Link.SUSPECTED, how, "origin-record", ACCOUNT))
    graph = actor_graph(noted(actor, []))
    suspect = next(node for node in graph.held if node.link is Link.SUSPECTED)
    assert (suspect.depth, suspect.calls) == (0, 0)
    assert [(edge.source, edge.link, edge.record) for edge in graph.edges] == [(suspect.id, Link.SUSPECTED, "origin-record")]


def test_without_the_calls_the_links_are_read_from_the_credentials_and_never_guessed():
    found = [makes_key(MADE, at=5)]
    actor = followed(seed(), found)
    alone = actor_graph(ledger((Kind.ACTOR, "actor:1", actor.to_json())))
    assert [(edge.source, edge.target) for edge in alone.edges] == [("c0", "c1")]
    second = actor.with_credential(Credential("AKIAOTHER", "mallory", "user", Link.PROVED, "", "", ACCOUNT))
    assert actor_graph(ledger((Kind.ACTOR, "actor:1", second.to_json()))).edges == ()


def test_links_that_go_round_in_a_circle_are_no_links():
    one = Credential("AKIAONE", "one", "user", Link.SUSPECTED, "it called AssumeRole that gave AKIATWO, from x", "r1", ACCOUNT)
    two = replace(one, access_key="AKIATWO", how="it called AssumeRole that gave AKIAONE, from x", record="r2")
    graph = actor_graph(noted(seed().with_credential(one).with_credential(two), []))
    assert len(graph.held) == 3
    assert not graph.edges


def test_what_was_changed_is_named_as_the_plan_names_it_and_counted_once():
    found = [record("AuthorizeSecurityGroupIngress", at=n) for n in (1, 2)] + [record("CreateNetworkInsightsPath", at=3)]
    undo = plan(
        step(setting("security-group-rule", "sg-1", "a"), why=(found[0].event_id,)),
        step(setting("security-group-rule", "sg-2", "b"), why=(found[1].event_id,)),
        step(setting("access-key", STOLEN), why=(found[0].event_id,), phase=Phase.CONTAIN),
    )
    body = {"name": "restore", "digest": undo.digest, "plan": undo.model_dump(mode="json")}
    graph = actor_graph(noted(seed(), found, (Kind.PLAN, "plan:restore:1", body)))
    assert [(node.kind, node.names, node.changes) for node in graph.touched] == [
        ("security group rule", ("sg-1", "sg-2"), 2),
        ("network insights path", (), 1),
    ]


def test_many_leaves_of_one_parent_share_a_node_and_none_is_lost():
    found = [assumes(f"ASIA{n:03}", at=n) for n in range(200)]
    graph = actor_graph(noted(followed(seed(), found), found))
    assert len(graph.held) < 10
    assert sum(len(node.keys) for node in graph.held) == 201


def test_a_chain_of_a_thousand_roles_is_told_to_its_end():
    found = [assumes(f"ASIA{n + 1}", at=n, by=f"ASIA{n}" if n else STOLEN) for n in range(1_000)]
    actor = seed()
    for one in found:
        actor = followed(actor, [one])
    graph = actor_graph(noted(actor, found))
    assert max(node.depth for node in graph.held) == 1_000


def test_a_ledger_that_says_nothing_tells_an_empty_story():
    assert (actor_graph([]).held, timeline([]).marks, timeline([]).calls) == ((), (), ())


def test_the_responses_moments_stand_in_their_lanes():
    phase = {"phase": "contain", "round": 2}
    lines = ledger(
        (Kind.OPENED, "opened", {"type": "x"}),
        (Kind.PHASE, "phase:contain:2:begun", {**phase, "state": "begun"}),
        (Kind.QUESTION, "question:q", {"digest": "d" * 64}),
        (Kind.DECISION, "decision:q:alice", {"person": "alice", "answer": "reject"}),
        (Kind.OUTCOME, "outcome:1", {"title": "Close it", "result": "failed", "phase": "contain"}),
        (Kind.PHASE, "phase:contain:2:done", {**phase, "state": "done", "returned": "x"}),
        (Kind.PHASE, "phase:recover:2:begun", {"phase": "recover", "round": 2, "state": "begun"}),
    )
    told = {mark.what: mark for mark in timeline(lines).marks}
    assert told["contain (look 2)"].until == lines[5].at
    assert told["recover (look 2)"].until is None
    assert told["Close it: failed"].lane is Lane.STEPS
    assert not told["Close it: failed"].well
    assert not told["alice: reject"].well
