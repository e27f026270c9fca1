"""The manifest asks Slack for exactly what the code uses: no scope too few, none too many."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from slack_sdk import WebClient

from drill.slack.methods import METHODS
from gateway.practice.configuration import SLACK_SCOPES
from gateway.slack.app import COMMAND

ROOT = Path(__file__).parents[2]
MANIFEST = yaml.safe_load((ROOT / "deployments" / "slack-app-manifest.yaml").read_text())
SOURCES = [path for folder in ("gateway", "tasks", "flows") for path in (ROOT / folder).rglob("*.py")]

SCOPES = {
    "apps.connections.open": set(),
    "auth.test": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.create": {"groups:write"},
    "conversations.history": {"channels:history", "groups:history"},
    "conversations.invite": {"groups:write"},
    "conversations.replies": {"channels:history", "groups:history"},
    "conversations.setTopic": {"groups:write"},
    "pins.add": {"pins:write"},
    "users.conversations": {"groups:read"},
    "users.info": {"users:read"},
    "views.open": set(),
}
"""The bot scopes that Slack documents for each method, as https://docs.slack.dev/reference/methods has them: of an incident's
thread in a public or a private channel, and of a private channel of its own.
"""


def calls(source: str) -> Iterator[str]:
    """The Web API's methods that a module calls through slack_sdk's clients, by the names of the client's own methods."""
    known = {name: re.sub(r"_", ".", name, count=1) for name in dir(WebClient) if not name.startswith("_")}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in known:
            reached = ast.unparse(node.func.value)
            if reached.endswith("client"):
                yield known[node.func.attr]


def called() -> set[str]:
    return {method for path in SOURCES for method in calls(path.read_text())}


def test_calls_are_found_by_the_clients_own_names() -> None:
    assert set(calls("self._client.conversations_setTopic(channel=c)\nother.pins_add()")) == {"conversations.setTopic"}


def test_every_method_that_the_code_calls_has_its_scopes_in_the_table_and_its_rules_in_the_practice_slack() -> None:
    # Socket Mode's handler asks for its address itself.
    assert called() | {"apps.connections.open"} == set(SCOPES)
    assert set(SCOPES) <= set(METHODS)


def test_the_manifest_has_exactly_the_scopes_of_those_methods() -> None:
    needed = {scope for method in called() for scope in SCOPES[method]} | {"commands"}
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed == set(SLACK_SCOPES)
    assert "user" not in MANIFEST["oauth_config"]["scopes"]


@pytest.mark.parametrize("method", sorted(SCOPES))
def test_the_practice_slack_demands_the_documented_scopes(method: str) -> None:
    rule = METHODS[method].scope
    filled = {rule.format(kind=kind, new="groups", types="groups") for kind in ("channels", "groups")} if rule else set()
    assert SCOPES[method] <= filled


def test_the_manifest_has_the_commands_and_no_events_for_which_there_is_no_listener() -> None:
    listeners = "".join(path.read_text() for path in SOURCES)
    assert [command["command"] for command in MANIFEST["features"]["slash_commands"]] == [COMMAND]
    assert "event_subscriptions" not in MANIFEST["settings"]
    assert not re.search(r"app\.(event|message|shortcut|options)\(", listeners)


def test_socket_mode_is_the_default_and_clicks_are_let_in() -> None:
    settings = MANIFEST["settings"]
    assert (settings["socket_mode_enabled"], settings["interactivity"]["is_enabled"]) == (True, True)
    assert "request_url" not in settings["interactivity"]
