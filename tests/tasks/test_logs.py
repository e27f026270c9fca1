"""What is logged: one event is one line, whatever an attacker named, and no secret stands in it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Config
from tasks.logs import STRUCK, JsonFormatter, TextFormatter, prefect_logs, secrets_of

TOKEN = "xoxb-0123456789-secret"
EVIL = 'a\n{"level": "info"}\x1b[2J\u202e\r\x00 inc-0123456789ab'


def record(message: str, *arguments: object, error: bool = False) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError(f"{TOKEN}\nfaked line")
        except ValueError:
            info = sys.exc_info()
    return logging.LogRecord("countermand.gateway", logging.WARNING, __file__, 1, message, arguments, info)


def test_json_is_one_object_a_line_and_keeps_the_message():
    written = JsonFormatter(secrets=()).format(record("a name: %s", EVIL))
    assert written.isascii()
    assert len(written.splitlines()) == 1
    entry = json.loads(written)
    assert entry["message"] == f"a name: {EVIL}"
    assert (entry["level"], entry["logger"], entry["incident"]) == ("warning", "countermand.gateway", "inc-0123456789ab")


@given(st.text(max_size=60))
def test_no_text_breaks_out_of_its_line(name):
    assert len(JsonFormatter(secrets=()).format(record("%s", name)).splitlines()) == 1
    text = TextFormatter(secrets=()).format(record("%s", name))
    assert text.isprintable()
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("formatter", [JsonFormatter, TextFormatter])
def test_no_secret_is_written_not_even_in_a_traceback(formatter):
    config = Config.model_validate(
        {"slack": {"bot_token": TOKEN, "channel": "C1"}, "webhooks": {"p": {"url": "https://x/tok3n-in-url", "key": "k3y-of-it"}}}
    )
    written = formatter(secrets=secrets_of(config)).format(
        record(f"token {TOKEN} and https://x/tok3n-in-url and k3y-of-it", error=True)
    )
    assert "ValueError" in written
    assert STRUCK in written
    assert not any(secret in written for secret in (TOKEN, "tok3n-in-url", "k3y-of-it"))


def test_arguments_that_do_not_fit_are_no_reason_to_say_nothing():
    assert "100% sure %d" in TextFormatter(secrets=()).format(record("100% sure %d", "x"))


def test_every_secret_of_the_configuration_is_known():
    parts = {
        "slack": {"bot_token": "bot-token", "app_token": "app-token", "channel": "C1"},
        "email": {"host": "h", "sender": "a@b", "password": "mail-password"},
        "gateway": {"webhook_keys": ["first-key", "second-key"]},
        "serve": {
            "prefect_password": "prefect-password",
            "prefect_database_url": "postgresql://u:p@h/d",
            "redis_url": "redis://:pw@h",
        },
        "traces": {"headers": {"authorization": "Bearer of-it"}},
    }
    expected = {"bot-token", "app-token", "mail-password", "first-key", "second-key", "prefect-password"}
    expected |= {"postgresql://u:p@h/d", "redis://:pw@h", "Bearer of-it"}
    assert expected <= set(secrets_of(Config.model_validate(parts)))


@pytest.mark.slow
def test_a_flow_of_prefect_writes_the_same_way(tmp_path):
    """Prefect configures logging by itself, from the environment that `serve` gives it."""
    program = (
        "from prefect.logging.configuration import setup_logging; import logging; setup_logging();"
        "logging.getLogger('prefect.flow_runs').warning('said\\n%s', 'xoxb-0123456789-secret')"
    )
    config = Config.model_validate({"home": tmp_path, "log": {"format": "json"}})
    more = {"COUNTERMAND_HOME": str(tmp_path), "COUNTERMAND_SLACK__BOT_TOKEN": TOKEN, "COUNTERMAND_SLACK__CHANNEL": "C1"}
    own = {"PREFECT_HOME": str(tmp_path), "PREFECT_LOGGING_TO_API_ENABLED": "false"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | prefect_logs(config) | more | own,
        capture_output=True,
        text=True,
        check=True,
    )
    said = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [entry["message"] for entry in said if entry["logger"] == "prefect.flow_runs"] == [f"said\n{STRUCK}"]
