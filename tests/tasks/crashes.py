"""What a killed process runs: it applies plans and ends itself with SIGKILL at a given boundary."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime

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
    return Executor(Aws(config), ledger, Approvals(ledger, policy, utc_now), boundary)


def killed_at(
    boundary: int, endpoint: str, account: str, ledger_url: str, policy: str, plans: list[str], credentials: dict[str, str]
) -> None:
    """Apply the plans; at the given boundary this process is gone, with no chance to tidy up."""
    os.environ.update(credentials)
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
