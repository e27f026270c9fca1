"""Planning: from what the actor wrote and what is live now to plans that people can decide on."""

from __future__ import annotations

from dataclasses import replace

from prefect import flow

from flows.case import Case, once
from flows.paging import management_account, page_people
from flows.scope import investigation
from flows.sharing import who_is_cut_off
from incident.collection import Kept, at_stake, beyond_snapshots, not_kept, resting_on_evidence, snapshot_steps
from incident.containment import containment, settings_to_read
from incident.family import Scope
from incident.guards import existing_resources, refusals, tagged
from incident.investigation import Investigation
from incident.isolation import isolation, suspects
from incident.ledger import Kind
from incident.made import made_by_actor
from incident.new_ids import reversal_with_new_ids, step_with_new_ids
from incident.plan import Plan, Step, Unplanned
from incident.planner import propose
from incident.resources.bucket import emptied, to_be_emptied
from incident.resources.identity import GLOBAL
from incident.settings import Observed, Reversal, SettingKey, Value
from incident.words import counted
from tasks.executor import renamed_ids
from tasks.work import in_thread, launched_for, look_around, read_settings, read_undone, stores_of, tags_of, volumes_of

EVIDENCE = "evidence"
CONTAIN = "contain"
RESTORE = "restore"


@flow(name="plan evidence", persist_result=True)
@once("plan-evidence")
async def plan_evidence(incident: str, look: int = 1) -> str:
    """Snapshots of every instance that would be deleted or isolated."""
    case = Case(incident)
    found = await in_thread(investigation, case, look)
    live = await read_settings(at_stake(await outstanding(case, look, found), case.finding))
    there = {key: value for key, value in live.items() if value is not None}
    volumes = await volumes_of(list(there))
    stores = await stores_of({key: value.value["type"] if isinstance(value, Observed) else "" for key, value in there.items()})
    left = tuple(beyond_snapshots(volumes, stores))
    plan = Plan(incident=incident, title="Keep the evidence", look=look, steps=snapshot_steps(incident, volumes), unplanned=left)
    case.keep_plan(EVIDENCE, look, plan)
    return f"{counted(len(plan.steps), 'instance')} to snapshot, {len(left)} with more than a snapshot holds"


@flow(name="plan containment", persist_result=True)
@once("plan-containment")
async def plan_containment(incident: str, look: int = 1) -> str:
    """Keys inactive, sessions denied, instances isolated; asked and answered before anything else is changed."""
    case = Case(incident)
    actor, now = case.actor(look), case.hands.clock()
    live = await read_settings(settings_to_read(actor, now))
    steps, unplanned = containment(actor, live, now)
    freed = to_be_released(case, look)
    instances = suspects(await outstanding(case, look, await in_thread(investigation, case, look)), case.finding)
    isolating, left = isolation(instances, await look_around([one.key for one in instances]), freed)
    stopping = [step for step in steps if step.key not in freed]
    plan = Plan(
        incident=incident,
        title="Contain the actor",
        look=look,
        because=_because(case, look),
        steps=(*stopping, *isolating),
        cut_off=await who_is_cut_off(case, stopping, actor, now),
        unplanned=case.amendments(look).left((*unplanned, *left, *await management_account(case, actor))),
    )
    await page_people(case, plan.unplanned)
    return await keep_guarded(case, CONTAIN, look, plan)


@flow(name="plan restoration", persist_result=True)
@once("plan-restoration")
async def plan_restoration(incident: str, look: int = 1) -> str:
    """What the actor made goes, what they changed comes back, and other people's work stays."""
    case = Case(incident)
    found = await in_thread(investigation, case, look)
    reversals = await outstanding(case, look, found)
    live = to_be_emptied(reversals, await read_undone(reversals))
    proposal = propose(reversals, live)
    steps = _without_contained(case, look, proposal.steps)
    evidence, said = case.plan(EVIDENCE, look), case.amendments(look)
    facts = kept_facts(case)
    if evidence is not None:
        steps = resting_on_evidence(steps, evidence, facts)
    plan = Plan(
        incident=incident,
        title="Remove what the actor made and restore the network" if look == 1 else "Addition after another look",
        look=look,
        because=_because(case, look),
        steps=steps,
        unplanned=said.left(
            (*proposal.unplanned, *found.not_undone, *(evidence.unplanned if evidence else ()), *not_kept(steps, facts))
        ),
        kept=found.kept,
        doubts=found.doubts,
        chosen=said.in_words,
        made=made_by_actor(reversals, live, deleted_by_us(case, look)),
    )
    return await keep_guarded(case, RESTORE, look, plan)


def deleted_by_us(case: Case, look: int) -> frozenset[SettingKey]:
    """What steps of earlier looks deleted."""
    plans = [plan for number in range(1, look) if (plan := case.plan(RESTORE, number)) is not None]
    ended = [(step, case.hands.executor.outcomes(plan).get(step.id)) for plan in plans for step in plan.steps]
    return frozenset(step.key for step, outcome in ended if step.leaves is None and outcome is not None and outcome.good)


def kept_facts(case: Case) -> Kept:
    """What is kept of what dies with a resource, and what could not be."""
    evidence = case.hands.evidence
    names = frozenset(str(item["item"]) for item in evidence.manifest(case.incident))
    return Kept(names, evidence.gaps(case.incident))


async def outstanding(case: Case, look: int, found: Investigation) -> list[Reversal]:
    """The reversals as they stand after our own work: ids that changed are followed, what containment set counts as written, and
    what a responder chose counts before all that was found. What orders launched and what buckets may be emptied of is added.
    """
    renamed = renamed_ids(case.hands.ledger, case.incident)
    contained, said = set_by_containment(case, look), case.amendments(look)
    standing = [said.settle(_as_it_stands(reversal, renamed, contained)) for reversal in found.reversals]
    standing += [said.settle(reversal) for reversal in await launched_for(case.incident, look, standing)]
    return [*standing, *emptied(standing, lambda key: key in said.emptied)]


def set_by_containment(case: Case, look: int) -> dict[SettingKey, Value]:
    """The settings that containment set on purpose, in this look and those before, with their values; not those to be released."""
    freed = to_be_released(case, look)
    return {step.key: step.leaves for step in _contained(case, look) if step.key not in freed}


def to_be_released(case: Case, look: int) -> frozenset[SettingKey]:
    """The settings of containment that a responder wants taken back."""
    said = case.amendments(look)
    return frozenset(step.key for step in _contained(case, look) if said.releases(step.id))


def _contained(case: Case, look: int) -> list[Step]:
    """The steps of containment, with the ids of what they made."""
    plans = [case.plan(CONTAIN, number) for number in range(1, look + 1)]
    renamed = renamed_ids(case.hands.ledger, case.incident)
    return [step_with_new_ids(step, renamed) for plan in plans if plan is not None for step in plan.steps]


def _as_it_stands(reversal: Reversal, renamed: dict[str, str], contained: dict[SettingKey, Value]) -> Reversal:
    if reversal.key in contained:
        reversal = replace(reversal, written=contained[reversal.key])
    return reversal_with_new_ids(reversal, renamed)


def _because(case: Case, look: int) -> str:
    """What happened, for the people who decide: the finding, the actor, and what they did."""
    finding = case.finding
    where = f"in account {finding.account}, {finding.region}"
    told = [f"GuardDuty reported {finding.type} ({finding.severity_word}) {where}."]
    if finding.named is not None:
        told = [f"{finding.named.person} opened this incident {where}: {finding.named.reason}."]
    for phase in ("identify", "scope"):
        done = case.hands.ledger.find(case.incident, f"phase:{phase}:{look}:done")
        if done is not None:
            told.append(f"{done.body['returned']}.")
    return " ".join(told)


def _without_contained(case: Case, look: int, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Less the steps on settings that containment set on purpose; what the actor made goes all the same."""
    ours = set_by_containment(case, look)
    return tuple(step for step in steps if step.key not in ours or step.leaves is None)


async def keep_guarded(case: Case, name: str, look: int, plan: Plan) -> str:
    """Keep the plan, unless a guard refuses it: then the refused steps leave it and are shown to people."""
    policy = case.hands.policy
    tags = await tags_of(tagged(plan.steps)) if policy.protected_tags else {}
    existing = await in_thread(_existing, case, look, plan) if policy.largest_share < 1 else {}
    own = {case.hands.aws.own_access_key(account) for account in {step.account for step in plan.steps}}
    refused = list(dict.fromkeys(refusal for key in own for refusal in refusals(plan, policy, key, tags, existing)))
    if refused:
        plan = plan.without(frozenset(refusal.step for refusal in refused))
        left = [Unplanned(status="protected", what=f"step {refusal.step}", why=str(refusal)) for refusal in refused]
        plan = plan.model_copy(update={"unplanned": (*plan.unplanned, *left)})
        body = {"plan": plan.digest, "refusals": [str(refusal) for refusal in refused]}
        case.hands.ledger.append(case.incident, Kind.NOTE, f"refused:{name}:{look}", body)
    case.keep_plan(name, look, plan)
    return f"plan {plan.short_digest}: {counted(len(plan.steps), 'step')}, {len(plan.unplanned)} left to people"


def _existing(case: Case, look: int, plan: Plan) -> dict[Scope, frozenset[tuple[str, str]]]:
    """What the newest baseline from before the actor shows of every region that the plan changes."""
    actor, home = case.actor(look), case.hands.aws.config.home_region
    places = {Scope(step.account, step.region) for step in plan.steps}
    # What is in no region is swept from the home region.
    swept = {place: replace(place, region=home) if place.region == GLOBAL else place for place in places}
    stored = {place: case.baseline(where, actor) for place, where in swept.items()}
    return {
        place: existing_resources(((key, prior.value) for key, prior in baseline.settings), baseline.covered)
        for place, baseline in stored.items()
        if baseline is not None
    }
