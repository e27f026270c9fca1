"""The pinned message: where an incident stands, what is not known, for whom it waits, and how to act from Slack."""

from __future__ import annotations

import hashlib
from datetime import datetime

from incident.findings.finding import severity_word
from incident.people.blocks import fitted
from incident.people.messages import Blocks, context, header, plain, section, slack
from incident.people.outbox import Closing
from incident.people.status import Status, Waiting
from incident.settings import canonical
from incident.words import counted

_SHOWN = 6
_LATE_SECONDS = 120


def status_message(now: Status, report_url: str, run_url: str) -> tuple[str, Blocks]:
    """The message for one status: its text for notifications, and its blocks.

    Args:
        report_url: where the report is; empty before there is one.
        run_url: the run in Prefect's UI; empty before there is one.
    """
    severity = severity_word(now.severity) if now.opened_at else "severity not read yet"
    where = f"account {now.account}, {now.region}" if now.account else "account not read yet"
    waits = f"Waiting for {_waits(now)}" if now.waiting else "Nobody is waited for"
    text = f"{now.incident} ({severity}): {slack(now.type)} in {slack(where)}. {_phase(now)}. {waits}. Regions: {_regions(now)}."
    blocks: Blocks = [
        header(f"{severity.capitalize()} · {now.type}"),
        section(f"*{slack(now.title, 500)}*\n{slack(where)}") if now.title else section(slack(where)),
        _table(now),
    ]
    if now.why_not:
        blocks.append(section(f"*Nothing is changed in AWS*\n{slack(now.why_not, 600)}"))
    if now.unread:
        blocks.append(section(_unread(now)))
    blocks += [context(line) for line in (_people(now), _links(now, report_url, run_url), _how(now)) if line]
    return fitted(text, blocks)


def status_row(now: Status) -> str:
    """One line about an incident in a list, as mrkdwn."""
    opened = f" · opened {now.opened_at:%Y-%m-%d %H:%M} UTC" if now.opened_at else ""
    waits = f"waiting for {_waits(now)}" if now.waiting else "waiting for nobody"
    return f"`{now.incident}` *{severity_word(now.severity)}* · {slack(now.type)}{opened}\n{_phase(now)} · {waits}"


def digest_of(text: str, blocks: Blocks) -> str:
    """What tells one content of a message from another."""
    return hashlib.sha256(canonical([text, blocks]).encode()).hexdigest()[:32]


def closed(closing: Closing) -> tuple[str, Blocks]:
    """A question that needs no answer any more: its facts stay, its buttons go, and the outcome stands below."""
    kept: Blocks = [block for block in closing.question.blocks if block.get("type") != "actions"]
    return fitted(closing.outcome, [*kept, section(f"*{slack(closing.outcome, 600)}*")])


def late(text: str, blocks: Blocks, written: datetime, now: datetime) -> tuple[str, Blocks]:
    """A message that Slack gets long after it was written says so, for its timestamp there does not."""
    if (now - written).total_seconds() < _LATE_SECONDS:
        return fitted(text, blocks)
    told = context(f"Written at {written:%Y-%m-%d %H:%M:%S} UTC; Slack was not reached until now.")
    acting = blocks[-1:] if blocks and blocks[-1].get("type") == "actions" else []
    return fitted(text, [*blocks[: len(blocks) - len(acting)], told, *acting])


def topic(now: Status) -> str:
    """A channel's topic, at most 250 characters."""
    return plain(f"{now.incident} · {now.type} · account {now.account} {now.region} · status is pinned", 250)


def _table(now: Status) -> dict[str, object]:
    deadline = f"{now.deadline[0]:%Y-%m-%d %H:%M} UTC\n{slack(now.deadline[1])}" if now.deadline else "none"
    cells = (("Phase", _phase(now)), ("Waiting for", _waits(now)), ("Regions", _regions(now)), ("Next deadline", deadline))
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": f"*{name}*\n{cell}"} for name, cell in cells]}


def _phase(now: Status) -> str:
    return f"Ended · {slack(now.ended)}" if now.ended else slack(now.phase)


def _waits(now: Status) -> str:
    if now.waiting:
        return "; ".join(_decision(one) for one in now.waiting[:3])
    return "nobody" if now.ended else "nobody; the response goes on by itself"


def _decision(waiting: Waiting) -> str:
    able = [slack(name, 80) for name in waiting.people[:_SHOWN]]
    more = f" and {len(waiting.people) - _SHOWN} more" if len(waiting.people) > _SHOWN else ""
    who = ", ".join(able) + more if able else "nobody in the policy may answer"
    return f"“{slack(waiting.title)}”: {waiting.needed} of {who}" if able else f"“{slack(waiting.title)}”: {who}"


def _regions(now: Status) -> str:
    if not now.regions:
        return "none read yet"
    known = now.regions - len(now.unread)
    return f"{known} of {counted(now.regions, 'region')} read" + (f", {len(now.unread)} not" if now.unread else "")


def _unread(now: Status) -> str:
    rows = [
        f"• {slack(row['account'])} {slack(row['region'])}: {slack(row['status'])}{_why(row.get('why'))}"
        for row in now.unread[:_SHOWN]
    ]
    more = [f"… and {len(now.unread) - _SHOWN} more"] if len(now.unread) > _SHOWN else []
    return "\n".join(["*Not known, so not clean*", *rows, *more])


def _why(reason: object) -> str:
    return f", {slack(reason, 200)}" if reason else ""


def _people(now: Status) -> str:
    told = [f"Acknowledged {slack(now.acknowledged, 200)}"] if now.acknowledged else ["Nobody has acknowledged it"]
    if now.escalated:
        told.append(f"escalation asked for {slack(now.escalated, 300)}")
    return " · ".join(told)


def _links(now: Status, report_url: str, run_url: str) -> str:
    links = [f"<{url}|{name}>" for url, name in ((report_url, "Report"), (run_url, "Run in Prefect")) if url]
    opened = f"Opened {now.opened_at:%Y-%m-%d %H:%M} UTC" if now.opened_at else ""
    return " · ".join([part for part in (f"`{now.incident}`", opened) if part] + links)


def _how(now: Status) -> str:
    return "" if now.ended else f"`/incident ack {now.incident}` · `/incident approve {now.incident}` · `/incident help`"
