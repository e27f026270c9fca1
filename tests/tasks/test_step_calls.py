"""One step's calls in trouble: what is in use is waited for within a bound, a lost answer is read back, one read proves nothing."""

from __future__ import annotations

import pytest
from test_executor import ACCOUNT, REGION, Desk

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import RangeClient
from incident.family import Read, Scope
from incident.plan import Phase, Plan, PlannedCall, Step, step_id
from incident.settings import SettingKey
from tasks.aws import Aws, AwsError
from tasks.config import AwsConfig
from tasks.executor import Executor, Result

ONE = {"principal": "*CountermandResponder*"}


@pytest.fixture
def aws(monkeypatch):
    with Range(RangeConfig(regions=(REGION,))) as running:
        keys = running.responder()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
        yield running


class Patient(Desk):
    """The desk of the executor's tests, whose waits are only counted."""

    def __init__(self, aws: Range, folder) -> None:
        super().__init__(aws, folder)
        self.range, self.waits, self.told = RangeClient(aws.url), [], []
        config = AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url, dependency_deadline_seconds=60)
        self.aws = Aws(config, pause=self.waits.append)
        self.executor = self.another()

    def another(self) -> Executor:
        """The executor of a process that begins where another one ended."""
        return Executor(self.aws, self.ledger, self.approvals, pause=self.waits.append, timer=lambda: sum(self.waits))

    def do(self, step: Step):
        plan = Plan(incident="inc-1", title="do", steps=(step,))
        self.approve(plan)
        return self.executor.apply(plan, step, self.told.append)

    def deletes_the_group(self) -> Step:
        key = SettingKey(ACCOUNT, REGION, "security-group", self.group)
        live = self.ec2.describe_security_groups(GroupIds=[self.group])["SecurityGroups"][0]
        value = {name: live[name] for name in ("Description", "GroupName", "VpcId")}
        call = PlannedCall(
            service="ec2",
            operation="DeleteSecurityGroup",
            parameters={"GroupId": self.group},
            permissions=("ec2:DeleteSecurityGroup",),
        )
        identity = step_id(Phase.ERADICATE, key, None)
        return Step(id=identity, phase=Phase.ERADICATE, title="delete web", key=key, expects=value, leaves=None, calls=(call,))

    def calls(self, operation: str) -> int:
        return sum(call["operation"] == operation and "Countermand" in call["principal"] for call in self.range.calls())


@pytest.fixture
def desk(aws, tmp_path) -> Patient:
    return Patient(aws, tmp_path)


def test_what_is_in_use_is_tried_again_and_the_log_says_so(desk):
    desk.range.fault(operation="DeleteSecurityGroup", code="DependencyViolation", message="in use.", status=400, times=3, **ONE)
    assert desk.do(desk.deletes_the_group()).result is Result.DONE
    assert [line.rpartition("; ")[2] for line in desk.told] == [
        "try 1, 1 of at most 60 s until the next",
        "try 2, 3 of at most 60 s until the next",
        "try 3, 7 of at most 60 s until the next",
    ]


def test_after_the_bound_the_step_fails_and_says_what_still_depends_on_it(desk):
    vpc = desk.ec2.describe_security_groups(GroupIds=[desk.group])["SecurityGroups"][0]["VpcId"]
    subnet = desk.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    made = desk.ec2.create_network_interface(SubnetId=subnet, Groups=[desk.group], Description="of a lambda")
    outcome = desk.do(desk.deletes_the_group())
    assert outcome.result is Result.FAILED
    assert "DeleteSecurityGroup answered DependencyViolation" in outcome.detail
    interface = made["NetworkInterface"]["NetworkInterfaceId"]
    assert outcome.detail.endswith(f"After 60 s still depends on it: interface {interface} (of a lambda).")
    assert 60 <= sum(desk.waits) < 100


def test_any_other_refusal_is_not_waited_for(desk):
    desk.range.fault(operation="DeleteSecurityGroup", code="UnauthorizedOperation", status=403, **ONE)
    assert desk.do(desk.deletes_the_group()).result is Result.FAILED
    assert sum(desk.waits) < 5


@pytest.mark.parametrize("more", [{}, {"drop": True}], ids=["500", "cut off"])
def test_a_lost_answer_is_read_back_and_not_asked_for_again(desk, more):
    desk.range.fault(operation="RevokeSecurityGroupIngress", moment="after", times=1, **more, **ONE)
    assert desk.do(desk.step()).result is Result.DONE
    assert desk.calls("RevokeSecurityGroupIngress") == 1
    assert "took effect" in desk.told[0]


@pytest.mark.parametrize("more", [{}, {"drop": True}], ids=["500", "cut off"])
def test_what_shows_no_effect_is_done_again(desk, more):
    desk.range.fault(operation="RevokeSecurityGroupIngress", times=2, **more, **ONE)
    assert desk.do(desk.step()).result is Result.DONE
    assert desk.calls("RevokeSecurityGroupIngress") == 1
    assert len(desk.told) == 2


def test_what_never_gets_an_answer_fails_after_a_few_times(desk):
    desk.range.fault(operation="RevokeSecurityGroupIngress", **ONE)
    outcome = desk.do(desk.step())
    assert (outcome.result, desk.is_open()) == (Result.FAILED, True)
    assert len(desk.range.calls(refused=True)) - len(desk.range.calls()) == 5


def test_a_late_read_does_not_pass_for_a_setting_that_moved(desk):
    desk.close_ssh()
    desk.rule = desk.open_ssh("until just now")
    desk.range.fault(stale_reads=3, service="ec2")
    desk.close_ssh()
    desk.rule = desk.open_ssh()
    assert desk.do(desk.step()).result is Result.DONE
    assert not desk.is_open()


def test_reads_are_asked_again_and_changes_are_not(desk):
    read = Read("ec2", "DescribeVpcs", {})
    desk.range.fault(service="ec2", times=5, **ONE)
    assert len(list(desk.aws.read_all(Scope(ACCOUNT, REGION), read))) == 1
    desk.range.fault(service="ec2", drop=True, times=1, **ONE)
    with pytest.raises(AwsError, match="transport:ConnectionClosedError") as raised:
        desk.aws.call(ACCOUNT, REGION, "ec2", "CreateVpc", {"CidrBlock": "10.9.0.0/16"})
    assert not raised.value.refused
    assert len(desk.waits) == 5


def test_a_read_that_is_never_answered_ends(desk):
    desk.range.fault(service="ec2", **ONE)
    with pytest.raises(AwsError, match="5xx:InternalError"):
        desk.aws.call(ACCOUNT, REGION, "ec2", "DescribeVpcs", {})
    assert len(desk.waits) == 7
