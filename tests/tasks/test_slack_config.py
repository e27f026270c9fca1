"""The Slack settings that cannot work are refused with what to do about it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.config import SlackConfig

TOKENS = {"bot_token": "xoxb-1", "channel": "C1"}


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        ({"mode": "http"}, "mode http needs signing_secret"),
        ({"signing_secret": "s"}, "set mode to http"),
        ({"bot_token": "xoxb-1"}, "place thread needs channel"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(told, remedy):
    with pytest.raises(ValidationError, match=remedy):
        SlackConfig.model_validate(told)


@pytest.mark.parametrize(
    "told",
    [
        {},
        TOKENS | {"app_token": "xapp-1"},
        TOKENS | {"app_token": "xapp-1", "signing_secret": "s"},
        TOKENS | {"mode": "http", "signing_secret": "s"},
        {"bot_token": "xoxb-1", "app_token": "xapp-1", "place": "channel"},
    ],
)
def test_what_can_work_is_taken(told):
    assert SlackConfig.model_validate(told).posts == ("bot_token" in told)
