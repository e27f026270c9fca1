"""Rules, functions' parts, orders for instances and buckets on the range: what an actor made goes, what they changed comes back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from range_account import IMAGE, REGION, Account, document, fresh, nothing, operations, returns, trusting
from roundtrip import values

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.families import family_for_kind
from incident.network.function import FUNCTIONS
from incident.resources.bucket import BUCKETS
from incident.resources.event_rule import EVENT_RULES
from incident.resources.function_part import EVENT_SOURCES
from incident.resources.spot import SPOT
from incident.settings import SettingKey
from tasks.aws import observe

pytestmark = pytest.mark.slow

LOOKED_AT = (EVENT_RULES, EVENT_SOURCES, FUNCTIONS, BUCKETS)


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION, "eu-central-1"), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return fresh(running, tmp_path, monkeypatch, LOOKED_AT)


# --- EventBridge --------------------------------------------------------------------------------------------------------------

PATTERN = json.dumps({"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]})


def queue(account: Account, name: str) -> str:
    client = account.owner("sqs")
    url = client.create_queue(QueueName=name)["QueueUrl"]
    return client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def watched(account: Account) -> None:
    """A rule of the owner's with a target, and one on a bus of its own."""
    events = account.owner("events")
    events.put_rule(Name="watch", EventPattern=PATTERN, Description="State changes")
    events.put_targets(Rule="watch", Targets=[{"Id": "log", "Arn": queue(account, "log")}])
    events.create_event_bus(Name="orders")
    events.put_rule(Name="watch", EventPattern=PATTERN, EventBusName="orders")


def test_a_rule_that_the_actor_made_goes_with_its_targets(account: Account):
    def attack(account: Account) -> None:
        events, arn = account.mallory("events"), queue(account, "again")
        events.put_rule(Name="again", ScheduleExpression="rate(5 minutes)")
        events.put_targets(Rule="again", Targets=[{"Id": "1", "Arn": arn}, {"Id": "2", "Arn": arn, "Input": "{}"}])

    assert operations(returns(account, watched, attack)) == ["DeleteRule"]


def test_a_rule_with_targets_of_the_last_minute_goes_all_the_same(account: Account):
    before = account.settings()
    account.mallory("events").put_rule(Name="again", ScheduleExpression="rate(5 minutes)")
    proposal = account.proposed(account.fold(before))
    account.owner("events").put_targets(Rule="again", Targets=[{"Id": "late", "Arn": queue(account, "late")}])
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)


def test_an_overwritten_rule_and_a_moved_target_are_as_they_were(account: Account):
    def attack(account: Account) -> None:
        events = account.mallory("events")
        events.put_rule(Name="watch", ScheduleExpression="rate(1 minute)", State="DISABLED")
        events.put_targets(Rule="watch", Targets=[{"Id": "log", "Arn": queue(account, "theirs")}])

    assert sorted(operations(returns(account, watched, attack))) == ["PutRule", "PutTargets"]


@pytest.mark.parametrize("bus", ["default", "orders"])
def test_a_switched_off_rule_is_on_again(account: Account, bus: str):
    def attack(account: Account) -> None:
        account.mallory("events").disable_rule(Name="watch", EventBusName=bus)

    assert operations(returns(account, watched, attack)) == ["PutRule"]


def test_a_deleted_rule_is_back_with_its_targets(account: Account):
    def attack(account: Account) -> None:
        events = account.mallory("events")
        events.remove_targets(Rule="watch", Ids=["log"])
        events.delete_rule(Name="watch")

    assert operations(returns(account, watched, attack)) == ["PutRule", "PutTargets"]


def test_a_bus_of_the_actors_goes_after_its_rules(account: Account):
    def attack(account: Account) -> None:
        events = account.mallory("events")
        events.create_event_bus(Name="theirs")
        events.put_rule(Name="all", EventPattern=PATTERN, EventBusName="theirs")

    assert operations(returns(account, watched, attack)) == ["DeleteRule", "DeleteEventBus"]


# --- functions' parts ---------------------------------------------------------------------------------------------------------


def packed(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("pay.py", text)
    return archive.getvalue()


def pay(account: Account) -> None:
    role = account.owner("iam").create_role(RoleName="pay", AssumeRolePolicyDocument=trusting("lambda"))["Role"]["Arn"]
    asked = {"Runtime": "python3.12", "Role": role, "Handler": "pay.pay", "Code": {"ZipFile": packed("one = 1")}}
    account.owner("lambda").create_function(FunctionName="pay", Timeout=3, **asked)


def layer(client: Any, name: str) -> str:
    made = client.publish_layer_version(LayerName=name, Content={"ZipFile": packed("x = 1")}, CompatibleRuntimes=["python3.12"])
    return made["LayerVersionArn"]


def test_a_layer_goes_after_the_function_has_let_go_of_it(account: Account):
    def attack(account: Account) -> None:
        client = account.mallory("lambda")
        client.update_function_configuration(FunctionName="pay", Layers=[layer(client, "hook")], Timeout=900, MemorySize=3008)

    proposal = returns(account, pay, attack)
    assert operations(proposal)[-1:] == ["UpdateFunctionConfiguration"] or "DeleteLayerVersion" in operations(proposal)
    assert account.owner("lambda").list_layers()["Layers"] == []
    assert "its content goes with it" in next(step.irreversible for step in proposal.steps if step.key.kind == "layer-version")


def test_an_event_source_goes_and_a_switched_off_one_comes_back(account: Account):
    def build(account: Account) -> None:
        pay(account)
        account.owner("lambda").create_event_source_mapping(FunctionName="pay", EventSourceArn=queue(account, "work"))

    def attack(account: Account) -> None:
        client = account.mallory("lambda")
        (held,) = client.list_event_source_mappings()["EventSourceMappings"]
        client.update_event_source_mapping(UUID=held["UUID"], Enabled=False)
        client.create_event_source_mapping(FunctionName="pay", EventSourceArn=queue(account, "theirs"))

    assert sorted(operations(returns(account, build, attack))) == ["DeleteEventSourceMapping", "UpdateEventSourceMapping"]


def test_a_stopped_function_may_run_again(account: Account):
    def attack(account: Account) -> None:
        account.mallory("lambda").put_function_concurrency(FunctionName="pay", ReservedConcurrentExecutions=0)

    assert operations(returns(account, pay, attack)) == ["DeleteFunctionConcurrency"]


def test_whose_a_published_version_is_is_a_question_and_an_alias_goes(account: Account):
    pay(account)
    before = account.settings()
    client = account.mallory("lambda")
    version = client.publish_version(FunctionName="pay")["Version"]
    client.create_alias(FunctionName="pay", Name="theirs", FunctionVersion=version)
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == ["DeleteAlias"]
    assert [(item.status, item.key and item.key.kind) for item in proposal.unplanned] == [("needs-prior-state", "function-version")]
    assert account.carried_out(proposal) == []


def test_a_deleted_event_source_is_made_again(account: Account):
    pay(account)
    account.owner("lambda").create_event_source_mapping(FunctionName="pay", EventSourceArn=queue(account, "work"), BatchSize=7)
    before = account.settings()
    client = account.mallory("lambda")
    (held,) = client.list_event_source_mappings()["EventSourceMappings"]
    client.delete_event_source_mapping(UUID=held["UUID"])
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == ["CreateEventSourceMapping"]
    assert account.carried_out(proposal) == []
    (again,) = account.owner("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert (again["EventSourceArn"], again["BatchSize"]) == (held["EventSourceArn"], 7)


def test_a_reserve_that_was_taken_away_is_given_back(account: Account):
    def build(account: Account) -> None:
        pay(account)
        account.owner("lambda").put_function_concurrency(FunctionName="pay", ReservedConcurrentExecutions=5)

    def attack(account: Account) -> None:
        account.mallory("lambda").delete_function_concurrency(FunctionName="pay")

    assert operations(returns(account, build, attack)) == ["PutFunctionConcurrency"]


@pytest.mark.parametrize("deleted", [True, False])
def test_an_alias_points_where_it_did(account: Account, deleted: bool):
    pay(account)
    owner, client = account.owner("lambda"), account.mallory("lambda")
    first = owner.publish_version(FunctionName="pay")["Version"]
    owner.create_alias(FunctionName="pay", Name="live", FunctionVersion=first)
    key = SettingKey(account.scope.account, REGION, "function-alias", "pay", "live")
    held = observe(account.reader, family_for_kind(key.kind), key)
    before = account.settings() | {key: held}
    if deleted:
        client.delete_alias(FunctionName="pay", Name="live")
    else:
        client.update_alias(FunctionName="pay", Name="live", FunctionVersion="$LATEST")
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == ["CreateAlias" if deleted else "UpdateAlias"]
    assert account.carried_out(proposal) == []
    assert owner.get_alias(FunctionName="pay", Name="live")["FunctionVersion"] == first


def test_a_deleted_bus_is_made_again(account: Account):
    def build(account: Account) -> None:
        account.owner("events").create_event_bus(Name="orders")

    def attack(account: Account) -> None:
        account.mallory("events").delete_event_bus(Name="orders")

    assert operations(returns(account, build, attack)) == ["CreateEventBus"]


# --- orders for instances -----------------------------------------------------------------------------------------------------


def spot_fleet(account: Account, client: Any) -> str:
    role = account.owner("iam").create_role(RoleName="fleet", AssumeRolePolicyDocument=trusting("spotfleet"))["Role"]["Arn"]
    launched = {"ImageId": IMAGE, "InstanceType": "t3.micro", "SubnetId": account.subnets[0]}
    asked = {"IamFleetRole": role, "TargetCapacity": 2, "AllocationStrategy": "lowestPrice", "SpotPrice": "0.1"}
    return client.request_spot_fleet(SpotFleetRequestConfig={**asked, "LaunchSpecifications": [launched]})["SpotFleetRequestId"]


def fleet(account: Account, client: Any) -> str:
    template = client.create_launch_template(
        LaunchTemplateName="jobs", LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    asked = {"LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"}}
    capacity = {"TotalTargetCapacity": 1, "OnDemandTargetCapacity": 1, "DefaultTargetCapacityType": "on-demand"}
    made = client.create_fleet(LaunchTemplateConfigs=[asked], TargetCapacitySpecification=capacity, Type="maintain")
    return made["FleetId"]


def request(account: Account, client: Any) -> str:
    asked = {"ImageId": IMAGE, "InstanceType": "t3.micro", "SubnetId": account.subnets[0]}
    made = client.request_spot_instances(InstanceCount=1, Type="persistent", SpotPrice="0.1", LaunchSpecification=asked)
    return made["SpotInstanceRequests"][0]["SpotInstanceRequestId"]


@pytest.mark.parametrize(
    ("order", "cancels"),
    [(request, "CancelSpotInstanceRequests"), (spot_fleet, "CancelSpotFleetRequests"), (fleet, "DeleteFleets")],
)
def test_an_order_is_cancelled_before_the_instances_that_it_launched_end(account: Account, order: Any, cancels: str):
    theirs = order(account, account.mallory("ec2"))
    proposal = account.proposed(account.fold({}))
    done = operations(proposal)
    assert done[0] == cancels
    assert "TerminateInstances" in done
    assert account.carried_out(proposal) == []
    running = [one for found in account.owner("ec2").describe_instances()["Reservations"] for one in found["Instances"]]
    assert {one["State"]["Name"] for one in running} == {"terminated"}
    (key,) = [step.key for step in proposal.steps if step.key.resource == theirs]
    assert key.kind in SPOT.kinds


def test_an_instance_of_the_owners_own_order_stays(account: Account):
    request(account, account.owner("ec2"))
    request(account, account.mallory("ec2"))
    assert account.carried_out(account.proposed(account.fold({}))) == []
    running = [one for found in account.owner("ec2").describe_instances()["Reservations"] for one in found["Instances"]]
    assert sorted(one["State"]["Name"] for one in running) == ["running", "terminated"]


# --- buckets ------------------------------------------------------------------------------------------------------------------

OPEN = document(Principal="*", Action="s3:GetObject", Resource="arn:aws:s3:::shop-data/*")
OURS = document(Principal={"AWS": "arn:aws:iam::111122223333:root"}, Action="s3:*", Resource="arn:aws:s3:::shop-data")
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def shop_data(account: Account) -> None:
    s3 = account.owner("s3")
    s3.create_bucket(Bucket="shop-data")
    s3.put_bucket_policy(Bucket="shop-data", Policy=OURS)
    s3.put_public_access_block(Bucket="shop-data", PublicAccessBlockConfiguration=BLOCKED)


def test_a_bucket_is_open_to_the_same_as_before(account: Account):
    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.delete_public_access_block(Bucket="shop-data")
        s3.put_bucket_ownership_controls(
            Bucket="shop-data", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        )
        s3.put_bucket_acl(Bucket="shop-data", ACL="public-read")
        s3.put_bucket_policy(Bucket="shop-data", Policy=OPEN)

    proposal = returns(account, shop_data, attack)
    assert {step.key.name for step in proposal.steps if step.closes_exposure} == {"policy", "access control list"}


def test_a_policy_and_a_block_that_were_not_there_go(account: Account):
    def build(account: Account) -> None:
        account.owner("s3").create_bucket(Bucket="shop-data")
        account.owner("s3").delete_public_access_block(Bucket="shop-data")

    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.put_bucket_policy(Bucket="shop-data", Policy=OPEN)
        s3.put_public_access_block(Bucket="shop-data", PublicAccessBlockConfiguration={**BLOCKED, "BlockPublicPolicy": False})

    assert sorted(operations(returns(account, build, attack))) == ["DeleteBucketPolicy", "DeletePublicAccessBlock"]


def test_an_empty_bucket_of_the_actors_goes(account: Account):
    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.create_bucket(Bucket="theirs")
        s3.delete_public_access_block(Bucket="theirs")
        s3.put_bucket_policy(Bucket="theirs", Policy=OPEN)

    assert operations(returns(account, nothing, attack)) == ["DeleteBucket"]


def test_a_bucket_that_may_have_been_there_before_is_a_question(account: Account):
    """In us-east-1 making one's own bucket again succeeds, and proves nothing."""
    account.mallory("s3").create_bucket(Bucket="theirs")
    folded = account.fold({}, swept=False)
    (left,) = account.proposed(folded).unplanned
    assert left.status == "needs-prior-state"


def full(account: Account) -> None:
    s3 = account.mallory("s3")
    s3.create_bucket(Bucket="theirs")
    s3.put_bucket_versioning(Bucket="theirs", VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket="theirs", Key="loot", Body=str(number).encode())
    s3.delete_object(Bucket="theirs", Key="loot")


def test_a_bucket_with_hidden_versions_is_left_to_people(account: Account):
    before = account.settings()
    full(account)
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    (left,) = proposal.unplanned
    assert (left.status, "ITEM empty" in left.advice) == ("not-invertible", True)
    versions = account.owner("s3").list_object_versions(Bucket="theirs")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (3, 1)


def test_a_bucket_that_may_be_emptied_is_emptied_by_a_step_of_its_own(account: Account):
    before = account.settings()
    full(account)
    proposal = account.proposed(account.fold(before), may_be_emptied={"theirs"})
    assert operations(proposal) == ["DeleteObjects", "DeleteBucket"]
    assert proposal.steps[1].after == (proposal.steps[0].id,)
    assert "gone for good" in proposal.steps[0].irreversible
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)
