"""The range's AWS Config: an item for everything that is found, one for each change, and the history of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.drill.conftest import ACCOUNT, code_of, corpus, permission

GROUP, SUBNET = "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet"


@pytest.fixture
def recorded(aws: Any) -> Iterator[Any]:
    aws.app.recorder.switch(True)
    yield aws
    aws.app.recorder.switch(False)


@pytest.fixture
def config(recorded: Any, client: Any) -> Any:
    return client("config")


def history(config: Any, kind: str, resource: str, **more: Any) -> list[dict[str, Any]]:
    return config.get_resource_config_history(resourceType=kind, resourceId=resource, **more)["configurationItems"]


def test_without_a_recorder_there_is_no_history(aws: Any, client: Any):
    ask = client("config").get_resource_config_history
    assert code_of(ask, resourceType=GROUP, resourceId="sg-1") == "NoAvailableConfigurationRecorderException"


def test_what_was_never_seen_is_not_discovered(config: Any):
    ask = config.get_resource_config_history
    assert code_of(ask, resourceType=GROUP, resourceId="sg-1") == "ResourceNotDiscoveredException"


def test_what_existed_before_is_discovered_and_each_change_is_an_item(config: Any, ec2: Any):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "Name", "Value": "a"}])
    found = history(config, SUBNET, subnet)
    assert [item["configurationItemStatus"] for item in found] == ["OK", "OK", "ResourceDiscovered"]
    assert [json.loads(item["configuration"])["mapPublicIpOnLaunch"] for item in found] == [False, False, True]
    assert found[0]["tags"] == {"Name": "a"}


def test_a_call_that_changes_nothing_makes_no_item(config: Any, ec2: Any):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    assert len(history(config, SUBNET, subnet)) == 1


def test_a_deleted_resource_has_a_last_item_and_is_listed_on_demand(config: Any, ec2: Any, vpc: str):
    group = ec2.create_security_group(GroupName="new", Description="new", VpcId=vpc)["GroupId"]
    ec2.delete_security_group(GroupId=group)
    newest = history(config, GROUP, group)[0]
    assert (newest["configurationItemStatus"], newest.get("configuration")) == ("ResourceDeleted", None)

    def listed(**more: Any) -> set[str]:
        answer = config.list_discovered_resources(resourceType=GROUP, **more)
        return {one["resourceId"] for one in answer["resourceIdentifiers"]}

    assert group not in listed()
    assert group in listed(includeDeletedResources=True)


def test_history_is_read_by_time_order_and_page(config: Any, ec2: Any, recorded: Any):
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    recorded.clock.advance(60)
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    newest, oldest = history(config, SUBNET, subnet)
    before = newest["configurationItemCaptureTime"] - timedelta(milliseconds=1)
    assert history(config, SUBNET, subnet, laterTime=before, limit=1) == [oldest]
    assert history(config, SUBNET, subnet, chronologicalOrder="Forward") == [oldest, newest]
    page = config.get_resource_config_history(resourceType=SUBNET, resourceId=subnet, limit=1)
    assert page["configurationItems"] == [newest]
    assert history(config, SUBNET, subnet, limit=1, nextToken=page["nextToken"]) == [oldest]


def test_a_batch_answers_with_the_newest_and_names_what_it_lacks(config: Any, ec2: Any, group: str):
    keys = [{"resourceType": GROUP, "resourceId": name} for name in (group, "sg-missing")]
    answer = config.batch_get_resource_config(resourceKeys=keys)
    assert [item["resourceId"] for item in answer["baseConfigurationItems"]] == [group]
    assert answer["unprocessedResourceKeys"] == [keys[1]]


def test_another_regions_resource_is_not_discovered_here(config: Any, group: str, client: Any):
    assert len(history(config, GROUP, group)) == 1
    ask = client("config", "eu-central-1").get_resource_config_history
    assert code_of(ask, resourceType=GROUP, resourceId=group) == "ResourceNotDiscoveredException"


def test_an_item_has_the_members_of_a_real_one(config: Any, ec2: Any, group: str):
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission(Description="office")])
    item = history(config, GROUP, group)[0]
    told = json.loads(item["configuration"])
    assert told["ipPermissions"][0]["ipRanges"] == ["10.0.0.0/8"]
    assert told["ipPermissions"][0]["ipv4Ranges"] == [{"cidrIp": "10.0.0.0/8", "description": "office"}]
    assert item["accountId"] == ACCOUNT
    real = [one for one in corpus("config", "rdk-example-ci.jsonl") if one["resourceType"] == GROUP]
    for one in real:
        assert one.keys() <= item.keys() | {"relationships"}
        assert one["configuration"].keys() <= told.keys()
