"""The `countermand` command line. Each command imports what it needs: reading a record must not wait for a server's libraries."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from incident.messages import plain
from incident.plan import TO_CHOOSE
from incident.planner import brief

if TYPE_CHECKING:
    from incident.explain import Explanation
    from incident.ledger import Line

app = typer.Typer(
    name="countermand",
    help="Answers unauthorized network changes in AWS and undoes exactly what the actor did.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
ledger_app = typer.Typer(help="The incident's hash-chained ledger.", no_args_is_help=True)
responders_app = typer.Typer(help="The people who may decide.", no_args_is_help=True)
evidence_app = typer.Typer(help="The evidence that was kept.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(responders_app, name="responders")
app.add_typer(evidence_app, name="evidence")

console = Console()
errors = Console(stderr=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


class UserError(Exception):
    """What a command cannot do; the message is one line that says what to do."""


@app.command()
def explain(
    files: Annotated[list[Path], typer.Argument(help="CloudTrail records: JSON lines, {'Records': []}, .gz, or a folder.")],
    as_json: _Json = False,
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
    as_json: _Json = False,
) -> None:
    """Say what a GuardDuty finding is about, and which phases and plans it leads to."""
    from incident.finding import FindingError, parse_finding
    from incident.triage import triage as triaged

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        verdict = triaged(parse_finding(json.loads(text))).to_json()
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


@app.command()
def drill(
    file: Annotated[Path, typer.Argument(help="The scenario, a YAML file.")],
    unattended: Annotated[bool, typer.Option("--unattended", help="Scripted responders approve; nobody is asked.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
    dump: Annotated[Path | None, typer.Option("--dump", help="Write before.json, attacked.json and after.json here.")] = None,
) -> None:
    """Replay an attack in the practice range and judge the response. Ends with 0 only when the scenario's expectation holds."""
    raise typer.Exit(_practise(file, interactive=not unattended, json_out=json_out, dump=dump))


@app.command()
def demo(
    interactive: Annotated[bool, typer.Option("--interactive", help="Leave the approvals to you, and stay up.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
) -> None:
    """One incident from the webhook to the restored network, against the practice range."""
    raise typer.Exit(_practise(None, interactive=interactive, json_out=json_out, dump=None))


def _practise(file: Path | None, *, interactive: bool, json_out: Path | None, dump: Path | None) -> int:
    """Play a scenario, the demo's where none is named, and return the exit code."""
    from drill.scenario import ScenarioError
    from gateway.practice.exercise import DEMO, Exercise
    from gateway.practice.stack import StackFailed

    try:
        return Exercise(file or DEMO, interactive=interactive, json_out=json_out, dump=dump, console=console).run()
    except (ScenarioError, StackFailed) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{error.filename or file}: {error.strerror or error}; name a file or folder that can be used") from None


@app.command()
def code(secret: Annotated[str, typer.Argument(help="The secret of an enrolled responder, as an authenticator holds it.")]) -> None:
    """Print the one-time code of this moment; for practice, where no authenticator is at hand."""
    import binascii

    import pyotp

    try:
        print(pyotp.TOTP(secret).now())
    except (binascii.Error, ValueError):
        raise UserError("that is no authenticator secret; it has capital letters and the digits 2 to 7 only") from None


@app.command()
def gateway() -> None:
    """Open the doors: webhook, Slack and reports."""
    import uvicorn

    from gateway.serve import build_app

    config = _config()
    if not config.gateway.webhook_keys:
        raise UserError(
            "the gateway has no webhook key; set COUNTERMAND_GATEWAY__WEBHOOK_KEYS to a JSON list with one long random key"
        )
    uvicorn.run(build_app(config), host=config.gateway.host, port=config.gateway.port, log_level="info", server_header=False)


_Several = list[str] | None


@app.command("open")
def open_incident(
    account: Annotated[str, typer.Option("--account", help="The account, 12 digits.")],
    region: Annotated[str, typer.Option("--region", help="The region in which it was seen; the response looks into all.")],
    since: Annotated[str, typer.Option("--since", help="From when on the actor may have acted, such as 2026-11-24T02:00:00Z.")],
    person: Annotated[str, typer.Option("--as", help="Your name as it stands in the policy file.")],
    reason: Annotated[str, typer.Option("--reason", help="Why you open it.")],
    code: Annotated[str, typer.Option("--code", prompt="One-time code", help="The six digits of your authenticator.")],
    resources: Annotated[_Several, typer.Option("--resource", help="Id or ARN of what looks changed or unknown.")] = None,
    records: Annotated[_Several, typer.Option("--record", help="The eventID of a CloudTrail record that is the actor's.")] = None,
    access_keys: Annotated[_Several, typer.Option("--access-key", help="The id of an access key that the actor holds.")] = None,
    users: Annotated[_Several, typer.Option("--user", help="The name of an IAM user whom the actor acts as.")] = None,
    roles: Annotated[_Several, typer.Option("--role", help="The name of an IAM role that the actor acts as.")] = None,
    instances: Annotated[_Several, typer.Option("--instance", help="The id of an EC2 instance that the actor is on.")] = None,
    buckets: Annotated[_Several, typer.Option("--bucket", help="The name of a bucket that the actor touched.")] = None,
    addresses: Annotated[_Several, typer.Option("--address", help="An IP address from which the actor calls.")] = None,
    agents: Annotated[_Several, typer.Option("--agent", help="The user agent of the actor's calls.")] = None,
    severity: Annotated[float, typer.Option("--severity", help="From 1 to 10, as GuardDuty counts.")] = 8,
    title: Annotated[str, typer.Option("--title", help="What people read first; made from the reason if you give none.")] = "",
) -> None:
    """Open an incident by hand, from what you know of it, and print its id. At least one thing must be named.

    Each naming option can be given several times.
    """
    from incident.finding import Named
    from tasks.hands import wire
    from tasks.opening import NotOpened
    from tasks.roster import RosterError

    named = Named(
        resources=tuple(resources or ()),
        records=tuple(records or ()),
        access_keys=tuple(access_keys or ()),
        users=tuple(users or ()),
        roles=tuple(roles or ()),
        instances=tuple(instances or ()),
        buckets=tuple(buckets or ()),
        addresses=tuple(addresses or ()),
        agents=tuple(agents or ()),
        person=person,
        reason=reason,
    )
    try:
        opened = wire(_config()).opening.open(
            named, account=account, region=region, since=_moment(since), severity=severity, title=title, code=code
        )
    except (NotOpened, RosterError) as error:
        raise UserError(str(error)) from None
    print(opened.incident)
    said = "opened; the gateway starts its response" if opened.new else "the same was opened before; nothing is added"
    errors.print(f"{said}. `countermand show {opened.incident}` says where it stands.", soft_wrap=True, highlight=False)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserError("--since is no moment; give it as 2026-11-24T02:00:00Z") from None


@app.command()
def report(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Print an incident's report in Markdown, built from the ledger."""
    from incident.report import report as reported
    from tasks.render import text

    print(text(reported(_lines_of(incident))))


@app.command()
def show(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Say where an incident stands: its actor, its last proof, and what is left to people, each with the id that `amend` takes."""
    from incident.report import report as reported

    shown = reported(_lines_of(incident))
    console.print(f"[bold]{escape(incident)}[/bold] {shown.status}: {escape(plain(shown.title, 300))}", highlight=False)
    since = f"since {shown.actor['since']} ({shown.actor['since_reason']})" if shown.actor else "no actor is known yet"
    console.print(escape(plain(since, 300)), highlight=False)
    keys = Table("credential", "owner", "link", "how")
    for credential in shown.actor.get("credentials", ()):
        keys.add_row(*(escape(plain(credential[name], 200)) for name in ("access_key", "owner", "link", "how")))
    left = Table("id", "what", "why", "now")
    for item in shown.unplanned:
        # Of what could not be read, nobody knows what it is now.
        now = "" if item["status"] not in TO_CHOOSE else "absent" if item["found"] is None else json.dumps(item["found"])
        left.add_row(item["id"], *(escape(plain(cell, 300)) for cell in (item["what"], item["why"], now)))
    for table in (keys, left):
        if table.row_count:
            console.print(table)
    for line in shown.chosen:
        console.print(escape(plain(line, 400)), highlight=False)


@app.command()
def amend(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    amendments: Annotated[
        list[str],
        typer.Argument(
            help="One or more of: 'ITEM keep', 'ITEM absent', 'ITEM = JSON', 'ITEM done', 'window TIME', 'strike RECORD', "
            "'credential KEY theirs', 'credential KEY not-theirs', look-again."
        ),
    ],
    person: Annotated[str, typer.Option("--as", help="Your name as it stands in the policy file.")],
    code: Annotated[str, typer.Option("--code", prompt="One-time code", help="The six digits of your authenticator.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
) -> None:
    """Tell the case what you know: its plans are void, and new ones are made and asked about."""
    from tasks.hands import wire

    hands = wire(_config())
    problem = hands.amending.take(incident, amendments, person=person, code=code, surface="command line", reason=reason)
    if problem:
        raise UserError(problem)
    console.print("Taken down; the plans so far are void, and a new one is made and asked about.")


@app.command()
def release(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    person: Annotated[str, typer.Option("--as", help="Your name as it stands in the policy file.")],
    code: Annotated[str, typer.Option("--code", prompt="One-time code", help="The six digits of your authenticator.")],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    steps: Annotated[list[str] | None, typer.Argument(help="Ids of containment steps; all of them if none is given.")] = None,
) -> None:
    """Ask to take containment back, whole or in part: a plan is made and asked about, nothing is released before."""
    amend(incident, [" ".join(["release", *(steps or [])])], person, code, reason)


@app.command()
def incidents() -> None:
    """List the incidents in the ledger."""
    from incident.ledger import Kind

    ledger = _ledger()
    table = Table("incident", "opened", "finding", "lines", "status")
    for incident in ledger.incidents():
        opened = next(iter(ledger.lines(incident, Kind.OPENED)), None)
        if opened is None:
            continue
        ends = ledger.lines(incident, Kind.REPORT)
        status = str(ends[-1].body["status"]) if ends else "open"
        cells = (incident, f"{opened.at:%Y-%m-%d %H:%M}", str(opened.body["type"]), str(ledger.head(incident)[0]), status)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)


@ledger_app.command("verify")
def ledger_verify(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Check the incident's chain; name the first line that was changed, removed or moved."""
    ledger = _ledger()
    broken = ledger.verify(incident)
    if broken is not None:
        errors.print(f"[red]broken[/red] at line {broken.position}: {escape(broken.reason)}", soft_wrap=True)
        raise typer.Exit(1)
    position, digest = ledger.head(incident)
    if position == 0:
        raise UserError(f"the ledger has no line of {incident}; `countermand incidents` lists what it knows")
    console.print(f"[green]intact[/green]: {position} lines, last hash {digest}", soft_wrap=True)


@evidence_app.command("verify")
def evidence_verify(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Check every kept item against the manifest in the ledger."""
    from tasks.aws import Aws
    from tasks.evidence import EvidenceUnavailable
    from tasks.hands import evidence_store

    config = _config()
    store = evidence_store(config, Aws(config.aws), _ledger())
    items = store.manifest(incident)
    if not items:
        raise UserError(f"no evidence of {incident} is in the ledger; `countermand incidents` lists what it knows")
    try:
        damage = store.verify(incident)
    except EvidenceUnavailable as error:
        raise UserError(str(error)) from None
    for name, why in store.gaps(incident).items():
        console.print(f"[yellow]not kept[/yellow]: {escape(name)}: {escape(plain(why, 300))}", soft_wrap=True, highlight=False)
    for item in damage:
        errors.print(f"[red]{escape(item.what)}[/red]: {escape(item.item)}", soft_wrap=True)
    if damage:
        raise typer.Exit(1)
    console.print(f"[green]intact[/green]: {len(items)} items")


@responders_app.command("add")
def responders_add(name: Annotated[str, typer.Argument(help="The name as it stands in the policy file.")]) -> None:
    """Enrol a responder: shows the secret for their authenticator once, as a QR code."""
    import segno

    from tasks.config import load_policy
    from tasks.hands import utc_now
    from tasks.roster import Roster

    config = _config()
    if load_policy(config).by_name(name) is None:
        raise UserError(f"the policy file has no responder {name!r}; add them to `responders` first")
    address = Roster(config.folder / "roster", _ledger(), utc_now).enrol(name)
    segno.make(address).terminal(compact=True)
    console.print(escape(address), soft_wrap=True)
    console.print("Scan it now: it is shown only this once, and replaces any code that they had.")


@responders_app.command("list")
def responders_list() -> None:
    """List the responders of the policy and whether each is enrolled."""
    from tasks.config import load_policy
    from tasks.hands import utc_now
    from tasks.roster import Roster

    config = _config()
    enrolled = set(Roster(config.folder / "roster", _ledger(), utc_now).enrolled())
    table = Table("responder", "Slack", "one-time code")
    for person in load_policy(config).responders:
        known = "enrolled" if person.name in enrolled else "not enrolled: run `countermand responders add`"
        table.add_row(escape(person.name), escape(f"{person.slack_team} {person.slack_user}".strip() or "none"), known)
    console.print(table)


def _config() -> Any:
    from tasks.config import load_config

    return load_config()


def _ledger() -> Any:
    from tasks.hands import utc_now
    from tasks.ledger import Ledger

    return Ledger.open(_config().ledger, utc_now)


def _lines_of(incident: str) -> Sequence[Line]:
    """The lines of an incident whose response has begun."""
    from incident.ledger import INTAKE, Kind

    ledger = _ledger()
    lines = ledger.lines(incident)
    if any(line.kind == Kind.OPENED for line in lines):
        return lines
    bodies: list[object] = [line.body for line in ledger.lines(INTAKE, Kind.DELIVERY)]
    if any(isinstance(body, Mapping) and body.get("incident") == incident for body in bodies):
        raise UserError(f"{incident} is taken in and its response has not begun; see that the gateway and a worker are running")
    raise UserError(f"the ledger knows no incident {incident}; `countermand incidents` lists them")


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; what a user did wrong ends in one line and exit code 2."""
    from tasks.config import ConfigError
    from tasks.ledger import LedgerUnavailable

    # Asked to end, a drill must end the processes that it started.
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except (UserError, ConfigError, LedgerUnavailable) as error:
        errors.print(f"countermand: {escape(' '.join(str(error).split()))}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("countermand: stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
