"""What the Prefect UI shows on a run while the response goes: summary, plans, regions, timeline, links. From the ledger alone.

Whoever attacks us names resources, sessions and user agents, and all of it comes by here: Markdown is escaped word by word. A
table's cells are shown as plain text, so there only control and direction characters are taken out.
https://docs.prefect.io/v3/concepts/artifacts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from incident.coverage import KNOWN
from incident.ledger import Kind, Line
from incident.people.messages import markdown, plain
from incident.people.outbox import outbox
from incident.people.status import Status
from incident.plan import Plan, Step
from incident.reports.case_file import GOOD
from incident.reports.report import Report, report
from incident.reports.section_claims import Claim
from incident.words import counted, span_in_words

Row = dict[str, str]

MOST_ROWS = 500
"""So many rows a table shows; a last one counts the rest. The ledger and the report have all."""

_MOST_LINES = 40
_CELL = 500


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses of the practice or the operation, without a slash at their end; empty where there is none.

    `team` and `channel` are Slack's ids, by which a thread opens in a browser.
    """

    prefect: str
    gateway: str
    team: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One artifact: Markdown as text, a table as rows, progress as per cent. `name` is the stable part of its key."""

    name: str
    description: str
    content: str | list[Row] | float


def run_page(lines: Sequence[Line], now: Status, places: Places) -> list[Shown]:
    """Everything that the run shows at this moment; nothing before the incident is opened."""
    if not any(line.kind == Kind.OPENED for line in lines):
        return []
    written = report(lines)
    found = [
        Shown("summary", "What happened, what was done, what is not known", summary(written, now)),
        Shown("timeline", "The actor's calls and ours, in order of time", timeline_rows(written)),
        Shown("links", "Report, Slack thread, ledger", links(lines, now, places)),
    ]
    if plans := plan_rows(lines):
        found.append(Shown("plans", "Every step of the plans, and how it stands", plans))
    if written.regions:
        found += [
            Shown("regions", "What was read of every region; unknown is not clean", region_rows(written)),
            Shown("regions-read", "Of the enabled regions were read, in per cent", per_cent_read(written)),
        ]
    return found


# ---- the summary -----------------------------------------------------------------------------------------------------


def summary(written: Report, now: Status) -> str:
    """What a responder must know before anything else, as Markdown."""
    finding = written.finding
    where = f"{markdown(finding['type'])}, severity {finding['severity']}, account {markdown(finding['account'])}"
    parts = [
        f"# {markdown(written.incident)}: {markdown(now.ended or now.phase)}",
        f"**{markdown(written.title)}** — {where}, {markdown(finding['region'])}",
        _waits(now),
        "## What happened\n\n" + _list(_claims(written.happened)),
        "## What was done\n\n" + _list(_claims(written.did)),
        "## What is not known\n\n" + _list(list(not_known(written)) or ["Nothing, as far as was looked until now."]),
        _times(written),
    ]
    return "\n\n".join(part for part in parts if part)


def _waits(now: Status) -> str:
    if now.why_not:
        return f"Nothing is changed in AWS: {markdown(now.why_not, 600)}"
    if not now.waiting:
        return "" if now.ended else "Nobody is waited for; the response goes on by itself."
    asked = [
        f"“{markdown(one.title)}”: {one.needed} of {', '.join(markdown(name) for name in one.people) or 'nobody in the policy'}, "
        f"until {one.asked.expires_at:%Y-%m-%d %H:%M} UTC"
        for one in now.waiting
    ]
    return "**Waits for people.** " + "; ".join(asked) + ". Answer in Slack, or here: menu ⋮, Resume."


def not_known(written: Report) -> Iterator[str]:
    """What nobody knows yet or what does not stand, one Markdown line each."""
    for row in written.regions:
        if row["status"] not in KNOWN:
            yield f"{markdown(row['account'])} {markdown(row['region'])}: {markdown(row['status'])} ({markdown(row['why'])})"
    for item in written.unplanned:
        yield f"{markdown(item['status'])}: {markdown(item['what'])}: {markdown(item['why'])}. {markdown(item['advice'])}"
    for name, words in _UNPROVED.items():
        for one in written.proof.get(name, ()):
            yield f"{words}: {markdown(one)}"
    for item in written.evidence:
        if "waits" in item or "gap" in item:
            yield f"evidence {markdown(item['item'])} is not kept: {markdown(item.get('gap') or item.get('why', ''))}"
    for line in written.exposures.get("not_known", ()):
        yield f"what the internet reaches: {markdown(line)}"
    for line in written.traffic.get("gaps", ()):
        yield f"what the actor's addresses touched: {markdown(line)}"
    if written.proof and (asked := [one.title.lower() for one in written.sections if one.is_open]):
        yield f"to be determined by people: {', '.join(asked)}"


_UNPROVED = {
    "differences": "still differs",
    "active_credentials": "not stopped",
    "working_credentials": "worked after it was stopped",
    "connected_instances": "not isolated",
    "unread": "could not be read",
    "not_understood": "change that is not understood",
}


def _times(written: Report) -> str:
    reached = [f"{span_in_words(span.took)} to {span.name}" for span in written.times if span.took is not None]
    return f"Times: {', '.join(reached)}." if reached else ""


def _claims(claims: Iterable[Claim]) -> list[str]:
    return [markdown(one.text, 600) + (f" (line {one.line})" if one.line else "") for one in claims]


def _list(lines: Sequence[str]) -> str:
    more = [f"… and {len(lines) - _MOST_LINES} more; the report has all"] if len(lines) > _MOST_LINES else []
    return "\n".join(f"- {line}" for line in [*lines[:_MOST_LINES], *more])


# ---- the tables ------------------------------------------------------------------------------------------------------


def plan_rows(lines: Sequence[Line]) -> list[Row]:
    """A row for every step: of the newest plan of each name all, of earlier ones those that were begun.

    What did not end well stands first, then what is to be done: the UI shows ten rows at a time.
    """
    kept = [line for line in lines if line.kind == Kind.PLAN]
    newest = {str(line.body.get("name", "")): line.position for line in kept}
    begun = {(str(line.body["plan"]), str(line.body["step"])) for line in lines if line.kind == Kind.INTENT}
    ended = {(str(line.body["plan"]), str(line.body["step"])): line for line in lines if line.kind == Kind.OUTCOME}
    rows: list[Row] = []
    for line in kept:
        plan = Plan.model_validate(line.body["plan"])
        # Known by the digest that the line says, as the outcomes name it.
        digest = str(line.body["digest"])
        for step in plan.steps:
            mark = (digest, step.id)
            if newest[str(line.body.get("name", ""))] == line.position or mark in begun or mark in ended:
                rows.append(_step_row(plan, step, _stands(ended.get(mark), mark in begun)))
    return _at_most(sorted(rows, key=lambda row: _ORDER.get(row["stands"], 0)))


_ORDER = {"being done": 1, "not begun": 2, **dict.fromkeys(GOOD, 3)}


def _stands(outcome: Line | None, begun: bool) -> str:
    if outcome is None:
        return "being done" if begun else "not begun"
    result, detail = str(outcome.body["result"]), str(outcome.body.get("detail", ""))
    return result if result in GOOD or not detail else f"{result}: {detail}"


def _step_row(plan: Plan, step: Step, stands: str) -> Row:
    look = f" (look {plan.look})" if plan.look > 1 else ""
    cells = {
        "step": step.title,
        "stands": stands,
        "where": f"{step.account} {step.region}",
        "plan": f"{plan.title}{look}",
        "calls": ", ".join(call.operation for call in step.calls),
        "taken back by": ", ".join(call.operation for call in step.undo) or step.irreversible or "nothing",
        "digest": plan.short_digest,
    }
    return {name: plain(cell, _CELL) for name, cell in cells.items()}


def region_rows(written: Report) -> list[Row]:
    """A row for every region, what is not known first."""
    rows = sorted(written.regions, key=lambda row: (row["status"] in KNOWN, row["status"] == "not enabled"))
    return _at_most([{name: plain(row[name], _CELL) for name in ("account", "region", "status", "why")} for row in rows])


def per_cent_read(written: Report) -> float:
    """How much of what is enabled was read: 100 when of no region anything is unknown."""
    enabled = [row for row in written.regions if row["status"] != "not enabled"]
    read = sum(row["status"] in KNOWN for row in enabled)
    # Never 100 by rounding, for that says that nothing is unknown.
    return 100.0 if read == len(enabled) else min(99.9, round(100 * read / len(enabled), 1))


def timeline_rows(written: Report) -> list[Row]:
    """A row for each of the actor's calls and for each thing of ours; of too many the newest."""
    rows = [(moment.at, {"who": "response", "what": moment.what, "from": f"line {moment.line}"}) for moment in written.timeline]
    for call in written.when.calls:
        often = f" ({call.count} alike)" if call.count > 1 else ""
        refused = ", refused" if call.refused else ""
        what = f"{call.event}{often} in {call.account} {call.region} from {call.address}{refused}"
        rows.append((call.at, {"who": "actor", "what": what, "from": f"record {call.record}"}))
    rows.sort(key=lambda one: one[0])
    told = [{"at": f"{at:%Y-%m-%d %H:%M:%S}", **{name: plain(cell, _CELL) for name, cell in row.items()}} for at, row in rows]
    return _at_most(list(reversed(told)))


def _at_most(rows: list[Row]) -> list[Row]:
    if len(rows) <= MOST_ROWS:
        return rows
    # The UI takes its columns from the first row, so the last one has the same.
    rest = dict.fromkeys(rows[0], "") | {list(rows[0])[1]: f"… and {counted(len(rows) - MOST_ROWS, 'more row')}, in the report"}
    return [*rows[:MOST_ROWS], rest]


# ---- the links -------------------------------------------------------------------------------------------------------


def links(lines: Sequence[Line], now: Status, places: Places) -> str:
    """Where to read on, as Markdown."""
    incident = now.incident
    found = ["# Where to read on"]
    if any(line.kind == Kind.REPORT for line in lines):
        found.append(f"- [The report]({_address(places.gateway)}/incidents/{incident}/report)")
    else:
        found.append("- The report is not written yet")
    if thread := thread_address(lines, places):
        found.append(f"- [The thread in Slack]({thread})")
    if now.run:
        found.append(f"- [The run in Prefect]({_address(places.prefect)}/v2/runs/flow-run/{now.run})")
    found += [
        f"- The ledger: `countermand ledger verify {incident}` checks every line",
        f"- Everything in short: `countermand show {incident}`",
    ]
    return "\n".join(found)


def thread_address(lines: Sequence[Line], places: Places) -> str:
    """Where the incident's thread opens in Slack in a browser; empty while it has none, or Slack's team is not told."""
    root = outbox(lines).root
    channel = (root.channel or places.channel) if root is not None else ""
    if root is None or not (channel and places.team):
        return ""
    return f"https://app.slack.com/client/{places.team}/{channel}/thread/{channel}-{root.ts}"


def _address(url: str) -> str:
    return url.rstrip("/").replace("(", "%28").replace(")", "%29").replace(" ", "%20")
