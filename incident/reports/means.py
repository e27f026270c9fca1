"""What the actor worked with, short enough for one ledger line: their user agents, and whether a second factor was used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from incident.actor import Actor
from incident.network.values import mapping
from incident.people.messages import plain
from incident.record import Record, in_order

MOST_AGENTS = 50
"""So many user agents are named; whoever sends another with each call does not fill the ledger."""


def means(records: Iterable[Record], actor: Actor) -> dict[str, Any]:
    """The actor's user agents with how often and when first, how many more there are, and each key's second factor.

    CloudTrail says `mfaAuthenticated` of sessions; of a user's own key it says nothing, for that is used without one.
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
    """
    agents: dict[str, dict[str, Any]] = {}
    factors: dict[str, dict[str, Any]] = {}
    for record in in_order(record for record in records if actor.did(record)):
        agent = plain(record.user_agent, 300)
        told = agents.setdefault(agent, {"agent": agent, "calls": 0, "first": record.time.isoformat(), "record": record.event_id})
        told["calls"] += 1
        key = record.identity.access_key
        if key and factors.get(key, {}).get("mfa") != "true":
            factors[key] = {"key": key, "mfa": _second_factor(record), "record": record.event_id}
    named = [one for one in agents.values() if one["agent"]]
    most = sorted(named, key=lambda one: -int(one["calls"]))[:MOST_AGENTS]
    return {"agents": most, "more_agents": len(named) - len(most), "factors": list(factors.values())}


def _second_factor(record: Record) -> str:
    context = mapping(mapping(record.raw.get("userIdentity")).get("sessionContext"))
    said = str(mapping(context.get("attributes")).get("mfaAuthenticated", "")).lower()
    return said if said in ("true", "false") else "not told"
