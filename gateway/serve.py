"""The one place that wires the doors."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.types import ASGIApp

from gateway.app import Settings, create_app
from gateway.clicks import SlackDecisions
from gateway.runs import Runs
from tasks.config import Config
from tasks.hands import Hands, wire


def build_app(config: Config) -> Starlette:
    """The ASGI application with every door that the configuration opens."""
    hands = wire(config)
    runs = Runs(hands.ledger)
    keys = tuple(key.get_secret_value() for key in config.gateway.webhook_keys)
    settings = Settings(webhook_keys=keys, reports=config.reports)
    return create_app(settings, hands.ledger, runs.start, slack=_slack_door(config, hands, runs))


def _slack_door(config: Config, hands: Hands, runs: Runs) -> ASGIApp | None:
    secret, token = config.slack.signing_secret.get_secret_value(), config.slack.bot_token.get_secret_value()
    if not secret or not token:
        return None
    from gateway.slack import slack_app

    decisions = SlackDecisions(hands.ledger, hands.policy, hands.approvals, hands.roster, runs)
    return slack_app(decisions, signing_secret=secret, bot_token=token, team=config.slack.team, base_url=config.slack.base_url)
