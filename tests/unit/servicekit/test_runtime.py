from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import dapr.ext.workflow._durabletask.internal.orchestrator_service_pb2_grpc as stubs
import grpc
import pytest
from dapr.ext.workflow import WorkflowRuntime
from google.protobuf import empty_pb2

from holdfast_servicekit.runtime import SupervisedRuntime, sdk_logs
from holdfast_servicekit.sidecar import Sidecar
from tests.support.http_server import Answer, Site, running_site
from tests.support.waiting import eventually

BOUND_SECONDS = 20


@pytest.fixture
def mute_sidecar() -> Iterator[int]:
    """A port that takes connections and never says a word of gRPC."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def runtime_at(port: int) -> WorkflowRuntime:
    return WorkflowRuntime(host="127.0.0.1", port=str(port), logger_options=sdk_logs())


@pytest.mark.parametrize("tells_of_its_engine", [True, False])
def test_a_process_without_a_stream_to_a_sidecar_that_answers_ends_itself(
    mute_sidecar: int, *, tells_of_its_engine: bool
) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def exit_process(code: int) -> None:
        codes.append(code)
        ended.set()

    with running_site() as site:
        site.answers[:] = [metadata(0)]
        supervised = SupervisedRuntime(
            lambda: runtime_at(mute_sidecar),
            Sidecar(mute_sidecar, site.port if tells_of_its_engine else mute_sidecar),
            give_up_seconds=1,
            exit_process=exit_process,
        )
        supervised.start()
        assert ended.wait(BOUND_SECONDS)
        assert codes == [70]
        assert supervised.ready() is not None
        supervised.stop()


def test_a_sidecar_that_is_away_makes_the_process_not_ready_but_leaves_it_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free_port = server.getsockname()[1]
    asked = threading.Event()

    class Watched(Sidecar):
        def answers(self) -> bool:
            answer = super().answers()
            asked.set()
            return answer

    codes: list[int] = []
    supervised = SupervisedRuntime(
        lambda: runtime_at(free_port),
        Watched(free_port, free_port),
        give_up_seconds=0,
        exit_process=codes.append,
    )
    supervised.start()
    assert asked.wait(BOUND_SECONDS)
    assert supervised.live() is None
    assert "not open" in (supervised.ready() or "")
    supervised.stop()
    assert codes == []


class OpenStream(stubs.TaskHubSidecarServiceServicer):
    """The engine's side of a stream that is open and never brings work."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.streams = 0

    def Hello(self, _request: Any, _context: Any) -> Any:  # noqa: N802 - the protocol's name
        return empty_pb2.Empty()

    def GetWorkItems(self, _request: Any, _context: Any) -> Iterator[Any]:  # noqa: N802
        self.streams += 1
        self.end.wait(BOUND_SECONDS)
        yield from ()


@pytest.fixture
def servicer() -> OpenStream:
    return OpenStream()


@pytest.fixture
def engine_port(servicer: OpenStream) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4))
    stubs.add_TaskHubSidecarServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    servicer.end.set()
    server.stop(None).wait(BOUND_SECONDS)


def metadata(workers: int, placement: str = "placement: connected") -> Answer:
    told = {"workflows": {"connectedWorkers": workers}, "actorRuntime": {"placement": placement}}
    return Answer(body=json.dumps(told).encode())


def test_a_stream_counts_as_ready_only_when_the_engine_counts_it(engine_port: int) -> None:
    with running_site() as site:
        site.answers[:] = [metadata(0)] * 3 + [metadata(1)]
        supervised = SupervisedRuntime(
            lambda: runtime_at(engine_port), Sidecar(engine_port, site.port)
        )
        supervised.start()
        seen: list[str] = []

        def ready() -> bool:
            why = supervised.ready()
            seen.append(why or "")
            return why is None

        eventually("the engine counts the stream", ready, seconds=BOUND_SECONDS)
        assert any("does not count" in why for why in seen)
        assert all(request.path == "/v1.0/metadata" for request in site.requests)
        supervised.stop()


def test_a_sidecar_that_never_counts_an_open_stream_is_asked_to_end(engine_port: int) -> None:
    with running_site() as site:
        site.answers[:] = [metadata(0)]
        supervised = SupervisedRuntime(
            lambda: runtime_at(engine_port), Sidecar(engine_port, site.port), uncounted_seconds=1
        )
        supervised.start()
        eventually(
            "the sidecar is asked to end",
            lambda: ("POST", "/v1.0/shutdown") in {(r.method, r.path) for r in site.requests},
            seconds=BOUND_SECONDS,
        )
        supervised.stop()


@contextmanager
def placement_lost_for_a_while(engine_port: int) -> Iterator[tuple[SupervisedRuntime, Site]]:
    """Give a runtime that runs, beside a sidecar that has its placement, loses it, has it again."""
    lost = metadata(1, "placement: disconnected")
    with running_site() as site:
        site.answers[:] = [metadata(1), lost, lost, metadata(1)]
        supervised = SupervisedRuntime(
            lambda: runtime_at(engine_port), Sidecar(engine_port, site.port), leave_seconds=0.5
        )
        supervised.start()
        try:
            yield supervised, site
        finally:
            supervised.stop()


def test_a_stream_that_was_young_when_placement_was_lost_leaves_and_joins_once_more(
    engine_port: int, servicer: OpenStream
) -> None:
    with placement_lost_for_a_while(engine_port) as (supervised, site):
        eventually("it has joined twice", lambda: servicer.streams == 2, seconds=BOUND_SECONDS)
        # The last answer is repeated: a placement that stays is no reason to leave.
        asked = len(site.requests)
        eventually("it is asked on", lambda: len(site.requests) > asked + 3, seconds=BOUND_SECONDS)
        assert servicer.streams == 2
        assert supervised.ready() is None


def test_a_stream_that_is_not_young_stays_when_placement_is_lost(
    engine_port: int, servicer: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast_servicekit.runtime.YOUNG_SECONDS", 0)
    monkeypatch.setattr("holdfast_servicekit.runtime.RECOUNT_SECONDS", 0)
    with placement_lost_for_a_while(engine_port) as (supervised, site):
        eventually("placement is back", lambda: len(site.requests) > 6, seconds=BOUND_SECONDS)
        assert servicer.streams == 1
        assert supervised.ready() is None


def test_a_stream_waits_for_the_sidecars_first_placement_and_does_not_leave_for_it(
    engine_port: int, servicer: OpenStream
) -> None:
    """A sidecar that starts beside a busy round is not one that has lost its placement."""
    codes: list[int] = []
    with running_site() as site:
        site.answers[:] = [metadata(0, ""), metadata(0, "placement: disconnected")]
        supervised = SupervisedRuntime(
            lambda: runtime_at(engine_port),
            Sidecar(engine_port, site.port),
            give_up_seconds=0.5,
            leave_seconds=0,
            exit_process=codes.append,
        )
        supervised.start()
        eventually("it was asked", lambda: len(site.requests) > 10, seconds=BOUND_SECONDS)
        assert servicer.streams == 0
        assert (supervised.live(), codes) == (None, [])
        site.answers[:] = [metadata(1)]
        eventually("the stream is open", lambda: servicer.streams == 1, seconds=BOUND_SECONDS)
        asked = len(site.requests)
        eventually("it is asked on", lambda: len(site.requests) > asked + 5, seconds=BOUND_SECONDS)
        assert servicer.streams == 1
        supervised.stop()


def test_a_watch_that_never_ran_is_not_alive() -> None:
    supervised = SupervisedRuntime(lambda: runtime_at(1), Sidecar(1, 1))
    assert "silent" in (supervised.live() or "")
