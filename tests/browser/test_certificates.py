"""Resume certificates in the console: linked, opened, and harmless whatever is in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Response, expect

from holdfast_chaos.certificate import Certificate
from holdfast_chaos.publishing import publish
from holdfast_local.stack import Stack
from tests.browser.console import client, sign_in
from tests.support.certificates import deposit
from tests.unit.chaos.script import EPOCH, clean

pytestmark = [pytest.mark.browser, pytest.mark.integration]

EVIL = '<img src="x" id="evil" onerror="alert(1)">'
#: All that a page could try: run, load, send, leave, open, frame, and move where links lead.
HOSTILE = """<!doctype html>
<html><head><title>hostile</title>
<base href="http://127.0.0.1:9/">
<meta http-equiv="refresh" content="0; url=/console/runs?stolen">
<link rel="stylesheet" href="/console/static/console.css?stolen">
<script>document.title = "ran"; alert(1)</script>
<script src="/console/static/console.js?stolen"></script>
</head><body onload="document.title = 'ran'">
<h1>hostile</h1>
<img src="/console/static/icon.svg?stolen" onerror="alert(1)">
<iframe src="/console/runs?stolen"></iframe>
<form id="form" method="post" action="/console/logout"><button>Send</button></form>
<a id="script" href="javascript:alert(1)">run</a>
<a id="window" href="/console/runs?stolen" target="_blank">open</a>
</body></html>
"""


@pytest.fixture
def handed_in(api: httpx.Client, tmp_path: Path) -> Iterator[str]:
    """The address of the page of a certificate of the suite."""
    forget(api)
    certificate = Certificate(clean(), seed=7, target="test", started_at=EPOCH, finished_at=EPOCH)
    yield publish(api, certificate.write(tmp_path))
    forget(api)


def forget(api: httpx.Client) -> None:
    for one in api.get("/certificates").json()["certificates"]:
        api.delete(f"/certificates/{one['certificate_id']}")


def test_viewer_finds_the_latest_certificate_and_reads_it(
    page: Page, stack: Stack, handed_in: str
) -> None:
    sign_in(page, stack, "viewer")
    expect(page.locator("#certificate")).to_contain_text("pass, seed 7")
    page.get_by_role("link", name="Certificates").click()
    row = page.locator("#certificates-scroll tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("pass")
    page.get_by_role("link", name="Open the latest certificate").click()

    assert page.url == handed_in
    expect(page.get_by_role("heading", level=1)).to_have_text("Holdfast resume certificate")
    expect(page.locator("svg.chart")).to_be_visible()
    # Its own styles count: without them, the seal would be as wide as the page.
    box = page.locator(".seal").bounding_box()
    assert box is not None
    assert box["width"] == 66


def test_hostile_page_runs_loads_sends_and_leads_nowhere(
    page: Page, stack: Stack, api: httpx.Client, complaints: list[str]
) -> None:
    kept = api.post("/certificates", json=deposit(page=HOSTILE)).json()["certificate_id"]
    sign_in(page, stack, "admin")
    answered: list[str] = []

    def note(response: Response) -> None:
        answered.append(response.url)

    # What the browser keeps from being sent is a request for it, too, but has no answer. The icon
    # of the page before may still be answered; the one that the hostile page names is another.
    page.context.on("response", note)
    place = f"{stack.api_url}/console/certificates/{kept}"
    page.goto(place, wait_until="load")
    expect(page.get_by_role("heading", name="hostile")).to_be_visible()
    for name in ("Send", "run", "open"):
        page.get_by_text(name, exact=True).click()
    # Whatever it had begun to ask for would be under way before this comes back.
    page.context.request.get(f"{stack.api_url}/healthz")

    assert page.title() == "hostile"
    assert page.url == place
    assert len(page.context.pages) == 1
    assert place in answered
    icons = ("favicon", "/console/static/icon.svg?v=")
    others = [url for url in answered if not any(icon in url for icon in icons)]
    assert [url for url in others if url != place] == []
    assert not [text for text in complaints if text in {"1", "2"}], "a dialog was opened"
    complaints.clear()
    page.goto("/console/runs")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    complaints.clear()
    forget(api)


def test_what_a_certificate_says_of_itself_is_shown_as_text(
    page: Page, stack: Stack, api: httpx.Client
) -> None:
    assert api.post("/certificates", json=deposit(target=EVIL)).status_code == 201
    sign_in(page, stack, "viewer").goto("/console/certificates")

    expect(page.locator("#certificates-scroll tbody")).to_contain_text(EVIL)
    assert page.locator("#evil").count() == 0
    forget(api)


def test_nobody_reads_a_certificate_without_a_session(stack: Stack, handed_in: str) -> None:
    path = handed_in.removeprefix(stack.api_url)
    with client(stack) as nobody, client(stack, "viewer") as viewer:
        answers = [nobody.get(place) for place in ("/console/certificates", path)]
        assert [answer.status_code for answer in answers] == [303, 303]
        page = viewer.get(path)
        assert page.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        missing = viewer.get("/console/certificates/never-seen")
    assert missing.status_code == 404
    assert "No such certificate" in missing.text
    # What says so is a page of the console again.
    assert "sandbox" not in missing.headers["Content-Security-Policy"]
