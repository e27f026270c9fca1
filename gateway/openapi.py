"""The doors as an OpenAPI document: what each takes, and every answer that it can give.

Served at `/openapi.json` and printed by `countermand openapi`. A test holds it against a running gateway.
https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from gateway.body import LARGEST_BODY
from incident.change_requests import MOST_REQUESTS

Part = dict[str, Any]

_JSON, _TEXT, _HTML = "application/json", "text/plain", "text/html"
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "One sentence."}},
    "required": ["error"],
    "additionalProperties": False,
}
_INCIDENT = {"type": "string", "pattern": "^inc-[0-9a-f]{12}$"}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds.", "required": True, "schema": {"type": "integer", "minimum": 1}},
}
_CHALLENGE = {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}}


def document(*, sns: bool = True, slack: bool = True, changes: bool = True, metrics: bool = True) -> Part:
    """The document, with the doors that are open.

    Args:
        sns: whether SNS has a door; it has none without `gateway.sns_topics`.
        slack: whether Slack has one; over Socket Mode it needs none.
        changes: whether change requests have one; they have none without `gateway.change_keys`.
        metrics: whether there are numbers for Prometheus.
    """
    paths: dict[str, Part] = {"/webhooks/guardduty": {"post": _webhook()}}
    if sns:
        paths["/webhooks/sns"] = {"post": _sns()}
    if changes:
        paths["/webhooks/changes"] = {"post": _changes()}
    if slack:
        paths["/slack/events"] = {"post": _slack()}
    if metrics:
        paths["/metrics"] = {"get": _metrics()}
    paths |= {
        "/healthz": {"get": _get("health", "Whether the process lives.", {"200": _text("It does.", "^ok$")})},
        "/readyz": {"get": _ready()},
        "/health": {"get": _get("alive", "Whether the process lives.", {"200": _text("It does.", "^ok$")})},
        "/ready": {"get": _whole()},
        "/incidents/{incident}/report": {"get": _report()},
        "/openapi.json": {"get": _get("document", "This document.", {"200": _answer("It.", _JSON, {"type": "object"})})},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Countermand gateway",
            "version": importlib.metadata.version("countermand"),
            "description": "The ways in. A delivery is in the ledger before it is answered; nothing acts on what it carries.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {"Taken": _taken("accepted", "quarantined"), "Duplicate": _taken("duplicate"), "Error": _ERROR},
            "securitySchemes": _security_schemes(),
        },
    }


def _security_schemes() -> Part:
    """The key of `gateway.webhook_keys`, in whichever header the sender can set."""
    return {
        "header": {"type": "apiKey", "in": "header", "name": "X-Countermand-Key"},
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "Any user; the key is the password."},
    }


def _webhook() -> Part:
    return {
        "operationId": "guardduty",
        "summary": "GuardDuty, Security Hub and CloudTrail events, from an API destination of EventBridge.",
        "security": [{"header": []}, {"bearer": []}, {"basic": []}],
        "parameters": [_header("Content-Encoding", "With `gzip` the body is unpacked.")],
        "requestBody": {
            "required": True,
            "description": (
                "An EventBridge event, a finding, or the answer of GetFindings with one. "
                "What is no such thing is not refused: it is quarantined for a person, since its sender would not come again."
            ),
            "content": {_JSON: {"schema": _event()}},
        },
        "responses": _delivered() | {"401": _refused("The key is missing or wrong; nothing is written.", _CHALLENGE)},
    }


def _event() -> Part:
    """Loose on purpose: a door that is stricter than its sender loses what the sender says tomorrow."""
    text = {"type": "string"}
    named: dict[str, Any] = dict.fromkeys(("detail-type", "source", "account", "region", "id", "type", "time"), text)
    return {"type": "object", "properties": named | {"detail": {"type": "object"}}}


def _changes() -> Part:
    words, text = {"type": "array", "items": {"type": "string"}}, {"type": "string"}
    moment = {"type": "string", "format": "date-time"}
    fields: dict[str, Any] = dict.fromkeys(("approved_by", "principals", "resources", "operations"), words)
    fields |= dict.fromkeys(("ticket", "title"), text) | dict.fromkeys(("from", "until", "approved_at", "updated_at"), moment)
    one = {"type": "object", "properties": fields, "required": ["ticket", "principals", "resources", "from", "until"]}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_REQUESTS}
    inside = {"type": "object", "properties": {"requests": several}, "required": ["requests"]}
    return _webhook() | {
        "operationId": "changes",
        "summary": "Change requests from a ticket system, with who approved them. The key is one of `gateway.change_keys`.",
        "requestBody": {
            "required": True,
            "description": "One, a list, or `{requests: [...]}`. What is none of it is quarantined as a whole, for a person.",
            "content": {_JSON: {"schema": {"anyOf": [one, several, inside]}}},
        },
    }


def _sns() -> Part:
    fields = ("Type", "TopicArn", "MessageId", "Message", "Timestamp", "SignatureVersion", "Signature", "SigningCertURL")
    answer = _answer(
        "A notification that was here before, or a subscription that was confirmed or ended.",
        _JSON,
        {"anyOf": [_ref("Duplicate"), _outcome("subscription confirmed", "unsubscribed")]},
    )
    refused = "Not signed by SNS (version 2), not for a topic of `gateway.sns_topics`, too old, or no message of SNS."
    return {
        "operationId": "sns",
        "summary": "SNS over HTTPS: notifications with a finding, and confirmations of a subscription.",
        "parameters": [_header("x-amz-sns-message-type", "As in the body.")],
        "requestBody": {
            "required": True,
            "content": {
                "text/plain": {"schema": {"type": "string"}},
                _JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {name: {"type": "string"} for name in fields},
                        "required": list(fields),
                    }
                },
            },
        },
        "responses": _delivered() | {"200": answer, "403": _refused(refused)},
    }


def _slack() -> Part:
    """Bolt's answers are Slack's own protocol."""
    return {
        "operationId": "slack",
        "summary": "Buttons, dialogs and commands, as Slack signs them.",
        "parameters": [
            _header("X-Slack-Request-Timestamp", "Seconds since 1970, at most five minutes off."),
            _header("X-Slack-Signature", "`v0=` and HMAC-SHA256 of version, timestamp and body."),
        ],
        "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}},
        "responses": {
            "200": {"description": "Taken, also when it came before; what it holds is Slack's protocol."},
            "400": {"description": "The sender left before its end."},
            "401": _text("Not signed by Slack just now."),
            "404": {"description": "Signed, but nothing that Countermand asked for.", "content": {_JSON: {}}},
            "413": _text("Larger than anything that Slack sends."),
            "503": _text("Slack's own API is not reached.", headers=_RETRY_AFTER),
        },
    }


def _ready() -> Part:
    away = _text("The ledger is not reached.", headers=_RETRY_AFTER)
    return _get("ready", "Whether a delivery could be taken now.", {"200": _text("It could.", "^ready$"), "503": away})


def _metrics() -> Part:
    away = _text("The ledger is not reached.", headers=_RETRY_AFTER)
    return _get("metrics", "Numbers for Prometheus.", {"200": _text("Its text format.", "^# HELP "), "503": away})


def _whole() -> Part:
    found = {
        "type": "object",
        "properties": {
            "ready": {"type": "boolean"},
            "parts": {"type": "object", "additionalProperties": {"type": "string", "description": "`ok`, or what is wrong."}},
        },
        "required": ["ready", "parts"],
        "additionalProperties": False,
    }
    answers = {
        "200": _answer("All of it is there.", _JSON, found),
        "503": _answer("Something is not there; what, stands beside its name.", _JSON, found, _RETRY_AFTER),
    }
    return _get("whole", "Whether ledger, doors, Prefect and a worker are there.", answers)


def _report() -> Part:
    place = {"name": "incident", "in": "path", "required": True, "schema": _INCIDENT}
    page = _answer("A page that loads nothing and runs nothing.", _HTML, {"type": "string"})
    answers = {"200": page, "404": _text("There is none yet, or no such incident.")}
    return _get("report", "An incident's report.", answers) | {"parameters": [place]}


def _get(name: str, summary: str, answers: Mapping[str, Part]) -> Part:
    return {"operationId": name, "summary": summary, "responses": dict(answers)}


def _delivered() -> Part:
    """What every door for deliveries answers."""
    return {
        "200": _answer("It is here already; nothing is added.", _JSON, _ref("Duplicate")),
        "202": _answer("It is in the ledger: accepted, or quarantined for a person.", _JSON, _ref("Taken")),
        "400": {"description": "The sender left before the end of its body; nothing is written."},
        "413": _refused(f"More than {LARGEST_BODY} bytes, as sent or unpacked; nothing is written."),
        "503": _refused(
            "Not written within seconds, or too many at once. Send it again: the same delivery counts once.", _RETRY_AFTER
        ),
    }


def _taken(*outcomes: str) -> Part:
    incident = {"type": "string", "description": "The incident that a finding would open by itself; empty for what is unreadable."}
    return {
        "type": "object",
        "properties": {"outcome": {"enum": list(outcomes)}, "incident": incident | {"pattern": "^(inc-[0-9a-f]{12})?$"}},
        "required": ["outcome", "incident"],
        "additionalProperties": False,
    }


def _outcome(*outcomes: str) -> Part:
    return {
        "type": "object",
        "properties": {"outcome": {"enum": list(outcomes)}},
        "required": ["outcome"],
        "additionalProperties": False,
    }


def _header(name: str, what: str) -> Part:
    return {"name": name, "in": "header", "description": what, "schema": {"type": "string"}}


def _ref(name: str) -> Part:
    return {"$ref": f"#/components/schemas/{name}"}


def _refused(what: str, headers: Part | None = None) -> Part:
    return _answer(what, _JSON, _ref("Error"), headers)


def _text(what: str, pattern: str = "", headers: Part | None = None) -> Part:
    return _answer(what, _TEXT, {"type": "string", **({"pattern": pattern} if pattern else {})}, headers)


def _answer(what: str, media: str, schema: Part, headers: Part | None = None) -> Part:
    return {"description": what, "content": {media: {"schema": schema}}, **({"headers": headers} if headers else {})}
