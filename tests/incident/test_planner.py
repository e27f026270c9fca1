"""Planning: the smallest way back, in an order that cuts nothing that is still needed."""

from __future__ import annotations

from examples import ACCOUNT, REGION, plan, record, setting, step
from hypothesis import given
from hypothesis import strategies as st

from incident.plan import Phase
from incident.planner import Unread, first_wave, ordered, propose
from incident.resources.identity import access_key
from incident.settings import UNKNOWN, Observed, Reversal, Source

INSTANCE = setting("instance", "i-1")
RUN = record("RunInstances")


def reversal(key, target, written, source=Source.RECORD, since=()):
    return Reversal(key=key, target=target, source=source, written=written, by_actor=(RUN,), since=since)


def test_what_the_actor_made_is_deleted_with_its_reason():
    made = reversal(INSTANCE, None, {"image": "ami-1", "type": "t3.micro"})
    proposal = propose([made], {INSTANCE: Observed(INSTANCE, {"image": "ami-1", "type": "t3.micro"})})
    (only,) = proposal.steps
    assert (only.phase, only.calls[-1].operation, only.leaves) == (Phase.ERADICATE, "TerminateInstances", None)
    assert only.why == (RUN.event_id,)
    assert only.irreversible


def test_what_is_already_right_needs_no_step():
    assert propose([reversal(INSTANCE, None, {"image": "ami-1"})], {INSTANCE: None}).steps == ()


def test_a_value_that_nobody_of_ours_wrote_is_a_conflict_for_a_person():
    key = access_key(ACCOUNT, "AKIA1", "eve")
    proposal = propose([reversal(key, "Inactive", "Active")], {key: None})
    assert [item.status for item in proposal.unplanned] == ["conflict"]
    assert proposal.steps == ()


def test_nothing_is_guessed_where_no_prior_value_is_known():
    key = access_key(ACCOUNT, "AKIA1", "eve")
    proposal = propose([reversal(key, UNKNOWN, "Active", Source.NOTHING)], {key: Observed(key, "Active")})
    assert [item.status for item in proposal.unplanned] == ["needs-prior-state"]


def test_an_unread_setting_is_never_taken_for_clean():
    proposal = propose([reversal(INSTANCE, None, {})], {INSTANCE: Unread("AccessDenied")})
    assert proposal.unplanned[0].status == "unread"
    assert "AccessDenied" in proposal.unplanned[0].why


def test_what_hangs_on_a_user_that_the_actor_made_goes_with_them():
    user, policy = setting("user", "eve", region="global"), setting("user-policy", "eve", "everything", region="global")
    found = {user: Observed(user, {}), policy: Observed(policy, "{}")}
    proposal = propose([reversal(user, None, {}), reversal(policy, UNKNOWN, "{}", Source.NOTHING)], found)
    (step,) = proposal.steps
    operations = [call.operation for call in step.calls]
    assert operations[-1] == "DeleteUser"
    assert "DeleteUserPolicy" in operations


def test_a_deletion_waits_for_everything_that_still_names_the_resource():
    volume = step(setting("volume", "vol-1"), expects={}, phase=Phase.ERADICATE)
    uses_it = step(setting("instance", "i-9"), expects={"disk": "vol-1"}, leaves={"disk": "vol-2"})
    first, second = ordered([volume, uses_it])
    assert (first.id, second.id) == (uses_it.id, volume.id)
    assert second.after == (uses_it.id,)
    assert [item.id for item in first_wave(plan(first, second))] == []


def test_exposure_is_closed_before_anything_else():
    quiet = step(setting("key-pair", "k"), expects={}, phase=Phase.ERADICATE)
    opened = step(setting("volume", "vol-1", "access"), expects={"x": 1}, leaves={"x": 2}, closes_exposure=True)
    assert ordered([quiet, opened])[0].id == opened.id


def test_a_step_that_waits_for_itself_runs():
    one = step(setting("volume", "vol-1"), expects={}, leaves={"a": 1})
    (only,) = ordered([one.model_copy(update={"after": (one.id,)})])
    assert only.after == ()


@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
def test_names_that_an_actor_wrote_in_circles_keep_no_plan_from_being_made(edges):
    """Each resource is to go, and its value names others: nothing that it says may leave a step out or make it wait for ever."""
    names = [f"role-{index}" for index in range(8)]
    steps = [
        step(setting("role", name, region="global"), expects={"trusts": [names[high] for low, high in edges if low == index]})
        for index, name in enumerate(names)
    ]
    plan_ = ordered(steps)
    assert {one.id for one in plan_} == {one.id for one in steps}
    done: set[str] = set()
    for one in plan_:
        assert set(one.after) <= done
        done.add(one.id)


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
def test_no_step_ever_comes_before_one_that_it_needs(order, edges):
    steps = [step(setting("volume", f"vol-{index}"), expects={"n": index}, leaves={"n": index + 1}) for index in range(6)]
    needing = [
        item.model_copy(update={"after": tuple(sorted(steps[low].id for low, high in edges if low < high == index))})
        for index, item in enumerate(steps)
    ]
    placed = ordered(needing[index] for index in order)
    assert {item.id for item in placed} == {item.id for item in steps}
    for position, item in enumerate(placed):
        assert set(item.after) <= {earlier.id for earlier in placed[:position]}


def test_the_digest_names_the_content_and_nothing_else():
    one = step(setting("volume", "vol-1"), expects={})
    assert plan(one).digest == plan(one.model_copy()).digest
    assert plan(one).digest != plan(one.model_copy(update={"expects": {"a": 1}})).digest


def test_striking_a_step_strikes_what_must_follow_it():
    first = step(setting("volume", "vol-1"), expects={})
    second = step(setting("volume", "vol-2"), expects={}, after=(first.id,))
    third = step(setting("volume", "vol-3"), expects={})
    assert [item.id for item in plan(first, second, third).without(frozenset({first.id})).steps] == [third.id]


def test_regions_are_part_of_a_settings_name():
    assert str(setting("volume", "vol-1")) == f"{ACCOUNT}/{REGION}/volume/vol-1"
