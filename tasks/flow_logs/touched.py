"""What the actor's own addresses touched, as the flow logs tell that are there: kept as evidence, and told by the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from incident.ledger import Kind
from incident.origin import is_address
from tasks.aws import Aws, AwsError
from tasks.config import FlowLogsConfig
from tasks.evidence import EvidenceStore
from tasks.flow_logs.aws_logs import answer_from_aws
from tasks.flow_logs.found import FoundLogs, find_flow_logs
from tasks.flow_logs.local import FlowLogFileError, moment
from tasks.flow_logs.questions import flow_queries
from tasks.ledger import Ledger

_QUERY = "touched-by-address"
_MOST = 10_000
"""How many rows are kept of each address."""

_IN_REPORT = 100
"""How many rows the report shows; the evidence has all."""

_MOST_GAPS = 50


def note_touched(
    aws: Aws,
    store: tuple[Ledger, EvidenceStore],
    config: FlowLogsConfig,
    incident: str,
    look: int,
    addresses: Sequence[str],
    window: tuple[datetime, datetime],
) -> None:
    """Keep in the incident's evidence and ledger what the addresses touched; once for each look.

    Args:
        aws: who reads.
        store: the ledger and the evidence.
        config: how flow logs are read.
        incident: the incident's id.
        look: the look at the records whose actor it is.
        addresses: the actor's own addresses; what is no IP address is left.
        window: from when until when.
    """
    ledger, evidence = store
    key, name = f"traffic:{look}", f"flow-logs/touched-{look}.json"
    if ledger.find(incident, key) is not None:
        return
    if evidence.has(incident, name):
        told = evidence.load_json(incident, name)
    else:
        told = read_touched(aws, config, [one for one in addresses if is_address(one)], window)
        evidence.keep_json(incident, name, told, "what the actor's addresses touched, from VPC flow logs")
    shown, gaps = told["rows"][:_IN_REPORT], told["gaps"]
    more = [f"{len(gaps) - _MOST_GAPS} more stand in evidence {name}"] if len(gaps) > _MOST_GAPS else []
    body = {**told, "rows": shown, "gaps": gaps[:_MOST_GAPS] + more, "number": len(told["rows"]), "item": name}
    ledger.append(incident, Kind.TRAFFIC, key, body)


def read_touched(aws: Aws, config: FlowLogsConfig, addresses: Sequence[str], window: tuple[datetime, datetime]) -> dict[str, Any]:
    """Every interface that an address reached or tried to, and what is not known; nothing is raised for what AWS does not tell."""
    told: dict[str, Any] = {
        "addresses": list(addresses),
        "since": window[0].isoformat(),
        "until": window[1].isoformat(),
        "rows": [],
    }
    if not addresses:
        return {**told, "gaps": ["no address of the actor is known, so flow logs were not asked"]}
    try:
        found = find_flow_logs(aws, aws.covered())
    except AwsError as error:
        return {**told, "gaps": [f"which accounts there are: {error}"]}
    try:
        rows, gaps = _ask(aws, config, found, addresses, window)
    except (FlowLogFileError, OSError) as error:
        return {**told, "gaps": [*found.gaps, f"the flow logs could not be asked: {error}"]}
    return {**told, "rows": rows, "gaps": gaps}


def _ask(
    aws: Aws, config: FlowLogsConfig, found: FoundLogs, addresses: Sequence[str], window: tuple[datetime, datetime]
) -> tuple[list[dict[str, Any]], list[str]]:
    query = flow_queries()[_QUERY]
    span = {"since": moment(window[0]), "until": moment(window[1]), "most": _MOST}
    asked = [(query, {**span, "address": address}) for address in addresses]
    answers, gaps = answer_from_aws(aws, found, window, asked, config.account)
    rows: list[dict[str, Any]] = []
    doubts: list[str] = []
    for address, answer in zip(addresses, answers, strict=False):
        rows += [{"address": address, **dict(zip(answer.columns, row, strict=True))} for row in answer.rows]
        doubts += answer.doubts
        if len(answer.rows) >= _MOST:
            doubts.append(f"more than {_MOST} rows tell of {address}; the rest is not kept")
    return rows, list(dict.fromkeys([*gaps, *doubts]))
