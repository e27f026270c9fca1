"""Planning at its edges: every word of a step and of what is left to people, what is made again, and who goes first."""

from __future__ import annotations

import pytest
from examples import ACCOUNT, plan, record, setting, step

from incident.plan import Phase, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread, brief, first_wave, ordered, propose, title
from incident.resources.identity import access_key
from incident.settings import UNKNOWN, Entry, Observed, Reversal, Source

MALLORY = f"arn:aws:iam::{ACCOUNT}:user/mallory"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
CHANGE = record("Change")

GROUP = setting("security-group", "sg-1")
GROUP_VALUE = {"GroupName": "web", "Description": "web", "VpcId": "vpc-1"}
ALL_OUT = setting("security-group-rule", "sg-1", "egress all all 0.0.0.0/0")
SSH = setting("security-group-rule", "sg-1", "ingress tcp 22-22 0.0.0.0/0")
SSH_INSIDE = setting("security-group-rule", "sg-1", "ingress tcp 22-22 10.0.0.0/8")
PLAIN = {"description": ""}
ROUTE = setting("route", "rtb-1", "0.0.0.0/0")
IGW, NAT = {"GatewayId": "igw-1"}, {"NatGatewayId": "nat-1"}
KEY = access_key(ACCOUNT, "AKIA1", "eve")


def reversal(key, target, written, *by_actor, source=Source.RECORD, since=(), relying=()) -> Reversal:
    return Reversal(key, target, source, written, by_actor or (CHANGE,), since, relying)


def proposed(*reversals: Reversal, **live):
    """What is planned when reads show what the actor left, but for `live`: a value or an `Unread` for each kind's name."""
    found = {one.key: live.get(one.key.kind.replace("-", "_"), one.written) for one in reversals}
    shown = {key: value if value is None or isinstance(value, Unread) else Observed(key, value) for key, value in found.items()}
    return propose(reversals, shown)


def only_step(*reversals: Reversal, **live) -> Step:
    proposal = proposed(*reversals, **live)
    assert proposal.unplanned == ()
    (only,) = proposal.steps
    return only


def only_left(*reversals: Reversal, **live) -> Unplanned:
    proposal = proposed(*reversals, **live)
    assert proposal.steps == ()
    (only,) = proposal.unplanned
    return only


def written(key, value, at: int, user: str = "alice") -> Entry:
    return Entry(record("Set", at=at, user=user), key, UNKNOWN, value, Source.NOTHING)


def sent(made: Step) -> list[str]:
    return [call.operation for call in made.calls]


def ec2(operation: str, **parameters) -> PlannedCall:
    return PlannedCall(service="ec2", operation=operation, parameters=parameters, permissions=(f"ec2:{operation}",))


# --- a step in full -----------------------------------------------------------------------------------------------------------


def test_an_opened_way_in_is_closed_with_all_that_a_person_must_know():
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    first, second = record("First", at=1), record("Second", at=2)
    assert only_step(reversal(SSH, None, PLAIN, first, second)) == Step(
        id=step_id(Phase.ERADICATE, SSH, None),
        phase=Phase.ERADICATE,
        title="Remove security group rule ingress tcp 22-22 0.0.0.0/0 from sg-1 (us-east-1)",
        key=SSH,
        expects=PLAIN,
        leaves=None,
        calls=(ec2("RevokeSecurityGroupIngress", GroupId="sg-1", IpPermissions=[permission]),),
        undo=(ec2("AuthorizeSecurityGroupIngress", GroupId="sg-1", IpPermissions=[permission]),),
        why=(first.event_id, second.event_id),
        source="the record itself",
        loses="the rule's id and tags: it comes back under a new id, untagged",
        closes_exposure=True,
    )


def test_a_way_in_from_inside_closes_no_exposure():
    assert not only_step(reversal(SSH_INSIDE, None, PLAIN)).closes_exposure


def test_a_route_that_led_out_before_as_well_closes_no_exposure():
    led_back = only_step(reversal(ROUTE, NAT, IGW))
    assert led_back == Step(
        id=step_id(Phase.RECOVER, ROUTE, NAT),
        phase=Phase.RECOVER,
        title="Set route 0.0.0.0/0 of rtb-1 (us-east-1) from GatewayId igw-1 back to NatGatewayId nat-1",
        key=ROUTE,
        expects=IGW,
        leaves=NAT,
        calls=(ec2("ReplaceRoute", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", NatGatewayId="nat-1"),),
        undo=(ec2("ReplaceRoute", RouteTableId="rtb-1", DestinationCidrBlock="0.0.0.0/0", GatewayId="igw-1"),),
        why=(CHANGE.event_id,),
        source="the record itself",
    )


def test_a_route_that_is_led_inside_again_closes_an_exposure():
    private = setting("route", "rtb-1", "10.0.0.0/8")
    assert only_step(reversal(private, {"NetworkInterfaceId": "eni-1"}, IGW)).closes_exposure


def test_a_rule_that_is_put_back_stands_for_no_other_resource_and_closes_nothing():
    restored = only_step(reversal(SSH, PLAIN, None))
    assert (restored.phase, restored.replaces, restored.creates, restored.closes_exposure) == (Phase.RECOVER, "", "", False)
    assert [call.operation for call in restored.undo] == ["RevokeSecurityGroupIngress"]
    assert restored.title == "Put back security group rule ingress tcp 22-22 0.0.0.0/0 in sg-1 (us-east-1): present"


def test_what_cannot_be_undone_again_says_so_on_the_step():
    instance = setting("instance", "i-1")
    ended = only_step(reversal(instance, None, {"image": "ami-1"}))
    assert ended.undo == ()
    assert ended.irreversible


def test_a_key_is_switched_off_again():
    step_off = only_step(reversal(KEY, "Inactive", "Active"))
    (call,) = step_off.calls
    assert (call.operation, call.parameters["Status"]) == ("UpdateAccessKey", "Inactive")
    (back,) = step_off.undo
    assert (back.operation, back.parameters["Status"]) == ("UpdateAccessKey", "Active")


def test_what_hangs_on_what_the_actor_made_is_known_from_the_record_not_to_have_been():
    gateway, attachment = setting("internet-gateway", "igw-1"), setting("internet-gateway-attachment", "igw-1")
    unknown = reversal(attachment, UNKNOWN, {"VpcId": "vpc-1"}, source=Source.NOTHING)
    first, second = proposed(reversal(gateway, None, {}), unknown).steps
    assert (sent(first), sent(second)) == (["DetachInternetGateway"], ["DeleteInternetGateway"])
    assert (first.leaves, first.source) == (None, "the record itself")


# --- what is left to people ---------------------------------------------------------------------------------------------------


def test_a_setting_that_nobody_read_is_left_with_that_reason():
    proposal = propose([reversal(SSH, None, PLAIN)], {})
    assert proposal.unplanned == (
        Unplanned(
            status="unread",
            what=f"Change on {SSH}",
            why="its live value could not be read: it was not read",
            advice="Restore access to it and plan again.",
            records=(CHANGE.event_id,),
            key=SSH,
            found=None,
            wanted=None,
            authors=(MALLORY,),
        ),
    )


def test_a_missing_prior_value_is_asked_for_and_says_what_is_there_now():
    left = only_left(reversal(ROUTE, UNKNOWN, IGW, source=Source.NOTHING))
    assert left == Unplanned(
        status="needs-prior-state",
        what=f"Change on {ROUTE}",
        why="no record, Config item or baseline tells the value before",
        advice="Give the value it must have, from a backup, AWS Config or the person who owns it.",
        records=(CHANGE.event_id,),
        key=ROUTE,
        found=IGW,
        wanted=None,
        authors=(MALLORY,),
    )


@pytest.mark.parametrize(
    ("left_it", "found", "times"), [(None, None, 1), (IGW, None, 1), (IGW, None, 2), (IGW, IGW, 2), (None, IGW, 1), (None, IGW, 2)]
)
def test_without_a_prior_value_a_person_is_asked_whatever_the_actor_left_and_a_read_finds(left_it, found, times):
    records = [record("Change", at=at) for at in range(times)]
    left = only_left(reversal(ROUTE, UNKNOWN, left_it, *records, source=Source.NOTHING), route=found)
    assert (left.status, left.found) == ("needs-prior-state", found)


def test_a_value_that_no_call_restores_is_left_with_the_familys_reason_and_advice():
    before = {**GROUP_VALUE, "GroupName": "db"}
    left = only_left(reversal(GROUP, before, GROUP_VALUE))
    assert left == Unplanned(
        status="not-invertible",
        what=f"Change on {GROUP}",
        why="AWS cannot change how sg-1 was made",
        advice="Compare the two by hand, make a second one with the wanted parameters, and move what uses it.",
        records=(CHANGE.event_id,),
        key=GROUP,
        found=GROUP_VALUE,
        wanted=before,
        authors=(MALLORY,),
    )


def test_a_setting_that_comes_with_its_resource_needs_neither_step_nor_person():
    local = setting("route", "rtb-1", "10.0.0.0/16")
    proposal = proposed(reversal(local, {"GatewayId": "local"}, None))
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_of_what_others_wrote_since_only_the_last_word_is_told():
    since = (written(ROUTE, {"GatewayId": "vgw-1"}, 1, "bob"), written(ROUTE, {"GatewayId": "vgw-2"}, 2))
    left = only_left(reversal(ROUTE, NAT, IGW, since=since), route={"GatewayId": "igw-9"})
    assert left.why == (
        f"{MALLORY} left it GatewayId igw-1 at 2026-03-01 12:00:00 UTC; "
        f"{ALICE} set it to GatewayId vgw-2 at 2026-03-01 12:00:02 UTC; now it is GatewayId igw-9"
    )
    assert left.advice == "Choose which value it must have."
    assert left.authors == (MALLORY, f"arn:aws:iam::{ACCOUNT}:user/bob", ALICE)


def test_absence_is_called_absence_in_a_conflict():
    left = only_left(reversal(ROUTE, NAT, None), route=IGW)
    assert "left it absent at" in left.why
    assert "now it is GatewayId igw-1" in left.why
    assert only_left(reversal(ROUTE, NAT, IGW), route=None).why.endswith("now it is absent")


def test_what_others_rely_on_is_left_with_what_they_made_of_it():
    instance = written(setting("instance", "i-1"), {"groups": ["sg-1"]}, 5)
    left = only_left(reversal(GROUP, None, UNKNOWN, relying=(instance,)), security_group=GROUP_VALUE)
    assert left == Unplanned(
        status="conflict",
        what=f"Change on {GROUP}",
        why=(
            f"{MALLORY} left it unknown at 2026-03-01 12:00:00 UTC; "
            f"{ALICE} set instance of i-1 to groups sg-1 at 2026-03-01 12:00:05 UTC; "
            "now it is Description web, GroupName web, VpcId vpc-1"
        ),
        advice="Choose whether it stays, and move what uses it.",
        records=(CHANGE.event_id,),
        key=GROUP,
        found=GROUP_VALUE,
        wanted=None,
        authors=(MALLORY, ALICE),
    )


# --- what lives in a resource -------------------------------------------------------------------------------------------------


def test_what_lives_in_a_resource_of_the_actors_goes_with_it_and_what_follows_is_planned_still():
    doomed = [reversal(GROUP, None, GROUP_VALUE), reversal(SSH, None, PLAIN), reversal(ROUTE, NAT, IGW)]
    assert [sent(one) for one in proposed(*doomed).steps] == [["DeleteSecurityGroup"], ["ReplaceRoute"]]


def test_a_tag_goes_with_its_resource_and_elsewhere_by_itself():
    there, elsewhere = setting("tag", "sg-1", "env"), setting("tag", "i-9", "env")
    steps = proposed(reversal(GROUP, None, GROUP_VALUE), reversal(there, None, "x"), reversal(elsewhere, None, "x")).steps
    assert {(one.key, *sent(one)) for one in steps} == {(GROUP, "DeleteSecurityGroup"), (elsewhere, "DeleteTags")}


def test_what_one_call_made_with_a_resource_that_others_rely_on_stays_with_it():
    made = reversal(GROUP, None, GROUP_VALUE, relying=(written(setting("instance", "i-1"), {"groups": ["sg-1"]}, 5),))
    added = reversal(SSH, None, PLAIN, CHANGE, record("Later", at=9))
    assert [one.key for one in proposed(made, reversal(ALL_OUT, None, PLAIN), added).steps] == [SSH]


def test_what_came_with_a_resource_that_a_person_wants_otherwise_is_undone():
    wished = reversal(GROUP, {**GROUP_VALUE, "GroupName": "db"}, GROUP_VALUE, source=Source.RESPONDER)
    proposal = proposed(wished, reversal(SSH, None, PLAIN))
    assert [one.key for one in proposal.steps] == [SSH]
    assert [item.key for item in proposal.unplanned] == [GROUP]


# --- what is made again -------------------------------------------------------------------------------------------------------


def test_a_deleted_group_comes_back_without_the_rule_that_aws_gives_every_new_one():
    made, taken = proposed(reversal(GROUP, GROUP_VALUE, None)).steps
    assert made == Step(
        id=step_id(Phase.RECOVER, GROUP, GROUP_VALUE),
        phase=Phase.RECOVER,
        title="Create security group sg-1 (us-east-1) again",
        key=GROUP,
        leaves=GROUP_VALUE,
        calls=(ec2("CreateSecurityGroup", **GROUP_VALUE),),
        undo=(ec2("DeleteSecurityGroup", GroupId="sg-1"),),
        why=(CHANGE.event_id,),
        source="the record itself",
        creates="GroupId",
        replaces="sg-1",
        loses="the id: it comes back under a new one, and what named the group must be pointed to it",
    )
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    assert taken == Step(
        id=step_id(Phase.RECOVER, ALL_OUT, None),
        phase=Phase.RECOVER,
        title="Remove security group rule egress all all 0.0.0.0/0 from sg-1 (us-east-1)",
        key=ALL_OUT,
        expects=PLAIN,
        leaves=None,
        calls=(ec2("RevokeSecurityGroupEgress", GroupId="sg-1", IpPermissions=[everything]),),
        source="AWS makes it with every new one; this one did not have it",
        after=(made.id,),
    )


def test_a_rule_that_aws_gives_every_new_group_is_not_made_twice():
    deleted = [reversal(ALL_OUT, PLAIN, None), reversal(GROUP, GROUP_VALUE, None), reversal(SSH, PLAIN, None)]
    made, rule = proposed(*deleted).steps
    assert (made.key, rule.key, rule.after) == (GROUP, SSH, (made.id,))


def test_each_of_two_groups_gets_the_rules_that_it_had():
    second, second_out = GROUP._replace(resource="sg-2"), ALL_OUT._replace(resource="sg-2")
    deleted = [reversal(GROUP, GROUP_VALUE, None), reversal(ALL_OUT, PLAIN, None), reversal(second, GROUP_VALUE, None)]
    steps = proposed(*deleted).steps
    assert {one.key for one in steps} == {GROUP, second, second_out}


def test_a_rule_that_aws_makes_anew_gets_the_description_that_it_had():
    described = {"description": "to the world"}
    steps = proposed(reversal(GROUP, GROUP_VALUE, None), reversal(ALL_OUT, described, None)).steps
    assert [(one.key, one.leaves) for one in steps] == [(GROUP, GROUP_VALUE), (ALL_OUT, described)]


def test_a_network_that_is_made_again_keeps_what_nobody_can_take_from_it():
    vpc = setting("vpc", "vpc-1")
    network = setting("vpc-cidr", "vpc-1", "10.0.0.0/16")
    deleted = [reversal(vpc, {"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "default"}, None), reversal(network, {}, None)]
    assert [one.key for one in proposed(*deleted).steps] == [vpc]


def test_a_rule_of_a_deleted_group_returns_though_a_read_still_shows_the_old_one():
    proposal = proposed(reversal(GROUP, GROUP_VALUE, None), reversal(SSH, PLAIN, None), security_group_rule=PLAIN)
    assert (SSH, PLAIN) in [(one.key, one.leaves) for one in proposal.steps]


@pytest.mark.parametrize("found", [GROUP_VALUE, Unread("AccessDenied")])
def test_a_group_that_is_there_or_that_nobody_can_see_is_not_taken_for_deleted(found):
    proposal = proposed(reversal(GROUP, GROUP_VALUE, None), reversal(SSH, PLAIN, None), security_group=found)
    assert [(one.key, one.expects, one.after) for one in proposal.steps] == [(SSH, None, ())]


def test_a_group_that_was_not_read_is_not_taken_for_deleted():
    proposal = propose([reversal(GROUP, GROUP_VALUE, None), reversal(SSH, PLAIN, None)], {SSH: None})
    assert [(one.key, one.after) for one in proposal.steps] == [(SSH, ())]
    assert [item.status for item in proposal.unplanned] == ["unread"]


# --- order --------------------------------------------------------------------------------------------------------------------

BY_RANK = ["instance", "volume", "nat-gateway", "network-interface", "subnet", "internet-gateway", "vpc"]


def deletion(kind: str, resource: str, **names) -> Step:
    return step(setting(kind, resource), expects=names or {"a": 1}, phase=Phase.ERADICATE)


def creation(kind: str, resource: str, **names) -> Step:
    return step(setting(kind, resource), leaves=names or {"a": 1}, replaces=resource)


def kinds(steps: tuple[Step, ...]) -> list[str]:
    return [one.key.kind for one in steps]


def test_deletions_run_in_rising_rank_and_creations_in_falling():
    assert kinds(ordered(deletion(kind, f"x-{kind}s") for kind in reversed(BY_RANK))) == BY_RANK
    assert kinds(ordered(creation(kind, f"x-{kind}s") for kind in BY_RANK)) == BY_RANK[::-1]


def test_a_kind_without_rank_is_gone_before_all_others_and_back_after_them():
    pictures = "evidence-snapshots"
    assert kinds(ordered([deletion("instance", "i-1"), deletion(pictures, "x-1")])) == [pictures, "instance"]
    assert kinds(ordered([creation(pictures, "x-1"), creation("instance", "i-1")])) == ["instance", pictures]


def test_what_is_no_exposure_is_not_hurried_though_it_is_a_setting_of_a_resource():
    named = step(setting("subnet-attribute", "subnet-1", "MapPublicIpOnLaunch"), expects=True, leaves=False)
    gone = deletion("vpc", "vpc-1")
    assert ordered([named, gone])[0] == gone


def test_a_way_out_that_is_a_resource_of_its_own_does_not_go_before_lower_ranks():
    gateway = deletion("egress-only-internet-gateway", "eigw-1").model_copy(update={"closes_exposure": True})
    interface = deletion("network-interface", "eni-1")
    assert ordered([gateway, interface]) == (interface, gateway)


def test_steps_on_the_parts_of_one_group_do_not_wait_for_each_other():
    rules = [step(key, expects=PLAIN, phase=Phase.ERADICATE) for key in (SSH, SSH_INSIDE)]
    assert [one.after for one in ordered(rules)] == [(), ()]


def test_of_two_deletions_that_name_each_other_the_lower_rank_goes_first():
    nat, subnet = deletion("nat-gateway", "nat-1", at="subnet-1"), deletion("subnet", "subnet-1", holds="nat-1")
    for given in ([nat, subnet], [subnet, nat]):
        first, second = ordered(given)
        assert (first.id, second.id) == (nat.id, subnet.id)
        assert (first.after, second.after) == ((), (nat.id,))


def test_a_deletion_that_names_another_goes_first_whatever_its_rank():
    vpc, nat = deletion("vpc", "vpc-1", holds="nat-1"), deletion("nat-gateway", "nat-1")
    first, second = ordered([nat, vpc])
    assert (first.id, second.id, second.after) == (vpc.id, nat.id, (vpc.id,))


@pytest.mark.parametrize(
    "letting_go",
    [
        step(setting("subnet", "subnet-1"), expects={"to": "nat-1"}, leaves={"to": "nat-2"}),
        step(setting("subnet-attribute", "subnet-1", "to"), expects={"to": "nat-1"}, phase=Phase.ERADICATE),
    ],
)
def test_what_lets_go_of_a_resource_precedes_its_deletion_though_that_names_it_too(letting_go):
    nat = deletion("nat-gateway", "nat-1", at="subnet-1")
    first, second = ordered([nat, letting_go])
    assert (first.id, second.id, second.after) == (letting_go.id, nat.id, (letting_go.id,))


def test_what_names_a_resource_that_is_made_again_waits_for_it():
    table = creation("route-table", "rtb-1")
    uses = step(setting("route-table-association", "subnet-9"), leaves={"RouteTableId": "rtb-1"})
    route = step(setting("route", "rtb-1", "10.0.0.0/8"), leaves=IGW)
    first, *rest = ordered([uses, route, table])
    assert first.id == table.id
    assert {(one.id, one.after) for one in rest} == {(uses.id, (table.id,)), (route.id, (table.id,))}


def test_of_two_resources_made_again_that_name_each_other_the_higher_rank_comes_first():
    vpc, subnet = creation("vpc", "vpc-1", main="subnet-1"), creation("subnet", "subnet-1", VpcId="vpc-1")
    for given in ([vpc, subnet], [subnet, vpc]):
        first, second = ordered(given)
        assert (first.id, second.id) == (vpc.id, subnet.id)
        assert (first.after, second.after) == ((), (vpc.id,))


def test_a_resource_that_names_another_is_made_after_it_whatever_its_rank():
    vpc, subnet = creation("vpc", "vpc-1", main="subnet-1"), creation("subnet", "subnet-1")
    first, second = ordered([vpc, subnet])
    assert (first.id, second.id, second.after) == (subnet.id, vpc.id, (subnet.id,))


def test_of_steps_in_a_circle_the_most_urgent_waits_for_none_and_the_others_for_it():
    exposed = step(setting("volume", "vol-1", "access"), expects={"x": 1}, leaves={"x": 2}, closes_exposure=True)
    other = step(setting("volume", "vol-2"), expects={}, leaves={"a": 1})
    circle = [exposed.model_copy(update={"after": (other.id,)}), other.model_copy(update={"after": (exposed.id,)})]
    first, second = ordered(circle)
    assert (first.id, first.after, second.after) == (exposed.id, (), (exposed.id,))


# --- the first wave -----------------------------------------------------------------------------------------------------------


def test_the_first_wave_is_what_goes_and_what_closes_and_what_waits_only_for_those():
    gone = deletion("volume", "vol-1")
    closed = step(SSH, expects=PLAIN, leaves={"description": "x"}, closes_exposure=True)
    waits = deletion("volume", "vol-2").model_copy(update={"after": (gone.id, closed.id)})
    restored = step(ROUTE, expects=IGW, leaves=NAT)
    later = deletion("volume", "vol-3").model_copy(update={"after": (gone.id, restored.id)})
    assert first_wave(plan(gone, closed, waits, restored, later)) == (gone, closed, waits)


# --- words --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "found", "target", "line"),
    [
        (SSH, PLAIN, None, "Remove security group rule ingress tcp 22-22 0.0.0.0/0 from sg-1 (us-east-1)"),
        (GROUP, GROUP_VALUE, None, "Delete security group sg-1 (us-east-1)"),
        (ROUTE, None, NAT, "Put back route 0.0.0.0/0 in rtb-1 (us-east-1): NatGatewayId nat-1"),
        (GROUP, None, GROUP_VALUE, "Create security group sg-1 (us-east-1) again"),
        (ROUTE, IGW, NAT, "Set route 0.0.0.0/0 of rtb-1 (us-east-1) from GatewayId igw-1 back to NatGatewayId nat-1"),
        (GROUP, {"a": 1}, {"a": 2}, "Set security group of sg-1 (us-east-1) from a 1 back to a 2"),
    ],
)
def test_a_title_says_in_one_line_what_happens_to_which_setting(key, found, target, line):
    assert title(key, found, target) == line


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "present"),
        ({"b": "2", "a": 1, "empty": "", "none": None, "list": [], "map": {}}, "a 1, b 2"),
        ({"off": False, "zero": 0}, "off false, zero 0"),
        ([], "none"),
        (["a", {"b": 1}, 2], "a b 1 2"),
        (True, "true"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 77 + "…"),
    ],
)
def test_a_value_is_told_in_few_words(value, words):
    assert brief(value) == words
