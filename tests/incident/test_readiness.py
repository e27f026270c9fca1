"""Readiness: what of a place is ok, missing or not known, from what was read of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.ledger import ESCALATION_CHAIN, GENESIS, Kind, chained
from incident.planner import Unread
from incident.posture import change_rules
from incident.posture.checks import PARTS, State, score
from incident.posture.goals import Goals, planned
from incident.posture.places import LISTINGS, Gap, Place
from incident.posture.preparation import Preparation
from incident.posture.preparing import goals
from incident.posture.readiness import judged, not_enabled, standard_arn
from incident.posture.readiness_once import TESTED_WITHIN, drills, escalation, evidence_store
from incident.score_card import ScoreCard, Seconds

ACCOUNT, REGION = "111122223333", "eu-central-1"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def alarm(gateway: str, metric: str, **more) -> dict:
    told = {
        "BytesOutToDestination": ("Sum", 900, 1, "GreaterThanOrEqualToThreshold", 5_000_000.0),
        "ErrorPortAllocation": ("Maximum", 300, 3, "GreaterThanThreshold", 0.0),
    }[metric]
    names = ("Statistic", "Period", "EvaluationPeriods", "ComparisonOperator", "Threshold")
    fixed = {"Namespace": "AWS/NATGateway", "MetricName": metric, "ActionsEnabled": True, "AlarmActions": [TOPIC]}
    return {**fixed, **dict(zip(names, told, strict=True)), "Dimensions": [{"Name": "NatGatewayId", "Value": gateway}], **more}


def flow_log(watched: str, traffic: str = "ALL", **more) -> dict:
    return {"FlowLogId": "fl-1", "FlowLogStatus": "ACTIVE", "ResourceId": watched, "TrafficType": traffic, **more}


def ready() -> dict[str, tuple]:
    """What a place tells that has everything."""
    rules = [
        {"Name": f"r{number}", "State": "ENABLED", "EventPattern": told, "Targets": [{"Arn": TOPIC}, {"Arn": "arn:aws:sqs:x:y:z"}]}
        for number, told in enumerate(change_rules.patterns())
    ]
    ports = {
        "ConfigRuleName": "ports",
        "ConfigRuleState": "ACTIVE",
        "Source": {"Owner": "AWS", "SourceIdentifier": "VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS"},
        "InputParameters": '{"authorizedTcpPorts":"80,443"}',
        "RemediationConfigurations": [{"TargetId": "x"}],
    }
    return {
        "VPCs": ({"VpcId": "vpc-1"},),
        "subnets": ({"SubnetId": "subnet-1", "VpcId": "vpc-1"},),
        "interfaces": ({"NetworkInterfaceId": "eni-1", "SubnetId": "subnet-1", "VpcId": "vpc-1"},),
        "flow logs": (flow_log("vpc-1"),),
        "NAT gateways": ({"NatGatewayId": "nat-1", "State": "available"}, {"NatGatewayId": "nat-0", "State": "deleted"}),
        "alarms": (alarm("nat-1", "BytesOutToDestination"), alarm("nat-1", "ErrorPortAllocation")),
        "trails": ({"Name": "t", "IsMultiRegionTrail": True, "LogFileValidationEnabled": True, "IsLogging": True},),
        "detectors": ({"id": "d", "Status": "ENABLED", "FindingPublishingFrequency": "FIFTEEN_MINUTES"},),
        "recorders": ({"name": "default", "recordingGroup": {"allSupported": True}},),
        "recorder status": ({"name": "default", "recording": True},),
        "delivery channels": ({"name": "default"},),
        "hub": ({"HubArn": "x"},),
        "standards": ({"StandardsArn": standard_arn(REGION), "StandardsStatus": "READY"},),
        "event rules": tuple(rules),
        "Config rules": (ports,),
    }


def states(wanted: Preparation | None = None, **changed) -> dict[str, State]:
    told = {**ready(), **{name.replace("_", " "): value for name, value in changed.items()}}
    return {one.part: one.state for one in judged(Place(ACCOUNT, REGION, True, told), wanted or Preparation())}


def test_a_place_that_has_everything_is_ok_and_needs_no_plan():
    place = Place(ACCOUNT, REGION, True, ready())
    checks = judged(place, Preparation())
    assert {one.part: one.state for one in checks} == dict.fromkeys(PARTS, State.OK)
    assert score([*checks, not_enabled(ACCOUNT, ["ap-east-1"])]) == (len(PARTS), len(PARTS))
    assert goals([place], checks, Preparation(), {}) == Goals({})


@pytest.mark.parametrize(
    ("part", "changed"),
    [
        ("flow logs", {"flow_logs": ()}),
        ("flow logs", {"flow_logs": (flow_log("vpc-1", "ACCEPT"),)}),
        ("flow logs", {"flow_logs": (flow_log("vpc-1", DeliverLogsStatus="FAILED"),)}),
        ("flow logs", {"flow_logs": (flow_log("subnet-1"), flow_log("eni-1"))}),
        ("NAT gateway alarms", {"alarms": (alarm("nat-1", "BytesOutToDestination"),)}),
        ("NAT gateway alarms", {"alarms": (alarm("nat-2", "BytesOutToDestination"), alarm("nat-1", "ErrorPortAllocation"))}),
        ("trail", {"trails": ({"Name": "t", "IsMultiRegionTrail": True, "LogFileValidationEnabled": True, "IsLogging": False},)}),
        ("trail", {"trails": ({"Name": "t", "IsMultiRegionTrail": True, "LogFileValidationEnabled": False, "IsLogging": True},)}),
        ("GuardDuty", {"detectors": ()}),
        ("GuardDuty", {"detectors": ({"id": "d", "Status": "ENABLED", "FindingPublishingFrequency": "SIX_HOURS"},)}),
        ("GuardDuty", {"detectors": ({"id": "d", "Status": "DISABLED", "FindingPublishingFrequency": "FIFTEEN_MINUTES"},)}),
        ("Config recorder", {"recorder_status": ({"name": "default", "recording": False},)}),
        ("Config recorder", {"delivery_channels": ()}),
        ("Config recorder", {"recorder_status": ({"name": "default", "recording": True, "lastStatus": "Failure"},)}),
        ("trail", {"trails": ({**ready()["trails"][0], "LatestDeliveryError": "NoSuchBucket"},)}),
        ("Config recorder", {"recorders": ({"name": "default", "recordingGroup": {"resourceTypes": ["AWS::S3::Bucket"]}},)}),
        ("Security Hub", {"hub": ()}),
        ("Security Hub", {"standards": ({"StandardsArn": standard_arn(REGION), "StandardsStatus": "FAILED"},)}),
        ("change rule", {"event_rules": ready()["event rules"][:1]}),
        ("change rule", {"event_rules": tuple({**one, "State": "DISABLED"} for one in ready()["event rules"])}),
        ("change rule", {"event_rules": tuple({**one, "Targets": [{"Arn": TOPIC}]} for one in ready()["event rules"])}),
        ("open ports", {"Config_rules": ()}),
        ("open ports", {"Config_rules": ({**ready()["Config rules"][0], "RemediationConfigurations": []},)}),
        ("open ports", {"Config_rules": ({**ready()["Config rules"][0], "InputParameters": '{"authorizedTcpPorts":"22"}'},)}),
    ],
)
def test_what_one_part_lacks_makes_that_part_missing_and_no_other(part, changed):
    assert states(**changed) == {name: State.MISSING if name == part else State.OK for name in PARTS}


@pytest.mark.parametrize(
    "more",
    [
        {"Threshold": 5_000_001.0},
        {"Period": 300},
        {"EvaluationPeriods": 2},
        {"Statistic": "Average"},
        {"ActionsEnabled": False},
        {"AlarmActions": []},
        {"Dimensions": []},
    ],
)
def test_an_alarm_with_other_thresholds_or_for_nobody_is_no_alarm(more):
    alarms = (alarm("nat-1", "BytesOutToDestination", **more), alarm("nat-1", "ErrorPortAllocation"))
    assert states(alarms=alarms)["NAT gateway alarms"] is State.MISSING


@pytest.mark.parametrize("name", sorted(LISTINGS))
@pytest.mark.parametrize("denied", [True, False])
def test_what_was_not_read_is_never_ok_and_never_planned(name, denied):
    told = {**ready(), name: Gap(denied, f"{name} failed")}
    place = Place(ACCOUNT, REGION, True, told)
    checks = judged(place, Preparation())
    not_known = [one for one in checks if one.state is (State.DENIED if denied else State.UNKNOWN)]
    assert not_known
    assert all(one.detail == f"{name} failed" for one in not_known)
    found = goals([place], checks, Preparation(), {})
    assert (found.wanted, {one.status for one in found.left}) == ([], {"unread"})


@pytest.mark.parametrize(
    ("part", "lacking", "given", "setting"),
    [
        ("flow logs", "flow logs", {"flow_logs": {"bucket": "logs"}}, "prepare.flow_logs.bucket"),
        (
            "flow logs",
            "flow logs",
            {"flow_logs": {"destination": "cloud-watch-logs", "role": f"arn:aws:iam::{ACCOUNT}:role/r"}},
            "prepare.flow_logs.bucket",
        ),
        ("trail", "trails", {"trail": {"bucket": "logs"}}, "prepare.trail.bucket"),
        ("Config recorder", "delivery channels", {"config": {"bucket": "logs"}}, "prepare.config.bucket"),
        (
            "change rule",
            "event rules",
            {"alerts": {"subscribe": ["https://gateway.example/webhooks/sns"]}},
            "prepare.changes.deliver_to",
        ),
    ],
)
def test_what_no_plan_can_make_yet_says_which_setting_comes_first(part, lacking, given, setting):
    place = Place(ACCOUNT, REGION, True, {**ready(), lacking: ()})

    def todo(wanted: Preparation) -> str:
        return next(one.next for one in judged(place, wanted) if one.part == part)

    assert todo(Preparation()) == f"set {setting}; then `countermand prepare` plans it"
    assert todo(Preparation.model_validate(given)) == "`countermand prepare` plans it"


def test_a_trail_of_the_name_needs_no_bucket_said():
    trails = ({"Name": "countermand", "IsMultiRegionTrail": False, "S3BucketName": "logs"},)
    place = Place(ACCOUNT, REGION, True, {**ready(), "trails": trails})
    assert {one.next for one in judged(place, Preparation()) if one.part == "trail"} == {"`countermand prepare` plans it"}


def test_what_somebody_else_takes_care_of_is_shown_and_not_planned():
    wanted = Preparation(leave=("GuardDuty",))
    place = Place(ACCOUNT, REGION, True, {**ready(), "detectors": ()})
    checks = judged(place, wanted)
    assert [(one.part, one.elsewhere) for one in checks if one.state is not State.OK] == [("GuardDuty", True)]
    assert goals([place], checks, wanted, {}) == Goals({})


def test_a_setting_that_cannot_be_read_is_left_to_people():
    place = Place(ACCOUNT, REGION, True, {**ready(), "detectors": ()})
    found = goals([place], judged(place, Preparation()), Preparation(), {})
    plan = planned(found, {goal.key: Unread("denied") for goal in found.wanted})
    assert (plan.steps, [one.status for one in plan.unplanned]) == ((), ["unread"])


# --- rules for changes --------------------------------------------------------------------------------------------------------


def test_every_pattern_fits_and_together_they_name_every_operation_once():
    patterns = change_rules.patterns()
    assert all(len(json.dumps(told, separators=(",", ":"))) <= change_rules.LONGEST_PATTERN for told in patterns)
    named = [name for told in patterns for name in told["detail"]["eventName"]]
    assert (len(named), set(named)) == (len(set(named)), set(change_rules.operations()))


@given(st.sets(st.sampled_from(change_rules.operations()), min_size=1), st.data())
def test_a_pattern_matches_what_it_names_and_what_narrows_it_matches_nothing(names, data):
    told = change_rules.pattern(sorted(names))
    assert change_rules.matched(told) == names
    assert change_rules.matched({"$or": [{"source": ["aws.s3"]}, told]}) == names
    narrowed = data.draw(st.sampled_from(["errorCode", "userIdentity", "requestParameters"]))
    assert change_rules.matched({**told, "detail": {**told["detail"], narrowed: [{"exists": True}]}}) == frozenset()
    assert change_rules.matched({**told, "account": [ACCOUNT]}) == frozenset()


def test_a_pattern_without_names_matches_all_and_a_prefix_what_begins_with_it():
    assert change_rules.matched({"source": ["aws.ec2"], "detail-type": [change_rules.DETAIL_TYPE]}) is None
    prefixed = change_rules.pattern([])
    prefixed["detail"]["eventName"] = [{"prefix": "AuthorizeSecurityGroup"}]
    assert change_rules.matched(prefixed) == {"AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"}
    assert change_rules.matched({"source": ["aws.s3"]}) == frozenset()
    assert change_rules.matched(None) == frozenset(), "a rule of a schedule has no pattern"


# --- what stands once ---------------------------------------------------------------------------------------------------------


def a_test(at: datetime, passed: bool):
    body = {"passed": passed, "unanswered": [] if passed else ["bob"]}
    return chained(ESCALATION_CHAIN, 1, "test:t", str(Kind.NOTE), at, body, GENESIS)


@pytest.mark.parametrize(
    ("configured", "lines", "state"),
    [
        (False, [], State.MISSING),
        (True, [], State.MISSING),
        (True, [a_test(NOW - timedelta(days=1), True)], State.OK),
        (True, [a_test(NOW - timedelta(days=1), False)], State.MISSING),
        (True, [a_test(NOW - TESTED_WITHIN - timedelta(days=1), True)], State.MISSING),
    ],
)
def test_escalation_counts_when_everybody_answered_not_long_ago(configured, lines, state):
    assert escalation(configured, lines, NOW).state is state


@pytest.mark.parametrize(
    ("kind", "locked", "state"),
    [
        ("folder", False, State.MISSING),
        ("s3", False, State.MISSING),
        ("s3", True, State.OK),
        ("s3", Gap(True, "denied"), State.DENIED),
        ("s3", Gap(False, "away"), State.UNKNOWN),
    ],
)
def test_evidence_is_safe_in_a_locked_bucket_only(kind, locked, state):
    assert evidence_store(kind, locked).state is state


def drill(days: int, attended: bool = True, passed: bool = True) -> ScoreCard:
    return ScoreCard(
        scenario="stolen-key",
        difficulty=1,
        incident="inc-1",
        at=NOW - timedelta(days=days),
        attended=attended,
        passed=passed,
        score=80,
        seconds=Seconds(),
        points=(),
        missed=() if passed else ("route rtb-1 0.0.0.0/0",),
        answers=(),
    )


@pytest.mark.parametrize(
    ("cards", "unread", "state"),
    [
        ([], [], State.MISSING),
        ([], ["a.json"], State.UNKNOWN),
        ([drill(1, attended=False)], [], State.MISSING),
        ([drill(1)], [], State.OK),
        ([drill(1)], ["a.json"], State.OK),
        ([drill(TESTED_WITHIN.days + 1)], [], State.MISSING),
        ([drill(2), drill(1, passed=False)], [], State.MISSING),
        ([drill(1), drill(2, passed=False)], [], State.OK),
        ([drill(3), drill(1, attended=False, passed=False)], [], State.OK),
    ],
)
def test_drills_count_when_people_passed_one_not_long_ago(cards, unread, state):
    assert drills(cards, unread, NOW).state is state
