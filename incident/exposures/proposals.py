"""Proposals: an exposure that is new since the last baseline, and that no approved change explains, is put before people.

Nothing is done by itself: the message spells out the command by which somebody opens an incident.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from incident.exposures.exposure import Exposure
from incident.families import family_for_event
from incident.people.messages import Blocks, plain, section, slack
from incident.record import Record, in_order
from incident.settings import Entry, Fold, PriorValue, SettingKey, canonical

_ON_MANY_PATHS = frozenset(
    {
        "vpc-block-public-access",
        "vpc-block-public-access-exclusion",
        "prefix-list-entry",
        "subnet",
        "route-table-association",
        "main-route-table",
        "network-acl-association",
    }
)
"""Kinds that open a path without being named on it; were they left out, an approved change could cover for another's."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9:/._-]+")


@dataclass(frozen=True, slots=True)
class Proposal:
    """One new exposure; `changed` are the settings on its path that are not as they were, `since` is when they last were (UTC)."""

    exposure: Exposure
    changed: tuple[SettingKey, ...]
    since: datetime

    @property
    def key(self) -> str:
        """The same for the same opening since the same baseline: it is said once."""
        told = [list(self.exposure.place), [list(box) for box in sorted(self.exposure.boxes)], self.since.isoformat()]
        return hashlib.sha256(canonical(told).encode()).hexdigest()[:16]

    @property
    def command(self) -> str:
        """How a responder opens an incident for it; only ids of a plain form become part of a command."""
        names = [key.resource for key in self.changed] or [self.exposure.resource]
        resources = [name for name in dict.fromkeys(names) if _PLAIN_ID.fullmatch(name)]
        asked = [
            "--account",
            self.exposure.account,
            "--region",
            self.exposure.region,
            "--since",
            f"{self.since:%Y-%m-%dT%H:%M:%SZ}",
        ]
        asked += [word for name in resources[:5] for word in ("--resource", name)]
        return shlex.join(["countermand", "open", *asked]) + " --as 'YOUR NAME' --reason 'WHY'"


def on_path(exposure: Exposure, changed: Iterable[SettingKey]) -> tuple[SettingKey, ...]:
    """The changed settings that may have opened it: of the resources on its path, and of what acts on many paths at once."""
    hops = {exposure.resource, exposure.instance, *(hop.resource for hop in exposure.path)} - {""}
    return tuple(key for key in changed if key.resource in hops or key.kind in _ON_MANY_PATHS)


def explained(
    proposal: Proposal, records: Iterable[Record], before: Iterable[tuple[SettingKey, PriorValue]], ticket: Callable[[Entry], str]
) -> str:
    """The tickets of the approved changes that made all of it, or nothing where any of it is nobody's approved work.

    Each changed setting must have been written, and every write of it since must be under a ticket. What CloudTrail does not show
    yet is not explained: better one proposal too many.
    """
    fold = Fold(before)
    for record in in_order(records):
        family = family_for_event(record.operation)
        # CloudTrail's times are whole seconds: what was done in the baseline's own second may have been done after it.
        if family is None or not record.succeeded or record.time < proposal.since.replace(microsecond=0):
            continue
        try:
            fold.read(record, family.writes)
        except (KeyError, ValueError, TypeError, AttributeError):
            # What cannot be read may be what opened it.
            return ""
    tickets: dict[str, None] = {}
    for key in proposal.changed:
        history = fold.histories.get(key)
        if history is None or not history.entries:
            return ""
        found = [ticket(entry) for entry in history.entries]
        if not all(found):
            return ""
        tickets.update(dict.fromkeys(found))
    return ", ".join(tickets)


def message(proposal: Proposal) -> tuple[str, Blocks]:
    """What people read in Slack."""
    one = proposal.exposure
    opened = "; ".join(map(str, one.reached))
    title = f"New from the internet: {one.what} {one.resource} ({one.account} {one.region}): {opened}"
    lines = [f"• {slack(hop.words)} ({slack(hop.resource)})" for hop in one.path]
    said = f"Since the baseline of {proposal.since:%Y-%m-%d %H:%M} UTC, and no approved change explains it. Nothing was done."
    # The command holds only ids of a plain form, which need no escaping, and escaping would break it.
    text = f"{slack(title, 600)}. To answer it: `{proposal.command}`"
    return text, [
        section(f"*{slack(title, 600)}*\n{said}"),
        section("\n".join(lines)[:2900] or "no path"),
        section(f"If it is not yours, open an incident:\n```{plain(proposal.command, 2000)}```"),
    ]
