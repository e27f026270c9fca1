"""Planning: from what the actor wrote and what is live now to plans that people can decide on."""

from __future__ import annotations

from dataclasses import replace

from prefect import flow

from flows.case import Case, once
from flows.scope import investigation
from incident.collection import resting_on_evidence, snapshot_steps
from incident.containment import containment, wanted_settings
from incident.guards import refusals
from incident.investigation import Investigation
from incident.ledger import Kind
from incident.plan import Plan, Step, Unplanned
from incident.planner import propose
from incident.resources.compute import INSTANCE
from incident.settings import Reversal, SettingKey, Value
from incident.words import counted
from tasks.executor import renamed_ids
from tasks.work import in_thread, read_settings, volumes_of

EVIDENCE = "evidence"
CONTAIN = "contain"
RESTORE = "restore"


@flow(name="plan evidence", persist_result=True)
@once("plan-evidence")
async def plan_evidence(incident: str, round_: int = 1) -> str:
    """Snapshots of every instance that the plan would delete."""
    case = Case(incident)
    found = await in_thread(investigation, case, round_)
    doomed = [reversal.key for reversal in found.reversals if reversal.key.kind == INSTANCE and reversal.target is None]
    live = await read_settings(doomed)
    volumes = await volumes_of([key for key in doomed if live[key] is not None])
    bare = [key for key, held in volumes.items() if not held]
    left = tuple(_nothing_to_snapshot(key) for key in bare)
    plan = Plan(incident=incident, title="Keep the evidence", steps=snapshot_steps(incident, volumes), unplanned=left)
    case.keep_plan(EVIDENCE, round_, plan)
    return f"{counted(len(plan.steps), 'instance')} to snapshot, {len(bare)} without a volume"


def _nothing_to_snapshot(key: SettingKey) -> Unplanned:
    return Unplanned(
        status="no-evidence",
        what=f"instance {key.resource} ({key.region}) has no EBS volume",
        why="instance-store data dies with the instance and cannot be kept",
        advice="Strike the deletion if its memory or disks matter, and image it by hand first.",
        key=key,
    )


@flow(name="plan containment", persist_result=True)
@once("plan-containment")
async def plan_containment(incident: str, round_: int = 1) -> str:
    """Keys inactive, sessions denied; asked and answered before anything else is changed."""
    case = Case(incident)
    actor, now = case.actor(round_), case.hands.clock()
    live = await read_settings(list(wanted_settings(actor, now)))
    steps, unplanned = containment(actor, live, now)
    plan = Plan(
        incident=incident, title="Contain the actor", because=_because(case), steps=tuple(steps), unplanned=tuple(unplanned)
    )
    return _settle(case, CONTAIN, round_, plan)


@flow(name="plan restoration", persist_result=True)
@once("plan-restoration")
async def plan_restoration(incident: str, round_: int = 1) -> str:
    """What the actor made goes, what they changed comes back, and other people's work stays."""
    case = Case(incident)
    found = await in_thread(investigation, case, round_)
    reversals = outstanding(case, round_, found)
    live = await read_settings([reversal.key for reversal in reversals])
    proposal = propose(reversals, live)
    steps = await _without_contained(case, round_, proposal.steps)
    evidence = case.plan(EVIDENCE, round_)
    if evidence is not None:
        steps = resting_on_evidence(steps, evidence)
    plan = Plan(
        incident=incident,
        title="Remove what the actor made and restore the network" if round_ == 1 else "Addition after another look",
        because=_because(case),
        steps=steps,
        unplanned=(*proposal.unplanned, *found.not_undone, *(evidence.unplanned if evidence else ())),
        kept=found.kept,
    )
    return _settle(case, RESTORE, round_, plan)


def outstanding(case: Case, round_: int, found: Investigation) -> list[Reversal]:
    """The reversals as they stand after our own work: ids that changed are followed, and what containment set counts as written."""
    renamed = renamed_ids(case.hands.ledger, case.incident)
    contained = {
        step.key: step.leaves for look in range(1, round_ + 1) if (plan := case.plan(CONTAIN, look)) for step in plan.steps
    }
    return [_as_it_stands(reversal, renamed, contained) for reversal in found.reversals]


def _as_it_stands(reversal: Reversal, renamed: dict[str, str], contained: dict[SettingKey, Value]) -> Reversal:
    if reversal.key in contained:
        reversal = replace(reversal, written=contained[reversal.key])
    resource = renamed.get(reversal.key.resource, reversal.key.resource)
    return replace(reversal, key=reversal.key._replace(resource=resource))


def _because(case: Case) -> str:
    """What happened, for the people who decide: the finding, the actor, and what they did."""
    finding = case.finding
    told = [f"GuardDuty reported {finding.type} ({finding.severity_word}) in account {finding.account}, {finding.region}."]
    for phase in ("identify", "scope"):
        done = case.hands.ledger.find(case.incident, f"phase:{phase}:1:done")
        if done is not None:
            told.append(f"{done.body['returned']}.")
    return " ".join(told)


async def _without_contained(case: Case, round_: int, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Less the steps on settings that containment set on purpose."""
    contained = case.plan(CONTAIN, round_)
    ours = {step.key for step in contained.steps} if contained else set[SettingKey]()
    return tuple(step for step in steps if step.key not in ours or step.leaves is None)


def _settle(case: Case, name: str, round_: int, plan: Plan) -> str:
    """Keep the plan, unless a guard refuses it: then the refused steps leave it and are shown to people."""
    own = {case.hands.aws.own_access_key(account) for account in {step.account for step in plan.steps}}
    refused = [refusal for key in own for refusal in refusals(plan, case.hands.policy, key)]
    if refused:
        plan = plan.without(frozenset(refusal.step for refusal in refused))
        left = [Unplanned(status="protected", what=f"step {refusal.step}", why=str(refusal)) for refusal in refused]
        plan = plan.model_copy(update={"unplanned": (*plan.unplanned, *left)})
        body = {"plan": plan.digest, "refusals": [str(refusal) for refusal in refused]}
        case.hands.ledger.append(case.incident, Kind.NOTE, f"refused:{name}:{round_}", body)
    case.keep_plan(name, round_, plan)
    return f"plan {plan.short_digest}: {counted(len(plan.steps), 'step')}, {len(plan.unplanned)} left to people"
