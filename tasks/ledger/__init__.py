"""The ledger's store: append-only and hash-chained, on SQLite or PostgreSQL."""

from tasks.ledger.store import Ledger, LedgerUnavailable, Taken
from tasks.ledger.turn import Turn

__all__ = ["Ledger", "LedgerUnavailable", "Taken", "Turn"]
