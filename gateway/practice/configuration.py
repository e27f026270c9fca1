"""How a practice is configured: a Countermand whose AWS is the range and whose Slack is the practice one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import yaml

from drill.aws.config import Granted
from drill.aws.range import Range
from drill.scenario import Scenario
from drill.slack.server import FakeSlack
from gateway.practice.stack import Stack
from incident.policies import ROLE_NAME
from incident.role_template import granted
from tasks.config import AwsConfig, Config

SLACK_CHANNEL = "C0INCIDENTS"
SLACK_TEAM = "T0PRACTICE"
PEOPLE = (("alice", "U0ALICE"), ("bob", "U0BOB"))
SLACK_SCOPES = (
    "channels:history",
    "chat:write",
    "commands",
    "groups:history",
    "groups:read",
    "groups:write",
    "pins:write",
    "users:read",
)
"""What the manifest asks for, and no more: a call without its scope shows here before it does in a real workspace."""

WEBHOOK_KEY = "practice-webhook-key"
_SECRETS = {"bot_token": "xoxb-practice", "app_token": "xapp-practice", "signing_secret": "practice-signing-secret"}
_LAG_MARGIN_SECONDS = 1.0


def practice_slack(stack: Stack) -> FakeSlack:
    """A Slack whose clicks go to the practice gateway."""
    users = [{"id": user, "name": name, "team_id": SLACK_TEAM} for name, user in PEOPLE]
    door = f"{stack.gateway_url}/slack/events"
    return FakeSlack(
        **_SECRETS,
        request_url=door,
        channels=(SLACK_CHANNEL,),
        users=users,
        team=SLACK_TEAM,
        scopes=SLACK_SCOPES,
        commands=("/incident",),
    )


def practice_config(scenario: Scenario, folder: Path, aws: Range, slack: FakeSlack, stack: Stack) -> Config:
    """The configuration, with a policy file in which two responders may decide."""
    policy = folder / "policy.yaml"
    responders = [{"name": name, "slack_team": SLACK_TEAM, "slack_user": user} for name, user in PEOPLE]
    policy.write_text(yaml.safe_dump({"responders": responders, "responder_principals": ["arn:aws:iam::*:role/Countermand*"]}))
    aws_config = AwsConfig(
        accounts=scenario.account_ids,
        endpoint_url=aws.url,
        delivery_lag_seconds=scenario.delivery_lag + _LAG_MARGIN_SECONDS,
        spread_seconds=1,
        call_deadline_seconds=60,
        snapshot_deadline_seconds=600,
        costs=False,
    )
    parts = {
        "home": folder,
        "policy_file": policy,
        "prefect_ui_url": stack.prefect_url,
        "aws": aws_config,
        "slack": {**_SECRETS, "channel": SLACK_CHANNEL, "team": SLACK_TEAM, "base_url": f"{slack.url}/api/"},
        "gateway": {
            "port": stack.gateway_port,
            "public_url": stack.gateway_url,
            "webhook_keys": [WEBHOOK_KEY],
            "reconcile_seconds": 0,
        },
    }
    return Config.model_validate(parts)


def practice_environment(config: Config, aws: Range) -> dict[str, str]:
    """The same configuration for the other processes, as an operator would set it."""
    gateway = {**config.gateway.model_dump(mode="json"), "webhook_keys": [WEBHOOK_KEY]}
    slack = {**config.slack.model_dump(mode="json"), **_SECRETS}
    return {
        "COUNTERMAND_HOME": str(config.home),
        "COUNTERMAND_POLICY_FILE": str(config.policy_file),
        "COUNTERMAND_PREFECT_UI_URL": config.prefect_ui_url,
        "COUNTERMAND_AWS": json.dumps(config.aws.model_dump(mode="json", exclude_none=True)),
        "COUNTERMAND_GATEWAY": json.dumps(gateway),
        "COUNTERMAND_SLACK": json.dumps(slack),
        **responder_credentials(aws),
    }


FLOW_LOG_BUCKET = "range-flow-logs"
"""The bucket of flow logs that the responder's role may read in the range."""


def granted_to(accounts: Iterable[str], **parameters: str) -> dict[str, Granted]:
    """What the generated policies let the responder's role do in each account; `parameters` are the template's."""
    accounts = tuple(accounts)
    runs_as = {"TrustedPrincipal": f"arn:aws:iam::{accounts[0]}:role/{ROLE_NAME}", **parameters}
    return {account: Granted(*granted(account, runs_as)) for account in accounts}


def responder_credentials(aws: Range) -> dict[str, str]:
    """The responder's own AWS credentials in the range."""
    keys = aws.responder()
    return {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def use_responder_credentials(aws: Range) -> None:
    """Let this process act as the responder; it sweeps the baseline."""
    os.environ.update(responder_credentials(aws))
