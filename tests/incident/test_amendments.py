"""What responders add to a case: read as they mean it or refused with what to write, and counted before all that was found."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from examples import ACCOUNT, NOON, record, setting, step
from hypothesis import given
from hypothesis import strategies as st

from incident.actor import Actor, Credential, Link
from incident.amendments import Amendments, Unclear, amendment, read_amendment
from incident.attribution import followed
from incident.plan import Phase, Unplanned
from incident.planner import Unread, propose
from incident.release import released
from incident.settings import UNKNOWN, Observed, Reversal, Source

RULE = setting("security-group-rule", "sg-1", "ingress tcp 22-22 0.0.0.0/0")
GROUP = setting("security-group", "sg-1")
ADDED = record("AuthorizeSecurityGroupIngress")
SAID = {"person": "alice", "surface": "command line", "reason": "asked the owner", "at": NOON + timedelta(hours=1)}
LEFT = Unplanned(status="conflict", what="the rule", why="two hands", key=RULE, found={"description": "theirs"})
UNREAD = Unplanned(status="unread", what="stop it", why="AccessDenied", key=setting("access-key", "AKIA9", "eve", region="global"))
BARE = Unplanned(status="not-understood", what="ec2:Whatever in us-east-1", why="no part of Countermand undoes it")


FULL = Unplanned(status="not-invertible", what="CreateBucket", why="the bucket holds objects", key=setting("bucket", "theirs"))


def read(text: str, **more):
    return amendment(text, SAID | more, [LEFT, BARE, UNREAD, FULL])


def told(*texts: str) -> Amendments:
    return Amendments.of(read(text) for text in texts)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no amendment"),
        ("please undo it", "no amendment"),
        ("left-00000000 keep", "leaves left-00000000 to people"),
        (f"{LEFT.id}", "say what"),
        (f"{LEFT.id} = {{", "not JSON"),
        (f"{LEFT.id} = 7", "no value of a security group rule"),
        (f"{BARE.id} keep", "no value to choose"),
        (f"{UNREAD.id} keep", "no value to choose"),
        (f"{LEFT.id} empty", "no bucket"),
        (f"{BARE.id} empty", "no bucket"),
        (f"{FULL.id} absent", "no value to choose"),
        ("window tomorrow", "2026-11-24T02:15:00Z"),
        ("window 2026-03-01T12:00:00", "zone"),
        ("window 2027-03-01T12:00:00Z", "future"),
        ("strike", "no amendment"),
        ("credential AKIA1 maybe", "no amendment"),
    ],
)
def test_words_that_amend_nothing_are_refused_with_what_to_write(text, words):
    with pytest.raises(Unclear, match="(?i)" + words.replace("(", r"\(")):
        read(text)


def test_to_be_done_by_hand_needs_a_reason():
    with pytest.raises(Unclear, match="how"):
        read(f"{BARE.id} done", reason="")


def test_only_a_persons_word_with_its_reason_lets_a_bucket_be_emptied():
    with pytest.raises(Unclear, match="why the objects"):
        read(f"{FULL.id} empty", reason="")
    said = told(f"{FULL.id} empty")
    assert set(said.emptied) == {FULL.key}
    assert said.in_words == ("alice let bucket theirs be emptied and deleted: asked the owner",)
    assert told(f"{FULL.id} done").emptied == {}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    try:
        amended = read(text)
    except Unclear:
        return
    assert read_amendment(json.loads(amended.model_dump_json())) == amended


@pytest.mark.parametrize(
    "text",
    [
        f"{LEFT.id} keep",
        f"{LEFT.id} absent",
        f'{LEFT.id} = {{"description": "mine"}}',
        f"{BARE.id} done",
        "window 2026-03-01T11:00:00Z",
        "strike 12-34",
        "credential AKIA1 theirs",
        "credential AKIA1 not-theirs",
        "release",
        "release contain-1 contain-2",
        "look-again",
    ],
)
def test_each_form_survives_the_ledger(text):
    assert read_amendment(json.loads(read(text).model_dump_json())) == read(text)


def undone(amendments: Amendments, live, **more):
    given_ = {"key": RULE, "target": None, "source": Source.RECORD, "written": {"description": ""}, "by_actor": (ADDED,)} | more
    return propose([amendments.settle(Reversal(**given_))], {RULE: live})


def test_a_chosen_value_settles_a_conflict():
    live = Observed(RULE, {"description": "theirs"})
    assert undone(Amendments(), live).unplanned[0].status == "conflict"
    (step,) = undone(told(f"{LEFT.id} absent"), live).steps
    assert step.leaves is None
    assert step.source == "a responder"


def test_a_kept_value_needs_no_step_and_leaves_nothing_open():
    proposal = undone(told(f"{LEFT.id} keep"), Observed(RULE, {"description": "theirs"}))
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_a_choice_holds_only_for_the_value_that_the_person_saw():
    proposal = undone(told(f"{LEFT.id} absent"), Observed(RULE, {"description": "changed meanwhile"}))
    assert proposal.steps == ()
    assert proposal.unplanned[0].status == "conflict"


def test_a_value_that_nothing_tells_is_supplied():
    missing = {"target": UNKNOWN, "source": Source.NOTHING, "written": {"description": "theirs"}}
    live = Observed(RULE, {"description": "theirs"})
    assert undone(Amendments(), live, **missing).unplanned[0].status == "needs-prior-state"
    (step,) = undone(told(f'{LEFT.id} = {{"description": "customers"}}'), live, **missing).steps
    assert step.leaves == {"description": "customers"}


def test_of_two_words_on_one_setting_the_later_counts():
    assert told(f"{LEFT.id} keep", f"{LEFT.id} absent").settled[RULE].to is None


def test_what_came_with_a_resource_that_a_person_keeps_stays_too():
    made = record("CreateSecurityGroup")
    group = Reversal(key=GROUP, target=None, source=Source.RECORD, written={"x": 1}, by_actor=(made,))
    rule = Reversal(key=RULE, target=None, source=Source.RECORD, written={"description": ""}, by_actor=(made,))
    kept = replace(group, target={"x": 1}, source=Source.RESPONDER)
    live = {GROUP: Observed(GROUP, {"x": 1}), RULE: Observed(RULE, {"description": ""})}
    assert propose([kept, rule], live).steps == ()


def test_an_item_done_by_hand_is_left_no_more_and_is_told():
    amendments = told(f"{BARE.id} done")
    assert amendments.left([LEFT, BARE]) == (LEFT,)
    assert amendments.in_words == ("alice took care of ec2:Whatever in us-east-1: asked the owner",)


# --- the actor ----------------------------------------------------------------------------------------------------------------

SEED = Credential("AKIA1", "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
NEW_KEY = record("CreateAccessKey", service="iam", key="AKIA1", response={"accessKey": {"accessKeyId": "AKIA2", "userName": "eve"}})


def actor(*texts: str) -> Actor:
    return told(*texts).applied_to(Actor({"AKIA1": SEED}, NOON, "the finding's first sign", "AKIA1"))


def test_a_moved_window_counts_from_then_on_and_says_who_moved_it():
    moved = actor("window 2026-03-01T12:00:30Z")
    assert not moved.did(record("DeleteVpc", key="AKIA1", at=10))
    assert moved.did(record("DeleteVpc", key="AKIA1", at=30))
    assert moved.since_reason == "alice set it: asked the owner"


def test_a_struck_record_is_not_the_actors_and_hands_out_nothing():
    struck = followed(actor(f"strike {NEW_KEY.event_id}"), [NEW_KEY])
    assert not struck.did(NEW_KEY)
    assert set(struck.credentials) == {"AKIA1"}


def test_a_credential_that_a_person_excludes_acts_for_nobody():
    excluded = followed(actor("credential AKIA2 not-theirs"), [NEW_KEY])
    assert excluded.credentials["AKIA2"].link is Link.EXCLUDED
    assert not excluded.did(record("DeleteVpc", key="AKIA2", at=10))


def test_a_suspected_credential_that_a_person_confirms_is_proved():
    suspected = replace(SEED, access_key="AKIA3", link=Link.SUSPECTED)
    assert actor("credential AKIA3 theirs").with_credential(suspected).did(record("DeleteVpc", key="AKIA3", at=10))


# --- release --------------------------------------------------------------------------------------------------------------------

KEY = setting("access-key", "AKIA1", "mallory", region="global")
STOPPED = step(KEY, expects="Active", leaves="Inactive", phase=Phase.CONTAIN, title="Deactivate access key AKIA1")


def test_containment_is_taken_back_to_what_was_before_and_says_what_that_means():
    ((back,), left) = released([STOPPED], {KEY: Observed(KEY, "Inactive")})
    assert (back.expects, back.leaves, back.phase) == ("Inactive", "Active", Phase.RELEASE)
    assert "whoever stole this key can use it again" in back.title
    assert left == []


def test_what_is_as_it_was_already_needs_no_release():
    assert released([STOPPED], {KEY: Observed(KEY, "Active")}) == ([], [])


def test_what_somebody_changed_since_is_not_released_over_them():
    policy = setting("role-policy", "Deploy", "CountermandRevokeOlderSessions", region="global")
    denied = step(policy, expects=None, leaves="{}", phase=Phase.CONTAIN)
    steps, (item,) = released([denied], {policy: Observed(policy, '{"theirs": 1}')})
    assert (steps, item.status) == ([], "conflict")


def test_what_cannot_be_read_is_not_released():
    steps, (item,) = released([STOPPED], {KEY: Unread("AccessDenied")})
    assert (steps, item.status) == ([], "unread")


def test_the_last_change_is_taken_back_first():
    other = setting("access-key", "AKIA2", "mallory", region="global")
    second = step(other, expects="Active", leaves="Inactive", phase=Phase.CONTAIN)
    steps, _ = released([STOPPED, second], {KEY: Observed(KEY, "Inactive"), other: Observed(other, "Inactive")})
    assert [one.key for one in steps] == [other, KEY]


def test_a_release_names_steps_or_all_of_them():
    assert told("release").releases("contain-1")
    assert told("release contain-1 contain-2").releases("contain-2")
    assert not told("release contain-1").releases("contain-9")
