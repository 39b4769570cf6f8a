from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from dapr.ext.workflow import WorkflowRuntime

from holdfast_servicekit.runtime import SupervisedRuntime, sdk_logs

BOUND_SECONDS = 20


@pytest.fixture
def mute_sidecar() -> Iterator[int]:
    """A port that takes connections and never says a word of gRPC."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def runtime_at(port: int) -> WorkflowRuntime:
    return WorkflowRuntime(host="127.0.0.1", port=str(port), logger_options=sdk_logs())


def test_a_process_without_a_stream_to_a_sidecar_that_answers_ends_itself(
    mute_sidecar: int,
) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def exit_process(code: int) -> None:
        codes.append(code)
        ended.set()

    supervised = SupervisedRuntime(
        lambda: runtime_at(mute_sidecar),
        mute_sidecar,
        give_up_seconds=1,
        exit_process=exit_process,
    )
    supervised.start()
    assert ended.wait(BOUND_SECONDS)
    assert codes == [70]
    assert supervised.ready() is not None


def test_a_sidecar_that_is_away_makes_the_process_not_ready_but_leaves_it_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free_port = server.getsockname()[1]
    asked = threading.Event()

    class Watched(SupervisedRuntime):
        def _sidecar_answers(self) -> bool:
            answer = super()._sidecar_answers()
            asked.set()
            return answer

    codes: list[int] = []
    supervised = Watched(
        lambda: runtime_at(free_port), free_port, give_up_seconds=0, exit_process=codes.append
    )
    supervised.start()
    assert asked.wait(BOUND_SECONDS)
    assert supervised.live() is None
    assert "not open" in (supervised.ready() or "")
    supervised.stop()
    assert codes == []


def test_a_watch_that_never_ran_is_not_alive() -> None:
    supervised = SupervisedRuntime(lambda: runtime_at(1), 1)
    assert "silent" in (supervised.live() or "")
