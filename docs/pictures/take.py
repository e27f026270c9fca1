"""Takes every picture of the documentation from a real run of the demo: `make pictures`, or some of them by name.

The question in Slack and the approval form are photographed while they wait, the other pages at the end.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from gateway.practice.exercise import DEMO, Exercise
from gateway.practice.people import ScriptedResponders
from incident.approvals import Asked
from incident.ledger import Kind

_HERE = Path(__file__).parent
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_PATIENCE_SECONDS = 120


def sign_in(page: Page, address: str, password: str) -> None:
    """Open a page of Prefect's, which asks for its password first."""
    page.goto(address)
    page.get_by_placeholder("admin:pass").fill(password)
    page.get_by_role("button", name="Login").click()
    page.get_by_placeholder("admin:pass").wait_for(state="hidden")
    page.goto(address)


@contextmanager
def browsing(height: int = 1100) -> Iterator[Page]:
    """A page in a browser of its own, for each thread must have one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": height})
        page.set_default_timeout(_PATIENCE_SECONDS * 1000)
        yield page
        browser.close()


def take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(_HERE / name))


class Photographed(ScriptedResponders):
    """The demo's two responders, who photograph the question in Slack and the form in Prefect before they answer."""

    password: ClassVar[str] = ""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._taken: set[str] = set()
        Photographed.password = ":".join(self._prefect_auth)

    def _click(self, asked: Asked) -> str:
        if self._ledger.find(self._incident, f"sent:question:{asked.id}") is not None:
            self._once("slack.png", self._slack)
        return super()._click(asked)

    def _fill_in(self, asked: Asked) -> str:
        run = self._ledger.lines(self._incident, Kind.RUN)[-1].body["flow_run"]
        shown = httpx.get(f"{self._prefect_api}/flow_runs/{run}", auth=self._prefect_auth, timeout=30).json()
        if shown.get("state_name") != "Suspended":
            return "the run is not asleep yet"
        address = f"{self._prefect_api.removesuffix('/api')}/v2/runs/flow-run/{run}"
        self._once("approval-form.png", lambda: self._form(address))
        return super()._fill_in(asked)

    def _once(self, name: str, photograph: Callable[[], None]) -> None:
        if name not in self._taken:
            self._taken.add(name)
            photograph()

    def _slack(self) -> None:
        with browsing() as page:
            page.goto(self._slack_control)
            page.get_by_text("View thread").first.click()
            question = page.get_by_text("Decision needed").first
            question.wait_for()
            question.scroll_into_view_if_needed()
            take(page, "slack.png")

    def _form(self, address: str) -> None:
        with browsing(height=1300) as page:
            sign_in(page, address, self.password)
            page.get_by_role("button", name="Open menu").click()
            page.get_by_role("menuitem", name="Resume").click()
            form = page.get_by_role("dialog", name="Resume Flow Run")
            form.get_by_label("Select Decision").click()
            page.get_by_role("option", name="approve", exact=True).click()
            form.get_by_role("textbox").first.fill(self._in_prefect.name)
            form.get_by_role("textbox").nth(1).fill(self._in_prefect.code(time.time()))
            take(page, "approval-form.png")


def visit(addresses: dict[str, str]) -> None:
    """Photograph the report and the artifacts as a person sees them at the end."""
    prefect, _, run = addresses["Prefect run"].partition("/v2/runs/flow-run/")
    user, _, secret = Photographed.password.partition(":")
    asked = {"artifacts": {"flow_run_id": {"any_": [run]}}, "limit": 200}
    deadline, shown = time.monotonic() + _PATIENCE_SECONDS, {}
    # The report stands in the ledger a moment before the run shows that it ended.
    while "restored" not in shown.get("data", "").partition("\n")[0] and time.monotonic() < deadline:
        latest = httpx.post(f"{prefect}/api/artifacts/latest/filter", json=asked, auth=(user, secret), timeout=30).json()
        shown = next((one for one in latest if one["key"].endswith("-summary")), {})
        time.sleep(0.2)
    summary = shown["latest_id"]
    with browsing() as page:
        page.goto(addresses["report"])
        take(page, "report.png")
        sign_in(page, addresses["Prefect run"], Photographed.password)
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("What happened, what was done").first.wait_for()
        take(page, "artifacts.png")
        page.goto(f"{prefect}/v2/artifacts/artifact/{summary}")
        page.get_by_text("What was done").first.wait_for()
        take(page, "summary.png")


if __name__ == "__main__":
    sys.exit(
        Exercise(DEMO, interactive=False, json_out=None, dump=None, console=Console(), responders=Photographed, visit=visit).run()
    )
