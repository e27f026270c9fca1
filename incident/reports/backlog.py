"""Lessons and backlog items: what is to be done after an incident, by whom, until it is done. Every word on one is a ledger line.

Items that belong to no incident stand in a chain of their own, with the playbook's four stories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from incident.ledger import Kind, Line
from incident.reports.recommendations import Perspective, Recommendation

BACKLOG_CHAIN = "backlog"
"""The chain that holds items of no incident."""

LONGEST = 1000
STORIES = (
    "As a security engineer I monitor all critical VPCs, so that what flows there can be asked after an incident",
    "As an incident responder I coordinate business, infrastructure and security teams, so that a decision finds whom it concerns",
    "As an analyst I query flow logs at scale, so that an address is followed through all accounts in minutes",
    "As an auditor I am shown that AWS Config is used properly in every account, so that prior state is never guessed",
)
"""The playbook's backlog stories."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item; `owner` is empty while nobody has it, `done` while it is not done. `line` is where it was added."""

    id: str
    title: str
    perspective: str
    owner: str
    due: str
    done: str
    added_by: str
    line: int

    @property
    def state(self) -> str:
        return f"done: {self.done}" if self.done else "open" if self.owner else "open, without owner"


def _whole(text: str) -> str:
    """A text as the ledger can hold it: a terminal may hand over bytes that are no text."""
    return text.strip().encode("utf-8", "replace").decode()


def item_id(title: str) -> str:
    """The same id for the same words, so that an item that is added twice stands once."""
    return f"item-{hashlib.sha256(_whole(title).lower().encode()).hexdigest()[:8]}"


def added(title: str, perspective: str, person: str) -> Mapping[str, Any]:
    return {"does": "add", "item": item_id(title), "title": _whole(title), "perspective": perspective, "person": person}


def assigned(item: str, owner: str, due: str, person: str) -> Mapping[str, Any]:
    return {"does": "assign", "item": item, "owner": _whole(owner), "due": due, "person": person}


def finished(item: str, how: str, person: str) -> Mapping[str, Any]:
    return {"does": "done", "item": item, "how": _whole(how), "person": person}


def items(lines: Iterable[Line]) -> tuple[Item, ...]:
    """The items as the lines leave them, in the order in which they were added."""
    found: dict[str, Item] = {}
    for line in (line for line in lines if line.kind == Kind.BACKLOG):
        body, id_ = line.body, str(line.body["item"])
        if body["does"] == "add" and id_ not in found:
            found[id_] = Item(id_, str(body["title"]), str(body["perspective"]), "", "", "", str(body["person"]), line.position)
        elif body["does"] == "assign" and id_ in found:
            found[id_] = replace(found[id_], owner=str(body["owner"]), due=str(body["due"]))
        elif body["does"] == "done" and id_ in found:
            found[id_] = replace(found[id_], done=str(body["how"]))
    return tuple(found.values())


def proposed(recommended: Iterable[Recommendation], known: Iterable[Item]) -> list[Recommendation]:
    """The recommendations that no item has taken up yet."""
    taken = {item.id for item in known}
    return [one for one in recommended if item_id(one.text) not in taken]


def problem(title: str, perspective: str) -> str:
    """What keeps an item from being added, in one sentence; empty when nothing does."""
    if not title.strip():
        return "the item is empty; write what is to be done, and by what it is seen to be done"
    if len(title) > LONGEST:
        return f"the item has {len(title)} characters; keep it under {LONGEST}"
    if perspective not in [str(one) for one in Perspective]:
        return f"there is no perspective {perspective[:30]!r}; use one of: {', '.join(Perspective)}"
    return ""
