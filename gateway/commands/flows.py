"""What the network carried: the playbook's named queries over VPC flow logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, UserError, console, errors, moment
from incident.people.messages import plain

if TYPE_CHECKING:
    from tasks.flow_logs.local import Answer
    from tasks.flow_logs.questions import FlowQuery

app = typer.Typer()
_EVER = "1970-01-01T00:00:00Z"
_TIMES = frozenset({"start", "end", "first_seen", "last_seen"})


@app.command()
def flows(
    query: Annotated[str, typer.Argument(help="The query's name; without one all are listed.")] = "",
    files: Annotated[list[Path] | None, typer.Argument(help="Flow log files: text, .gz, .parquet, or a folder of them.")] = None,
    since: Annotated[str, typer.Option("--since", help="From when on, such as 2026-11-24T02:00:00Z.")] = _EVER,
    until: Annotated[str, typer.Option("--until", help="Until when; now if you give none.")] = "",
    address: Annotated[str, typer.Option("--address", help="The IP address, for the queries about one.")] = "",
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="How many rows at most.")] = 50,
    format_: Annotated[str, typer.Option("--format", help="The format of files without a first line that names it.")] = "",
    account: Annotated[str, typer.Option("--account", help="Read only this account's flow logs.")] = "",
    region: Annotated[str, typer.Option("--region", help="Read only this region's flow logs.")] = "",
    of: Annotated[str, typer.Option("--of", "--vpc", help="Read only what tells of this VPC, subnet or interface.")] = "",
    athena: Annotated[bool, typer.Option("--athena", help="Ask Athena, over the table of the configuration.")] = False,
    logs: Annotated[bool, typer.Option("--logs", help="List which flow logs there are, and what none watches.")] = False,
    as_json: Json = False,
) -> None:
    """Ask flow logs: of the files that you name, without AWS; without files, those that AWS keeps, read for the time asked."""
    from gateway.commands import flows_of_aws as in_aws
    from tasks.flow_logs.local import moment as seconds
    from tasks.flow_logs.questions import flow_queries

    if logs:
        in_aws.list_logs(account, region, of, as_json)
        return

    queries = flow_queries()
    if not query:
        _list(list(queries.values()))
        return
    asked = queries.get(query)
    if asked is None:
        raise UserError(f"there is no query {query[:60]!r}; `countermand flows` lists them")
    if asked.needs_address and not address:
        raise UserError(f"{query} is about one address; give it with --address")
    begin, end = _in_a_zone(since, "--since"), _in_a_zone(until, "--until") if until else datetime.now(UTC)
    values = {"since": seconds(begin), "until": seconds(end), "most": most, "address": _address(address)}
    if files and (athena or account or region or of):
        raise UserError("--athena, --account, --region and --of go with flow logs in AWS; leave them out, or name no files")
    if files:
        answer = _of_files(files, format_, asked, values)
    elif since == _EVER:
        raise UserError("without files the flow logs of AWS are read; say from when on with --since, or name files")
    elif athena:
        if account or region or of:
            raise UserError("Athena's table has its own account and region; leave --account, --region and --of out")
        answer = in_aws.ask_athena(asked, values)
    else:
        answer = in_aws.ask(asked, values, in_aws.Where(account, region, of, begin, end))
    _print(asked, answer, as_json)


def _of_files(files: list[Path], format_: str, asked: FlowQuery, values: dict[str, int | str]) -> Answer:
    from tasks.flow_logs.local import FlowLogFileError, LocalFlowLogs

    try:
        return LocalFlowLogs(files, _format(format_)).ask(asked, values)
    except FlowLogFileError as error:
        raise UserError(str(error)) from None


def _in_a_zone(text: str, option: str) -> datetime:
    told = moment(text, option)
    if told.tzinfo is None:
        raise UserError(f"{option} has no time zone; give it as 2026-11-24T02:00:00Z")
    return told


def _format(text: str) -> tuple[str, ...]:
    from incident.flow_log_format import DEFAULT_FORMAT, FlowLogFormatError, parse_format

    try:
        return parse_format(text) if text else DEFAULT_FORMAT
    except FlowLogFormatError as error:
        raise UserError(f"--format: {error}") from None


def _address(text: str) -> str:
    """The address as flow logs write it."""
    from ipaddress import ip_address

    if not text:
        return ""
    try:
        return ip_address(text).compressed
    except ValueError:
        raise UserError(f"--address: {text[:60]!r} is no IP address; give one such as 198.51.100.7") from None


def _list(queries: list[FlowQuery]) -> None:
    table = Table()
    # A name is to be copied.
    table.add_column("query", no_wrap=True)
    for name in ("what it tells", "needs"):
        table.add_column(name, overflow="fold")
    for one in queries:
        needs = sorted({*one.fields} - _usual()) + (["--address"] if one.needs_address else [])
        table.add_row(one.name, one.title, ", ".join(needs))
    console.print(table)


def _usual() -> frozenset[str]:
    from incident.flow_log_format import DEFAULT_FORMAT

    return frozenset(DEFAULT_FORMAT)


def _print(query: FlowQuery, answer: Answer, as_json: bool) -> None:
    if as_json:
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        print(json.dumps({"query": query.name, "rows": rows, "doubts": list(answer.doubts)}))
        return
    table = Table(title=query.title)
    for name in answer.columns:
        # Half an address is none: what does not fit goes on in the next line.
        table.add_column(name, overflow="fold")
    for row in answer.rows:
        table.add_row(*(escape(_cell(name, value)) for name, value in zip(answer.columns, row, strict=True)))
    console.print(table if answer.rows else "no flow answers to that", highlight=False)
    for doubt in answer.doubts:
        errors.print(f"[yellow]not known[/yellow]: {escape(doubt)}", soft_wrap=True, highlight=False)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _TIMES and isinstance(value, int):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S}"
    return plain(str(value), 200)
