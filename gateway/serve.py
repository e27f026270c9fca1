"""The one place that wires the doors."""

from __future__ import annotations

from datetime import timedelta

from starlette.applications import Starlette

from gateway.app import Arrived, Beside, Settings, create_app
from gateway.dispatch.dispatcher import Start
from gateway.dispatch.reviver import Reviver
from gateway.dispatch.runs import Runs
from gateway.dispatch.sorting_process import SortingProcess
from gateway.dispatch.waker import Waker
from gateway.escalator import Escalator
from gateway.metrics import Metrics
from gateway.readiness import prefect_checks
from gateway.slack.app import bolt_app, run_socket_mode, slack_app
from gateway.slack.clicks import SlackDecisions
from gateway.slack.commands import SlackCommands
from gateway.slack.outbox import SlackOutbox
from gateway.wiring import intake_of, sorter_of
from incident.findings.finding import Finding
from incident.ledger import Line
from tasks.acknowledging import Acknowledging
from tasks.config import Config
from tasks.escalating import escalating
from tasks.escalation_file import load_escalation
from tasks.hands import Hands, wire
from tasks.ledger import Turn
from tasks.outbox import Sender
from tasks.slack import SlackWorkspace
from tasks.traces import Traces


def build_app(config: Config, apart: SortingProcess | None = None) -> Starlette:
    """The ASGI application with every door that the configuration opens.

    Slack comes in over Socket Mode or over HTTP, as the configuration says; the listeners are the same.

    Args:
        apart: the process that sorts; without one, this one does.
    """
    hands = wire(config)
    runs = Runs(hands.ledger)
    waker = Waker(hands.ledger, hands.approvals, runs)
    keys = tuple(key.get_secret_value() for key in config.gateway.webhook_keys)
    change_keys = tuple(key.get_secret_value() for key in config.gateway.change_keys)
    settings = Settings(webhook_keys=keys, reports=config.reports, change_keys=change_keys)
    token, signing_secret, app_token = (
        secret.get_secret_value() for secret in (config.slack.bot_token, config.slack.signing_secret, config.slack.app_token)
    )
    decisions = SlackDecisions(hands.policy, hands.approvals, hands.roster, waker)
    commands = SlackCommands(hands.ledger, hands.policy, hands.approvals, _desk(hands), config, hands.clock)
    options = {"signing_secret": signing_secret, "bot_token": token, "team": config.slack.team, "base_url": config.slack.base_url}
    claimed = timedelta(seconds=config.gateway.claimed_seconds)
    reviver = Reviver(hands.ledger, runs, hands.clock, turn=Turn(config.ledger, "reviving"), claimed=claimed)
    beside: list[Beside] = [waker.run, reviver.run]
    if (driver := escalating(hands)) is not None:
        beside.append(Escalator(driver).run)
    if config.slack.posts:
        sender = Sender(hands.ledger, SlackWorkspace(token, config.slack.base_url), hands.policy, config, hands.clock)
        beside.append(SlackOutbox(hands.ledger, sender, Turn(config.ledger, "slack")).run)
    if token and app_token and config.slack.mode == "socket":
        beside.append(lambda: run_socket_mode(bolt_app(decisions, commands, **options), app_token))
    sorter = sorter_of(hands)
    door = slack_app(decisions, commands, **options) if token and config.slack.mode == "http" else None
    return create_app(
        settings,
        hands.ledger,
        runs.start,
        slack=door,
        beside=beside,
        sorter=apart.instead_of(sorter) if apart else sorter,
        checks=prefect_checks(),
        metrics=Metrics(hands.ledger, hands.clock),
        **intake_of(hands),
    )


def _desk(hands: Hands) -> Acknowledging:
    """Where an incident is taken; for how long, the escalation's policy says."""
    policy = load_escalation(hands.config)
    times = {"ack_time": policy.ack_time} if policy else {}
    return Acknowledging(hands.ledger, hands.roster, hands.policy, hands.clock, **times)


def _door_of(made: Traces) -> Arrived:
    """A span for each delivery that was new."""

    def arrived(incident: str, outcome: str, since: float) -> None:
        if outcome == "accepted":
            made.passed("door", incident, since)

    return arrived


def _start_of(runs: Runs, made: Traces) -> Start:
    """Starts a run within a span, and lets the incident's trace begin with the delivery that brought it."""

    async def start(incident: str, finding: Finding, delivery: Line) -> None:
        with made.span("dispatch", incident):
            await runs.start(incident, finding, delivery)
        made.began(incident, delivery.at.timestamp())

    return start
