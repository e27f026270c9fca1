"""What people do: click, fill in a modal, type a command; and what Slack then does with the app's answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drill.slack import payloads
from drill.slack.blocks import check_view
from drill.slack.courier import Courier, Receipt
from drill.slack.errors import CannotDo, SlackError
from drill.slack.hooks import Hooks
from drill.slack.views import View, Views
from drill.slack.workspace import Message, Workspace


@dataclass
class Interactions:
    """The hands of everybody in the workspace. `base_url` is where response URLs point; `commands` are those of the app."""

    workspace: Workspace
    views: Views
    hooks: Hooks
    courier: Courier
    base_url: str = ""
    commands: frozenset[str] | None = None

    async def click(self, user: str, channel: str, ts: str, action_id: str, *, value: str = "", block_id: str = "") -> Receipt:
        """Use a button or a menu in a message.

        Raises:
            CannotDo: nobody could: the person, the message or the element is not there.
        """
        return await self.courier.deliver("interactive", self._click(user, channel, ts, action_id, value, block_id))

    async def submit(self, user: str, view_id: str, values: Mapping[str, Any]) -> Receipt:
        """Send a modal off, with values by block id or action id; the app's answer decides what becomes of it.

        Raises:
            CannotDo: it is not open, or Slack's client would not send it so.
        """
        person = self.workspace.person(user)
        view = self.views.of(person.id, view_id)
        receipt = await self.courier.deliver("interactive", self._submission(user, view_id, values))
        if receipt.accepted:
            self._after_submission(person.id, view, receipt.body)
        return receipt

    async def close(self, user: str, view_id: str) -> Receipt | None:
        """Cancel a modal; the app hears of it when it asked to.

        Raises:
            CannotDo: the person has no such modal open.
        """
        person = self.workspace.person(user)
        view = self.views.of(person.id, view_id)
        self.views.close(view_id)
        if not view["notify_on_close"]:
            return None
        return await self.courier.deliver("interactive", payloads.view_closed(person, self.workspace.team, view))

    async def command(self, user: str, channel: str, command: str, text: str) -> Receipt:
        """Type a slash command; what the app answers at once is shown to its user, or to all.

        Raises:
            CannotDo: there is no such person, or it is not a command.
        """
        if not command.startswith("/") or len(command) < 2:
            raise CannotDo("a command begins with a slash")
        if self.commands is not None and command not in self.commands:
            raise CannotDo(f"{command} is not a valid command")
        person, place = self.workspace.person(user), self.workspace.channel(channel)
        payload = payloads.slash_command(
            person,
            self.workspace.team,
            place,
            command,
            text,
            trigger_id=self.views.mint_trigger(person.id),
            response_url=self.hooks.mint(self.base_url, place, person.id, None),
        )
        receipt = await self.courier.deliver("slash_commands", payload)
        if receipt.accepted and receipt.body.strip():
            self.hooks.answer(place, person.id, None, _spoken(receipt.body))
        return receipt

    async def forge(self, how: str, wanted: Mapping[str, Any]) -> Receipt:
        """Send what a click or a submission would be, with something wrong about it; or the last true one again.

        Raises:
            CannotDo: as `click` and `submit`.
            ValueError: there is no such forgery.
        """
        if how == "replay":
            return await self.courier.replay(int(wanted.get("number", -1)))
        if "view_id" in wanted:
            payload = self._submission(str(wanted["user"]), str(wanted["view_id"]), wanted.get("values") or {})
        else:
            places = (str(wanted[name]) for name in ("user", "channel", "ts", "action_id"))
            payload = self._click(*places, value=str(wanted.get("value", "")), block_id="")
        return await self.courier.forge(how, "interactive", payload)

    def _click(self, user: str, channel: str, ts: str, action_id: str, value: str, block_id: str) -> payloads.Payload:
        person, place = self.workspace.person(user), self.workspace.channel(channel)
        message = self._visible(person.id, place.id, ts)
        block, element = payloads.find_element(message, action_id, block_id)
        return payloads.block_actions(
            person,
            self.workspace.team,
            place,
            message,
            payloads.action_of(block, element, value, self.workspace.new_ts()),
            trigger_id=self.views.mint_trigger(person.id),
            response_url=self.hooks.mint(self.base_url, place, person.id, message),
        )

    def _visible(self, user: str, channel: str, ts: str) -> Message:
        for whisper in self.workspace.whispers:
            if (whisper["for"], whisper["channel"], whisper["ts"]) == (user, channel, ts):
                return whisper
        try:
            return self.workspace.message(channel, ts)
        except SlackError:
            raise CannotDo(f"{channel} shows no message {ts}") from None

    def _submission(self, user: str, view_id: str, values: Mapping[str, Any]) -> payloads.Payload:
        person = self.workspace.person(user)
        view = self.views.of(person.id, view_id)
        filled = {**view, "state": {"values": _filled(view, values)}}
        return payloads.view_submission(person, self.workspace.team, filled, self.views.mint_trigger(person.id))

    def _after_submission(self, user: str, view: View, body: str) -> None:
        """Do what the app's answer says: close, clear, show errors, replace, or put another on top.

        Raises:
            SlackError: it names no known action, or a view that Slack refuses.
        """
        if not body.strip():
            self.views.close(view["id"])
            return
        answer = _object(body)
        action = answer.get("response_action")
        if action == "clear":
            self.views.clear(user)
        elif action == "errors":
            self.views.refuse(view["id"], _errors(view, answer.get("errors")))
        elif action == "update":
            self.views.update(check_view(answer.get("view")), view_id=view["id"])
        elif action == "push":
            self.views.stack(user, check_view(answer.get("view")))
        else:
            raise SlackError("invalid_response_action", [f"response_action {action!r} is not known"])


def _filled(view: View, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The state of a modal whose inputs were given these values, checked as Slack's client does.

    Raises:
        CannotDo: a required one is empty, one is too short or too long, or a value belongs to no input.
    """
    inputs = [block for block in view["blocks"] if block["type"] == "input"]
    unknown = set(values) - {name for block in inputs for name in (block["block_id"], block["element"]["action_id"])}
    if unknown:
        raise CannotDo(f"the modal has no input {', '.join(sorted(unknown))}")
    state: dict[str, dict[str, Any]] = {}
    for block in inputs:
        element = block["element"]
        held = payloads.state_of(element, _value_for(block, values))
        _check_held(block, held)
        state[block["block_id"]] = {element["action_id"]: held}
    return state


def _value_for(block: payloads.Payload, values: Mapping[str, Any]) -> Any:
    """The value meant for an input: `{block_id: value}`, `{block_id: {action_id: value}}` or `{action_id: value}`."""
    action_id = block["element"]["action_id"]
    value = values.get(block["block_id"], values.get(action_id))
    if isinstance(value, dict):
        value = value.get(action_id)
    return payloads.initial_state(block["element"]) if value is None else value


def _check_held(block: payloads.Payload, held: Mapping[str, Any]) -> None:
    label, element = block["label"]["text"], block["element"]
    content = held.get("value") or held.get("selected_option") or held.get("selected_options")
    if not content:
        if not block.get("optional"):
            raise CannotDo(f"please complete this required field: {label}")
        return
    if isinstance(content, str):
        least, most = int(element.get("min_length") or 0), int(element.get("max_length") or 3000)
        if not least <= len(content) <= most:
            raise CannotDo(f"{label} takes {least} to {most} characters")


def _errors(view: View, errors: Any) -> dict[str, str]:
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not set(errors) <= inputs:
        raise SlackError("invalid_errors", ["errors must name input blocks of the view"])
    return {str(name): str(text) for name, text in errors.items()}


def _spoken(body: str) -> dict[str, Any]:
    """An immediate answer to a command: JSON, or plain text."""
    try:
        answer = json.loads(body)
    except ValueError:
        return {"text": body}
    return answer if isinstance(answer, dict) else {"text": body}


def _object(body: str) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        raise SlackError("invalid_response", ["the answer is not JSON"]) from None
    if not isinstance(answer, dict):
        raise SlackError("invalid_response", ["the answer is no object"])
    return answer
