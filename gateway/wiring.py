"""Opens the doors that the configuration names, beside the webhook."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from gateway.app import Beside, Taking
from gateway.dispatch.pace import Limits, Pace
from gateway.dispatch.sorter import Sorter
from gateway.doors.changes import ChangeWatch
from gateway.doors.queue import Place, Queue
from gateway.doors.reconciler import Reconciler
from gateway.doors.sns import Certificates, Notifications
from tasks.aws import Aws, AwsError
from tasks.config import QueueConfig
from tasks.hands import Hands
from tasks.read_back import Reader

_HOST = re.compile(r"https?://(?:sqs\.([a-z0-9-]+)\.|([a-z0-9-]+)\.queue\.)")


def sorter_of(hands: Hands) -> Sorter:
    """What decides what becomes of a delivery."""
    aws, lag = Aws(hands.config.aws), timedelta(seconds=hands.config.aws.delivery_lag_seconds)
    ledger, requests = hands.ledger, hands.requests.latest
    return Sorter(ledger, Reader(aws), hands.policy, hands.suppressions, hands.clock, own_principals(aws), lag, requests)


def intake_of(hands: Hands) -> dict[str, Any]:
    """What `create_app` needs to open the doors of a configuration, and to start what comes in."""
    gateway, aws = hands.config.gateway, Aws(hands.config.aws)
    topics = gateway.sns_topics
    limits = Limits(a_minute=gateway.starts_a_minute, an_account=max(2, gateway.starts_a_minute // 3))
    return {
        "pace": Pace(hands.ledger, hands.clock, limits),
        "sns": Notifications(topics, Certificates(hands.clock), aws, hands.clock) if topics else None,
        "more": lambda take: fetching(hands, aws, take),
    }


def fetching(hands: Hands, aws: Aws, take: Taking) -> Sequence[Beside]:
    """The doors that fetch for themselves: the queues, and the reconciler."""
    gateway = hands.config.gateway
    doors: list[Beside] = [Queue(place_of(queue, hands.config.aws.home_region), aws, take).run for queue in gateway.queues]
    if gateway.reconcile_seconds:
        doors.append(Reconciler(hands.ledger, aws, take, hands.clock, gateway.reconcile_seconds).run)
    if gateway.changes_seconds:
        doors.append(ChangeWatch(hands, take, own_principals(aws)).run)
    return doors


def place_of(queue: QueueConfig, home: str) -> Place:
    """Where a queue is: what is not said stands in its URL."""
    host = _HOST.match(queue.url)
    region = queue.region or (next(filter(None, host.groups()), "") if host else "") or home
    account = queue.account or queue.url.rstrip("/").split("/")[-2]
    return Place(queue.url, account, region, queue.wait_seconds, queue.visibility_seconds)


def own_principals(aws: Aws) -> Callable[[str], tuple[str, ...]]:
    """Under which ARNs our own calls appear in an account, asked once for each."""
    held: dict[str, tuple[str, ...]] = {}

    def asked(account: str) -> tuple[str, ...]:
        if account not in held:
            try:
                principal = aws.own_principal(account)
                held[account] = (principal, f"{principal}/*")
            except AwsError:
                return ()
        return held[account]

    return asked
