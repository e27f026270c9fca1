"""The story that the report's pictures tell: who the actor was, and when what happened. Built from ledger lines alone.

The actor's records are evidence, and far larger than a ledger line may be. `brief_calls` makes the short form of them that the
ledger keeps, under `calls:{look}`; an older ledger has none, and its story is the response's own moments.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from incident.actor import Actor, Credential, Link
from incident.attribution import minted
from incident.ledger import Kind, Line
from incident.plan import Phase, Plan
from incident.record import Record, in_order

MOST_ROWS = 1000
"""Up to here every call has its own row. Beyond it, calls that are alike share one, which counts them."""

SEVERAL = "several addresses"

_MOST_ALIKE = 6
"""How many leaves of one parent are drawn each on its own; beyond it the rest share a node."""

_ORIGIN = re.compile(r"(?:.*; )?it called (?P<event>\w+) that gave (?P<key>\S+), from .*")
_VERB = re.compile(
    r"^(BatchCreate|Create|Delete|Modify|Update|Put|Run|Authorize|Revoke|Attach|Detach|Associate|Disassociate|Replace)"
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_UNDOING = (Phase.ERADICATE, Phase.RECOVER)


@dataclass(frozen=True, slots=True)
class Calls:
    """One call of the actor, or `count` that are alike: the first at `at`, the last at `until`, `record` the first one's id.

    `gave` is the actor's credential that the call handed out. A refused call changed nothing. `service` is empty in older ledgers.
    """

    at: datetime
    until: datetime
    event: str
    region: str
    account: str
    key: str
    address: str
    refused: bool
    changed: bool
    record: str
    count: int = 1
    gave: str = ""
    service: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row as the ledger keeps it, less what a single call says twice."""
        row = {name: getattr(self, name) for name in self.__slots__}
        row |= {"at": self.at.isoformat(), "until": self.until.isoformat()}
        usual = {"until": row["at"], "count": 1, "gave": "", "service": ""}
        return {name: value for name, value in row.items() if usual.get(name) != value}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Calls:
        moments = {name: datetime.fromisoformat(row.get(name, row["at"])) for name in ("at", "until")}
        fields: dict[str, Any] = {**row, **moments}
        return cls(**fields)


class _Sharing(NamedTuple):
    """Which calls may share a row: those within a window of the row's first, changes too or not, one address or any."""

    window: timedelta
    changes: bool = False
    addresses: bool = False


_EVER = timedelta.max
_TIGHTER = (
    _Sharing(timedelta(minutes=5)),
    _Sharing(timedelta(hours=1)),
    _Sharing(_EVER),
    _Sharing(timedelta(minutes=5), changes=True),
    _Sharing(_EVER, changes=True, addresses=True),
)


def brief_calls(records: Iterable[Record], actor: Actor) -> list[dict[str, Any]]:
    """The actor's own calls among the records, short enough for one ledger line.

    Every call is counted in exactly one row. A call that handed out one of the actor's credentials always has its own. With more
    than `MOST_ROWS` calls, first those that changed nothing share rows, changes only where that is not enough; in the end there is
    one row for each credential, region, event name and outcome.
    """
    single = [_call(record, actor) for record in in_order(records) if actor.did(record)]
    rows = single
    for sharing in _TIGHTER:
        if len(rows) <= MOST_ROWS:
            break
        rows = _shared(single, sharing)
    return [row.to_json() for row in rows]


def _call(record: Record, actor: Actor) -> Calls:
    credential = minted(record)
    gave = credential.access_key if credential and credential.access_key in actor.credentials else ""
    return Calls(
        at=record.time,
        until=record.time,
        event=record.event_name,
        region=record.region,
        account=record.account,
        key=record.identity.access_key,
        address=record.source_ip,
        refused=not record.succeeded,
        changed=record.succeeded and not record.read_only,
        record=record.event_id,
        gave=gave,
        service=record.service,
    )


def _shared(single: Iterable[Calls], sharing: _Sharing) -> list[Calls]:
    rows: list[Calls] = []
    newest: dict[tuple[Any, ...], int] = {}
    for call in single:
        if call.gave or (call.changed and not sharing.changes):
            rows.append(call)
            continue
        address = "" if sharing.addresses else call.address
        alike = (call.service, call.event, call.region, call.account, call.key, call.refused, call.changed, address)
        place = newest.get(alike)
        if place is None or call.at - rows[place].at > sharing.window:
            newest[alike] = len(rows)
            rows.append(call)
            continue
        row = rows[place]
        shown = row.address if row.address == call.address else SEVERAL
        rows[place] = replace(row, until=call.at, count=row.count + 1, address=shown)
    return rows


def calls_of(lines: Sequence[Line]) -> tuple[Calls, ...]:
    """The actor's calls as the newest look kept them; none in an older ledger."""
    kept = [line for line in lines if line.kind == Kind.NOTE and line.key.startswith("calls:")]
    return tuple(Calls.from_json(row) for row in kept[-1].body["calls"]) if kept else ()


@dataclass(frozen=True, slots=True)
class Held:
    """A node: a credential in the actor's hands, or several leaves of one parent (`keys`) that would crowd the picture.

    `event` is the call that handed it out, `changes` those of its calls that changed something.
    """

    id: str
    keys: tuple[str, ...]
    owner: str
    kind: str
    link: Link
    how: str
    record: str
    account: str
    seed: bool
    made: bool
    issued: str
    event: str
    calls: int
    changes: int
    addresses: tuple[str, ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Touched:
    """A node: resources of one kind that a credential made or changed, in `changes` calls."""

    id: str
    kind: str
    names: tuple[str, ...]
    regions: tuple[str, ...]
    records: tuple[str, ...]
    changes: int
    depth: int


@dataclass(frozen=True, slots=True)
class Edge:
    """What leads from one node to another; `record` is the CloudTrail record that proves it, or makes it suspected."""

    source: str
    target: str
    link: Link
    record: str


@dataclass(frozen=True, slots=True)
class ActorGraph:
    """Every node has at most one edge that leads to it: drawn in layers from left to right, no edge need cross another."""

    held: tuple[Held, ...] = ()
    touched: tuple[Touched, ...] = ()
    edges: tuple[Edge, ...] = ()

    def below(self, node: str) -> list[str]:
        """The ids of the nodes that a node leads to."""
        return [edge.target for edge in self.edges if edge.source == node]


class _Parent(NamedTuple):
    key: str
    link: Link
    record: str
    event: str


def actor_graph(lines: Sequence[Line]) -> ActorGraph:
    """Who the actor was: from the newest look's credentials, its calls, and the plans that say what each record changed."""
    found = [line for line in lines if line.kind == Kind.ACTOR]
    if not found:
        return ActorGraph()
    actor, calls = Actor.from_json(found[-1].body), calls_of(lines)
    parents = _parents(actor, calls)
    held = _held(actor, calls, parents)
    by_key = {key: node.id for node in held for key in node.keys}
    links = [(node, parents[node.keys[0]]) for node in held if node.keys[0] in parents]
    edges = [Edge(by_key[parent.key], node.id, parent.link, parent.record) for node, parent in links]
    changed = [call for call in calls if call.changed and not call.gave]
    touched, made = _all_touched(held, changed, _subjects(lines))
    return ActorGraph(tuple(held), tuple(touched), tuple(edges + made))


def _parents(actor: Actor, calls: Iterable[Calls]) -> dict[str, _Parent]:
    """For each credential the one that it came from, where that is known."""
    gave = {call.gave: call for call in calls if call.gave}
    parents: dict[str, _Parent] = {}
    for credential in actor.credentials.values():
        key, call, origin = credential.access_key, gave.get(credential.access_key), _ORIGIN.fullmatch(credential.how)
        if call is not None:
            parents[key] = _Parent(call.key, credential.link, call.record, call.event)
        if origin is not None:
            parents.setdefault(origin["key"], _Parent(key, credential.link, credential.record, origin["event"]))
        elif call is None and (caller := _caller(actor, credential)) is not None:
            event = "CreateAccessKey" if credential.kind == "user" else credential.how.rpartition(" ")[2]
            parents.setdefault(key, _Parent(caller, credential.link, credential.record, event))
    known = {key: parent for key, parent in parents.items() if key in actor.credentials and parent.key in actor.credentials}
    return {key: parent for key, parent in known.items() if not _turns_back(key, known)}


def _caller(actor: Actor, credential: Credential) -> str | None:
    """Without the calls, the parent is told only where the principal that the link names held a single credential."""
    principal = credential.how.rpartition("; ")[2].partition(" ")[0].split(":")[-1].split("/")
    name = principal[1] if principal[0] == "assumed-role" and len(principal) > 1 else principal[-1]
    held = [
        one.access_key for one in actor.proved if one.owner.rpartition("/")[2] == name and one.access_key != credential.access_key
    ]
    return held[0] if credential.record and len(held) == 1 else None


def _turns_back(key: str, parents: Mapping[str, _Parent]) -> bool:
    """Whether the way up from a credential meets it again, as only a misread ledger could say."""
    seen: set[str] = set()
    above = parents.get(key)
    while above is not None and above.key not in seen:
        if above.key == key:
            return True
        seen.add(above.key)
        above = parents.get(above.key)
    return False


def _depth(key: str, parents: Mapping[str, _Parent]) -> int:
    depth = 0
    while (parent := parents.get(key)) is not None:
        key, depth = parent.key, depth + 1
    return depth


def _held(actor: Actor, calls: Sequence[Calls], parents: Mapping[str, _Parent]) -> list[Held]:
    used: defaultdict[str, list[Calls]] = defaultdict(list)
    for call in calls:
        used[call.key].append(call)
    changes = {key: _total(call for call in own if call.changed) for key, own in used.items()}
    groups = enumerate(_groups(actor, parents, changes))
    return [_node(f"c{number}", actor, keys, [call for key in keys for call in used[key]], parents) for number, keys in groups]


def _node(id_: str, actor: Actor, keys: tuple[str, ...], calls: Sequence[Calls], parents: Mapping[str, _Parent]) -> Held:
    first, parent = actor.credentials[keys[0]], parents.get(keys[0])
    addresses = Counter[str]()
    for call in calls:
        addresses[call.address] += call.count
    return Held(
        id=id_,
        keys=keys,
        owner=", ".join(dict.fromkeys(actor.credentials[key].owner for key in keys)),
        kind=first.kind,
        link=first.link,
        how=first.how,
        record=first.record,
        account=first.account,
        seed=actor.seed in keys,
        made=first.made,
        issued=first.issued,
        event=parent.event if parent else "",
        calls=_total(calls),
        changes=_total(call for call in calls if call.changed),
        addresses=tuple(address for address, _ in addresses.most_common() if address),
        depth=_depth(keys[0], parents),
    )


def _total(calls: Iterable[Calls]) -> int:
    return sum(call.count for call in calls)


def _groups(actor: Actor, parents: Mapping[str, _Parent], changes: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Each credential alone, but the quietest of many leaves of one parent together."""
    inner = {parent.key for parent in parents.values()} | {actor.seed}
    groups: list[tuple[str, ...]] = [(key,) for key in actor.credentials if key in inner]
    leaves: defaultdict[tuple[str, Link], list[str]] = defaultdict(list)
    for key, credential in actor.credentials.items():
        if key not in inner:
            parent = parents.get(key)
            leaves[parent.key if parent else "", credential.link].append(key)
    for alike in leaves.values():
        shown = len(alike) if len(alike) <= _MOST_ALIKE else _MOST_ALIKE - 1
        busiest = sorted(alike, key=lambda key: -changes.get(key, 0))
        groups += [(key,) for key in busiest[:shown]]
        groups += [tuple(busiest[shown:])] if busiest[shown:] else []
    return groups


class _Subject(NamedTuple):
    kind: str
    name: str


def _subjects(lines: Iterable[Line]) -> dict[str, list[_Subject]]:
    """What each record changed, as the plans say that undo it."""
    subjects: defaultdict[str, list[_Subject]] = defaultdict(list)
    for line in lines:
        if line.kind != Kind.PLAN:
            continue
        plan = Plan.model_validate(line.body["plan"])
        undone = [(step.key, step.why) for step in plan.steps if step.phase in _UNDOING]
        left = [(item.key, item.records) for item in plan.unplanned if item.key is not None]
        for key, records in (*undone, *left):
            for record in records:
                subjects[record].append(_Subject(key.kind.replace("-", " "), key.resource))
    return subjects


def _all_touched(
    held: Iterable[Held], changed: Sequence[Calls], subjects: Mapping[str, list[_Subject]]
) -> tuple[list[Touched], list[Edge]]:
    own: defaultdict[str, list[Calls]] = defaultdict(list)
    for call in changed:
        own[call.key].append(call)
    touched: list[Touched] = []
    edges: list[Edge] = []
    for node in held:
        for kind, calls in _kinds([call for key in node.keys for call in own[key]], subjects):
            item = _of_kind(f"r{len(touched)}", node, kind, calls, subjects)
            touched.append(item)
            edges.append(Edge(node.id, item.id, Link.PROVED, item.records[0]))
    return touched, edges


def _kinds(calls: Iterable[Calls], subjects: Mapping[str, list[_Subject]]) -> list[tuple[str, list[Calls]]]:
    """What calls changed, by kind, the most changed first. A call counts once: under the first kind that a plan names for it."""
    kinds: defaultdict[str, list[Calls]] = defaultdict(list)
    for call in calls:
        named = subjects.get(call.record)
        kinds[named[0].kind if named else _noun(call.event)].append(call)
    ranked = sorted(kinds.items(), key=lambda item: (-_total(item[1]), item[0]))
    if len(ranked) <= _MOST_ALIKE:
        return ranked
    rest = ranked[_MOST_ALIKE - 1 :]
    return [*ranked[: _MOST_ALIKE - 1], (f"{len(rest)} other kinds", [call for _, own in rest for call in own])]


def _of_kind(id_: str, node: Held, kind: str, calls: Sequence[Calls], subjects: Mapping[str, list[_Subject]]) -> Touched:
    named = [subjects.get(call.record, []) for call in calls]
    names = [subject.name for group in named for subject in group if subject.kind == group[0].kind]
    return Touched(
        id=id_,
        kind=kind,
        names=tuple(dict.fromkeys(name for name in names if name)),
        regions=tuple(sorted({call.region for call in calls})),
        records=tuple(call.record for call in calls),
        changes=_total(calls),
        depth=node.depth + 1,
    )


def _noun(event: str) -> str:
    """What a call is about, from its name: `CreateNetworkInsightsPath` is about a network insights path."""
    words = _WORD.findall(_VERB.sub("", event))
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words) or event


class Lane(StrEnum):
    """The response's lanes of the timeline."""

    PHASES = "phases"
    PEOPLE = "people"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the response did; `line` is the position of the ledger line that says so.

    `until` is the end of a phase, `None` while it has none; for everything else it is `at`. `alike` names what may share a label.
    """

    at: datetime
    until: datetime | None
    lane: Lane
    what: str
    alike: str
    well: bool
    line: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The actor's calls and the response's marks, each in order of time."""

    calls: tuple[Calls, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def count(self) -> int:
        """How many calls there are, shared rows counted in full."""
        return _total(self.calls)


def timeline(lines: Sequence[Line]) -> Timeline:
    """When what happened."""
    calls = sorted(calls_of(lines), key=lambda call: call.at)
    ends = {line.key.removesuffix(":done"): line.at for line in lines if line.kind == Kind.PHASE and line.body["state"] == "done"}
    marks = [mark for line in lines if (mark := _mark(line, ends)) is not None]
    return Timeline(tuple(calls), tuple(sorted(marks, key=lambda mark: mark.at)))


def _mark(line: Line, ends: Mapping[str, datetime]) -> Mark | None:
    body = line.body
    match line.kind:
        case Kind.OPENED:
            return Mark(line.at, line.at, Lane.PEOPLE, "incident opened", "opened", True, line.position)
        case Kind.PHASE if body["state"] == "begun":
            run = line.key.removesuffix(":begun")
            look, end = run.rpartition(":")[2], ends.get(run)
            what = str(body["phase"]).replace("-", " ") + ("" if look == "1" else f" (look {look})")
            return Mark(line.at, end, Lane.PHASES, what, what, end is not None, line.position)
        case Kind.QUESTION:
            return Mark(line.at, line.at, Lane.PEOPLE, f"asked: plan {str(body['digest'])[:12]}", "asked", True, line.position)
        case Kind.DECISION:
            what = f"{body['person']}: {body['answer']}"
            return Mark(line.at, line.at, Lane.PEOPLE, what, what, body["answer"] == "approve", line.position)
        case Kind.AMENDMENT:
            what = f"{body['person']} amended: {body['kind']}"
            return Mark(line.at, line.at, Lane.PEOPLE, what, what, True, line.position)
        case Kind.OUTCOME:
            well = body["result"] in ("done", "already right")
            alike = f"{body['phase']}: {body['result']}"
            return Mark(line.at, line.at, Lane.STEPS, f"{body['title']}: {body['result']}", alike, well, line.position)
        case Kind.PROOF:
            what = "proved: restored" if body["complete"] else "proof: incomplete"
            return Mark(line.at, line.at, Lane.PEOPLE, what, what, bool(body["complete"]), line.position)
        case _:
            return None
