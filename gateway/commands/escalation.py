"""Escalation: taking an incident, calling for help, and the ladder: shown, and tested with real messages."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Code, Person, UserError, console, read_config

if TYPE_CHECKING:
    from incident.people.escalation import ClimbPhase, EscalationPolicy
    from tasks.escalating import Escalating
    from tasks.hands import Hands

app = typer.Typer()
escalation_app = typer.Typer(help="Who is told of an incident, and when.", no_args_is_help=True)

Severity = Annotated[float, typer.Option("--severity", min=0, max=10, help="From 1 to 10, as GuardDuty counts.")]
Phase = Annotated[str, typer.Option("--phase", help="What people are told of: opened, waiting, must-act, …")]
_POLL_SECONDS = 1.0
_DELIVERY_GRACE = timedelta(seconds=60)


@app.command()
def ack(
    incident: Annotated[str, typer.Argument(help="The id of an incident, or of a test of the escalation.")],
    person: Person,
    code: Code,
) -> None:
    """Say that you have taken an incident: nobody else is called while that holds."""
    problem, until = _desk().take(incident, person=person, code=code, surface="command line")
    if problem or until is None:
        raise UserError(problem)
    console.print(f"It is yours until {until:%Y-%m-%d %H:%M} UTC; acknowledge again before, or others are called.")


@app.command()
def escalate(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    person: Person,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why: they read it first.")],
) -> None:
    """Call the next level in now, whatever the hour. What was acknowledged before no longer holds."""
    if problem := _desk().call(incident, person=person, code=code, surface="command line", reason=reason):
        raise UserError(problem)
    console.print("The next level is called.")


def _desk() -> Any:
    from tasks.acknowledging import Acknowledging
    from tasks.escalation_file import load_escalation
    from tasks.hands import wire

    hands = wire(read_config())
    policy = load_escalation(hands.config)
    times = {"ack_time": policy.ack_time} if policy else {}
    return Acknowledging(hands.ledger, hands.roster, hands.policy, hands.clock, **times)


@escalation_app.command()
def show(severity: Severity = 8, phase: Phase = "opened") -> None:
    """Print the ladder for a severity and a phase, with the time at which each level is told, and who is called in beside it."""
    from tasks.escalation_file import load_escalation

    policy = _needed(load_escalation(read_config()))
    wanted = _phase(phase)
    rule = policy.rule(severity, wanted)
    console.print(f"Severity {severity:g}, {wanted}: ladder [bold]{escape(rule.ladder)}[/bold]", highlight=False)
    if rule.ladder in policy.ladders:
        console.print(_ladder_table(policy, rule.ladder, rule.after))
    console.print(f"An acknowledgement holds for {policy.ack_minutes:g} minutes.", highlight=False)
    if policy.stakeholders:
        console.print(_stakeholder_table(policy, severity))


def _needed(policy: EscalationPolicy | None) -> EscalationPolicy:
    if policy is None:
        raise UserError("no escalation policy is configured; copy deployments/escalation.example.yaml and set escalation_file")
    return policy


def _phase(word: str) -> ClimbPhase:
    from typing import get_args

    from incident.people.escalation import ClimbPhase

    for known in get_args(ClimbPhase):
        if word == known:
            return known
    raise UserError(f"there is no phase {word!r}; give one of {', '.join(get_args(ClimbPhase))}")


def _ladder_table(policy: EscalationPolicy, name: str, at: timedelta) -> Table:
    table = Table("after", "level", "told", "by", "then waits")
    for number, level in enumerate(policy.ladders[name].levels, start=1):
        for telling in range(level.repeats + 1):
            first = telling == 0
            cells = (
                f"{at.total_seconds() / 60:g} min",
                f"{number} {level.name}" if first else "again",
                "\n".join(_contact(policy, one) for one in level.whom) if first else "",
                ", ".join(level.channels) or "all they have",
                f"{level.wait_minutes:g} min",
            )
            table.add_row(*(escape(cell) for cell in cells))
            at += level.wait
    return table


def _contact(policy: EscalationPolicy, name: str) -> str:
    quiet = [f"{one.since:%H:%M}-{one.until:%H:%M} {one.zone} below {one.below_severity:g}" for one in policy.contacts[name].quiet]
    return f"{name} (quiet {'; '.join(quiet)})" if quiet else name


def _stakeholder_table(policy: EscalationPolicy, severity: float) -> Table:
    table = Table("called in beside", "who", "when")
    for one in policy.stakeholders:
        who = ", ".join(one.whom) or (
            "a case with AWS Support" if one.support_case else "a case with AWS Security Incident Response"
        )
        given = one.when.model_dump(exclude_defaults=True)
        when = "; ".join(f"{key} {', '.join(value) if isinstance(value, tuple) else value}" for key, value in given.items())
        never = "not at this severity: " if severity < one.when.severity else ""
        table.add_row(*(escape(cell) for cell in (one.name, who, never + (when or "at once"))))
    return table


@escalation_app.command("test")
def rehearse(
    person: Annotated[str, typer.Option("--as", help="Who runs the test; it stands in every message.")],
    severity: Severity = 8,
    phase: Phase = "opened",
    within: Annotated[float, typer.Option("--within", min=0, help="Minutes to wait at each level; 0: as the policy says.")] = 0,
) -> None:
    """Walk the ladder for real: tell each level, wait until everybody answers or its time is over, and say who was silent.

    Every message is marked as a test. Cases with AWS are not opened. Ends with 0 only when everybody was reached and answered.
    """
    from incident.people.rehearsal import PREFIX, begun
    from tasks.escalating import escalating
    from tasks.hands import wire

    hands = wire(read_config())
    driver = escalating(hands)
    policy = _needed(driver.policy if driver else None)
    rule = policy.rule(severity, _phase(phase))
    if rule.ladder not in policy.ladders:
        raise UserError(f"at severity {severity:g} nobody is told of {phase}; choose another severity or phase")
    name = f"{PREFIX}{hands.clock():%Y%m%d-%H%M%S}"
    hands.ledger.append(*begun(name, person, severity, rule.ladder, timedelta(minutes=within) if within else None))
    console.print(f"Test {name}, ladder {escape(rule.ladder)}. To answer: countermand ack {name} --as NAME", highlight=False)
    assert driver is not None
    _walk(hands, driver, name)
    raise typer.Exit(0 if _report(hands, policy, name) else 1)


def _walk(hands: Hands, driver: Escalating, test: str) -> None:
    """Go up the ladder until it ends, and then see that what was sent has arrived or has failed."""
    from incident.people.occasions import facts
    from incident.people.rehearsal import next_step

    while True:
        lines = hands.ledger.lines(test)
        known = facts(lines, hands.clock())
        assert known is not None
        step = next_step(driver.policy, known, lines, hands.clock())
        if step.over:
            break
        if step.entries:
            hands.ledger.append_all(step.entries)
            told = step.entries[0][3]
            console.print(f"Level {int(told['level']) + 1}, {told['level_name']}: {', '.join(told['contacts'])}", highlight=False)
        driver.see_to(test)
        if step.wait_until is not None:
            time.sleep(_POLL_SECONDS)
    end = hands.clock() + _DELIVERY_GRACE
    while hands.clock() < end and not _all_delivered(hands, test):
        driver.see_to(test)
        time.sleep(_POLL_SECONDS)


def _all_delivered(hands: Hands, test: str) -> bool:
    from incident.people.sending import fates

    return all(fate.result == "delivered" or fate.final for fate in fates(hands.ledger.lines(test)).values())


def _report(hands: Hands, policy: EscalationPolicy, test: str) -> bool:
    """Keep the result in the ledger and print it; whether all is well."""
    from incident.people.rehearsal import result

    line, _ = hands.ledger.append(*result(policy, hands.ledger.lines(test), hands.clock()))
    table = Table("level", "contact", "told by", "answered")
    for level in line.body["levels"]:
        for one in level["contacts"]:
            told = "\n".join(f"{way['way']}: {way['result'] or 'not yet'} {way['detail']}" for way in one["told"])
            answered = f"{datetime.fromisoformat(one['answered_at']):%H:%M:%S} UTC" if one["answered_at"] else "no"
            table.add_row(*(escape(cell) for cell in (f"{level['level']} {level['name']}", one["contact"], told, answered)))
    console.print(table)
    for what, names in (("did not answer", line.body["unanswered"]), ("not delivered", line.body["undelivered"])):
        for name in names:
            console.print(f"[red]{what}[/red]: {escape(str(name))}", highlight=False, soft_wrap=True)
    if line.body["passed"]:
        console.print("[green]passed[/green]: everybody was reached and answered")
    return bool(line.body["passed"])
