"""Ten incidents while every part is killed in turn and a worker's cable is pulled: nothing lost, nothing done twice.

`make ha [INCIDENTS=10]`. Needs root (a network namespace), PostgreSQL and Redis. Judged by the ledger, and by the range's own
record of the calls that changed something.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import yaml

from bench.ha.incidents import Incident
from bench.ha.network import Namespace
from bench.ha.parts import Part, Parts, as_variables
from drill.aws.config import RangeConfig
from drill.aws.range import Range
from gateway.practice.configuration import granted_to, responder_credentials
from incident.approvals import Answer, Asked, Standing
from incident.findings.finding import incident_id, parse_finding
from incident.ledger import INTAKE, Kind, Line
from incident.reports.report import report
from tasks.approvals import Refused
from tasks.config import Config
from tasks.hands import Hands, wire
from tasks.ledger import LedgerUnavailable

KEY = "practice-webhook-key-of-ha"
PEOPLE = ("alice", "bob")
CUT_SECONDS = 120.0
"""Longer than the 90 seconds without a heartbeat after which a run counts as crashed and goes on elsewhere."""

DEADLINE_SECONDS = 45 * 60.0
_DOWN_SECONDS = 4.0


class Show:
    """One run of it."""

    def __init__(self, number: int) -> None:
        self.number, self.begun = number, time.monotonic()
        self.folder = Path(tempfile.mkdtemp(prefix="countermand-ha-"))
        self.delivered: dict[str, Incident] = {}
        self.ended: dict[str, float] = {}
        self.posted: dict[str, float] = {}
        self.problems: list[str] = []

    def run(self) -> int:
        with ExitStack() as ending:
            aws = ending.enter_context(
                Range(RangeConfig(regions=("us-east-1",), lookup_rate=20, granted=granted_to(("111122223333",))))
            )
            namespace = ending.enter_context(Namespace())
            incidents = [Incident(number, aws) for number in range(1, self.number + 1)]
            self._say(f"{len(incidents)} attacks are over")
            os.environ.update(responder_credentials(aws))
            port = int(aws.url.rpartition(":")[2])
            parts = Parts(self.folder, port, namespace, lambda host, door: self._countermand(aws, host, door))
            ending.callback(parts.stop)
            parts.start()
            self._say("all parts are up: " + ", ".join(part.name for part in parts.all))
            hands = wire(
                Config.model_validate(self._settings(aws, "127.0.0.1", 8400) | {"ledger_url": parts.ledger_url("127.0.0.1")})
            )
            self._play(incidents, parts, namespace, hands)
            problems = self._judged(hands)
        for problem in problems:
            print(f"  WRONG: {problem}")
        took = [self.ended[name] - self.posted[name] for name in self.ended]
        if took:
            print(f"{len(took)} of {len(self.delivered)} incidents ended, in {min(took):.0f} to {max(took):.0f} s each")
        if problems:
            print(f"state and logs are kept in {self.folder}")
            return 1
        shutil.rmtree(self.folder, ignore_errors=True)
        print(f"nothing lost, nothing done twice ({time.monotonic() - self.begun:.0f} s)")
        return 0

    # ---- what happens -----------------------------------------------------------------------------------------------

    def _play(self, incidents: list[Incident], parts: Parts, namespace: Namespace, hands: Hands) -> None:
        over = threading.Event()
        trouble = threading.Thread(target=self._trouble, args=(incidents, parts, namespace, over), daemon=True)
        trouble.start()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not over.is_set() or len(self.ended) < len(incidents):
            if time.monotonic() > deadline:
                self.problems.append(f"not over within {DEADLINE_SECONDS:.0f} s")
                return
            for name in list(self.delivered):
                if name not in self.ended:
                    _patiently(lambda name=name: self._see_to(name, hands))
            time.sleep(1)

    def _see_to(self, name: str, hands: Hands) -> None:
        """Approve what is asked, by the script: whoever approves is tried elsewhere."""
        for line in hands.ledger.lines(name, Kind.QUESTION):
            asked = Asked.model_validate(line.body)
            for person in PEOPLE:
                if hands.approvals.standing(name, asked.id) is Standing.WAITING:
                    self._approve(hands, name, asked, person)
        if hands.ledger.lines(name, Kind.REPORT):
            self.ended[name] = time.monotonic()
            self._say(f"{name} has its report after {self.ended[name] - self.posted[name]:.0f} s")

    @staticmethod
    def _approve(hands: Hands, name: str, asked: Asked, person: str) -> None:
        said = {"method": "one-time-code", "surface": "command line", "answer": Answer.APPROVE, "digest": asked.digest}
        try:
            hands.approvals.decide(name, asked.id, person=person, **said)
        except Refused:
            # Somebody else has said it, or the plan has moved on: the next look sees.
            return

    def _trouble(self, incidents: list[Incident], parts: Parts, namespace: Namespace, over: threading.Event) -> None:
        """Deliver an incident, kill a part, start it again; and once pull the second worker's cable."""
        try:
            waiting = list(incidents)
            for number, part in enumerate([*parts.all, None]):
                for incident in waiting[: max(1, -(-len(incidents) // len(parts.all)))]:
                    self._deliver(incident, parts)
                    waiting.remove(incident)
                time.sleep(8 + number % 3 * 4)
                if part is None:
                    self._cut(namespace)
                else:
                    self._killed(part)
        except Exception as error:
            self.problems.append(f"the trouble itself ended: {type(error).__name__}: {error}")
        finally:
            over.set()

    def _killed(self, part: Part) -> None:
        part.kill()
        self._say(f"{part.name} is killed")
        time.sleep(_DOWN_SECONDS)
        part.start()
        self._say(f"{part.name} is up again")

    def _cut(self, namespace: Namespace) -> None:
        namespace.pull_out()
        self._say(f"the cable of worker-2 is pulled for {CUT_SECONDS:.0f} s")
        time.sleep(CUT_SECONDS)
        namespace.put_back()
        self._say("the cable is back")

    def _deliver(self, incident: Incident, parts: Parts) -> None:
        """As EventBridge does: again after whatever is not an answer."""
        name = incident_id(parse_finding(incident.event))
        self.posted[name], self.delivered[name] = time.monotonic(), incident
        url = f"http://127.0.0.1:{parts.doors.port}/webhooks/guardduty"
        for _ in range(300):
            try:
                answer = httpx.post(url, json=incident.event, headers={"X-Countermand-Key": KEY}, timeout=6, trust_env=False)
                if answer.status_code in (200, 202):
                    self._say(f"{name} is delivered ({answer.status_code})")
                    return
            except httpx.HTTPError:
                pass
            time.sleep(1)
        self.problems.append(f"{name} was not taken")

    # ---- the judgement ----------------------------------------------------------------------------------------------

    def _judged(self, hands: Hands) -> list[str]:
        found = list(self.problems)
        for chain in (INTAKE, *self.delivered):
            found += [f"{chain}: {broken.reason}"] if (broken := hands.ledger.verify(chain)) else []
        totals: Counter[str] = Counter()
        for name, incident in self.delivered.items():
            lines = hands.ledger.lines(name)
            found += [f"{name}: {problem}" for problem in (*incident.problems(), *_of_the_ledger(lines))]
            calls = incident.calls()
            twice = [call for call, number in Counter(calls).items() if number > 1]
            found += [f"{name}: done twice: {call}" for call in twice]
            done = [line for line in lines if line.kind == Kind.OUTCOME and line.body["result"] == "done"]
            if len(calls) != len([line for line in lines if line.kind == Kind.CALL]):
                found.append(
                    f"{name}: the range took {len(calls)} calls, the ledger knows {sum(x.kind == Kind.CALL for x in lines)}"
                )
            totals += Counter(steps=len(done), calls=len(calls), revived=sum(line.key.startswith("revived:") for line in lines))
        self._say(f"{totals['steps']} steps done by {totals['calls']} calls; {totals['revived']} runs were started again")
        return found

    # ---- how it is configured ---------------------------------------------------------------------------------------

    def _settings(self, aws: Range, host: str, door: int) -> dict[str, object]:
        policy = self.folder / "policy.yaml"
        responders = [{"name": name, "slack_team": "T0", "slack_user": f"U{number}"} for number, name in enumerate(PEOPLE)]
        policy.write_text(yaml.safe_dump({"responders": responders, "responder_principals": ["arn:aws:iam::*:role/Countermand*"]}))
        account = {
            "accounts": list(aws.config.accounts),
            "endpoint_url": f"http://{host}:{aws.url.rpartition(':')[2]}",
            "costs": False,
        }
        times = {"delivery_lag_seconds": 5, "spread_seconds": 1, "call_deadline_seconds": 120}
        return {
            "home": str(self.folder / "home"),
            "policy_file": str(policy),
            "aws": account | times,
            "gateway": {"port": door, "webhook_keys": [KEY], "reconcile_seconds": 0, "claimed_seconds": 90},
            "log": {"format": "json"},
        }

    def _countermand(self, aws: Range, host: str, door: int) -> dict[str, str]:
        return as_variables(self._settings(aws, host, door)) | responder_credentials(aws)

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self.begun:6.0f} s  {text}", flush=True)


def _of_the_ledger(lines: list[Line]) -> list[str]:
    """What one incident's lines must say: one start, one report that proves it all, every intent with its outcome."""
    found: list[str] = []
    for what, number in (
        ("run", sum(line.key == "run" for line in lines)),
        ("report", sum(line.kind == Kind.REPORT for line in lines)),
    ):
        if number != 1:
            found.append(f"{number} lines of a {what}")
    steps = {kind: Counter(str(line.body["step"]) for line in lines if line.kind == kind) for kind in (Kind.INTENT, Kind.OUTCOME)}
    if steps[Kind.INTENT] - steps[Kind.OUTCOME]:
        found.append(f"begun and not ended: {', '.join(steps[Kind.INTENT] - steps[Kind.OUTCOME])}")
    if any(line.kind == Kind.REPORT for line in lines) and not report(lines).proof.get("complete"):
        found.append("its proof is not complete")
    return found


def _patiently(work: Callable[[], None]) -> None:
    """The ledger's database is one of those that are killed."""
    try:
        work()
    except LedgerUnavailable:
        return


if __name__ == "__main__":
    sys.exit(Show(int(os.environ.get("INCIDENTS", "10"))).run())
