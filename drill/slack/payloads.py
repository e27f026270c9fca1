"""What Slack sends an app when somebody does something. https://docs.slack.dev/reference/interaction-payloads"""

from __future__ import annotations

from typing import Any

from drill.slack.errors import CannotDo
from drill.slack.people import Person
from drill.slack.workspace import APP_ID, Channel, Message

Payload = dict[str, Any]

_VERIFICATION_TOKEN = "deprecated"  # noqa: S105  (Slack still sends one; nobody may rely on it)
_NOT_SLACKS = frozenset({"for", "channel", "is_ephemeral"})
_CHOOSES_ONE = ("static_select", "radio_buttons", "overflow")


def block_actions(
    person: Person, team: str, channel: Channel, message: Message, action: Payload, *, trigger_id: str, response_url: str
) -> Payload:
    """A click on something in a message."""
    ephemeral = bool(message.get("is_ephemeral"))
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
        **({"thread_ts": message["thread_ts"]} if "thread_ts" in message else {}),
    }
    payload = {
        "type": "block_actions",
        **_sender(person, team),
        "container": container,
        "trigger_id": trigger_id,
        "channel": {"id": channel.id, "name": channel.name},
        "state": {"values": {}},
        "response_url": response_url,
        "actions": [action],
    }
    return payload if ephemeral else {**payload, "message": {k: v for k, v in message.items() if k not in _NOT_SLACKS}}


def view_submission(person: Person, team: str, view: Payload, trigger_id: str) -> Payload:
    """A modal that was sent off. For somebody of another workspace `team` is theirs, and the view names the app's."""
    return {
        "type": "view_submission",
        **_sender(person, person.team_id if person.is_foreign(team) else team),
        "trigger_id": trigger_id,
        "view": view,
        "response_urls": [],
    }


def view_closed(person: Person, team: str, view: Payload) -> Payload:
    """A modal that was cancelled."""
    return {"type": "view_closed", **_sender(person, team), "view": view, "is_cleared": False}


def slash_command(
    person: Person, team: str, channel: Channel, command: str, text: str, *, trigger_id: str, response_url: str
) -> Payload:
    """A slash command's form fields."""
    return {
        "token": _VERIFICATION_TOKEN,
        "team_id": person.team_id if person.is_foreign(team) else team,
        "team_domain": "practice",
        "channel_id": channel.id,
        "channel_name": channel.name,
        "user_id": person.id,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": trigger_id,
    }


def find_element(message: Message, action_id: str, block_id: str = "") -> tuple[Payload, Payload]:
    """The block and the element that somebody sees under an action id.

    Raises:
        CannotDo: the message shows no such element.
    """
    for block in message.get("blocks", []):
        if block_id and block["block_id"] != block_id:
            continue
        for element in [*block.get("elements", []), *([block["accessory"]] if block.get("accessory") else [])]:
            if element.get("action_id") == action_id:
                return block, element
    raise CannotDo(f"the message shows nothing with action_id {action_id}")


def action_of(block: Payload, element: Payload, value: str, ts: str) -> Payload:
    """The action that using an element makes: a click, or a choice by its option's value.

    Raises:
        CannotDo: the element has no such option, or is of a kind that this client cannot use.
    """
    action = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"], "action_ts": ts}
    if element["type"] == "button":
        return {**action, **{name: element[name] for name in ("text", "value", "style", "url") if name in element}}
    return {**action, **state_of(element, value)}


def state_of(element: Payload, value: Any) -> Payload:
    """What a form element holds once somebody has given it a value.

    Raises:
        CannotDo: the value is none that the element offers.
    """
    kind = element["type"]
    if kind in ("plain_text_input", "email_text_input", "url_text_input", "number_input"):
        return {"type": kind, "value": str(value) if value not in (None, "") else None}
    if kind in _CHOOSES_ONE:
        return {"type": kind, "selected_option": _option(element, value) if value not in (None, "") else None}
    if kind in ("checkboxes", "multi_static_select"):
        chosen = [value] if isinstance(value, str) and value else value or []
        return {"type": kind, "selected_options": [_option(element, one) for one in chosen]}
    raise CannotDo(f"this client cannot use a {kind}")


def initial_state(element: Payload) -> Any:
    """What a form element holds before anybody touches it, in the form that `state_of` takes."""
    if "initial_options" in element:
        return [option["value"] for option in element["initial_options"]]
    if "initial_option" in element:
        return element["initial_option"]["value"]
    return element.get("initial_value")


def _option(element: Payload, value: Any) -> Payload:
    groups = element.get("option_groups") or []
    options = element.get("options") or [option for group in groups for option in group["options"]]
    for option in options:
        if option["value"] == value:
            return option
    raise CannotDo(f"{element['action_id']} offers no option {value!r}")


def _sender(person: Person, team: str) -> Payload:
    return {
        "team": {"id": team, "domain": "practice"},
        "user": {"id": person.id, "username": person.name, "name": person.name, "team_id": person.team_id},
        "api_app_id": APP_ID,
        "token": _VERIFICATION_TOKEN,
        "enterprise": None,
        "is_enterprise_install": False,
    }
