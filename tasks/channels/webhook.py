"""Webhooks: JSON over HTTPS, signed; or in the form that a paging service or a chat takes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx

from incident.people.notices import Notice
from tasks.channels.base import NotTaken, WillNotTake
from tasks.config import WebhookConfig

_TIMEOUT_SECONDS = 10
_FINAL = frozenset({400, 413, 422})
"""The body will never do; any other answer may change when somebody mends the address, the key or the service."""


class Webhooks:
    """Posts to the webhooks of the settings, by name. Redirects are not followed: a signature is for one receiver."""

    def __init__(self, webhooks: dict[str, WebhookConfig], clock: Callable[[], datetime]) -> None:
        self._webhooks, self._clock = webhooks, clock

    def deliver(self, notice: Notice, attempt: int) -> str:
        webhook = self._webhooks.get(notice.to)
        if webhook is None:
            raise NotTaken(f"the configuration has no webhook {notice.to!r}; add it to webhooks")
        body = json.dumps(_body(webhook, notice)).encode()
        headers = _headers(webhook, notice, body, int(self._clock().timestamp()))
        try:
            with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=webhook.proxy) as client:
                answer = client.post(webhook.url.get_secret_value(), content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The address may hold a token, so it is not named.
            raise NotTaken(f"webhook {notice.to} was not reached ({type(error).__name__})") from None
        if answer.is_success:
            return f"HTTP {answer.status_code}"
        raise (WillNotTake if answer.status_code in _FINAL else NotTaken)(f"webhook {notice.to} answered {answer.status_code}")


def _headers(webhook: WebhookConfig, notice: Notice, body: bytes, moment: int) -> dict[str, str]:
    key = webhook.key.get_secret_value()
    headers = {"Content-Type": "application/json", "Idempotency-Key": notice.dedup, "User-Agent": "countermand"}
    if webhook.style == "opsgenie":
        headers["Authorization"] = f"GenieKey {key}"
    elif webhook.style == "signed":
        headers |= {"X-Countermand-Timestamp": str(moment), "X-Countermand-Signature": f"v1={signature(key, moment, body)}"}
    return headers


def signature(key: str, moment: int, body: bytes) -> str:
    """HMAC-SHA256, in hex, over the time in seconds since the epoch, a dot, and the body as sent."""
    return hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def _body(webhook: WebhookConfig, notice: Notice) -> dict[str, Any]:
    match webhook.style:
        case "pagerduty":
            return _pagerduty(webhook, notice)
        case "opsgenie":
            return _opsgenie(notice)
        case "chime":
            return {"Content": notice.text[:4096]}
        case "signed":
            words = {"id": notice.dedup, "incident": notice.incident, "contact": notice.contact}
            return {"version": 1, **words, "subject": notice.subject, "text": notice.text, **notice.details}


def _pagerduty(webhook: WebhookConfig, notice: Notice) -> dict[str, Any]:
    """Events API v2: https://developer.pagerduty.com/docs/send-alert-event"""
    severity = float(notice.details["severity"])
    word = "critical" if severity >= 9 else "error" if severity >= 7 else "warning" if severity >= 4 else "info"
    event = {
        "summary": notice.subject[:1024],
        "source": f"countermand:{notice.incident}",
        "severity": word,
        "custom_details": {"text": notice.text, **notice.details},
    }
    key = webhook.key.get_secret_value()
    return {"routing_key": key, "event_action": "trigger", "dedup_key": notice.dedup, "payload": event}


def _opsgenie(notice: Notice) -> dict[str, Any]:
    """https://docs.opsgenie.com/docs/alert-api#create-alert"""
    severity = float(notice.details["severity"])
    priority = "P1" if severity >= 9 else "P2" if severity >= 7 else "P3" if severity >= 4 else "P4"
    details = {name: str(value) for name, value in notice.details.items()}
    words = {"message": notice.subject[:130], "alias": notice.dedup, "description": notice.text}
    return words | {"priority": priority, "source": "countermand", "details": details}
