"""One incident's ledger lines with something of everything that a report tells: for the tests of report, exports and closing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from examples import ACCOUNT, NOON, record, setting, step

from incident.actor import Actor, Credential, Link
from incident.approvals import fingerprint
from incident.ledger import GENESIS, Kind, Line, chained
from incident.plan import Phase, Plan, Unplanned
from incident.record import Record
from incident.reports.means import means
from incident.reports.story import brief_calls

INCIDENT = "inc-0123456789"
ACTOR_IP, OWNER_IP = "198.51.100.7", "203.0.113.20"
AGENT = "aws-cli/2.15.0 md/Botocore#2.15.0 exec-env/evil"


@dataclass
class Names:
    """Everything in the incident that is somebody's own and must not reach outsiders."""

    account: str = ACCOUNT
    user: str = "deploybot"
    made_user: str = "svc-backup-ops"
    person: str = "alice"
    other: str = "robert"
    key: str = "AKIAMALLORYEXAMPLE"
    made_key: str = "AKIASECONDEXAMPLE1"
    group: str = "sg-0a1b2c3d4e5f60718"
    group_name: str = "payments-api"
    table: str = "rtb-0a1b2c3d4e5f60719"
    vpc: str = "vpc-0a1b2c3d4e5f6071a"
    address: str = "192.0.2.77"
    private: str = "10.20.30.40"
    owner_ip: str = OWNER_IP
    title: str = "A key was used from a malicious address"
    reason: str = "checked with the team"

    @property
    def all(self) -> tuple[str, ...]:
        """The identifiers; title and reason are words about them."""
        own = (self.account, self.user, self.made_user, self.person, self.other, self.key, self.made_key, self.group)
        return (*own, self.group_name, self.table, self.vpc, self.address, self.private, self.owner_ip)


@dataclass
class Book:
    """Lines chained as the store chains them, each some seconds after the one before."""

    incident: str = INCIDENT
    at: datetime = NOON + timedelta(hours=1)
    lines: list[Line] = field(default_factory=list[Line])

    def add(self, kind: Kind, key: str, body: dict[str, Any], after: float = 1.0) -> None:
        self.at += timedelta(seconds=after)
        previous = self.lines[-1].hash if self.lines else GENESIS
        self.lines.append(chained(self.incident, len(self.lines) + 1, key, str(kind), self.at, body, previous))

    def phase(self, name: str, returned: str, look: int = 1) -> None:
        body = {"phase": name, "look": look}
        self.add(Kind.PHASE, f"phase:{name}:{look}:begun", {**body, "state": "begun"})
        self.add(Kind.PHASE, f"phase:{name}:{look}:done", {**body, "state": "done", "returned": returned})


def records(names: Names) -> list[Record]:
    """What the actor did: looked around, opened a group, led a route away, made a user and a key, and was refused once."""
    more = {"userAgent": AGENT}
    made = {"accessKey": {"accessKeyId": names.made_key, "userName": names.made_user}}
    own = {"key": names.key, "user": names.user}
    return [
        record("DescribeVpcs", at=0, readOnly=True, **own, **more),
        record("CreateUser", service="iam", at=10, **own, **more),
        record("CreateAccessKey", service="iam", at=20, response=made, **own, **more),
        record("AuthorizeSecurityGroupIngress", at=60, **own, **more),
        record("ReplaceRoute", at=90, key=names.made_key, user=names.made_user, **more),
        record("StopLogging", service="cloudtrail", at=120, errorCode="AccessDenied", **own, **more),
        record("RunInstances", at=150, **own, **more),
    ]


def actor(names: Names) -> Actor:
    seed = Credential(names.key, names.user, "user", Link.PROVED, "the finding names it", "", names.account)
    how = f"{names.user} made this key for user {names.made_user}"
    made = Credential(
        names.made_key, names.made_user, "user", Link.PROVED, how, f"CreateAccessKey-20-{names.user}", names.account, True
    )
    return Actor(
        {one.access_key: one for one in (seed, made)},
        NOON,
        "the finding's first sign",
        names.key,
        owner_addresses=frozenset({names.owner_ip}),
        addresses=frozenset({ACTOR_IP}),
    )


def plans(names: Names) -> tuple[Plan, Plan]:
    """What contains, and what restores and leaves one setting to people."""
    key = setting("access-key", names.key)._replace(account=names.account)
    contain = step(key, expects="Active", leaves="Inactive", phase=Phase.CONTAIN, title=f"Deactivate {names.key} of {names.user}")
    rule = setting("security-group-rule", names.group, "ingress tcp 22 0.0.0.0/0")._replace(account=names.account)
    closes = step(
        rule,
        expects={"Description": names.group_name, "GroupName": names.group_name},
        title=f"Take rule 22 back from {names.group} ({names.group_name})",
        why=(f"AuthorizeSecurityGroupIngress-60-{names.user}",),
        closes_exposure=True,
    )
    route = setting("route", names.table, "0.0.0.0/0")._replace(account=names.account)
    back = step(
        route,
        expects={"GatewayId": names.address},
        leaves={"GatewayId": "igw-0a1b2c3d4e5f6071b"},
        title=f"Lead 0.0.0.0/0 of {names.table} back",
        why=(f"ReplaceRoute-90-{names.made_user}",),
    )
    vpc = setting("vpc-attribute", names.vpc, "EnableDnsSupport")._replace(account=names.account)
    left = Unplanned(status="needs-prior-state", what=f"{names.vpc} DNS", why="nothing tells", key=vpc, found=True)
    title, because = "Remove and restore", f"The actor used {names.user}"
    return (
        Plan(incident=INCIDENT, title="Contain the actor", steps=(contain,), cut_off=(f"{names.user} from {names.owner_ip}",)),
        Plan(incident=INCIDENT, title=title, because=because, steps=(closes, back), unplanned=(left,)),
    )


def told(names: Names | None = None, *, proved: bool = True) -> list[Line]:
    """The lines from the opening to the proof."""
    names = names or Names()
    book, found, who = Book(), records(names), actor(names)
    arn = f"arn:aws:iam::{names.account}:user/{names.user}"
    book.add(Kind.RUN, "run:1", {"flow_run": "0e6f1c1e-5d5b-4f5e-9d0a-2a4b6c8d0e1f"})
    book.add(
        Kind.OPENED,
        "opened",
        {
            "finding": "f1",
            "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
            "severity": 8,
            "account": names.account,
            "region": "us-east-1",
            "suspects": [arn],
            "title": names.title,
            "responds": True,
            "reason": "",
            "received": (NOON + timedelta(minutes=50)).isoformat(),
        },
    )
    book.phase("detect", "respond")
    covered = [
        {"account": names.account, "region": region, "status": "covered", "why": ""} for region in ("us-east-1", "eu-west-1")
    ]
    denied = {"account": names.account, "region": "ap-south-1", "status": "denied", "why": f"AccessDenied for {arn}"}
    book.add(Kind.COVERAGE, "coverage:events:1", {"what": "events", "regions": [*covered, *([] if proved else [denied])]})
    book.add(Kind.ACTOR, "actor:1", who.to_json())
    book.phase("identify", f"The actor uses {names.user} with 2 credentials")
    book.add(Kind.NOTE, "calls:1", {"look": 1, "calls": brief_calls(found, who)})
    book.add(Kind.NOTE, "means:1", {"look": 1, **means(found, who)})
    book.phase("scope", "5 changes by the actor in 1 region on 3 settings")
    _carried_out(book, names)
    _read_at_the_end(book, names, proved=proved)
    return book.lines


def _carried_out(book: Book, names: Names) -> None:
    contain, restore = plans(names)
    for name, plan, phase in (("contain", contain, "contain"), ("restore", restore, "recover")):
        body = {"name": name, "look": 1, "digest": plan.digest, "plan": plan.model_dump(mode="json")}
        book.add(Kind.PLAN, f"plan:{name}:1", body)
        until = (book.at + timedelta(hours=4)).isoformat()
        asked = {"id": f"q-{name}", "question": name, "digest": plan.digest, "suspects": []}
        asked |= {"asked_at": book.at.isoformat(), "expires_at": until, "people": 1, "fingerprint": fingerprint(plan)}
        book.add(Kind.QUESTION, f"question:q-{name}", asked)
        decision = {
            "question": f"q-{name}",
            "person": names.person if name == "contain" else names.other,
            "method": "one-time-code",
            "surface": "slack",
            "answer": "approve",
            "digest": plan.digest,
            "reason": f"{names.reason}: {names.user} is ours",
            "decided_at": book.at.isoformat(),
            "expires_at": until,
        }
        book.add(Kind.DECISION, f"decision:q-{name}:{decision['person']}", decision, after=1200)
        for one in plan.steps:
            outcome = {"plan": plan.digest, "step": one.id, "phase": str(one.phase), "title": one.title, "result": "done"}
            where = {"account": one.account, "region": one.region, "detail": ""}
            book.add(Kind.OUTCOME, f"outcome:{one.id}", {**outcome, **where})
        book.phase(phase, f"{len(plan.steps)} steps done")


def _read_at_the_end(book: Book, names: Names, *, proved: bool) -> None:
    item = {"item": "records/look-1.json", "about": f"records of {names.user}", "bytes": 10, "sha256": "a" * 64}
    book.add(Kind.EVIDENCE, "evidence:records/look-1.json", item)
    if not proved:
        gap = {"item": "volatile/console", "gap": f"denied for {names.person}", "about": f"console output in {names.vpc}"}
        book.add(Kind.EVIDENCE, "evidence-gap:volatile/console", gap)
    unknown = [] if proved else [{"account": names.account, "region": "ap-south-1", "status": "denied", "why": ""}]
    body = {"restored": True, "contained": True, "complete": proved, "settings_checked": 3, "differences": []}
    lists = {"active_credentials": [], "working_credentials": [], "connected_instances": [], "unread": [], "not_understood": []}
    book.add(Kind.PROOF, "proof:1", {**body, **lists, "unknown_regions": unknown, "kept": [], "chosen": []})
    hop = {"resource": names.group, "words": f"{names.group_name} lets it in"}
    exposure = {
        "account": names.account,
        "region": "us-east-1",
        "what": "interface",
        "resource": "eni-0a1b2c3d4e5f6071c",
        "address": names.address,
        "instance": "i-0a1b2c3d4e5f6071d",
        "verdict": "open",
        "reached": ["tcp 22"],
        "perhaps": [],
        "path": [hop],
        "not_known": [],
    }
    empty = {name: [] for name in ("still_open", "before", "others", "untold", "unknown", "not_known")}
    book.add(Kind.EXPOSURES, "exposures:1", {"at": book.at.isoformat(), **empty, "opened": [exposure], "closed": [exposure]})
    row = {"action": "ACCEPT", "interface_id": "eni-0a1b2c3d4e5f6071c", "srcaddr": ACTOR_IP, "dstaddr": names.private, "port": 22}
    flow = {**row, "protocol": 6, "packets": 9, "bytes": 4096, "first_seen": 1772366500, "last_seen": 1772366600}
    gaps = [] if proved else [f"no flow log of {names.vpc} was found"]
    span = {"since": NOON.isoformat(), "until": book.at.isoformat(), "addresses": [ACTOR_IP]}
    book.add(Kind.TRAFFIC, "traffic:1", {**span, "rows": [flow], "number": 1, "item": "flow-logs/touched-1.json", "gaps": gaps})


def with_more(lines: list[Line], *bodies: tuple[Kind, str, dict[str, Any]]) -> list[Line]:
    """The lines with more behind them."""
    book = Book(lines[0].incident, lines[-1].at, list(lines))
    for kind, key, body in bodies:
        book.add(kind, key, body)
    return book.lines


def answered(lines: list[Line], *, person: str = "alice") -> list[Line]:
    """With a remark in every section, so that nothing is left to be determined."""
    from incident.reports.sections import TITLES

    said = {"text": "asked, nothing found", "person": person, "method": "one-time-code", "surface": "command line"}
    bodies = [(Kind.REMARK, f"remark:{name}:1", {**said, "section": name, "at": NOON.isoformat()}) for name in TITLES]
    return with_more(lines, *bodies)
