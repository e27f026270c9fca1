"""The change requests in the ledger: every version that was handed in, and by whom; the latest of each ticket counts."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from incident.change_requests import ChangeRequest, latest
from incident.ledger import CHANGES_CHAIN, Kind, Line
from incident.settings import canonical
from tasks.ledger import Ledger
from tasks.ledger.store import Entry


def lines_of(requests: Iterable[ChangeRequest], provenance: Mapping[str, Any]) -> list[Entry]:
    """The ledger lines of these versions, each once."""
    bodies = [{"request": one.to_json(), "provenance": dict(provenance)} for one in requests]
    keyed = {f"request:{hashlib.sha256(canonical(body['request']).encode()).hexdigest()}": body for body in bodies}
    return [(CHANGES_CHAIN, Kind.CHANGE_REQUEST, key, body) for key, body in keyed.items()]


class KeptRequests:
    """Reads on where it stopped, so that asking for every record costs nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read_to = 0
        self._held: list[ChangeRequest] = []
        self._lock = threading.Lock()

    def keep(self, requests: Iterable[ChangeRequest], provenance: Mapping[str, Any]) -> list[tuple[Line, bool]]:
        """Write the versions down, each once; durable when this returns. Each line, and whether it is new.

        Raises:
            LedgerUnavailable: nothing was written; hand them in again.
        """
        return self._ledger.append_all(lines_of(requests, provenance))

    def latest(self) -> Sequence[ChangeRequest]:
        """The version of each ticket that counts now.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        with self._lock:
            for line in self._ledger.lines(CHANGES_CHAIN, Kind.CHANGE_REQUEST, after=self._read_to):
                self._read_to = line.position
                self._held.append(ChangeRequest.model_validate(line.body["request"]))
            self._held = latest(self._held)
            return tuple(self._held)
