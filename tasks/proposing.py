"""Compares a new baseline with the last one that was compared, and puts before people what the internet reaches newly.

A baseline counts as compared once its line says so, after its proposals are written: a sweep that is killed between the two is
compared by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from incident.exposures.inventory import changed_exposures, differences
from incident.exposures.proposals import Proposal, explained, message, on_path
from incident.family import Scope
from incident.ledger import BASELINE_CHAIN, Kind
from incident.record import Record
from tasks.aws import AwsError
from tasks.baseline import Baseline
from tasks.cloudtrail import Lookup
from tasks.hands import Hands
from tasks.sights import sight_of

_MOST_LOOKED_UP = 20
"""Of how many changed resources the records are asked for; with more of them it is proposed without asking."""


def propose_new_exposures(hands: Hands, place: Scope, at: datetime) -> list[Proposal]:
    """Propose what is new in a place's baseline of a moment, and remember that it was compared.

    Raises:
        LedgerUnavailable: the ledger cannot be read or written; call again.
    """
    now = hands.baselines.at(place, at)
    if now is None or _is_compared(hands, place, at):
        return []
    before = _last_compared(hands, place, at)
    proposed = [] if before is None else [one for one in _new(before, now) if not _is_explained(hands, one, before, at)]
    for one in proposed:
        _put(hands, one)
    body = {"account": place.account, "region": place.region, "at": at.isoformat(), "proposed": [one.key for one in proposed]}
    hands.ledger.append(BASELINE_CHAIN, Kind.NOTE, _compared_key(place, at), body)
    return proposed


def _compared_key(place: Scope, at: datetime) -> str:
    return f"compared:{place.account}/{place.region}/{at.isoformat()}"


def _is_compared(hands: Hands, place: Scope, at: datetime) -> bool:
    return hands.ledger.find(BASELINE_CHAIN, _compared_key(place, at)) is not None


def _last_compared(hands: Hands, place: Scope, at: datetime) -> Baseline | None:
    """The newest earlier baseline that was compared; where none was, the newest earlier one, such as one that was swept by hand."""
    earlier = [moment for moment in hands.baselines.history().get(place, ()) if moment < at]
    for moment in reversed(earlier):
        if _is_compared(hands, place, moment):
            return hands.baselines.at(place, moment)
    return hands.baselines.at(place, earlier[-1]) if earlier else None


def _new(before: Baseline, now: Baseline) -> Iterable[Proposal]:
    was, seen = sight_of(before), sight_of(now)
    opened, _ = changed_exposures(was, seen)
    changed = [one.key for one in differences(was, seen)[0]]
    return [Proposal(one, on_path(one, changed), was.at) for one in opened]


def _is_explained(hands: Hands, proposal: Proposal, before: Baseline, until: datetime) -> bool:
    resources = list(dict.fromkeys(key.resource for key in proposal.changed))
    policy = hands.known_policy
    if not policy.approved_changes or not resources or len(resources) > _MOST_LOOKED_UP:
        return False
    place = (proposal.exposure.account, proposal.exposure.region)
    since = proposal.since.replace(microsecond=0)
    asked = [Lookup(*place, "ResourceName", name, since, until) for name in resources]
    records: dict[str, Record] = {}
    try:
        for answer in hands.history.ask_all(asked):
            if answer.unreadable or not answer.complete or answer.gaps:
                return False
            records |= {record.event_id: record for record in answer.records}
    except AwsError:
        return False
    return bool(explained(proposal, records.values(), before.settings, policy.ticket))


def _put(hands: Hands, proposal: Proposal) -> None:
    """Write the proposal and its message; said again neither is written twice."""
    body = {"exposure": proposal.exposure.in_words(), "command": proposal.command, "since": proposal.since.isoformat()}
    hands.ledger.append(BASELINE_CHAIN, Kind.NOTE, f"proposal:{proposal.key}", body)
    text, blocks = message(proposal)
    told = {"key": f"proposal-{proposal.key}", "text": text, "blocks": blocks}
    hands.ledger.append(BASELINE_CHAIN, Kind.MESSAGE, f"message:proposal-{proposal.key}", told)
