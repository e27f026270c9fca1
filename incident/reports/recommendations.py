"""What to do so that it does not happen again, each drawn from something that happened in this incident.

Each carries its perspective of the AWS Cloud Adoption Framework: directive (rules and roles), preventive, detective, responsive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from incident.coverage import KNOWN
from incident.ledger import Kind
from incident.plan import Phase
from incident.reports.case_file import CaseFile
from incident.reports.times import times

SLOW_TO_DETECT = timedelta(minutes=30)
SLOW_TO_DECIDE = timedelta(minutes=15)
_SHOWN = 8


class Perspective(StrEnum):
    DIRECTIVE = "directive"
    PREVENTIVE = "preventive"
    DETECTIVE = "detective"
    RESPONSIVE = "responsive"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do, what happened that asks for it, and the ledger line that tells."""

    id: str
    perspective: Perspective
    text: str
    because: str
    line: int


def recommendations(case: CaseFile) -> tuple[Recommendation, ...]:
    """Those that this incident's own lines ask for, in the order of the perspectives."""
    found = [one for rule in _RULES for one in rule(case)]
    return tuple(sorted(found, key=lambda one: list(Perspective).index(one.perspective)))


def _long_term_key(case: CaseFile) -> Iterator[Recommendation]:
    seed, line = case.seed, case.position(Kind.ACTOR)
    if seed is None or seed.made:
        return
    if seed.kind == "root":
        text = (
            "Take the root user's access keys away, give root a hardware second factor, and forbid root by a service control policy"
        )
        yield Recommendation("root-used", Perspective.PREVENTIVE, text, "the root user's credential was used", line)
    elif seed.kind == "user":
        text = f"Replace the long-term access key of {seed.owner} by a role with temporary credentials (IAM Identity Center, OIDC)"
        yield Recommendation("long-term-key", Perspective.PREVENTIVE, text, f"key {seed.access_key} was used by the actor", line)
        factors = {str(one["key"]): str(one["mfa"]) for one in case.means.get("factors", ())}
        if factors.get(seed.access_key) not in (None, "true"):
            text = f"Ask for a second factor in the policies of {seed.owner} (`aws:MultiFactorAuthPresent`)"
            yield Recommendation("no-second-factor", Perspective.PREVENTIVE, text, "no second factor was asked", case.means_line)
    elif seed.session.startswith("i-"):
        text = f"Require IMDSv2 with a hop limit of 1, and bind role {seed.owner} to its network (`aws:SourceVpc`)"
        yield Recommendation("instance-session", Perspective.PREVENTIVE, text, f"a session of {seed.session} was used", line)


def _new_identities(case: CaseFile) -> Iterator[Recommendation]:
    made = [call for call in case.calls if call.changed and call.event in _IDENTITY_CALLS]
    if made:
        text = (
            "Forbid the making of users, keys and identity providers outside the identity team's roles, by a service control policy"
        )
        because = f"the actor called {_named(call.event for call in made)}"
        yield Recommendation("new-identities", Perspective.PREVENTIVE, text, because, case.calls_line)


_IDENTITY_CALLS = frozenset(
    {"CreateUser", "CreateAccessKey", "CreateLoginProfile", "CreateSAMLProvider", "CreateOpenIDConnectProvider", "AttachUserPolicy"}
)
_LOG_CALLS = frozenset(
    {
        "StopLogging",
        "DeleteTrail",
        "UpdateTrail",
        "PutEventSelectors",
        "DeleteFlowLogs",
        "DeleteDetector",
        "UpdateDetector",
        "StopConfigurationRecorder",
    }
)


def _logs_stopped(case: CaseFile) -> Iterator[Recommendation]:
    done = [call for call in case.calls if call.changed and call.event in _LOG_CALLS]
    if done:
        text = (
            "Forbid the stopping of trails, flow logs, GuardDuty and Config by a service control policy, for all but their owners"
        )
        because = f"the actor called {_named(call.event for call in done)}"
        yield Recommendation("logs-stopped", Perspective.PREVENTIVE, text, because, case.calls_line)


def _opened_to_the_world(case: CaseFile) -> Iterator[Recommendation]:
    told, line = case.body(Kind.EXPOSURES), case.position(Kind.EXPOSURES)
    closing = [step for step in case.steps.values() if step.closes_exposure]
    if told.get("opened") or closing:
        ways = len(told.get("opened", ()))
        because = f"ways from the internet that the actor opened: {ways}" if ways else f"changes that open a way: {len(closing)}"
        text = "Let AWS close ports that nobody approved: a Config rule for allowed ports with a Systems Manager remediation"
        yield Recommendation("opened-to-the-world", Perspective.RESPONSIVE, text, because, line)
        text = "Hold internet access at the VPC (block public access) and ask for a change request before a group names 0.0.0.0/0"
        yield Recommendation("public-access", Perspective.PREVENTIVE, text, because, line)
    if told.get("before"):
        names = ", ".join(str(one["resource"]) for one in told["before"][:_SHOWN])
        text = f"Decide by name whether each of these must be reachable, and close the others: {names}"
        because = f"{len(told['before'])} ways from the internet stood before the incident and still do"
        yield Recommendation("exposed-before", Perspective.DIRECTIVE, text, because, line)


def _unread_regions(case: CaseFile) -> Iterator[Recommendation]:
    unread = [row for row in case.coverage if row["status"] not in KNOWN]
    if unread:
        names = ", ".join(f"{row['account']} {row['region']}" for row in unread[:_SHOWN])
        text = f"Give the responder's role its reads there, or forbid the region by a service control policy: {names}"
        because = f"{len(unread)} regions could not be read: {unread[0]['why']}"
        yield Recommendation("unread-regions", Perspective.DETECTIVE, text, because, case.position(Kind.COVERAGE))


def _flow_logs(case: CaseFile) -> Iterator[Recommendation]:
    told = case.body(Kind.TRAFFIC)
    gaps = [str(gap) for gap in told.get("gaps", ())]
    if gaps:
        text = "Create flow logs for every VPC, all traffic, to a bucket that can be asked (`countermand flows`)"
        because = f"what the actor's addresses touched is not known: {gaps[0]}"
        yield Recommendation("flow-logs", Perspective.DETECTIVE, text, because, case.position(Kind.TRAFFIC))


def _slow(case: CaseFile) -> Iterator[Recommendation]:
    spans = {span.name: span for span in times(case)}
    took = spans["detect"].took
    if took is not None and took > SLOW_TO_DETECT:
        text = "Let GuardDuty publish every 15 minutes, and send network changes to us by EventBridge as they happen"
        because = f"{int(took.total_seconds() // 60)} minutes lay between the actor's first call and the finding's receipt"
        yield Recommendation("slow-to-detect", Perspective.DETECTIVE, text, because, case.calls_line)
    for asked in case.all(Kind.QUESTION):
        first = next((line for line in case.all(Kind.DECISION) if line.body.get("question") == asked.body.get("id")), None)
        if asked.body.get("question") == "contain" and first is not None and first.at - asked.at > SLOW_TO_DECIDE:
            text = "Pre-authorize the deactivation of keys at high severity, and run `countermand escalation test`"
            because = (
                f"the question about containment waited {int((first.at - asked.at).total_seconds() // 60)} minutes for an answer"
            )
            yield Recommendation("slow-to-decide", Perspective.RESPONSIVE, text, because, asked.position)
            return


def _prior_state(case: CaseFile) -> Iterator[Recommendation]:
    plans = [(line, item) for line, plan in case.plans for item in plan.unplanned if item.status == "needs-prior-state"]
    if plans:
        text = "Sweep the baseline on a schedule and let AWS Config record every region, so that prior values are known"
        because = f"nothing told what {len({item.id for _, item in plans})} settings were before"
        yield Recommendation("prior-state", Perspective.DETECTIVE, text, because, plans[-1][0].position)


def _undone(case: CaseFile) -> Iterator[Recommendation]:
    for line in reversed(case.all(Kind.NOTE)):
        if line.key.startswith("held:") and line.body["undone"]:
            text = "Keep the permission to change the quarantine's policies and groups from everybody but the responder's role"
            yield Recommendation("undone", Perspective.PREVENTIVE, text, "containment was undone while we worked", line.position)
            return


def _shared_roles(case: CaseFile) -> Iterator[Recommendation]:
    for line, plan in reversed(case.plans):
        if plan.cut_off:
            text = "Give each workload a role of its own: whoever shares one is cut off with the actor"
            because = f"containment also cut off {len(plan.cut_off)} others"
            yield Recommendation("shared-roles", Perspective.DIRECTIVE, text, because, line.position)
            return


def _lost_evidence(case: CaseFile) -> Iterator[Recommendation]:
    lost = [line for line in case.all(Kind.EVIDENCE) if "gap" in line.body]
    if lost:
        text = "Keep what matters off instance stores, let the responder's role read what was missing, and drill taking evidence"
        because = f"{len(lost)} items of evidence could not be kept, first {lost[0].body['about']}"
        yield Recommendation("lost-evidence", Perspective.RESPONSIVE, text, because, lost[0].position)


def _failed_steps(case: CaseFile) -> Iterator[Recommendation]:
    failed = [line for line in case.outcomes if line.body["result"] in ("failed", "denied", "refused")]
    acted = [line for line in failed if line.body["phase"] in (Phase.CONTAIN, Phase.ERADICATE, Phase.RECOVER)]
    if acted:
        text = "Drill these steps, and compare the responder's policies with what they need (`countermand policies`)"
        because = f"{len(acted)} steps did not end well, first “{acted[0].body['title']}”"
        yield Recommendation("failed-steps", Perspective.RESPONSIVE, text, because, acted[0].position)


def _cost_alarm(case: CaseFile) -> Iterator[Recommendation]:
    told = case.body(Kind.COSTS)
    if told.get("by_actor") or told.get("spikes"):
        text = "Set AWS Budgets and Cost Anomaly Detection with an alarm to the responders, by account"
        because = "the actor's resources cost money before anybody saw them"
        yield Recommendation("cost-alarm", Perspective.DETECTIVE, text, because, case.position(Kind.COSTS))


def _named(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


_RULES: tuple[Callable[[CaseFile], Iterator[Recommendation]], ...] = (
    _long_term_key,
    _new_identities,
    _logs_stopped,
    _opened_to_the_world,
    _unread_regions,
    _flow_logs,
    _slow,
    _prior_state,
    _undone,
    _shared_roles,
    _lost_evidence,
    _failed_steps,
    _cost_alarm,
)
