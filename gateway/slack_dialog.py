"""The dialog in which a decision is made in Slack: what it shows, and what comes back from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

CALLBACK = "countermand_decision"
CODE_BLOCK = "code"
REASON_BLOCK = "reason"
_INPUT = "value"
_LONGEST = 400
_LONGEST_ID = 64
_FACTS_LIMIT = 2900

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AskedBy:
    """Which question a button or dialog stands for. All of it comes from outside and is checked against the ledger."""

    approval: str
    digest: str
    decision: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody acted: a channel, and the thread in it."""

    channel: str
    thread: str


@dataclass(frozen=True, slots=True)
class Given:
    """What the person filled in."""

    reason: str
    code: str


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
    return _place(told.get("channel"), told.get("thread"))


def _place(channel: object, thread: object) -> Place:
    return Place(str(channel or "")[:_LONGEST_ID], str(thread or "")[:_LONGEST_ID])


def answers_in(view: Payload) -> tuple[AskedBy, Given]:
    """What a submitted dialog says; empty where it says nothing, which no question answers to."""
    asked = _asked(str(view.get("private_metadata", "")), "") or AskedBy("", "", "")
    values = (view.get("state") or {}).get("values") or {}
    return asked, Given(reason=_value(values, REASON_BLOCK, 1000), code=_value(values, CODE_BLOCK, 12))


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


def dialog(asked: AskedBy, facts: str, place: Place) -> Payload:
    """The dialog's view. `facts` is mrkdwn that was escaped where it was made."""
    approving = asked.decision == "approve"
    carried = asdict(asked) | asdict(place)
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": json.dumps(carried),
        "title": _plain("Approve the plan" if approving else "Reject the plan"),
        "submit": _plain("Approve" if approving else "Reject"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": facts[:_FACTS_LIMIT]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"Plan `{asked.digest[:12]}`"}]},
            _input(REASON_BLOCK, "Reason", optional=approving, multiline=True, hint="It stands in the report."),
            _input(CODE_BLOCK, "One-time code", optional=False, multiline=False, hint="Six digits, from your authenticator."),
        ],
    }


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
