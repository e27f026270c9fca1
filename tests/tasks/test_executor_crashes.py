"""SIGKILL between any two instructions of the executor changes neither the end nor what took effect in AWS."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from crashes import apply_all, executor, killed_at, utc_now

from drill.aws.range import Range
from drill.scenario import load
from drill.stage import Stage, range_config
from incident.actor import Actor, Credential, Link, followed
from incident.approvals import Answer
from incident.collection import resting_on_evidence, snapshot_steps
from incident.containment import containment, wanted_settings
from incident.families import family_for_kind
from incident.investigation import investigate
from incident.plan import Plan
from incident.planner import propose
from incident.policy import Policy, Responder
from incident.record import Record
from incident.resources.compute import INSTANCE
from incident.resources.evidence import EVIDENCE_SNAPSHOTS
from incident.settings import Observed, SettingKey, canonical
from tasks.approvals import Approvals
from tasks.aws import Aws, observe
from tasks.config import AwsConfig
from tasks.executor import GOOD
from tasks.ledger import Ledger

POLICY = Policy(responders=(Responder(name="alice"),))
INCIDENT = "inc-crash"


@dataclass
class World:
    """An attacked estate and the approved plans that undo it."""

    aws: Range
    ledger_url: str
    plans: list[Plan]
    credentials: dict[str, str]

    def calls(self) -> list[tuple[str, str, str]]:
        """The responder's calls that took effect, whatever their order."""
        done = httpx.get(f"{self.aws.url}/range/calls", timeout=30).json()
        ours = [call for call in done if "CountermandResponder" in str(call["principal"])]
        return sorted((call["region"], call["operation"], _shape(call["params"])) for call in ours)

    def settings(self) -> list[str]:
        """Every setting of the plans as a read shows it; ids differ from one world to the next."""
        aws = Aws(AwsConfig(accounts=(self.aws.account,), endpoint_url=self.aws.url))
        keys = [step.key for plan in self.plans for step in plan.steps if step.key.kind != EVIDENCE_SNAPSHOTS]
        return sorted(_without_ids(aws, key) for key in keys)


def _without_ids(aws: Aws, key: SettingKey) -> str:
    found = observe(aws, family_for_kind(key.kind), key)
    value = found.value if isinstance(found, Observed) else found
    return re.sub(r"-[0-9a-f]{8,17}\b", "-*", f"{key.region} {key.kind} {key.name} {canonical(value)}")


def _shape(params: object) -> str:
    """Ids differ from one world to the next; how often each call was made must not."""
    return ",".join(sorted(params)) if isinstance(params, dict) else ""


def attacked(aws: Range, folder: Path, name: str = "network-takeover") -> World:
    scenario = load(name)
    stage = Stage(scenario, aws)
    stage.build_estate()
    stage.attack()
    keys = aws.responder()
    credentials = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    os.environ.update(credentials)
    ledger_url = f"sqlite:///{folder / 'ledger.db'}"
    plans = _plans(aws, stage, scenario.principals[scenario.finding.principal].user, scenario.finding.principal)
    _approve(ledger_url, plans)
    return World(aws, ledger_url, plans, credentials)


def _plans(aws: Range, stage: Stage, user: str, principal: str) -> list[Plan]:
    raw = httpx.get(f"{aws.url}/range/records", timeout=30).json()
    records = sorted((Record.parse(item) for item in raw), key=lambda record: record.time)
    key = stage.happened.keys[principal][0]
    seed = Credential(key, user, "user", Link.PROVED, "the finding names it", "", aws.account)
    actor = followed(Actor({key: seed}, seed=key), records)
    found = investigate(records, (), actor)
    client = Aws(AwsConfig(accounts=(aws.account,), endpoint_url=aws.url))

    def live(keys):
        return {item: observe(client, family_for_kind(item.kind), item) for item in keys}

    evidence = Plan(incident=INCIDENT, title="evidence", steps=snapshot_steps(INCIDENT, _volumes(client, found.reversals)))
    now = utc_now()
    steps, _ = containment(actor, live(wanted_settings(actor, now)), now)
    contain = Plan(incident=INCIDENT, title="contain", steps=tuple(steps))
    contained = {step.key for step in steps}
    proposal = propose(
        [item for item in found.reversals if item.key not in contained], live([item.key for item in found.reversals])
    )
    restore = Plan(
        incident=INCIDENT, title="restore", steps=resting_on_evidence(proposal.steps, evidence), unplanned=proposal.unplanned
    )
    assert not restore.unplanned
    return [evidence, contain, restore]


def _volumes(client: Aws, reversals) -> dict:
    doomed = [item.key for item in reversals if item.key.kind == INSTANCE and item.target is None]
    found = {}
    for key in doomed:
        filters = {"Filters": [{"Name": "attachment.instance-id", "Values": [key.resource]}]}
        answer = client.call(key.account, key.region, "ec2", "DescribeVolumes", filters)
        found[key] = tuple(sorted(volume["VolumeId"] for volume in answer["Volumes"]))
    return found


def _approve(ledger_url: str, plans: list[Plan]) -> None:
    approvals = Approvals(Ledger.open(ledger_url, utc_now), POLICY, utc_now)
    for plan in plans[1:]:
        asked = approvals.ask(plan, "restore", 1, ())
        approvals.decide(
            INCIDENT, asked.id, person="alice", method="one-time-code", surface="prefect", answer=Answer.APPROVE, digest=plan.digest
        )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[int, list, list]:
    """How it goes when nothing is killed: the number of boundaries, the calls, the end."""
    with Range(range_config(load("network-takeover"), snapshot_seconds=1)) as aws:
        world = attacked(aws, tmp_path_factory.mktemp("undisturbed"))
        passed: list[str] = []
        runner = executor(aws.url, aws.account, world.ledger_url, POLICY, passed.append)
        outcomes = [outcome for plan in world.plans for outcome in apply_all(runner, plan)]
        assert {outcome.result for outcome in outcomes} <= GOOD, [outcome for outcome in outcomes if not outcome.good]
        return len(passed), world.calls(), world.settings()


@pytest.mark.slow
def test_killed_at_every_boundary_the_end_and_the_calls_are_the_same(undisturbed, tmp_path):
    boundaries, calls, settings = undisturbed
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crashes", "boto3", "tasks.executor"])
    assert boundaries > 30
    for boundary in range(1, boundaries + 1):
        folder = tmp_path / str(boundary)
        folder.mkdir()
        with Range(range_config(load("network-takeover"), snapshot_seconds=1)) as aws:
            world = attacked(aws, folder)
            plans = [plan.model_dump_json() for plan in world.plans]
            arguments = (boundary, aws.url, aws.account, world.ledger_url, POLICY.model_dump_json(), plans, world.credentials)
            child = context.Process(target=killed_at, args=arguments)
            child.start()
            child.join(120)
            assert child.exitcode == -signal.SIGKILL, f"boundary {boundary} was not reached"
            runner = executor(aws.url, aws.account, world.ledger_url, POLICY)
            outcomes = [outcome for plan in world.plans for outcome in apply_all(runner, plan)]
            assert {outcome.result for outcome in outcomes} <= GOOD, (boundary, outcomes)
            assert world.calls() == calls, f"boundary {boundary}"
            assert world.settings() == settings, f"boundary {boundary}"
            assert Ledger.open(world.ledger_url, utc_now).verify(INCIDENT) is None
