"""Keeping the facts that die with a resource: each read once, kept as an item with who asked and when, or noted as a gap."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import jmespath

from incident.family import Read, Scope
from incident.volatile import WITH_CODE, Each, Fact, Subject, code_item, facts, items_of
from tasks.aws import Aws, AwsError
from tasks.evidence import EvidenceStore

MOST_CODE_BYTES = 300 * 2**20
"""A function's code has at most 250 MB, unpacked."""

MOST_PAGES = 200
"""Of one answer: 200,000 versions of a bucket. An actor can put more there than a machine can hold."""

_Told = tuple[Read, list[dict[str, Any]]]

_WITHHELD = "left out: whoever has this link has the code while it is valid"


class Collector:
    """Keeps the facts of one incident's subjects; safe to call again after a crash at any point."""

    def __init__(
        self, aws: Aws, evidence: EvidenceStore, clock: Callable[[], datetime], fetch: Callable[[str], bytes] | None = None
    ) -> None:
        self._aws, self._evidence, self._clock = aws, evidence, clock
        self._fetch = fetch or (_practised if aws.config.endpoint_url else fetched)
        self._askers: dict[str, str] = {}

    def collect(self, incident: str, subject: Subject) -> None:
        """Keep what is told of a subject. What AWS does not tell is a gap in the manifest.

        Raises:
            EvidenceUnavailable: the store cannot be written; then nothing may be stopped or deleted.
        """
        for fact in facts(subject):
            self._collect(incident, subject, fact)

    def _collect(self, incident: str, subject: Subject, fact: Fact) -> None:
        has_code = subject.of in WITH_CODE
        wanted = items_of(subject) if has_code else (fact.item,)
        if all(self._evidence.has(incident, name) for name in wanted):
            return
        scope = Scope(subject.account, subject.region)
        try:
            told = self._told(scope, fact)
        except AwsError as error:
            for name in wanted:
                self._evidence.note_gap(incident, name, str(error), fact.about)
            return
        if has_code:
            self._keep_code(incident, subject, told["answers"][0])
        self._evidence.keep_first_json(incident, fact.item, told, fact.about)

    def _told(self, scope: Scope, fact: Fact) -> dict[str, Any]:
        """The answers, and who asked for what and when.

        Raises:
            AwsError: AWS answers none of the reads.
        """
        read, answers = self._first(scope, fact.reads)
        asked = [read]
        if fact.each:
            for more, told in self._further(scope, fact.each, answers, {}):
                asked.append(more)
                answers += told
        return {
            "account": scope.account,
            "region": scope.region,
            "asked": [{"service": one.service, "operation": one.operation, "parameters": dict(one.parameters)} for one in asked],
            "by": self._asker(scope.account),
            "at": self._clock().isoformat(),
            "answers": answers,
        }

    def _further(self, scope: Scope, each: Each, answers: list[dict[str, Any]], given: dict[str, Any]) -> Iterator[_Told]:
        """The reads for each of what the answers name, with their answers; `given` are the parameters of the read before."""
        found = dict.fromkeys(value for answer in answers for value in jmespath.search(each.path, answer) or ())
        for value in found:
            one = [value] if each.parameter.endswith("Ids") else value
            named = {**each.read.parameters, **given, each.parameter: one}
            read = replace(each.read, parameters=named)
            told = self._answers(scope, read)
            yield read, told
            if each.then:
                yield from self._further(scope, each.then, told, named)

    def _first(self, scope: Scope, reads: tuple[Read, ...]) -> tuple[Read, list[dict[str, Any]]]:
        """The first of the reads that AWS answers."""
        *others, last = reads
        for read in others:
            try:
                return read, self._answers(scope, read)
            except AwsError:
                continue
        return last, self._answers(scope, last)

    def _answers(self, scope: Scope, read: Read) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for page in self._aws.read_all(scope, read):
            if len(answers) == MOST_PAGES:
                raise AwsError(read.operation, "TooLong", f"the answer has more than {MOST_PAGES} pages: take it by hand")
            answers.append({name: value for name, value in page.items() if name != "ResponseMetadata"})
        return answers

    def _asker(self, account: str) -> str:
        if account not in self._askers:
            try:
                self._askers[account] = self._aws.own_principal(account)
            except AwsError as error:
                return f"unknown: {error}"
        return self._askers[account]

    def _keep_code(self, incident: str, function: Subject, answer: dict[str, Any]) -> None:
        """Keep a function's code, and take the link to it out of the answer: it carries the right to read it."""
        code, item = answer.get("Code") or answer.get("Content") or {}, code_item(function)
        link, about = code.pop("Location", ""), f"code of {function.of.removesuffix('s')} {function.name}"
        code["Location"] = _WITHHELD
        if self._evidence.has(incident, item):
            return
        if not link:
            image = code.get("ResolvedImageUri") or code.get("ImageUri")
            why = f"it is the image {image}, which stays in its repository" if image else "AWS names no place to fetch it from"
            self._evidence.note_gap(incident, item, why, about)
            return
        try:
            content = self._fetch(link)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self._evidence.note_gap(incident, item, f"it could not be fetched: {_without_link(error)}", about)
            return
        self._evidence.keep(incident, item, content, f"{about}{_as_configured(content, answer)}")


def fetched(link: str) -> bytes:
    """What a presigned link leads to.

    Raises:
        httpx.HTTPError: it is not to be had.
        ValueError: no HTTPS link, or more than a function's code can be.
    """
    if urlsplit(link).scheme != "https":
        raise ValueError("the link to it is no HTTPS link")
    content = bytearray()
    with httpx.stream("GET", link, timeout=60) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) > MOST_CODE_BYTES:
                raise ValueError(f"it has more than {MOST_CODE_BYTES} bytes")
    return bytes(content)


def _practised(link: str) -> bytes:
    raise ValueError("the practice range does not serve it")


def _without_link(error: Exception) -> str:
    """Why, without the link: errors name it, and it carries a signature."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"status {error.response.status_code}"
    return type(error).__name__ if isinstance(error, httpx.HTTPError) else str(error)


def _as_configured(content: bytes, answer: dict[str, Any]) -> str:
    """What the configuration says of the code, where it does not match."""
    try:
        told = base64.b64decode((answer.get("Configuration") or answer.get("Content") or {}).get("CodeSha256", ""))
    except (binascii.Error, ValueError):
        told = b""
    return "" if told == hashlib.sha256(content).digest() else "; its hash is not the CodeSha256 of the configuration"
