"""A message that passed `fitted` is one that the practice Slack, which is as strict as the real one, takes."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from drill.slack.blocks import check_message
from incident.people.blocks import LONGEST_TEXT, channel_name, cut, fitted
from incident.people.messages import context, header, section, slack

_WORDS = st.text(max_size=60)
_LONG = st.builds(lambda words, times: slack(words * times, 10_000), _WORDS, st.integers(1, 120))
_BUTTON = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "1"}


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


_BLOCK = st.one_of(
    st.builds(lambda text: {"type": "section", "text": {"type": "mrkdwn", "text": text}}, _LONG),
    st.builds(
        lambda texts: {"type": "section", "fields": [{"type": "mrkdwn", "text": t} for t in texts]}, st.lists(_LONG, max_size=12)
    ),
    st.builds(lambda text: header(text or "-"), _LONG),
    st.builds(lambda text: context(text or "-"), _LONG),
)


@settings(max_examples=60, deadline=None)
@given(_LONG, st.lists(_BLOCK, max_size=70), st.booleans())
def test_whatever_is_written_slack_takes_it_and_buttons_stay(text, blocks, asks):
    actions = [{"type": "actions", "elements": [_BUTTON]}] if asks else []
    words, kept = fitted(text, [*blocks, *actions])
    check_message(kept)
    assert 0 < len(words) <= LONGEST_TEXT
    if asks:
        assert kept[-1]["type"] == "actions"


@given(st.text(alphabet="ab&<>", max_size=80), st.integers(5, 80))
def test_text_is_never_cut_within_an_entity(text, limit):
    shown = cut(slack(text, 10_000), limit)
    assert len(shown) <= limit
    assert re.sub(r"&(amp|lt|gt);", "", shown).count("&") == 0


@given(st.text(max_size=200))
def test_a_channels_name_is_one_that_slack_takes(about):
    name = channel_name("inc-0123456789ab", about)
    assert re.fullmatch(r"[a-z0-9-]{1,80}", name)
    assert name.startswith("inc-0123456789ab")


def test_what_is_left_out_is_told():
    _, kept = fitted("text", [section("x" * 2900) for _ in range(10)])
    assert "more in the report" in str(kept[-1])
