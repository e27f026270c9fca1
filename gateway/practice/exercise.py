"""One exercise: an estate, an attack, a finding, and the real Countermand answering it; then an independent judgement."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape

import drill
from drill.aws.range import Range
from drill.scenario import Scenario, load
from drill.slack.server import FakeSlack
from drill.stage import Stage, range_config
from drill.verdict import Verdict, judge
from gateway.practice.card import Quiz, card_of, decisions_answered, quizzed, show_card
from gateway.practice.configuration import (
    FLOW_LOG_BUCKET,
    PEOPLE,
    WEBHOOK_KEY,
    granted_to,
    practice_config,
    practice_environment,
    practice_slack,
    use_responder_credentials,
)
from gateway.practice.people import Person, ScriptedResponders
from gateway.practice.prefect_database import one_connection
from gateway.practice.scoring import Times, show, verdict_of
from gateway.practice.stack import Stack, StackFailed
from incident.family import Scope
from incident.findings.finding import incident_id, parse_finding
from incident.ledger import Kind, Line
from incident.reports.report import Report, report
from incident.score_card import ScoreCard, compared
from tasks.baseline import sweep_region
from tasks.drills import DrillRecords
from tasks.hands import Hands, utc_now, wire

DEMO = Path(drill.__file__).parent / "scenarios" / "network-takeover.yaml"
_DEADLINE_SECONDS = 900.0
_INTERACTIVE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Parts:
    """Everything that is up during an exercise."""

    aws: Range
    slack: FakeSlack
    stack: Stack
    stage: Stage
    hands: Hands


class Exercise:
    """A drill or the demo.

    Args:
        file: the scenario.
        interactive: whether a person at the keyboard approves; then everything stays up until they stop it.
        json_out: where the verdict goes.
        dump: the folder for the range's state before, during and after.
        start_worker: starts what runs the flows.
        responders: who answers when nobody is at the keyboard.
        records: where the score card is kept; without it none is made, for a demo trains nobody.
        quiz: puts the scenario's questions to whoever is drilled; without it they are not asked.
        visit: called at the end, while everything is up, with the addresses of the report, the Prefect run and the Slack page.
    """

    def __init__(
        self,
        file: Path,
        *,
        interactive: bool,
        json_out: Path | None,
        dump: Path | None,
        console: Console,
        start_worker: Callable[[Stack], None] = Stack.start_worker,
        responders: type[ScriptedResponders] = ScriptedResponders,
        records: DrillRecords | None = None,
        quiz: Quiz | None = None,
        visit: Callable[[dict[str, str]], None] = lambda addresses: None,
    ) -> None:
        self.scenario: Scenario = load(file)
        self.interactive, self.json_out, self.dump = interactive, json_out, dump
        self.console = console
        self._start_worker, self._responders, self._visit = start_worker, responders, visit
        self._records, self._quiz = records, quiz
        self._started = time.monotonic()

    def run(self) -> int:
        """Play it and return the exit code: 0 when the scenario's expectation holds."""
        folder = Path(tempfile.mkdtemp(prefix="countermand-practice-"))
        keep = True
        try:
            with self._raised(folder) as parts:
                verdict = self._play(parts)
                self._show(verdict, parts)
                if self.interactive:
                    self._stay_up()
                keep = self.interactive or not verdict["as_expected"]
                return 0 if verdict["as_expected"] else 1
        finally:
            if keep:
                self.console.print(f"State and logs are kept in {folder}", soft_wrap=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _raised(self, folder: Path) -> Iterator[Parts]:
        """Range, Slack, Prefect, worker and gateway, all up, with the estate in place; ended in the reverse order."""
        with ExitStack() as ending:
            granted = granted_to(self.scenario.account_ids, FlowLogBucket=FLOW_LOG_BUCKET)
            aws = ending.enter_context(Range(range_config(self.scenario, granted=granted)))
            stack = ending.enter_context(Stack(folder, one_connection(folder)))
            slack = ending.enter_context(practice_slack(stack))
            config = practice_config(self.scenario, folder, aws, slack, stack)
            stack.add_environment(practice_environment(config, aws))
            self._say(f"Range at {aws.url} with {len(aws.config.enabled)} regions enabled, Slack at {slack.url}")
            # Prefect's server takes longest to come up; the estate is built meanwhile.
            prefect = threading.Thread(target=_without_complaint(stack.start_prefect), name="prefect")
            prefect.start()
            stack.start_gateway()
            stage = Stage(self.scenario, aws)
            stage.build_estate()
            self._say(f"The estate stands: {len(self.scenario.estate)} calls")
            use_responder_credentials(aws)
            hands = wire(config)
            if self.scenario.baseline:
                self._say(self._swept(hands, aws))
            prefect.join()
            stack.wait_for("prefect-server", f"{stack.prefect_url}/api/health")
            self._say(f"Prefect at {stack.prefect_url}")
            stack.deploy()
            self._start_worker(stack)
            stack.wait_for_gateway()
            self._say(f"Gateway at {stack.gateway_url}, worker on pool countermand; deployed: respond, sweep, drill")
            yield Parts(aws, slack, stack, stage, hands)

    def _swept(self, hands: Hands, aws: Range) -> str:
        """The baseline that a prepared team has: every region, swept before anything happens."""
        at = datetime.fromtimestamp(aws.clock.now(), UTC)
        scopes = [Scope(account, region) for account in self.scenario.account_ids for region in sorted(aws.config.enabled)]
        with ThreadPoolExecutor(4) as pool:
            swept = list(pool.map(lambda scope: sweep_region(hands.aws, scope, at), scopes))
        for region in swept:
            hands.baselines.keep(region)
        failed = [f"{region.scope.region} {read}" for region in swept for read in region.failed]
        unread = f"; not read: {', '.join(failed[:5])}" if failed else ""
        return f"Baseline: {sum(len(region.settings) for region in swept)} network settings in {len(scopes)} regions{unread}"

    def _play(self, parts: Parts) -> dict[str, Any]:
        before = parts.aws.dump()
        parts.stage.attack()
        attacked = parts.aws.dump()
        self._say(f"The attack is over: {len(self.scenario.attack)} steps")
        incident, deliver = self._delivery(parts)
        people = self._people(incident, parts)
        accepted = time.monotonic()
        deliver(people)
        seconds = self._follow(incident, parts, accepted)
        people.stop()
        after = parts.aws.dump()
        self._write_dumps(before=before, attacked=attacked, after=after)
        written = report(parts.hands.ledger.lines(incident))
        judged = judge(parts.stage, before, after)
        verdict = verdict_of(self.scenario, written, judged, parts.aws, seconds)
        if self._records is not None:
            verdict["card"] = self._scored(parts, judged, written, self._records).model_dump(mode="json")
        if self.json_out is not None:
            self.json_out.write_text(json.dumps(verdict, indent=1, default=str))
        return verdict

    def _scored(self, parts: Parts, judged: Verdict, written: Report, records: DrillRecords) -> ScoreCard:
        """Make the score card, keep it and show it."""
        lines = parts.hands.ledger.lines(written.incident)
        answers = [*decisions_answered(self.scenario, lines), *quizzed(self.scenario, self._quiz)]
        keys = parts.stage.actor_keys
        card = card_of(self.scenario, keys, judged, written, answers, attended=self.interactive, at=utc_now())
        comparison = compared(card, records.all())
        show_card(self.console, card, self.scenario, comparison)
        self._say(f"The score card is kept as {records.keep(card)}")
        return card

    def _delivery(self, parts: Parts) -> tuple[str, Callable[[ScriptedResponders], None]]:
        """The incident, and what opens it once its responders are there."""
        event = parts.stage.finding().envelope
        incident = incident_id(parse_finding(event))
        return incident, lambda people: self._post(parts, event, incident)

    def _post(self, parts: Parts, event: dict[str, Any], incident: str) -> None:
        """Deliver the finding as EventBridge does."""
        door = f"{parts.stack.gateway_url}/webhooks/guardduty"
        answer = httpx.post(door, json=event, headers={"X-Countermand-Key": WEBHOOK_KEY}, timeout=10)
        self._say(f"Finding posted: the gateway answered {answer.status_code}; incident {incident}")
        if self.interactive:
            self._say("The approvals are yours: on the Slack page, or in the Prefect run (⋮ menu, Resume)")
            self._say(f"Slack page {parts.slack.url}    Prefect runs {parts.stack.prefect_url}/v2/runs")
            self._say(f"Prefect's page asks for its password: {':'.join(parts.stack.prefect_auth)}")

    def _people(self, incident: str, parts: Parts) -> ScriptedResponders:
        """Two responders, enrolled; scripted unless a person takes their place."""
        alice, bob = (Person.enrolled(parts.hands.roster, name, user) for name, user in PEOPLE)
        if self.interactive:
            for person in (alice, bob):
                self._say(f"One-time codes of {person.name}: .venv/bin/countermand code {person.secret}")
        responders = self._responders(incident, parts.hands, (alice, bob), parts.slack.url, parts.stack.prefect_url)
        if not self.interactive:
            responders.start()
        return responders

    def _follow(self, incident: str, parts: Parts, accepted: float) -> Times:
        """Show the ledger as it grows until the report is written.

        Raises:
            StackFailed: a process died, or the response did not end in time.
        """
        shown, contain, restore = 0, None, None
        limit = _INTERACTIVE_SECONDS if self.interactive else _DEADLINE_SECONDS
        while time.monotonic() - accepted < limit:
            parts.stack.check()
            lines = parts.hands.ledger.lines(incident)
            for line in lines[shown:]:
                self._show_line(line)
                moment = round(time.monotonic() - accepted, 2)
                if line.kind == Kind.OUTCOME and line.body["phase"] == "contain":
                    contain = moment
                elif line.kind == Kind.OUTCOME and line.body["phase"] in ("eradicate", "recover"):
                    restore = moment
            shown = len(lines)
            # Report 0 is of what nobody has named a seed for yet.
            if any(line.kind == Kind.REPORT and line.key != "report:0" for line in lines):
                return Times(round(time.monotonic() - accepted, 2), contain, restore)
            time.sleep(0.2)
        raise StackFailed(f"the response did not end within {limit:.0f} s; see {parts.stack.log('worker')}")

    def _show_line(self, line: Line) -> None:
        body = line.body
        if line.kind == Kind.PHASE and body["state"] == "done":
            self._say(f"{body['phase']}: {body['returned']}")
        elif line.kind == Kind.OUTCOME:
            detail = f" ({body['detail']})" if body["detail"] else ""
            self._say(f"  {body['result']:14} {body['title']}{detail}")
        elif line.kind == Kind.QUESTION:
            self._say(f"Waiting for people: plan {str(body['digest'])[:12]}")
        elif line.kind == Kind.DECISION:
            self._say(f"{body['person']} answered {body['answer']} in {body['surface']}")

    def _write_dumps(self, **states: Any) -> None:
        if self.dump is None:
            return
        self.dump.mkdir(parents=True, exist_ok=True)
        for name, state in states.items():
            (self.dump / f"{name}.json").write_text(json.dumps(state, indent=1, default=str))

    def _show(self, verdict: dict[str, Any], parts: Parts) -> None:
        run = parts.hands.ledger.find(verdict["incident"], "run")
        addresses = {
            "report": f"{parts.stack.gateway_url}/incidents/{verdict['incident']}/report",
            "Prefect run": f"{parts.stack.prefect_url}/v2/runs/flow-run/{run.body['flow_run']}" if run else "none",
            "Slack page": parts.slack.url,
        }
        show(self.console, verdict, addresses, time.monotonic() - self._started)
        self._visit(addresses)

    def _stay_up(self) -> None:
        self.console.print("Everything stays up; press Ctrl-C to stop.")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()

    def _say(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._started:6.1f}s[/dim]  {escape(text)}", soft_wrap=True, highlight=False)


def _without_complaint(work: Callable[[], None]) -> Callable[[], None]:
    """Work for a thread: a failure shows at the next wait, which names the log."""

    def run() -> None:
        with suppress(StackFailed):
            work()

    return run
