"""What stands once, or once an account, for an incident to be answered: roles, evidence store, people, practice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from incident.ledger import Line
from incident.posture.checks import Check, State
from incident.posture.places import Gap
from incident.score_card import ScoreCard

TESTED_WITHIN = timedelta(days=90)
"""An escalation that nobody has tested, and a response that nobody has practised, for longer is as good as never."""


def role(account: str, principal: str | Gap) -> Check:
    """Whether Countermand can act in an account at all."""
    if isinstance(principal, Gap):
        todo = "create deployments/aws/responder-role.yaml there, and check aws.role_name and aws.external_id"
        return Check(account, "", "responder's role", State.DENIED if principal.denied else State.UNKNOWN, principal.why, next=todo)
    return Check(account, "", "responder's role", State.OK, principal)


def evidence_store(kind: str, locked: bool | Gap) -> Check:
    """Whether evidence outlives whoever can reach this machine: a bucket whose objects are locked."""
    part, todo = "evidence store", "keep evidence in a bucket with Object Lock: docs/evidence.md"
    if kind == "folder":
        return Check("", "", part, State.MISSING, "a folder of this machine", next=todo)
    if isinstance(locked, Gap):
        return Check("", "", part, State.DENIED if locked.denied else State.UNKNOWN, locked.why, next="mend the store's access")
    if not locked:
        return Check("", "", part, State.MISSING, "the bucket has no Object Lock", next=todo)
    return Check("", "", part, State.OK, "a bucket with Object Lock")


def escalation(configured: bool, tests: Iterable[Line], now: datetime) -> Check:
    """When `escalation test` was last run to its end, and whether everybody was reached and answered."""
    part, again = "escalation tested", "run `countermand escalation test --as NAME`"
    if not configured:
        return Check("", "", part, State.MISSING, "there is no escalation policy", next="write one: docs/escalation.md")
    newest = max((line for line in tests if line.key.startswith("test:")), key=lambda line: line.at, default=None)
    if newest is None:
        return Check("", "", part, State.MISSING, "it was never tested", next=again)
    when = f"last on {newest.at:%Y-%m-%d}"
    if now - newest.at > TESTED_WITHIN:
        return Check("", "", part, State.MISSING, f"{when}, more than {TESTED_WITHIN.days} days ago", next=again)
    if not newest.body.get("passed"):
        silent = tuple(str(one) for one in newest.body.get("unanswered", ()))
        return Check("", "", part, State.MISSING, f"{when}: not everybody was reached and answered", silent, again)
    return Check("", "", part, State.OK, f"{when}: everybody was reached and answered")


def drills(cards: Sequence[ScoreCard], unread: Sequence[str], now: datetime) -> Check:
    """When people last practised, and whether that drill was passed. What scripted responders played trains nobody.

    Args:
        cards: every kept score card, in any order.
        unread: names of kept files that cannot be read.
    """
    part, again = "drills", "practise with `countermand drill`: docs/drills.md"
    last = max((card for card in cards if card.attended), key=lambda card: card.at, default=None)
    if last is None and unread:
        return Check("", "", part, State.UNKNOWN, f"{len(unread)} kept files cannot be read", tuple(unread), again)
    if last is None:
        detail = "only scripted responders practised" if cards else "nobody has practised"
        return Check("", "", part, State.MISSING, detail, next=again)
    told = f"{last.scenario} on {last.at:%Y-%m-%d}, {last.score} of 100"
    if now - last.at > TESTED_WITHIN:
        return Check("", "", part, State.MISSING, f"{told}, more than {TESTED_WITHIN.days} days ago", next=again)
    if not last.passed:
        return Check("", "", part, State.MISSING, f"{told}: not passed", last.missed, again)
    return Check("", "", part, State.OK, f"{told}: passed")
