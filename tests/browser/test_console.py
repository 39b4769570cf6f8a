"""What a person does with the console, in a real browser on a real stack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from tests.browser.console import EVIL, expect_state, sign_in, tab_to
from tests.support import runs
from tests.support.certificates import deposit
from tests.support.examples import ORDER, TRIP
from tests.support.holding import commits_held
from tests.support.stacks import client_of
from tests.support.waiting import eventually

pytestmark = [pytest.mark.browser, pytest.mark.integration]


def forget_refusals(complaints: list[str], status: int) -> None:
    """Take out what Chromium says of a page that was refused as it should be."""
    said = f"with a status of {status} "
    complaints[:] = [complaint for complaint in complaints if said not in complaint]


@pytest.fixture
def order(api: httpx.Client) -> str:
    """An order that the admin requested and that waits for a decision."""
    return waiting_order(api)


def waiting_order(api: httpx.Client, **more: object) -> str:
    run = runs.start(api, "request_escalation", ORDER | more)
    eventually(
        "the order waits",
        lambda: runs.state_of(api, run)["custom_status"] == "waiting for human_approval",
        seconds=60,
    )
    return run


def test_run_is_started_by_a_form_and_watched_to_its_end(operator: Page) -> None:
    operator.get_by_role("link", name="Start", exact=True).click()
    operator.get_by_role("link", name="task_chain").click()
    operator.get_by_label("Input, as JSON").fill("1")
    operator.get_by_role("button", name="Start").click()

    expect(operator.get_by_text("The run is accepted.")).to_be_visible()
    expect_state(operator, "Completed")
    assert json.loads(operator.locator("#output").inner_text()) == [2, 4, 16]
    expect(operator.locator("#timeline svg.chart .tick")).to_have_count(3)
    expect(operator.locator("#timeline table tbody tr")).to_have_count(3)
    expect(operator.locator("#history")).to_contain_text("Execution completed")


def test_wrong_input_is_explained_beside_its_field_and_nothing_starts(
    operator: Page, api: httpx.Client, complaints: list[str]
) -> None:
    before = api.get("/runs", params={"workflow": "book_trip"}).json()["runs"]
    operator.goto("/console/start/book_trip")
    operator.evaluate("document.querySelector('form.card').noValidate = true")
    operator.get_by_label("Input, as JSON").fill('{"traveller": ""}')
    operator.get_by_label("Run ID").fill("not an id")
    operator.get_by_label("Deadline (UTC)").fill("2001-02-03T04:05:06")
    operator.get_by_role("button", name="Start").click()

    field = operator.get_by_label("Input, as JSON")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_attribute("aria-describedby", "input-fault input-hint")
    expect(operator.locator("#input-fault")).to_contain_text("/flight: Field required")
    expect(operator.locator("#instance_id-fault")).to_contain_text("1 to 64 letters")
    expect(operator.locator("#deadline-fault")).to_contain_text("has passed")
    expect(field).to_have_value('{"traveller": ""}')
    assert api.get("/runs", params={"workflow": "book_trip"}).json()["runs"] == before
    forget_refusals(complaints, 422)


def test_order_is_approved_with_a_comment_by_keyboard_alone_by_whoever_is_signed_in(
    approver: Page, api: httpx.Client, order: str
) -> None:
    approver.goto(f"/console/runs/{order}")
    expect(approver.locator("#why")).to_contain_text("waits for the event human_approval")
    tab_to(approver, "#comment")
    expect(approver.get_by_label("Comment on the decision")).to_be_focused()
    approver.keyboard.type("within budget")
    tab_to(approver, 'button[value="approve"]')
    expect(approver.get_by_role("button", name="Approve")).to_be_focused()
    approver.keyboard.press("Enter")

    expect(approver.get_by_text("Your approval is accepted.")).to_be_visible()
    expect_state(approver, "Completed")
    expect(approver.locator("#events")).to_contain_text("consumed")
    assert runs.state_of(api, order)["output"]["verdict"] == "approved"
    assert runs.state_of(api, order)["output"]["by"] == "approver"


def test_order_is_rejected(approver: Page, api: httpx.Client, order: str) -> None:
    approver.goto(f"/console/runs/{order}")
    approver.get_by_role("button", name="Reject").click()

    expect_state(approver, "Completed")
    assert runs.state_of(api, order)["output"]["verdict"] == "rejected"


def test_whoever_requested_an_order_is_not_offered_its_decision(
    page: Page, stack: Stack, order: str
) -> None:
    sign_in(page, stack, "admin").goto(f"/console/runs/{order}")

    expect(page.get_by_text("You requested it")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_trip_is_cancelled_after_a_second_thought_and_undoes_its_bookings(
    operator: Page, api: httpx.Client, db: Engine
) -> None:
    with commits_held(db):
        run = runs.start(api, "book_trip", TRIP)
        runs.wait_for_state(api, run, "RUNNING")
        operator.goto(f"/console/runs/{run}")
        operator.get_by_role("link", name="Cancel …").click()
        expect(operator.get_by_role("heading", name="Cancel this run?")).to_be_visible()
        operator.get_by_label("Reason").fill("storm")
        operator.get_by_role("button", name="Cancel").click()
        expect(operator.get_by_text("The cancellation is accepted")).to_be_visible()

    expect_state(operator, "Cancelled")
    expect(operator.locator("#timeline")).to_contain_text("cancel_flight")
    expect(operator.locator("#output")).to_contain_text("storm")


def test_run_is_suspended_resumed_and_terminated(
    operator: Page, api: httpx.Client, order: str
) -> None:
    operator.goto(f"/console/runs/{order}")
    operator.get_by_role("button", name="Suspend").click()
    expect_state(operator, "Suspended")
    expect(operator.locator("#why")).to_contain_text("suspended")
    operator.get_by_role("button", name="Resume").click()
    expect_state(operator, "Running")
    operator.get_by_role("link", name="Terminate …").click()
    operator.get_by_role("button", name="Terminate").click()

    expect_state(operator, "Terminated")
    assert runs.state_of(api, order)["state"] == "TERMINATED"


def test_run_is_repeated_and_the_new_one_leads_back_to_the_first(
    operator: Page, api: httpx.Client
) -> None:
    first = runs.start(api, "task_chain", 2)
    runs.wait_for_end(api, first)
    operator.goto(f"/console/runs/{first}")
    operator.get_by_role("link", name="Rerun …").click()
    operator.get_by_role("button", name="Rerun").click()

    expect(operator.get_by_text("This new run is accepted.")).to_be_visible()
    expect_state(operator, "Completed")
    expect(operator.locator("#rerun-of")).to_have_text(first)
    assert first not in operator.url


def test_viewer_sees_everything_and_is_offered_nothing(
    page: Page, stack: Stack, order: str
) -> None:
    sign_in(page, stack, "viewer").goto(f"/console/runs/{order}")

    expect(page.locator("#why")).to_contain_text("human_approval")
    expect(page.locator("#actions button, #actions a")).to_have_count(0)
    expect(page.get_by_role("link", name="Start", exact=True)).to_have_count(0)


def test_list_is_filtered_and_goes_on_while_the_focus_stays(
    operator: Page, api: httpx.Client
) -> None:
    runs.start(api, "task_chain", 3, instance_id="find-me-1")
    runs.wait_for_end(api, "find-me-1")
    operator.get_by_label("Run ID contains").fill("find-me")
    operator.get_by_label("Workflow").select_option("task_chain")
    operator.get_by_label("Completed").check()
    operator.get_by_role("button", name="Filter").click()
    expect(operator.locator("#list tbody tr")).to_have_count(1)
    operator.locator("#run-find-me-1").focus()
    runs.start(api, "task_chain", 4, instance_id="find-me-2")

    expect(operator.locator("#list tbody tr")).to_have_count(2, timeout=30_000)
    assert operator.evaluate("document.activeElement.id") == "run-find-me-1"


def test_pages_of_the_list_follow_each_other(operator: Page, api: httpx.Client) -> None:
    for number in range(51):
        far = {"instance_id": f"paged-{number:02}", "start_at": "2099-01-01T00:00:00Z"}
        runs.start(api, "task_chain", 1, **far)
    operator.goto("/console/runs?q=paged-")
    expect(operator.locator("#list tbody tr")).to_have_count(50)
    operator.get_by_role("link", name="Older runs").click()

    expect(operator.locator("#list tbody tr")).to_have_count(1)
    expect(operator.locator("#list tbody")).to_contain_text("paged-00")
    operator.get_by_role("link", name="Newest").click()
    expect(operator.locator("#list tbody tr")).to_have_count(50)


def test_comment_that_is_being_written_survives_the_updates(
    approver: Page, api: httpx.Client, order: str
) -> None:
    approver.goto(f"/console/runs/{order}")
    field = approver.get_by_label("Comment on the decision")
    field.press_sequentially("half a sen")
    with approver.expect_response("**/live?*"):
        pass
    api.post(f"/runs/{order}/suspend").raise_for_status()
    runs.wait_for_state(api, order, "SUSPENDED")
    api.post(f"/runs/{order}/resume").raise_for_status()

    expect(approver.locator("#events tbody tr")).to_have_count(2)
    expect(field).to_have_value("half a sen")


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(
    operator: Page, stack: Stack
) -> None:
    copies = {cookie["name"]: cookie["value"] for cookie in operator.context.cookies()}
    operator.get_by_role("button", name="Sign out").click()

    expect(operator.get_by_text("You are signed out.")).to_be_visible()
    answer = httpx.get(f"{stack.api_url}/console/runs", cookies=copies, trust_env=False)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/console/login"
    operator.goto("/console/runs")
    expect(operator.get_by_label("Token")).to_be_visible()


def test_a_token_signs_in_and_leads_to_the_page_that_was_wanted(
    page: Page, stack: Stack, order: str
) -> None:
    page.goto(f"/console/runs/{order}")
    page.get_by_label("Token").fill(stack.token("viewer"))
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url(f"**/console/runs/{order}")
    expect(page.get_by_role("heading", level=1)).to_have_text(order)


def test_everything_can_be_done_by_keyboard_alone(page: Page, stack: Stack) -> None:
    page.goto("/console/login")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab_to(page, "#token")
    page.keyboard.type(stack.token("operator"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/runs")
    tab_to(page, 'nav a[href="/console/start"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/start")
    tab_to(page, 'a[href="/console/start/request_escalation"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/start/request_escalation")
    tab_to(page, "#input")
    page.keyboard.press("Control+a")
    page.keyboard.type('{"amount": 7000}')
    tab_to(page, "form.card button")
    page.keyboard.press("Enter")
    expect_state(page, "Running")
    tab_to(page, "#do-terminate")
    page.keyboard.press("Enter")
    page.wait_for_url("**/confirm/terminate")
    tab_to(page, "button.danger")
    page.keyboard.press("Enter")
    expect_state(page, "Terminated")


def put_evil_run(db: Engine) -> str:
    """Put a run into the index as the engine would have told of it: with no word of our own."""
    run = "told-by-the-engine"
    with db.begin() as connection:
        for table, columns, values in (
            (
                "requests",
                "requested_by, origin, payload_hash, input, dispatched_at",
                ":evil, 'engine', 'x', '1'::json, now()",
            ),
            (
                "runs",
                "state, updated_at, started_at, finished_at, reason, custom_status",
                "'COMPLETED', now(), now(), now(), :evil, to_json(CAST(:evil AS text))",
            ),
        ):
            connection.execute(
                text(
                    f"INSERT INTO status.{table} (instance_id, workflow, accepted_at, {columns})"  # noqa: S608
                    f" VALUES (:run, :evil, now(), {values})"
                ),
                {"run": run, "evil": EVIL},
            )
    return run


def test_html_in_every_field_is_text(
    page: Page, stack: Stack, api: httpx.Client, db: Engine, complaints: list[str]
) -> None:
    run = waiting_order(api, note=EVIL)
    for action in ("suspend", "resume"):
        api.post(f"/runs/{run}/{action}", json={"reason": EVIL}).raise_for_status()
    told = put_evil_run(db)
    failed = runs.start(api, "book_trip", {**TRIP, "flight": EVIL[:100], "traveller": EVIL})
    runs.wait_for_end(api, failed)
    sign_in(page, stack, "approver").goto(f"/console/runs/{run}")
    for place in ("#input", "#reason", "#events"):
        expect(page.locator(place)).to_contain_text("onerror")
    page.get_by_label("Comment on the decision").fill(EVIL)
    page.get_by_role("button", name="Reject").click()
    expect_state(page, "Completed")
    expect(page.locator("#history")).to_contain_text("onerror")
    page.goto(f"/console/runs/{told}")
    for name in ("Workflow", "Accepted", "Reason", "Custom status"):
        fact = page.locator("#summary dl > div").filter(has_text=name)
        expect(fact.filter(has_text="onerror")).to_have_count(1)
    assert page.locator("#evil").count() == 0
    page.goto(f"/console/runs?q={told}&live=off")
    expect(page.locator("#list tbody tr").filter(has_text="<img")).to_have_count(1)
    for path in ("", f"/{failed}", "?q=%3Cb+id%3Devil%3E"):
        page.goto(f"/console/runs{path}")
        assert page.locator("#evil").count() == 0
    page.goto(f"/console/runs/{failed}")
    expect(page.locator("#summary .failure")).to_contain_text("<img")
    page.context.clear_cookies()
    sign_in(page, stack, "operator").goto("/console/start/task_chain")
    page.get_by_label("Input, as JSON").fill(f"</textarea>{EVIL}")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_label("Input, as JSON")).to_have_value(f"</textarea>{EVIL}")
    assert page.locator("#evil").count() == 0
    forget_refusals(complaints, 422)


@pytest.fixture(scope="module")
def places(stack: Stack) -> dict[str, list[str]]:
    """Every kind of page, with something on it, by the role of who looks; first by nobody."""
    with client_of(stack) as api:
        done = runs.start(api, "task_chain", 1)
        failed = runs.start(api, "task_chain", -1)
        order, held = waiting_order(api), waiting_order(api)
        api.post(f"/runs/{held}/suspend").raise_for_status()
        runs.wait_for_state(api, held, "SUSPENDED")
        runs.wait_for_end(api, done)
        runs.wait_for_end(api, failed)
        hook = api.post("/webhooks", json={"url": "http://127.0.0.1:9/hook"}).json()["webhook_id"]
        assert api.post("/certificates", json=deposit()).is_success
    of_admin = [
        "/console/runs?live=off",
        f"/console/runs/{done}",
        f"/console/runs/{failed}",
        f"/console/runs/{order}?live=off",
        f"/console/runs/{held}?live=off",
        "/console/runs/nowhere",
        f"/console/runs/{order}/confirm/terminate",
        f"/console/runs/{done}/confirm/rerun",
        f"/console/runs/{done}/confirm/purge",
        "/console/start",
        "/console/start/book_trip",
        "/console/bulk",
        "/console/webhooks",
        f"/console/webhooks/{hook}",
        "/console/certificates",
        "/console/audit",
    ]
    to_decide = [f"/console/runs/{order}?live=off"]
    return {"": ["/console/login"], "approver": to_decide, "admin": of_admin}


def visits(page: Page, stack: Stack, places: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Go to each of them, and to a form that was refused; say where the page is."""
    for role, paths in places.items():
        if role:
            sign_in(page, stack, role)
        for path in paths:
            page.goto(path)
            if role == "approver":
                expect(page.get_by_role("button", name="Approve")).to_be_visible()
            yield f"{path} as {role or 'nobody'}"
    page.goto("/console/start/book_trip")
    page.evaluate("document.querySelector('form.card').noValidate = true")
    page.get_by_label("Input, as JSON").fill("{}")
    page.get_by_label("Run ID").fill("not an id")
    page.get_by_label("Deadline (UTC)").fill("2001-02-03T04:05:06")
    page.get_by_role("button", name="Start").click()
    for field in ("input", "instance_id", "deadline"):
        expect(page.locator(f"#{field}-fault")).to_be_visible()
    yield "a form with faults"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_on_any_page(
    page: Page, stack: Stack, places: dict[str, list[str]], complaints: list[str], scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    axe = Axe()
    found = {}
    for place in visits(page, stack, places):
        results = axe.run(page)
        if results.violations_count:
            found[place] = results.generate_report()
    assert found == {}
    forget_refusals(complaints, 404)
    forget_refusals(complaints, 422)


def test_nothing_scrolls_sideways_on_a_screen_of_400_pixels(
    page: Page, stack: Stack, places: dict[str, list[str]], complaints: list[str]
) -> None:
    page.set_viewport_size({"width": 400, "height": 800})
    wide = {}
    for place in visits(page, stack, places):
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 400:
            wide[place] = width
    assert wide == {}
    forget_refusals(complaints, 404)
    forget_refusals(complaints, 422)


def test_page_says_when_it_cannot_be_updated_and_when_it_can_again(
    page: Page, stack: Stack, order: str, complaints: list[str]
) -> None:
    sign_in(page, stack, "viewer").goto(f"/console/runs/{order}")
    page.context.set_offline(offline=True)
    expect(page.locator("#connection")).to_contain_text("Not connected")
    page.context.set_offline(offline=False)

    expect(page.locator("#connection")).to_be_hidden()
    assert all("ERR_INTERNET_DISCONNECTED" in text or "htmx:" in text for text in complaints)
    complaints.clear()
