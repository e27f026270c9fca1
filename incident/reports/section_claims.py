"""The claims of the report's determinations, each drawn from ledger lines and naming them, and what is asked where they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from incident.actor import Credential, Link
from incident.ledger import Kind
from incident.plan import Phase
from incident.reports.attack import Seen, techniques
from incident.reports.case_file import CaseFile
from incident.words import counted

_SHOWN = 12
"""How many of one sort are named; the rest is counted."""

_MADE_TO_RUN = ("RunInstances", "CreateFunction", "UpdateFunctionCode", "CreateLaunchTemplate", "RegisterImage", "SendCommand")


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence, the CloudTrail records that show it, and the ledger line that says it (0 for none).

    `inferred` tells that it is a conclusion, not what a record says.
    """

    text: str
    records: tuple[str, ...] = ()
    line: int = 0
    inferred: bool = False


Told = tuple[list[Claim], list[str]]


def weaknesses(case: CaseFile) -> Told:
    """What let the actor in and let them go on."""
    claims: list[Claim] = []
    seed, line = case.seed, case.position(Kind.ACTOR)
    if seed is None:
        asks = ["ask whoever runs what the finding names how somebody could act there: no credential is known to be the actor's"]
        return claims, asks
    claims.append(Claim(f"{_named(seed)} was in the actor's hands: {seed.how}", _records(seed.record), line))
    claims += _second_factors(case)
    claims += [
        Claim(f"{_named(one)} could be had with it: {one.how}", _records(one.record), line)
        for one in (case.actor.proved if case.actor else ())
        if one.access_key != seed.access_key
    ][:_SHOWN]
    exposed = case.position(Kind.EXPOSURES)
    claims += [
        Claim(f"the internet reached {one['what']} {one['resource']} before the incident and still does", (), exposed)
        for one in case.body(Kind.EXPOSURES).get("before", ())
    ][:_SHOWN]
    asks = [
        f"ask the owner of {seed.owner or seed.access_key} where the credential was kept and who could read it (repositories, "
        "build systems, laptops, images): no record tells how the actor came by it"
    ]
    return claims, asks


def _second_factors(case: CaseFile) -> list[Claim]:
    without = [one for one in case.means.get("factors", ()) if one["mfa"] != "true"]
    return [
        Claim(
            f"it was used without a second factor: CloudTrail tells of none for {one['key']}",
            _records(one["record"]),
            case.means_line,
        )
        for one in without
        if case.actor is not None and one["key"] == case.actor.seed
    ]


def _named(credential: Credential) -> str:
    kind = {"user": "access key", "root": "the root user's credential"}.get(credential.kind, "session key")
    return f"{kind} {credential.access_key} of {credential.owner or 'an unknown owner'}"


def _records(record: str) -> tuple[str, ...]:
    return (record,) if record else ()


def tools(case: CaseFile) -> Told:
    """With what, and from where, the actor worked."""
    claims = [Claim(f"finding type {type_}", (), line) for type_, line in case.finding_types.items() if type_]
    for one in case.means.get("agents", ())[:_SHOWN]:
        words = f"user agent “{one['agent']}”: {counted(one['calls'], 'call')}, first {one['first']}"
        claims.append(Claim(words, _records(one["record"]), case.means_line))
    more = max(0, len(case.means.get("agents", ())) - _SHOWN) + int(case.means.get("more_agents", 0))
    if more:
        claims.append(Claim(f"{counted(more, 'more user agent')}", (), case.means_line))
    claims += _addresses(case)
    ran = [call for call in case.calls if call.event in _MADE_TO_RUN and not call.refused]
    asks: list[str] = []
    if ran:
        claims += [
            Claim(
                f"{call.event} in {call.region}, {call.at:%Y-%m-%d %H:%M:%S} UTC: code of the actor's choice could run",
                (call.record,),
            )
            for call in ran
        ][:_SHOWN]
        asks.append(
            "ask forensics what ran there: open the kept snapshots and packages; no record tells of programs inside a machine"
        )
    if case.calls and not case.means:
        asks.append("ask for the records' user agents in the evidence: this ledger is older than their line in it")
    if not case.calls:
        asks.append("ask whoever runs what the finding names what was used: no call of the actor is known")
    return claims, asks


def _addresses(case: CaseFile) -> list[Claim]:
    calls, first = Counter[str](), dict[str, str]()
    for call in case.calls:
        calls[call.address or "no address"] += call.count
        first.setdefault(call.address or "no address", call.record)
    shown = calls.most_common(_SHOWN)
    claims = [Claim(f"address {one}: {counted(number, 'call')}", (first[one],), case.calls_line) for one, number in shown]
    if len(calls) > _SHOWN:
        claims.append(Claim(f"addresses beside these: {len(calls) - _SHOWN}", (), case.calls_line))
    return claims


def intent(case: CaseFile) -> Told:
    """What the calls are known to serve. It is an inference from what was done; nobody's mind is in a record."""
    seen, unknown = techniques(case.calls)
    claims = [Claim(_technique_in_words(one), _records(one.record), case.calls_line, inferred=True) for one in seen]
    if unknown:
        named = ", ".join(f"{event} ({count})" for event, count in list(unknown.items())[:_SHOWN])
        claims.append(Claim(f"changes that no technique is known for: {named}", (), case.calls_line))
    asks = [
        "ask the owners of what was touched what an intruder could want there; tactics are inferred from calls, not from a motive"
    ]
    return claims, asks


def _technique_in_words(one: Seen) -> str:
    operations = ", ".join(f"{event} ({count})" for event, count in list(one.operations.items())[:6])
    rest = f" and {len(one.operations) - 6} other operations" if len(one.operations) > 6 else ""
    refused = f", {one.refused} of them refused" if one.refused and one.done else ", all refused" if one.refused else ""
    return f"{one.technique.tactic}: {one.technique.id} {one.technique.name}, by {operations}{rest}{refused}"


def attribution(case: CaseFile) -> Told:
    """Which identities acted; who stands behind them, no log of AWS tells."""
    line = case.position(Kind.ACTOR)
    actor = case.actor
    held = list(actor.credentials.values()) if actor else []
    claims = [
        Claim(f"{one.link}: {_named(one)}: {one.how}", _records(one.record), line)
        for one in sorted(held, key=lambda one: list(Link).index(one.link))
    ][: 2 * _SHOWN]
    if actor and actor.owner_addresses:
        own = ", ".join(sorted(actor.owner_addresses)[:_SHOWN])
        claims.append(
            Claim(f"calls from {own} are taken for the rightful owner's, who worked from there before", (), line, inferred=True)
        )
    asks = [
        "ask threat intelligence, and AWS Support, about the addresses and user agents: no record tells which person or group acted"
    ]
    suspected = [one.owner or one.access_key for one in held if one.link is Link.SUSPECTED]
    if suspected:
        asks.append(f"ask the owner of {', '.join(dict.fromkeys(suspected))} whether they did what is suspected of them")
    return claims, asks


def damage(case: CaseFile) -> Told:
    """What was changed, made, opened and spent, as far as it is known."""
    changes = sum(call.count for call in case.calls if call.changed)
    claims: list[Claim] = []
    if case.calls:
        regions = sorted({call.region for call in case.calls if call.changed})
        where = f" in {', '.join(regions)}" if regions else ""
        claims.append(Claim(f"{counted(changes, 'call')} of the actor's changed something{where}", (), case.calls_line))
    claims += [*_undone(case), *_opened(case), *_flows(case), *_charges(case), *_lost(case)]
    asks = [
        "ask the owners of the data behind what was reached whether any was read or taken: the event history holds management "
        "events, not reads of objects, rows or messages",
        "ask the business what stood still, whom it concerns, and whether anybody must be notified",
    ]
    return claims, asks


def _undone(case: CaseFile) -> Iterable[Claim]:
    for phase, words in ((Phase.ERADICATE, "made by the actor and removed"), (Phase.RECOVER, "changed by the actor and put back")):
        lines = case.done_well(phase)
        kinds = Counter(case.steps[str(line.body["step"])].key.kind for line in lines if str(line.body["step"]) in case.steps)
        if lines:
            named = ", ".join(counted(number, kind.replace("-", " ")) for kind, number in kinds.most_common(_SHOWN))
            yield Claim(f"{words}: {named or counted(len(lines), 'setting')}", (), lines[-1].position)
    bad = [line for line in case.outcomes if line.body["phase"] in (Phase.ERADICATE, Phase.RECOVER)]
    ended = {str(line.body["step"]): line for line in bad}
    failed = [line for line in ended.values() if line.body["result"] not in ("done", "already right")]
    for line in failed[:_SHOWN]:
        yield Claim(f"not undone: {line.body['title']}: {line.body['result']}", (), line.position)


def _opened(case: CaseFile) -> Iterable[Claim]:
    told, line = case.body(Kind.EXPOSURES), case.position(Kind.EXPOSURES)
    if not told:
        return
    yield Claim(
        f"{counted(len(told.get('opened', ())), 'way')} from the internet to something that runs opened by the incident, "
        f"{len(told.get('still_open', ()))} still open{', as far as it could be told' if told.get('not_known') else ''}",
        (),
        line,
    )


def _flows(case: CaseFile) -> Iterable[Claim]:
    told = case.body(Kind.TRAFFIC)
    taken = [row for row in told.get("rows", ()) if row.get("action") == "ACCEPT"]
    if taken:
        sent = sum(int(row.get("bytes") or 0) for row in taken)
        words = f"flow logs show {sent} bytes let through between the actor's addresses and {counted(len(taken), 'flow')} of ours"
        yield Claim(words, (), case.position(Kind.TRAFFIC))


def _charges(case: CaseFile) -> Iterable[Claim]:
    told, line = case.body(Kind.COSTS), case.position(Kind.COSTS)
    if told.get("by_actor"):
        yield Claim(f"{counted(len(told['by_actor']), 'thing')} of the actor's that cost money stood at the last count", (), line)
    for one in list(told.get("spikes", ()))[:_SHOWN]:
        words = f"{one['service']} in {one['region']} cost {one['amount']:.2f} {told.get('unit', '')} on {one['day']}"
        yield Claim(f"{words}, usually {one['usual']:.2f}", (), line)


def _lost(case: CaseFile) -> Iterable[Claim]:
    for line in case.all(Kind.EVIDENCE):
        if "gap" in line.body:
            yield Claim(f"evidence lost: {line.body['about']}: {line.body['gap']}", (), line.position)
