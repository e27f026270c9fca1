"""A sweep of everything: global services once, details of details, and every page's every token."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime

import pytest

from drill.aws.range import Range, RangeConfig
from drill.client import RangeClient, boto_client
from gateway.practice.configuration import granted_to
from incident.families import FAMILIES
from incident.family import Read, Scope
from tasks.aws import Aws
from tasks.baseline import sweep_region
from tasks.config import AwsConfig


@pytest.fixture
def running():
    with Range(RangeConfig(regions=("us-east-1", "eu-central-1"), granted=granted_to(["111122223333"]))) as running:
        yield running


@pytest.fixture
def aws(running, monkeypatch):
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    return Aws(AwsConfig(accounts=(running.account,), endpoint_url=running.url))


@pytest.fixture
def owner(running):
    """The owner's client of a service, who may make what the responder may only read."""
    return lambda service: boto_client(running.url, service, "us-east-1", running.bootstrap())


def change(name: str, kind: str = "A") -> dict:
    value = "192.0.2.1" if kind == "A" else '"text"'
    return {"Action": "CREATE", "ResourceRecordSet": {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": value}]}}


def test_dns_is_swept_from_the_home_region_only_and_is_in_no_region(aws, owner):
    (account,) = aws.config.accounts
    dns = owner("route53")
    zone = dns.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change("www.shop.example")]})
    now = datetime.now(UTC)

    home, other = (sweep_region(aws, Scope(account, region), now) for region in ("us-east-1", "eu-central-1"))

    assert (home.failed, other.failed) == ({}, {})
    shown = {(one.key.region, one.key.name) for one in home.settings if one.key.kind == "dns-record"}
    assert ("global", "www.shop.example. A") in shown
    assert [one for one in other.settings if one.key.kind in ("dns-record", "hosted-zone")] == []


def test_pages_that_break_between_records_of_one_name_are_all_read(aws, owner):
    (account,) = aws.config.accounts
    dns = owner("route53")
    zone = dns.create_hosted_zone(Name="shop.example", CallerReference="1")["HostedZone"]["Id"]
    names = [("a.shop.example", "A"), ("a.shop.example", "TXT"), ("b.shop.example", "A"), ("c.shop.example", "TXT")]
    dns.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change(*one) for one in names]})
    read = Read("route53", "ListResourceRecordSets", {"HostedZoneId": zone, "MaxItems": "1"})

    pages = list(aws.read_all(Scope(account, "us-east-1"), read))

    shown = [(one["Name"], one["Type"]) for page in pages for one in page["ResourceRecordSets"]]
    assert shown[2:] == [(f"{name}.", kind) for name, kind in names]


def test_only_global_services_are_asked_in_the_home_region_alone():
    assert {read.service for family in FAMILIES if family.home_only for read in family.inventory} == {"iam", "route53", "s3control"}


def test_a_function_without_policy_and_url_is_no_failed_read(aws, owner):
    (account,) = aws.config.accounts
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    identities = owner("iam")
    role = identities.create_role(RoleName="pay-role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pay.py", "")
    functions = owner("lambda")
    code = {"ZipFile": archive.getvalue()}
    functions.create_function(FunctionName="pay", Runtime="python3.12", Role=role, Handler="pay.pay", Code=code)

    swept = sweep_region(aws, Scope(account, "us-east-1"), datetime.now(UTC))

    assert swept.failed == {}
    shown = {one.key.kind for one in swept.settings if one.key.resource == "pay"}
    assert shown == {"function", "function-attribute", "function-code"}


def test_a_clusters_public_endpoint_and_its_networks_are_swept(aws, owner):
    (account,) = aws.config.accounts
    trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = owner("iam").create_role(RoleName="cluster-role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    subnets = [one["SubnetId"] for one in owner("ec2").describe_subnets()["Subnets"]][:2]
    config = {"subnetIds": subnets, "endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.0/24"]}
    owner("eks").create_cluster(name="shop", roleArn=role, resourcesVpcConfig=config)

    swept = sweep_region(aws, Scope(account, "us-east-1"), datetime.now(UTC), frozenset({"cluster"}))

    assert swept.failed == {}
    shown = {(one.key.kind, one.key.resource): one.value for one in swept.settings}
    assert shown["cluster-endpoint", "shop"] == {"PublicAccess": True, "PublicAccessCidrs": ["198.51.100.0/24"]}


def test_a_bucket_that_shuts_everybody_out_hides_no_other(running, aws, owner):
    """As its policy would, which says who may read how it is set up: one bucket's tags cannot be read."""
    for bucket in ("a-locked", "b-open"):
        owner("s3").create_bucket(Bucket=bucket)
        owner("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "shop"}]})
    shut_out = {"service": "s3", "operation": "GetBucketTagging", "code": "AccessDenied", "status": 403, "times": 1}
    RangeClient(running.url).fault(**shut_out, principal="*CountermandResponder*")

    swept = sweep_region(aws, Scope(running.account, "us-east-1"), datetime.now(UTC), frozenset({"bucket"}))

    shown = [(one.key.resource, one.key.name) for one in swept.settings if one.key.kind == "bucket-setup"]
    assert len({bucket for bucket, _ in shown}) == 2
    assert len([bucket for bucket, name in shown if name == "tags"]) == 1
    (failed,) = swept.failed
    assert failed.startswith("s3:GetBucketTagging ")
    assert swept.covered == frozenset()
