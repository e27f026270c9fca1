"""What was changed on the network, against what was approved."""

from __future__ import annotations

import getpass
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from gateway.commands.shell import Json, Several, UserError, console, moment, read_config
from incident.people.messages import plain

if TYPE_CHECKING:
    from incident.change_requests import ChangeRequest
    from incident.reconciling import Reconciliation

app = typer.Typer()
_COLORS = {"approved": "green", "made": "green", "made by Countermand": "dim", "its window still runs": "dim"}


@app.command()
def changes(
    since: Annotated[str, typer.Option("--since", help="From this moment, such as 2026-11-24T02:00:00Z.")],
    until: Annotated[str, typer.Option("--until", help="Until this moment; now, if not given.")] = "",
    requests: Annotated[
        list[Path] | None,
        typer.Option("--requests", help="Change requests, as CSV or JSON, beside the policy's and the kept ones."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the requests of these files in the ledger.")] = False,
    records: Annotated[
        list[Path] | None, typer.Option("--records", help="Read these CloudTrail files instead of asking CloudTrail.")
    ] = None,
    account: Annotated[Several, typer.Option("--account", help="Only this account; may be given again.")] = None,
    region: Annotated[Several, typer.Option("--region", help="Only this region; may be given again.")] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Hold the network's changes against the approved change requests. Changes nothing, and pages nobody."""
    if as_json and as_csv:
        raise UserError("--json and --csv exclude each other; give one of them")
    if keep and not requests:
        raise UserError("--keep keeps the requests of --requests; name a file")
    begin = _time(since, "--since")
    end = _time(until, "--until") if until else datetime.now(UTC)
    if begin >= end:
        raise UserError("--since is to be before --until")
    found = _found(begin, end, _read(requests or []), keep, records or [], account or [], region or [])
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    elif as_csv:
        from incident.reconciling import to_csv

        typer.echo(to_csv(found), nl=False)
    else:
        _show(found.to_json())


def _time(text: str, option: str) -> datetime:
    told = moment(text, option)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _read(files: list[Path]) -> list[tuple[Path, list[ChangeRequest]]]:
    from incident.change_requests import RequestError, read_text

    found: list[tuple[Path, list[ChangeRequest]]] = []
    for file in files:
        try:
            found.append((file, read_text(file.read_text(encoding="utf-8-sig"))))
        except OSError as error:
            raise UserError(f"{file}: {error.strerror}; name a file of change requests") from None
        except UnicodeDecodeError:
            raise UserError(f"{file}: it is not text in UTF-8; give CSV or JSON") from None
        except RequestError as error:
            raise UserError(f"{file}: {error}") from None
    return found


def _found(
    begin: datetime,
    end: datetime,
    given: list[tuple[Path, list[ChangeRequest]]],
    keep: bool,
    records: list[Path],
    accounts: list[str],
    regions: list[str],
) -> Reconciliation:
    from gateway.wiring import own_principals
    from tasks.hands import wire
    from tasks.reconciling import reconciled

    hands = wire(read_config())
    for file, requests in given if keep else []:
        hands.requests.keep(requests, {"door": "file", "file": file.name, "by": getpass.getuser()})
    further = [] if keep else [one for _, requests in given for one in requests]
    if records:
        return _from_files(hands, begin, end, further, records, accounts, regions)
    own = own_principals(hands.aws)
    return reconciled(hands, begin, end, accounts=accounts, regions=regions, requests=further, own=own)


def _from_files(
    hands: Any,
    begin: datetime,
    end: datetime,
    requests: list[ChangeRequest],
    files: list[Path],
    accounts: list[str],
    regions: list[str],
) -> Reconciliation:
    """Of files nobody knows whether they hold everything; what cannot be read of them is a gap."""
    from incident.reconciling import Known, reconcile
    from incident.record import Record, RecordError
    from tasks.record_files import RecordFileError, read_records

    found: list[Record] = []
    gaps: list[str] = []
    try:
        for number, raw in enumerate(read_records(files), start=1):
            try:
                found.append(Record.parse(raw))
            except RecordError as error:
                gaps.append(f"record {number} of the files cannot be read: {error}")
    except RecordFileError as error:
        raise UserError(str(error)) from None
    chosen = [one for one in found if (not accounts or one.account in accounts) and (not regions or one.region in regions)]
    return reconcile(chosen, hands.known_policy.knowing(requests), begin, end, Known(gaps=tuple(gaps)))


# --- for people ---------------------------------------------------------------------------------------------------------------


def _say(words: str, color: str = "yellow") -> None:
    console.print(f"[{color}]{escape(plain(words, 1500))}[/{color}]", soft_wrap=True, highlight=False)


def _show(found: dict[str, Any]) -> None:
    for one in found["changes"]:
        color = "red" if one["urgent"] else _COLORS.get(one["verdict"], "yellow")
        _say(_change_line(one), color)
    for one in found["requests"]:
        _say(_request_line(one), _COLORS.get(one["outcome"], "yellow"))
    for line in found["not_known"]:
        _say(f"not known: {line}")
    for what in ("changes", "requests"):
        counted = Counter(one["verdict" if what == "changes" else "outcome"] for one in found[what])
        tally = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items())) or "none"
        _say(f"{len(found[what])} {what}: {tally}", "bold")


def _change_line(one: dict[str, Any]) -> str:
    tickets = f" ({', '.join(one['requests'])})" if one["requests"] else ""
    rest = "; ".join(filter(None, (one["urgent"] and f"cannot wait: {one['urgent']}", one["why"])))
    where = f"{one['account']} {one['region']}"
    what = f"{one['time'][:19]}Z {one['event']} of {', '.join(one['resources']) or 'unknown'} by {one['by']} ({where})"
    return f"{one['verdict']}{tickets}: {what}{f'; {rest}' if rest else ''}"


def _request_line(one: dict[str, Any]) -> str:
    by = ", ".join(one["approved_by"]) or "nobody"
    told = f"{one['outcome']}: request {one['ticket']}, approved by {by}, from {one['from'][:16]} to {one['until'][:16]} UTC"
    return "; ".join(filter(None, (told, one["why"])))
