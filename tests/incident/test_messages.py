"""What people read: numbers first, and nothing in it that an attacker named has power."""

from __future__ import annotations

import json

import pytest
from examples import NOON, plan, setting, step
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from incident.approvals import Asked
from incident.people import messages

HOSTILE = "<!channel> *x* _y_ `z` [a](javascript:alert(1)) <img src=x onerror=alert(1)> {{7*7}} | \u202egpj.exe\n# h"
ASKED = Asked(id="q", question="contain", digest="d", asked_at=NOON, expires_at=NOON, people=1)


@given(st.text(max_size=400), st.integers(2, 120))
def test_slack_text_has_no_live_markup_and_keeps_its_limit(text, limit):
    shown = messages.slack(text, limit)
    assert len(shown) <= limit
    assert not set("<>`*~") & set(shown)
    assert all(piece.split(";")[0] in ("amp", "lt", "gt") for piece in shown.split("&")[1:])


@given(st.text(max_size=400))
def test_markdown_text_has_no_tag_no_link_and_no_table_cell(text):
    shown = messages.markdown(text)
    assert not set("<>|`*[]!") & set(shown)
    assert "\n" not in shown


@pytest.mark.parametrize("count", [0, 1, 60, 400])
def test_a_question_keeps_slacks_limits_however_large_the_plan(count):
    steps = [step(setting("volume", f"vol-{n}"), expects={}, title=HOSTILE, irreversible="gone") for n in range(count)]
    text, blocks = messages.question(plan(*steps), ASKED, "http://prefect")
    assert len(blocks) <= 50
    assert len(json.dumps(blocks)) <= 12_000
    for block in blocks:
        Block.parse(block).validate_json()
    assert "<!channel>" not in json.dumps(blocks)
    assert text


def test_the_form_says_what_cannot_be_taken_back_and_what_was_wrong():
    form = messages.approval_form(
        plan(step(setting("volume", "v"), expects={}, irreversible="it is gone", title=HOSTILE)), ASKED, "too old"
    )
    assert "Cannot be taken back" in form
    assert "too old" in form
    assert "<img" not in form
    assert "](javascript" not in form
