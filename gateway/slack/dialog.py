"""The dialog in which a decision is made in Slack: what it shows, and what comes back from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from incident.people.messages import plain

CALLBACK = "countermand_decision"
CODE_BLOCK = "code"
REASON_BLOCK = "reason"
STRIKE_BLOCK = "strike"
_INPUT = "value"
_LONGEST = 400
_LONGEST_ID = 64
_FACTS_LIMIT = 2900
_MOST_OPTIONS = 100
"""See https://docs.slack.dev/reference/block-kit/block-elements/multi-select-menu-element/"""
_OPTION_LIMIT = 75

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskedBy:
    """Which question a button or dialog stands for. All of it comes from outside and is checked against the ledger."""

    approval: str
    digest: str
    decision: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody acted: a channel, the thread in it, and after a command the address at which Slack takes an answer to it."""

    channel: str
    thread: str
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What the person filled in; `struck` are ids of steps that must not run."""

    reason: str
    code: str
    struck: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """What a dialog shows of a question: the facts as mrkdwn, the steps that may be struck by id and title, whether it asks for a
    one-time code.
    """

    facts: str
    steps: tuple[tuple[str, str], ...] = ()
    needs_code: bool = True


def asked_by(body: Payload) -> AskedBy | None:
    """The question that a clicked button stands for; nothing where its value is not ours."""
    actions = body.get("actions") or [{}]
    action = actions[0] if isinstance(actions[0], dict) else {}
    decision = str(action.get("action_id", "")).removeprefix("countermand_")
    return _asked(str(action.get("value", "")), decision)


def place_of(body: Payload) -> Place:
    """Where a button was clicked."""
    threads = ((body.get(name) or {}).get("thread_ts") for name in ("container", "message"))
    return _place((body.get("channel") or {}).get("id"), next(filter(None, threads), ""))


def place_in(view: Payload) -> Place:
    """Where the button was that opened a dialog."""
    told = _told(view.get("private_metadata"))
    # Slack signs what the dialog carries, and it is what we put there.
    return replace(_place(told.get("channel"), told.get("thread")), answer=str(told.get("answer") or "")[:_LONGEST])


def place_of_command(body: Payload) -> Place:
    """Where a command was typed."""
    return replace(_place(body.get("channel_id"), ""), answer=str(body.get("response_url") or "")[:_LONGEST])


def _place(channel: object, thread: object) -> Place:
    return Place(str(channel or "")[:_LONGEST_ID], str(thread or "")[:_LONGEST_ID])


def answers_in(view: Payload) -> tuple[AskedBy, Given]:
    """What a submitted dialog says; empty where it says nothing, which no question answers to."""
    asked = _asked(str(view.get("private_metadata", "")), "") or AskedBy("", "", "")
    values = (view.get("state") or {}).get("values") or {}
    given = Given(_value(values, REASON_BLOCK, 1000), _value(values, CODE_BLOCK, 12), _chosen(values, STRIKE_BLOCK))
    return asked, given


def _told(text: object) -> Payload:
    """The object that a button or a dialog carries; an empty one where it carries none."""
    try:
        told = json.loads(str(text))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _asked(text: str, decision: str) -> AskedBy | None:
    told = _told(text)
    if not told:
        return None
    return AskedBy(
        approval=str(told.get("approval", ""))[:_LONGEST],
        digest=str(told.get("digest", ""))[:64],
        decision=(decision or str(told.get("decision", "")))[:16],
    )


def _value(values: Payload, block: str, limit: int) -> str:
    held = (values.get(block) or {}).get(_INPUT) or {}
    return str(held.get("value") or "")[:limit].strip()


def _chosen(values: Payload, block: str) -> tuple[str, ...]:
    held = (values.get(block) or {}).get(_INPUT) or {}
    chosen = held.get("selected_options") or []
    return tuple(str(one.get("value", ""))[:_LONGEST] for one in chosen if isinstance(one, dict))


def dialog(asked: AskedBy, shown: Described, place: Place) -> Payload:
    """The dialog's view."""
    approving = asked.decision == "approve"
    carried = asdict(asked) | asdict(place)
    inputs = [_strike(shown.steps)] if approving and shown.steps else []
    inputs.append(_input(REASON_BLOCK, "Reason", optional=approving, multiline=True, hint="It stands in the report."))
    if shown.needs_code:
        hint = "Six digits, from your authenticator."
        inputs.append(_input(CODE_BLOCK, "One-time code", optional=False, multiline=False, hint=hint))
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": json.dumps(carried),
        "title": _plain("Approve the plan" if approving else "Reject the plan"),
        "submit": _plain("Approve" if approving else "Reject"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": shown.facts[:_FACTS_LIMIT]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"Plan `{asked.digest[:12]}`"}]},
            *inputs,
        ],
    }


def _strike(steps: tuple[tuple[str, str], ...]) -> Payload:
    """The steps to choose from, by their titles; of a longer plan the rest is struck in Prefect."""
    options = [{"text": _plain(_fitted(title)), "value": step} for step, title in steps[:_MOST_OPTIONS]]
    element = {
        "type": "multi_static_select",
        "action_id": _INPUT,
        "placeholder": _plain("None: all of them run"),
        "options": options,
    }
    hint = "What comes after a struck step does not run either."
    if len(steps) > _MOST_OPTIONS:
        hint += f" The first {_MOST_OPTIONS} steps; strike others in Prefect."
    block = {"type": "input", "block_id": STRIKE_BLOCK, "label": _plain("Steps that must not run"), "element": element}
    return block | {"optional": True, "hint": _plain(hint)}


def _fitted(title: str) -> str:
    shown = plain(title, 500) or "a step"
    return shown if len(shown) <= _OPTION_LIMIT else f"{shown[: _OPTION_LIMIT - 1]}…"


def _input(block: str, label: str, *, optional: bool, multiline: bool, hint: str) -> Payload:
    element = {"type": "plain_text_input", "action_id": _INPUT, "multiline": multiline}
    return {
        "type": "input",
        "block_id": block,
        "label": _plain(label),
        "element": element,
        "optional": optional,
        "hint": _plain(hint),
    }


def _plain(text: str) -> Payload:
    return {"type": "plain_text", "text": text}
