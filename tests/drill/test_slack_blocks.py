"""Block Kit's limits: each kept at its edge, each refused one past it, with the place in the answer."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drill.slack.blocks import LARGEST_MESSAGE, check_message, check_view
from drill.slack.errors import SlackError
from tests.drill.slack_desk import actions, button, modal, mrkdwn, plain, section, text_input


def header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": plain(text)}


def context(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "context", "elements": list(elements)}


def fields(*texts: str) -> dict[str, Any]:
    return {"type": "section", "fields": [mrkdwn(text) for text in texts]}


def x(count: int) -> str:
    return "x" * count


EDGES = {
    "blocks": ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
    "a section's text": ([section(x(3000))], [section(x(3001))]),
    "a field": ([fields(x(2000))], [fields(x(2001))]),
    "fields": ([fields(*["x"] * 10)], [fields(*["x"] * 11)]),
    "a header": ([header(x(150))], [header(x(151))]),
    "a button's value": ([actions(button(value=x(2000)))], [actions(button(value=x(2001)))]),
    "a button's text": ([actions(button(text=plain(x(75))))], [actions(button(text=plain(x(76))))]),
    "a button's address": ([actions(button(url=f"https://{x(2992)}"))], [actions(button(url=f"https://{x(2993)}"))]),
    "elements of actions": (
        [actions(*(button(f"a{number}") for number in range(25)))],
        [actions(*(button(f"a{number}") for number in range(26)))],
    ),
    "elements of a context": ([context(*[mrkdwn("x")] * 10)], [context(*[mrkdwn("x")] * 11)]),
    "a block id": ([section(block_id=x(255))], [section(block_id=x(256))]),
    "an action id": ([actions(button(x(255)))], [actions(button(x(256)))]),
}


@pytest.mark.parametrize("limit", EDGES)
def test_each_limit_holds_at_its_edge_and_not_past_it(limit: str) -> None:
    kept, broken = EDGES[limit]
    assert len(check_message(kept)) == len(kept)
    with pytest.raises(SlackError) as refused:
        check_message(broken)
    assert refused.value.code == "invalid_blocks"
    assert "json-pointer:/blocks" in refused.value.messages[0]


WRONG: dict[str, tuple[list[Any], str]] = {
    "a type that is not known": ([{"type": "blink"}], "unsupported block type"),
    "no type": ([{"text": plain("x")}], "unsupported block type"),
    "no object": (["words"], "must be an object"),
    "the same block id twice": ([section(block_id="b"), section(block_id="b")], "already exists"),
    "the same action id twice": ([actions(button("a"), button("a"))], "already exists"),
    "a property that is not known": ([section(colour="red")], "invalid additional property: colour"),
    "an empty text": ([section("")], "more than 0 characters"),
    "mrkdwn in a header": ([{"type": "header", "text": mrkdwn("x")}], "must be plain_text"),
    "an input inside actions": ([actions({"type": "plain_text_input", "action_id": "a"})], "unsupported type"),
    "a style that is not known": ([actions(button(style="loud"))], "style"),
    "no elements": ([{"type": "actions", "elements": []}], "elements"),
    "a type that is a list": ([{"type": "actions", "elements": [{"type": []}]}], "unsupported type"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_slack_refuses_is_refused_with_the_reason(wrong: str) -> None:
    blocks, reason = WRONG[wrong]
    with pytest.raises(SlackError) as refused:
        check_message(blocks)
    assert reason in " ".join(refused.value.messages)


def test_the_same_action_id_may_stand_in_two_blocks() -> None:
    assert len(check_message([actions(button("a")), actions(button("a"))])) == 2


def test_a_message_that_is_too_large_as_a_whole_is_refused() -> None:
    few = [section(x(2900)) for _ in range(LARGEST_MESSAGE // 2970)]
    assert check_message(few)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message([*few, section(x(2900))])


def test_ids_that_the_app_left_out_are_added() -> None:
    block, other = check_message([actions({"type": "button", "text": plain("Go")}), section()])
    assert block["block_id"]
    assert block["elements"][0]["action_id"]
    assert block["block_id"] != other["block_id"]


MODALS: dict[str, tuple[Any, str]] = {
    "no object": ("modal", "must provide an object"),
    "a home tab": (modal() | {"type": "home"}, "must be modal"),
    "a long title": (modal(title=plain(x(25))), "less than 25"),
    "a title in mrkdwn": (modal(title=mrkdwn("x")), "must be plain_text"),
    "a title of no type": (modal(title={"type": []}), "must be plain_text"),
    "inputs without a submit button": (modal(submit=None), "is required"),
    "no blocks": (modal() | {"blocks": []}, "at least one block"),
    "too many blocks": (modal(*[{"type": "divider"}] * 101), "no more than 100"),
    "large private metadata": (modal(private_metadata=x(3001)), "less than 3001"),
    "two inputs of one id": (modal(text_input("code"), text_input("code")), "already exists"),
    "a property that is not known": (modal(width=3), "invalid additional property: width"),
}


@pytest.mark.parametrize("wrong", MODALS)
def test_what_slack_refuses_of_a_modal_is_refused_with_the_reason(wrong: str) -> None:
    view, reason = MODALS[wrong]
    with pytest.raises(SlackError) as refused:
        check_view(view)
    assert reason in " ".join(refused.value.messages)


_PARTS = (
    "text",
    "fields",
    "accessory",
    "elements",
    "element",
    "options",
    "option_groups",
    "blocks",
    "label",
    "hint",
    "placeholder",
)
_SETTINGS = ("type", "block_id", "action_id", "value", "style", "initial_option", "initial_options", "title", "submit", "close")
_KEYS = st.sampled_from((*_PARTS, *_SETTINGS))
_BLOCKS = ("section", "header", "actions", "context", "input", "divider", "image", "rich_text", "video", "markdown", "modal")
_ELEMENTS = ("button", "static_select", "checkboxes", "overflow", "radio_buttons", "plain_text_input", "plain_text", "mrkdwn")
_KINDS = st.sampled_from((*_BLOCKS, *_ELEMENTS))
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | _KINDS


def _typed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.dictionaries(_KEYS, inner, max_size=4)
    return st.lists(inner, max_size=3) | objects | st.builds(lambda one, kind: {**one, "type": kind}, objects, _KINDS)


_ANYTHING = st.recursive(_LEAVES, _typed, max_leaves=15)


@settings(max_examples=300)
@given(_ANYTHING)
def test_anything_at_all_is_taken_or_refused(anything: Any) -> None:
    for check in (check_message, check_view):
        with suppress(SlackError):
            check(anything)
