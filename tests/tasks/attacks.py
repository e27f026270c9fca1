"""A made-up incident's ledger lines, as large as wanted, for tests of the report's pictures."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from incident.actor import Actor, Credential, Link
from incident.ledger import GENESIS, Kind, Line, chained
from incident.record import Record
from incident.reports.story import brief_calls

ACCOUNT = "111122223333"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SEED, MADE, SESSION, SUSPECT = "AKIAMALLORYEXAMPLE01", "AKIAEVEEXAMPLEKEY002", "ASIADEPLOYSESSION003", "AKIAORIGINEXAMPLE004"
_REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2", "us-west-2", "sa-east-1", "eu-north-1", "ca-central-1", "ap-south-1")
_READS = ("DescribeInstances", "DescribeSecurityGroups", "DescribeVpcs", "ListBuckets", "GetCallerIdentity", "DescribeRouteTables")
_CHANGES = (
    "AuthorizeSecurityGroupIngress",
    "AuthorizeSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "CreateRoute",
    "ReplaceRoute",
    "ModifyInstanceAttribute",
    "RunInstances",
    "CreateVpcPeeringConnection",
    "DeleteFlowLogs",
    "ModifySecurityGroupRules",
    "CreateNetworkAclEntry",
    "AssociateRouteTable",
)


class Ledger:
    """Lines chained as the store chains them."""

    def __init__(self, at: datetime = NOON) -> None:
        self.lines: list[Line] = []
        self._at = at

    def add(self, kind: Kind, key: str, body: dict[str, Any], after: float = 0.0) -> None:
        """One more line, so many seconds after the one before."""
        self._at += timedelta(seconds=after)
        previous = self.lines[-1].hash if self.lines else GENESIS
        self.lines.append(chained("inc-1", len(self.lines) + 1, key, kind, self._at, body, previous))


def call(event: str, at: float, *, key: str = SEED, region: str = "us-east-1", ip: str = "198.51.100.7", **more: Any) -> Record:
    """A CloudTrail record, so many seconds after noon."""
    number = random.Random(f"{event}{at}{key}{region}{ip}").getrandbits(128)
    service = "sts" if event == "AssumeRole" else "iam" if event == "CreateAccessKey" else "ec2"
    return Record.parse(
        {
            "eventID": str(UUID(int=number)),
            "eventName": event,
            "eventSource": f"{service}.amazonaws.com",
            "eventTime": (NOON + timedelta(seconds=int(at))).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "awsRegion": region,
            "recipientAccountId": ACCOUNT,
            "sourceIPAddress": ip,
            "userIdentity": {
                "type": "IAMUser",
                "userName": "mallory",
                "accessKeyId": key,
                "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory",
            },
            "readOnly": event.startswith(("Describe", "List", "Get", "Assume")),
            **more,
        }
    )


def gives_key(key: str, user: str, at: float, by: str = SEED) -> Record:
    return call("CreateAccessKey", at, key=by, responseElements={"accessKey": {"accessKeyId": key, "userName": user}})


def gives_session(key: str, role: str, at: float, by: str = SEED) -> Record:
    asked = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    return call("AssumeRole", at, key=by, requestParameters=asked, responseElements={"credentials": {"accessKeyId": key}})


def attack(count: int, seed: int = 7) -> list[Record]:
    """So many calls in half an hour over eight regions: two that hand out credentials, a third changes, a few refused."""
    chance = random.Random(seed)
    records = [gives_key(MADE, "eve", 95), gives_session(SESSION, "Deploy", 140, by=MADE)]
    while len(records) < count:
        at = chance.choice((chance.uniform(0, 1800), chance.gauss(600, 60) % 1800))
        key = chance.choice((SEED, MADE, SESSION)) if at > 150 else SEED
        changing = chance.random() < 0.35
        event = chance.choice(_CHANGES if changing else _READS)
        region = chance.choices(_REGIONS, weights=(9, 6, 4, 3, 2, 1, 1, 1))[0]
        refused = {"errorCode": "Client.UnauthorizedOperation"} if chance.random() < 0.12 else {}
        address = chance.choice(("198.51.100.7", "198.51.100.7", "203.0.113.50"))
        records.append(call(event, at, key=key, region=region, ip=address, **refused))
    return records


def actor_of(records: list[Record]) -> Actor:
    """The actor whose seed made a key for eve, with which a role was assumed, and a suspect before them."""
    key, session = records[0], records[1]
    seed = Credential(SEED, "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
    made = Credential(
        MADE, "eve", "user", Link.PROVED, "mallory made this key for user eve", key.event_id, ACCOUNT, True, key.time.isoformat()
    )
    role = f"arn:aws:iam::{ACCOUNT}:role/Deploy"
    taken = Credential(
        SESSION, role, "role", Link.PROVED, "eve called AssumeRole", session.event_id, ACCOUNT, True, session.time.isoformat()
    )
    how = f"it called GetSessionToken that gave {SEED}, from 192.0.2.10"
    suspect = Credential(SUSPECT, "olivia", "user", Link.SUSPECTED, how, "0e6f1c1e-5d5b-4f5e-9d0a-2a4b6c8d0e1f", ACCOUNT)
    credentials = {one.access_key: one for one in (seed, made, taken, suspect)}
    return Actor(credentials, NOON, "the finding's first sign", SEED)


def told(records: list[Record], actor: Actor, ledger: Ledger | None = None, after: float = 5400) -> list[Line]:
    """The ledger of an incident: opened so long after noon, looked at, asked about, and undone."""
    ledger = ledger or Ledger(NOON + timedelta(seconds=after))
    opened = {
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "title": "A key was used",
        "severity": 8,
        "account": ACCOUNT,
    }
    ledger.add(Kind.OPENED, "opened", {**opened, "region": "us-east-1", "reason": ""})
    for phase, seconds in (("detect", 1), ("identify", 41), ("scope", 55), ("evidence", 20)):
        ledger.add(Kind.PHASE, f"phase:{phase}:1:begun", {"phase": phase, "round": 1, "state": "begun"}, 0.4)
        if phase == "identify":
            ledger.add(Kind.ACTOR, "actor:1", actor.to_json(), 20)
            ledger.add(Kind.NOTE, "calls:1", {"look": 1, "calls": brief_calls(records, actor)})
        ledger.add(Kind.PHASE, f"phase:{phase}:1:done", {"phase": phase, "round": 1, "state": "done", "returned": "ok"}, seconds)
    for phase, steps in (("contain", 3), ("eradicate", 14), ("recover", 41)):
        _phase(ledger, phase, steps)
    ledger.add(Kind.PROOF, "proof:1", {"complete": True, "settings_checked": 58, "differences": []}, 20)
    return ledger.lines


def _phase(ledger: Ledger, phase: str, steps: int) -> None:
    if phase != "recover":
        ledger.add(Kind.QUESTION, f"question:{phase}", {"id": phase, "question": phase, "digest": "5f2a9c1e77b0" + "0" * 52}, 2)
        ledger.add(Kind.DECISION, f"decision:{phase}:alice", {**_DECISION, "digest": "5f2a9c1e77b0" + "0" * 52}, 240)
    ledger.add(Kind.PHASE, f"phase:{phase}:1:begun", {"phase": phase, "round": 1, "state": "begun"}, 1)
    for number in range(steps):
        result = "stopped" if number == 7 else "done"
        body = {"plan": "p", "step": f"{phase}-{number}", "title": f"take back rule {number} of sg-0{number}", "phase": phase}
        ledger.add(Kind.OUTCOME, f"outcome:{phase}:{number}", {**body, "result": result, "detail": ""}, 1.3)
    ledger.add(Kind.PHASE, f"phase:{phase}:1:done", {"phase": phase, "round": 1, "state": "done", "returned": "ok"}, 0.5)


_DECISION = {
    "person": "alice",
    "answer": "approve",
    "surface": "slack",
    "method": "slack",
    "reason": "",
    "decided_at": "2026-03-01",
}
