"""A response without Prefect and Slack: the same core, planner and executor, straight against the range. Fast enough for many."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
from crashes import briefly, executor, utc_now

from drill.aws.range import Range
from drill.scenario import Scenario
from drill.stage import Stage
from drill.verdict import Verdict, judge
from gateway.practice.configuration import responder_credentials
from incident.actor import Actor
from incident.approvals import Answer
from incident.attribution import followed
from incident.collection import resting_on_evidence, snapshot_steps
from incident.config_items import open_questions, told, unanswered
from incident.containment import containment, settings_to_read
from incident.families import family_for_kind
from incident.family import Scope
from incident.findings.finding import Finding, parse_finding
from incident.investigation import Investigation, investigate
from incident.isolation import isolation, suspects
from incident.new_ids import reversal_with_new_ids
from incident.origin import identified, named_by, origin, windowed
from incident.plan import Plan
from incident.planner import propose
from incident.policy import Policy, Responder
from incident.record import Record
from incident.resources.compute import INSTANCE
from incident.resources.evidence import EVIDENCE_SNAPSHOTS
from incident.settings import Observed, PriorValue, Reversal, SettingKey, Source, canonical
from tasks.approvals import Approvals
from tasks.aws import Aws, observe
from tasks.baseline import sweep_region
from tasks.config import AwsConfig
from tasks.config_history import ask_config
from tasks.executor import Executor, Outcome, renamed_ids
from tasks.isolation import surroundings_of
from tasks.launched import launched_by, with_images
from tasks.ledger import Ledger

POLICY = Policy(responders=(Responder(name="alice"),))
INCIDENT = "inc-direct"


@dataclass
class World:
    """An attacked estate and the approved plans that undo it."""

    aws: Range
    stage: Stage
    ledger_url: str
    plans: list[Plan]
    outstanding: list[Reversal]
    credentials: dict[str, str]
    before: dict

    def executor(self, boundary=lambda name: None) -> Executor:
        return executor(self.aws.url, self.aws.account, self.ledger_url, POLICY, boundary)

    def at_another_look(self) -> tuple[list[str], list[str]]:
        """The steps and open points of a plan made after the first was carried out, less what containment set on purpose."""
        ledger = Ledger.open(self.ledger_url, utc_now)
        found = [reversal_with_new_ids(one, renamed_ids(ledger, INCIDENT)) for one in self.outstanding]
        reader = client(self.aws)
        proposal = propose(found, {one.key: observe(reader, family_for_kind(one.key.kind), one.key) for one in found})
        ours = {step.key for step in self.plans[1].steps}
        steps = [step.title for step in proposal.steps if step.key not in ours or step.leaves is None]
        return steps, [f"{item.what}: {item.why}" for item in proposal.unplanned]

    def judged(self) -> Verdict:
        return judge(self.stage, self.before, self.aws.dump())

    def calls(self) -> list[tuple[str, str, str]]:
        """The responder's calls that took effect, whatever their order; ids differ from one world to the next."""
        done = httpx.get(f"{self.aws.url}/range/calls", timeout=30).json()
        ours = [call for call in done if "CountermandResponder" in str(call["principal"])]
        return sorted((call["region"], call["operation"], ",".join(sorted(call["params"]))) for call in ours)

    def settings(self) -> list[str]:
        """Every setting of the plans as a read shows it, without ids."""
        aws = client(self.aws)
        keys = [step.key for plan in self.plans for step in plan.steps if step.key.kind != EVIDENCE_SNAPSHOTS]
        return sorted(_without_ids(aws, key) for key in keys)


@dataclass(frozen=True)
class Before:
    """What was read before the attack: when, the settings, and the regions and kinds of which everything was read."""

    at: datetime | None = None
    priors: list[tuple[SettingKey, PriorValue]] = field(default_factory=list)
    covered: frozenset[tuple[str, str]] = frozenset()

    def swept_at(self, key: SettingKey) -> datetime | None:
        return self.at if (key.region, key.kind) in self.covered else None


def client(aws: Range) -> Aws:
    return Aws(AwsConfig(accounts=(aws.account,), endpoint_url=aws.url), pause=briefly)


def _without_ids(aws: Aws, key: SettingKey) -> str:
    found = observe(aws, family_for_kind(key.kind), key)
    value = found.value if isinstance(found, Observed) else found
    return re.sub(r"-[0-9a-f]{8,17}\b", "-*", f"{key.region} {key.kind} {key.name} {canonical(value)}")


def apply_all(runner: Executor, plans: list[Plan]) -> list[Outcome]:
    return [runner.apply(plan, step) for plan in plans for step in plan.steps]


def attacked(aws: Range, scenario: Scenario, folder: Path, *, swept: bool = True, ledger_url: str = "") -> World:
    """Play a scenario up to the approval of everything that undoes it; `swept` is whether a baseline is taken first."""
    credentials = responder_credentials(aws)
    os.environ.update(credentials)
    stage = Stage(scenario, aws)
    stage.build_estate()
    before = aws.dump()
    baseline = _baseline(aws) if swept and scenario.baseline else Before()
    stage.attack()
    plans, outstanding = plans_for(aws, stage, scenario, baseline)
    ledger_url = ledger_url or f"sqlite:///{folder / 'ledger.db'}"
    _approve(ledger_url, plans)
    return World(aws, stage, ledger_url, plans, outstanding, credentials, before)


def _baseline(aws: Range) -> Before:
    at = datetime.fromtimestamp(aws.clock.now(), UTC)
    swept = {region: sweep_region(client(aws), Scope(aws.account, region), at) for region in sorted(aws.config.enabled)}
    settings = [item for region in swept.values() for item in region.settings]
    priors = [(item.key, PriorValue(item.value, at, Source.BASELINE, item.aliases)) for item in settings]
    covered = {(place, kind) for region, one in swept.items() for kind in one.covered for place in _named(region)}
    return Before(at, priors, frozenset(covered))


def _named(region: str) -> tuple[str, ...]:
    """The regions of the settings that a sweep of this one shows: what is in no region is swept from the home region."""
    return (region, "global") if region == "us-east-1" else (region,)


def plans_for(aws: Range, stage: Stage, scenario: Scenario, baseline) -> tuple[list[Plan], list[Reversal]]:
    """Evidence, containment and restoration, as the flow plans them, and what the last is made from."""
    finding = parse_finding(stage.finding().api)
    found, actor = _investigated(aws, finding, baseline)
    reader = client(aws)

    def live(keys) -> dict:
        return {key: observe(reader, family_for_kind(key.kind), key) for key in keys}

    found = replace(found, reversals=(*found.reversals, *launched_by(reader, found.reversals)))
    evidence = Plan(incident=INCIDENT, title="evidence", steps=snapshot_steps(INCIDENT, _volumes(reader, found)))
    now = utc_now()
    steps, _ = containment(actor, live(settings_to_read(actor, now)), now)
    instances = suspects(found.reversals, finding)
    isolating, beyond = isolation(instances, {one.key: surroundings_of(reader, one.key) for one in instances})
    contain = Plan(incident=INCIDENT, title="contain", steps=(*steps, *isolating), unplanned=tuple(beyond))
    contained = {step.key: step.leaves for step in contain.steps}
    outstanding = [replace(item, written=contained.get(item.key, item.written)) for item in found.reversals]
    # Containment runs first, so what it sets is what restoration finds.
    found_live = live([item.key for item in outstanding]) | {key: Observed(key, value) for key, value in contained.items()}
    proposal = propose(outstanding, with_images(reader, outstanding, found_live))
    left = (*proposal.unplanned, *found.not_undone)
    restore = Plan(incident=INCIDENT, title="restore", steps=resting_on_evidence(proposal.steps, evidence), unplanned=left)
    return [evidence, contain, restore], outstanding


def recorded(aws: Range) -> list[dict]:
    """Every record, without the way by which a response finds them."""
    return httpx.get(f"{aws.url}/range/records", timeout=30).json()


def _investigated(aws: Range, finding: Finding, baseline) -> tuple[Investigation, Actor]:
    records = sorted((Record.parse(item) for item in recorded(aws)), key=lambda record: record.time)
    actor = found_actor(finding, records)
    found = investigate(records, baseline.priors, actor, baseline.swept_at)
    wanted = [item.key for item in unanswered(found.reversals)]
    answers = ask_config(client(aws), open_questions(found.reversals)) if wanted else []
    items = [prior for answer in answers for prior in told(answer.items, wanted, answer.question.scope)]
    return investigate(records, [*baseline.priors, *items], actor, baseline.swept_at), actor


def found_actor(finding: Finding, records: list[Record]) -> Actor:
    """The actor, where every record is at hand and nothing need be asked for."""
    seed = named_by(finding)
    first = Actor(addresses=frozenset(finding.remote_ips))
    if seed is not None:
        first = replace(first, credentials={seed.access_key: seed}, seed=seed.access_key)
    actor = identified(origin(first, records, first.addresses), records)
    while True:
        wider = followed(windowed(actor, first, finding.first_seen, records), records)
        if wider == actor:
            return actor
        actor = wider


def _volumes(reader: Aws, found: Investigation) -> dict:
    doomed = [item.key for item in found.reversals if item.key.kind == INSTANCE and item.target is None]
    held = {}
    for key in doomed:
        filters = {"Filters": [{"Name": "attachment.instance-id", "Values": [key.resource]}]}
        answer = reader.call(key.account, key.region, "ec2", "DescribeVolumes", filters)
        held[key] = tuple(sorted(volume["VolumeId"] for volume in answer["Volumes"]))
    return held


def _approve(ledger_url: str, plans: list[Plan]) -> None:
    approvals = Approvals(Ledger.open(ledger_url, utc_now), POLICY, utc_now)
    for plan in plans[1:]:
        asked = approvals.ask(plan, "restore", 1, ())
        answer = {"person": "alice", "answer": Answer.APPROVE, "digest": plan.digest}
        approvals.decide(INCIDENT, asked.id, method="one-time-code", surface="prefect", **answer)
