"""Text that an attacker put into any field of what a door takes: wherever people read it, it is text and nothing else."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Iterator
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from arriving import asff, called, imported, record
from findings import INSTANCE_TYPE, as_api, envelope, finding
from sorting import KnowingAws

from flows import case as case_module
from flows import detect as detect_module
from flows.detect import detect
from gateway.intake import ingest
from incident.ledger import INTAKE
from incident.policy import Policy
from incident.reports.report import report
from tasks.evidence import EvidenceStore
from tasks.render import html, text
from tasks.working import Working

HOSTILE = (
    "<!channel> <@U012345> *b* _i_ `c` <https://evil.example|Approve> <script>alert(1)</script><img src=x onerror=alert(1)> "
    "[a](javascript:alert(1)) ![x](https://evil.example/x.png) | a | b |\n# Heading\r\nERROR everything is fine\x1b[2J "
    '{{ 1234567 * 7 }} {% for x in y %} ${jndi:ldap://evil} %(x)s {0.__class__} "__prefect_kind" \u202egpj.exe\u2066\u200b\x00'
)
INSTANCE = finding(INSTANCE_TYPE)
INSTANCE["resource"] = copy.deepcopy(INSTANCE["resource"])
INSTANCE["resource"]["instanceDetails"] |= {
    "tags": [{"key": "Name", "value": "web"}],
    "imageDescription": "an image",
    "networkInterfaces": [{"networkInterfaceId": "eni-1", "securityGroups": [{"groupId": "sg-1", "groupName": "web"}]}],
}
BUCKET = finding(
    "Policy:S3/BucketAnonymousAccessGranted",
    resource={
        "resourceType": "S3Bucket",
        "s3BucketDetails": [{"arn": "arn:aws:s3:::b", "name": "b", "tags": [{"key": "team", "value": "web"}]}],
        "accessKeyDetails": finding()["resource"]["accessKeyDetails"],
    },
)
SHAPES: dict[str, Any] = {
    "a key's finding": envelope(finding()),
    "an instance's finding": envelope(INSTANCE),
    "a bucket's finding": envelope(BUCKET),
    "a Security Hub finding": imported(asff(Note={"Text": "n", "UpdatedBy": "u"})),
    "a CloudTrail record": called(record()),
}


class Elements(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        scripts = [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]
        if tag in ("script", "iframe", "object") or scripts or any("evil.example" in (value or "") for _, value in attrs):
            self.bad.append(self.get_starttag_text() or tag)


def fields(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a body that holds text: its holder, and where in it."""
    for place in list(content) if isinstance(content, dict) else range(len(content)):
        if isinstance(content[place], str):
            yield content, place
        elif isinstance(content[place], dict | list):
            yield from fields(content[place])


def hostile(shape: Any) -> Iterator[Any]:
    """The body with one text after the other replaced; one that is a name keeps its beginning, so that it is still read."""
    for number in range(len(list(fields(copy.deepcopy(shape))))):
        for keeps in (False, True):
            body = copy.deepcopy(shape)
            holder, place = list(fields(body))[number]
            holder[place] = f"{holder[place] if keeps else ''}{HOSTILE}"
            yield body


@pytest.fixture
def desk(ledger, tmp_path, monkeypatch):
    """The first phase of a response to whatever was delivered, and all that it told people."""
    aws, told = KnowingAws(), []
    config = SimpleNamespace(aws=SimpleNamespace(accounts=("111122223333",)))
    hands = SimpleNamespace(
        working=Working(ledger),
        ledger=ledger,
        aws=aws,
        config=config,
        policy=Policy(),
        known_policy=Policy(),
        evidence=EvidenceStore(tmp_path / "evidence", ledger),
    )

    async def post(incident: str, key: str, message: str, blocks: list[Any]) -> None:
        told.append((message, blocks))

    monkeypatch.setattr(case_module, "hands", lambda: hands)
    monkeypatch.setattr(case_module, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(detect_module, "post", post)

    def run(body: Any) -> str:
        told.clear()
        aws.findings, aws.hub, aws.records = _known(body)
        incident = ingest(json.dumps(body).encode(), {"door": "webhook"}, ledger).incident
        if incident and ledger.find(incident, "opened") is None:
            asyncio.run(detect.fn(incident))
        return incident

    return SimpleNamespace(run=run, told=told, ledger=ledger)


def _known(body: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """AWS says what was delivered: the names are the attacker's, not a forgery."""
    detail = body["detail"]
    if "findings" in detail:
        return {}, {one["Id"]: one for one in detail["findings"]}, {}
    if "eventName" in detail:
        return {}, {}, {detail["eventID"]: detail}
    return {detail["id"]: as_api(detail)}, {}, {}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_in_every_field_it_is_only_text(desk, caplog, shape):
    pages = 0
    for body in hostile(shape):
        incident = desk.run(body)
        for message, blocks in desk.told:
            _inert_in_slack(message, blocks)
        lines = desk.ledger.lines(incident) if incident else []
        # A page is slow to write; where the words did not come into the incident, they are on none.
        if any("evil.example" in str(line.body) for line in lines):
            written, pages = report(lines), pages + 1
            assert Elements(html(written)).bad == []
            _inert_in_markdown(text(written))
    assert pages > 5, "its words do come before people"
    assert desk.ledger.verify(INTAKE) is None
    assert "Traceback" not in caplog.text


def _inert_in_slack(message: str, blocks: list[Any]) -> None:
    shown = [message, *(block["text"]["text"] for block in blocks if block.get("text", {}).get("type") == "mrkdwn")]
    for words in shown:
        assert not any(sign in words for sign in ("<!", "<@", "<h", "<s", "<i", "\x1b", "\u202e", "\x00", "8641969")), words
    assert "\n" not in message


def _inert_in_markdown(words: str) -> None:
    markup = ("<script", "<img", "](javascript", "](https://evil", "\n# Heading")
    for sign in (*markup, "\nERROR", "\x1b", "\u202e", "\x00", "8641969"):
        assert sign not in words, (sign, words)
