"""Where the search for the actor begins: the credential that a finding names, where it came from, and when it was taken."""

from __future__ import annotations

import glob
import ipaddress
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from incident.actor import Actor, Credential, Link, program
from incident.attribution import holder, minted, used_by
from incident.findings.finding import Finding
from incident.record import Record


def named_by(finding: Finding) -> Credential | None:
    """The finding's own credential. Whose a federated session is, and a role's path, its records tell."""
    key = finding.access_key
    if key is None or not key.access_key_id:
        return None
    kind = {"AssumedRole": "role", "Root": "root", "FederatedUser": "federated"}.get(key.user_type, "user")
    owners = {"role": f"arn:aws:iam::{finding.account}:role/{key.user_name}", "root": "root", "federated": ""}
    owner = owners.get(kind, key.user_name)
    return Credential(key.access_key_id, owner, kind, Link.PROVED, "the finding names it", "", finding.account)


def known_by(actor: Actor, record: Record) -> Actor:
    """The actor with the address and the user agent of a call that a responder showed to be theirs."""
    addresses = actor.addresses | frozenset(filter(is_address, [record.source_ip]))
    agent = glob.escape(record.user_agent)
    agents = actor.agents if not agent or agent in actor.agents else (*actor.agents, agent)
    return replace(actor, addresses=addresses, agents=agents)


def origin(actor: Actor, records: Iterable[Record], remote_ips: frozenset[str]) -> Actor:
    """The actor with the credential that a temporary seed key came from.

    The caller of AssumeRole may be the rightful user whose session was stolen afterwards. They count as the actor only where they
    called from an address that the finding names; otherwise the link is suspected and nobody acts on it. A service that hands an
    instance its role's session is no caller to follow.
    """
    for record in records:
        credential, parent = minted(record), record.identity.access_key
        if credential is None or credential.access_key not in actor.credentials:
            continue
        actor = _told(actor, credential, record)
        if not parent:
            continue
        link = Link.PROVED if record.source_ip in remote_ips else Link.SUSPECTED
        how = f"it called {record.event_name} that gave {credential.access_key}, from {record.source_ip}"
        actor = actor.with_credential(used_by(record, link, how))
    return actor


def _told(actor: Actor, credential: Credential, record: Record) -> Actor:
    """The actor with what the record that handed the seed out tells of it: owner, kind, time and where it came from."""
    held = actor.credentials[credential.access_key]
    if held.issued:
        return actor
    giver = record.identity.invoked_by or record.identity.label
    how = f"{held.how}; {giver} gave it to {_receiver(record)} by {record.event_name}"
    told = replace(held, owner=credential.owner, kind=credential.kind, issued=credential.issued, parent=credential.parent, how=how)
    return replace(actor, credentials={**actor.credentials, held.access_key: told})


def _receiver(record: Record) -> str:
    return str(record.request.get("roleSessionName") or "somebody")


def opened(
    actor: Actor, records: Iterable[Record], first_seen: datetime, addresses: frozenset[str], agents: tuple[str, ...] = ()
) -> Actor:
    """The actor with the window set: from the finding's first sign, or the first call from one of its addresses or agents.

    What is the rightful owner's is told by who used the credential before. Where an agent is known, an address that the owner used
    before tells nothing of the actor.
    """
    used = [record for record in records if record.identity.access_key in actor.credentials]
    since, reason = first_seen, actor.since_reason or "the finding's first sign"
    for record in used:
        by_agent = any(fnmatchcase(record.user_agent, pattern) for pattern in agents)
        if record.time < since and (by_agent if agents else record.source_ip in addresses):
            since = record.time
            what = f"with {program(record.user_agent)[:80]}" if by_agent else f"from {record.source_ip}"
            reason = f"the first call {what} with the compromised credential"
    before = [record for record in used if record.time < since]
    owners = frozenset(record.source_ip for record in before if is_address(record.source_ip))
    theirs = addresses - owners if agents else addresses
    return replace(
        actor,
        since=since,
        since_reason=reason,
        addresses=theirs,
        agents=agents,
        owner_addresses=owners - theirs,
        owner_programs=frozenset(program(record.user_agent) for record in before if is_address(record.source_ip)),
    )


def windowed(actor: Actor, first: Actor, first_seen: datetime, records: Iterable[Record]) -> Actor:
    """The actor with the window that the use of stolen credentials tells: those that have a rightful owner, and only those.

    Args:
        first: the actor as they were named, with what is known of their addresses and agents.
    """
    stolen = {credential.access_key: credential for credential in actor.proved if not credential.made}
    told = opened(replace(first, credentials=stolen), records, first_seen, first.addresses, first.agents)
    return replace(
        actor,
        since=told.since,
        since_reason=told.since_reason,
        addresses=told.addresses,
        agents=told.agents,
        owner_addresses=told.owner_addresses,
        owner_programs=told.owner_programs,
    )


def is_address(text: str) -> bool:
    """Whether CloudTrail wrote an address, and not a service's name or `AWS Internal`, which are everybody's."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def identified(actor: Actor, records: Iterable[Record]) -> Actor:
    """The actor with the owner and kind of each credential that was named without, as the first record of its use shows."""
    unknown = {key for key, credential in actor.credentials.items() if not credential.owner}
    for record in records:
        key = record.identity.access_key
        if key in unknown:
            unknown.discard(key)
            kind, owner = holder(record)
            known = replace(actor.credentials[key], owner=owner, kind=kind, account=record.identity.account or record.account)
            actor = replace(actor, credentials={**actor.credentials, key: known})
    return actor
