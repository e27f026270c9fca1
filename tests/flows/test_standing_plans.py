"""An approval holds for the state that it was given for, and only as long as it says; else a new plan is made and asked about."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from flows import respond
from flows.case import Case
from incident.approvals import Answer, Standing
from incident.ledger import Kind
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import Policy, Preauthorization, Responder
from incident.settings import Observed, SettingKey
from tasks.approvals import Approvals
from tasks.executor import Executor, Outcome, Result

INCIDENT = "inc-1"
CALL = PlannedCall(service="iam", operation="UpdateAccessKey", parameters={}, permissions=("iam:UpdateAccessKey",))
STEPS = tuple(
    Step(
        id=f"contain-{number}",
        phase=Phase.CONTAIN,
        title=f"stop {number}",
        key=SettingKey("111122223333", "global", "access-key", f"AKIA{number}", "mallory"),
        expects="Active",
        leaves="Inactive",
        calls=(CALL,),
        undo=(CALL,),
    )
    for number in range(3)
)
PLAN = Plan(incident=INCIDENT, title="Contain the actor", steps=STEPS)
RULE = Preauthorization(name="keys off", settings=("access-key",), severity=7)


@pytest.fixture
def desk(ledger, monkeypatch):
    time = SimpleNamespace(now=datetime(2026, 3, 1, 12, tzinfo=UTC))
    policy = Policy(responders=(Responder(name="alice"),), preauthorized=(RULE,))
    approvals = Approvals(ledger, policy, lambda: time.now)
    executor = Executor(SimpleNamespace(), ledger, approvals)
    hands = SimpleNamespace(ledger=ledger, approvals=approvals, executor=executor, clock=lambda: time.now, aws=SimpleNamespace())
    hands.aws.act_for = lambda incident: None
    told: list[str] = []
    live = {step.key: Observed(step.key, "Active") for step in STEPS}

    async def read(keys):
        return {key: live[key] for key in keys}

    async def post(incident, key, text, blocks):
        told.append(text)

    monkeypatch.setattr(respond, "read_settings", read)
    monkeypatch.setattr(respond, "post", post)
    case = Case(INCIDENT, hands)
    case.begin_look(1, "first")
    case.keep_plan("contain", 1, PLAN)

    def ends(step: Step, result: Result) -> None:
        executor._conclude(PLAN, step, Outcome(step.id, result))

    def agree():
        asked = approvals.ask(PLAN, "contain", 1, ())
        approvals.decide(
            INCIDENT, asked.id, person="alice", method="one-time-code", surface="prefect", answer=Answer.APPROVE, digest=PLAN.digest
        )
        return asked

    return SimpleNamespace(case=case, approvals=approvals, time=time, live=live, told=told, ends=ends, agree=agree)


def still_there(desk, asked) -> Standing:
    return asyncio.run(respond._still_there(desk.case, PLAN, asked, 1))


def set_to(desk, number: int, value: str | None) -> None:
    key = STEPS[number].key
    desk.live[key] = Observed(key, value) if value is not None else None


@pytest.mark.parametrize("value", ["Active", "Inactive"])
def test_a_state_that_is_as_planned_or_already_right_stands(desk, value):
    asked = desk.agree()
    set_to(desk, 1, value)
    assert still_there(desk, asked) is Standing.APPROVED
    assert desk.approvals.permits(PLAN, "contain-0") == ""


def test_a_moved_state_voids_the_approval_and_a_new_look_begins(desk):
    asked = desk.agree()
    set_to(desk, 1, None)
    assert still_there(desk, asked) is Standing.MOVED
    assert desk.approvals.standing(INCIDENT, asked.id) is Standing.MOVED
    assert "no valid approval" in desk.approvals.permits(PLAN, "contain-0")
    assert len(desk.case.looks()) == 2
    assert "stop 1: it is absent" in desk.told[0]


GROUP = SettingKey("111122223333", "us-east-1", "security-group", "quarantine-closed-of-vpc-1")
AT_FIRST = ["egress all all 0.0.0.0/0"]


def grouped(desk, monkeypatch) -> Step:
    """Let the plan make a quarantine group and take its rules; the step that makes it."""
    rules = GROUP._replace(kind="security-group-rules", name="egress")
    making = STEPS[0].model_copy(
        update={"key": GROUP, "expects": None, "leaves": {"GroupName": "ours"}, "replaces": GROUP.resource}
    )
    emptying = STEPS[1].model_copy(update={"key": rules, "expects": AT_FIRST, "leaves": [], "after": (making.id,)})
    monkeypatch.setitem(globals(), "PLAN", Plan(incident=INCIDENT, title="Contain the actor", steps=(making, emptying)))
    desk.live.update({GROUP: None, rules: None})
    return making


def test_what_the_plan_has_yet_to_make_has_not_moved(desk, monkeypatch):
    grouped(desk, monkeypatch)
    assert still_there(desk, desk.agree()) is Standing.APPROVED


@pytest.mark.parametrize(("found", "stands"), [(AT_FIRST, Standing.APPROVED), ([], Standing.APPROVED), (["x"], Standing.MOVED)])
def test_what_the_plan_made_before_it_was_asked_about_is_read_under_its_id(desk, monkeypatch, found, stands):
    making = grouped(desk, monkeypatch)
    desk.case.hands.executor._conclude(PLAN, making, Outcome(making.id, Result.DONE, new_id="sg-0123456789abcdef0"))
    rules = GROUP._replace(kind="security-group-rules", name="egress", resource="sg-0123456789abcdef0")
    desk.live[rules] = Observed(rules, found)
    assert still_there(desk, desk.agree().model_copy(update={"begun": (making.id,)})) is stands


def test_a_plan_that_was_begun_is_carried_on(desk):
    asked = desk.agree()
    desk.ends(STEPS[0], Result.DONE)
    set_to(desk, 1, None)
    assert still_there(desk, asked) is Standing.APPROVED


def test_a_state_that_moves_all_the_time_is_left_to_the_executor_in_the_end(desk):
    asked = desk.agree()
    for look in range(respond.PLANNED_AGAIN):
        desk.case.begin_look(look + 2, respond._MOVED)
    set_to(desk, 1, None)
    assert still_there(desk, asked) is Standing.APPROVED


def test_what_an_approval_that_ran_out_left_undone_is_asked_about_again(desk):
    desk.agree()
    desk.ends(STEPS[0], Result.DONE)
    desk.time.now += timedelta(hours=2)
    desk.ends(STEPS[1], Result.REFUSED)
    asyncio.run(respond._ask_for_the_rest(desk.case, "contain", 1))
    assert desk.case.looks() == ["first", respond._RAN_OUT]


def test_a_rejection_is_not_asked_about_again(desk):
    asked = desk.approvals.ask(PLAN, "contain", 1, ())
    desk.approvals.decide(
        INCIDENT,
        asked.id,
        person="alice",
        method="one-time-code",
        surface="prefect",
        answer=Answer.REJECT,
        digest=PLAN.digest,
        reason="no",
    )
    desk.ends(STEPS[1], Result.REFUSED)
    asyncio.run(respond._ask_for_the_rest(desk.case, "contain", 1))
    assert desk.case.looks() == ["first"]


def test_what_the_policy_allows_runs_before_anybody_is_asked_until_somebody_says_no(desk):
    assert set(desk.approvals.preauthorize(PLAN, 8)) == {step.id for step in STEPS}
    assert desk.approvals.permits(PLAN, "contain-0") == ""
    asked = desk.approvals.ask(PLAN, "contain", 1, ())
    assert len(asked.begun) == 3
    desk.approvals.decide(
        INCIDENT,
        asked.id,
        person="alice",
        method="one-time-code",
        surface="prefect",
        answer=Answer.REJECT,
        digest=PLAN.digest,
        reason="no",
    )
    assert "no valid approval" in desk.approvals.permits(PLAN, "contain-0")


def test_what_the_policy_allowed_holds_no_longer_than_an_answer(desk):
    desk.approvals.preauthorize(PLAN, 8)
    desk.time.now += timedelta(hours=2)
    assert "no valid approval" in desk.approvals.permits(PLAN, "contain-0")


def test_a_mild_finding_allows_nothing(desk, ledger):
    assert desk.approvals.preauthorize(PLAN, 6) == {}
    assert ledger.lines(INCIDENT, Kind.PREAUTHORIZATION) == []
    assert "no valid approval" in desk.approvals.permits(PLAN, "contain-0")
