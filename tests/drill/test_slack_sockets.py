"""Socket Mode, with the clients that slack_sdk and bolt ship."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from drill.slack.server import FakeSlack
from tests.drill.slack_desk import ALICE, CHANNEL, actions, button, modal, web

Wait = Callable[..., None]


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as running:
        yield running


@pytest.fixture
def question(slack: FakeSlack) -> str:
    return str(web(slack).chat_postMessage(channel=CHANNEL, text="Decide", blocks=[actions(button())])["ts"])


@pytest.fixture
def connect(slack: FakeSlack, wait_until: Wait) -> Iterator[Callable[..., SocketModeClient]]:
    """Connects slack_sdk's client; each envelope is kept in `requests` and acknowledged with what `answer` gives."""
    clients: list[SocketModeClient] = []

    def connect_(
        requests: list[SocketModeRequest], answer: Callable[[SocketModeRequest], Any] = lambda request: None
    ) -> SocketModeClient:
        def heard(client: BaseSocketModeClient, request: SocketModeRequest) -> None:
            requests.append(request)
            payload = answer(request)
            if payload != "silence":
                client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload))

        before = slack.control.sockets()
        client = SocketModeClient("xapp-practice", web_client=web(slack), ping_interval=1)
        client.socket_mode_request_listeners.append(heard)
        client.connect()
        clients.append(client)
        wait_until(lambda: slack.control.sockets() == before + 1, 10, "the connection")
        return client

    yield connect_
    slack.stop()  # a client reads for up to three seconds before it notices that it was closed, unless the other side ends it
    for client in clients:
        # slack_sdk's reader may close the socket between its own check and its lock.
        with suppress(AttributeError):
            client.close()


def test_a_click_goes_over_the_socket_and_its_acknowledgement_is_the_answer(slack, connect, question) -> None:
    requests: list[SocketModeRequest] = []
    connect(requests)
    receipt = slack.control.click(ALICE, CHANNEL, question, "go")
    assert (receipt["status"], receipt["via"], receipt["error"]) == (200, "socket", "")
    (request,) = requests
    assert (request.type, request.payload["type"], request.accepts_response_payload) == ("interactive", "block_actions", True)
    assert request.payload["user"]["id"] == ALICE


def test_a_modal_is_opened_refused_and_closed_over_the_socket(slack, connect, question) -> None:
    def answer(request: SocketModeRequest) -> Any:
        if request.payload["type"] == "block_actions":
            web(slack).views_open(trigger_id=request.payload["trigger_id"], view=modal())
            return None
        code = request.payload["view"]["state"]["values"]["code"]["value"]["value"]
        return None if code == "right" else {"response_action": "errors", "errors": {"code": "wrong"}}

    connect([], answer)
    slack.control.click(ALICE, CHANNEL, question, "go")
    (view,) = slack.control.views()
    slack.control.submit(ALICE, view["id"], {"code": "guessed"})
    assert slack.control.views()[0]["errors"] == {"code": "wrong"}
    slack.control.submit(ALICE, view["id"], {"code": "right"})
    assert slack.control.views() == []


def test_a_command_is_an_object_and_its_answer_is_whispered(slack, connect) -> None:
    requests: list[SocketModeRequest] = []
    connect(requests, lambda request: {"text": "nothing is open"})
    slack.control.command(ALICE, CHANNEL, "/countermand", "status")
    assert (requests[0].type, requests[0].payload["text"]) == ("slash_commands", "status")
    assert slack.control.messages()[-1]["text"] == "nothing is open"


def test_an_app_that_does_not_acknowledge_did_not_answer(slack, connect, question) -> None:
    connect([], lambda request: "silence")
    assert slack.control.click(ALICE, CHANNEL, question, "go")["error"] == "operation_timeout"


def test_clicks_go_round_between_the_connections(slack, connect, question) -> None:
    first: list[SocketModeRequest] = []
    second: list[SocketModeRequest] = []
    connect(first)
    connect(second)
    for _ in range(4):
        slack.control.click(ALICE, CHANNEL, question, "go")
    assert (len(first), len(second)) == (2, 2)


def test_without_a_connection_the_request_url_is_used_again(slack, connect, question, wait_until) -> None:
    client = connect([])
    client.close()
    wait_until(lambda: slack.control.sockets() == 0, 10, "the disconnection")
    receipt = slack.control.click(ALICE, CHANNEL, question, "go")
    assert (receipt["via"], receipt["error"]) == ("http", "not reached: ConnectionError")


def test_a_socket_address_works_once(slack) -> None:
    address = web(slack).apps_connections_open(app_token="xapp-practice")["url"].replace("ws://", "http://")
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    with httpx.stream("GET", address, headers=upgrade) as first:
        assert first.status_code == 101
        assert httpx.get(address, headers=upgrade).status_code == 403


def test_a_client_whose_slack_restarts_comes_back_by_itself(slack, connect, question, wait_until) -> None:
    """The port stays the same, as an address does."""
    requests: list[SocketModeRequest] = []
    connect(requests)
    slack.stop()
    slack.start()
    wait_until(lambda: slack.control.sockets() == 1, 20, "the reconnection")
    assert slack.control.click(ALICE, CHANNEL, question, "go")["status"] == 200
    assert len(requests) == 1


def test_bolts_own_handler_works_unchanged(slack, question, wait_until) -> None:
    app = App(client=web(slack), name="practice")
    seen: list[str] = []

    @app.action("go")
    def go(ack: Callable[..., None], body: dict[str, Any]) -> None:
        ack()
        seen.append(json.dumps(body["actions"][0]["value"]))

    handler = SocketModeHandler(app, "xapp-practice")
    handler.connect()
    try:
        wait_until(lambda: slack.control.sockets() == 1, 10, "the connection")
        assert slack.control.click(ALICE, CHANNEL, question, "go")["status"] == 200
        wait_until(lambda: seen == ['"1"'], 10, "the listener")
    finally:
        handler.close()
