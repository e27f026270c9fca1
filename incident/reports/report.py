"""The report of an incident, built from its ledger lines alone: what happened, what was done, what is not known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incident.amendments import Amendments, read_amendment
from incident.coverage import coverage
from incident.ledger import Kind, Line
from incident.made import made_rows
from incident.plan import Plan, Step
from incident.planner import brief
from incident.reports.backlog import Item, items, proposed
from incident.reports.before_after import Changed, before_after
from incident.reports.case_file import CaseFile
from incident.reports.lead import done, happened
from incident.reports.lifecycle import Stage, stages
from incident.reports.recommendations import Recommendation, recommendations
from incident.reports.section_claims import Claim
from incident.reports.sections import Section, sections
from incident.reports.story import ActorGraph, Timeline, actor_graph, timeline
from incident.reports.times import Span, times
from incident.settings import canonical
from incident.words import counted


@dataclass(frozen=True, slots=True)
class Done:
    """One step and how it ended."""

    step: str
    title: str
    phase: str
    result: str
    detail: str
    at: datetime
    source: str
    records: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Moment:
    """One point of the timeline; `line` is the position of the ledger line that says so."""

    at: datetime
    what: str
    line: int


@dataclass(frozen=True)
class Report:
    """Everything that the page shows. Durations are `None` until both their ends are in the ledger.

    `ours` is what we made for the containment: nobody else need wonder where it comes from. `undone` are the steps of containment
    that somebody took back while we worked, with who, and how it ended. `cut_off` is who else a deny of older sessions hit.
    `made` is what the actor made, as it was when it was first looked at, and its end. `costs` is what `incident.costs` tells, empty
    where it was not asked. `manifest` is the digest of the evidence manifest: the SHA-256, in hex, of its items' names and digests.
    `closed` is who closed it and when, empty while it is open.
    """

    incident: str
    title: str
    finding: dict[str, Any]
    proof: dict[str, Any]
    actor: dict[str, Any]
    done: tuple[Done, ...]
    unplanned: tuple[dict[str, Any], ...]
    kept: tuple[str, ...]
    doubts: tuple[str, ...]
    chosen: tuple[str, ...]
    regions: tuple[dict[str, Any], ...]
    decisions: tuple[dict[str, Any], ...]
    evidence: tuple[dict[str, Any], ...]
    timeline: tuple[Moment, ...]
    happened: tuple[Claim, ...]
    did: tuple[Claim, ...]
    times: tuple[Span, ...]
    sections: tuple[Section, ...]
    stages: tuple[Stage, ...]
    changed: tuple[Changed, ...]
    recommendations: tuple[Recommendation, ...]
    backlog: tuple[Item, ...]
    manifest: str
    closed: dict[str, Any] = field(default_factory=dict[str, Any])
    head: tuple[int, str] = field(default=(0, ""))
    redacted: bool = False
    who: ActorGraph = field(default_factory=ActorGraph)
    when: Timeline = field(default_factory=Timeline)
    ours: tuple[str, ...] = ()
    costs: dict[str, Any] = field(default_factory=dict[str, Any])
    exposures: dict[str, Any] = field(default_factory=dict[str, Any])
    traffic: dict[str, Any] = field(default_factory=dict[str, Any])
    undone: tuple[dict[str, Any], ...] = ()
    cut_off: tuple[str, ...] = ()
    made: tuple[dict[str, Any], ...] = ()

    @property
    def time_to_contain(self) -> timedelta | None:
        return self._took("contain")

    @property
    def time_to_restore(self) -> timedelta | None:
        return self._took("restore")

    def _took(self, name: str) -> timedelta | None:
        return next((span.took for span in self.times if span.name == name), None)

    @property
    def proposed(self) -> tuple[Recommendation, ...]:
        """The recommendations that the backlog has not taken up."""
        return tuple(proposed(self.recommendations, self.backlog))

    @property
    def status(self) -> str:
        """`restored`, `incomplete` or `no action`, as the proof says."""
        if not self.proof:
            return "no action"
        return "restored" if self.proof["complete"] else "incomplete"


def report(lines: Sequence[Line]) -> Report:
    """Build the report.

    Raises:
        ValueError: the lines do not open an incident.
    """
    opened = _first(lines, Kind.OPENED)
    if opened is None:
        raise ValueError("these ledger lines do not open an incident")
    proof, actor, costs = _last(lines, Kind.PROOF), _last(lines, Kind.ACTOR), _last(lines, Kind.COSTS)
    plans = [Plan.model_validate(line.body["plan"]) for line in lines if line.kind == Kind.PLAN]
    outcomes = [line for line in lines if line.kind == Kind.OUTCOME]
    # A plan is found by the digest that its line says: an outsider's copy of it has another.
    planned = [str(line.body["digest"]) for line in lines if line.kind == Kind.PLAN]
    steps = {(digest, step.id): step for digest, plan in zip(planned, plans, strict=True) for step in plan.steps}
    titles = {digest: plan.title for digest, plan in zip(planned, plans, strict=True)}
    case, evidence = CaseFile(lines), [dict(line.body) for line in lines if line.kind == Kind.EVIDENCE]
    return Report(
        incident=opened.incident,
        title=str(opened.body["title"]),
        finding=dict(opened.body),
        proof=dict(proof.body) if proof else {},
        actor=dict(actor.body) if actor else {},
        done=tuple(_done(line, steps) for line in outcomes),
        unplanned=tuple(_unplanned(plans)),
        kept=tuple(dict.fromkeys(kept for plan in plans for kept in plan.kept)),
        doubts=_doubts(plans),
        chosen=_chosen(lines),
        regions=tuple(coverage(lines)),
        decisions=tuple(_decision(line, titles) for line in lines if line.kind == Kind.DECISION),
        evidence=tuple(evidence),
        timeline=tuple(_timeline(lines)),
        happened=happened(case),
        did=done(case),
        times=times(case),
        sections=sections(case),
        stages=stages(case),
        changed=before_after(case),
        recommendations=recommendations(case),
        backlog=items(lines),
        manifest=manifest_digest(evidence),
        closed=dict(closed.body) | {"at": closed.at.isoformat()} if (closed := _last(lines, Kind.CLOSED)) else {},
        head=(lines[-1].position, lines[-1].hash),
        who=actor_graph(lines),
        when=timeline(lines),
        costs=dict(costs.body) if costs else {},
        exposures=dict(exposed.body) if (exposed := _last(lines, Kind.EXPOSURES)) else {},
        traffic=dict(traffic.body) if (traffic := _last(lines, Kind.TRAFFIC)) else {},
        cut_off=tuple(dict.fromkeys(line for plan in plans for line in plan.cut_off)),
        undone=tuple(item for line in lines if _is_held(line) for item in line.body["undone"]),
        made=made_rows(plans, {(str(line.body["plan"]), str(line.body["step"])): str(line.body["result"]) for line in outcomes}),
        ours=tuple(_made_by_us(line) for line in outcomes if line.body["phase"] == "contain" and line.body.get("new_id")),
    )


def _first(lines: Iterable[Line], kind: Kind) -> Line | None:
    return next((line for line in lines if line.kind == kind), None)


def _last(lines: Sequence[Line], kind: Kind) -> Line | None:
    return _first(reversed(lines), kind)


def _done(line: Line, steps: Mapping[tuple[str, str], Step]) -> Done:
    body = line.body
    step = steps.get((str(body["plan"]), str(body["step"])))
    return Done(
        step=str(body["step"]),
        title=str(body["title"]),
        phase=str(body["phase"]),
        result=str(body["result"]),
        detail=str(body["detail"]),
        at=line.at,
        source=step.source if step else "",
        records=step.why if step else (),
        before=brief(step.expects) if step and step.expects is not None else "absent",
        after=brief(step.leaves) if step and step.leaves is not None else "absent",
    )


def _decision(line: Line, titles: Mapping[str, str]) -> dict[str, Any]:
    """What a person said, with the title of the plan that they said it about."""
    return {**line.body, "plan": titles.get(str(line.body["digest"]), "")}


def _is_held(line: Line) -> bool:
    """Whether a line says how containment stood when it was read again."""
    return line.kind == Kind.NOTE and line.key.startswith("held:")


def _made_by_us(line: Line) -> str:
    body = line.body
    return f"{body['new_id']} ({body['account']}, {body['region']}): {body['title']}"


def _unplanned(plans: Sequence[Plan]) -> Iterable[dict[str, Any]]:
    """What the plans of the newest look leave to people, once each."""
    newest = max((plan.look for plan in plans), default=1)
    seen: dict[str, dict[str, Any]] = {}
    for plan in (plan for plan in plans if plan.look == newest):
        for item in plan.unplanned:
            seen[item.id] = {"id": item.id, **item.model_dump(mode="json")}
    return seen.values()


def _doubts(plans: Sequence[Plan]) -> tuple[str, ...]:
    """The doubts of the newest plan that has any: only the restoration's do."""
    return next((plan.doubts for plan in reversed(plans) if plan.doubts), ())


def _chosen(lines: Iterable[Line]) -> tuple[str, ...]:
    """What responders added to the case, in words."""
    return Amendments.of(read_amendment(line.body) for line in lines if line.kind == Kind.AMENDMENT).in_words


def manifest_digest(evidence: Iterable[Mapping[str, Any]]) -> str:
    """One digest for the whole manifest: whoever has it can tell later whether an item was changed, added or taken away."""
    kept = sorted((str(item["item"]), str(item["sha256"])) for item in evidence if "sha256" in item)
    return hashlib.sha256(canonical([list(item) for item in kept]).encode()).hexdigest()


def _timeline(lines: Iterable[Line]) -> Iterable[Moment]:
    for line in lines:
        words = _in_words(line)
        if words:
            yield Moment(line.at, words, line.position)


def opened_by(body: Mapping[str, Any]) -> str:
    """Who or what opened the incident: a responder with their reason, or a finding."""
    by = body.get("by")
    return f"Incident opened by {by['person']}: {by['reason']}" if by else f"Incident opened by {body['type']}"


_READINGS = {
    Kind.PROOF: "Everything was read again for the proof",
    Kind.COVERAGE: "Which regions were read",
    Kind.EXPOSURES: "What the internet reaches was read",
    Kind.TRAFFIC: "Flow logs were asked about the actor's addresses",
    Kind.COSTS: "What costs was counted",
}


def _in_words(line: Line) -> str:
    body = line.body
    match line.kind:
        case Kind.OPENED:
            return opened_by(body)
        case Kind.PHASE if body["state"] == "done":
            return f"{str(body['phase']).replace('-', ' ').capitalize()}: {body['returned']}"
        case Kind.QUESTION:
            return f"People were asked about plan {str(body['digest'])[:12]}"
        case Kind.DECISION:
            return f"{body['person']} answered {body['answer']} in {body['surface']} for plan {str(body['digest'])[:12]}"
        case Kind.AMENDMENT:
            return f"{body['person']} amended the case: {body['kind']}"
        case Kind.OUTCOME:
            return f"{body['title']}: {body['result']}"
        case Kind.REMARK:
            return f"{body['person']} wrote into “{body['section']}”"
        case Kind.BACKLOG:
            return f"Backlog: {body['person']} {body['does']} {body['item']}"
        case Kind.CLOSED:
            return f"{body['person']} closed the incident: {body['reason']}"
        case Kind.NOTE if _is_held(line):
            return str(body["said"])
        case Kind.NOTE if line.key.startswith(("calls:", "means:")):
            return "The actor's calls, in short" if line.key.startswith("calls:") else "The actor's user agents and second factors"
        case Kind.ACTOR:
            return f"The actor is known by {counted(len(body['credentials']), 'credential')}"
        case Kind.PLAN:
            return f"Plan {str(body['digest'])[:12]} was made"
        case Kind.EVIDENCE if "sha256" in body:
            return f"Evidence kept: {body['item']}"
        case Kind.EVIDENCE:
            return f"Evidence not kept yet, or lost: {body['item']}"
        case Kind.PREAUTHORIZATION:
            return "Steps of containment ran as the policy allows"
        case Kind.PROOF | Kind.COVERAGE | Kind.EXPOSURES | Kind.TRAFFIC | Kind.COSTS:
            return _READINGS[Kind(line.kind)]
        case _:
            return ""
