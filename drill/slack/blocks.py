"""Block Kit's limits: those that slack_sdk's models check, and those that they leave to the server.

https://docs.slack.dev/reference/block-kit
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, BlockElement

from drill.slack.errors import SlackError

MOST_BLOCKS_IN_MESSAGE = 50
MOST_BLOCKS_IN_VIEW = 100
LARGEST_MESSAGE = 13_200
"""Characters of all blocks as JSON; not documented, but where Slack was seen to answer `msg_blocks_too_long`."""
LARGEST_VIEW = 250_000

_LONGEST_TEXT = 3000
_LONGEST_FIELD = 2000
_LONGEST_ID = 255
_MODEL_REFUSALS = (SlackObjectFormationError, TypeError, ValueError, KeyError, AttributeError)
_TEXT_PROPERTIES = {"plain_text": {"type", "text", "emoji"}, "mrkdwn": {"type", "text", "verbatim"}}
_OPTION_PROPERTIES = {"text", "value", "description", "url"}
_SELECTS = {
    f"{many}{kind}_select" for many in ("", "multi_") for kind in ("static", "external", "users", "conversations", "channels")
}
_PICKERS = {"datepicker", "timepicker", "datetimepicker"}
_CHOICES = {"checkboxes", "radio_buttons"}
_ELEMENTS_OF = {
    "section": _SELECTS | _PICKERS | _CHOICES | {"button", "image", "overflow", "workflow_button"},
    "actions": _SELECTS | _PICKERS | _CHOICES | {"button", "overflow", "workflow_button"},
    "input": _SELECTS
    | _PICKERS
    | _CHOICES
    | {"plain_text_input", "number_input", "email_text_input", "url_text_input", "file_input", "rich_text_input"},
    "context": {"image"},
}
_VIEW_PROPERTIES = {
    "type",
    "title",
    "submit",
    "close",
    "blocks",
    "private_metadata",
    "callback_id",
    "external_id",
    "clear_on_close",
    "notify_on_close",
    "submit_disabled",
}


def check_message(blocks: Any) -> list[dict[str, Any]]:
    """The blocks of a message, with the ids that Slack adds.

    Raises:
        SlackError: with Slack's code and a line for each problem.
    """
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if len(json.dumps(blocks, ensure_ascii=False)) > LARGEST_MESSAGE:
        raise SlackError("msg_blocks_too_long")
    check = _Check()
    check.blocks(blocks, "/blocks", MOST_BLOCKS_IN_MESSAGE)
    check.finish("invalid_blocks")
    return [_with_ids(block) for block in blocks]


def check_view(view: Any) -> dict[str, Any]:
    """A modal, with the ids that Slack adds.

    Raises:
        SlackError: with Slack's code and a line for each problem.
    """
    if not isinstance(view, dict):
        raise SlackError("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    if len(json.dumps(view, ensure_ascii=False)) > LARGEST_VIEW:
        raise SlackError("view_too_large")
    check = _Check()
    check.view(view)
    check.finish("invalid_arguments")
    return {**view, "blocks": [_with_ids(block) for block in view["blocks"]]}


class _Check:
    """Collects every problem of one message or view, each with where it is."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._block_ids: set[str] = set()

    def finish(self, code: str) -> None:
        if self.problems:
            raise SlackError(code, self.problems)

    def must(self, holds: object, at: str, rule: str) -> bool:
        if not holds:
            self.problems.append(f"{rule} [json-pointer:{at}]")
        return bool(holds)

    def view(self, view: Mapping[str, Any]) -> None:
        self.known(view, _VIEW_PROPERTIES, "/view")
        self.must(view.get("type") == "modal", "/view/type", "must be modal")
        self.text(view.get("title"), "/view/title", most=24, plain=True)
        for label in ("submit", "close"):
            if view.get(label) is not None:
                self.text(view[label], f"/view/{label}", most=24, plain=True)
        for name, most in (("private_metadata", 3000), ("callback_id", _LONGEST_ID), ("external_id", _LONGEST_ID)):
            self.length(view.get(name, ""), f"/view/{name}", most)
        blocks = view.get("blocks")
        if not self.must(isinstance(blocks, list) and blocks, "/view/blocks", "must be a list with at least one block"):
            return
        self.blocks(blocks, "/view/blocks", MOST_BLOCKS_IN_VIEW)
        has_input = any(isinstance(block, dict) and block.get("type") == "input" for block in blocks)
        self.must(not has_input or view.get("submit"), "/view/submit", "is required when there are input blocks")

    def blocks(self, blocks: list[Any], at: str, most: int) -> None:
        self.must(len(blocks) <= most, at, f"no more than {most} items allowed")
        for number, block in enumerate(blocks):
            self.block(block, f"{at}/{number}")

    def block(self, block: Any, at: str) -> None:
        if not self.must(isinstance(block, dict), at, "must be an object"):
            return
        model = self.modelled(Block, block, at, "unsupported block type")
        if model is None:
            return
        self.known(block, model.attributes, at)
        self.own_id(block.get("block_id"), self._block_ids, f"{at}/block_id")
        kind = str(block["type"])
        if kind == "section":
            self.section(block, at)
        elif kind == "header":
            self.text(block.get("text"), f"{at}/text", most=150, plain=True)
        elif kind in ("actions", "context"):
            self.elements(block, kind, at)
        elif kind == "input":
            self.input(block, at)

    def section(self, block: Mapping[str, Any], at: str) -> None:
        if block.get("text") is not None:
            self.text(block["text"], f"{at}/text")
        for number, field in enumerate(block.get("fields") or []):
            self.text(field, f"{at}/fields/{number}", most=_LONGEST_FIELD)
        if block.get("accessory") is not None:
            self.element(block["accessory"], "section", set(), f"{at}/accessory")

    def elements(self, block: Mapping[str, Any], kind: str, at: str) -> None:
        elements = block.get("elements")
        if not self.must(isinstance(elements, list) and elements, f"{at}/elements", "must have at least one item"):
            return
        action_ids: set[str] = set()
        for number, element in enumerate(elements):
            where = f"{at}/elements/{number}"
            if kind == "context" and isinstance(element, dict) and _one_of(element.get("type"), _TEXT_PROPERTIES):
                self.text(element, where)
            else:
                self.element(element, kind, action_ids, where)

    def input(self, block: Mapping[str, Any], at: str) -> None:
        self.text(block.get("label"), f"{at}/label", most=2000, plain=True)
        if block.get("hint") is not None:
            self.text(block["hint"], f"{at}/hint", most=2000, plain=True)
        self.element(block.get("element"), "input", set(), f"{at}/element")

    def element(self, element: Any, inside: str, action_ids: set[str], at: str) -> None:
        if not self.must(isinstance(element, dict), at, "must be an object"):
            return
        kind = element.get("type")
        if not self.must(_one_of(kind, _ELEMENTS_OF[inside]), at, f"unsupported type {kind!r} in {inside}"):
            return
        model = self.modelled(BlockElement, element, at, "unsupported element type")
        if model is None:
            return
        self.known(element, model.attributes, at)
        self.own_id(element.get("action_id"), action_ids, f"{at}/action_id")
        if kind == "button":
            self.button(element, at)
        if element.get("placeholder") is not None:
            self.text(element["placeholder"], f"{at}/placeholder", most=150, plain=True)
        if kind in _CHOICES | {"static_select", "multi_static_select", "overflow"} and not element.get("option_groups"):
            self.options(element, at)

    def button(self, button: Mapping[str, Any], at: str) -> None:
        self.text(button.get("text"), f"{at}/text", most=75, plain=True)
        self.length(button.get("value", ""), f"{at}/value", 2000)
        self.must(button.get("style") in (None, "primary", "danger"), f"{at}/style", "must be primary or danger")

    def options(self, element: Mapping[str, Any], at: str) -> None:
        options = element.get("options")
        if not self.must(isinstance(options, list) and options, f"{at}/options", "must have at least one item"):
            return
        for number, option in enumerate(options):
            where = f"{at}/options/{number}"
            if self.must(isinstance(option, dict), where, "must be an object"):
                self.known(option, _OPTION_PROPERTIES, where)
                self.text(option.get("text"), f"{where}/text", most=75)
                self.length(option.get("value"), f"{where}/value", 150)
        chosen = element.get("initial_option")
        self.must(chosen is None or chosen in options, f"{at}/initial_option", "must be one of the options")
        for option in element.get("initial_options") or []:
            self.must(option in options, f"{at}/initial_options", "must be among the options")

    def text(self, value: Any, at: str, *, most: int = _LONGEST_TEXT, plain: bool = False) -> None:
        kinds = {"plain_text"} if plain else set(_TEXT_PROPERTIES)
        rule = f"must be {' or '.join(sorted(kinds))}"
        if not self.must(isinstance(value, dict) and _one_of(value.get("type"), kinds), at, rule):
            return
        self.known(value, _TEXT_PROPERTIES[value["type"]], at)
        words = value.get("text")
        if self.must(isinstance(words, str) and words, f"{at}/text", "must be more than 0 characters"):
            self.length(words, f"{at}/text", most)

    def length(self, value: Any, at: str, most: int) -> None:
        if self.must(isinstance(value, str), at, "must be a string"):
            self.must(len(value) <= most, at, f"must be less than {most + 1} characters")

    def own_id(self, value: Any, taken: set[str], at: str) -> None:
        """An id of at most 255 characters that nothing beside it has."""
        if value is None:
            return
        self.length(value, at, _LONGEST_ID)
        if isinstance(value, str):
            self.must(value not in taken, at, f"`{value[:40]}` already exists")
            taken.add(value)

    def known(self, value: Mapping[str, Any], properties: Iterable[str], at: str) -> None:
        for name in sorted(set(value) - set(properties)):
            self.problems.append(f"invalid additional property: {name} [json-pointer:{at}]")

    def modelled(self, family: type[Any], value: Mapping[str, Any], at: str, unknown: str) -> Any:
        """slack_sdk's model of it, which has checked what it can; nothing when that refused."""
        try:
            model = family.parse(dict(value))
            if model is None:
                self.problems.append(f"{unknown} [json-pointer:{at}]")
                return None
            model.validate_json()
        except _MODEL_REFUSALS as refusal:
            self.problems.append(f"{str(refusal).splitlines()[0]} [json-pointer:{at}]")
            return None
        return model


def _one_of(value: Any, words: Iterable[str]) -> bool:
    """Whether a value that came from outside, of whatever type, is one of these words."""
    return isinstance(value, str) and value in words


def _with_ids(block: Mapping[str, Any]) -> dict[str, Any]:
    """The block with a block id, and its interactive elements with action ids, where the app gave none."""
    done = {**block, "block_id": block.get("block_id") or _new_id()}
    for place in ("accessory", "element"):
        if isinstance(done.get(place), dict):
            done[place] = _with_action_id(done[place])
    if done["type"] == "actions":
        done["elements"] = [_with_action_id(element) for element in done["elements"]]
    return done


def _with_action_id(element: Mapping[str, Any]) -> dict[str, Any]:
    return {**element} if element["type"] == "image" else {**element, "action_id": element.get("action_id") or _new_id()}


def _new_id() -> str:
    return secrets.token_urlsafe(4)
