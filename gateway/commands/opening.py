"""Opening an incident by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.shell import Code, Person, Several, UserError, errors, moment, read_config

if TYPE_CHECKING:
    from incident.findings.finding import Named

app = typer.Typer()


@app.command("open")
def open_incident(
    person: Person,
    code: Code,
    account: Annotated[str, typer.Option("--account", help="The account, 12 digits.")] = "",
    region: Annotated[str, typer.Option("--region", help="The region in which it was seen; the response looks into all.")] = "",
    since: Annotated[
        str, typer.Option("--since", help="From when on the actor may have acted, such as 2026-11-24T02:00:00Z.")
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why you open it.")] = "",
    note: Annotated[str, typer.Option("--note", help="What somebody wrote to you, alone: people are told, nothing acts.")] = "",
    joins: Annotated[str, typer.Option("--joins", help="Add to this incident, such as one that a note opened.")] = "",
    resources: Annotated[Several, typer.Option("--resource", help="Id or ARN of what looks changed or unknown.")] = None,
    records: Annotated[Several, typer.Option("--record", help="The eventID of a CloudTrail record that is the actor's.")] = None,
    access_keys: Annotated[Several, typer.Option("--access-key", help="The id of an access key that the actor holds.")] = None,
    users: Annotated[Several, typer.Option("--user", help="The name of an IAM user whom the actor acts as.")] = None,
    roles: Annotated[Several, typer.Option("--role", help="The name of an IAM role that the actor acts as.")] = None,
    instances: Annotated[Several, typer.Option("--instance", help="The id of an EC2 instance that the actor is on.")] = None,
    buckets: Annotated[Several, typer.Option("--bucket", help="The name of a bucket that the actor touched.")] = None,
    addresses: Annotated[Several, typer.Option("--address", help="An IP address from which the actor calls.")] = None,
    agents: Annotated[Several, typer.Option("--agent", help="The user agent of the actor's calls.")] = None,
    severity: Annotated[float, typer.Option("--severity", help="From 1 to 10, as GuardDuty counts.")] = 8,
    title: Annotated[str, typer.Option("--title", help="What people read first; made from the reason if you give none.")] = "",
) -> None:
    """Open an incident by hand, from what you know of it, and print its id.

    Name at least one thing, or give a note. Each naming option can be given several times.
    """
    from incident.findings.finding import Named
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
    _check(named, note, {"--account": account, "--region": region, "--since": since, "--reason": reason}, joins)
    try:
        desk = wire(read_config()).opening
        if note:
            opened = desk.note(note, person=person, account=account, region=region, code=code)
        else:
            told = {"account": account, "region": region, "severity": severity, "title": title, "joins": joins}
            opened = desk.open(named, since=moment(since), code=code, **told)
    except (NotOpened, RosterError) as error:
        raise UserError(str(error)) from None
    print(opened.incident)
    said = "taken; the gateway goes on with it" if opened.new else "the same was opened before; nothing is added"
    errors.print(f"{said}. `countermand show {opened.incident}` says where it stands.", soft_wrap=True, highlight=False)


def _check(named: Named, note: str, needed: dict[str, str], joins: str) -> None:
    """A note stands alone; whatever else is said needs its place and its reason."""
    names = any(value for value in asdict(named).values() if isinstance(value, tuple))
    if note and (joins or needed["--reason"] or names):
        raise UserError("--note stands alone; to name something, give --reason instead of it")
    missing = [option for option, value in needed.items() if not value]
    if not note and missing:
        raise UserError(f"this needs {', '.join(missing)}; or give --note alone, if you know no more than somebody's words")
