"""Findings read back from Security Hub itself, with the responder's own policies."""

from __future__ import annotations

import pytest
from arriving import ACCOUNT, HUB_ID, REGION, asff

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import boto_client
from gateway.practice.configuration import granted_to
from incident.findings.arrivals import parse_arrival
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.read_back import Reader


@pytest.fixture
def reader(monkeypatch):
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted_to([ACCOUNT]))) as aws:
        keys = aws.responder()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
        hub = boto_client(aws.url, "securityhub", REGION, aws.bootstrap())
        hub.enable_security_hub()
        hub.batch_import_findings(Findings=[asff()])
        yield Reader(Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url)))


def test_what_security_hub_has_is_read_back_and_what_it_has_not_is_not_believed(reader):
    true, forged = (parse_arrival(asff(id_)) for id_ in (HUB_ID, f"{HUB_ID}0"))
    assert reader.one(true).problem == ""
    assert reader.one(true).finding.id == HUB_ID
    assert reader.one(forged).problem
