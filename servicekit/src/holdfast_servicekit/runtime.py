"""Keep a workflow runtime connected, and tell the truth about it.

The SDK's worker reconnects by itself, with a back-off that grows to 15 s, and there are ways for
its loop to end for good. Here a runtime that is cut off is replaced by a fresh one as soon as the
sidecar answers again, and a process that cannot get a working runtime ends, so that whoever
supervises it starts it anew.

The engine has a deadlock of its own (Dapr 1.18.2, ``pkg/runtime/wfengine``): a worker that goes
away at a bad moment leaves the sidecar waiting for turns that wait for a worker, with the lock held
that the next worker needs to be counted. Its stream is open, and no work ever arrives. A sidecar
that does not count an open stream is asked to end, and comes back sane.

And it can forget a lock (``pkg/actors/internal/placement``). A new stream is a change that
placement tells all sidecars of, in a round; meanwhile they hold back the calls to that app. If
placement is lost in the middle of the round, and the next one tells them the same, they hold them
back for good. So a stream that was young when placement was lost leaves and joins once more, which
is a change. To tell a loss from a sidecar that has no tables yet, a stream is opened only once the
sidecar has its placement.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable

import structlog
from dapr.ext.workflow import WorkflowRuntime
from dapr.ext.workflow.logger import LoggerOptions

from holdfast_servicekit.sidecar import Sidecar

CHECK_INTERVAL_SECONDS = 0.5
#: As long as the stream is young. A placement that dies is away for 0.25 s at least: a sidecar
#: waits that long before it connects again.
CLOSE_CHECK_INTERVAL_SECONDS = 0.1
#: How long a runtime may be without its stream, with a sidecar that answers, before it is replaced.
CUT_OFF_SECONDS = 1.0
#: How long the process goes on without any working runtime although the sidecar answers.
GIVE_UP_SECONDS = 60.0
#: How long the engine may leave an open stream uncounted. It takes milliseconds when it is well,
#: with placement away, too; a restart of the sidecar takes two seconds.
UNCOUNTED_SECONDS = 4.0
#: How often a stream that was counted is looked at again.
RECOUNT_SECONDS = 5.0
#: How long placement may take to tell everyone of a stream. A sidecar with calls that go on answers
#: it after two seconds.
YOUNG_SECONDS = 10.0
#: How long a stream that joins once more stays away, so that everyone is told of that, too.
LEAVE_SECONDS = 3.0
#: A process frozen for 30 s must not be called dead before it wakes.
HEARTBEAT_TOLERANCE_SECONDS = 45.0
EXIT_CODE = 70  # EX_SOFTWARE, sysexits.h

_log = structlog.get_logger()


class SupervisedRuntime:
    """A workflow runtime that is replaced when its stream is lost, and a watch over it."""

    def __init__(
        self,
        build: Callable[[], WorkflowRuntime],
        sidecar: Sidecar,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
        uncounted_seconds: float = UNCOUNTED_SECONDS,
        leave_seconds: float = LEAVE_SECONDS,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._build = build
        self._sidecar = sidecar
        self._give_up_seconds = give_up_seconds
        self._uncounted_seconds = uncounted_seconds
        self._leave_seconds = leave_seconds
        self._exit = exit_process
        self._stop = threading.Event()
        self._runtime: WorkflowRuntime | None = None
        self._counted = False
        self._count_at = 0.0
        self._uncounted_since: float | None = None
        self._counted_since: float | None = None
        #: Placement was there when the stream was opened, and lost when it was young.
        self._half_told = False
        self._left_at = -leave_seconds
        self._heartbeat = time.monotonic()
        self._watch = threading.Thread(target=self._run, name="runtime-watch", daemon=True)

    def start(self) -> None:
        """Start the watch, which starts the runtime. Call it after the fork."""
        self._watch.start()

    def stop(self) -> None:
        """Take no more work, let what runs finish within the SDK's own bound, and return."""
        self._stop.set()
        self._watch.join(timeout=2 * CUT_OFF_SECONDS)
        if self._runtime is not None:
            self._runtime.shutdown()

    def live(self) -> str | None:
        """Say what is dead for good, or return ``None``; a sidecar that is away is not death."""
        if self._stop.is_set():
            return None
        silent = time.monotonic() - self._heartbeat
        if not self._watch.is_alive() or silent > HEARTBEAT_TOLERANCE_SECONDS:
            return f"the workflow runtime's watch has been silent for {silent:.0f} s"
        return None

    def ready(self) -> str | None:
        """Say why no work item can arrive, or return ``None``."""
        if self._stop.is_set():
            return "shutting down"
        runtime = self._runtime  # the watch may replace it now
        if runtime is None or not _has_stream(runtime):
            return "the work-item stream to the sidecar is not open"
        if not self._counted:
            return "the engine does not count the work-item stream yet"
        return None

    def _run(self) -> None:
        answering_since: float | None = None  # the sidecar answers, the runtime has no stream
        replaced_at = 0.0
        while not self._stop.wait(self._interval()):
            now = self._heartbeat = time.monotonic()
            if self._runtime is not None and _has_stream(self._runtime):
                answering_since = None
                self._count(now)
                continue
            self._counted, self._count_at, self._uncounted_since = False, now, None
            self._counted_since, self._half_told = None, False
            if now - self._left_at < self._leave_seconds:
                continue
            if not self._sidecar.answers():
                answering_since = None
                continue
            engine = self._sidecar.engine()
            if engine is not None and not engine.has_placement:
                # Without it nothing could run. Whoever serves placement is late, not this process.
                answering_since = None
                continue
            answering_since = answering_since or now
            if now - answering_since > self._give_up_seconds:
                _log.critical("no working stream to a sidecar that answers; ending the process")
                self._exit(EXIT_CODE)
                return
            if engine is not None and now - replaced_at > CUT_OFF_SECONDS:
                self._replace()
                replaced_at = time.monotonic()

    def _interval(self) -> float:
        settled = self._count_at > time.monotonic()
        return CHECK_INTERVAL_SECONDS if settled else CLOSE_CHECK_INTERVAL_SECONDS

    def _replace(self) -> None:
        if self._runtime is not None:
            _log.warning("work-item stream lost; starting a fresh runtime")
            self._retire()
        self._runtime = self._build()
        # start() waits for the stream without a bound; the watch must not.
        threading.Thread(
            target=_start_quietly, args=(self._runtime,), name="runtime-start", daemon=True
        ).start()

    def _retire(self) -> None:
        old, self._runtime = self._runtime, None
        if old is not None:
            # It may wait for results that are still being sent.
            threading.Thread(target=old.shutdown, name="runtime-retire", daemon=True).start()

    def _count(self, now: float) -> None:
        """Find out whether the engine counts our stream; end a sidecar that never does."""
        if now < self._count_at:
            return
        engine = self._sidecar.engine()
        if engine is None:
            return
        self._counted = engine.workers > 0
        if self._counted:
            self._uncounted_since = None
            self._look_at_placement(now, there=engine.has_placement)
            return
        self._uncounted_since = self._uncounted_since or now
        if now - self._uncounted_since > self._uncounted_seconds:
            _log.critical("the engine leaves our open stream uncounted; asking the sidecar to end")
            self._sidecar.shut_down()
            self._uncounted_since = None

    def _look_at_placement(self, now: float, *, there: bool) -> None:
        """Join once more if placement was lost before everyone was told of the stream."""
        self._counted_since = self._counted_since or now
        young = now - self._counted_since < YOUNG_SECONDS
        self._half_told = self._half_told or (young and not there)
        if self._half_told and there:
            _log.warning("placement was lost and this stream is young; leaving, to join once more")
            self._retire()
            self._left_at = now
        elif not young and not self._half_told:
            self._count_at = now + RECOUNT_SECONDS


def sdk_logs() -> LoggerOptions:
    """Let the SDK log warnings through our root handler, once, and say nothing of each turn."""
    for name in ("WorkflowRuntime", "DaprWorkflowContext", "durabletask-worker"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A handler of its own would print each record a second time.
    return LoggerOptions(log_level="WARNING", log_handler=logging.NullHandler())


def _start_quietly(runtime: WorkflowRuntime) -> None:
    try:
        runtime.start()
    except RuntimeError as error:
        # The watch sees that there is no stream and makes the next one.
        _log.warning("workflow runtime did not start", error=str(error))


def _has_stream(runtime: WorkflowRuntime) -> bool:
    # The public wait_for_worker_ready() logs a warning and sleeps whenever the answer is no.
    worker = runtime._WorkflowRuntime__worker  # type: ignore[attr-defined]  # noqa: SLF001
    loop = worker._runLoop  # noqa: SLF001 - None before the start and after the stop
    return bool(loop is not None and loop.is_alive() and worker._stream_ready.is_set())  # noqa: SLF001
