"""When an incident may be closed: nothing is unproven, nothing is left to people, and every lesson has an owner."""

from __future__ import annotations

from collections.abc import Sequence

from incident.ledger import Kind, Line
from incident.reports.backlog import items
from incident.reports.case_file import CaseFile
from incident.reports.sections import sections
from incident.words import counted

_UNPROVEN = {
    "differences": "setting differs from what it must be",
    "active_credentials": "credential of the actor is not stopped",
    "working_credentials": "credential worked after it was stopped",
    "connected_instances": "instance is not isolated",
    "unread": "setting could not be read",
    "unknown_regions": "region is not known",
    "not_understood": "change is not understood",
}


def is_closed(lines: Sequence[Line]) -> bool:
    return any(line.kind == Kind.CLOSED for line in lines)


def reasons_against(lines: Sequence[Line], unplanned: Sequence[object], waiting: Sequence[str]) -> tuple[str, ...]:
    """Why an incident cannot be closed, one sentence each with what to do; none when it can.

    Args:
        unplanned: what the newest plans leave to people.
        waiting: the names of evidence items that wait for their store.
    """
    case = CaseFile(lines)
    found = [*_unproven(case)]
    if unplanned:
        found.append(f"{counted(len(unplanned), 'item')} left to people; settle each with `countermand amend`")
    if waiting:
        found.append(f"evidence that waits for the store: {len(waiting)} of it; see `countermand evidence verify`")
    found += _undone(case)
    # Of what was only reported nobody changed anything here, so there is nothing to determine from it.
    asked = sections(case) if case.opened.get("responds", True) else ()
    found += [f"nobody has answered “{one.title}”; write it with `countermand note`" for one in asked if one.is_open]
    ownerless = [item for item in items(lines) if not item.owner and not item.done]
    if ownerless:
        found.append(f"{counted(len(ownerless), 'backlog item')} without owner, first {ownerless[0].id}; use `countermand backlog`")
    return tuple(found)


def _unproven(case: CaseFile) -> list[str]:
    if not case.opened.get("responds", True):
        return []
    proof = case.body(Kind.PROOF)
    if not proof:
        return ["no proof was made: the response has not ended; wait for its run, or see why it stands"]
    told = [f"unproven: {len(proof[name])} × {words}" for name, words in _UNPROVEN.items() if proof.get(name)]
    return told or ([] if proof["complete"] else ["unproven: the proof is not complete; see the report"])


def _undone(case: CaseFile) -> list[str]:
    """What is known of containment that was taken back and not done again, by the newest reading."""
    held = [line for line in case.all(Kind.NOTE) if line.key.startswith("held:")]
    lost = [item for item in held[-1].body["undone"] if not item["good"]] if held else []
    return [f"containment undone and not done again: {item['title']}" for item in lost]
