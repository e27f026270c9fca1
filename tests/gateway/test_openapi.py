"""The OpenAPI document against a running gateway: schemathesis looks for answers that it does not promise.

`COUNTERMAND_EXAMPLES` says how many requests are made up for each door; `make fuzz` makes more.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from arriving import asff, called, imported, record
from findings import as_api, envelope, finding
from hypothesis import given, settings
from hypothesis import strategies as st
from messages_of_sns import TOPIC, Authority, Signer
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from sorting import KnowingAws
from starlette.applications import Starlette
from starlette.routing import Route
from test_threats import NoExceptions

from gateway.app import Settings, create_app
from gateway.dispatch.pace import Pace
from gateway.dispatch.sorter import Sorter
from gateway.doors.sns import Certificates, Notifications
from gateway.metrics import Metrics
from gateway.openapi import document
from gateway.slack.app import slack_app
from incident.policy import Policy
from tasks.read_back import Reader

EXAMPLES = int(os.environ.get("COUNTERMAND_EXAMPLES", "15"))
NOT_OURS = [
    # What is authentic but no finding is quarantined, not refused; and who may is shown in `test_app.py` and `test_sns_door.py`.
    checks.negative_data_rejection,
    checks.positive_data_acceptance,
    checks.ignored_auth,
    # 503 is promised, with Retry-After; below, any other is a failure.
    not_a_server_error,
]
DOORS = document()["paths"]
_REAL = (None, None, envelope(finding()), imported(asff()), called(record()), {"Findings": [as_api(finding())]})


class Signed(requests.auth.AuthBase):
    """Signs what was made up, as each door's sender does; every third request goes as it is."""

    def __init__(self) -> None:
        self._signer, self._sent = Signer(), 0

    def certificate(self, authority: Authority) -> bytes:
        return authority.issues("sns.amazonaws.com", self._signer.key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self._sent += 1
        if self._sent % 3 == 0 or request.method != "POST":
            return request
        body = request.body.encode() if isinstance(request.body, str) else bytes(request.body or b"")
        match urlsplit(str(request.url)).path:
            case "/webhooks/guardduty" | "/webhooks/changes":
                request.headers["X-Countermand-Key"] = "current-key"
            case "/webhooks/sns":
                body = json.dumps(self._signer.notification(body.decode(errors="replace"))).encode()
                request.headers.pop("x-amz-sns-message-type", None)
                request.prepare_body(body, None)
            case "/slack/events":
                stamp = str(int(time.time()))
                digest = hmac.new(b"signing", f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
                request.headers.update({"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"})
        return request


def clock() -> datetime:
    return datetime.now(UTC)


class NobodyDecides:
    """Behind the Slack door nothing is asked."""


@pytest.fixture
def signed() -> Signed:
    return Signed()


@pytest.fixture
def sns_checks(signed) -> Notifications:
    authority = Authority()
    pem = signed.certificate(authority)
    return Notifications((TOPIC,), Certificates(clock, lambda at: pem, authority.store()), KnowingAws(), clock)


@pytest.fixture
def address(ledger, runs, serve, tmp_path, sns_checks) -> str:
    """Every door that there is, on a real port."""

    aws = KnowingAws()
    aws.findings[finding()["id"]] = as_api(finding())
    slack = slack_app(NobodyDecides(), signing_secret="signing", bot_token="xoxb-test", team="T0", base_url="http://127.0.0.1:9/")
    sorter = Sorter(ledger, Reader(aws), Policy(), NoExceptions(), clock)
    keys = ("current-key",)
    chosen = Settings(webhook_keys=keys, reports=tmp_path, poll_seconds=0.05, change_keys=keys)
    (tmp_path / "inc-0123456789ab.html").write_text("<!doctype html><title>x</title>")
    return serve(
        create_app(
            chosen,
            ledger,
            runs,
            slack=slack,
            sns=sns_checks,
            sorter=sorter,
            pace=Pace(ledger, clock),
            metrics=Metrics(ledger, clock),
        )
    )


@pytest.fixture
def described(address) -> schemathesis.schemas.BaseSchema:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, methods in document()["paths"].items() for method in methods],
    ids=lambda part: part,
)
def test_no_door_answers_anything_that_the_document_does_not_promise(described, signed, path, method):
    door = described[path][method.upper()]

    @given(case=door.as_strategy(), real=st.sampled_from(_REAL))
    @settings(max_examples=EXAMPLES if method == "post" else 3, derandomize=True, database=None)
    def requested(case, real):
        if real is not None and method == "post" and path != "/slack/events":
            case.body, case.media_type = real, "application/json"
        case.call_and_validate(auth=signed, timeout=10, excluded_checks=NOT_OURS, additional_checks=[only_the_promised_503])

    requested()


def only_the_promised_503(ctx, answer, case) -> None:
    """Every other answer of the five hundreds is a failure, documented or not."""
    assert answer.status_code < 500 or (answer.status_code == 503 and int(answer.headers["retry-after"][0]) > 0)


def test_the_document_is_one_that_openapi_allows(described):
    described.validate()


def test_the_document_names_every_door_that_is_open_and_no_other(ledger, runs, tmp_path, sns_checks):
    slack_there = Starlette(routes=[Route("/events", lambda request: None)])
    for sns, slack, changes in ((None, None, ()), (sns_checks, slack_there, ("key",))):
        chosen = Settings(webhook_keys=(), reports=tmp_path, change_keys=changes)
        app = create_app(chosen, ledger, runs, sns=sns, slack=slack, metrics=Metrics(ledger, clock))
        open_ = {route.path for route in app.routes if isinstance(route, Route)} | ({"/slack/events"} if slack else set())
        assert open_ == set(document(sns=sns is not None, slack=slack is not None, changes=bool(changes))["paths"])


def test_the_command_prints_the_document(run):
    code, printed, _ = run("openapi")
    assert code == 0
    assert json.loads(printed) == document()
