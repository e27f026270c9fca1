"""Practising: drills, the demo, and codes where no authenticator is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import UserError, console, errors, read_config
from incident.people.messages import plain
from tasks.drills import DrillRecords

app = typer.Typer()


@app.command()
def drill(
    file: Annotated[Path | None, typer.Argument(help="The scenario: a YAML file, or a name that --list shows.")] = None,
    unattended: Annotated[bool, typer.Option("--unattended", help="Scripted responders approve; nobody is asked.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
    dump: Annotated[Path | None, typer.Option("--dump", help="Write before.json, attacked.json and after.json here.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the library, the easiest first; nothing is played.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show the drills that were run; nothing is played.")] = False,
    hints: Annotated[bool, typer.Option("--hints", help="Print the scenario's hints; nothing is played.")] = False,
    notes: Annotated[bool, typer.Option("--notes", help="Print what a teacher needs; it gives everything away.")] = False,
) -> None:
    """Replay an attack in the practice range, judge the response and keep a score card. Ends with 0 only when the scenario's
    expectation holds.
    """
    if list_ or history:
        _library() if list_ else _history(file)
        return
    if file is None:
        raise UserError("name a scenario; `countermand drill --list` shows the library")
    if hints or notes:
        _notes(file, everything=notes)
        return
    records = DrillRecords(read_config().folder)
    raise typer.Exit(_practise(file, interactive=not unattended, json_out=json_out, dump=dump, records=records))


@app.command()
def demo(
    interactive: Annotated[bool, typer.Option("--interactive", help="Leave the approvals to you, and stay up.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
) -> None:
    """One incident from the webhook to the restored network, against the practice range."""
    raise typer.Exit(_practise(None, interactive=interactive, json_out=json_out, dump=None))


def _library() -> None:
    from drill.scenario import HARDEST, library

    table = Table("difficulty", "name", "what happens")
    for one in library():
        rated = f"{one.difficulty} of {HARDEST}" if one.difficulty else "not rated"
        table.add_row(rated, escape(one.name), escape(one.description))
    console.print(table)


def _history(file: Path | None) -> None:
    """The cards that are kept, of all scenarios or of one, each beside the run before it."""
    from incident.score_card import ScoreCard

    cards, unread = DrillRecords(read_config().folder).read()
    if file is not None:
        cards = [card for card in cards if card.scenario == file.stem]
    for name in unread:
        errors.print(f"{escape(name)} is no score card that can be read, and is left out", soft_wrap=True)
    if not cards:
        console.print("No drill is kept here yet; `countermand drill --list` shows what can be drilled.")
        return
    table = Table(
        "when (UTC)", "scenario", "answered by", "result", "since the run before", "contain", "eradicate", "restore", "missed"
    )
    before: dict[tuple[str, bool], ScoreCard] = {}
    for card in cards:
        mark = (card.scenario, card.attended)
        seconds = [card.seconds.contain, card.seconds.eradicate, card.seconds.restore]
        cells = [f"{card.at:%Y-%m-%d %H:%M}", card.scenario, "a person" if card.attended else "script", card.result]
        cells += [f"{card.score - before[mark].score:+d}" if mark in before else "first"]
        cells += ["not reached" if took is None else f"{took:.0f} s" for took in seconds]
        table.add_row(*(escape(plain(cell)) for cell in (*cells, str(len(card.missed)))))
        before[mark] = card
    console.print(table)


def _notes(file: Path, *, everything: bool) -> None:
    from drill.scenario import ScenarioError, load

    try:
        teaching = load(file).teaching
    except ScenarioError as error:
        raise UserError(str(error)) from None
    said = [f"Hint: {line}" for line in teaching.hints]
    if everything:
        said = [f"What it teaches: {teaching.notes}", *said, *(f"A good responder: {line}" for line in teaching.good)]
        said += [f"Question: {one.ask} Right is: {one.right} ({one.why})" for one in teaching.questions]
    for line in said or ["This scenario has none."]:
        console.print(escape(line), soft_wrap=True, highlight=False)


def _practise(
    file: Path | None, *, interactive: bool, json_out: Path | None, dump: Path | None, records: DrillRecords | None = None
) -> int:
    """Play a scenario, the demo's where none is named, and return the exit code."""
    from drill.scenario import ScenarioError
    from gateway.practice.card import ask_at
    from gateway.practice.exercise import DEMO, Exercise
    from gateway.practice.stack import StackFailed

    try:
        quiz = ask_at(console) if interactive and records is not None and console.is_terminal else None
        return Exercise(
            file or DEMO, interactive=interactive, json_out=json_out, dump=dump, console=console, records=records, quiz=quiz
        ).run()
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
