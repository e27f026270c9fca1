"""Changes real-shaped deliveries in their structure or their bytes, the same way for the same seed."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

from arriving import asff, asff_of_guardduty, called, imported, record
from findings import FINDING_ID, INSTANCE_TYPE, as_api, envelope, finding

_SEEDS = (
    envelope(finding()),
    envelope(finding(INSTANCE_TYPE)),
    finding(),
    as_api(finding()),
    imported(asff()),
    imported(asff_of_guardduty(), asff()),
    called(record()),
)
_JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5e308, 10**400, "", " ", "x" * 5000, "\x00", "\ud800", "\u202e<!channel>", "{{7*7}}", "../../etc",
    "arn:aws:iam::111122223333:root", "2999-13-45T99:99:99Z",
    "0001-01-01T00:00:00+23:59", [], {}, [[]], [None], {"": None}, [{}] * 50,
    {"Id": "x", "ProductArn": 1}, "999988887777", "us-east-1",
)  # fmt: skip


def mutation(seed: int) -> bytes:
    """One delivery, changed in one to four places."""
    chance = random.Random(seed)
    content = copy.deepcopy(chance.choice(_SEEDS))
    if chance.random() < 0.5:
        # One that GuardDuty does not know; under the known id most would be copies of each other.
        content = json.loads(json.dumps(content).replace(FINDING_ID, f"{seed:032x}"))
    if chance.random() < 0.7:
        for _ in range(chance.randint(1, 4)):
            _change(content, chance)
        return json.dumps(content).encode()
    raw = bytearray(json.dumps(content).encode())
    for _ in range(chance.randint(1, 4)):
        _change_bytes(raw, chance)
    return bytes(raw)


def _change(content: Any, chance: random.Random) -> None:
    """Walk down at random, and replace, remove, repeat or add what is there."""
    holder = content
    while True:
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not places:
            return
        place = chance.choice(places)
        below = holder[place]
        if isinstance(below, dict | list) and below and chance.random() < 0.8:
            holder = below
            continue
        break
    match chance.randrange(4):
        case 0:
            del holder[place]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(("id", "Id", "by", "type", "detail", "eventID", "\ud800", "x" * 600))] = copy.deepcopy(below)
        case 2 if isinstance(below, str) and below:
            at = chance.randrange(len(below))
            holder[place] = below[:at] + chance.choice(("\x00", "é", "\ud800", "'", "`", "\n", ":", "")) + below[at + 1 :]
        case _:
            holder[place] = copy.deepcopy(chance.choice(_JUNK))


def _change_bytes(raw: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(raw) + 1)
    to = min(len(raw), at + chance.randint(1, 40))
    match chance.randrange(5):
        case 0:
            del raw[at:to]
        case 1:
            raw[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 8)))
        case 2:
            raw[at:at] = raw[at:to] * chance.randint(1, 20)
        case 3:
            del raw[at:]
        case _:
            raw[at:to] = chance.choice((b"[", b"{", b'"', b"\\u", b"NaN", b"1e999", b"-", b"\xff\xfe", b"9" * 5000))
