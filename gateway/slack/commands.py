"""What `/incident` answers: to responders of the policy alone, and only to whoever typed it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.slack.dialog import AskedBy
from incident.ledger import Kind, Line
from incident.people.blocks import fitted
from incident.people.messages import Blocks, section, slack
from incident.people.outbox import outbox
from incident.people.rehearsal import PREFIX
from incident.people.status import Status, status
from incident.people.status_message import status_message, status_row
from incident.policy import Policy, Responder
from tasks.acknowledging import Acknowledging
from tasks.approvals import Approvals
from tasks.config import Config
from tasks.ledger import Ledger
from tasks.work import in_thread

_MOST_LISTED = 20
_LOOKED_THROUGH = 200
_LONGEST_REASON = 500
_IDS = ("inc-", PREFIX)

HELP = "\n".join(
    [
        "*What I answer to* (only you see it)",
        "`/incident list` the incidents that are not ended, the newest first",
        "`/incident show [ID]` where it stands: phase, regions, for whom it waits",
        "`/incident ack [ID]` you have it: nobody else is called for a while",
        "`/incident escalate [ID] why` call the next level in now",
        "`/incident approve [ID]` the dialog to approve the plan that waits",
        "`/incident report [ID]` the report",
        "ID may be left out where only one incident is open, or in an incident's own channel. Its first letters do.",
    ]
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What to tell whoever typed a command, or the question whose dialog is to open for them."""

    text: str = ""
    blocks: Blocks = field(default_factory=list[dict[str, Any]])
    opens: AskedBy | None = None


class SlackCommands:
    """The desk behind `/incident`."""

    def __init__(
        self,
        ledger: Ledger,
        policy: Policy,
        approvals: Approvals,
        desk: Acknowledging,
        config: Config,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger, self._policy, self._approvals, self._config, self._clock = ledger, policy, approvals, config, clock
        self._desk = desk

    async def answer(self, *, team: str, user: str, channel: str, text: str) -> Reply:
        """Answer one command. Everything in it comes from outside."""
        return await in_thread(self._answer, team, user, channel, text)

    def _answer(self, team: str, user: str, channel: str, text: str) -> Reply:
        person = self._policy.by_slack(team, user)
        if person is None:
            return Reply("The policy file names no responder with your Slack team and user; an administrator adds you there.")
        words = text.split()
        command, rest = (words[0].lower(), words[1:]) if words else ("help", [])
        if command == "list":
            return self._list()
        acts = {"show": self._show, "report": self._report, "ack": self._ack, "escalate": self._escalate, "approve": self._approve}
        if command not in acts:
            return Reply(HELP, [section(HELP)])
        incident, rest, problem = self._meant(channel, rest)
        return Reply(problem) if problem else acts[command](person, incident, rest)

    def _list(self) -> Reply:
        standing = [self._status(incident) for incident in self._incidents() if not incident.startswith(PREFIX)]
        shown = [one for one in standing if not one.ended]
        ended = len(standing) - len(shown)
        if not shown:
            return Reply(f"No incident is open. {ended} ended." if ended else "There is no incident.")
        rows = [status_row(one) for one in shown[:_MOST_LISTED]]
        more = [f"… and {len(shown) - _MOST_LISTED} more; `countermand incidents` lists all"] if len(shown) > _MOST_LISTED else []
        return Reply(*fitted(f"{len(shown)} open", [section(row) for row in [*rows, *more]]))

    def _show(self, person: Responder, incident: str, rest: Sequence[str]) -> Reply:
        shown = self._status(incident)
        run = f"{self._config.prefect_ui_url}/v2/runs/flow-run/{shown.run}" if shown.run else ""
        return Reply(*status_message(shown, self._report_url(incident) if shown.ended else "", run))

    def _report(self, person: Responder, incident: str, rest: Sequence[str]) -> Reply:
        reports = self._ledger.lines(incident, Kind.REPORT)
        if not reports:
            return Reply(f"{incident} has no report yet; `/incident show {incident}` says where it stands.")
        last = reports[-1]
        when = f"{last.at:%Y-%m-%d %H:%M} UTC"
        return Reply(
            f"{incident}: *{slack(last.body['status'])}*, written at {when}. <{self._report_url(incident)}|Open the report>"
        )

    def _ack(self, person: Responder, incident: str, rest: Sequence[str]) -> Reply:
        problem = self._desk.objection(incident, person.name)
        if problem:
            return Reply(f"{slack(problem, 400)}.")
        until = self._desk.taken(incident, person.name, "slack")
        return Reply(f"{incident} is yours until {until:%Y-%m-%d %H:%M} UTC, {slack(person.name, 80)}; acknowledge again before.")

    def _escalate(self, person: Responder, incident: str, rest: Sequence[str]) -> Reply:
        reason = " ".join(rest)[:_LONGEST_REASON].strip()
        if not reason:
            return Reply(f"Say why, they read it first: `/incident escalate {incident} the reason`.")
        problem = self._desk.objection(incident, person.name)
        if problem:
            return Reply(f"{slack(problem, 400)}.")
        self._desk.called(incident, person.name, "slack", reason)
        return Reply(f"The next level is called for {incident}.")

    def _approve(self, person: Responder, incident: str, rest: Sequence[str]) -> Reply:
        asked = self._approvals.waiting(incident)
        if asked is None:
            return Reply(f"{incident} has no question that waits for an answer.")
        objection = self._approvals.objection(incident, asked.id, person=person.name, digest=asked.digest)
        if objection:
            return Reply(f"{slack(objection, 400)}.")
        return Reply(opens=AskedBy(f"{incident}:{asked.id}", asked.digest, "approve"))

    def _meant(self, channel: str, words: Sequence[str]) -> tuple[str, Sequence[str], str]:
        """The incident that somebody means, the words after it, and why it is not known which."""
        known = self._incidents()
        if words and words[0].startswith(_IDS):
            found = [incident for incident in known if incident.startswith(words[0])]
            if len(found) == 1:
                return found[0], words[1:], ""
            named = slack(words[0], 40)
            return (
                "",
                words,
                f"{'No incident' if not found else 'More than one incident'} begins with `{named}`; try `/incident list`.",
            )
        here = [incident for incident in known if outbox(self._ledger.lines(incident, Kind.MESSAGE)).channel == channel]
        able = here or [incident for incident in known if not incident.startswith(PREFIX) and not self._status(incident).ended]
        if len(able) == 1:
            return able[0], words, ""
        return "", words, "No incident is open." if not able else "More than one incident is open; name it: `/incident list`."

    def _incidents(self) -> list[str]:
        """The newest incidents, the newest first, those whose detection has begun; and tests of the escalation."""
        names = [name for name in reversed(self._ledger.incidents()) if name.startswith(_IDS)][:_LOOKED_THROUGH]
        return [name for name in names if name.startswith(PREFIX) or self._ledger.find(name, "opened") is not None]

    def _status(self, incident: str) -> Status:
        lines: list[Line] = self._ledger.lines(incident)
        return status(incident, lines, self._policy, self._clock())

    def _report_url(self, incident: str) -> str:
        return f"{self._config.gateway.public_url}/incidents/{incident}/report"
