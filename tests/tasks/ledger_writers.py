"""What the writing processes of the ledger's tests run."""

from __future__ import annotations

from datetime import UTC, datetime

from tasks.ledger import Ledger


def open_and_append(url: str, incident: str, writer: int, each: int, other: str | None = None) -> tuple[int, int]:
    """Write `each` lines of one's own and as many that every writer writes; answer how many of each were new."""
    ledger = Ledger.open(url, lambda: datetime.now(UTC))
    own = shared = 0
    for number in range(each):
        if other is None:
            own += ledger.append(incident, "note", f"own:{writer}:{number}", {"writer": writer})[1]
            shared += ledger.append(incident, "note", f"shared:{number}", {"writer": writer})[1]
        else:
            chains = (incident, other)
            entries = [(chain, "note", f"{kind}:{writer}:{number}", {}) for kind in ("a", "b") for chain in chains]
            own += sum(new for _, new in ledger.append_all(entries))
    ledger.close()
    return own, shared
