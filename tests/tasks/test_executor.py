"""The executor against the range: what it skips, what stops it, and whom it obeys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest
from crashes import briefly

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from incident.approvals import Answer
from incident.collection import snapshot_steps
from incident.new_ids import _renamed
from incident.plan import Phase, Plan, PlannedCall, Step, step_id
from incident.policy import Policy, Responder
from incident.resources.compute import INSTANCE
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.aws import Aws
from tasks.config import AwsConfig, Config, load_policy
from tasks.evidence import EvidenceStore
from tasks.executor import Executor, Result
from tasks.guarding import Guarding
from tasks.ledger import Ledger

ACCOUNT, REGION = "111122223333", "us-east-1"
POLICY = Policy(responders=(Responder(name="alice"), Responder(name="bob")))


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A range with one open rule, and everything needed to close it."""

    def __init__(self, aws: Range, folder) -> None:
        keys = aws.bootstrap()
        self.ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=aws.url, **keys.for_boto3())
        vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.group = self.ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
        self.rule = self.open_ssh()
        self.clock = Clock()
        self.ledger = Ledger.open(f"sqlite:///{folder}/ledger.db", self.clock)
        self.approvals = Approvals(self.ledger, POLICY, self.clock)
        client = Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url, call_deadline_seconds=2))
        self.executor = Executor(client, self.ledger, self.approvals, pause=briefly)
        self.plan = Plan(incident="inc-1", title="close", steps=(self.step(),))

    def open_ssh(self, description: str = "") -> str:
        ranges = [{"CidrIp": "0.0.0.0/0", **({"Description": description} if description else {})}]
        permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}
        made = self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[permission])
        return made["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def close_ssh(self) -> None:
        self.ec2.revoke_security_group_ingress(GroupId=self.group, SecurityGroupRuleIds=[self.rule])

    def is_open(self) -> bool:
        groups = self.ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"]
        return bool(groups[0]["IpPermissions"])

    def step(self, **more) -> Step:
        key = SettingKey(ACCOUNT, REGION, "security-group-rule", self.group, "ingress tcp 22-22 0.0.0.0/0")
        parameters = {"GroupId": self.group, "SecurityGroupRuleIds": [self.rule]}
        call = PlannedCall(
            service="ec2",
            operation="RevokeSecurityGroupIngress",
            parameters=parameters,
            permissions=("ec2:RevokeSecurityGroupIngress",),
        )
        fields = {
            "id": step_id(Phase.ERADICATE, key, None),
            "phase": Phase.ERADICATE,
            "title": "close ssh",
            "calls": (call,),
            **more,
        }
        return Step(key=key, expects={"description": ""}, leaves=None, **fields)

    def approve(self, plan: Plan | None = None, **more) -> None:
        plan = plan or self.plan
        asked = self.approvals.ask(plan, "restore", 1, ())
        answer = {"person": "alice", "answer": Answer.APPROVE, "digest": plan.digest, **more}
        self.approvals.decide("inc-1", asked.id, method="one-time-code", surface="prefect", **answer)

    def apply(self, plan: Plan | None = None):
        plan = plan or self.plan
        return [self.executor.apply(plan, step) for step in plan.steps]


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    with Range(RangeConfig(regions=(REGION,))) as running:
        keys = running.responder()
        patch = pytest.MonkeyPatch()
        patch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        patch.setenv("AWS_SESSION_TOKEN", keys.token)
        yield running
        patch.undo()


@pytest.fixture
def desk(aws, tmp_path) -> Desk:
    return Desk(aws, tmp_path)


def test_an_approved_step_is_done_and_a_read_shows_it(desk):
    desk.approve()
    assert [outcome.result for outcome in desk.apply()] == [Result.DONE]
    assert not desk.is_open()


def test_without_an_approval_nothing_happens(desk):
    (outcome,) = desk.apply()
    assert outcome.result is Result.REFUSED
    assert desk.is_open()


def test_an_approval_of_another_plan_is_no_approval(desk):
    desk.approve(desk.plan.model_copy(update={"title": "another"}))
    assert desk.apply()[0].result is Result.REFUSED
    assert desk.is_open()


def test_an_approval_that_has_expired_is_no_approval(desk):
    desk.approve()
    desk.clock.now += timedelta(hours=2)
    assert desk.apply()[0].result is Result.REFUSED
    assert desk.is_open()


def test_one_rejection_wins(desk):
    desk.approve()
    asked = desk.approvals.ask(desk.plan, "restore", 1, ())
    desk.approvals.decide(
        "inc-1", asked.id, person="bob", method="one-time-code", surface="slack", answer=Answer.REJECT, digest=desk.plan.digest
    )
    assert desk.apply()[0].result is Result.REFUSED
    assert desk.is_open()


def test_a_struck_step_does_not_run(desk):
    desk.approve(steps_struck=(desk.plan.steps[0].id,))
    assert desk.apply()[0].result is Result.STRUCK
    assert desk.is_open()


def test_what_is_already_right_is_left_alone(desk):
    desk.approve()
    desk.close_ssh()
    assert desk.apply()[0].result is Result.ALREADY_RIGHT


def test_a_setting_that_has_moved_since_stops_the_step(desk):
    desk.approve()
    desk.close_ssh()
    desk.open_ssh("opened again by the owner")
    (outcome,) = desk.apply()
    assert outcome.result is Result.MOVED
    assert "opened again by the owner" in outcome.detail
    assert desk.is_open()


def test_running_it_again_does_it_once(desk):
    desk.approve()
    assert desk.apply() == desk.apply()
    kinds = [line.kind for line in desk.ledger.lines("inc-1")]
    assert (kinds.count("step-intent"), kinds.count("step-call"), kinds.count("step-outcome")) == (1, 1, 1)


def test_a_step_waits_for_what_it_needs(desk):
    needing = desk.step(after=("never-run",))
    plan = Plan(incident="inc-1", title="needs", steps=(needing,))
    desk.approve(plan)
    assert desk.apply(plan)[0].result is Result.BLOCKED
    assert desk.is_open()


def test_a_deletion_without_its_evidence_is_blocked(desk):
    plan = Plan(incident="inc-1", title="evidence", steps=(desk.step(evidence=("evidence-missing",)),))
    desk.approve(plan)
    (outcome,) = desk.apply(plan)
    assert outcome.result is Result.BLOCKED
    assert "evidence" in outcome.detail
    assert desk.is_open()


def test_a_deletion_rests_on_kept_items_that_verify(desk, tmp_path):
    item = "instances/us-east-1/i-1/console-output.json"
    plan = Plan(incident="inc-1", title="evidence", steps=(desk.step(evidence=(item,)),))
    desk.approve(plan)
    (step,) = plan.steps
    assert desk.executor._not_now(plan, step).detail.endswith("no evidence store is at hand")
    store = EvidenceStore(tmp_path / "evidence", desk.ledger)
    desk.executor._evidence = store
    assert desk.executor._not_now(plan, step).detail == f"its evidence {item} is not in the manifest"
    store.keep_json("inc-1", item, {"Output": "login:"}, "the console")
    kept = tmp_path / "evidence" / "inc-1" / item
    kept.chmod(0o600)
    kept.write_text("{}")
    assert desk.executor._not_now(plan, step).detail == f"its evidence {item} is changed"
    kept.unlink()
    (outcome,) = desk.apply(plan)
    assert (outcome.result, outcome.detail) == (Result.BLOCKED, f"its evidence {item} is missing")
    assert desk.is_open()


def test_while_the_store_takes_nothing_only_what_rests_on_evidence_waits(desk, tmp_path):
    item = "instances/us-east-1/i-1/console-output.json"
    (tmp_path / "evidence").write_text("in the way")
    store = desk.executor._evidence = EvidenceStore(tmp_path / "evidence", desk.ledger, tmp_path / "aside")
    store.keep_json("inc-1", item, {"Output": "login:"}, "the console")
    resting = desk.step(id="delete", evidence=(item,))
    plan = Plan(incident="inc-1", title="all", steps=(resting, desk.step()))
    desk.approve(plan)
    waits, contained = desk.apply(plan)
    assert waits.result is Result.BLOCKED
    assert f"its evidence {item} is waiting for its store: evidence folder" in waits.detail
    assert (contained.result, desk.is_open()) == (Result.DONE, False)
    (tmp_path / "evidence").unlink()
    assert store.take_in("inc-1") == {}
    assert desk.executor._not_now(plan, resting) is None


def test_a_refused_call_is_a_failure_that_says_why(desk):
    broken = desk.step()
    call = broken.calls[0].model_copy(
        update={"parameters": {"GroupId": desk.group, "SecurityGroupRuleIds": ["sgr-0123456789abcdef0"]}}
    )
    plan = Plan(incident="inc-1", title="broken", steps=(broken.model_copy(update={"calls": (call,)}),))
    desk.approve(plan)
    (outcome,) = desk.apply(plan)
    assert outcome.result is Result.FAILED
    assert "NotFound" in outcome.detail


def test_what_was_made_again_is_followed_by_its_id_inside_a_text_and_by_its_whole_arn():
    old, new = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/0a", "arn:aws:elasticloadbalancing:us-east-1:1:new"
    ids = {old: new, "sg-0123456789abcdef0": "sg-00000000000000001"}
    told = {"LoadBalancerArn": old, "of": f"{old}/rule", "rule": "ingress tcp 22-22 sg-0123456789abcdef0"}
    assert _renamed(told, ids) == {"LoadBalancerArn": new, "of": f"{old}/rule", "rule": "ingress tcp 22-22 sg-00000000000000001"}


def test_evidence_that_was_begun_is_waited_for_and_not_taken_twice(desk):
    image = desk.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = desk.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    volumes = tuple(mapping["Ebs"]["VolumeId"] for mapping in instance["BlockDeviceMappings"])
    key = SettingKey(ACCOUNT, REGION, INSTANCE, instance["InstanceId"])
    plan = Plan(incident="inc-1", title="evidence", steps=snapshot_steps("inc-1", {key: volumes}))
    (step,) = plan.steps

    def taken() -> int:
        return len(
            desk.ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "volume-id", "Values": list(volumes)}])["Snapshots"]
        )

    desk.executor.begin(plan, step)
    desk.executor.begin(plan, step)
    assert taken() == len(volumes)
    assert desk.executor.outcomes(plan) == {}
    assert desk.executor.apply(plan, step).result is Result.DONE
    assert taken() == len(volumes)


def test_a_tag_or_a_name_that_became_protected_after_the_approval_refuses_the_step_and_says_which_rule(desk, tmp_path):
    policy = tmp_path / "policy.yaml"
    policy.write_text("protected_tags: {env: 'prod*'}")
    desk.executor._guard = Guarding(desk.executor._aws, lambda: load_policy(Config(policy_file=policy)))
    desk.approve()
    desk.ec2.create_tags(Resources=[desk.group], Tags=[{"Key": "env", "Value": "production"}])
    (outcome,) = desk.apply()
    assert outcome.result is Result.REFUSED
    assert outcome.detail == (
        f"refused by rule protected_tags: {desk.group} ({REGION}) has the protected tag env=production "
        f"(step {desk.plan.steps[0].id})"
    )
    assert desk.is_open()
    again = Plan(incident="inc-1", title="asked again", steps=desk.plan.steps)
    desk.approve(again)
    policy.write_text(f"protected_resources: [{desk.group}]")
    assert "rule protected_resources" in desk.apply(again)[0].detail
    third = Plan(incident="inc-1", title="asked a third time", steps=desk.plan.steps)
    desk.approve(third)
    policy.write_text("protected_resources: {}")
    assert "rule policy" in desk.apply(third)[0].detail
    assert desk.is_open()


def test_a_step_that_has_begun_is_finished_whatever_became_protected(desk):
    desk.approve()
    (step,) = desk.plan.steps

    class Stopped(Exception):
        pass

    def stop(name: str) -> None:
        raise Stopped

    desk.executor._boundary = stop
    with pytest.raises(Stopped):
        desk.apply()
    desk.executor._boundary, desk.executor._guard = (lambda name: None), (lambda step: "protected by now")
    assert desk.executor.apply(desk.plan, step).result is Result.DONE
