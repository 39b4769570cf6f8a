"""What operators and admins do to many runs, to webhooks, and with the audit log, by pages."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from tests.browser.console import client, form_token, sign_in, tab_to
from tests.support import runs
from tests.support.examples import TRIP
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.integration]

EVIL = '<img src="x" id="evil" onerror="alert(1)">'
HOOK = "http://127.0.0.1:9/hook"


@pytest.fixture
def admin(page: Page, stack: Stack) -> Page:
    """A page on which the admin is signed in."""
    return sign_in(page, stack, "admin")


@pytest.fixture
def mark(api: httpx.Client) -> str:
    """A mark in the IDs of three runs that are to start in some decades."""
    mark = f"many-{uuid.uuid4().hex[:8]}"
    for number in range(3):
        late = {"instance_id": f"{mark}-{number}", "start_at": "2099-01-01T00:00:00Z"}
        assert api.post("/workflows/book_trip", params=late, json=TRIP).status_code == 202
    return mark


@pytest.fixture
def hook(api: httpx.Client, db: Engine) -> Iterator[str]:
    """A webhook whose receiver is away, and that has given up on one event."""
    made = api.post("/webhooks", json={"url": HOOK, "types": ["dev.holdfast.run.cancelled"]})
    webhook = made.json()["webhook_id"]
    run = runs.start(api, "book_trip", TRIP, start_at="2099-01-01T00:00:00Z")
    assert api.post(f"/runs/{run}/cancel").status_code == 202
    with db.begin() as connection:
        given_up = text(
            "UPDATE status.deliveries SET dead_at = now(), attempts = 12, last_error = :error,"
            # Of nobody: an attempt that is under way does not count any more.
            " claimed_by = NULL WHERE webhook_id = :webhook"
        )
        values = {"webhook": webhook, "error": f"no answer {EVIL}"}
        eventually("it is to be told", lambda: connection.execute(given_up, values).rowcount)
    yield webhook
    api.delete(f"/webhooks/{webhook}")


def test_many_runs_are_counted_and_then_cancelled_with_a_reason(
    operator: Page, api: httpx.Client, mark: str
) -> None:
    operator.goto(f"/console/runs?q={mark}&age=24h&state=PENDING&workflow=book_trip")
    operator.get_by_role("link", name="Act on all of these …").click()
    expect(operator.get_by_label("Run ID contains")).to_have_value(mark)
    operator.get_by_role("button", name="Cancel: count …").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("Cancel 3 runs?")
    assert runs.state_of(api, f"{mark}-0")["state"] == "PENDING"
    operator.get_by_label("Reason").fill("no snow")
    operator.get_by_role("button", name="Cancel 3 runs").click()

    expect(operator.get_by_role("heading", level=1)).to_have_text("Cancel: done for 3 of 3")
    for number in range(3):
        status = runs.state_of(api, f"{mark}-{number}")
        assert (status["state"], status["reason"]) == ("CANCELLED", "no snow")
    operator.goto(f"/console/runs/{mark}-0")
    expect(operator.locator("#reason")).to_have_text("no snow")


def repeated(api: httpx.Client, mark: str) -> list[str]:
    """Return which of the marked runs the new ones repeat, once for each new one."""
    found = api.get("/runs", params={"workflow": "book_trip", "limit": 200}).json()["runs"]
    return sorted(run["rerun_of"] for run in found if str(run["rerun_of"]).startswith(mark))


def test_many_runs_that_have_ended_are_counted_and_then_run_again(
    operator: Page, api: httpx.Client, mark: str
) -> None:
    ended = [f"{mark}-{number}" for number in range(2)]
    for run in ended:
        assert api.post(f"/runs/{run}/terminate").status_code == 202
    operator.goto(f"/console/bulk?q={mark}")
    operator.get_by_role("button", name="Rerun: count …").click()
    expect(operator.get_by_role("heading", level=1)).to_have_text("Rerun 2 runs?")
    expect(operator.locator("#means")).to_contain_text("come on top")
    expect(operator.get_by_label("Reason")).to_have_count(0)
    assert repeated(api, mark) == []
    operator.get_by_role("button", name="Rerun 2 runs").click()

    expect(operator.get_by_role("heading", level=1)).to_have_text("Rerun: done for 2 of 2")
    assert repeated(api, mark) == ended


def test_rerun_of_many_that_is_confirmed_twice_starts_each_once(
    stack: Stack, api: httpx.Client, mark: str
) -> None:
    assert api.post(f"/runs/{mark}-0/terminate").status_code == 202
    with client(stack, "operator") as http:
        form = {"csrf": form_token(http), "q": mark, "since": ""}
        asked = http.post("/console/bulk/rerun", data={"csrf": form["csrf"], "q": mark})
        (token,) = re.findall('name="token" value="([^"]+)"', asked.text)
        answers = [
            http.post("/console/bulk/rerun", data={**form, "token": token}) for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert repeated(api, mark) == [f"{mark}-0"]


def test_many_runs_are_terminated_by_keyboard_alone(
    operator: Page, api: httpx.Client, mark: str
) -> None:
    operator.goto("/console/bulk")
    tab_to(operator, "#q")
    operator.keyboard.type(mark)
    tab_to(operator, 'button[formaction$="/terminate"]')
    operator.keyboard.press("Enter")
    expect(operator.get_by_role("heading", level=1)).to_have_text("Terminate 3 runs?")
    tab_to(operator, "button.danger")
    operator.keyboard.press("Enter")

    expect(operator.get_by_role("heading", level=1)).to_have_text("Terminate: done for 3 of 3")
    assert runs.state_of(api, f"{mark}-2")["state"] == "TERMINATED"


def test_nothing_is_offered_where_no_run_is_meant(operator: Page) -> None:
    operator.goto("/console/bulk?q=nowhere-at-all")
    expect(operator.get_by_role("button", name="Purge: count …")).to_have_count(0)
    operator.get_by_role("button", name="Suspend: count …").click()

    expect(operator.get_by_text("No run is like this, so there is nothing to do.")).to_be_visible()
    expect(operator.locator("button.danger")).to_have_count(0)


def test_token_of_another_or_of_other_runs_does_nothing(
    stack: Stack, api: httpx.Client, mark: str
) -> None:
    token = api.post("/bulk/terminate", params={"q": mark}).json()["token"]
    with client(stack, "operator") as http:
        form = {"csrf": form_token(http), "q": mark, "since": "", "token": token}
        answers = [
            http.post("/console/bulk/terminate", data=form),
            http.post("/console/bulk/terminate", data={**form, "since": "yesterday"}),
            http.post("/console/bulk/explode", data=form),
            http.post("/console/bulk/purge", data=form),
            http.post("/console/bulk/terminate", data={**form, "csrf": ""}),
        ]
    assert [answer.status_code for answer in answers] == [422, 400, 404, 403, 403]
    assert "The token does not fit" in answers[0].text
    assert runs.state_of(api, f"{mark}-0")["state"] == "PENDING"


def test_run_that_has_ended_is_purged_after_a_second_thought(
    admin: Page, api: httpx.Client
) -> None:
    run = runs.start(api, "task_chain", 1)
    runs.wait_for_end(api, run)
    admin.goto(f"/console/runs/{run}")
    admin.get_by_role("link", name="Purge …").click()
    admin.get_by_role("button", name="Purge").click()

    expect(admin.get_by_text("The run is purged.")).to_be_visible()
    assert api.get(f"/status/{run}").status_code == 410


def test_operator_is_not_offered_what_an_admin_does(operator: Page, api: httpx.Client) -> None:
    run = runs.start(api, "task_chain", 1)
    runs.wait_for_end(api, run)
    operator.goto(f"/console/runs/{run}")

    expect(operator.get_by_role("link", name="Rerun …")).to_be_visible()
    expect(operator.get_by_role("link", name="Purge …")).to_have_count(0)
    for name in ("Webhooks", "Audit log"):
        expect(operator.get_by_role("link", name=name)).to_have_count(0)


@pytest.mark.parametrize("role", ["viewer", "approver", "operator"])
def test_role_that_may_not_is_refused_although_it_knows_the_address(
    stack: Stack, api: httpx.Client, hook: str, role: str
) -> None:
    run = runs.start(api, "task_chain", 1)
    runs.wait_for_end(api, run)
    with client(stack, role) as http:
        csrf = {"csrf": form_token(http)}
        pages = [http.get(f"/console/{name}") for name in ("webhooks", f"webhooks/{hook}", "audit")]
        forms = [
            http.post(f"/console/runs/{run}/purge", data=csrf),
            http.post("/console/bulk/purge", data=csrf),
            http.post("/console/webhooks", data={**csrf, "url": HOOK, "type": "x"}),
            http.post(f"/console/webhooks/{hook}/redeliver", data=csrf),
            http.post(f"/console/webhooks/{hook}/remove", data={**csrf, "sure": "yes"}),
        ]
    assert {answer.status_code for answer in (*pages, *forms)} == {403}
    assert api.get(f"/status/{run}").status_code == 200
    assert hook in {one["webhook_id"] for one in api.get("/webhooks").json()["webhooks"]}


def test_webhook_is_subscribed_its_secret_shown_once_and_removed(
    admin: Page, api: httpx.Client
) -> None:
    admin.get_by_role("link", name="Webhooks").click()
    admin.get_by_label("Address").fill(HOOK)
    for name in ("Started", "Waiting", "Completed", "Cancelled", "Terminated"):
        admin.get_by_label(name).uncheck()
    admin.get_by_label("Secret").fill("s" * 20)
    admin.get_by_role("button", name="Subscribe").click()

    expect(admin.locator("#secret")).to_have_text("s" * 20)
    admin.get_by_role("link", name="To the webhook").click()
    webhook = admin.url.rpartition("/")[2]
    (made,) = [
        one for one in api.get("/webhooks").json()["webhooks"] if one["webhook_id"] == webhook
    ]
    assert (made["types"], made["created_by"]) == (["dev.holdfast.run.failed"], "admin")
    assert "ssss" not in admin.content()
    admin.get_by_label("I am sure").check()
    admin.get_by_role("button", name="Remove the webhook").click()
    expect(admin.get_by_text("The webhook is removed.")).to_be_visible()
    assert webhook not in api.get("/webhooks").text


@pytest.mark.parametrize(
    ("url", "secret", "field", "said"),
    [
        ("http://169.254.169.254/latest", "", "url", "link-local"),
        ("gopher://host", "", "url", "https://"),
        (EVIL, "", "url", "URL"),
        (HOOK, "short", "secret", "match"),
    ],
)
def test_webhook_that_cannot_be_is_explained_at_its_field(
    admin: Page,
    api: httpx.Client,
    complaints: list[str],
    url: str,
    secret: str,
    field: str,
    said: str,
) -> None:
    before = api.get("/webhooks").json()
    admin.goto("/console/webhooks")
    admin.get_by_label("Address").fill(url)
    admin.get_by_label("Secret").fill(secret)
    admin.get_by_role("button", name="Subscribe").click()

    expect(admin.locator(f"#{field}-fault")).to_contain_text(said)
    expect(admin.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
    expect(admin.get_by_label("Address")).to_have_value(url)
    assert admin.locator("#evil").count() == 0
    assert api.get("/webhooks").json() == before
    complaints[:] = [text for text in complaints if "status of 422" not in text]


def test_dead_letter_is_shown_as_text_and_tried_again(
    admin: Page, api: httpx.Client, hook: str
) -> None:
    admin.goto("/console/webhooks")
    admin.locator(f'a[href$="{hook}"]').click()
    expect(admin.locator("#letters-scroll")).to_contain_text("no answer <img")
    assert admin.locator("#evil").count() == 0
    admin.get_by_role("button", name="Try all of them again").click()

    expect(admin.get_by_text("1 event is tried again.")).to_be_visible()
    expect(admin.locator("#dead")).to_have_text("0")
    assert api.get(f"/webhooks/{hook}/dead-letters").json()["dead_letters"] == []


def test_webhook_goes_only_if_that_was_ticked(stack: Stack, api: httpx.Client, hook: str) -> None:
    with client(stack, "admin") as http:
        csrf = {"csrf": form_token(http)}
        unsure = http.post(f"/console/webhooks/{hook}/remove", data=csrf)
        nobody = http.post("/console/webhooks/nobody/remove", data={**csrf, "sure": "yes"})
        nowhere = http.get("/console/webhooks/nobody")
    assert [unsure.status_code, nobody.status_code, nowhere.status_code] == [422, 404, 404]
    assert hook in api.get("/webhooks").text


def test_audit_log_says_who_did_what_and_why_in_pages(
    admin: Page, api: httpx.Client, mark: str
) -> None:
    reason = {"reason": f"because {EVIL}"}
    assert api.post(f"/runs/{mark}-1/terminate", json=reason).status_code == 202
    admin.get_by_role("link", name="Audit log").click()
    row = admin.locator("#audit-scroll tbody tr").filter(has_text="run.terminate").first
    expect(row).to_contain_text(f"{mark}-1")
    expect(row).to_contain_text("because <img")
    assert admin.locator("#evil").count() == 0
    for number in range(51):
        api.post(f"/runs/nowhere-{number}/resume")
    admin.goto("/console/audit")
    admin.get_by_role("link", name="Older entries").click()
    expect(
        admin.locator("#audit-scroll tbody tr").filter(has_text=f"{mark}-1").first
    ).to_be_visible()
    admin.get_by_role("link", name="Newest").click()
    expect(admin.locator("#audit-scroll tbody tr").first).to_contain_text("nowhere-50")


def test_wrong_cursor_of_the_log_is_refused_as_a_page(stack: Stack) -> None:
    with client(stack, "admin") as http:
        answer = http.get("/console/audit?cursor=%00")
    assert answer.status_code == 400
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_that_a_form_leads_to_have_no_violation_and_fit_400_pixels(
    page: Page, stack: Stack, api: httpx.Client, mark: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 400, "height": 800})
    sign_in(page, stack, "admin")
    axe = Axe()
    found = {}

    def look(name: str) -> None:
        results = axe.run(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        if results.violations_count or width > 400:
            found[name] = (results.generate_report(), width)

    page.goto(f"/console/bulk?q={mark}")
    page.get_by_role("button", name="Terminate: count …").click()
    look("confirm")
    assert api.post(f"/runs/{mark}-0/terminate").status_code == 202
    page.get_by_role("button", name="Terminate 3 runs").click()
    look("done")
    page.goto("/console/webhooks")
    page.get_by_label("Address").fill(HOOK)
    page.get_by_role("button", name="Subscribe").click()
    look("secret")
    page.get_by_role("link", name="To the webhook").click()
    page.get_by_label("I am sure").check()
    page.get_by_role("button", name="Remove the webhook").click()
    assert found == {}
