"""The approval form in the real Prefect UI, in a real browser: a wrong code asks again, a right one counts."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from playing import played

from drill import scenario as scenarios
from gateway.practice.people import Person, ScriptedResponders
from incident.approvals import Asked
from incident.ledger import Kind

CHROMIUM = shutil.which("chromium")
ARTIFACTS = Path(os.environ.get("COUNTERMAND_TEST_ARTIFACTS", "test-artifacts"))
SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
_PATIENCE_MS = 60_000


class BrowsingResponders(ScriptedResponders):
    """Answers every question in the Prefect UI; the first one with a wrong code before the right one."""

    def _answer(self, position: int, asked: Asked) -> str:
        person = (self._in_slack, self._in_prefect)[position % 2]
        line = self._ledger.find(self._incident, "run")
        assert line is not None
        attempt = len([key for key in self._forms() if key.startswith(f"form:{asked.id}:")])
        code = "000000" if position == 0 and attempt == 0 else person.code(time.time())
        address = f"{self._prefect_api.removesuffix('/api')}/v2/runs/flow-run/{line.body['flow_run']}"
        try:
            fill_in(address, person, code, ARTIFACTS / f"approval-form-{position}-{attempt}.png")
        except Exception as error:  # a page that is not ready yet is tried again
            return f"{type(error).__name__}: {error}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len([k for k in self._forms() if k.startswith(f"form:{asked.id}:")]) == attempt:
            self._done.wait(0.2)
        return ""

    def _forms(self) -> list[str]:
        return [line.key for line in self._ledger.lines(self._incident, Kind.NOTE) if line.key.startswith("form:")]


def fill_in(address: str, person: Person, code: str, picture: Path) -> None:
    """Open the run's page, choose Resume, fill in the form and send it."""
    from playwright.sync_api import sync_playwright

    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 1300})
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(address)
        page.get_by_role("button", name="Open menu").click()
        page.get_by_role("menuitem", name="Resume").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Select Decision").click()
        page.get_by_role("option", name="approve").click()
        form.get_by_role("textbox").nth(0).fill(person.name)
        form.get_by_role("textbox").nth(1).fill(code)
        page.screenshot(path=str(picture))
        form.get_by_role("button", name="Resume").click()
        form.wait_for(state="hidden")
        browser.close()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")
def test_a_responder_decides_in_the_prefect_ui(tmp_path):
    verdict, told = played(SCENARIO, tmp_path, responders=BrowsingResponders)
    assert verdict["restored"]
    assert "alice answered approve in prefect" in told
