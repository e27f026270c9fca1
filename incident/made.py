"""What the actor made, and what has become of it: what is there, what is gone already and by whom, what others rely on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from incident.plan import Made, MadeState, Plan
from incident.planner import Live, Unread
from incident.record import Record
from incident.resources.compute import USED_BY
from incident.settings import Reversal, SettingKey, Unknown

_BY_US = "this response deleted it"
_DELETED = ("deletion done", "deletion already right")
_NOBODY = "no record tells who deleted it: it may have ended by itself"


def made_by_actor(reversals: Iterable[Reversal], live: Live, ours: Collection[SettingKey] = ()) -> tuple[Made, ...]:
    """Every resource that the actor made, once each, as the reads just showed it.

    Args:
        reversals: what the actor wrote.
        live: what a read showed of each.
        ours: what steps of this incident deleted already.
    """
    made = [one for one in reversals if one.key.name == "" and one.target is None]
    return tuple(_made(one, live, ours) for one in {one.key: one for one in made}.values())


def _made(one: Reversal, live: Live, ours: Collection[SettingKey]) -> Made:
    state, detail = _state(one, live, ours)
    return Made(key=one.key, state=state, detail=detail, records=tuple(record.event_id for record in one.by_actor))


def _state(one: Reversal, live: Live, ours: Collection[SettingKey]) -> tuple[MadeState, str]:
    found = live.get(one.key, Unread("it was not read"))
    if isinstance(found, Unread):
        return MadeState.UNREAD, found.reason
    if found is None or found.value is None:
        return MadeState.GONE, _BY_US if one.key in ours else _ended(one)
    relied = list(_who_relies(one))
    if found.handles.get(USED_BY):
        relied.append(f"{found.handles[USED_BY]} uses it")
    return (MadeState.RELIED_ON, "; ".join(relied)) if relied else (MadeState.EXISTS, "")


def _ended(one: Reversal) -> str:
    """Who deleted it and when, as the last record on it tells."""
    if one.since and one.since[-1].after is None:
        return _deleted(one.since[-1].record, "")
    if not one.since and not isinstance(one.written, Unknown) and one.written is None:
        return _deleted(one.by_actor[-1], ", the actor")
    return _NOBODY


def _deleted(record: Record, who: str) -> str:
    return f"{record.event_name} by {record.identity.label}{who}, {record.time:%Y-%m-%d %H:%M:%S} UTC, record {record.event_id}"


def _who_relies(one: Reversal) -> Iterator[str]:
    for entry in dict.fromkeys((entry.key, entry.record.event_id) for entry in one.relying):
        record = next(item.record for item in one.relying if (item.key, item.record.event_id) == entry)
        yield f"{record.identity.label} called {record.event_name} at {record.time:%Y-%m-%d %H:%M:%S} UTC"


def summed_up(made: Iterable[Made]) -> str:
    """How many are in which state, in words; empty for none."""
    counts = Counter(one.state for one in made)
    return ", ".join(_counted(counts[state], state) for state in MadeState if counts[state])


def _counted(number: int, state: MadeState) -> str:
    return f"{number} exist" if state is MadeState.EXISTS and number > 1 else f"{number} {state}"


def made_rows(plans: Sequence[Plan], ended: Mapping[tuple[str, str], str]) -> tuple[dict[str, Any], ...]:
    """For the report: each thing once, as it was when it was first looked at, and what became of it then.

    Args:
        plans: in the order in which they were made.
        ended: how steps ended, by the digest of their plan and their id.
    """
    rows: dict[SettingKey, dict[str, Any]] = {}
    for one in (one for plan in plans for one in plan.made):
        row = rows.setdefault(one.key, {**one.model_dump(mode="json"), "kind": one.key.kind.replace("-", " "), "end": ""})
        if one.state != row["state"] and one.detail != _BY_US:
            row["end"] = f"{one.state}, {one.detail}" if one.detail else str(one.state)
    for plan in plans:
        for step in plan.steps:
            if step.key in rows and step.leaves is None and (plan.digest, step.id) in ended:
                rows[step.key]["end"] = f"deletion {ended[plan.digest, step.id]}"
    deleted = {(*key[:2], key.resource): row["kind"] for key, row in rows.items() if row["end"] in _DELETED}
    for key, row in rows.items():
        if row["end"].endswith(_NOBODY) and (place := (*key[:2], key.resource)) in deleted:
            row["end"] = f"gone with the {deleted[place]}, which this response deleted"
    return tuple(rows.values())
