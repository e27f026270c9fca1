"""The door for change requests: a ticket system hands them in with a key of its own.

Whoever has the key can say that a change was approved, and so keep it from paging anybody. It opens nothing else, and what an
incident's plan leaves alone is decided by the policy file only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gateway.intake import Prepared, quarantine, refused
from incident.change_requests import RequestError, read_requests
from incident.ledger import CHANGES_CHAIN
from tasks.change_requests import lines_of


def prepare_requests(raw: bytes, provenance: Mapping[str, Any]) -> Prepared:
    """Read one authentic delivery: all of it or, where any of it cannot be read, none; it is then kept whole for a person."""
    digest = hashlib.sha256(raw).hexdigest()
    try:
        requests = read_requests(json.loads(raw, parse_constant=refused))
        return Prepared(lines_of(requests, {**provenance, "sha256": digest}), ())
    except RequestError as error:
        why = str(error)
    except (ValueError, RecursionError):
        why = "it is not JSON"
    return Prepared([quarantine(raw, digest, provenance, why, CHANGES_CHAIN)], ())
