"""What the internet reaches newly is proposed once, in Slack too, unless an approved change explains all of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from drill.slack.server import FakeSlack
from incident.ledger import BASELINE_CHAIN, Kind
from incident.policy import ApprovedChange, Policy
from tasks.outbox import Sender
from tasks.proposing import propose_new_exposures
from tasks.slack import SlackWorkspace
from tests.public_host import ACCOUNT, PLACE, REGION, opened, swept


@pytest.fixture
def hands(public_hands):
    return public_hands


@pytest.fixture
def ec2(public_ec2):
    return public_ec2


def proposed(hands) -> list:
    return propose_new_exposures(hands, PLACE, swept(hands))


def test_a_new_exposure_is_proposed_once_with_its_path_and_the_command(hands, ec2):
    assert proposed(hands) == []
    opened(ec2, 22)
    (one,) = proposed(hands)
    assert f"--resource {ec2.group}" in one.command
    assert one.command.startswith(f"countermand open --account {ACCOUNT} --region {REGION} --since ")
    assert [str(way) for way in one.exposure.reached] == ["tcp 22 from anywhere (IPv4)"]
    assert proposed(hands) == []
    opened(ec2, 3389)
    assert [str(way) for new in proposed(hands) for way in new.exposure.reached] == ["tcp 3389 from anywhere (IPv4)"]


def test_a_sweep_that_was_killed_before_it_compared_loses_nothing(hands, ec2):
    proposed(hands)
    opened(ec2, 22)
    swept(hands)
    assert len(proposed(hands)) == 1


def test_said_again_it_is_not_said_twice(hands, ec2):
    proposed(hands)
    opened(ec2, 22)
    at = swept(hands)
    assert len(propose_new_exposures(hands, PLACE, at)) == 1
    assert propose_new_exposures(hands, PLACE, at) == []
    assert len(hands.ledger.lines(BASELINE_CHAIN, Kind.MESSAGE)) == 1


def approved(group: str, principal: str = "arn:aws:iam::*:user/alice") -> Policy:
    now = datetime.now(UTC)
    told = {"ticket": "CHG-7", "principals": [principal], "resources": [group]}
    change = ApprovedChange.model_validate({**told, "from": now - timedelta(hours=1), "until": now + timedelta(hours=1)})
    return Policy(approved_changes=(change,))


@pytest.mark.parametrize(("principal", "count"), [("arn:aws:iam::*:user/alice", 0), ("arn:aws:iam::*:user/bob", 1)])
def test_only_an_approved_change_by_its_own_people_explains_it(hands, ec2, principal, count):
    told = replace(hands, policy=approved(ec2.group, principal))
    proposed(told)
    opened(ec2, 22)
    assert len(proposed(told)) == count


def test_what_cloudtrail_cannot_say_explains_nothing(public_range, hands, ec2):
    told = replace(hands, policy=approved(ec2.group))
    proposed(told)
    opened(ec2, 22)
    fault = {"service": "cloudtrail", "operation": "LookupEvents", "code": "AccessDeniedException", "status": 400}
    httpx.post(f"{public_range.url}/range/fault", json={**fault, "region": REGION}, timeout=30).raise_for_status()
    assert len(proposed(told)) == 1


def test_it_stands_in_the_channel_by_itself_and_once(hands, ec2, tmp_path):
    proposed(hands)
    opened(ec2, 22)
    (one,) = proposed(hands)
    with FakeSlack(bot_token="xoxb-test", channels=("C0TEST",), users=[], team="T0TEST", rate_limit=False) as slack:
        told = {"bot_token": "xoxb-test", "channel": "C0TEST", "team": "T0TEST", "base_url": slack.api_url}
        config = hands.config.model_copy(update={"slack": type(hands.config.slack).model_validate(told)})
        sender = Sender(hands.ledger, SlackWorkspace("xoxb-test", slack.api_url), Policy(), config, hands.clock)
        sender.send(BASELINE_CHAIN)
        sender.send(BASELINE_CHAIN)
        (posted,) = slack.control.messages()
    assert one.command in posted["text"]
    assert "thread_ts" not in posted
