"""The first lines of the report: what happened and what was done, each sentence with the ledger line that it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from incident.ledger import Kind, Line
from incident.reports.case_file import GOOD, CaseFile
from incident.reports.section_claims import Claim
from incident.words import counted

_PHASES = {"contain": "Stopping the actor", "eradicate": "Removing what they made", "recover": "Putting the network back"}


def happened(case: CaseFile) -> tuple[Claim, ...]:
    """Who or what opened the incident, who acted, and what they changed."""
    opened = next(line for line in case.lines if line.kind == Kind.OPENED)
    found = [Claim(f"{_opening(opened)} in account {opened.body['account']}, {opened.body['region']}", (), opened.position)]
    if opened.body.get("follows"):
        found.append(Claim(f"It follows {opened.body['follows']}, about the same and closed before", (), opened.position))
    for phase in ("identify", "scope"):
        done = [line for line in case.all(Kind.PHASE) if line.body["phase"] == phase and line.body["state"] == "done"]
        found += [Claim(str(line.body["returned"]), (), line.position) for line in done[-1:]]
    first = min(case.calls, key=lambda call: call.at, default=None)
    if first is not None:
        last = max(case.calls, key=lambda call: call.until)
        words = f"Their calls reach from {first.at:%Y-%m-%d %H:%M:%S} to {last.until:%Y-%m-%d %H:%M:%S} UTC"
        if first.at == last.until:
            words = f"They are seen at {first.at:%Y-%m-%d %H:%M:%S} UTC only"
        found.append(Claim(words, tuple(dict.fromkeys((first.record, last.record))), case.calls_line))
    return tuple(found)


def _opening(opened: Line) -> str:
    by = opened.body.get("by")
    return f"{by['person']} opened the incident by hand ({by['reason']})" if by else f"{opened.body['type']} was reported"


def done(case: CaseFile) -> tuple[Claim, ...]:
    """How the steps of each phase ended, who decided, what is kept, and what the proof says."""
    return (*_steps(case), *_decisions(case), *_evidence(case), *_proof(case))


def _steps(case: CaseFile) -> Iterator[Claim]:
    newest = {str(line.body["step"]): line for line in case.outcomes}
    for phase, what in _PHASES.items():
        ended = [line for line in newest.values() if line.body["phase"] == phase]
        well = [line for line in ended if line.body["result"] in GOOD]
        if ended:
            last = max(ended, key=lambda line: line.position)
            yield Claim(f"{what}: {len(well)} of {counted(len(ended), 'step')} ended well", (), last.position)
    if not newest:
        yield Claim(str(case.opened.get("reason") or "Nothing was changed in AWS"))


def _decisions(case: CaseFile) -> Iterator[Claim]:
    said = case.all(Kind.DECISION)
    if said:
        people = ", ".join(dict.fromkeys(f"{line.body['person']} ({line.body['answer']})" for line in said))
        yield Claim(f"Decided by {people}", (), said[-1].position)
    allowed = case.all(Kind.PREAUTHORIZATION)
    if allowed:
        yield Claim("Part of the containment ran at once, as the policy allows", (), allowed[-1].position)


def _evidence(case: CaseFile) -> Iterator[Claim]:
    kept = [line for line in case.all(Kind.EVIDENCE) if "sha256" in line.body]
    if kept:
        yield Claim(f"{counted(len(kept), 'item')} of evidence kept, each with its SHA-256", (), kept[-1].position)


def _proof(case: CaseFile) -> Iterator[Claim]:
    proof = case.newest(Kind.PROOF)
    if proof is not None:
        checked = f"{counted(int(proof.body['settings_checked']), 'setting')} read again"
        verdict = "all as they must be" if proof.body["complete"] else "and not everything is proved, see below"
        yield Claim(f"{checked}, {verdict}", (), proof.position)
