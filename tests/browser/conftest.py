"""The console in the system's Chromium, on a real stack."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from holdfast_local.stack import Stack
from tests.browser.console import WAIT_MILLISECONDS, sign_in

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium; its absence is a failure that says what to install.

    One for each file: Playwright's event loop runs for as long, and others may want one of theirs.
    """
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.fail("no Chromium was found: install the package chromium", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has against the pages; a test that provokes some takes them out."""
    return []


@pytest.fixture
def page(browser: Browser, stack: Stack, complaints: list[str]) -> Iterator[Page]:
    """A page that nobody is signed in on; the test fails if the browser has a complaint."""
    context = browser.new_context(base_url=stack.api_url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(WAIT_MILLISECONDS)

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def refuse(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    page = context.new_page()
    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", refuse)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def operator(page: Page, stack: Stack) -> Page:
    """A page on which the operator is signed in."""
    return sign_in(page, stack, "operator")


@pytest.fixture
def approver(page: Page, stack: Stack) -> Page:
    """A page on which the approver is signed in."""
    return sign_in(page, stack, "approver")
