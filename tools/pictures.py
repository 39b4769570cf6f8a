"""Draw the pictures of the README and of docs/ from real runs: nothing in them is made up.

`certificate` draws the last `make demo`. `console` starts runs on a stack of its own, kills the
activity worker under one of them, and takes the console's pages as a browser shows them.
Needs Chromium (Debian's package `chromium`, or any on PATH).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import psycopg
from playwright.sync_api import Browser, Page, expect, sync_playwright

from holdfast_local.stack import Stack
from own_stack import TRIP, own_stack, until

ROOT = Path(__file__).resolve().parents[1]
CERTIFICATE = ROOT / ".run" / "demo" / "certificate.html"
IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
#: Banner, figures and the kill timeline; the tables below them are for the page itself.
CERTIFICATE_SIZE = (1300, 1250)
CONSOLE_SIZE = (1280, 900)
RUN_HEIGHT = 1320
SECONDS = 60
ENDED = {"COMPLETED", "FAILED", "TERMINATED", "CANCELLED"}
#: A run for each line of the list, and what it is called.
RUNS: tuple[tuple[str, str, Any], ...] = (
    ("task_chain", "chain-of-three", 1),
    ("task_chain", "chain-that-fails", -1),
    ("book_trip", "trip-to-new-york", TRIP),
    ("book_trip", "trip-sold-out", {**TRIP, "car": "no such car"}),
    ("request_escalation", "order-small", {"amount": 250}),
    ("request_escalation", "order-large", {"amount": 5000}),
    ("batch_processing", "legs-of-a-day", 48),
)
#: The one that is hit.
HIT = "legs-under-fire"


def main() -> int:
    """Draw what is asked for; say in one line what is missing if that cannot be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("certificate", "console"), nargs="*")
    wanted = parser.parse_args().what or ["certificate", "console"]
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        return _fail("no Chromium was found: install the package chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    if "certificate" in wanted:
        if not CERTIFICATE.exists():
            return _fail("there is no certificate yet: run `make demo` first")
        verdict = json.loads(CERTIFICATE.with_suffix(".json").read_text())["verdict"]
        if verdict != "pass":
            return _fail(f"the last certificate says {verdict}: run `make demo` again")
        with _browser(program) as browser:
            page = _page(browser, CERTIFICATE_SIZE, "light")
            page.goto(CERTIFICATE.as_uri())
            _draw(page, "certificate")
    if "console" in wanted:
        _console(program)
    return 0


def _console(program: str) -> None:
    with (
        own_stack("pictures") as stack,
        httpx.Client(base_url=stack.api_url, auth=stack.auth(), timeout=30, trust_env=False) as api,
    ):
        _runs(stack, api)
        with _browser(program) as browser:
            for scheme in ("light", "dark"):
                _pages(browser, stack, "dark" if scheme == "dark" else "light")


def _runs(stack: Stack, api: httpx.Client) -> None:
    for workflow, run, payload in RUNS:
        _start(api, workflow, run, payload)
    for _, run, _ in RUNS:
        if run != "order-large":
            _wait(api, run, ENDED)
    _hit(stack, api)


def _hit(stack: Stack, api: httpx.Client) -> None:
    """Kill the worker while it stands before the commits of a batch's items."""

    def known(what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get(f"/runs/{HIT}/timeline").json()[what]
        return found

    _start(api, "batch_processing", HIT, 12)
    until(lambda: known("effects"))
    with psycopg.connect(stack.database_url.replace("+psycopg", "")) as database:
        database.execute("LOCK TABLE work.effects IN SHARE MODE")
        until(lambda: any(attempt["outcome"] is None for attempt in known("attempts")))
        stack.kill("activity-worker")
    _wait(api, HIT, ENDED)


def _start(api: httpx.Client, workflow: str, run: str, payload: Any) -> None:
    query = {"instance_id": run}
    api.post(f"/workflows/{workflow}", params=query, json=payload).raise_for_status()


def _wait(api: httpx.Client, run: str, states: set[str]) -> None:
    until(lambda: api.get(f"/status/{run}").json()["state"] in states)


def _pages(browser: Browser, stack: Stack, scheme: Literal["light", "dark"]) -> None:
    page = _page(browser, CONSOLE_SIZE, scheme)
    suffix = "-dark" if scheme == "dark" else ""
    bearer = {"Authorization": f"Bearer {stack.token('operator')}"}
    code = httpx.post(f"{stack.api_url}/console/code", headers=bearer, trust_env=False)
    page.goto(code.raise_for_status().json()["url"])
    page.wait_for_url("**/console/runs")
    expect(page.locator("#list tbody tr")).to_have_count(len(RUNS) + 1)
    _draw(page, f"console-list{suffix}")
    page.set_viewport_size({"width": CONSOLE_SIZE[0], "height": RUN_HEIGHT})
    page.goto(f"{stack.api_url}/console/runs/{HIT}")
    # A run that ended a moment ago is still looked at.
    until(lambda: page.reload() and not page.get_by_text("Pause updates").count())
    _draw(page, f"console-run{suffix}")


@contextmanager
def _browser(program: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def _page(browser: Browser, size: tuple[int, int], scheme: Literal["light", "dark"]) -> Page:
    width, height = size
    return browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)


def _draw(page: Page, name: str) -> None:
    picture = IMAGES / f"{name}.png"
    page.screenshot(path=picture, timeout=SECONDS * 1000)
    print(f"drawn: {picture.relative_to(ROOT)}")


def _fail(reason: str) -> int:
    print(f"holdfast: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
