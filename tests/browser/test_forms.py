"""The console from the wrong side: forms of others, cookies of others, codes used twice."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from holdfast_local.stack import Stack
from holdfast_status_api.auth.callers import Role
from holdfast_status_api.auth.permissions import RULES
from tests.browser.console import address, client, form_token
from tests.support import runs
from tests.support.examples import ORDER

pytestmark = [pytest.mark.browser, pytest.mark.integration]

_RUNS = 10_000
_FIRST_PAGE_SECONDS = 0.1
#: All that needs a session, by method and path.
_PAGES = {name: rule for name, rule in RULES.items() if rule.session}
_FORMS = [name.removeprefix("POST ") for name in _PAGES if name.startswith("POST ")]
#: What each form needs to change something; none minds what another one needs.
_FILLED_IN = {
    "verdict": "approve",
    "input": "1",
    "instance_id": "started-by-another",
    "url": "http://127.0.0.1:9/another",
    "type": "dev.holdfast.run.failed",
    "sure": "yes",
}
_OF_ANOTHER_SITE = pytest.mark.parametrize(
    "header", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)


@pytest.fixture
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with client(stack, "operator") as http:
        yield http


@pytest.fixture
def run(api: httpx.Client) -> str:
    """A run that is to start in some decades."""
    return runs.start(api, "task_chain", 1, start_at="2099-01-01T00:00:00Z")


@pytest.fixture
def admin(stack: Stack) -> Iterator[httpx.Client]:
    """The admin, who may send every form."""
    with client(stack, "admin") as http:
        yield http


def send_every_form(
    http: httpx.Client,
    run: str,
    hook: str,
    data: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> dict[str, httpx.Response]:
    """Send each form there is, about the run and the webhook, and return the answers by path."""
    values = {"run": run, "webhook": hook, "action": "terminate", "name": "task_chain"}
    form = {**_FILLED_IN, "q": run, **data}
    return {path: http.post(path.format(**values), data=form, headers=headers) for path in _FORMS}


def nowhere(path: str) -> str:
    """Return the path with names of what is not there."""
    return re.sub("{[^}]*}", "never-seen", path)


def known(api: httpx.Client, run: str) -> dict[str, Any]:
    """Return all that the forms could have changed."""
    return {
        "run": api.get(f"/status/{run}").json(),
        "events": api.get(f"/runs/{run}/events").json()["events"],
        "started": api.get(f"/status/{_FILLED_IN['instance_id']}").status_code,
        "webhooks": {one["webhook_id"] for one in api.get("/webhooks").json()["webhooks"]},
    }


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é"])
def test_form_without_the_sessions_token_changes_nothing(
    admin: httpx.Client, api: httpx.Client, run: str, hook: str, token: str | None
) -> None:
    before = known(api, run)
    data = {} if token is None else {"csrf": token}
    for path, answer in send_every_form(admin, run, hook, data).items():
        assert answer.status_code == 403, path
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "The form was not taken" in answer.text, path

    assert known(api, run) == before
    assert before["started"] == 404
    assert admin.get("/console/runs").status_code == 200, "the session has ended"


def test_without_a_session_no_page_is_shown_and_no_form_taken(
    stack: Stack, api: httpx.Client, run: str, hook: str
) -> None:
    before = known(api, run)
    with client(stack) as nobody:
        pages = {
            name: nobody.get(nowhere(name.removeprefix("GET ")))
            for name in _PAGES
            if name.startswith("GET ")
        }
        forms = send_every_form(nobody, run, hook, {"csrf": "0" * 64})
    for name, answer in pages.items():
        assert answer.status_code == 303, name
        assert answer.headers["Location"].startswith("/console/login"), name
    assert {answer.status_code for answer in forms.values()} == {401}
    assert known(api, run) == before


@pytest.mark.parametrize("role", list(Role))
def test_page_or_form_is_refused_exactly_where_its_rule_leaves_the_role_out(
    stack: Stack, role: Role
) -> None:
    answered = {}
    with client(stack, role) as http:
        csrf = {"csrf": form_token(http)}
        # Signing out comes last: there is no session afterwards.
        for name in sorted(_PAGES, key=lambda name: name.endswith("/logout")):
            method, path = name.split(" ")
            form = csrf if method == "POST" else None
            answered[name] = http.request(method, nowhere(path), data=form).status_code
    refused = {name for name, status in answered.items() if status in {401, 403}}
    assert refused == {name for name, rule in _PAGES.items() if role not in rule.roles}, answered


def test_form_with_the_token_of_another_session_changes_nothing(
    stack: Stack, operator: httpx.Client, api: httpx.Client, run: str
) -> None:
    with client(stack, "operator") as other:
        token = form_token(other)
    answer = operator.post(f"/console/runs/{run}/terminate", data={"csrf": token})

    assert answer.status_code == 403
    assert api.get(f"/status/{run}").json()["state"] == "PENDING"


@_OF_ANOTHER_SITE
def test_form_of_another_site_changes_nothing_even_with_the_right_token(
    admin: httpx.Client, api: httpx.Client, run: str, hook: str, header: dict[str, str]
) -> None:
    before = known(api, run)
    data = {"csrf": form_token(admin)}
    for path, answer in send_every_form(admin, run, hook, data, header).items():
        assert answer.status_code == 403, path
        assert "sent by a page of another site" in answer.text, path

    assert known(api, run) == before
    assert admin.get("/console/runs").status_code == 200, "the session has ended"


@_OF_ANOTHER_SITE
def test_page_of_another_site_signs_nobody_in(stack: Stack, header: dict[str, str]) -> None:
    with client(stack) as http:
        data = {"token": stack.token("viewer")}
        answer = http.post("/console/login", data=data, headers=header)
    assert answer.status_code == 403
    assert "sent by a page of another site" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_nobody_decides_an_order_of_their_own(
    stack: Stack, api: httpx.Client, admin: httpx.Client
) -> None:
    order = runs.start(api, "request_escalation", ORDER)
    path = f"/console/runs/{order}/decide"
    csrf = {"csrf": form_token(admin)}
    for verdict in ("approve", "reject"):
        answer = admin.post(path, data={**csrf, "verdict": verdict})
        assert answer.status_code == 403
        assert "admin requested this order" in answer.text
    assert api.get(f"/runs/{order}/events").json()["events"] == []

    with client(stack, "approver") as approver:
        form = {"csrf": form_token(approver), "verdict": "approve"}
        assert approver.post(path, data=form).status_code == 303
    assert runs.wait_for_end(api, order)["output"]["by"] == "approver"


@pytest.mark.parametrize("role", ["viewer", "approver"])
def test_role_that_may_not_is_refused_although_it_made_up_the_form(
    stack: Stack, api: httpx.Client, run: str, role: str
) -> None:
    with client(stack, role) as http:
        data = {"csrf": form_token(http)}
        answers = [
            http.post(f"/console/runs/{run}/terminate", data=data),
            http.post("/console/start/task_chain", data={**data, "input": "1"}),
        ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert api.get(f"/status/{run}").json()["state"] == "PENDING"


def test_what_is_done_by_a_page_is_in_the_audit_log_once(
    operator: httpx.Client, api: httpx.Client, run: str
) -> None:
    data = {"csrf": form_token(operator)}
    answer = operator.post(f"/console/runs/{run}/terminate", data=data)
    entries = [
        entry
        for entry in api.get("/audit").json()["entries"]
        if (entry["target"], entry["action"]) == (run, "run.terminate")
    ]

    assert answer.status_code == 303
    assert [(entry["subject"], entry["status"]) for entry in entries] == [("operator", 202)]


def test_form_that_is_sent_twice_starts_one_run(operator: httpx.Client) -> None:
    data = {"csrf": form_token(operator), "key": "a1" * 16, "input": "1"}
    answers = [operator.post("/console/start/task_chain", data=data) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]


def test_an_action_that_the_state_forbids_is_refused_on_the_runs_page(
    operator: httpx.Client, api: httpx.Client
) -> None:
    ended = runs.start(api, "task_chain", 1)
    runs.wait_for_end(api, ended)
    answer = operator.post(f"/console/runs/{ended}/terminate", data={"csrf": form_token(operator)})

    assert answer.status_code == 409
    assert "The run has finished" in answer.text


def test_address_signs_in_once(stack: Stack) -> None:
    with client(stack) as http:
        url = address(stack, "viewer")
        assert http.head(url).status_code == 200
        assert http.get(url).status_code == 200
        assert http.get("/console/runs").status_code == 200
        http.cookies.clear()
        assert http.get(url).status_code == 403
        assert http.get("/console/runs").status_code == 303


def test_code_is_given_to_bearers_of_a_token_only(stack: Stack, operator: httpx.Client) -> None:
    answer = operator.post("/console/code", data={"csrf": form_token(operator)})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["", "wrong", "x" * 9000, "<b>\x7f</b>"])
def test_wrong_token_signs_nobody_in(stack: Stack, token: str) -> None:
    with client(stack) as http:
        answer = http.post("/console/login", data={"token": token})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert token not in answer.text or not token


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "%00", "é".encode().hex()])
def test_made_up_session_is_none(stack: Stack, cookie: str) -> None:
    headers = {"Cookie": f"holdfast_console={cookie}"}
    answer = httpx.get(f"{stack.api_url}/console/runs", headers=headers, trust_env=False)

    assert answer.status_code == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/console/\\evil.example", "/runs"]
)
def test_signing_in_leads_to_pages_of_the_console_only(stack: Stack, target: str) -> None:
    with client(stack) as http:
        answer = http.post("/console/login", data={"token": stack.token("viewer"), "next": target})
    assert answer.status_code == 200
    assert "evil" not in answer.text
    assert 'content="0; url=/console/runs"' in answer.text


def test_session_cookie_is_for_this_site_alone_and_no_script_reads_it(stack: Stack) -> None:
    with client(stack) as http:
        data = {"token": stack.token("viewer")}
        cookie = http.post("/console/login", data=data).headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/console" in cookie
        assert "Secure" not in cookie
        # Plain http from elsewhere: the browser would not keep a secure cookie.
        headers = {"Host": "holdfast.example"}
        assert http.post("/console/login", data=data, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/console/login",
        "/console/runs",
        "/console/start",
        "/console/bulk",
        "/console/webhooks",
        "/console/runs/nowhere",
        "/console/start/x",
    ],
)
def test_every_page_has_the_strict_policy(operator: httpx.Client, path: str) -> None:
    headers = operator.get(path).headers

    assert (
        "default-src 'none'; script-src 'self'; style-src 'self'"
        in headers["Content-Security-Policy"]
    )
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/runs?state=WRONG", 400),
        ("/console/runs?age=99y", 400),
        ("/console/runs?cursor=%00%ff", 400),
        ("/console/runs?cursor=abc", 400),
        (f"/console/runs?q={'x' * 65}", 400),
        ("/console/runs?q=%00&workflow=%00", 400),
        ("/console/runs/nowhere", 404),
        ("/console/runs/a%3Cb%3E", 404),
        ("/console/runs/nowhere/confirm/terminate", 404),
        ("/console/start/nothing", 404),
    ],
)
def test_bad_addresses_are_refused_as_pages(operator: httpx.Client, path: str, status: int) -> None:
    answer = operator.get(path)

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Traceback" not in answer.text


def test_bad_forms_are_refused_as_pages(operator: httpx.Client, run: str) -> None:
    csrf = {"csrf": form_token(operator)}
    deep = "[" * 5000 + "]" * 5000
    answers = {
        "not JSON": operator.post("/console/start/task_chain", data={**csrf, "input": "{"}),
        "too deep": operator.post("/console/start/task_chain", data={**csrf, "input": deep}),
        "NUL": operator.post("/console/start/book_trip", data={**csrf, "input": '"\\u0000"'}),
        "no input": operator.post("/console/start/task_chain", data=csrf),
        "long reason": operator.post(
            f"/console/runs/{run}/suspend", data={**csrf, "reason": "x" * 501}
        ),
        "no verdict": operator.post(f"/console/runs/{run}/decide", data=csrf),
    }
    refused = {name: answer.status_code for name, answer in answers.items()}

    assert refused == dict.fromkeys(answers, 422) | {"no verdict": 403}
    huge = operator.post("/console/start/task_chain", data={**csrf, "input": "1" * 4_000_000})
    assert huge.status_code == 413


def test_first_page_of_ten_thousand_runs_comes_in_a_tenth_of_a_second(
    operator: httpx.Client, db: Engine
) -> None:
    with db.begin() as connection:
        for table, columns, values in (
            (
                "requests",
                "payload_hash, input, dispatched_at",
                "'x', '1'::json, now()",
            ),
            (
                "runs",
                "state, updated_at, started_at, finished_at",
                "'COMPLETED', now(), now(), now()",
            ),
        ):
            connection.execute(
                text(
                    f"INSERT INTO status.{table} (instance_id, workflow, accepted_at, {columns})"  # noqa: S608
                    f" SELECT 'many-' || n, 'task_chain', now() - n * interval '1 minute', {values}"
                    f" FROM generate_series(1, {_RUNS}) AS n"
                )
            )
    took = []
    for _ in range(20):
        begun = time.perf_counter()
        answer = operator.get("/console/runs")
        took.append(time.perf_counter() - begun)
        assert answer.text.count('id="run-') == 50
    print(f"first page of {_RUNS} runs: median {statistics.median(took) * 1000:.0f} ms")  # noqa: T201

    assert statistics.median(took) < _FIRST_PAGE_SECONDS, sorted(took)
