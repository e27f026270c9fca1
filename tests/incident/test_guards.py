"""What no plan may do: each refusal names the step and the rule, and without a rule nothing is refused."""

from __future__ import annotations

import pytest
from examples import ACCOUNT, REGION, plan, setting, step
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incident.family import Scope
from incident.guards import Tagged, existing_resources, refusals, tagged
from incident.plan import Phase
from incident.planner import Unread
from incident.policy import Policy
from incident.resources.credentials import USER_CREDENTIAL_KINDS

HERE = Scope(ACCOUNT, REGION)
GUARDED = Policy(protected_tags={"env": "prod*"})
HALF = Policy(largest_share=0.5)


def group(number: int) -> str:
    return f"sg-{number:08x}"


def groups(number: int) -> dict[Scope, frozenset[tuple[str, str]]]:
    return {HERE: frozenset(("security-group", group(one)) for one in range(number))}


def rule(number: int, **more):
    """A step on a rule of a group, which takes it away."""
    key = setting("security-group-rule", group(number), "ingress tcp 22 0.0.0.0/0")
    return step(key, **{"expects": {"a": 1}, "phase": Phase.ERADICATE, **more})


def tagged_as(number: int) -> Tagged:
    return Tagged(ACCOUNT, REGION, group(number))


# --- protected tags -----------------------------------------------------------------------------------------------------------

VALUES = st.sampled_from(["prod", "prod-eu", "staging", "nonprod", ""])
LIVE = st.one_of(st.dictionaries(st.sampled_from(["env", "team", "Env"]), VALUES), st.builds(Unread, st.just("AccessDenied")))


@given(st.dictionaries(st.integers(0, 8), LIVE))
def test_exactly_the_steps_on_protected_or_unknown_resources_are_refused(live):
    steps = [rule(number) for number in range(9)]
    tags = {tagged_as(number): held for number, held in live.items()}
    assert refusals(plan(*steps), Policy(), tags=tags) == []
    found = refusals(plan(*steps), GUARDED, tags=tags)
    protected = {
        steps[number].id
        for number in range(9)
        if isinstance(held := live.get(number, Unread("")), Unread) or held.get("env", "").startswith("prod")
    }
    assert {refusal.step for refusal in found} == protected
    assert len(found) == len(protected)
    assert {refusal.rule for refusal in found} <= {"protected_tags"}


def test_a_refusal_says_which_step_which_rule_and_which_tag():
    one = rule(1)
    (told,) = refusals(plan(one), GUARDED, tags={tagged_as(1): {"env": "prod-eu"}})
    assert str(told) == (f"refused by rule protected_tags: {group(1)} ({REGION}) has the protected tag env=prod-eu (step {one.id})")


def test_tags_that_could_not_be_read_refuse_with_the_reason():
    (told,) = refusals(plan(rule(1)), GUARDED, tags={tagged_as(1): Unread("RequestExpired")})
    assert "not known: RequestExpired" in told.reason


def test_an_isolated_instance_is_asked_about_though_the_step_is_on_its_interface():
    one = step(setting("network-interface-attribute", "eni-0123456789abcdef0", "Groups"), concerns="i-0123456789abcdef0")
    assert {resource.resource for resource in tagged([one])} == {"eni-0123456789abcdef0", "i-0123456789abcdef0"}


def test_only_what_ec2_names_by_an_id_has_tags_that_can_be_read():
    names = ["tgw-attach-0123456789abcdef0", "eipalloc-01234567", "web", "sg-placeholder", "arn:aws:iam::1:mfa/x-01234567", "AKIA1"]
    found = tagged(step(setting("security-group", name)) for name in names)
    assert {one.resource for one in found} == {"tgw-attach-0123456789abcdef0", "eipalloc-01234567"}


# --- the share of what was there ----------------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.sets(st.integers(0, 40)), st.floats(0.01, 1))
def test_a_plan_changes_no_more_than_its_share_of_what_was_there(there, touched, share):
    steps = [rule(number) for number in sorted(touched)]
    assert refusals(plan(*steps), Policy(), existing=groups(there)) == []
    found = refusals(plan(*steps), Policy(largest_share=share), existing=groups(there))
    old = [number for number in sorted(touched) if number < there]
    too_much = share < 1 and there >= 10 and len(old) > share * there
    assert [refusal.step for refusal in found] == ([rule(number).id for number in old] if too_much else [])


def test_a_refusal_says_how_many_of_how_many():
    found = refusals(plan(*(rule(number) for number in range(6))), HALF, existing=groups(10))
    assert len(found) == 6
    assert found[0].rule == "largest_share"
    assert found[0].reason == "the plan changes 6 of 10 security groups in us-east-1, more than the 50% that the policy allows"


def test_what_makes_something_that_is_missing_does_not_count():
    back = [rule(number, expects=None, leaves={"a": 1}, phase=Phase.RECOVER) for number in range(10)]
    assert refusals(plan(*back), HALF, existing=groups(10)) == []


def test_several_steps_on_one_resource_count_once():
    key = setting("security-group-rule", group(1))
    steps = [step(key._replace(name=f"rule {number}"), expects={}) for number in range(9)]
    assert refusals(plan(*steps), HALF, existing=groups(10)) == []


def test_a_tag_counts_for_the_resource_that_has_it():
    steps = [step(setting("tag", group(number), "Name"), expects="a", leaves="b") for number in range(6)]
    assert {refusal.rule for refusal in refusals(plan(*steps), HALF, existing=groups(10))} == {"largest_share"}


def test_kinds_of_one_name_are_counted_apart():
    there = {Scope(ACCOUNT, "global"): frozenset((kind, f"web{number}") for kind in ("user", "role") for number in range(10))}
    steps = [step(setting(kind, f"web{number}", "", "global"), expects={}) for kind in ("user", "role") for number in range(5)]
    assert refusals(plan(*steps), HALF, existing=there) == []


def test_what_a_baseline_did_not_read_completely_is_not_counted():
    settings = [(setting("security-group", group(1)), {}), (setting("vpc", "vpc-1"), {}), (setting("vpc", "vpc-2"), None)]
    assert existing_resources(settings, frozenset({"vpc"})) == {("vpc", "vpc-1")}


@pytest.mark.parametrize("share", [0, -0.1, 1.1])
def test_a_share_is_more_than_nothing_and_at_most_all(share):
    with pytest.raises(ValidationError):
        Policy(largest_share=share)


# --- the number of steps, and those whom nothing may cut off -------------------------------------------------------------------


def test_every_step_beyond_the_largest_plan_is_refused():
    steps = [rule(number) for number in range(5)]
    found = refusals(plan(*steps), Policy(largest_plan=3))
    assert [(refusal.step, refusal.rule) for refusal in found] == [(one.id, "largest_plan") for one in steps[3:]]


@pytest.mark.parametrize("kind", sorted(USER_CREDENTIAL_KINDS))
def test_no_step_takes_a_credential_of_somebody_who_breaks_glass(kind: str):
    policy = Policy(break_glass=(f"arn:aws:iam::{ACCOUNT}:user/glass",))
    touched = step(setting(kind, "glass", "one", "global"), expects={})
    assert [refusal.rule for refusal in refusals(plan(touched), policy)] == ["break_glass"]
