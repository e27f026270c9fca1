"""A service other than EC2 whose settings are the network's: its reads, and its calls with their permissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incident.family import Call, Lookup, Read


@dataclass(frozen=True, slots=True)
class Service:
    """`client` is boto3's name for it, `source` the name in records and permissions."""

    client: str
    source: str

    def read(self, operation: str, **parameters: Any) -> Read:
        return Read(self.client, operation, parameters)

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        permissions: tuple[str, ...] = (),
        creates: str = "",
        loses: str = "",
        irreversible: str = "",
        lookups: Mapping[str, Lookup] | None = None,
    ) -> tuple[Call]:
        """A change of one call; its permission has the operation's name, `permissions` are needed as well."""
        needed = (f"{self.source}:{operation}", *permissions)
        return (Call(self.client, operation, dict(parameters), needed, creates, loses, irreversible, lookups or {}),)
