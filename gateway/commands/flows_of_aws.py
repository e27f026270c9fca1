"""`countermand flows` on what AWS keeps: which flow logs there are, their records of a time, or Athena's table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import UserError, console, errors, read_config
from incident.people.messages import plain

if TYPE_CHECKING:
    from tasks.flow_logs.found import FoundLogs
    from tasks.flow_logs.local import Answer
    from tasks.flow_logs.questions import FlowQuery


class Where(NamedTuple):
    """Which flow logs, and from when until when; empty means all."""

    account: str
    region: str
    of: str
    since: datetime
    until: datetime


def ask(query: FlowQuery, values: Mapping[str, int | str], where: Where) -> Answer:
    """Read the flow logs and answer; what is not known of them is among the answer's doubts."""
    from tasks.aws import Aws
    from tasks.flow_logs.aws_logs import answer_from_aws
    from tasks.flow_logs.local import FlowLogFileError

    config = read_config()
    aws = Aws(config.aws)
    found = _find(aws, where.account, where.region, where.of)
    try:
        answers, gaps = answer_from_aws(aws, found, (where.since, where.until), [(query, values)], config.flow_logs.account)
    except FlowLogFileError as error:
        raise UserError(str(error)) from None
    if not answers:
        raise UserError(f"no flow log could be read: {'; '.join(plain(gap, 300) for gap in gaps[:5]) or 'there is none'}")
    return replace(answers[0], doubts=(*answers[0].doubts, *gaps))


def ask_athena(query: FlowQuery, values: Mapping[str, int | str]) -> Answer:
    from tasks.aws import Aws
    from tasks.flow_logs.athena import AthenaError, AthenaFlowLogs

    config = read_config()
    try:
        return AthenaFlowLogs(Aws(config.aws), config.flow_logs).ask(query, values)
    except AthenaError as error:
        raise UserError(plain(str(error), 600)) from None


def list_logs(account: str, region: str, of: str, as_json: bool) -> None:
    """Print which flow logs there are."""
    from tasks.aws import Aws

    found = _find(Aws(read_config().aws), account, region, of)
    if as_json:
        logs = [_told(log) for log in found.logs]
        typer.echo(json.dumps({"flow_logs": logs, "not_known": list(found.gaps)}, indent=2))
        return
    table = Table("account", "region", "flow log", "watches", "delivers to", "traffic", "problem")
    for log in found.logs:
        cells = (log.account, log.region, log.id, log.resource, f"{log.destination}: {log.place}", log.traffic, log.problem)
        table.add_row(*(escape(plain(cell, 300)) for cell in cells))
    console.print(table if found.logs else "there is no flow log", highlight=False)
    for gap in found.gaps:
        errors.print(f"[yellow]not known[/yellow]: {escape(plain(gap, 600))}", soft_wrap=True, highlight=False)


def _told(log: Any) -> dict[str, Any]:
    told = {
        name: getattr(log, name) for name in ("account", "region", "id", "resource", "destination", "place", "traffic", "problem")
    }
    return {**told, "format": list(log.fields), "created": log.created.isoformat() if log.created else None}


def _find(aws: Any, account: str, region: str, of: str) -> FoundLogs:
    from tasks.aws import AwsError
    from tasks.flow_logs.found import find_flow_logs

    try:
        accounts = (account,) if account else aws.covered()
    except AwsError as error:
        raise UserError(f"the accounts are not known: {error}; name one with --account, and check the credentials") from None
    return find_flow_logs(aws, accounts, region, of)
