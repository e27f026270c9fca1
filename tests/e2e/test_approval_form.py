"""The approval form in the real Prefect UI, in a real browser: what counts, what asks again and says why, and what survives.

Every incident here is one run that waits on the same Prefect server; a picture of each form is kept as a test artefact.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, TimeoutError, sync_playwright
from reverse_proxy import DOORS, NGINX, PROXY_FLAG, RESPONDERS, Proxy, reverse_proxy
from websockets.exceptions import ConnectionClosed

from gateway.practice.stack import Stack
from gateway.processes import POOL, prefect_command
from incident.approvals import Asked, Standing, fingerprint
from incident.ledger import INTAKE, ROSTER_CHAIN, Kind
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import ApprovalRule, Policy, Responder
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.hands import utc_now
from tasks.ledger import Ledger
from tasks.roster import STEP_SECONDS, Roster

CHROMIUM = shutil.which("chromium")
ARTIFACTS = Path(os.environ.get("COUNTERMAND_TEST_ARTIFACTS", "test-artifacts"))
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    PROXY_FLAG,
]
_PATIENCE_SECONDS = 120
WEBHOOK_KEY = "the-key-of-the-webhook"
_PAGES = 4
_POLICY = """
responders: [{name: alice}, {name: bob}, {name: carol}, {name: dan}, {name: erin}]
approvals: {restore: {people: 2}}
"""
# A person has two codes a minute: no test waits for those that another used.
_PEOPLE = ("alice", "bob", "carol", "dan", "erin")
CALL = PlannedCall(service="ec2", operation="TerminateInstances", parameters={}, permissions=("ec2:TerminateInstances",))
STEPS = tuple(
    Step(
        id=f"eradicate-{number}",
        phase=Phase.ERADICATE,
        title=f"Terminate i-{number} <img src=x onerror=alert(1)> | **bold**",
        key=SettingKey("111122223333", "eu-west-1", "instance", f"i-{number:017x}"),
        expects={"state": "running"},
        calls=(CALL,),
        irreversible="what its memory holds is gone",
    )
    for number in range(3)
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


@dataclass
class Desk:
    """A Prefect server with runs that wait, the ledger they share with us, and two people."""

    stack: Stack
    ledger: Ledger
    approvals: Approvals
    roster: Roster
    secrets: dict[str, str]
    browser: Browser
    pages: BrowserContext
    address: str

    def ask(self, incident: str, people: int = 1, seconds: float = 3600) -> SimpleNamespace:
        """Start a run that asks, and wait until it sleeps."""
        plan = Plan(incident=incident, title="Remove what the actor made", because="Mallory <!here> started three.", steps=STEPS)
        self.ledger.append(incident, Kind.PLAN, "plan:restore:1", {"digest": plan.digest, "plan": plan.model_dump(mode="json")})
        now = utc_now()
        asked = Asked(
            id=f"restore-1-{plan.short_digest}",
            question="restore",
            digest=plan.digest,
            asked_at=now,
            expires_at=now + timedelta(seconds=seconds),
            people=people,
            fingerprint=fingerprint(plan),
        )
        self.ledger.append(incident, Kind.QUESTION, f"question:{asked.id}", asked.model_dump(mode="json"))
        api = f"{self.stack.prefect_url}/api"
        entered = {"auth": self.stack.prefect_auth, "timeout": 30}
        deployment = httpx.get(f"{api}/deployments/name/ask/ask", **entered).raise_for_status().json()["id"]
        body = {"parameters": {"incident": incident}}
        door = f"{api}/deployments/{deployment}/create_flow_run"
        answers: list[httpx.Response] = []
        # Prefect answers 503 while its database is busy.
        until(
            lambda: answers.append(httpx.post(door, json=body, **entered)) or answers[-1].status_code != 503, "Prefect's database"
        )
        run = answers[-1].raise_for_status().json()["id"]
        self.ledger.append(incident, Kind.RUN, "run", {"flow_run": run})
        return SimpleNamespace(incident=incident, plan=plan, asked=asked, run=run)

    def sleeps(self, run: str) -> bool:
        shown = httpx.get(f"{self.stack.prefect_url}/api/flow_runs/{run}", auth=self.stack.prefect_auth, timeout=30).json()
        return shown["state_name"] == "Suspended"

    def fresh_code(self, person: str) -> str:
        """A code of this person that was not used yet; the next half minute's counts too, as for clocks that differ."""
        used = {str(line.key) for line in self.ledger.lines(ROSTER_CHAIN, Kind.NOTE)}
        step = next(step for step in _steps_around(time.time()) if f"code:{person}:{step}" not in used)
        return pyotp.TOTP(self.secrets[person]).at(step * STEP_SECONDS)

    def problems(self, incident: str) -> list[str]:
        """What each filled-in form was answered."""
        return [str(one.body["problem"]) for one in self.ledger.lines(incident, Kind.NOTE) if one.key.startswith("form:")]

    def ended(self, incident: str) -> str:
        line = self.ledger.find(incident, "ended")
        return str(line.body["standing"]) if line else ""

    def until_it_ends(self, one: SimpleNamespace) -> None:
        until(lambda: self.ended(one.incident), f"the run to end; its forms were answered {self.problems(one.incident)}")

    def fill_in(self, one: SimpleNamespace, person: str, code: str, answer: str = "approve", **more: str) -> str:
        """Open the run's page, choose Resume, fill in the form and send it; what the page showed above the fields."""
        before = len(self.problems(one.incident))
        until(lambda: self.sleeps(one.run), "the run to sleep")
        page = self._opened_form(one.run)
        shown = self._filled(page, person, code, answer, more)
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(ARTIFACTS / f"approval-form-{one.incident}-{before}.png"))
        form = page.get_by_role("dialog", name="Resume Flow Run")
        _sent(form)
        page.close()
        until(lambda: len(self.problems(one.incident)) > before, "the form to be taken")
        return shown

    def _opened_form(self, run: str) -> Page:
        """The run's page with its form; a page that does not come to show it is opened anew, as a person would."""
        for _ in range(_PAGES):
            page = self.pages.new_page()
            page.set_default_timeout(_PATIENCE_SECONDS * 1000 / _PAGES)
            with suppress(TimeoutError):
                page.goto(f"{self.address}/v2/runs/flow-run/{run}")
                page.get_by_role("button", name="Open menu").click()
                page.get_by_role("menuitem", name="Resume").click()
                page.get_by_role("dialog", name="Resume Flow Run").get_by_label("Select Decision").wait_for()
                return page
            page.close()
        raise AssertionError("the form did not open")

    def _filled(self, page: Page, person: str, code: str, answer: str, more: dict[str, str]) -> str:
        form = page.get_by_role("dialog", name="Resume Flow Run")
        shown = form.inner_text()
        form.get_by_label("Select Decision").click()
        page.get_by_role("option", name=answer, exact=True).click()
        fields = form.get_by_role("textbox")
        fields.nth(0).fill(person)
        fields.nth(1).fill(code)
        for position, name in enumerate(("reason", "strike", "amendments", "digest"), start=2):
            if name in more:
                fields.nth(position).fill(more[name])
        return shown


def signed_in(browser: Browser, stack: Stack, address: str) -> BrowserContext:
    """Pages of somebody who typed the password into Prefect's own; a wrong one does not let them in."""
    pages = browser.new_context(viewport={"width": 1400, "height": 1500}, ignore_https_errors=True)
    page = pages.new_page()
    page.set_default_timeout(_PATIENCE_SECONDS * 1000)
    page.goto(f"{address}/v2/runs")
    for typed in ("admin:wrong", ":".join(stack.prefect_auth)):
        page.get_by_placeholder("admin:pass").fill(typed)
        page.get_by_role("button", name="Login").click()
        if typed == "admin:wrong":
            page.get_by_text("Invalid credentials").wait_for()
    page.wait_for_url("**/v2/runs*")
    page.get_by_placeholder("admin:pass").wait_for(state="hidden")
    page.close()
    return pages


def _sent(form: Locator) -> None:
    """Press Resume until the form closes: while Prefect's page checks what was typed last, it ignores the button."""
    for _ in range(10):
        form.get_by_role("button", name="Resume").click()
        with suppress(TimeoutError):
            form.wait_for(state="hidden", timeout=_PATIENCE_SECONDS * 100)
            return
    raise AssertionError(f"the form did not close: {form.inner_text()}")


def _steps_around(now: float) -> Iterator[int]:
    """Half minutes of which a code counts now, the one first whose code counts longest; until one is free that was not."""
    while True:
        yield from (int(time.time()) // STEP_SECONDS + shift for shift in (1, 0))
        threading.Event().wait(1)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        threading.Event().wait(0.1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("asking")
    home = folder / "home"
    home.mkdir()
    (home / "policy.yaml").write_text(_POLICY)
    ours = {"COUNTERMAND_HOME": str(home), "COUNTERMAND_POLICY_FILE": str(home / "policy.yaml")}
    policy = Policy(responders=tuple(Responder(name=name) for name in _PEOPLE), approvals={"restore": ApprovalRule(people=2)})
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}", utc_now)
    approvals, roster = Approvals(ledger, policy, utc_now), Roster(home / "roster", ledger, utc_now)
    secrets = {name: pyotp.parse_uri(roster.enrol(name)).secret for name in _PEOPLE}
    with Stack(folder, ours) as stack, sync_playwright() as playwright:
        door = {"port": stack.gateway_port, "public_url": stack.gateway_url, "webhook_keys": [WEBHOOK_KEY]}
        stack.add_environment({"COUNTERMAND_GATEWAY": json.dumps(door)})
        stack.start_gateway()
        stack.start_prefect()
        prefect = [*prefect_command(), "--no-prompt"]
        stack.make_pool()
        flow = f"{Path(__file__).with_name('asking_flow.py')}:ask"
        stack.run("deploy", [*prefect, "deploy", flow, "--name", "ask", "--pool", POOL])
        stack.start_worker()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        stack.wait_for_gateway()
        pages = signed_in(browser, stack, stack.prefect_url)
        yield Desk(stack, ledger, approvals, roster, secrets, browser, pages, stack.prefect_url)
        browser.close()


def test_a_wrong_answer_asks_again_and_says_why_and_a_right_one_counts(desk: Desk) -> None:
    one = desk.ask("inc-wrong-then-right")
    shown = desk.fill_in(one, "alice", "000000")
    assert "what its memory holds is gone" in shown
    assert "<img src=x onerror=alert(1)>" in shown, "markup in a name is shown as text"
    assert one.plan.short_digest in shown
    assert "wrong" in desk.fill_in(one, "alice", desk.fresh_code("alice"), strike="eradicate-1")
    desk.until_it_ends(one)
    assert desk.ended(one.incident) == Standing.APPROVED
    assert desk.approvals.permits(one.plan, "eradicate-1") == "an approver struck this step"
    assert desk.approvals.permits(one.plan, "eradicate-0") == ""


def test_two_people_must_agree(desk: Desk) -> None:
    one = desk.ask("inc-two-people", people=2)
    desk.fill_in(one, "carol", desk.fresh_code("carol"))
    assert desk.approvals.permits(one.plan, "eradicate-0") != ""
    desk.fill_in(one, "dan", desk.fresh_code("dan"))
    desk.until_it_ends(one)
    assert desk.ended(one.incident) == Standing.APPROVED
    said = desk.approvals.decisions(one.incident, one.asked.id)
    assert [(decision.person, decision.surface) for decision in said] == [("carol", "prefect"), ("dan", "prefect")]


@pytest.mark.nightly
def test_a_rejection_with_its_reason_ends_the_question(desk: Desk) -> None:
    one = desk.ask("inc-rejected", people=2)
    desk.fill_in(one, "erin", desk.fresh_code("erin"), answer="reject", reason="that is the build farm")
    desk.until_it_ends(one)
    assert desk.ended(one.incident) == Standing.REJECTED
    assert [said.reason for said in desk.approvals.decisions(one.incident, one.asked.id)] == ["that is the build farm"]


def test_a_question_that_nobody_answers_ends_as_a_no(desk: Desk) -> None:
    one = desk.ask("inc-expired", seconds=15)
    desk.until_it_ends(one)
    assert desk.ended(one.incident) == Standing.EXPIRED
    assert "no valid approval" in desk.approvals.permits(one.plan, "eradicate-0")


def test_a_prefect_server_that_dies_while_a_run_waits_loses_nothing_and_asks_nobody_twice(desk: Desk) -> None:
    one = desk.ask("inc-server-died")
    until(lambda: desk.sleeps(one.run), "the run to sleep")
    desk.stack.kill("prefect-server")
    desk.stack.start_prefect()
    desk.fill_in(one, "alice", desk.fresh_code("alice"))
    desk.until_it_ends(one)
    assert desk.ended(one.incident) == Standing.APPROVED
    assert len(desk.ledger.lines(one.incident, Kind.QUESTION)) == 1
    assert desk.problems(one.incident) == [""]


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: apt-get install nginx-light")
def test_behind_the_documented_reverse_proxy_an_approval_and_a_delivery_come_through_and_nothing_else(
    desk: Desk, tmp_path: Path
) -> None:
    with reverse_proxy(tmp_path / "ours", desk.stack) as proxy:
        _only_the_doors(proxy, desk.ledger)
        _only_with_the_password(proxy, desk.stack)
        address = f"https://{RESPONDERS}:{proxy.port}"
        behind = replace(desk, pages=signed_in(desk.browser, desk.stack, address), address=address)
        one = behind.ask("inc-behind-a-proxy")
        behind.fill_in(one, "bob", behind.fresh_code("bob"))
        behind.until_it_ends(one)
        assert behind.ended(one.incident) == Standing.APPROVED
    with reverse_proxy(tmp_path / "foreign", desk.stack, ours=False) as proxy, proxy.client(RESPONDERS) as client:
        assert {client.get(path).status_code for path in ("/", "/api/health", "/incidents/inc-000000000000/report")} == {403}


def _only_the_doors(proxy: Proxy, ledger: Ledger) -> None:
    with proxy.client(DOORS) as client:
        key = {"X-Countermand-Key": WEBHOOK_KEY, "X-Forwarded-For": "203.0.113.9"}
        door = "/webhooks/guardduty"
        assert client.post(door, content=b"no finding", headers=key).status_code == 202
        assert client.post(door, content=b"no finding").status_code == 401
        assert client.post(door, content=b"x" * (256 * 1024 + 1), headers=key).status_code == 413
        assert {client.get(path).status_code for path in ("/", "/metrics", "/openapi.json", "/ready", "/api/health")} == {404}
    (line,) = ledger.lines(INTAKE, Kind.QUARANTINE)
    assert line.body["provenance"]["peer"] == "127.0.0.1", "not what the sender claims"


def _only_with_the_password(proxy: Proxy, stack: Stack) -> None:
    with proxy.client(RESPONDERS) as client:
        count = "/api/flow_runs/count"
        answers = [client.post(count, json={}, auth=auth) for auth in (None, ("admin", "wrong"), stack.prefect_auth)]
        assert [answer.status_code for answer in answers] == [401, 401, 200]
        assert "frame-ancestors 'none'" in client.get("/v2/runs").headers["content-security-policy"]
        assert client.get("/incidents/inc-000000000000/report").text == "There is no report of this incident yet."
        for password, answer in ((":".join(stack.prefect_auth), "auth_success"), ("admin:wrong", "")):
            with proxy.connect("/api/logs/out") as asking:
                asking.send(json.dumps({"type": "auth", "token": password}))
                with suppress(ConnectionClosed):
                    assert json.loads(asking.recv(10))["type"] == answer
                    continue
                assert not answer, "the right password opens the socket"
