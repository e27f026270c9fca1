"""What the actor made: what exists, what is gone and by whom, what others rely on."""

from __future__ import annotations

from examples import NOON, plan, record, setting, step

from incident.approvals import Asked
from incident.families import family_for_event
from incident.made import made_by_actor, made_rows, summed_up
from incident.people.messages import approval_form, question
from incident.plan import Made, MadeState, Phase, Plan
from incident.planner import Unread
from incident.record import Record
from incident.settings import Fold, Observed, Reversal, SettingKey, reversals

USERS = "arn:aws:iam::111122223333:user"


def volume(operation: str, name: str, at: int, user: str = "mallory") -> Record:
    answer = {"volumeId": name} if operation == "CreateVolume" else {}
    return record(operation, at=at, user=user, request={"volumeId": name} if not answer else {}, response=answer)


def written(*records: Record) -> list[Reversal]:
    fold = Fold()
    for one in records:
        family = family_for_event(one.operation)
        assert family is not None
        fold.read(one, family.writes)
    return reversals(fold, lambda one: one.identity.name == "mallory")


def key(name: str) -> SettingKey:
    return setting("volume", name)


def test_each_thing_is_told_with_what_became_of_it_and_by_whom():
    found = written(
        volume("CreateVolume", "vol-a", 1),
        volume("CreateVolume", "vol-b", 2),
        volume("DeleteVolume", "vol-b", 3),
        volume("CreateVolume", "vol-c", 4),
        volume("DeleteVolume", "vol-c", 5, "alice"),
        volume("CreateVolume", "vol-d", 6),
        volume("CreateVolume", "vol-e", 7),
        volume("CreateVolume", "vol-f", 8),
    )
    live = {
        key("vol-a"): Observed(key("vol-a"), {}),
        key("vol-e"): Unread("AccessDenied"),
        **{key(f"vol-{n}"): None for n in "bcdf"},
    }
    told = {one.key.resource: (one.state, one.detail) for one in made_by_actor(found, live, {key("vol-f")})}
    assert told == {
        "vol-a": (MadeState.EXISTS, ""),
        "vol-b": (
            MadeState.GONE,
            f"DeleteVolume by {USERS}/mallory, the actor, 2026-03-01 12:00:03 UTC, record DeleteVolume-3-mallory",
        ),
        "vol-c": (
            MadeState.GONE,
            f"DeleteVolume by {USERS}/alice, 2026-03-01 12:00:05 UTC, record DeleteVolume-5-alice",
        ),
        "vol-d": (MadeState.GONE, "no record tells who deleted it: it may have ended by itself"),
        "vol-e": (MadeState.UNREAD, "AccessDenied"),
        "vol-f": (MadeState.GONE, "this response deleted it"),
    }


def test_what_others_rely_on_says_who_does():
    snapshot = setting("snapshot", "snap-1")
    made = written(record("CreateSnapshot", at=1, response={"snapshotId": "snap-1"}))
    (told,) = made_by_actor(made, {snapshot: Observed(snapshot, {}, {"used by": "ami-1"})})
    assert (told.state, told.detail) == (MadeState.RELIED_ON, "ami-1 uses it")
    policy, arn = "global", "arn:aws:iam::111122223333:policy/theirs"
    created = record("CreatePolicy", service="iam", at=1, request={"policyDocument": "{}"}, response={"policy": {"arn": arn}})
    given = record("AttachRolePolicy", service="iam", at=2, user="alice", request={"roleName": "ops", "policyArn": arn})
    one = setting("managed-policy", arn, "", policy)
    (told,) = made_by_actor(written(created, given), {one: Observed(one, {"PolicyDocument": "{}"})})
    assert told.state is MadeState.RELIED_ON
    assert told.detail == f"{USERS}/alice called AttachRolePolicy at 2026-03-01 12:00:02 UTC"


def test_what_was_there_before_and_what_hangs_on_it_is_not_the_actors_making():
    before = volume("CreateVolume", "vol-a", 1, "alice")
    assert made_by_actor(written(before, volume("DeleteVolume", "vol-a", 2)), {key("vol-a"): None}) == ()


def first_look() -> Plan:
    found = written(volume("CreateVolume", "vol-a", 1), volume("CreateVolume", "vol-b", 2), volume("DeleteVolume", "vol-b", 3))
    deletion = step(key("vol-a"), expects={}, phase=Phase.ERADICATE)
    live = {key("vol-a"): Observed(key("vol-a"), {}), key("vol-b"): None}
    return plan(deletion).model_copy(update={"made": made_by_actor(found, live)})


def test_the_report_keeps_what_was_first_seen_and_says_how_it_ended():
    first = first_look()
    again = written(volume("CreateVolume", "vol-a", 1), volume("CreateVolume", "vol-b", 2), volume("DeleteVolume", "vol-b", 3))
    live = dict.fromkeys([key("vol-a"), key("vol-b")])
    later = plan().model_copy(update={"look": 2, "made": made_by_actor(again, live, {key("vol-a")})})
    rows = made_rows([first, later], {(first.digest, first.steps[0].id): "done"})
    assert [(row["key"][3], row["state"], row["end"]) for row in rows] == [
        ("vol-a", "exists", "deletion done"),
        ("vol-b", "already gone", ""),
    ]


def test_whoever_decides_sees_what_is_gone_already():
    asked = Asked(id="q", question="restore", digest="d", asked_at=NOON, expires_at=NOON, people=1)
    shown = first_look()
    assert summed_up(shown.made) == "1 exists, 1 already gone"
    assert summed_up([*shown.made, *shown.made]) == "2 exist, 2 already gone"
    form = approval_form(shown, asked)
    assert "1 exists, 1 already gone" in form
    assert "volume vol-b" in form
    assert "already gone" in str(question(shown, asked, "http://prefect.example")[1])


def test_a_plan_without_the_list_keeps_the_digest_that_was_decided_on():
    """The digest of a plan as it was before plans had the list."""
    assert plan(step(key("vol-a"), expects={})).digest.startswith("5d082ab4dc75872a")


def test_a_part_that_went_with_what_this_response_deleted_is_no_riddle():
    peering, part = setting("vpc-peering", "pcx-1"), setting("vpc-peering-acceptance", "pcx-1")
    alone = setting("vpc-peering-acceptance", "pcx-2")
    seen = tuple(Made(key=one, state=MadeState.EXISTS, detail="", records=()) for one in (peering, part, alone))
    nobody = "no record tells who deleted it: it may have ended by itself"
    gone = tuple(Made(key=one, state=MadeState.GONE, detail=nobody, records=()) for one in (part, alone))
    first = plan(step(peering, expects={"a": "b"}, phase=Phase.ERADICATE)).model_copy(update={"made": seen})
    later = plan().model_copy(update={"made": gone, "look": 2})
    rows = made_rows([first, later], {(first.digest, first.steps[0].id): "done"})
    assert [row["end"] for row in rows] == [
        "deletion done",
        "gone with the vpc peering, which this response deleted",
        f"already gone, {nobody}",
    ]
