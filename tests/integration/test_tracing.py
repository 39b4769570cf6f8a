"""One trace from the caller's request to the last activity, on a real stack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import text

from holdfast_local.identity import SERVICES
from holdfast_local.stack import Stack
from tests.support.examples import ORDER
from tests.support.logs import records_of
from tests.support.otlp import Receiver, Span, running_receiver
from tests.support.runs import wait_for_end, wait_for_state
from tests.support.stacks import client_of, database_of, running_stack
from tests.support.waiting import eventually

_TRACE = "0af7651916cd43dd8448eb211c80319c"
_CALLER = "b7ad6b7169203331"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(stack_name: str, receiver: Receiver) -> Iterator[Stack]:
    """A stack whose services and sidecars send their spans to the receiver."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in receiver.environment.items():
            patch.setenv(name, value)
        with running_stack(f"{stack_name}-traced") as stack:
            yield stack


def test_a_run_is_one_trace(traced: Stack, receiver: Receiver) -> None:
    with client_of(traced) as api:
        answer = api.post(
            "/workflows/task_chain",
            params={"instance_id": "traced"},
            json=3,
            headers={"traceparent": f"00-{_TRACE}-{_CALLER}-01"},
        )
        assert answer.status_code == 202, answer.text
        assert wait_for_end(api, "traced")["state"] == "COMPLETED"

    def ours() -> list[Span]:
        return [span for span in receiver.spans() if span.trace_id == _TRACE]

    wanted = {
        ("status-api", "POST /workflows/<name>"),
        ("status-api", "dispatch starts"),
        ("orchestrator", "POST /instances"),
        # The sidecar's word on the workflow: a span for the run, however often it was replayed.
        ("orchestrator", "create_orchestration||task_chain"),
        ("orchestrator", "orchestration||task_chain"),
        ("activity-worker", "activity: step1"),
        ("activity-worker", "activity: step2"),
        ("activity-worker", "activity: step3"),
    }

    def seen() -> set[tuple[str, str]]:
        return {
            (service, span.name)
            for span in ours()
            for service in SERVICES
            if span.service.startswith(service)  # the app ID of a stack names the stack, too
        }

    def missing() -> set[tuple[str, str]]:
        left = wanted - seen()
        assert not left, f"{left} of {receiver.spans()}"
        return wanted

    eventually("every part is in the trace", missing)
    eventually(
        "the engine is in the trace", lambda: any("task_chain" in name for _, name in seen())
    )
    by_name = {span.name: span for span in ours()}
    request = by_name["POST /workflows/<name>"]
    dispatch = by_name["dispatch starts"]
    assert request.parent_id == _CALLER
    assert dispatch.parent_id == request.span_id
    # Every span hangs on another one of the trace, and replays make none twice.
    # Each process sends its spans when it likes, so a parent can come after its child.
    eventually("every span has its parent", lambda: not orphans(ours()))
    steps = [span.name for span in ours() if span.name.startswith("activity: ")]
    assert sorted(steps) == ["activity: step1", "activity: step2", "activity: step3"]


def orphans(spans: list[Span]) -> list[Span]:
    known = {span.span_id for span in spans} | {_CALLER}
    return [span for span in spans if span.parent_id not in known]


def test_the_trace_is_kept_with_the_request(traced: Stack) -> None:
    with database_of(traced) as engine, engine.connect() as connection:
        kept = connection.scalar(
            text("SELECT traceparent FROM status.requests WHERE instance_id = 'traced'")
        )
    assert kept is not None
    assert kept.split("-")[1] == _TRACE


def test_records_about_a_run_name_its_trace(traced: Stack) -> None:
    trace = "4" * 32
    with client_of(traced) as api:
        answer = api.post(
            "/workflows/task_chain",
            params={"instance_id": "logged"},
            json=-1,
            headers={"traceparent": f"00-{trace}-{_CALLER}-01"},
        )
        assert answer.status_code == 202, answer.text
        assert wait_for_end(api, "logged")["state"] == "FAILED"
    for service in ("orchestrator", "activity-worker"):
        told = eventually(
            f"{service} has told of the run", partial(records_of, traced, service, "logged")
        )
        assert told[0]["trace_id"] == trace, told[0]


def test_what_is_done_to_a_run_is_carried_out_in_the_trace_of_whoever_did_it(
    traced: Stack, receiver: Receiver
) -> None:
    ways = {
        # Each is a trace of its own, from a caller of its own.
        "1" * 32: (
            "events/human_approval",
            "events",
            "POST /instances/<instance_id>/events/<name>",
        ),
        "2" * 32: ("suspend", "events", "POST /instances/<instance_id>/events/<name>"),
        "3" * 32: ("terminate", "commands", "POST /instances/<instance_id>/terminate"),
    }
    with client_of(traced) as api:
        for trace, (deed, _, _) in ways.items():
            order = {"instance_id": f"order-{trace[0]}"}
            api.post("/workflows/request_escalation", params=order, json=ORDER)
            wait_for_state(api, f"order-{trace[0]}", "RUNNING")
            answer = api.post(
                f"/runs/order-{trace[0]}/{deed}",
                json={"approved": True} if "/" in deed else {},
                headers={"traceparent": f"00-{trace}-{_CALLER}-01"},
            )
            assert answer.status_code == 202, answer.text

    def chain(trace: str, route: str) -> list[str]:
        """Return the names of the spans from the caller's request to the engine's API.

        A delivery that was tried again has several ways there; one that leads there is enough.
        """
        spans = {span.span_id: span for span in receiver.spans() if span.trace_id == trace}
        for last in spans.values():
            names, span = [], last if last.name == route else None
            while span is not None:
                names.append(span.name)
                if span.parent_id == _CALLER:
                    told = reversed(names)
                    return [name for name in told if not name.startswith(("CallLocal", "/dapr"))]
                span = spans.get(span.parent_id)
        return []

    for trace, (_, outbox, route) in ways.items():
        told = eventually("the delivery is told", partial(chain, trace, route))
        assert told
        assert told[0].startswith("POST /runs/<instance_id>/")
        assert f"dispatch {outbox}" in told[1 : told.index(route)]
