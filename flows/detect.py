"""Detection: what the door carried is only a pointer; the finding is read back from the service that it is said to come from.

What a responder opened by hand has nothing to be read back: their word, given with their code, stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from prefect import flow

from flows.case import Case, once
from incident.findings.finding import NOTE, Finding, FindingError, Origin, parse_finding
from incident.findings.named import delivered_finding
from incident.findings.notes import offered
from incident.findings.trail_event import harmless
from incident.findings.triage import triage
from incident.ledger import INTAKE, Kind
from incident.people import messages
from incident.policy import matches
from incident.record import Record
from tasks.aws import AwsError
from tasks.deliveries import opening_delivery
from tasks.read_back import Reader
from tasks.work import in_thread, post

RESPOND = "respond"
NOTIFY = "notify"


@dataclass(frozen=True)
class _Delivered:
    """The delivery that opened the incident; `by` says who, where it was a responder, and `problem` why it cannot be believed.

    `at` is when it was taken in, `key` that of its line.
    """

    finding: Finding
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])
    by: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problem: str = ""
    at: datetime | None = None
    key: str = ""


@flow(name="detect", persist_result=True)
@once("detect")
async def detect(incident: str, look: int = 1) -> str:
    """Establish the finding and triage it. Answers `respond`, or `notify` where nothing may be done on it."""
    case = Case(incident)
    delivered = await in_thread(_delivered, case)
    finding, problem = await in_thread(_believed, case, delivered)
    verdict = triage(finding)
    respond = not problem and verdict.starts_response
    follows = case.hands.ledger.find(INTAKE, f"sorted:{delivered.key}")
    body: dict[str, Any] = {
        "finding": finding.id,
        "type": finding.type,
        "severity": finding.severity,
        "account": finding.account,
        "region": finding.region,
        "suspects": list(finding.named_principals),
        "title": finding.title,
        "responds": respond,
        "pages": verdict.pages and not problem,
        "reason": problem or verdict.reason,
        "received": delivered.at.isoformat() if delivered.at else "",
        "follows": str(follows.body.get("follows", "")) if follows else "",
    }
    if finding.type == NOTE and finding.named is not None:
        body |= {"note": finding.named.reason, "offered": [list(one) for one in offered(finding.named.reason)]}
    case.hands.ledger.append(incident, Kind.OPENED, "opened", body | ({"by": dict(delivered.by)} if delivered.by else {}))
    text, blocks = messages.opened(incident, finding.type, finding.title, finding.severity_word, finding.account, finding.region)
    await post(incident, "opened", text, blocks)
    if delivered.by:
        await post(incident, "opened-by", *messages.progress(f"{delivered.by['person']} opened it by hand"))
    if "note" in body:
        await post(incident, "note", *messages.note(incident, body["note"], body["offered"]))
    if not respond:
        await post(incident, "not-responding", *messages.progress(f"Nothing is changed in AWS: {problem or verdict.reason}"))
    elif verdict.pages:
        await post(incident, "must-act", *messages.progress(f"A person must act now: {verdict.reason}"))
    return RESPOND if respond else NOTIFY


def _delivered(case: Case) -> _Delivered:
    """The delivery that opened the incident. Of one that was changed in the ledger people are told, and nothing is done on it."""
    line = opening_delivery(case.hands.ledger, case.incident)
    if line is None:
        raise LookupError(f"no delivery in the ledger belongs to incident {case.incident}")
    try:
        return _Delivered(delivered_finding(line.body), line.body["finding"], line.body.get("by", {}), at=line.at, key=line.key)
    except FindingError as error:
        why = f"its delivery in the ledger cannot be read ({error}); run `countermand ledger verify {INTAKE}`"
        return _Delivered(_unreadable(case.incident), problem=why, at=line.at, key=line.key)


def _unreadable(incident: str) -> Finding:
    """What stands for a finding that cannot be read, so that people are told in the usual way."""
    return parse_finding({"id": incident, "type": "unreadable", "title": "The delivery of this incident cannot be read"})


def _believed(case: Case, delivered: _Delivered) -> tuple[Finding, str]:
    """The finding to act on, and why there is none. A forged or altered delivery changes nothing from here on."""
    finding = delivered.finding
    if delivered.problem:
        return finding, delivered.problem
    if delivered.by:
        accounts = case.hands.config.aws.accounts
        if accounts and finding.account not in accounts and (finding.account or finding.type != NOTE):
            return finding, f"account {finding.account} is not among the accounts that the configuration covers"
        case.hands.evidence.keep_first_json(case.incident, "finding.json", delivered.raw, "what a responder named by hand")
        return finding, ""
    answer = Reader(case.hands.aws).one(finding)
    if answer.problem:
        return answer.finding, answer.problem
    case.hands.evidence.keep_first_json(case.incident, "finding.json", answer.raw, f"the finding as {answer.asked} answered it")
    return answer.finding, _not_ours_to_answer(case, answer.finding, answer.raw)


def _not_ours_to_answer(case: Case, finding: Finding, raw: Mapping[str, Any]) -> str:
    """Why a true finding starts nothing all the same: it names ourselves, or a change that needs no answer."""
    own = _own_principals(case, finding.account)
    if finding.origin is Origin.CLOUDTRAIL:
        return harmless(Record.parse(raw), case.hands.known_policy, own)
    named = triage(finding).principal
    role = f"arn:aws:iam::{finding.account}:role/{finding.access_key.user_name}" if finding.access_key else ""
    patterns = (*case.hands.policy.responder_principals, *own)
    if named and (matches(named, patterns) or matches(role, patterns) or any(named.startswith(f"{arn}/") for arn in own)):
        return "it names Countermand's own role, so Countermand itself may be in somebody's hands: a person must act, from outside"
    return ""


def _own_principals(case: Case, account: str) -> tuple[str, ...]:
    """Under which ARN our own calls appear in an account; nothing where AWS does not say."""
    try:
        return (case.hands.aws.own_principal(account),)
    except AwsError:
        return ()
