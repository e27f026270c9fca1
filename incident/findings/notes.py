"""A note about which nothing is known yet, such as a researcher's: people are told, and nothing acts on what it says.

Whatever in it looks like something of AWS is offered to whoever answers; only a responder makes a seed of it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from incident.findings.finding import NOTE, FindingError
from incident.ledger import Kind, Line
from incident.settings import canonical

LONGEST_NOTE = 4000
MOST_OFFERED = 50

_NO_WORD_BEFORE, _NO_WORD_AFTER = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])"
_ID = "(?:[0-9a-f]{17}|[0-9a-f]{8})"
_ARN = re.compile(r"arn:aws(?:-[a-z]+)*:[a-z0-9-]{1,40}:[a-z0-9-]{0,30}:\d{0,12}:[A-Za-z0-9+=,.@_/:*-]{1,500}")
_IN_ARN = re.compile(r"arn:[^:]+:(?:iam|sts)::\d{12}:(user|role|assumed-role)/(?:[^/]*/)*?([A-Za-z0-9_+=,.@-]{1,64})$")
_SHAPES = (
    ("--access-key", re.compile(f"{_NO_WORD_BEFORE}(?:AKIA|ASIA)[A-Z0-9]{{12,28}}{_NO_WORD_AFTER}")),
    ("--record", re.compile(f"{_NO_WORD_BEFORE}[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}{_NO_WORD_AFTER}")),
    ("--instance", re.compile(f"{_NO_WORD_BEFORE}i-{_ID}{_NO_WORD_AFTER}")),
    ("--resource", re.compile(f"{_NO_WORD_BEFORE}(?!i-)[a-z]{{1,12}}(?:-[a-z]{{2,10}})?-{_ID}{_NO_WORD_AFTER}")),
)
_ADDRESS = re.compile(r"(?<![\w.:])[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]{2,43}(?![\w:])")


def note_finding(note: str, person: str, account: str, region: str, now: datetime) -> dict[str, Any]:
    """Make the JSON of a note, as `parse_finding(..., by_hand=True)` reads it back. The same words are the same note.

    Args:
        account, region: where it is about, or nothing where that is not known.

    Raises:
        FindingError: there are no words in it, or too many.
    """
    words = " ".join(note.split())
    if not words or len(words) > LONGEST_NOTE or not words.isprintable():
        raise FindingError(f"--note needs words: at least one and at most {LONGEST_NOTE} characters that can be printed")
    return {
        "id": hashlib.sha256(canonical(["note", account, region, words]).encode()).hexdigest()[:32],
        "type": NOTE,
        "accountId": account,
        "region": region,
        "severity": 8.0,
        "title": f"A note from {person}: {words}"[:300],
        "description": words,
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "service": {"eventFirstSeen": now.isoformat(), "eventLastSeen": now.isoformat(), "count": 1},
        "countermand": {"person": person, "reason": words},
    }


def offered(note: str) -> tuple[tuple[str, str], ...]:
    """What in a note could be named to `countermand open`: options and values, in the note's order, each once.

    None of it is checked against AWS: it is what somebody wrote.
    """
    found = sorted(_found(note))
    return tuple(dict.fromkeys((option, value) for _, option, value in found))[:MOST_OFFERED]


def seeded(lines: Iterable[Line]) -> bool:
    """Whether somebody named what is the actor's for an incident that a note opened."""
    return any(line.kind == Kind.FINDING and bool(line.body.get("responds")) for line in lines)


def _found(note: str) -> Iterator[tuple[int, str, str]]:
    taken: list[range] = []
    for match in _ARN.finditer(note):
        taken.append(range(*match.span()))
        yield (match.start(), *_of_arn(match.group().rstrip(".,:")))
    for option, shape in _SHAPES:
        for match in shape.finditer(note):
            if not _within(match.start(), taken):
                taken.append(range(*match.span()))
                yield match.start(), option, match.group()
    for match in _ADDRESS.finditer(note):
        value = match.group().rstrip(".:")
        if not _within(match.start(), taken) and _is_address(value):
            yield match.start(), "--address", str(ipaddress.ip_address(value))


def _of_arn(arn: str) -> tuple[str, str]:
    """A user, a role or a bucket by its name, as the option wants it; anything else by its ARN."""
    principal = _IN_ARN.fullmatch(arn)
    if principal is not None and principal.group(1) == "user":
        return "--user", principal.group(2)
    if principal is not None and principal.group(1) == "role":
        return "--role", principal.group(2)
    if arn.split(":")[2] == "s3":
        return "--bucket", arn.split(":")[5].split("/")[0]
    return "--resource", arn


def _within(place: int, taken: Iterable[range]) -> bool:
    return any(place in span for span in taken)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
