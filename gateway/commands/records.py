"""What the command line says of records and findings, offline."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, UserError, console
from incident.people.messages import plain
from incident.planner import brief

if TYPE_CHECKING:
    from incident.explain import Explanation


app = typer.Typer()


@app.command()
def explain(
    files: Annotated[list[Path], typer.Argument(help="CloudTrail records: JSON lines, {'Records': []}, .gz, or a folder.")],
    as_json: Json = False,
) -> None:
    """Say what CloudTrail records changed in the network and how to undo it. Works offline, without AWS."""
    from incident.explain import explain as explained
    from tasks.record_files import RecordFileError, read_records

    counted: Counter[str] = Counter()
    try:
        for item in explained(read_records(files)):
            counted[str(item.certainty.value)] += 1
            if as_json:
                print(json.dumps(item.to_json(), default=str))
            else:
                _print_explanation(item)
    except RecordFileError as error:
        raise UserError(str(error)) from None
    if not as_json:
        tally = ", ".join(f"{count} {certainty}" for certainty, count in sorted(counted.items())) or "none"
        console.print(f"{counted.total()} records that change the network or could not be read: {tally}", highlight=False)


_COLOURS = {"exact": "green", "needs-prior-state": "yellow", "not-invertible": "yellow", "not-understood": "red"}


def _print_explanation(item: Explanation) -> None:
    """One record: when, what, by whom; then each setting, then the way back."""
    record, certainty = item.record, str(item.certainty.value)
    when, who = (f"{record.time:%Y-%m-%d %H:%M:%S}", record.identity.label) if record else ("", "")
    colour = _COLOURS.get(certainty, "red")
    head = f"{when} [bold]{escape(item.event_name)}[/bold] [{colour}]{certainty}[/{colour}] {escape(plain(who, 200))}"
    console.print(head, soft_wrap=True, highlight=False)
    for setting in item.settings:
        shown = setting.to_json()
        change = f"{_told(shown['before'])} → {_told(shown['after'])}"
        console.print(f"    {escape(plain(shown['key'], 200))}: {escape(plain(change, 400))}", soft_wrap=True, highlight=False)
    if isinstance(item.undo, str):
        console.print(f"    no undo: {escape(plain(item.undo, 400))}", soft_wrap=True, highlight=False)
    else:
        calls = "; ".join(f"{call.operation} {brief(dict(call.parameters))}" for call in item.undo)
        console.print(f"    undo: {escape(plain(calls, 800))}", soft_wrap=True, highlight=False)


def _told(value: Any) -> str:
    if value is None:
        return "absent"
    return "unknown" if value == {"unknown": True} else brief(value)


@app.command()
def triage(
    file: Annotated[Path, typer.Argument(help="A finding: EventBridge, GetFindings or SNS-wrapped; `-` for standard input.")],
    as_json: Json = False,
) -> None:
    """Say what a GuardDuty finding is about, and which phases and plans it leads to."""
    from incident.findings.arrivals import parse_arrival
    from incident.findings.finding import FindingError
    from incident.findings.triage import triage as triaged

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        verdict = triaged(parse_arrival(json.loads(text))).to_json()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; name a file that can be read") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: not text; give the finding as JSON") from None
    except (json.JSONDecodeError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(f"{file}{where}: not JSON; give one finding as JSON") from None
    except FindingError as error:
        raise UserError(f"{file}: {error}") from None
    if as_json:
        print(json.dumps(verdict, default=str))
        return
    table = Table(show_header=False, title="Finding")
    for name, value in verdict.items():
        table.add_row(name, escape(value if isinstance(value, str) else json.dumps(value, default=str)))
    console.print(table)
