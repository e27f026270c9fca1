"""Where the search for the actor begins: what a finding, or a responder who opened the incident, names."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from flows.inquiry import Inquiry
from incident import services
from incident.actor import Actor, Credential, Foothold, Link
from incident.attribution import Question, used_by
from incident.family import Scope
from incident.findings.finding import Finding, Named
from incident.origin import known_by, named_by
from incident.record import Record


async def seeded_by_all(findings: Sequence[Finding], inquiry: Inquiry) -> Actor:
    """The actor as all findings of an incident name them; the first one's words stand where they differ."""
    actor = await seeded(findings[0], inquiry)
    for finding in findings[1:]:
        more = await seeded(finding, inquiry)
        for credential in more.credentials.values():
            actor = actor.with_credential(credential)
        for foothold in more.footholds:
            actor = actor.with_foothold(foothold)
        agents = tuple(dict.fromkeys((*actor.agents, *more.agents)))
        actor = replace(actor, addresses=actor.addresses | more.addresses, agents=agents, seed=actor.seed or more.seed)
    return actor


async def seeded(finding: Finding, inquiry: Inquiry) -> Actor:
    """The actor as the finding names them: credentials, and principals that they command.

    An instance that a finding names may do its own work too. Its sessions count as stolen where they were used from the finding's
    address; whoever started it is suspected, for the finding does not say that it was started for this.
    """
    actor = Actor(addresses=frozenset(finding.remote_ips), since_reason="the finding's first sign")
    seed = named_by(finding)
    if seed is not None and finding.pointed is None:
        return replace(actor, credentials={seed.access_key: seed}, seed=seed.access_key)
    if finding.instance is not None:
        actor = await _of_instance(actor, finding, finding.instance.instance_id, inquiry)
    if seed is not None:
        actor = replace(actor.with_credential(seed), seed=seed.access_key)
    for named in filter(None, (finding.named, finding.pointed)):
        actor = await _of_named(actor, finding, named, inquiry)
    return actor


async def _of_instance(actor: Actor, finding: Finding, instance: str, inquiry: Inquiry) -> Actor:
    place = Scope(finding.account, finding.region)
    calls = await inquiry.ask([Question("Username", instance)])
    for record in (one for one in calls if one.identity.access_key and one.identity.type == "AssumedRole"):
        stolen = record.source_ip in finding.remote_ips
        link = Link.PROVED if stolen else Link.SUSPECTED
        how = f"the finding names instance {instance}, whose session this is, used from {record.source_ip}"
        actor = actor.with_credential(used_by(record, link, how))
    started = await inquiry.ask([Question("ResourceName", instance, place)])
    for record in (one for one in started if one.operation == "ec2:RunInstances" and one.succeeded):
        caller = await _caller(record, inquiry)
        if caller.identity.access_key:
            how = f"it started instance {instance}, which the finding names"
            actor = actor.with_credential(used_by(caller, Link.SUSPECTED, how))
    return actor


async def _of_named(actor: Actor, finding: Finding, named: Named, inquiry: Inquiry) -> Actor:
    how, account = f"{named.person} named it", finding.account
    for key in named.access_keys:
        kind = "session" if key.startswith("ASIA") else "user"
        actor = actor.with_credential(Credential(key, "", kind, Link.PROVED, how, "", account))
    since = finding.first_seen
    holds = [*(("user", name, "") for name in named.users), *(("role", name, "") for name in named.roles)]
    holds += [("session", "", instance) for instance in named.instances]
    for kind, name, session in holds:
        actor = actor.with_foothold(Foothold(kind, account, name, session, since, Link.PROVED, how, "", made=False))
    # Only the star is a pattern: user agents have brackets of their own.
    agents = tuple(glob.escape(agent).replace("[*]", "*") for agent in named.agents)
    actor = replace(actor, agents=agents, seed=actor.seed or next(iter(named.access_keys), ""))
    return await _of_resources(actor, finding, named, inquiry)


async def _of_resources(actor: Actor, finding: Finding, named: Named, inquiry: Inquiry) -> Actor:
    """Whoever changed a named resource from the named time on; where nobody did, whoever made it.

    A named record convicts its caller. A named resource does so only where all its changes were made with one credential.
    """
    place = Scope(finding.account, finding.region)
    for name in (*named.resources, *named.buckets, *named.records):
        attribute = "EventId" if name in named.records else "ResourceName"
        answered = await inquiry.ask([Question(attribute, name, place)])
        changes = _culprits(answered, finding.first_seen, named)
        callers = {record.event_id: await _caller(record, inquiry) for record in changes}
        sure = name in named.records or len({caller.identity.access_key for caller in callers.values()}) == 1
        for record in changes:
            caller = callers[record.event_id]
            how = f"{named.person} named {name}, which record {record.event_id} shows to be changed with it"
            if caller.identity.access_key:
                actor = actor.with_credential(used_by(caller, Link.PROVED if sure else Link.SUSPECTED, how))
            if sure:
                actor = known_by(actor, caller)
    seed = actor.seed or next(iter(actor.credentials), "")
    return replace(actor, seed=seed)


def _culprits(records: Iterable[Record], since: datetime, named: Named) -> list[Record]:
    changes = [record for record in records if not record.read_only and record.succeeded]
    exact = [record for record in changes if record.event_id in named.records]
    later = [record for record in changes if record.time >= since]
    return exact or later or changes[:1]


async def _caller(record: Record, inquiry: Inquiry) -> Record:
    """Whoever let a service make a call: the stack's or the group's calls are asked for where the record is a service's."""
    place = Scope(record.account, record.region)
    if record.identity.invoked_by == services.AUTO_SCALING:
        await inquiry.ask([Question("EventSource", services.AUTO_SCALING, place)])
    elif record.identity.invoked_by == services.CLOUDFORMATION:
        await inquiry.ask(Question("EventName", name, place) for name in services.STACK_CALLS)
    return services.caller_behind(record, inquiry.records)
