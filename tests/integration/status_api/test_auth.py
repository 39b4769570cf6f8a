"""Every auth rule from the wrong side, on a real process with a real database."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError

from holdfast_local import files, tokens
from holdfast_servicekit.sidecar import NO_TLS
from holdfast_status_api.auth.callers import Role
from holdfast_status_api.auth.permissions import RULES
from tests.integration.status_api.asking import problem, scheduled
from tests.integration.status_api.service import Service, running_service
from tests.support.examples import APPROVAL, ORDER, TRIP
from tests.support.http_server import Answer, Site, running_site
from tests.support.issuer import AUDIENCE, TestIssuer
from tests.support.postgres import Database
from tests.support.runs import start

API_RULES = {
    name: rule for name, rule in RULES.items() if not rule.public and "/console" not in name
}
#: Paths that nobody can tell apart without a token: there, not there, badly asked for.
UNSEEN = ["/nowhere", "/status/never-seen", "/runs/x/events", "/runs?cursor=%00", "/audit?limit=x"]


@pytest.fixture(scope="module")
def waiting_run(service: Service) -> str:
    with service.client() as api:
        return start(api, "request_escalation", ORDER)


def ask(api: httpx.Client, name: str, run: str, headers: dict[str, str] | None = None) -> Any:
    """Use the route; with a body that no route takes, so that nothing comes of it."""
    method, path = name.split(" ")
    path = re.sub("{run}", run, path)
    path = re.sub("{[^}]*}", "never-seen", path)
    return api.request(method, path, headers=headers, content=None if method == "GET" else b"\0")


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", sorted(API_RULES))
def test_a_role_may_do_what_the_table_says_and_nothing_else(
    service: Service, name: str, role: Role
) -> None:
    with service.client(role) as api:
        answer = ask(api, name, "never-seen")
    rule = API_RULES[name]
    if role in rule.roles:
        assert answer.status_code not in {401, 403}, answer.text
        return
    body = problem(answer, 403)
    assert set(body["roles_needed"]) == rule.roles
    assert role in body["detail"]
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", sorted(API_RULES))
def test_without_a_token_no_route_tells_anything(
    service: Service, waiting_run: str, name: str
) -> None:
    with httpx.Client(base_url=service.url, trust_env=False, verify=NO_TLS) as nobody:
        answers = [
            ask(nobody, name, "never-seen"),
            ask(nobody, name, waiting_run),
            *(nobody.get(path) for path in UNSEEN),
        ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {'Bearer realm="holdfast"'}
    assert not any("etag" in answer.headers for answer in answers)


def test_a_role_that_is_refused_does_not_learn_what_exists(
    service: Service, waiting_run: str
) -> None:
    with service.client("viewer") as api:
        path = "/runs/{}/events/human_approval"
        answers = [api.post(path.format(run), json=APPROVAL) for run in (waiting_run, "never-seen")]
    assert {answer.status_code for answer in answers} == {403}
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize(
    "path", ["/healthz", "/metrics", "/openapi.json", "/docs", "/docs/start.js"]
)
def test_what_is_public_needs_no_token(service: Service, path: str) -> None:
    assert httpx.get(f"{service.url}{path}", trust_env=False, verify=NO_TLS).status_code == 200
    assert (
        httpx.get(f"{service.url}/readyz", trust_env=False, verify=NO_TLS).status_code == 503
    )  # no sidecar


def test_who_calls_is_told(service: Service) -> None:
    for role in Role:
        with service.client(role) as api:
            answer = api.get("/whoami")
        assert answer.json() == {"subject": role, "role": role, "roles": [role]}
        assert answer.headers["Cache-Control"] == "no-store"


def test_a_token_counts_in_the_header_and_nowhere_else(service: Service) -> None:
    token = service.tokens["admin"]
    for options in (
        {"params": {"access_token": token}},
        {"params": {"token": token}},
        {"headers": {"X-Api-Key": token}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
        {"headers": {"Authorization": token}},
        {"headers": {"Authorization": f"Basic {token}"}},
        {"headers": {"Cookie": f"token={token}; Authorization=Bearer {token}"}},
    ):
        answer = httpx.get(f"{service.url}/whoami", trust_env=False, **options, verify=NO_TLS)  # type: ignore[arg-type]
        assert answer.status_code == 401
        assert token not in answer.text


def test_two_authorization_headers_are_none(service: Service) -> None:
    admin, viewer = service.tokens["admin"], service.tokens["viewer"]
    for pair in ((admin, viewer), (viewer, admin), (admin, admin), (admin, "garbage")):
        connection = HTTPConnection("127.0.0.1", service.port, timeout=10)
        connection.putrequest("GET", "/whoami")
        for token in pair:
            connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 400
        assert 'error="invalid_request"' in str(answer.getheader("WWW-Authenticate"))
        connection.close()


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization : Bearer TOKEN",
        b"Authorization: Bearer TOKEN\r\n\tcontinued",
        b"Authorization: Bearer \0TOKEN",
        b"Authorization: Bearer TOKEN\0",
        b"Authorization: Bearer TOKEN\rX-Evil: 1",
        b"Authorization\0: Bearer TOKEN",
        b"HTTP_AUTHORIZATION: Bearer TOKEN",
        b"X: 1\nAuthorization_: Bearer TOKEN",
    ],
)
def test_a_header_that_is_none_lets_nobody_in(service: Service, line: bytes) -> None:
    raw = line.replace(b"TOKEN", service.tokens["admin"].encode())
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(b"GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + raw)
        connection.sendall(b"\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ")[1][:1] == b"4", answer
    assert service.tokens["admin"].encode() not in answer


@pytest.mark.parametrize(
    "path",
    [
        "/workflows/x%0d%0aX-Evil:%201",
        "/status/x%0d%0aX-Evil:%201",
        "/runs/x%0d%0aX-Evil:%201/events/y%0d%0aX-Evil:%201",
        "/workflows/task_chain?instance_id=x%0d%0aX-Evil:%201",
    ],
)
def test_what_callers_write_makes_no_header(lone_api: httpx.Client, path: str) -> None:
    for answer in (lone_api.get(path), lone_api.post(path, json=1)):
        assert 400 <= answer.status_code < 500
        assert "X-Evil" not in answer.headers


def test_the_path_cannot_be_dressed_up_to_pass_another_rule(
    service: Service, waiting_run: str
) -> None:
    with service.client("operator") as api:
        for event in ("human_approval", "human%5Fapproval", "%68uman_approval"):
            problem(api.post(f"/runs/{waiting_run}/events/{event}", json=APPROVAL), 403)
        for event in (
            "Human_Approval",
            "human_approval%20",
            "human_approval%00",
            "./human_approval",
        ):
            answer = api.post(f"/runs/{waiting_run}/events/{event}", json=APPROVAL)
            assert answer.status_code in {403, 404}
        for override in ("X-HTTP-Method-Override", "X-Method-Override"):
            problem(api.get("/audit", headers={override: "OPTIONS"}), 403)
        assert api.get(f"/runs/{waiting_run}/events").json()["events"] == []


# Approvals


def test_who_approved_is_whoever_the_token_belongs_to(lone_api: httpx.Client, rows: Engine) -> None:
    run = start(lone_api, "request_escalation", ORDER)
    claimed: tuple[dict[str, Any], ...] = ({}, {"by": "ceo"}, {"by": ""}, {"by": {"x": "y" * 500}})
    for extra in claimed:
        answer = lone_api.post(
            f"/runs/{run}/events/human_approval", json={"approved": True, **extra}
        )
        assert answer.status_code == 202, answer.text
    query = text("SELECT data->>'by' FROM status.events WHERE instance_id = :run")
    with rows.connect() as connection:
        assert connection.scalars(query, {"run": run}).all() == ["approver"] * len(claimed)


@pytest.mark.parametrize("approved", [True, False])
def test_nobody_decides_an_order_of_their_own(service: Service, *, approved: bool) -> None:
    with service.client("admin") as admin, service.client("approver") as approver:
        run = start(admin, "request_escalation", ORDER)
        decision = {"approved": approved, "by": "approver"}
        path = f"/runs/{run}/events/human_approval"
        body = problem(admin.post(path, json=decision), 403)
        assert "admin requested this order" in body["detail"]
        assert admin.get(f"/runs/{run}/events").json()["events"] == []
        assert approver.post(path, json=decision).status_code == 202


def test_who_requested_an_order_stays_who_sent_it_first(service: Service, rows: Engine) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    with service.client("admin") as admin, service.client("operator") as operator:
        run = admin.post("/workflows/request_escalation", json=ORDER, headers=key).json()
        again = operator.post("/workflows/request_escalation", json=ORDER, headers=key)
        assert again.json()["instance_id"] == run["instance_id"]
        path = f"/runs/{run['instance_id']}/events/human_approval"
        problem(admin.post(path, json=APPROVAL), 403)
    query = text("SELECT requested_by FROM status.requests WHERE instance_id = :run")
    with rows.connect() as connection:
        assert connection.scalar(query, {"run": run["instance_id"]}) == "admin"


def test_nobody_decides_a_rerun_of_an_order_of_their_own(service: Service, rows: Engine) -> None:
    with (
        service.client("admin") as admin,
        service.client("operator") as operator,
        service.client("approver") as approver,
    ):
        first = scheduled(admin, "request_escalation", ORDER)
        assert admin.post(f"/runs/{first}/terminate").status_code == 202
        second = operator.post(f"/runs/{first}/rerun").json()["instance_id"]
        # No engine is there to end it.
        with rows.begin() as connection:
            connection.execute(
                text(
                    "UPDATE status.runs SET state = 'COMPLETED', finished_at = now()"
                    " WHERE instance_id = :run"
                ),
                {"run": second},
            )
        assert admin.delete(f"/runs/{first}").status_code == 204
        third = operator.post(f"/runs/{second}/rerun").json()["instance_id"]
        path = f"/runs/{third}/events/human_approval"
        body = problem(admin.post(path, json=APPROVAL), 403)
        assert "admin requested an order that this one repeats" in body["detail"]
        assert admin.get(f"/runs/{third}/events").json()["events"] == []
        assert approver.post(path, json=APPROVAL).status_code == 202


# Audit


def audited(rows: Engine, target: str) -> list[tuple[str, str, str, int, str]]:
    query = text(
        "SELECT subject, role, action, status, address FROM status.audit"
        " WHERE target = :target ORDER BY seq"
    )
    with rows.connect() as connection:
        return [tuple(row) for row in connection.execute(query, {"target": target})]


def test_every_change_and_every_refused_one_is_in_the_log_once(
    service: Service, rows: Engine
) -> None:
    near = "127.0.0.1"
    run = f"audited-{uuid.uuid4().hex}"
    start = f"/workflows/request_escalation?instance_id={run}"
    with service.client("operator") as operator, service.client("approver") as approver:
        assert operator.post(start, json=ORDER).status_code == 202
        problem(operator.post(f"/runs/{run}/events/human_approval", json=APPROVAL), 403)
        problem(approver.post(f"/runs/{run}/events/human_approval", json={}), 422)
        path = f"/runs/{run}/events/human_approval"
        assert approver.post(path, json=APPROVAL).status_code == 202
        operator.get(f"/status/{run}")
    assert audited(rows, run) == [("operator", "operator", "run.start", 202, near)]
    assert audited(rows, f"{run}/human_approval") == [
        ("operator", "operator", "order.decide", 403, near),
        ("approver", "approver", "order.decide", 422, near),
        ("approver", "approver", "order.decide", 202, near),
    ]


def test_a_repeated_request_is_in_the_log_each_time(service: Service, rows: Engine) -> None:
    batch = f"audited-{uuid.uuid4().hex}"
    with service.client("operator") as api:
        codes = [
            api.post(
                "/batches",
                params={"batch_id": batch},
                content=b"origin,destination\nJFK,LHR\n",
                headers={"Content-Type": "text/csv"},
            ).status_code
            for _ in range(2)
        ]
    assert codes == [201, 409]
    assert [entry[3] for entry in audited(rows, batch)] == [201]
    assert 409 in [entry[3] for entry in audited(rows, "")]


def test_what_is_done_to_many_runs_is_in_the_log_for_each(service: Service, rows: Engine) -> None:
    prefix = f"many-{uuid.uuid4().hex[:8]}"
    with service.client("operator") as api:
        for number in range(3):
            query = {"instance_id": f"{prefix}-{number}"}
            assert api.post("/workflows/book_trip", params=query, json=TRIP).status_code == 202
        rehearsal = api.post("/bulk/suspend", params={"q": prefix}, json={}).json()
        assert rehearsal["count"] == 3
        token = {"token": rehearsal["token"]}
        problem(api.post("/bulk/purge", params={"q": prefix}, json=token), 403)
        assert api.post("/bulk/suspend", params={"q": prefix}, json=token).status_code == 202
    for number in range(3):
        (entry,) = audited(rows, f"suspend/{prefix}-{number}")
        assert entry[:4] == ("operator", "operator", "bulk", 202)


def test_a_rerun_of_many_is_in_the_log_for_each_once_and_with_its_reason(
    service: Service, rows: Engine
) -> None:
    prefix = f"again-{uuid.uuid4().hex[:8]}"
    query = {"q": prefix}
    with service.client("operator") as api, service.client("viewer") as viewer:
        for number in range(2):
            run = scheduled(api, "book_trip", TRIP, instance_id=f"{prefix}-{number}")
            assert api.post(f"/runs/{run}/cancel").status_code == 202
        problem(viewer.post("/bulk/rerun", params=query, json={}), 403)
        token = api.post("/bulk/rerun", params=query, json={}).json()["token"]
        body = {"token": token, "reason": "the hotel was closed"}
        problem(viewer.post("/bulk/rerun", params=query, json=body), 403)
        for _ in range(2):
            assert api.post("/bulk/rerun", params=query, json=body).status_code == 202
    for number in range(2):
        (entry,) = audited(rows, f"rerun/{prefix}-{number}")
        assert entry[:4] == ("operator", "operator", "bulk", 202)
    reasons = text("SELECT reason FROM status.audit WHERE starts_with(target, :target)")
    with rows.connect() as connection:
        found = connection.scalars(reasons, {"target": f"rerun/{prefix}"}).all()
    assert found == ["the hotel was closed"] * 2


def test_a_change_whose_entry_cannot_be_written_is_not_made(
    service: Service, rows: Engine, lone_api: httpx.Client
) -> None:
    run = f"unaudited-{uuid.uuid4().hex}"
    with rows.begin() as connection:
        connection.execute(text("REVOKE INSERT ON status.audit FROM holdfast_status"))
    try:
        answer = lone_api.post("/workflows/task_chain", params={"instance_id": run}, json=1)
    finally:
        with rows.begin() as connection:
            connection.execute(text("GRANT INSERT ON status.audit TO holdfast_status"))
    assert answer.status_code == 500
    problem(lone_api.get(f"/status/{run}"), 404)


def test_a_start_that_made_no_run_is_in_the_log_by_what_was_asked_for(
    service: Service, lone_api: httpx.Client
) -> None:
    key, run = {"Idempotency-Key": uuid.uuid4().hex}, f"taken-{uuid.uuid4().hex}"
    asked: dict[str, Any] = {
        "url": "/workflows/book_trip",
        "params": {"instance_id": run},
        "json": TRIP,
    }
    statuses = [lone_api.post(headers=headers, **asked).status_code for headers in (key, key, {})]
    assert statuses == [202, 202, 409]
    with service.client("admin") as api:
        entries = api.get("/audit", params={"limit": 3}).json()["entries"]
    assert [entry["target"] for entry in entries] == ["book_trip", "book_trip", run]


def test_what_cannot_be_stored_in_the_log_is_bounded_and_not_an_error(
    lone_api: httpx.Client, rows: Engine
) -> None:
    problem(lone_api.post("/workflows/%00%0a%1b[31m" + "x" * 2000, json=1), 404)
    with rows.connect() as connection:
        target = connection.scalar(
            text("SELECT target FROM status.audit WHERE target LIKE '%[31mx%' ORDER BY seq DESC")
        )
    assert target is not None
    assert len(target) == 500
    assert not re.search(r"[\x00-\x1f]", target)


def test_the_log_pages_newest_first_and_new_entries_do_not_shift_it(
    service: Service, lone_api: httpx.Client
) -> None:
    runs = [start(lone_api, "book_trip", TRIP) for _ in range(5)]
    with service.client("admin") as api:
        first = api.get("/audit", params={"limit": 2}).json()
        start(lone_api, "book_trip", TRIP)
        second = api.get("/audit", params={"limit": 2, "cursor": first["next"]}).json()
    seen = [entry["target"] for entry in (*first["entries"], *second["entries"])]
    assert seen == list(reversed(runs))[:4]
    assert set(first["entries"][0]) == {
        "at", "subject", "role", "action", "target", "status", "address", "reason",
    }  # fmt: skip


@pytest.mark.parametrize("cursor", ["x", "YXVkaXQ6", "YXVkaXQ6LTE", "' OR 1=1 --", "%00", "ä", ""])
def test_a_bad_cursor_of_the_log_is_a_400(lone_api: httpx.Client, cursor: str) -> None:
    problem(lone_api.get("/audit", params={"cursor": cursor}), 400)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1e9"])
def test_a_bad_limit_of_the_log_is_a_422(lone_api: httpx.Client, limit: str) -> None:
    problem(lone_api.get("/audit", params={"limit": limit}), 422)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM status.audit", "UPDATE status.audit SET subject = 'x'", "TRUNCATE status.audit"],
)
def test_the_service_cannot_take_back_what_is_in_the_log(
    database: Database, statement: str
) -> None:
    engine = create_engine(database.url("status"))
    with engine.begin() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(statement))
    engine.dispose()


# Starting, tokens that change, rates, and an issuer


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({}, "HOLDFAST_TOKENS_FILE"),
        ({"HOLDFAST_TOKENS_FILE": ""}, "HOLDFAST_TOKENS_FILE"),
        ({"HOLDFAST_TOKENS_FILE": "/nowhere/tokens.json"}, "cannot be read"),
        ({"HOLDFAST_TOKENS_FILE": "/dev/null"}, "not right"),
        ({"HOLDFAST_OIDC_ISSUER": "https://issuer.example"}, "HOLDFAST_OIDC_AUDIENCE"),
    ],
)
def test_a_service_that_could_know_nobody_does_not_start(
    environment: dict[str, str], word: str
) -> None:
    clean = {name: value for name, value in os.environ.items() if "HOLDFAST" not in name}
    url = {"HOLDFAST_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing"}
    result = subprocess.run(
        [sys.executable, "-m", "holdfast_status_api", "serve"],
        env=clean | url | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("holdfast_status_api: ")
    assert word in line


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture(scope="module")
def issuer(site: Site) -> TestIssuer:
    site.answers[:] = [Answer(body=(made := TestIssuer(site.url)).jwks())]
    return made


@pytest.fixture(scope="module")
def guarded(
    database: Database, tmp_path_factory: pytest.TempPathFactory, issuer: TestIssuer
) -> Iterator[Service]:
    """A service with an issuer beside its file, and little patience."""
    environment = {
        "HOLDFAST_OIDC_ISSUER": issuer.name,
        "HOLDFAST_OIDC_AUDIENCE": AUDIENCE,
        "HOLDFAST_OIDC_JWKS_URL": f"{issuer.name}/keys",
        "HOLDFAST_WORKERS": "1",
        "HOLDFAST_READ_RATE": "200/minute",
        "HOLDFAST_WRITE_RATE": "10/minute",
        "HOLDFAST_TRUSTED_PROXIES": "1",
    }
    with running_service(database, tmp_path_factory.mktemp("guarded"), environment) as service:
        yield service


def whoami(service: Service, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{service.url}/whoami", headers=headers, trust_env=False, verify=NO_TLS)


def test_a_token_of_the_issuer_is_taken(guarded: Service, issuer: TestIssuer) -> None:
    answer = whoami(guarded, issuer.token(role=["operator", "approver"]))
    assert answer.json() == {
        "subject": "ada",
        "role": "approver,operator",
        "roles": ["approver", "operator"],
    }
    assert whoami(guarded, guarded.tokens["viewer"]).json()["subject"] == "viewer"


@pytest.mark.parametrize("fault", sorted({*TestIssuer().wrong_tokens()} - {"too long"}))
def test_a_wrong_token_is_a_401_that_repeats_nothing_of_it(
    guarded: Service, issuer: TestIssuer, fault: str
) -> None:
    token = issuer.wrong_tokens()[fault]
    answer = whoami(guarded, token)
    problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert "X-Evil" not in answer.headers
    assert token[:20] not in answer.text or token == "garbage"


def test_a_token_that_is_too_long_is_not_even_read(guarded: Service, issuer: TestIssuer) -> None:
    assert whoami(guarded, issuer.wrong_tokens()["too long"]).status_code == 431


def test_the_issuer_is_asked_for_its_keys_once_or_twice(
    guarded: Service, issuer: TestIssuer, site: Site
) -> None:
    for key_id in ("rsa", "unknown", "rsa", "unknown-2"):
        whoami(guarded, issuer.token(key_id=key_id))
    assert {request.path for request in site.requests} == {"/keys"}
    assert 1 <= len(site.requests) <= 2


def test_a_token_without_a_role_may_do_nothing(guarded: Service, issuer: TestIssuer) -> None:
    for role in (None, "root", "", ["Admin"]):
        answer = whoami(guarded, issuer.token(sub="nobody", role=role))
        assert "has none" in problem(answer, 403)["detail"]


def test_who_may_request_and_approve_may_not_do_both_for_one_order(
    guarded: Service, issuer: TestIssuer
) -> None:
    def caller(subject: str) -> httpx.Client:
        token = issuer.token(sub=subject, role=["operator", "approver"])
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=guarded.url, headers=headers, trust_env=False, verify=NO_TLS)

    with caller("ann") as ann, caller("ben") as ben:
        run = start(ann, "request_escalation", ORDER)
        path = f"/runs/{run}/events/human_approval"
        problem(ann.post(path, json=APPROVAL), 403)
        assert ben.post(path, json=APPROVAL).status_code == 202


def test_too_many_requests_of_one_subject_are_a_429_and_others_go_on(guarded: Service) -> None:
    with guarded.client("operator") as operator, guarded.client("admin") as admin:
        codes = [operator.post("/workflows/nowhere", json=1).status_code for _ in range(12)]
        assert codes == [404] * 10 + [429] * 2
        refused = operator.post("/workflows/task_chain", json=1)
        problem(refused, 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert refused.headers["RateLimit-Policy"] == '"writes";q=10;w=60'
        assert operator.get("/workflows").status_code == 200
        assert admin.post("/workflows/nowhere", json=1).status_code == 404


def test_from_where_is_what_the_trusted_proxy_says_and_nothing_more(
    guarded: Service, service: Service, rows: Engine
) -> None:
    far = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    for one, address in ((guarded, "203.0.113.9"), (service, "127.0.0.1")):
        name = f"nowhere-{uuid.uuid4().hex}"
        with one.client("admin") as api:
            problem(api.post(f"/workflows/{name}", json=1, headers=far), 404)
        assert [entry[4] for entry in audited(rows, name)] == [address]


def test_a_token_that_is_taken_out_of_the_file_is_refused_at_once(guarded: Service) -> None:
    old = guarded.tokens["viewer"]
    assert whoami(guarded, old).status_code == 200
    new = guarded.tokens | {"viewer": "new-token"}
    files.write_json(guarded.tokens_file, tokens.hashed(new))
    try:
        problem(whoami(guarded, old), 401)
        assert whoami(guarded, "new-token").json()["role"] == "viewer"
    finally:
        files.write_json(guarded.tokens_file, tokens.hashed(guarded.tokens))
