"""Which new resource stands for which lost one: a deleted group comes back under another id, and so do its references.

Resources are compared by what is said of them, with the ids of all other lost or new resources replaced by what those
look like in turn (colour refinement, three rounds).
"""

from __future__ import annotations

import re
from collections import defaultdict

from drill.facts import Facts, Setting

_ROUNDS = 3
_TOKEN = re.compile(r"[A-Za-z0-9][\w-]*")
_Resource = tuple[str, str, str, str]


def resource_of(setting: Setting) -> _Resource:
    return setting[:4]


def _existing(facts: Facts) -> set[_Resource]:
    return {resource_of(s) for s in facts if s.name == "exists"}


def replace_ids(text: str, names: dict[str, str]) -> str:
    """Replace whole ids in a text."""
    return _TOKEN.sub(lambda m: names.get(m.group(0), m.group(0)), text)


def rename(facts: Facts, names: dict[str, str]) -> Facts:
    """Facts with ids replaced, wherever they occur."""
    if not names:
        return facts
    return {
        Setting(s.account, s.region, s.kind, names.get(s.resource, s.resource), replace_ids(s.name, names)): replace_ids(
            value, names
        )
        for s, value in facts.items()
    }


def renaming(expected: Facts, after: Facts) -> dict[str, str]:
    """From new ids in `after` to the lost ids of `expected` that they stand for."""
    lost = _existing(expected) - _existing(after)
    new = _existing(after) - _existing(expected)
    lost_colours, new_colours = _colours(expected, lost), _colours(after, new)
    free: dict[str, list[_Resource]] = defaultdict(list)
    for resource in sorted(new):
        free[new_colours[resource]].append(resource)
    names: dict[str, str] = {}
    for resource in sorted(lost):
        candidates = free.get(lost_colours[resource])
        if candidates:
            names[candidates.pop(0)[3]] = resource[3]
    return names


def _colours(facts: Facts, resources: set[_Resource]) -> dict[_Resource, str]:
    """What each resource looks like, by its own facts and by what others say of it."""
    said: dict[_Resource, list[tuple[str, str]]] = defaultdict(list)
    ids = {r[3]: r for r in resources}
    about: dict[_Resource, list[tuple[_Resource, str, str]]] = defaultdict(list)
    for setting, value in facts.items():
        resource = resource_of(setting)
        if resource in resources:
            said[resource].append((setting.name, value))
        for ident in set(_TOKEN.findall(f"{setting.name} {value}")) & ids.keys():
            about[ids[ident]].append((resource, setting.name, value))
    colours = {r: r[2] for r in resources}
    for _ in range(_ROUNDS):
        names = {r[3]: f"<{colour}>" for r, colour in colours.items()}
        colours = {r: _colour(r, said[r], about[r], names) for r in resources}
    return colours


def _colour(
    resource: _Resource,
    said: list[tuple[str, str]],
    about: list[tuple[_Resource, str, str]],
    names: dict[str, str],
) -> str:
    own = sorted((replace_ids(n, names), replace_ids(v, names)) for n, v in said)
    mine = {**names, resource[3]: "<this>"}
    heard = sorted((names.get(other[3], other[3]), replace_ids(n, mine), replace_ids(v, mine)) for other, n, v in about)
    return f"{resource[:3]}#{hash((str(own), str(heard))) & 0xFFFFFFFFFFFF:x}"
