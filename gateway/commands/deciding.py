"""Deciding on the command line, where neither Prefect nor Slack is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.shell import Code, Person, UserError, console, read_config

if TYPE_CHECKING:
    from incident.approvals import Answer, Asked
    from tasks.hands import Hands

app = typer.Typer()
_Incident = Annotated[str, typer.Argument(help="The incident's id.")]
_Digest = Annotated[str, typer.Option("--plan", help="The plan you decide on: at least twelve digits of its digest.")]


@app.command()
def approve(
    incident: _Incident,
    person: Person,
    digest: _Digest,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    strike: Annotated[list[str] | None, typer.Option("--strike", help="The id of a step that must not run.")] = None,
) -> None:
    """Approve the plan that waits, as in Prefect or Slack. `countermand plan` prints it."""
    from incident.approvals import Answer

    _decide(incident, Answer.APPROVE, person, code, digest, reason, tuple(strike or ()))


@app.command()
def reject(
    incident: _Incident,
    person: Person,
    digest: _Digest,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
) -> None:
    """Reject the plan that waits; one rejection wins."""
    from incident.approvals import Answer

    _decide(incident, Answer.REJECT, person, code, digest, reason, ())


@app.command()
def plan(incident: _Incident) -> None:
    """Print the plan that waits for a decision: its digest, its steps, what cannot be taken back, what is left to people."""
    from rich.markdown import Markdown

    from incident.people.messages import approval_form
    from tasks.hands import wire

    hands = wire(read_config())
    asked = _waiting(hands, incident)
    found = hands.approvals.plan_of(incident, asked)
    if found is None:
        raise UserError(f"the ledger has no plan {asked.digest[:12]}; run `countermand ledger verify {incident}`")
    console.print(Markdown(approval_form(found, asked)))


def _decide(incident: str, answer: Answer, person: str, code: str, digest: str, reason: str, strike: tuple[str, ...]) -> None:
    from tasks.approvals import Refused
    from tasks.hands import wire
    from tasks.roster import RosterError

    hands = wire(read_config())
    asked = _waiting(hands, incident)
    if len(digest) < 12 or not asked.digest.startswith(digest.lower()):
        raise UserError(f"the plan that waits is {asked.digest[:12]}; read it with `countermand plan {incident}` and decide again")
    found = hands.approvals.plan_of(incident, asked)
    unknown = set(strike) - {step.id for step in (found.steps if found else ())}
    if unknown:
        raise UserError(f"the plan has no step {min(unknown)}; `countermand plan {incident}` prints their ids")
    try:
        # A code is good once: it is spent only on an answer that can count.
        wrong = hands.approvals.objection(incident, asked.id, person=person, digest=asked.digest) or hands.roster.check(
            person, code
        )
        if wrong:
            raise UserError(wrong)
        hands.approvals.decide(
            incident,
            asked.id,
            person=person,
            method="one-time-code",
            surface="command line",
            answer=answer,
            digest=asked.digest,
            reason=reason,
            steps_struck=strike,
        )
    except (Refused, RosterError) as error:
        raise UserError(str(error)) from None
    console.print(f"Your answer counts: {answer} for plan {asked.digest[:12]}. {_what_follows(incident, asked)}", soft_wrap=True)


def _what_follows(incident: str, asked: Asked) -> str:
    from incident.posture.goals import CASE

    if incident == CASE:
        return f"`countermand prepare --approve {asked.digest[:12]}` carries out what was approved."
    return "The response goes on within some seconds."


def _waiting(hands: Hands, incident: str) -> Asked:
    asked = hands.approvals.waiting(incident)
    if asked is None:
        raise UserError(f"no question of {incident} waits for an answer; `countermand show {incident}` says where it stands")
    return asked
