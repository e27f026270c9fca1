"""How ready the accounts are, and a plan for what is missing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, Person, Several, UserError, console, read_config
from incident.people.messages import plain

if TYPE_CHECKING:
    from incident.approvals import Asked
    from incident.plan import Plan
    from incident.posture.checks import Check
    from tasks.executor import Outcome
    from tasks.preparing import Preparing
    from tasks.readiness import Readiness

app = typer.Typer()
_Account = Annotated[Several, typer.Option("--account", help="Only this account; may be given again.")]
_Region = Annotated[Several, typer.Option("--region", help="Only this region; may be given again.")]
_COLORS = {"ok": "green", "missing": "red", "denied": "yellow", "unknown": "yellow", "not enabled": "dim"}
_SHOWN = 5


@app.command()
def readiness(account: _Account = None, region: _Region = None, as_json: Json = False) -> None:
    """Show by account and region what a response needs and what of it is missing or not known. Reads AWS; changes nothing.

    Ends with 1 unless everything is ok.
    """
    checks = _read(_preparing(), account, region).checks
    if as_json:
        typer.echo(json.dumps(_as_json(checks), indent=2))
    else:
        _show(checks)
    raise typer.Exit(0 if _points(checks)["points"] == _points(checks)["of"] else 1)


@app.command()
def prepare(
    account: _Account = None,
    region: _Region = None,
    approve: Annotated[str, typer.Option("--approve", help="Approve and carry out this plan: twelve digits of its digest.")] = "",
    person: Person = "",
    code: Annotated[str, typer.Option("--code", help="The six digits of your authenticator.")] = "",
    strike: Annotated[Several, typer.Option("--strike", help="The id of a step that must not run.")] = None,
    undo: Annotated[str, typer.Option("--undo", help="Plan to take back what this plan did.")] = "",
    as_json: Json = False,
) -> None:
    """Plan what readiness found missing, and print the plan. With --approve, carry out the plan that was printed and read it back.

    `countermand approve preparation` counts too; then `--approve DIGEST` alone carries it out.
    """
    if approve and undo:
        raise UserError("--approve and --undo exclude each other: a plan is printed first, and approved after")
    desk = _preparing()
    if approve:
        _carry_out(desk, approve, person, code, tuple(strike or ()), account, region)
        return
    plan, asked = _planned_back(desk, undo) if undo else desk.plan(_read(desk, account, region))
    if as_json:
        typer.echo(json.dumps({"digest": plan.digest, "plan": plan.model_dump(mode="json")}, indent=2))
    else:
        _print(plan, asked)


def _preparing() -> Preparing:
    from tasks.hands import wire
    from tasks.preparing import Preparing

    return Preparing(wire(read_config()))


def _read(desk: Preparing, account: Several, region: Several) -> Readiness:
    from tasks.aws import AwsError

    try:
        return desk.read(account or (), region or ())
    except AwsError as error:
        raise UserError(f"the accounts are not known: {error}; name them in aws.accounts, and check the credentials") from None


# --- readiness for people -----------------------------------------------------------------------------------------------------


def _points(checks: list[Check]) -> dict[str, Any]:
    from incident.posture.checks import RULE, score

    points, most = score(checks)
    return {"points": points, "of": most, "rule": RULE}


def _as_json(checks: list[Check]) -> dict[str, Any]:
    return {"score": _points(checks), "checks": [asdict(check) for check in checks]}


def _show(checks: list[Check]) -> None:
    table = Table(show_lines=False)
    for name in ("account", "region", "what", "state", "detail", "what to do"):
        table.add_column(name, overflow="fold", no_wrap=name in ("account", "region"))
    for one in checks:
        shown = ", ".join(one.lacking[:_SHOWN]) + (f" and {len(one.lacking) - _SHOWN} more" if len(one.lacking) > _SHOWN else "")
        detail = f"{one.detail}{f' ({shown})' if shown else ''}"
        cells = [escape(plain(cell, 500)) for cell in (one.account, one.region, one.part, str(one.state), detail, one.next)]
        cells[3] = f"[{_COLORS[one.state]}]{cells[3]}[/]"
        table.add_row(*cells)
    console.print(table)
    told = _points(checks)
    console.print(f"Ready: {told['points']} of {told['of']} ({told['rule']})", highlight=False, soft_wrap=True)


# --- the plan -----------------------------------------------------------------------------------------------------------------


def _print(plan: Plan, asked: Asked | None) -> None:
    from rich.markdown import Markdown

    from incident.people.messages import approval_form

    if asked is None:
        console.print("Nothing to prepare." if not plan.unplanned else "Nothing that a plan can prepare.")
        for item in plan.unplanned:
            console.print(escape(plain(f"left to people: {item.what}: {item.why}; {item.advice}", 600)), soft_wrap=True)
        return
    console.print(Markdown(approval_form(plan, asked)))
    for step in plan.steps[_FORM_SHOWS:]:
        console.print(escape(plain(f"{step.id}  {step.title}", 400)), soft_wrap=True, highlight=False)
    approving = f"countermand prepare --approve {plan.short_digest} --as NAME --code CODE"
    console.print(f"To carry it out: {approving}", soft_wrap=True, highlight=False)


_FORM_SHOWS = 25
"""The steps that the form itself lists."""


def _planned_back(desk: Preparing, undo: str) -> tuple[Plan, Asked | None]:
    from tasks.preparing import NotToBeRun

    try:
        return desk.plan_back(undo)
    except NotToBeRun as error:
        raise UserError(str(error)) from None


def _carry_out(
    desk: Preparing, digest: str, person: str, code: str, strike: tuple[str, ...], account: Several, region: Several
) -> None:
    from tasks.preparing import NotToBeRun

    try:
        plan = desk.plan_with(digest)
        if person:
            desk.approve(plan, person, code, strike)
        elif code or strike:
            raise UserError("--code and --strike go with --as: say who you are")
        outcomes = desk.apply(plan, lambda words: console.print(escape(plain(words, 400)), highlight=False))
    except NotToBeRun as error:
        raise UserError(str(error)) from None
    _show_outcomes(plan, outcomes)
    places = {(step.account, step.region) for step in plan.steps}
    accounts = account or sorted({one for one, _ in places})
    regions = region or sorted({one for _, one in places if one != "global"})
    after = _read(desk, accounts, regions).checks
    _show([one for one in after if one.region])
    raise typer.Exit(0 if all(outcome.good for outcome in outcomes) else 1)


def _show_outcomes(plan: Plan, outcomes: list[Outcome]) -> None:
    table = Table("step", "what it does", "ended", "detail")
    for step, outcome in zip(plan.steps, outcomes, strict=True):
        color = "green" if outcome.good else "red"
        cells = [escape(plain(cell, 400)) for cell in (step.id, step.title, str(outcome.result), outcome.detail)]
        cells[2] = f"[{color}]{cells[2]}[/]"
        table.add_row(*cells)
    console.print(table)
