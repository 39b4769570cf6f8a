"""What needs no engine: starts that wait, ends of what never started, purges, many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text

from tests.integration.status_api.asking import hence, problem, put, scheduled
from tests.integration.status_api.service import Service, running_service
from tests.support.examples import TRIP
from tests.support.postgres import Database
from tests.support.runs import start
from tests.support.waiting import eventually


def test_a_run_that_is_to_start_tomorrow_waits_and_says_so(lone_api: httpx.Client) -> None:
    run = scheduled(lone_api, "task_chain", 1)
    status = lone_api.get(f"/status/{run}")
    assert status.json()["state"] == "PENDING"
    assert status.headers["Retry-After"] == "30"
    why = lone_api.get(f"/runs/{run}/why").json()
    assert why["waits_for"][0]["kind"] == "start"
    assert why["waits_for"][0]["until"] == status.json()["start_at"]


@pytest.mark.parametrize(("seconds", "advised"), [(86_400, {30}), (12, {10, 11, 12})])
def test_whoever_starts_a_run_for_later_is_told_to_look_when_it_starts(
    lone_api: httpx.Client, seconds: int, advised: set[int]
) -> None:
    later = {"start_at": hence(seconds=seconds)}
    answer = lone_api.post("/workflows/task_chain", params=later, json=1)
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) in advised


def test_a_start_that_is_due_and_finds_no_orchestrator_says_so(lone_api: httpx.Client) -> None:
    tried(lone_api, "task_chain", 1)


def tried(api: httpx.Client, workflow: str, document: object) -> str:
    """Return a run that may have begun: its start was tried, and nobody answered."""
    run = start(api, workflow, document)

    def said_so() -> bool:
        cause, *_ = api.get(f"/runs/{run}/why").json()["waits_for"]
        assert cause["kind"] == "start"
        return bool(cause["detail"])

    eventually("the start was tried", said_so)
    return run


@pytest.mark.parametrize(
    ("workflow", "document", "action", "state"),
    [
        ("book_trip", TRIP, "cancel", "CANCELLED"),
        ("book_trip", TRIP, "terminate", "TERMINATED"),
        ("task_chain", 1, "terminate", "TERMINATED"),
    ],
)
def test_a_run_that_has_not_started_ends_at_once_and_never_starts(
    lone_api: httpx.Client, rows: Engine, workflow: str, document: object, action: str, state: str
) -> None:
    run = scheduled(lone_api, workflow, document)
    assert lone_api.post(f"/runs/{run}/{action}").status_code == 202
    status = lone_api.get(f"/status/{run}").json()
    assert status["state"] == state
    assert status["finished_at"] is not None
    with rows.connect() as connection:
        query = "SELECT count(*) FROM work.closed_runs WHERE instance = :run"
        assert connection.scalar(text(query), {"run": run}) == 1
    problem(lone_api.post(f"/runs/{run}/{action}"), 409)
    problem(lone_api.post(f"/runs/{run}/suspend"), 409)


def said(api: httpx.Client, run: str) -> object:
    return api.get(f"/status/{run}").json()["reason"]


def audited(api: httpx.Client, run: str) -> list[tuple[str, str]]:
    """Return what was done to the run and why, in order, by the audit log."""
    entries = api.get("/audit", params={"limit": 200}).json()["entries"]
    mine = [entry for entry in entries if run in entry["target"]]
    return [(entry["action"], entry["reason"]) for entry in reversed(mine)]


def test_reasons_are_kept_with_the_run_and_in_the_audit_log(lone_api: httpx.Client) -> None:
    run = tried(lone_api, "task_chain", 1)
    for action, reason in (("suspend", "audit"), ("resume", ""), ("terminate", "storm\n<b>")):
        assert lone_api.post(f"/runs/{run}/{action}", json={"reason": reason}).status_code == 202
        assert said(lone_api, run) == (reason or None)
    events = lone_api.get(f"/runs/{run}/events").json()["events"]
    assert [event["reason"] for event in events] == ["audit", ""]
    # Asked again without a word: what was said stays.
    assert lone_api.post(f"/runs/{run}/terminate").status_code == 202
    assert said(lone_api, run) == "storm\n<b>"
    assert audited(lone_api, run) == [
        ("run.start", ""),
        ("run.suspend", "audit"),
        ("run.resume", ""),
        ("run.terminate", "storm <b>"),
        ("run.terminate", ""),
    ]


@pytest.mark.parametrize(
    ("action", "state"), [("cancel", "CANCELLED"), ("terminate", "TERMINATED")]
)
def test_reason_for_the_end_of_what_never_started_is_kept_until_it_is_purged(
    lone_api: httpx.Client, rows: Engine, action: str, state: str
) -> None:
    run = scheduled(lone_api, "book_trip", TRIP)
    assert lone_api.post(f"/runs/{run}/{action}", json={"reason": "rain"}).status_code == 202
    status = lone_api.get(f"/status/{run}").json()
    assert (status["state"], status["reason"]) == (state, "rain")
    assert lone_api.delete(f"/runs/{run}").status_code == 204
    with rows.connect() as connection:
        query = "SELECT reason FROM status.runs WHERE instance_id = :run"
        assert connection.scalar(text(query), {"run": run}) is None


def test_a_refused_action_leaves_the_reason_as_it_was(lone_api: httpx.Client) -> None:
    run = start(lone_api, "task_chain", 1)
    problem(lone_api.post(f"/runs/{run}/resume", json={"reason": "go"}), 409)
    problem(lone_api.post(f"/runs/{run}/suspend", json={"reason": "x" * 501}), 422)
    assert said(lone_api, run) is None
    assert audited(lone_api, run)[1:] == [("run.resume", "go"), ("run.suspend", "")]


def test_many_runs_get_the_reason_that_was_given_for_all(lone_api: httpx.Client) -> None:
    run = scheduled(lone_api, "task_chain", 1)
    token = lone_api.post("/bulk/terminate", params={"q": run}).json()["token"]
    body = {"token": token, "reason": "end of season"}
    assert lone_api.post("/bulk/terminate", params={"q": run}, json=body).json()["accepted"] == 1
    assert said(lone_api, run) == "end of season"
    assert ("bulk", "end of season") in audited(lone_api, run)


def test_a_deadline_ends_a_run_that_never_started(lone_api: httpx.Client) -> None:
    answer = lone_api.post("/workflows/task_chain", params={"deadline": hence(seconds=3)}, json=1)
    run = answer.json()["instance_id"]
    trip = lone_api.post(
        "/workflows/book_trip", params={"deadline": hence(seconds=3)}, json=TRIP
    ).json()["instance_id"]

    def ordered() -> bool:
        # The orchestrator is away for good: what is kept is that it will be told.
        events = [event["name"] for event in lone_api.get(f"/runs/{trip}/events").json()["events"]]
        return events == ["cancel"] and is_closed(lone_api, run)

    eventually("both were told to end", ordered)
    assert {said(lone_api, run), said(lone_api, trip)} == {"its deadline has passed"}


@pytest.fixture
def strict_service(quiet_database: Database, tmp_path: Path) -> Iterator[Service]:
    """Give an API that leaves a cancelled run a second to undo what it did."""
    grace = {"HOLDFAST_DEADLINE_GRACE_SECONDS": "1"}
    with running_service(quiet_database, tmp_path, grace) as service:
        yield service


def test_a_run_that_never_ends_its_cancellation_is_ended_when_its_grace_is_over(
    strict_service: Service, quiet_database: Database
) -> None:
    with strict_service.client() as api:
        late = {"deadline": hence(seconds=3)}
        run = api.post("/workflows/book_trip", params=late, json=TRIP).json()["instance_id"]
        trip = api.post("/workflows/book_trip", json=TRIP).json()["instance_id"]
        eventually("it is cancelled", lambda: said(api, run) == "its deadline has passed")
        eventually("it is ended", lambda: "was not undone" in str(said(api, run)))
        assert is_closed(api, run)
        assert not is_closed(api, trip)
    engine = create_engine(quiet_database.url("postgres"))
    with engine.connect() as connection:
        told = connection.execute(text("SELECT instance_id, action FROM status.commands")).all()
    engine.dispose()
    assert told == [(run, "terminate")]


def is_closed(api: httpx.Client, run: str) -> bool:
    return api.post(f"/runs/{run}/suspend").status_code == 409


@pytest.mark.parametrize(
    "query",
    [
        {"deadline": "2020-01-01T00:00:00Z"},
        {"deadline": "2031-01-01T00:00:00"},
        {"start_at": "2031-01-01T00:00:00Z", "deadline": "2030-12-31T00:00:00Z"},
        {"start_at": "tomorrow"},
        {"start_at": "4102444800"},
        {"deadline": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_time_that_no_run_could_keep_is_a_422(
    lone_api: httpx.Client, query: dict[str, str]
) -> None:
    answer = lone_api.post("/workflows/task_chain", params=query, json=1)
    assert problem(answer, 422)["errors"][0]["parameter"] in query


def test_one_key_with_another_start_is_another_request(lone_api: httpx.Client) -> None:
    headers = {"Idempotency-Key": hence()}
    start_at = hence(days=1)
    first = lone_api.post("/workflows/task_chain", json=1, headers=headers)
    assert first.status_code == 202
    problem(
        lone_api.post(
            "/workflows/task_chain", params={"start_at": start_at}, json=1, headers=headers
        ),
        422,
    )


def test_a_purged_run_is_a_410_everywhere_and_its_data_are_gone(
    lone_api: httpx.Client, rows: Engine
) -> None:
    run = scheduled(lone_api, "book_trip", TRIP)
    problem(lone_api.delete(f"/runs/{run}"), 409)
    assert lone_api.post(f"/runs/{run}/cancel").status_code == 202
    assert lone_api.delete(f"/runs/{run}").status_code == 204
    for path in (f"/status/{run}", *(f"/runs/{run}/{part}" for part in PARTS)):
        problem(lone_api.get(path), 410)
    problem(lone_api.delete(f"/runs/{run}"), 410)
    problem(lone_api.post(f"/runs/{run}/rerun"), 410)
    assert lone_api.get("/runs", params={"q": run}).json()["runs"] == []
    problem(lone_api.post("/workflows/book_trip", params={"instance_id": run}, json=TRIP), 409)
    with rows.connect() as connection:
        query = "SELECT input::text FROM status.requests WHERE instance_id = :run"
        assert connection.scalar(text(query), {"run": run}) == "null"


PARTS = ("history", "timeline", "why", "stream", "events")


@pytest.fixture
def tidy_service(quiet_database: Database, tmp_path: Path) -> Iterator[Service]:
    """Give an API that purges what ended more than a day ago."""
    a_day = {"HOLDFAST_RETENTION_DAYS": "1"}
    with running_service(quiet_database, tmp_path, a_day) as service:
        yield service


def test_runs_that_ended_long_ago_are_purged_and_younger_ones_stay(
    tidy_service: Service, quiet_database: Database
) -> None:
    engine = create_engine(quiet_database.url("postgres"))
    now = datetime.now(UTC)
    put(engine, [("ended-long-ago", now - timedelta(days=2))])
    put(engine, [("ended-now", now - timedelta(hours=1))])
    put(engine, [("runs-for-long", now - timedelta(days=2))], state="RUNNING")
    engine.dispose()
    with tidy_service.client() as api:
        eventually(
            "the old run is gone",
            lambda: api.get("/status/ended-long-ago").status_code == 410,
            seconds=30,
        )
        assert api.get("/status/ended-now").status_code == 200
        assert api.get("/status/runs-for-long").status_code == 200


def test_many_runs_end_by_one_request_after_a_dry_run(lone_api: httpx.Client) -> None:
    mark = f"bulk{datetime.now(UTC).timestamp():.0f}"
    runs = [
        scheduled(lone_api, "task_chain", 1, instance_id=f"{mark}-{number}") for number in range(5)
    ]
    dry = lone_api.post("/bulk/terminate", params={"q": mark})
    assert (dry.status_code, dry.json()["count"]) == (200, 5)
    late = scheduled(lone_api, "task_chain", 1, instance_id=f"{mark}-late")
    token = {"token": dry.json()["token"]}

    problem(lone_api.post("/bulk/terminate", params={"q": f"{mark}-1"}, json=token), 422)
    problem(lone_api.post("/bulk/suspend", params={"q": mark}, json=token), 422)
    assert lone_api.get(f"/status/{runs[0]}").json()["state"] == "PENDING"

    done = lone_api.post("/bulk/terminate", params={"q": mark}, json=token)
    assert (done.status_code, done.json()["accepted"]) == (202, 5)
    assert {lone_api.get(f"/status/{run}").json()["state"] for run in runs} == {"TERMINATED"}
    assert lone_api.get(f"/status/{late}").json()["state"] == "PENDING"
    problem(lone_api.post("/bulk/terminate", params={"q": mark}, json=token), 422)


@pytest.fixture
def ended(lone_api: httpx.Client) -> list[str]:
    """Three runs that have ended; their IDs begin with the same mark."""
    mark = f"ended-{uuid.uuid4().hex[:8]}"
    runs = [
        scheduled(lone_api, "book_trip", TRIP, instance_id=f"{mark}-{number}")
        for number in range(3)
    ]
    for run in runs:
        assert lone_api.post(f"/runs/{run}/cancel").status_code == 202
    return runs


def reruns(rows: Engine, mark: str) -> list[tuple[str, str, dict[str, str]]]:
    """Return of each new run which it repeats, who asked for it, and its input."""
    query = text(
        "SELECT rerun_of, requested_by, input FROM status.requests"
        " WHERE starts_with(rerun_of, :mark) ORDER BY rerun_of"
    )
    with rows.connect() as connection:
        return [tuple(row) for row in connection.execute(query, {"mark": mark})]


def test_runs_that_have_ended_run_again_by_one_request_and_none_of_them_twice(
    lone_api: httpx.Client, rows: Engine, ended: list[str]
) -> None:
    mark = ended[0].rpartition("-")[0]
    late = scheduled(lone_api, "book_trip", TRIP, instance_id=f"{mark}-late")
    dry = lone_api.post("/bulk/rerun", params={"q": mark})
    assert (dry.status_code, dry.json()["count"]) == (200, 3)
    assert reruns(rows, mark) == []
    # What ends after the count is no part of it.
    assert lone_api.post(f"/runs/{late}/cancel").status_code == 202

    token = {"token": dry.json()["token"]}

    def confirm(_: int) -> httpx.Response:
        return lone_api.post("/bulk/rerun", params={"q": mark}, json=token)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(confirm, range(8)))
    done = {"action": "rerun", "count": 3, "accepted": 3, "refused": []}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(202, done)] * 8
    assert reruns(rows, mark) == [(run, "admin", TRIP) for run in ended]
    assert lone_api.post("/bulk/rerun", params={"q": mark}).json()["count"] == 4


def test_a_rerun_that_was_confirmed_misses_what_was_purged_since_the_count(
    lone_api: httpx.Client, rows: Engine, ended: list[str]
) -> None:
    mark = ended[0].rpartition("-")[0]
    token = {"token": lone_api.post("/bulk/rerun", params={"q": mark}).json()["token"]}
    assert lone_api.delete(f"/runs/{ended[1]}").status_code == 204
    done = lone_api.post("/bulk/rerun", params={"q": mark}, json=token).json()
    assert (done["accepted"], done["refused"]) == (2, [])
    assert [run for run, _, _ in reruns(rows, mark)] == [ended[0], ended[2]]


def test_the_token_of_a_rerun_is_for_its_filters_its_time_and_its_caller(
    service: Service, lone_api: httpx.Client, rows: Engine, ended: list[str]
) -> None:
    mark = ended[0].rpartition("-")[0]
    query = {"q": mark}
    token = {"token": lone_api.post("/bulk/rerun", params=query).json()["token"]}
    problem(lone_api.post("/bulk/rerun", params={"q": ended[0]}, json=token), 422)
    problem(lone_api.post("/bulk/purge", params=query, json=token), 422)
    with service.client("operator") as operator:
        problem(operator.post("/bulk/rerun", params=query, json=token), 422)
    with rows.begin() as connection:
        connection.execute(text("UPDATE status.bulk_tokens SET expires_at = clock_timestamp()"))
    problem(lone_api.post("/bulk/rerun", params=query, json=token), 422)
    assert reruns(rows, mark) == []


@pytest.mark.parametrize("token", ["", "x", "x" * 201, 5, None])
def test_a_token_that_nobody_gave_out_does_nothing(lone_api: httpx.Client, token: object) -> None:
    answer = lone_api.post("/bulk/purge", params={"q": "nothing-here"}, json={"token": token})
    if token is None:
        assert answer.status_code == 200
    else:
        problem(answer, 422)


def test_a_token_is_of_no_use_to_anybody_but_whoever_counted(
    service: Service, lone_api: httpx.Client
) -> None:
    run = scheduled(lone_api, "task_chain", 1)
    query = {"q": run}
    with service.client("operator") as operator, service.client("admin") as admin:
        token = {"token": operator.post("/bulk/terminate", params=query).json()["token"]}
        problem(admin.post("/bulk/terminate", params=query, json=token), 422)
        assert lone_api.get(f"/status/{run}").json()["state"] == "PENDING"
        assert operator.post("/bulk/terminate", params=query, json=token).status_code == 202
    assert lone_api.get(f"/status/{run}").json()["state"] == "TERMINATED"


def test_a_token_does_not_outlive_its_time(lone_api: httpx.Client, rows: Engine) -> None:
    run = scheduled(lone_api, "task_chain", 1)
    token = lone_api.post("/bulk/terminate", params={"q": run}).json()["token"]
    with rows.begin() as connection:
        connection.execute(text("UPDATE status.bulk_tokens SET expires_at = clock_timestamp()"))
    problem(lone_api.post("/bulk/terminate", params={"q": run}, json={"token": token}), 422)
    assert lone_api.get(f"/status/{run}").json()["state"] == "PENDING"


def test_a_bulk_action_that_does_not_exist_is_refused(lone_api: httpx.Client) -> None:
    assert lone_api.post("/bulk/explode").status_code in {403, 404, 422}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"reason": 5}', b'{"colour": "red"}'])
def test_an_action_with_a_body_that_makes_no_sense_changes_nothing(
    lone_api: httpx.Client, body: bytes
) -> None:
    run = scheduled(lone_api, "book_trip", TRIP)
    for action in ("suspend", "cancel", "terminate"):
        answer = lone_api.post(
            f"/runs/{run}/{action}", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {400, 422}, (action, answer.text)
    assert lone_api.get(f"/status/{run}").json()["state"] == "PENDING"
    assert lone_api.get(f"/runs/{run}/events").json()["events"] == []


def test_suspend_and_resume_take_turns(lone_api: httpx.Client) -> None:
    run = start(lone_api, "task_chain", 1)
    problem(lone_api.post(f"/runs/{run}/resume"), 409)
    assert lone_api.post(f"/runs/{run}/suspend", json={"reason": "wait"}).status_code == 202
    problem(lone_api.post(f"/runs/{run}/suspend"), 409)
    assert lone_api.post(f"/runs/{run}/resume").status_code == 202
    problem(lone_api.post(f"/runs/{run}/resume"), 409)
    events = lone_api.get(f"/runs/{run}/events").json()["events"]
    assert [event["name"] for event in events] == ["suspend", "resume"]


@pytest.mark.parametrize("action", ["suspend", "resume", "cancel", "terminate", "rerun"])
def test_an_action_on_a_run_never_seen_is_a_404(lone_api: httpx.Client, action: str) -> None:
    problem(lone_api.post(f"/runs/never-seen/{action}"), 404)
    problem(lone_api.post(f"/runs/never::seen/{action}"), 404)


def test_a_run_that_has_not_ended_cannot_run_again(lone_api: httpx.Client) -> None:
    run = start(lone_api, "task_chain", 1)
    problem(lone_api.post(f"/runs/{run}/rerun"), 409)


def test_a_rerun_is_a_new_run_with_the_same_input_and_a_link(lone_api: httpx.Client) -> None:
    run = scheduled(lone_api, "book_trip", TRIP)
    lone_api.post(f"/runs/{run}/cancel")
    headers = {"Idempotency-Key": f"again-{run}"}
    again = [lone_api.post(f"/runs/{run}/rerun", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in again] == [202, 202]
    (new,) = {answer.json()["instance_id"] for answer in again}
    status = lone_api.get(f"/status/{new}").json()
    assert (status["rerun_of"], status["input"], status["state"]) == (run, TRIP, "PENDING")
    problem(lone_api.post(f"/runs/{run}/rerun", json={"from_event": 1}), 409)
    problem(lone_api.post(f"/runs/{run}/rerun", json={"from_event": -1}), 422)
    problem(lone_api.post(f"/runs/{run}/rerun", json={"instance_id": "a::b"}), 422)
    problem(lone_api.post(f"/runs/{run}/rerun", json={"instance_id": run}), 409)
