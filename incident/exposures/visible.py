"""One region's settings as they were at one moment, looked up by kind and resource, and what of them was not read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from incident.family import Scope
from incident.network.values import mapping, text
from incident.settings import SettingKey, Unknown, Value


class Visible:
    """The settings that are there.

    Args:
        scope: the account and region.
        settings: the settings of that region. Absent ones (`None`) are left out, and of those of which nothing is known their kind
            counts as not read.
        covered: the kinds of which everything was read: what is not shown of them is not there.
    """

    def __init__(self, scope: Scope, settings: Iterable[tuple[SettingKey, Value | Unknown]], covered: Collection[str]) -> None:
        self.scope = scope
        self._by_kind: dict[str, dict[str, dict[str, Value]]] = {}
        unsure: set[str] = set()
        for key, value in settings:
            if isinstance(value, Unknown):
                unsure.add(key.kind)
            elif value is not None:
                self._by_kind.setdefault(key.kind, {}).setdefault(key.resource, {})[key.name] = value
        self._covered = frozenset(covered) - unsure

    def read_all_of(self, kind: str) -> bool:
        """Whether what is not shown of a kind is not there."""
        return kind in self._covered

    def resources(self, kind: str) -> Mapping[str, Mapping[str, Value]]:
        """The resources that have settings of a kind, each with its settings by name."""
        return self._by_kind.get(kind, {})

    def named(self, kind: str, resource: str) -> Mapping[str, Value]:
        """A resource's settings of one kind, by name."""
        return self.resources(kind).get(resource, {})

    def value(self, kind: str, resource: str, name: str = "") -> Value:
        """A setting's value, or `None`."""
        return self.named(kind, resource).get(name)

    def told(self, kind: str, resource: str, member: str) -> str:
        """One member of a setting that is a structure, as text."""
        found: dict[str, Any] = dict(mapping(self.value(kind, resource)))
        return text(found.get(member))
