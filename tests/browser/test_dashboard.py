"""The dashboard in a real browser. Needs Chromium and the packages of requirements/browser.txt: `make test-browser`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.harness import Dashboard, serving
from tests.harness import Project

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.base")
CHROMIUM = shutil.which("chromium") or pytest.skip("chromium is not installed", allow_module_level=True)
QUIET = "no-sandbox disable-background-networking disable-component-update disable-sync no-first-run"
PAGES = ("/", "/runs", "/runs/0", "/trends", "/alerts", "/nothing")
MANY = """
      many-records-{n}: {{type: sample, kind: gmail-messages, start: "20250101", days: 30, records: 5, seed: {n}}}"""


@pytest.fixture(scope="module")
def dashboard(built_once: Project) -> Iterator[Dashboard]:
    with serving(built_once) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=[f"--{flag}" for flag in QUIET.split()])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser: Any, dashboard: Dashboard) -> Any:
    context = browser.new_context(base_url=f"http://127.0.0.1:{dashboard.port}")
    page = context.new_page()
    page.goto(f"/enter?token={dashboard.token}")
    page.wait_for_url("**/")
    return context


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_stays_at_home(context: Any, scheme: str, width: int) -> None:
    page = context.new_page()
    hosts: set[str] = set()
    faults: list[str] = []
    page.on("request", lambda request: hosts.add(re.split("[/:]", request.url)[3]))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path in PAGES:
        page.goto(path)
        found = page.evaluate(axe.AXE_FILE_PATH.read_text() + "; axe.run()")
        assert [violation["id"] for violation in found["violations"]] == [], path
    assert hosts == {"127.0.0.1"}
    assert [fault for fault in faults if "404" not in fault] == []


def test_the_keyboard_reaches_every_link(context: Any) -> None:
    page = context.new_page()
    page.goto("/runs")
    reached = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Skip to the content", "Now", "Runs", "Trends", "Alerts"} <= reached


def test_a_run_is_followed_to_its_end(browser: Any, built: Project) -> None:
    """A run of 90 files: the page shows it live, and its end."""
    built.edit("    sources:\n", "    sources:" + "".join(MANY.format(n=n) for n in (1, 2, 3)) + "\n")
    with serving(built) as dashboard:
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{dashboard.port}/enter?token={dashboard.token}")
        page.wait_for_url("**/")
        with built.start("lorchestra", "run") as run:
            page.get_by_text("RUNNING").wait_for(timeout=60_000)
            run.communicate(timeout=120)
        page.get_by_text("Nothing is running").wait_for(timeout=10_000)
        assert page.locator("strong.status").inner_text() == "SUCCESS"


def test_a_report_is_accessible_and_loads_nothing(browser: Any, built: Project) -> None:
    built.run("lorchestra", "report", "--output", "report.html")
    page = browser.new_page()
    requests: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto((built.root / "report.html").as_uri())
    assert page.locator("svg").count() >= 2
    assert (requests, faults) == ([(built.root / "report.html").as_uri()], [])
    found = page.evaluate(axe.AXE_FILE_PATH.read_text() + "; axe.run()")
    assert [violation["id"] for violation in found["violations"]] == []
