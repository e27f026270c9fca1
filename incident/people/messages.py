"""What people read while an incident runs: Slack messages and the approval form.

Everything that AWS lets an attacker name is escaped here, in one place for each surface.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from incident.approvals import Asked
from incident.made import summed_up
from incident.plan import TO_CHOOSE, MadeState, Plan, Step, Unplanned
from incident.words import counted

_SECTION_LIMIT = 2900
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~&])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_SHOWN_STEPS = 25

Blocks = list[dict[str, Any]]


def plain(text: object, limit: int = 300) -> str:
    """One line without control or direction characters."""
    line = _CONTROL.sub(" ", str(text))
    return line if len(line) <= limit else line[: limit - 1] + "…"


def slack(text: object, limit: int = 300) -> str:
    """Text for mrkdwn: links, mentions and formatting are inert. Escaped first, cut after."""
    line = plain(text, 10_000)
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(sign, entity)
    line = line.replace("*", "∗").replace("_", "_\u2060").replace("~", "∼").replace("`", "ˋ").replace("@", "@\u2060")
    return _cut_between_entities(line, limit)


def markdown(text: object, limit: int = 300) -> str:
    """Text for Markdown that also allows HTML: nothing in it is a tag, a link or formatting."""
    return _MARKDOWN.sub(lambda sign: f"&#{ord(sign.group(1))};", plain(text, limit))


def _cut_between_entities(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    start = cut.rfind("&")
    return (cut[:start] if start > cut.rfind(";") else cut) + "…"


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION_LIMIT]}}


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": plain(text, 148)}}


def context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:_SECTION_LIMIT]}]}


def opened(incident: str, type_: str, title: str, severity: str, account: str, region: str) -> tuple[str, Blocks]:
    """The first message of an incident's thread: its text for notifications, and its blocks."""
    text = f"Incident {incident}: {slack(type_)} ({slack(severity)}) in account {slack(account)}, {slack(region)}"
    where = f"*Account* {slack(account)}  *Region* {slack(region)}  *Severity* {slack(severity)}"
    return text, [header(f"{incident} · {type_}"), section(slack(title, 500)), section(where)]


def progress(text: str) -> tuple[str, Blocks]:
    """A message in the thread, line by line. Its text is mrkdwn too: it is what is shown where blocks are not."""
    lines = [slack(line, 600) for line in text.splitlines()]
    return slack(text, 500), [section("\n".join(lines)[:_SECTION_LIMIT])]


def joined(type_: str, severity: str, names: Iterable[str], last: bool) -> tuple[str, Blocks]:
    """A finding that names something new joined an incident: what no plan so far covers, and what comes of it.

    Args:
        last: whether further ones are not told.
    """
    told = [plain(name, 200) for name in names]
    what = f"Another finding joined ({plain(severity)}): {plain(type_)}. New in it: {', '.join(told[:5])}"
    then = "No plan so far covers that. A question about containment still counts; then the records are looked at again."
    more = " Further findings are kept in the ledger and not told one by one." if last else ""
    return progress(f"{what}\n{then}{more}")


def evidence_waits(count: int, why: str) -> tuple[str, Blocks]:
    """The evidence store takes nothing: what that holds up, what it does not, and what to do."""
    what = f"{counted(count, 'item')} of evidence cannot be stored: {why}"
    then = (
        "Containment goes on. Nothing that rests on this evidence is deleted. Mend the store; what waits is stored before the next "
        "phase, and what was not deleted comes into the next plan (`countermand amend`)."
    )
    return plain(f"{what}. {then}", 500), [section(f":warning: *{slack(what, 600)}*\n{then}")]


def summary_of(plan: Plan) -> str:
    """Numbers first: what the plan would do."""
    counts = plan.counts()
    words = [f"{count} to {verb}" for verb, count in counts.items() if count]
    final = sum(1 for step in plan.steps if step.irreversible)
    closing = sum(1 for step in plan.steps if step.closes_exposure)
    parts = [f"{counted(len(plan.steps), 'step')} ({', '.join(words) or 'nothing to do'})"]
    if closing:
        parts.append(f"{closing} close a way in or out")
    if final:
        parts.append(f"{final} cannot be taken back")
    if plan.unplanned:
        parts.append(f"{len(plan.unplanned)} left to people")
    return ", ".join(parts)


def question(plan: Plan, asked: Asked, ui_url: str) -> tuple[str, Blocks]:
    """The message that asks for a decision, with the two buttons."""
    text = (
        f"{plan.incident}: {slack(plan.title)} needs a decision: {slack(summary_of(plan))}. "
        f"Answer here, with `/incident approve {plan.incident}`, or in Prefect: {ui_url}"
    )
    value = f'{{"approval":"{plan.incident}:{asked.id}","digest":"{plan.digest}"}}'
    lines = [f"• {slack(step.title)}{' *(cannot be taken back)*' if step.irreversible else ''}" for step in plan.steps[:12]]
    if len(plan.steps) > 12:
        lines.append(f"… and {len(plan.steps) - 12} more in the whole plan")
    blocks: Blocks = [
        header(f"Decision needed · {plan.title}"),
        section(f"{slack(plan.because, 800)}\n*{slack(summary_of(plan))}*"),
        section("\n".join(lines)[:_SECTION_LIMIT] or "No step: approve to leave it so, or amend the case."),
    ]
    if asked.begun:
        blocks.append(section(f"*Begun already, as the policy allows:* {counted(len(asked.begun), 'step')} of containment"))
    if plan.cut_off:
        others = [f"• {slack(line)}" for line in plan.cut_off[:8]] + [f"… {len(plan.cut_off) - 8} more"][: len(plan.cut_off) > 8]
        blocks.append(section(("*Who else is cut off*\n" + "\n".join(others))[:_SECTION_LIMIT]))
    if plan.unplanned:
        left = [f"• `{item.id}` {slack(item.what)}: {slack(item.why)}" for item in plan.unplanned[:6]]
        blocks.append(section(("*Not known, or left to people*\n" + "\n".join(left))[:_SECTION_LIMIT]))
    if plan.made:
        told = [f"*Made by the actor:* {slack(summed_up(plan.made))}", *(f"• {slack(line)}" for line in _not_to_go(plan, 6))]
        blocks.append(section("\n".join(told)[:_SECTION_LIMIT]))
    if plan.doubts:
        doubts = [f"• {slack(doubt)}" for doubt in plan.doubts[:6]] + [f"… {len(plan.doubts) - 6} more"][: len(plan.doubts) > 6]
        blocks.append(section(("*Owner's or actor's?*\n" + "\n".join(doubts))[:_SECTION_LIMIT]))
    blocks.append(
        context(
            f"Plan `{plan.short_digest}` · answer by {asked.expires_at:%Y-%m-%d %H:%M} UTC · {asked.people} of the responders · "
            f"<{ui_url}|the whole plan and the same form in Prefect> (⋮ menu, Resume)"
        )
    )
    blocks.append({"type": "actions", "elements": [_button("approve", "primary", value), _button("reject", "danger", value)]})
    return text, blocks


def _button(answer: str, style: str, value: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": answer.capitalize()}
    return {"type": "button", "action_id": f"countermand_{answer}", "text": label, "style": style, "value": value}


def approval_form(plan: Plan, asked: Asked, problem: str = "", whole_plan: str = "") -> str:
    """The description above the form in the Prefect UI, in Markdown; `whole_plan` is the address of the plan with all its calls."""
    parts: list[str] = []
    if problem:
        parts.append(f"**Your last answer did not count:** {markdown(problem)}")
    parts.append(f"### {markdown(plan.incident)}: {markdown(plan.title)}")
    if plan.because:
        parts.append(f"**What happened:** {markdown(plan.because, 800)}")
    parts.append(f"**What will be done:** {markdown(summary_of(plan))}.")
    link = f" [The whole plan, call by call]({whole_plan})" if whole_plan else ""
    people = f"{counted(asked.people, 'responder')} must agree"
    parts.append(f"Plan `{plan.short_digest}`, answer by {asked.expires_at:%Y-%m-%d %H:%M} UTC; {people}.{link}")
    if asked.begun:
        begun = " ".join(f"`{step}`" for step in asked.begun[:_SHOWN_STEPS])
        parts.append(f"**Begun already, as the policy allows before anybody is asked:** {begun}")
    parts.append(_steps_table(plan.steps))
    final = [step for step in plan.steps if step.irreversible]
    if final:
        parts.append(
            "**Cannot be taken back**\n\n" + _bullets(f"{step.title}: {step.irreversible}" for step in final[:_SHOWN_STEPS])
        )
    if plan.cut_off:
        parts.append("**Who else is cut off**\n\n" + _bullets(plan.cut_off[:_SHOWN_STEPS]))
    if plan.unplanned:
        parts.append("**Not known, or left to people**\n\n" + "\n".join(_left(item) for item in plan.unplanned[:_SHOWN_STEPS]))
    if plan.made:
        parts.append(f"**Made by the actor:** {markdown(summed_up(plan.made))}\n\n{_bullets(_not_to_go(plan, _SHOWN_STEPS))}")
    if plan.doubts:
        parts.append(
            "**Owner's or actor's?** Amend with `strike RECORD` or `window TIME`\n\n" + _bullets(plan.doubts[:_SHOWN_STEPS])
        )
    if plan.chosen:
        parts.append("**What responders chose**\n\n" + _bullets(plan.chosen[:_SHOWN_STEPS]))
    if plan.kept:
        parts.append("**Other people's work that stays**\n\n" + _bullets(plan.kept[:_SHOWN_STEPS]))
    return "\n\n".join(parts)


def _not_to_go(plan: Plan, most: int) -> list[str]:
    """What the actor made and no step deletes, as it is gone, others rely on it or it could not be read."""
    told = [one.in_words for one in plan.made if one.state is not MadeState.EXISTS]
    return told[:most] + [f"and {len(told) - most} more in the report"][: len(told) > most]


def _left(item: Unplanned) -> str:
    """One item with the id by which an amendment names it, and with the values to choose from."""
    line = f"- `{item.id}` {markdown(f'{item.what}: {item.why}. {item.advice}', 600)}"
    if item.status not in TO_CHOOSE:
        return line
    now = "absent" if item.found is None else json.dumps(item.found)
    return f"{line}<br>now: {markdown(now, 400)}"


def _steps_table(steps: Iterable[Step]) -> str:
    listed = list(steps)
    rows = [f"| `{step.id}` | {markdown(step.title)} | {markdown(step.source)} |" for step in listed[:_SHOWN_STEPS]]
    more = len(listed) - _SHOWN_STEPS
    if more > 0:
        rows.append(f"| | and {more} more in the plan's artifact | |")
    return "\n".join(["| step | what it does | why so |", "| --- | --- | --- |", *rows])


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {markdown(line, 500)}" for line in lines)


def note(incident: str, words: str, offers: Iterable[Iterable[str]]) -> tuple[str, Blocks]:
    """A note that opened an incident, and what in it a responder may name; nothing of it is acted on by itself."""
    lines = [f"*The note says:* {slack(words, 1500)}"]
    named = " ".join(f"`{option} {slack(value, 200)}`" for option, value in list(offers)[:_SHOWN_STEPS])
    lines.append(f"*It names, unchecked:* {named}" if named else "It names nothing that could be looked for.")
    lines.append(f"Nothing is done until a responder says what is the actor's: `countermand open --joins {incident} …`")
    return f"A note opened {incident}", [section("\n".join(lines))]
