"""SNS over HTTPS: what SNS signed for our topics comes in, and nothing else; nothing that a message names is opened."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from delivering import INCIDENT
from findings import as_api, envelope, finding
from messages_of_sns import ADDRESS, REGION, TOPIC, Authority, Signer

from gateway.app import Settings, create_app
from gateway.doors.sns import Certificates, NotChecked, Notifications, _over_https
from incident.ledger import INTAKE, Kind
from tasks.aws import AwsError

AUTHORITY, SIGNER = Authority(), Signer()
CERTIFICATE = AUTHORITY.issues("sns.amazonaws.com", SIGNER.key)
MALLORY = Signer()


class Sns:
    """Remembers which subscriptions were confirmed."""

    def __init__(self) -> None:
        self.confirmed: list[tuple[str, str, dict]] = []
        self.failing = False

    def call(self, account: str, region: str, service: str, operation: str, parameters: dict) -> dict:
        if self.failing:
            raise AwsError(operation, "5xx:InternalError", "away")
        self.confirmed.append((account, region, parameters))
        return {}


@pytest.fixture
def door(ledger, runs, serve, tmp_path):
    """`post(message)` delivers to the door; `pems` is what stands at which address, `fetched` what was fetched."""
    pems: dict[str, bytes] = {ADDRESS: CERTIFICATE}
    fetched: list[str] = []
    sns = Sns()

    def fetch(address: str) -> bytes:
        fetched.append(address)
        if address not in pems:
            raise NotChecked("nothing stands there")
        return pems[address]

    def clock() -> datetime:
        return datetime.now(UTC)

    checks = Notifications((TOPIC,), Certificates(clock, fetch, AUTHORITY.store()), sns, clock)
    settings = Settings(webhook_keys=("key",), reports=tmp_path, poll_seconds=0.05)
    address = serve(create_app(settings, ledger, runs, sns=checks))
    with httpx.Client(base_url=address, timeout=10, trust_env=False) as client:

        def post(message: Any, **headers: str) -> httpx.Response:
            body = message if isinstance(message, bytes) else json.dumps(message).encode()
            return client.post("/webhooks/sns", content=body, headers=headers)

        yield SimpleNamespace(post=post, pems=pems, fetched=fetched, sns=sns)


def test_a_signed_notification_is_taken_once_and_opens_the_incident(door, ledger, wait_until):
    message = SIGNER.notification(envelope(finding()))
    answers = [door.post(message, **{"x-amz-sns-message-type": "Notification"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 200]
    (line,) = ledger.lines(INTAKE, Kind.DELIVERY)
    assert (line.body["incident"], line.body["provenance"]) == (INCIDENT, {"door": "sns", "topic": TOPIC})
    assert door.fetched == [ADDRESS], "a certificate is fetched once"
    wait_until(lambda: ledger.find(INCIDENT, "run"))


def test_a_subject_is_signed_too(door):
    assert door.post(SIGNER.notification(as_api(finding()), Subject="GuardDuty")).status_code == 202
    assert door.post(SIGNER.notification(as_api(finding()), Subject="GuardDuty") | {"Subject": "other"}).status_code == 403


def test_what_is_signed_but_unreadable_is_quarantined(door, ledger):
    assert door.post(SIGNER.notification("not a finding")).status_code == 202
    assert [line.kind for line in ledger.lines(INTAKE)] == [Kind.QUARANTINE]


def test_a_subscription_is_confirmed_by_a_call_and_its_address_never_opened(door):
    answer = door.post(SIGNER.confirmation(SubscribeURL="http://169.254.169.254/latest/meta-data/"))
    assert (answer.status_code, answer.json()) == (200, {"outcome": "subscription confirmed"})
    ((account, region, asked),) = door.sns.confirmed
    assert (account, region) == ("111122223333", REGION)
    assert asked == {"TopicArn": TOPIC, "Token": "t" * 64, "AuthenticateOnUnsubscribe": "true"}
    assert door.fetched == [ADDRESS]


def test_when_aws_does_not_confirm_sns_is_asked_to_come_again(door):
    door.sns.failing = True
    answer = door.post(SIGNER.confirmation())
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


def test_when_the_certificate_cannot_be_fetched_sns_is_asked_to_come_again(door, ledger):
    door.pems.clear()
    assert door.post(SIGNER.notification(envelope(finding()))).status_code == 503
    assert ledger.lines(INTAKE) == []


def _moved(**more: Any) -> dict[str, Any]:
    return SIGNER.notification(envelope(finding()), **more)


_HOUR = timedelta(hours=1)
_NOW = datetime.now(UTC)
_REFUSED = {
    "another's signature": MALLORY.notification(envelope(finding())),
    "changed after signing": _moved() | {"Message": json.dumps(envelope(finding(severity=1)))},
    "another topic's name after signing": _moved() | {"TopicArn": TOPIC + "2"},
    "a foreign topic": _moved(TopicArn="arn:aws:sns:eu-west-1:999988887777:findings"),
    "a topic that only begins so": _moved(TopicArn=TOPIC + "-evil"),
    "no signature": {name: value for name, value in _moved().items() if name != "Signature"},
    "a signature that is no base64": _moved() | {"Signature": "!"},
    "a signature of version 1": SIGNER.signed({key: value for key, value in _moved().items() if "Sign" not in key}, version="1"),
    "version 1 called 2": SIGNER.signed({key: value for key, value in _moved().items() if "Sign" not in key}, version="1")
    | {"SignatureVersion": "2"},
    "no version": {name: value for name, value in _moved().items() if name != "SignatureVersion"},
    "a subscription in another's name": MALLORY.confirmation(),
    "a subscription of a foreign topic": SIGNER.confirmation(TopicArn="arn:aws:sns:eu-west-1:999988887777:findings"),
    "too old": SIGNER.notification(envelope(finding()), sent=_NOW - 2 * _HOUR),
    "from ahead": SIGNER.notification(envelope(finding()), sent=_NOW + _HOUR),
    "no time": _moved(Timestamp="soon"),
    "a time without a zone": _moved(Timestamp="2026-11-24T12:00:00"),
    "not of SNS": envelope(finding()),
    "of no known type": _moved() | {"Type": "Advertisement"},
    "a number for a topic": _moved() | {"TopicArn": 1},
    "no JSON": b"\xff\xfe",
    "deep": b"[" * 200_000,
    "a list": b"[]",
}


@pytest.mark.parametrize("message", _REFUSED.values(), ids=_REFUSED)
def test_what_sns_did_not_sign_for_us_is_refused_and_writes_nothing(door, ledger, message):
    answer = door.post(message)
    assert answer.status_code == 403
    assert ledger.lines(INTAKE) == []
    assert door.sns.confirmed == []


_ELSEWHERE = [
    "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://evil.example/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0a" * 16 + ".pem?x=.pem",
    "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://SNS.eu-west-1.amazonaws.com/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "https://evil.s3.amazonaws.com/SimpleNotificationService-" + "0a" * 16 + ".pem",
    "file:///etc/passwd",
    "",
]


@pytest.mark.parametrize("address", _ELSEWHERE)
def test_a_certificate_from_elsewhere_is_not_even_fetched(door, ledger, address):
    door.pems[address] = Authority().issues("sns.amazonaws.com", MALLORY.key)
    message = MALLORY.signed({key: value for key, value in _moved().items() if "Sign" not in key} | {"SigningCertURL": address})
    assert door.post(message).status_code == 403
    assert door.fetched == []
    assert ledger.lines(INTAKE) == []


_BAD_CERTIFICATES = {
    "of another authority": Authority().issues("sns.amazonaws.com", SIGNER.key),
    "of another name": AUTHORITY.issues("evil.amazonaws.com", SIGNER.key),
    "expired": AUTHORITY.issues("sns.amazonaws.com", SIGNER.key, days=(-30, -1)),
    "not valid yet": AUTHORITY.issues("sns.amazonaws.com", SIGNER.key, days=(1, 30)),
    "none": b"not a certificate",
    "empty": b"",
}


@pytest.mark.parametrize("pem", _BAD_CERTIFICATES.values(), ids=_BAD_CERTIFICATES)
def test_a_certificate_that_is_not_good_vouches_for_nothing(door, ledger, pem):
    door.pems[ADDRESS] = pem
    assert door.post(_moved()).status_code == 403
    assert ledger.lines(INTAKE) == []


def test_a_header_that_says_another_type_is_refused(door):
    assert door.post(_moved(), **{"x-amz-sns-message-type": "SubscriptionConfirmation"}).status_code == 403


def test_a_certificate_that_expires_while_it_is_held_is_no_longer_good():
    now = [datetime.now(UTC)]
    certificates = Certificates(lambda: now[0], lambda address: CERTIFICATE, AUTHORITY.store())
    certificates.at(ADDRESS, REGION)
    now[0] += timedelta(days=60)
    with pytest.raises(Exception, match="not valid now"):
        certificates.at(ADDRESS, REGION)


def test_nobody_is_followed_elsewhere(serve):
    """A redirect from the certificate's address is an answer like any other that is not the certificate."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.routing import Route

    asked: list[str] = []

    def there(request):
        asked.append("there")
        return PlainTextResponse("secret")

    address = serve(Starlette(routes=[Route("/pem", lambda request: RedirectResponse("/there")), Route("/there", there)]))
    with pytest.raises(NotChecked, match="HTTP 307"):
        _over_https(f"{address}/pem")
    assert asked == []
