"""What deliveries and people do to an investigation: repeats, failures, delays, and two at work on one network."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import permutations

import pytest
from examples import ACCOUNT, NOON, record, setting

from incident.actor import Actor, Credential, Link
from incident.investigation import Investigation, investigate
from incident.plan import Unplanned
from incident.planner import Proposal, propose
from incident.policy import Policy
from incident.record import Record
from incident.settings import Observed, PriorValue, SettingKey, Source, Value

ALICE = {"user": "alice", "key": "AKIAALICEEXAMPLE"}
MALLORY_ARN = f"arn:aws:iam::{ACCOUNT}:user/mallory"
ALICE_ARN = f"arn:aws:iam::{ACCOUNT}:user/alice"
_KEY = Credential("AKIAMALLORYEXAMPLE", "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
MALLORY = Actor({_KEY.access_key: _KEY}, since=NOON, seed=_KEY.access_key)

WORLD = "0.0.0.0/0"
ROUTE = setting("route", "rtb-1", WORLD)
RULE = setting("security-group-rule", "sg-1", "ingress tcp 22-22 0.0.0.0/0")
NAT, IGW, VGW = {"NatGatewayId": "nat-1"}, {"GatewayId": "igw-1"}, {"GatewayId": "vgw-1"}
RULE_IS_THERE = {"description": ""}


def baseline(values: dict[SettingKey, Value]) -> list[tuple[SettingKey, PriorValue]]:
    return [(key, PriorValue(value, NOON - timedelta(hours=1), Source.BASELINE)) for key, value in values.items()]


def found(records: Iterable[Record], before: dict[SettingKey, Value] | None = None, **more) -> Investigation:
    return investigate(records, baseline(before or {}), MALLORY, **more)


def planned(records: Iterable[Record], before: dict[SettingKey, Value], live: dict[SettingKey, Value], **more) -> Proposal:
    """The plan when a read shows `live` and nothing else."""
    reversals = found(records, before, **more).reversals
    shown = {one.key: live.get(one.key) for one in reversals}
    return propose(reversals, {key: None if value is None else Observed(key, value) for key, value in shown.items()})


def replaced(target: dict[str, str], at: int, **who) -> Record:
    ((name, identifier),) = target.items()
    asked = {"routeTableId": "rtb-1", "destinationCidrBlock": WORLD, name[:1].lower() + name[1:]: identifier}
    return record("ReplaceRoute", at=at, request=asked, **who)


def created(table: str, destination: str, target: str, at: int, **who) -> Record:
    return record(
        "CreateRoute", at=at, request={"routeTableId": table, "destinationCidrBlock": destination, "natGatewayId": target}, **who
    )


def deleted(at: int, **who) -> Record:
    return record("DeleteRoute", at=at, request={"routeTableId": "rtb-1", "destinationCidrBlock": WORLD}, **who)


def permission() -> dict:
    ports = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}
    return {"groupId": "sg-1", "ipPermissions": {"items": [{**ports, "ipRanges": {"items": [{"cidrIp": WORLD}]}}]}}


def opened(at: int, **more) -> Record:
    return record("AuthorizeSecurityGroupIngress", at=at, request=permission(), **more)


def revoked(at: int, **more) -> Record:
    return record("RevokeSecurityGroupIngress", at=at, request=permission(), **more)


def only(items: tuple[Unplanned, ...]) -> Unplanned:
    (item,) = items
    return item


# --- calls that changed nothing -----------------------------------------------------------------------------------------------


def test_a_call_that_sets_what_was_set_already_is_not_taken_back():
    proposal = planned([replaced(NAT, 1)], {ROUTE: NAT}, {ROUTE: NAT})
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_a_revocation_that_found_no_rule_puts_none_there():
    unknown = {"_return": True, "unknownIpPermissionSet": permission()["ipPermissions"]}
    assert found([revoked(1, response=unknown)], {RULE: None}).reversals == ()


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InvalidPermission.Duplicate", "DryRunOperation"])
def test_a_call_that_failed_changed_nothing_and_is_counted_as_refused(code):
    failed = opened(1, errorCode=code)
    told = found([failed], {RULE: RULE_IS_THERE})
    assert (told.reversals, told.changes, told.refused) == ((), (), (failed,))


def test_a_failed_call_between_two_good_ones_does_not_count():
    records = [replaced(IGW, 1), replaced(VGW, 2, errorCode="InvalidGatewayID.NotFound"), replaced(IGW, 3)]
    (step,) = planned(records, {ROUTE: NAT}, {ROUTE: IGW}).steps
    assert (step.expects, step.leaves, len(step.why)) == (IGW, NAT, 2)


# --- deliveries ---------------------------------------------------------------------------------------------------------------


def test_a_record_that_is_delivered_twice_counts_once():
    once, twice = replaced(IGW, 1), [replaced(IGW, 1), replaced(IGW, 1)]
    assert found(twice, {ROUTE: NAT}) == found([once], {ROUTE: NAT})
    assert len(found(twice).changes) == 1


def test_a_repeated_record_does_not_come_back_after_what_followed_it():
    first, second = replaced(IGW, 1), replaced(VGW, 2, **ALICE)
    assert found([first, second, first], {ROUTE: NAT}).reversals[0].target == VGW


def test_records_without_an_id_are_each_taken():
    nameless = [opened(1, eventID=""), revoked(2, eventID="")]
    assert len(found(nameless).changes) == 2


def test_the_order_of_delivery_makes_no_difference():
    records = [replaced(IGW, 1), replaced(VGW, 2, **ALICE), replaced(IGW, 3), opened(4)]
    told = [found(order, {ROUTE: NAT}).reversals for order in permutations(records)]
    by_key = [{one.key: one for one in reversals} for reversals in told]
    assert all(one == by_key[0] for one in by_key)
    assert by_key[0][ROUTE].target == VGW


def test_a_record_that_comes_late_changes_the_way_back():
    """CloudTrail can take a quarter of an hour: another look finds what the first could not."""
    early, late = replaced(IGW, 60), replaced(VGW, 30, **ALICE)
    assert found([early], {ROUTE: NAT}).reversals[0].target == NAT
    assert found([early, late], {ROUTE: NAT}).reversals[0].target == VGW


def test_a_late_record_from_before_the_baseline_tells_nothing_new():
    old = replaced(VGW, -7200, **ALICE)
    assert found([replaced(IGW, 1), old], {ROUTE: NAT}).reversals[0].target == NAT


# --- two at work --------------------------------------------------------------------------------------------------------------


def test_two_interleaved_actors_are_told_apart_setting_by_setting():
    records = [
        created("rtb-1", "10.1.0.0/16", "nat-1", 1),
        created("rtb-1", "10.2.0.0/16", "nat-1", 2, **ALICE),
        created("rtb-1", "10.3.0.0/16", "nat-1", 3),
        created("rtb-1", "10.4.0.0/16", "nat-1", 4, **ALICE),
    ]
    told = found(records)
    assert [one.key.name for one in told.reversals] == ["10.1.0.0/16", "10.3.0.0/16"]
    assert [entry.key.name for entry in told.others] == ["10.2.0.0/16", "10.4.0.0/16"]


def test_of_two_who_write_one_setting_in_turns_the_others_last_word_stands():
    records = [replaced(IGW, 1), replaced(VGW, 2, **ALICE), replaced(IGW, 3)]
    (step,) = planned(records, {ROUTE: NAT}, {ROUTE: IGW}).steps
    assert (step.expects, step.leaves) == (IGW, VGW)


def test_a_later_word_of_somebody_else_stays_as_it_is():
    proposal = planned([replaced(IGW, 1), replaced(VGW, 2, **ALICE)], {ROUTE: NAT}, {ROUTE: VGW})
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_a_value_that_neither_of_two_left_is_a_conflict_with_both_values_and_authors():
    records = [replaced(IGW, 1), replaced(VGW, 2, **ALICE)]
    conflict = only(planned(records, {ROUTE: NAT}, {ROUTE: {"GatewayId": "igw-9"}}).unplanned)
    assert conflict.status == "conflict"
    assert conflict.authors == (MALLORY_ARN, ALICE_ARN)
    assert (conflict.found, conflict.wanted) == ({"GatewayId": "igw-9"}, VGW)
    assert conflict.why == (
        f"{MALLORY_ARN} left it GatewayId igw-1 at 2026-03-01 12:00:01 UTC; "
        f"{ALICE_ARN} set it to GatewayId vgw-1 at 2026-03-01 12:00:02 UTC; now it is GatewayId igw-9"
    )


def test_a_value_that_no_record_explains_is_a_conflict_and_says_that_none_does():
    conflict = only(planned([replaced(IGW, 1)], {ROUTE: NAT}, {ROUTE: VGW}).unplanned)
    assert "left it GatewayId igw-1" in conflict.why
    assert "someone whom no record shows changed it since; now it is GatewayId vgw-1" in conflict.why


def test_work_that_changed_what_the_actor_made_in_place_is_a_conflict():
    records = [opened(1), record("UpdateSecurityGroupRuleDescriptionsIngress", at=2, request=described("ours"), **ALICE)]
    conflict = only(planned(records, {RULE: None}, {RULE: {"description": "ours"}}).unplanned)
    assert (conflict.status, conflict.authors) == ("conflict", (MALLORY_ARN, ALICE_ARN))
    assert "left it description" not in conflict.why
    assert "set it to description ours" in conflict.why


def described(text: str) -> dict:
    asked = permission()
    asked["ipPermissions"]["items"][0]["ipRanges"]["items"][0]["description"] = text
    return asked


def test_what_others_rely_on_is_not_deleted_under_them():
    made = record("CreateNatGateway", at=1, **nat("nat-7"))
    proposal = planned(
        [made, created("rtb-2", "10.2.0.0/16", "nat-7", 2, **ALICE)], {}, {setting("nat-gateway", "nat-7"): NAT_VALUE}
    )
    conflict = only(proposal.unplanned)
    assert proposal.steps == ()
    assert (conflict.status, conflict.authors) == ("conflict", (MALLORY_ARN, ALICE_ARN))
    assert "set route 10.2.0.0/16 of rtb-2 to NatGatewayId nat-7" in conflict.why


NAT_VALUE = {"SubnetId": "subnet-1", "ConnectivityType": "private"}


def nat(identifier: str) -> dict:
    return {
        "request": {"CreateNatGatewayRequest": NAT_VALUE},
        "response": {"CreateNatGatewayResponse": {"natGateway": {"natGatewayId": identifier, "subnetId": "subnet-1"}}},
    }


def test_what_came_with_what_others_changed_in_place_waits_too():
    tags = {"tagSet": {"items": [{"key": "a", "value": "b"}]}}
    gateway = {"transitGateway": {"transitGatewayId": "tgw-1", "state": "available", **tags}}
    asked = {
        "CreateTransitGatewayRequest": {"TagSpecification": {"ResourceType": "transit-gateway", "Tag": {"Key": "a", "Value": "b"}}}
    }
    made = record("CreateTransitGateway", at=1, request=asked, response={"CreateTransitGatewayResponse": gateway})
    changed = record(
        "ModifyTransitGateway",
        at=2,
        request={"ModifyTransitGatewayRequest": {"TransitGatewayId": "tgw-1", "Description": "ours now"}},
        response={"ModifyTransitGatewayResponse": gateway},
        **ALICE,
    )
    reversals = found([made, changed]).reversals
    live = {one.key: one.written for one in reversals}
    assert any(one.key.kind == "tag" for one in reversals)
    proposal = planned([made, changed], {}, live)
    assert proposal.steps == ()
    assert {item.status for item in proposal.unplanned} == {"conflict"}


def test_what_others_have_let_go_of_again_is_deleted():
    made, used = record("CreateNatGateway", at=1, **nat("nat-7")), created("rtb-1", WORLD, "nat-7", 2, **ALICE)
    proposal = planned([made, used, deleted(3, **ALICE)], {}, {setting("nat-gateway", "nat-7"): NAT_VALUE})
    assert [step.calls[0].operation for step in proposal.steps] == ["DeleteNatGateway"]


def test_what_the_actor_added_to_a_resource_that_others_rely_on_goes_all_the_same():
    group = setting("security-group", "sg-1")
    made = record(
        "CreateSecurityGroup",
        at=1,
        request={"groupName": "new", "groupDescription": "new", "vpcId": "vpc-1"},
        response={"groupId": "sg-1"},
    )
    interface = record(
        "ModifyNetworkInterfaceAttribute",
        at=3,
        request={"networkInterfaceId": "eni-1", "groupSet": {"items": [{"groupId": "sg-1"}]}},
        **ALICE,
    )
    everything_out = setting("security-group-rule", "sg-1", "egress all all 0.0.0.0/0")
    live = {group: {"GroupName": "new"}, RULE: RULE_IS_THERE, everything_out: RULE_IS_THERE}
    proposal = planned([made, opened(2), interface], {}, live)
    assert [step.key for step in proposal.steps] == [RULE]
    assert [item.key for item in proposal.unplanned] == [group]


# --- made and gone within the incident ----------------------------------------------------------------------------------------


def test_what_was_made_and_deleted_within_the_incident_needs_nothing():
    group = {"groupId": "sg-1"}
    records = [
        record("CreateSecurityGroup", at=1, request={"groupName": "n", "groupDescription": "d", "vpcId": "vpc-1"}, response=group),
        opened(2),
        record("DeleteSecurityGroup", at=3, request=group),
    ]
    proposal = planned(records, {}, {})
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_what_was_replaced_and_then_deleted_was_there_before_and_is_asked_about():
    assert only(planned([replaced(IGW, 1), deleted(2)], {}, {}).unplanned).status == "needs-prior-state"


def test_what_was_deleted_first_was_there_before_whatever_came_after():
    records = [deleted(1), created("rtb-1", WORLD, "nat-9", 2), deleted(3)]
    assert only(planned(records, {}, {}).unplanned).status == "needs-prior-state"


def test_what_was_deleted_and_made_again_by_the_actor_is_what_it_was():
    proposal = planned([deleted(1), created("rtb-1", WORLD, "nat-1", 2)], {ROUTE: NAT}, {ROUTE: NAT})
    assert (proposal.steps, proposal.unplanned) == ((), ())


def test_what_the_actor_deleted_and_somebody_made_again_stays_theirs():
    records = [deleted(1), created("rtb-1", WORLD, "nat-2", 2, **ALICE)]
    proposal = planned(records, {ROUTE: NAT}, {ROUTE: {"NatGatewayId": "nat-2"}})
    assert (proposal.steps, proposal.unplanned) == ((), ())


# --- approved changes ---------------------------------------------------------------------------------------------------------


def policy(**differs) -> Policy:
    change = {
        "ticket": "CHG-1042",
        "principals": [f"arn:aws:iam::{ACCOUNT}:user/mal*"],
        "resources": ["rtb-1"],
        "from": NOON,
        "until": NOON + timedelta(minutes=5),
    }
    return Policy.model_validate({"approved_changes": [{**change, **differs}]})


def test_an_approved_change_is_kept_and_named_with_its_ticket():
    told = found([replaced(IGW, 1), opened(2)], {ROUTE: NAT, RULE: None}, ticket=policy().ticket)
    assert [one.key for one in told.reversals] == [RULE]
    (line,) = told.kept
    assert line == f"route 0.0.0.0/0 in rtb-1 (us-east-1): ReplaceRoute by {MALLORY_ARN} at 12:00:01, approved change CHG-1042"


@pytest.mark.parametrize(
    "differs",
    [
        {"principals": [ALICE_ARN]},
        {"resources": ["rtb-2", "sg-*"]},
        {"from": NOON + timedelta(seconds=2)},
        {"from": NOON - timedelta(minutes=5), "until": NOON},
    ],
)
def test_a_change_by_another_on_another_or_at_another_time_is_not_approved(differs):
    told = found([replaced(IGW, 1)], {ROUTE: NAT}, ticket=policy(**differs).ticket)
    assert [one.target for one in told.reversals] == [NAT]
    assert told.approved == ()


def test_what_the_actor_did_after_an_approved_change_leads_back_to_it():
    records = [replaced(VGW, 60), replaced(IGW, 600)]
    (reversal,) = found(records, {ROUTE: NAT}, ticket=policy().ticket).reversals
    assert (reversal.target, reversal.written) == (VGW, IGW)


def test_a_session_of_an_approved_role_is_covered_by_the_roles_name():
    role = f"arn:aws:iam::{ACCOUNT}:role/NetworkTeam"
    identity = {
        "type": "AssumedRole",
        "accessKeyId": "AKIAMALLORYEXAMPLE",
        "accountId": ACCOUNT,
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/NetworkTeam/session",
        "sessionContext": {"sessionIssuer": {"arn": role, "userName": "NetworkTeam"}},
    }
    told = found([replaced(IGW, 1, userIdentity=identity)], {ROUTE: NAT}, ticket=policy(principals=[role]).ticket)
    assert told.reversals == ()


@pytest.mark.parametrize("wrong", [{"until": NOON}, {"from": "2026-03-01T12:00:00"}, {"ticket": ""}, {"principals": []}])
def test_an_approved_change_without_end_zone_ticket_or_principal_is_refused(wrong):
    with pytest.raises(ValueError, match="approved_changes"):
        policy(**wrong)
