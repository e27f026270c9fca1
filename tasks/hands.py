"""The one place that wires: configuration to ledger, AWS, approvals, evidence, Slack and the executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from incident.policy import Policy
from tasks.aftermath import Aftermath
from tasks.amendments import Amending
from tasks.approvals import Approvals
from tasks.aws import Aws
from tasks.baseline import Baselines
from tasks.change_requests import KeptRequests
from tasks.cloudtrail import EventHistory, EventSource
from tasks.config import Config, load_config, load_policy
from tasks.evidence import EvidenceStore
from tasks.evidence_bucket import Bucket
from tasks.executor import Boundary, Executor
from tasks.guarding import Guarding
from tasks.ledger import Ledger
from tasks.opening import Opening
from tasks.roster import Roster
from tasks.suppressions import Suppressions
from tasks.trail_files import TrailFiles
from tasks.trail_lake import TrailLake
from tasks.working import Working

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Hands:
    """Everything that one process needs to work on incidents."""

    config: Config
    policy: Policy
    clock: Clock
    ledger: Ledger
    aws: Aws
    history: EventSource
    approvals: Approvals
    evidence: EvidenceStore
    baselines: Baselines
    executor: Executor
    roster: Roster
    amending: Amending
    aftermath: Aftermath
    opening: Opening
    suppressions: Suppressions
    requests: KeptRequests
    working: Working

    @property
    def known_policy(self) -> Policy:
        """The policy, in which the change requests that the ledger keeps count as approved changes too.

        Whom an incident's plan leaves alone is decided by the policy file only: a ticket system must not shield an actor.
        """
        return self.policy.knowing(self.requests.latest())


def wire(config: Config, clock: Clock = utc_now, boundary: Boundary = lambda name: None) -> Hands:
    """Build the hands.

    Raises:
        ConfigError: the policy file cannot be used.
        LedgerUnavailable: the ledger cannot be opened.
    """
    policy = load_policy(config)
    ledger = Ledger.open(config.ledger, clock)
    aws = Aws(config.aws)
    approvals = Approvals(ledger, policy, clock)
    evidence, roster = evidence_store(config, aws, ledger, clock), Roster(config.folder / "roster", ledger, clock)
    guard, working = Guarding(aws, lambda: load_policy(config)), Working(ledger)
    return Hands(
        config=config,
        policy=policy,
        clock=clock,
        ledger=ledger,
        aws=aws,
        history=_history(aws),
        approvals=approvals,
        evidence=evidence,
        baselines=Baselines(config.folder / "baselines", ledger),
        executor=Executor(aws, ledger, approvals, boundary, evidence=evidence, guard=guard, fence=working.check),
        roster=roster,
        amending=Amending(ledger, roster, policy, evidence, clock),
        aftermath=Aftermath(ledger, roster, policy, evidence, clock),
        opening=Opening(ledger, roster, policy, config.aws.accounts, clock),
        suppressions=Suppressions(ledger, roster, policy, clock),
        requests=KeptRequests(ledger),
        working=working,
    )


_boundary: Boundary = lambda name: None  # noqa: E731


def use_boundary(boundary: Boundary) -> None:
    """Let a crash test end this process between any two instructions of the executor."""
    global _boundary
    _boundary = boundary
    hands.cache_clear()


@lru_cache(maxsize=1)
def hands() -> Hands:
    """The hands of this process, wired once from its configuration."""
    return wire(load_config(), boundary=lambda name: _boundary(name))


def _history(aws: Aws) -> EventSource:
    events = aws.config.events
    match events.source:
        case "trail-files":
            return TrailFiles(aws, events)
        case "lake":
            return TrailLake(aws, events)
        case _:
            return EventHistory(aws)


def evidence_store(config: Config, aws: Aws, ledger: Ledger, clock: Clock = utc_now) -> EvidenceStore:
    """The store in the place that the configuration names."""
    stored = config.evidence_store
    place = Bucket(aws, stored, clock) if stored.kind == "s3" else config.evidence
    return EvidenceStore(place, ledger, config.folder / "evidence-aside")
