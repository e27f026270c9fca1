"""What other processes run: one applies plans and ends itself with SIGKILL at a given boundary, several apply them side by side."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

from incident.plan import Plan
from incident.policy import Policy
from tasks.approvals import Approvals
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.executor import Executor
from tasks.ledger import Ledger


def utc_now() -> datetime:
    return datetime.now(UTC)


def executor(endpoint: str, account: str, ledger_url: str, policy: Policy, boundary=lambda name: None) -> Executor:
    config = AwsConfig(accounts=(account,), endpoint_url=endpoint, call_deadline_seconds=20, snapshot_deadline_seconds=60)
    ledger = Ledger.open(ledger_url, utc_now)
    return Executor(Aws(config), ledger, Approvals(ledger, policy, utc_now), boundary, briefly)


def briefly(seconds: float) -> None:
    """The range shows what was done at once; that it may take AWS seconds need not be sat out."""
    time.sleep(min(seconds, 0.02))


def killed_when_told(told: Connection, boundary: int, ledger_url: str, policy: str, plans: list[str]) -> None:
    """Apply the plans in the AWS that is named by `told`; at the given boundary this process is gone, with no chance to tidy up."""
    endpoint, account = told.recv()
    passed = 0

    def count(name: str) -> None:
        nonlocal passed
        passed += 1
        if passed == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    runner = executor(endpoint, account, ledger_url, Policy.model_validate_json(policy), count)
    for text in plans:
        plan = Plan.model_validate_json(text)
        for step in plan.steps:
            runner.apply(plan, step)


def together(
    start: Barrier, endpoint: str, account: str, ledger_url: str, policy: str, plans: list[str], credentials: dict[str, str]
) -> None:
    """Apply the plans as one of several workers, all of which come to every boundary close to one another."""
    os.environ.update(credentials)

    def linger(name: str) -> None:
        """What lies between two instructions takes long enough for the other to come in between."""
        time.sleep(0.02)

    runner = executor(endpoint, account, ledger_url, Policy.model_validate_json(policy), linger)
    start.wait(60)
    for text in plans:
        plan = Plan.model_validate_json(text)
        for step in plan.steps:
            runner.apply(plan, step)
