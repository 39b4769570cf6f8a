"""Small helpers of the tests that use the console."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from playwright.sync_api import Page, expect

from holdfast_local.stack import Stack
from holdfast_servicekit.sidecar import NO_TLS

WAIT_MILLISECONDS = 20_000
#: What must be text wherever it is shown.
EVIL = '<img src="x" id="evil" onerror="alert(1)"><script id="evil">alert(2)</script>'
_FORM_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def sign_in(page: Page, stack: Stack, role: str) -> Page:
    """Sign in by the address that the CLI is given, and return the page on the list."""
    page.goto(address(stack, role))
    page.wait_for_url("**/console/runs")
    return page


def address(stack: Stack, role: str) -> str:
    """Return an address that signs in once."""
    with client(stack) as http:
        answer = http.post(
            "/console/code", headers={"Authorization": f"Bearer {stack.token(role)}"}
        )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


@contextmanager
def client(stack: Stack, role: str | None = None) -> Iterator[httpx.Client]:
    """Give what speaks to the console as a browser would, signed in if a role is given."""
    with httpx.Client(base_url=stack.api_url, timeout=30, trust_env=False, verify=NO_TLS) as http:
        if role is not None:
            answer = http.post("/console/login", data={"token": stack.token(role)})
            assert answer.status_code == 200, answer.text
        yield http


def form_token(http: httpx.Client, path: str = "/console/runs") -> str:
    """Return what every form of the session carries."""
    found = _FORM_TOKEN.search(http.get(path).text)
    assert found is not None
    return found[1]


def expect_state(page: Page, state: str) -> None:
    """Wait until the page itself says, without being loaded again, that the run is so."""
    expect(page.locator("#summary .state")).to_have_text(state, timeout=60_000)


def tab_to(page: Page, selector: str, most: int = 80) -> None:
    """Press Tab until the element has the focus, as somebody without a mouse does."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")
