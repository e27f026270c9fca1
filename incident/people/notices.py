"""What escalation writes into the ledger: rungs, deadlines, and each message that a channel must carry.

A rung and its messages are written in one transaction, so that a crash leaves both or neither. Nothing here is a secret: keys and
passwords of the channels stay in the settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from incident.ledger import Kind, Line
from incident.people.escalation import Channel, Contact, EscalationPolicy, Stakeholder
from incident.people.ladder import Rung, level_of, stakeholder_key
from incident.people.messages import plain, section, slack
from incident.people.occasions import Facts

Way = Literal[Channel, "support-case", "security-incident-case"]
Entry = tuple[str, str, str, Mapping[str, Any]]
_LONGEST_MESSAGE = 6000


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one address.

    Attributes:
        id: unique within the incident, and the same for every attempt.
        way: the channel, or the kind of case.
        to: the address; for a case, nothing.
        details: what the channel needs beside the text: the incident's facts, and a case's options.
    """

    incident: str
    id: str
    contact: str
    way: Way
    to: str
    subject: str
    text: str
    details: Mapping[str, Any]

    @property
    def dedup(self) -> str:
        """By this a channel that can tells a second copy: 64 hex digits, unique over all incidents."""
        return hashlib.sha256(f"{self.incident}\n{self.id}".encode()).hexdigest()

    def entry(self) -> Entry:
        body = {"contact": self.contact, "way": self.way, "to": self.to, "subject": self.subject, "text": self.text}
        return (self.incident, Kind.NOTICE, f"notice:{self.id}", body | {"details": dict(self.details)})

    @classmethod
    def of(cls, line: Line) -> Notice:
        body = line.body
        words = {name: str(body[name]) for name in ("contact", "to", "subject", "text")}
        return cls(incident=line.incident, id=line.key.removeprefix("notice:"), way=body["way"], details=body["details"], **words)


def rung_entries(policy: EscalationPolicy, facts: Facts, rung: Rung, now: datetime) -> list[Entry]:
    """A rung, its messages and the deadline of the next."""
    level = level_of(policy, rung)
    names = ("climb", "number", "ladder", "level", "telling", "phase", "why", "cause")
    body = {name: getattr(rung, name) for name in names}
    body |= {"at": now.isoformat(), "contacts": list(rung.contacts), "level_name": level.name}
    deadline = {"climb": rung.climb, "at": (now + rung.wait).isoformat(), "level_name": level.name}
    text = _text(facts, rung.why, f"Level {rung.level + 1}, {level.name}; told {_times(rung.telling)}.", answer=True)
    entries: list[Entry] = [
        (facts.incident, Kind.NOTICE, rung.key, body),
        (facts.incident, Kind.DEADLINE, rung.deadline_key, deadline),
    ]
    for name in rung.contacts:
        notice_id = f"{rung.climb}:{rung.number}:{name}"
        entries += _to_contact(facts, notice_id, name, policy.contacts[name], level.used, rung.phase, text)
    return entries


def stakeholder_entries(policy: EscalationPolicy, facts: Facts, one: Stakeholder, now: datetime) -> list[Entry]:
    """That a stakeholder is called in, and the messages or the case."""
    awake = [name for name in one.whom if policy.contacts[name].awake_from(now, facts.severity) <= now]
    body = {"stakeholder": one.name, "contacts": awake, "at": now.isoformat()}
    entries: list[Entry] = [(facts.incident, Kind.NOTICE, stakeholder_key(one.name), body)]
    text = _text(facts, f"you are called in as {one.name}", "", answer=False)
    for name in awake:
        entries += _to_contact(
            facts, f"{stakeholder_key(one.name)}:{name}", name, policy.contacts[name], one.used, "called in", text
        )
    case = one.support_case or one.security_incident_response
    if case is not None:
        way: Way = "support-case" if one.support_case else "security-incident-case"
        details = _facts(facts, "called in") | {"case": case.model_dump(mode="json")}
        subject = plain(f"[{facts.incident}] {facts.type} in account {facts.account}", 300)
        notice = Notice(facts.incident, stakeholder_key(one.name), one.name, way, "", subject, text, details)
        entries.append(notice.entry())
    return entries


def fallback_key(message: str) -> str:
    return f"fallback:{message}"


def fallback_entries(policy: EscalationPolicy, facts: Facts, missed: Line) -> list[Entry]:
    """A message that Slack has not taken, by the other channels: to whom the policy names, and to whom it was addressed."""
    if policy.fallback is None:
        return []
    key = fallback_key(str(missed.body["key"]))
    text = _text(
        facts, "Slack has not taken this message", f"{missed.at:%H:%M:%S} UTC: {plain(missed.body['text'], 3000)}", answer=True
    )
    entries: list[Entry] = [(facts.incident, Kind.NOTICE, key, {"message": missed.body["key"]})]
    for name in dict.fromkeys([*policy.fallback.whom, str(missed.body.get("contact") or "")]):
        if name in policy.contacts:
            contact = policy.contacts[name]
            entries += _to_contact(facts, f"{key}:{name}", name, contact, policy.fallback.used, "Slack is down", text)
    return entries


def _to_contact(
    facts: Facts, notice_id: str, name: str, contact: Contact, channels: Sequence[Channel], phase: str, text: str
) -> list[Entry]:
    """A message to each address that a contact has in these channels. Slack's goes into the incident's own outbox; it names the
    contact only where nothing else tells them, so that what Slack does not take reaches them all the same, and once."""
    others = any(contact.addresses(channel) for channel in channels if channel != "slack")
    subject = plain(f"{_TEST if facts.test else ''}{facts.incident} severity {facts.severity:g}, {phase}: {facts.title}", 200)
    entries: list[Entry] = []
    for channel in channels:
        addresses = contact.addresses(channel)
        if channel == "slack" and addresses:
            entries.append(_in_slack(facts, notice_id, "" if others else name, addresses, subject, text))
            continue
        for number, to in enumerate(addresses, start=1):
            details = _facts(facts, phase)
            notice = Notice(facts.incident, f"{notice_id}:{channel}:{number}", name, channel, to, subject, text, details)
            entries.append(notice.entry())
    return entries


_TEST = "[TEST] "


def _in_slack(facts: Facts, notice_id: str, name: str, users: Sequence[str], subject: str, text: str) -> Entry:
    mentions = " ".join(f"<!subteam^{user}>" if user.startswith("S") else f"<@{user}>" for user in users)
    lines = "\n".join(slack(line, 600) for line in text.splitlines())
    key = f"escalation:{notice_id}"
    body = {"key": key, "text": subject, "blocks": [section(f"{mentions}\n{lines}")], "contact": name}
    return (facts.incident, Kind.MESSAGE, f"message:{key}", body)


def _text(facts: Facts, why: str, more: str, *, answer: bool) -> str:
    """What a person reads on a small screen at night: why, what, where, and how to answer."""
    lines = [
        *(["This is a TEST of the escalation. Nothing has happened; answer it all the same."] if facts.test else []),
        f"Incident {facts.incident}: {plain(why, 600)}.",
        plain(facts.title, 300),
        f"Severity {facts.severity:g}, {plain(facts.type, 120)}, account {plain(facts.account, 20)}, {plain(facts.region, 30)}, "
        f"since {facts.opened_at:%Y-%m-%d %H:%M} UTC.",
        *([more] if more else []),
    ]
    if answer:
        lines.append(f"Take it: /incident ack {facts.incident} in Slack, or countermand ack {facts.incident} --as NAME")
    return "\n".join(line for line in lines if line)[:_LONGEST_MESSAGE]


def _times(telling: int) -> str:
    return "for the first time" if telling == 1 else f"{telling} times"


def _facts(facts: Facts, phase: str) -> dict[str, Any]:
    return {
        "severity": facts.severity,
        "phase": phase,
        "type": plain(facts.type, 200),
        "title": plain(facts.title, 300),
        "account": plain(facts.account, 20),
        "region": plain(facts.region, 30),
        "opened_at": facts.opened_at.isoformat(),
        "test": facts.test,
    }
