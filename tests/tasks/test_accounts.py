"""Which accounts are covered, and as whom their records show us."""

from __future__ import annotations

import httpx
import pytest

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import boto_client
from gateway.practice.configuration import granted_to
from tasks.aws import Aws, AwsError
from tasks.config import AwsConfig

OWN, OTHER = "111122223333", "444455556666"


@pytest.fixture(scope="module")
def aws():
    with Range(RangeConfig(accounts=(OWN, OTHER), regions=("us-east-1",), granted=granted_to([OWN, OTHER]))) as aws:
        yield aws


@pytest.fixture
def as_responder(aws, monkeypatch):
    keys = aws.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    return lambda **more: Aws(AwsConfig(endpoint_url=aws.url, **more))


def test_the_accounts_are_those_that_the_configuration_names(as_responder):
    assert as_responder(accounts=(OWN, OTHER)).accounts() == (OWN, OTHER)


def test_without_an_organization_nobody_manages_one(as_responder):
    with pytest.raises(AwsError, match="AWSOrganizationsNotInUseException"):
        as_responder(accounts=(OTHER,)).management_account()


def test_an_organizations_accounts_come_after_our_own(aws, as_responder):
    owner = boto_client(aws.url, "organizations", "us-east-1", aws.bootstrap())
    owner.create_organization(FeatureSet="ALL")
    made = owner.create_account(Email="shop@example.org", AccountName="shop")["CreateAccountStatus"]["AccountId"]
    responder = as_responder(accounts=(OWN,), organization=True)
    assert responder.accounts() == (OWN, made)
    assert as_responder(organization=True).accounts() == (OWN, made)
    assert responder.management_account() == OWN


def test_an_organization_that_cannot_be_listed_is_an_error_and_not_an_empty_list(as_responder):
    with pytest.raises(AwsError):
        as_responder(accounts=(OTHER,), organization=True, role_name="Nobody").call(
            "999988887777", "us-east-1", "organizations", "ListAccounts", {}
        )


def test_our_sessions_carry_the_incident(aws, as_responder):
    responder = as_responder(accounts=(OWN, OTHER), external_id="between-us", source_identity=True)
    responder.act_for("inc-9")
    assert responder.regions(OTHER).enabled == ("us-east-1",)
    records = httpx.get(f"{aws.url}/range/records", timeout=30).json()
    asked = [record["requestParameters"] for record in records if record["eventName"] == "AssumeRole"]
    ours = [one for one in asked if one.get("roleSessionName") == "countermand-inc-9"]
    assert ours
    assert {(one["externalId"], one["sourceIdentity"]) for one in ours} == {("between-us", "countermand-inc-9")}


def test_sessions_come_from_the_regional_endpoint_whose_tokens_work_in_every_region(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    responder = Aws(AwsConfig(accounts=(OWN,), home_region="eu-west-1"))
    assert responder.client(OWN, "eu-west-1", "sts").meta.endpoint_url == "https://sts.eu-west-1.amazonaws.com"


def test_a_session_is_asked_for_anew_before_it_expires(aws, as_responder):
    responder = as_responder(accounts=(OWN, OTHER))
    responder.act_for("inc-long")

    def assumed() -> int:
        records = httpx.get(f"{aws.url}/range/records", timeout=30).json()
        asked = [record for record in records if record["eventName"] == "AssumeRole" and record["recipientAccountId"] == OWN]
        return sum(one["requestParameters"].get("roleSessionName") == "countermand-inc-long" for one in asked)

    responder.regions(OTHER)
    responder.regions(OTHER)
    assert assumed() == 1
    responder._assumed_at[OTHER] -= 50 * 60
    assert responder.regions(OTHER).enabled == ("us-east-1",)
    responder.regions(OTHER)
    assert assumed() == 2
