"""One exercise: an estate, an attack, a finding, and the real Countermand answering it; then an independent judgement."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import drill
from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.scenario import Scenario, load
from drill.slack.server import FakeSlack
from drill.stage import Stage
from drill.verdict import Verdict, judge
from gateway.practice.people import SLACK_CHANNEL, SLACK_TEAM, Person, ScriptedResponders, resume_in
from gateway.practice.stack import Stack, StackFailed
from incident.family import Scope
from incident.finding import incident_id, parse_finding
from incident.ledger import Kind, Line
from incident.report import report
from tasks.baseline import sweep_region
from tasks.config import AwsConfig, Config
from tasks.hands import Hands, utc_now, wire

DEMO = Path(drill.__file__).parent / "scenarios" / "network-takeover.yaml"
_WEBHOOK_KEY = "practice-webhook-key"
_SIGNING_SECRET = "practice-signing-secret"
_BOT_TOKEN = "xoxb-practice"
_APP_TOKEN = "xapp-practice"
_DEADLINE_SECONDS = 900.0
_INTERACTIVE_SECONDS = 24 * 3600.0
_PEOPLE = (("alice", "U0ALICE"), ("bob", "U0BOB"))


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from the webhook's acceptance."""

    total: float
    contain: float | None
    restore: float | None


class Exercise:
    """A drill or the demo.

    Args:
        file: the scenario.
        interactive: whether a person at the keyboard approves; then everything stays up until they stop it.
        json_out: where the verdict goes.
        dump: the folder for the range's state before, during and after.
    """

    def __init__(self, file: Path, *, interactive: bool, json_out: Path | None, dump: Path | None, console: Console) -> None:
        self.scenario: Scenario = load(file)
        self.interactive, self.json_out, self.dump = interactive, json_out, dump
        self.console = console
        self._started = time.monotonic()

    def run(self) -> int:
        """Play it and return the exit code: 0 when the scenario's expectation holds."""
        folder = Path(tempfile.mkdtemp(prefix="countermand-practice-"))
        kept = self.interactive
        try:
            with self._stage(folder) as parts:
                verdict = self._play(*parts)
                kept = kept or not verdict["as_expected"]
                self._show(verdict, parts)
                if self.interactive:
                    self._stay_up()
                return 0 if verdict["as_expected"] else 1
        except StackFailed:
            kept = True
            raise
        finally:
            if kept:
                self.console.print(f"State and logs are kept in {folder}", soft_wrap=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _stage(self, folder: Path) -> Iterator[tuple[Range, FakeSlack, Stack, Stage, Hands]]:
        """Range, Slack, Prefect, worker and gateway, all up; ended in the reverse order."""
        with ExitStack() as ending:
            aws = ending.enter_context(Range(self._range_config()))
            stack = ending.enter_context(Stack(folder, {}))
            slack = ending.enter_context(self._slack(stack))
            config = self._config(folder, aws, slack, stack)
            stack.add_environment(_environment(config, aws))
            self._say(f"Range at {aws.url}: {len(aws.config.enabled)} regions enabled. Slack at {slack.url}")
            prefect = threading.Thread(target=_quietly(stack.start_prefect), name="prefect")
            prefect.start()
            stage = Stage(self.scenario, aws)
            stage.build_estate()
            self._say("The estate stands")
            hands = wire(config)
            _use_credentials(aws)
            if self.scenario.baseline:
                self._say(self._sweep(hands, aws))
            prefect.join()
            stack.wait_for("prefect-server", f"{stack.prefect_url}/api/health")
            self._say(f"Prefect at {stack.prefect_url}")
            stack.deploy()
            stack.start_worker()
            stack.start_gateway()
            self._say(f"Gateway at {stack.gateway_url}; deployments respond, sweep and drill are in work pool countermand")
            yield aws, slack, stack, stage, hands

    def _range_config(self) -> RangeConfig:
        return RangeConfig(
            accounts=self.scenario.account_ids,
            regions=self.scenario.regions,
            delivery_lag=self.scenario.delivery_lag,
            snapshot_seconds=self.scenario.snapshot_seconds,
        )

    def _slack(self, stack: Stack) -> FakeSlack:
        users = [{"id": user, "name": name, "team_id": SLACK_TEAM} for name, user in _PEOPLE]
        return FakeSlack(
            signing_secret=_SIGNING_SECRET,
            bot_token=_BOT_TOKEN,
            app_token=_APP_TOKEN,
            request_url=f"{stack.gateway_url}/slack/events",
            channels=(SLACK_CHANNEL,),
            users=users,
            team=SLACK_TEAM,
        )

    def _config(self, folder: Path, aws: Range, slack: FakeSlack, stack: Stack) -> Config:
        policy = folder / "policy.yaml"
        responders = [{"name": name, "slack_team": SLACK_TEAM, "slack_user": user} for name, user in _PEOPLE]
        policy.write_text(yaml.safe_dump({"responders": responders, "responder_principals": ["arn:aws:iam::*:role/Countermand*"]}))
        return Config.model_validate(
            {
                "home": folder,
                "policy_file": policy,
                "prefect_ui_url": stack.prefect_url,
                "aws": AwsConfig(
                    accounts=self.scenario.account_ids,
                    endpoint_url=aws.url,
                    delivery_lag_seconds=self.scenario.delivery_lag + 1,
                    call_deadline_seconds=60,
                    snapshot_deadline_seconds=600,
                ),
                "slack": {
                    "bot_token": _BOT_TOKEN,
                    "app_token": _APP_TOKEN,
                    "signing_secret": _SIGNING_SECRET,
                    "channel": SLACK_CHANNEL,
                    "team": SLACK_TEAM,
                    "base_url": f"{slack.url}/api/",
                },
                "gateway": {"port": stack.gateway_port, "public_url": stack.gateway_url, "webhook_keys": [_WEBHOOK_KEY]},
            }
        )

    def _sweep(self, hands: Hands, aws: Range) -> str:
        """The baseline that a prepared team has: every region, swept before anything happens."""
        at = utc_from(aws)
        scopes = [Scope(account, region) for account in self.scenario.account_ids for region in sorted(aws.config.enabled)]
        with ThreadPoolExecutor(8) as pool:
            swept = list(pool.map(lambda scope: sweep_region(hands.aws, scope, at), scopes))
        for region in swept:
            hands.baselines.keep(region)
        return f"Baseline: {sum(len(region.settings) for region in swept)} network settings in {len(scopes)} regions"

    def _play(self, aws: Range, slack: FakeSlack, stack: Stack, stage: Stage, hands: Hands) -> dict[str, Any]:
        before = aws.dump()
        stage.attack()
        attacked = aws.dump()
        self._say(f"The attack is over: {len(self.scenario.attack)} steps")
        finding = stage.finding()
        incident = incident_id(parse_finding(finding.envelope))
        people = self._people(incident, hands, slack, stack)
        accepted = time.monotonic()
        answer = httpx.post(
            f"{stack.gateway_url}/webhooks/guardduty",
            json=finding.envelope,
            headers={"X-Countermand-Key": _WEBHOOK_KEY},
            timeout=10,
        )
        self._say(f"GuardDuty finding posted: the gateway answered {answer.status_code}, incident {incident}")
        if self.interactive:
            self._invite(incident, hands, slack, stack)
        seconds = self._follow(incident, hands, stack, accepted)
        people.stop()
        after = aws.dump()
        self._dump(before, attacked, after)
        verdict = self._verdict(incident, hands, aws, judge(stage, before, after), seconds)
        if self.json_out is not None:
            self.json_out.write_text(json.dumps(verdict, indent=1, default=str))
        return verdict

    def _people(self, incident: str, hands: Hands, slack: FakeSlack, stack: Stack) -> ScriptedResponders:
        enrolled = [Person.enrolled(hands.roster, name, user) for name, user in _PEOPLE]
        if self.interactive:
            for person in enrolled:
                self._say(f"One-time codes of {person.name}: `countermand code {person.secret}`, or add the secret to an authenticator")
        scripted = ScriptedResponders(
            incident, hands.ledger, hands.approvals, (enrolled[0], enrolled[1]), slack.url, resume_in(f"{stack.prefect_url}/api")
        )
        if not self.interactive:
            scripted.start()
        return scripted

    def _invite(self, incident: str, hands: Hands, slack: FakeSlack, stack: Stack) -> None:
        self._say("The approvals are yours: on the Slack page, or in the Prefect run (⋮ menu, Resume)")
        self._say(f"Slack page {slack.url}   Prefect runs {stack.prefect_url}/v2/runs")

    def _follow(self, incident: str, hands: Hands, stack: Stack, accepted: float) -> Times:
        """Show the ledger as it grows until the report is written."""
        shown, contain, restore = 0, None, None
        limit = _INTERACTIVE_SECONDS if self.interactive else _DEADLINE_SECONDS
        while time.monotonic() - accepted < limit:
            stack.check()
            lines = hands.ledger.lines(incident)
            for line in lines[shown:]:
                self._show_line(line)
                if line.kind == Kind.OUTCOME:
                    moment = round(time.monotonic() - accepted, 2)
                    contain = moment if line.body["phase"] == "contain" else contain
                    restore = moment if line.body["phase"] in ("eradicate", "recover") else restore
            shown = len(lines)
            if any(line.kind == Kind.REPORT for line in lines):
                return Times(round(time.monotonic() - accepted, 2), contain, restore)
            time.sleep(0.2)
        raise StackFailed(f"the response did not end within {limit:.0f} s; see {stack.log('worker')}")

    def _show_line(self, line: Line) -> None:
        body = line.body
        match line.kind:
            case Kind.PHASE if body["state"] == "done":
                self._say(f"{body['phase']}: {body['returned']}")
            case Kind.OUTCOME:
                detail = f" ({body['detail']})" if body["detail"] else ""
                self._say(f"  {body['result']:14} {body['title']}{detail}")
            case Kind.QUESTION:
                self._say(f"Waiting for people: plan {str(body['digest'])[:12]}")
            case Kind.DECISION:
                self._say(f"{body['person']} answered {body['answer']} in {body['surface']}")
            case _:
                pass

    def _verdict(self, incident: str, hands: Hands, aws: Range, judged: Verdict, seconds: Times) -> dict[str, Any]:
        written = report(hands.ledger.lines(incident))
        ours = set(aws.responder(account).access_key for account in self.scenario.account_ids)
        calls = [call for call in httpx.get(f"{aws.url}/range/calls", timeout=30).json() if _is_ours(call, ours)]
        restored = not judged.differences
        return {
            "scenario": self.scenario.name,
            "incident": incident,
            "restored": restored,
            "as_expected": restored == self.scenario.expect.get("restored", True),
            "differences": judged.differences,
            "leftovers": judged.leftovers,
            "claimed": written.proof,
            "actor": {
                "credentials": [item["access_key"] for item in written.actor.get("credentials", []) if item["link"] == "proved"],
                "principals": sorted({item["owner"] for item in written.actor.get("credentials", []) if item["link"] == "proved"}),
                "since": written.actor.get("since"),
            },
            "steps": [
                {"id": item.step, "phase": item.phase, "title": item.title, "outcome": item.result, "detail": item.detail}
                for item in written.done
            ],
            "regions": list(written.regions),
            "kept": list(written.kept),
            "unplanned": list(written.unplanned),
            "calls": [{name: call[name] for name in ("service", "operation", "region", "account")} for call in calls],
            "seconds": {"total": seconds.total, "contain": seconds.contain, "restore": seconds.restore},
        }

    def _dump(self, before: Any, attacked: Any, after: Any) -> None:
        if self.dump is None:
            return
        self.dump.mkdir(parents=True, exist_ok=True)
        for name, state in (("before", before), ("attacked", attacked), ("after", after)):
            (self.dump / f"{name}.json").write_text(json.dumps(state, indent=1, default=str))

    def _show(self, verdict: dict[str, Any], parts: tuple[Range, FakeSlack, Stack, Stage, Hands]) -> None:
        _, slack, stack, _, hands = parts
        covered = sum(1 for row in verdict["regions"] if row["status"] == "covered")
        out = sum(1 for row in verdict["regions"] if row["status"] == "not enabled")
        unknown = len(verdict["regions"]) - covered - out
        good = sum(1 for step in verdict["steps"] if step["outcome"] in ("done", "already right"))
        run = hands.ledger.find(verdict["incident"], "run")
        table = Table(show_header=False, title=f"{verdict['scenario']}: {verdict['incident']}")
        rows = {
            "steps done": f"{good} of {len(verdict['steps'])}, {len(verdict['calls'])} calls changed something in AWS",
            "survived": "\n".join(verdict["kept"]) or "no other hand was on these settings",
            "left to people": "\n".join(item["what"] for item in verdict["unplanned"]) or "nothing",
            "left over": "\n".join(str(item) for item in verdict["leftovers"]) or "nothing",
            "regions": f"{covered} covered, {unknown} unknown, {out} opted out",
            "time": f"{_span(verdict['seconds']['contain'])} to contain, {_span(verdict['seconds']['restore'])} to restore, "
            f"{_span(verdict['seconds']['total'])} to the report",
            "report": f"{stack.gateway_url}/incidents/{verdict['incident']}/report",
            "Prefect run": f"{stack.prefect_url}/v2/runs/flow-run/{run.body['flow_run']}" if run else "none",
            "Slack page": slack.url,
        }
        for name, value in rows.items():
            table.add_row(name, escape(str(value)))
        self.console.print(table)
        for difference in verdict["differences"][:20]:
            self.console.print(f"  differs: {escape(json.dumps(difference, default=str))}", soft_wrap=True)
        equal = "equals" if verdict["restored"] else "DOES NOT EQUAL"
        self.console.print(
            f"The network {equal} its state before the attack plus the legitimate changes ({time.monotonic() - self._started:.0f} s).",
            soft_wrap=True,
        )

    def _stay_up(self) -> None:
        self.console.print("Everything stays up; press Ctrl-C to stop.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            self.console.print("Stopped.")

    def _say(self, text: str) -> None:
        self.console.print(f"[dim]{time.monotonic() - self._started:6.1f}s[/dim]  {escape(text)}", soft_wrap=True, highlight=False)


def _span(seconds: float | None) -> str:
    return "not reached" if seconds is None else f"{seconds:.1f} s"


def _is_ours(call: dict[str, Any], keys: set[str]) -> bool:
    return "CountermandResponder" in str(call.get("principal", "")) or call.get("access_key") in keys


def _quietly(work: Any) -> Any:
    """A failure shows at the next wait, which names the log."""

    def run() -> None:
        try:
            work()
        except StackFailed:
            return

    return run


def utc_from(aws: Range) -> Any:
    """The range's own time: the baseline belongs before the attack on its clock."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(aws.clock.now(), UTC)


def _environment(config: Config, aws: Range) -> dict[str, str]:
    keys = aws.responder()
    nested = {
        "AWS": config.aws.model_dump(mode="json", exclude_none=True),
        "GATEWAY": {**config.gateway.model_dump(mode="json"), "webhook_keys": [_WEBHOOK_KEY]},
        "SLACK": {
            **config.slack.model_dump(mode="json"),
            "bot_token": _BOT_TOKEN,
            "app_token": _APP_TOKEN,
            "signing_secret": _SIGNING_SECRET,
        },
    }
    return {
        "COUNTERMAND_HOME": str(config.home),
        "COUNTERMAND_POLICY_FILE": str(config.policy_file),
        "COUNTERMAND_PREFECT_UI_URL": config.prefect_ui_url,
        **{f"COUNTERMAND_{name}": json.dumps(value) for name, value in nested.items()},
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_DEFAULT_REGION": config.aws.home_region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _use_credentials(aws: Range) -> None:
    """This process sweeps with the responder's own credentials."""
    import os

    keys = aws.responder()
    os.environ.update(
        AWS_ACCESS_KEY_ID=keys.access_key, AWS_SECRET_ACCESS_KEY=keys.secret, AWS_SESSION_TOKEN=keys.token, AWS_DEFAULT_REGION="us-east-1"
    )


__all__ = ["DEMO", "Exercise", "utc_now"]
