"""Exactly-once effects on an engine that may run an activity more than once.

An attempt goes through these steps: two flights of statements, and what the business needs.

1. A row in ``attempts``, committed at once.
2. A transaction takes the locks: the run's (shared by its effects, alone when it is closed), then
   those of the effect keys. Only then does it look, in a statement of its own: a statement sees
   what was committed when it began, not when its lock was granted.
3. The key is taken: the stored result is returned, or the attempt is refused. The run is closed:
   refused.
4. The business change, the events that it consumes, the closing of the run, and last the row in
   ``effects``; commit.
5. A row in ``outcomes``, before the result is returned.

The rows of 1 and 5 do not wait for the disk: the log's order keeps an attempt before its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic

import structlog
from psycopg import Error as DriverError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_exponential_jitter,
)

from holdfast_activity_worker import statements as sql
from holdfast_activity_worker.metrics import WorkerMetrics
from holdfast_activity_worker.session import Flight, Rows, Session, in_a_line, is_away, open_session
from holdfast_activity_worker.work import C, Effect, Implementation, Observation, R, Work
from holdfast_contracts.agreements import effect_lock, run_lock
from holdfast_contracts.core import CLOSE_RUN, EffectKey
from holdfast_contracts.errors import (
    DivergenceError,
    RunClosedError,
    StepCancelledError,
    UnavailableError,
)

#: How long an attempt waits for a database that is away before it tells the workflow.
PATIENCE_SECONDS = 15.0
_LONGEST_ERROR = 4_000
_REFUSALS = (DivergenceError, RunClosedError, StepCancelledError)

_log = structlog.get_logger()


class Ledger:
    """Runs implementations so that each command has its effect once."""

    def __init__(
        self,
        engine: Engine,
        pod: str,
        metrics: WorkerMetrics,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._pod = pod
        self._metrics = metrics
        self._patience_seconds = patience_seconds

    def run(self, implementation: Implementation[C, R], command: C) -> R:
        """Return the command's result; its effect happens now or has happened before, never twice.

        Raises what the business raises; ``StepCancelledError``, ``RunClosedError`` or
        ``DivergenceError`` when the ledger refuses; ``UnavailableError`` when the database stays
        away.
        """
        step = implementation.activity.name
        retrying = Retrying(
            retry=retry_if_exception(is_away),
            wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.05),
            stop=stop_after_delay(self._patience_seconds),
            before_sleep=_tell,
            reraise=True,
        )
        with self._metrics.seconds.labels(step).time():
            try:
                result: R = retrying(self._attempt, implementation, command)
            except (DriverError, SQLAlchemyError) as error:
                if not is_away(error):
                    raise
                self._metrics.attempts.labels(step, "unavailable").inc()
                raise UnavailableError(f"the database is away: {in_a_line(error)}") from error
            return result

    def _attempt(self, implementation: Implementation[C, R], command: C) -> R:
        with open_session(self._engine) as session:
            return _Attempt(session, implementation, command, self._pod, self._metrics).run()


class _Attempt(Generic[C, R]):
    """One attempt at one command, on one connection."""

    def __init__(
        self,
        session: Session,
        implementation: Implementation[C, R],
        command: C,
        pod: str,
        metrics: WorkerMetrics,
    ) -> None:
        self._session = session
        self._implementation = implementation
        self._command = command
        self._metrics = metrics
        self._activity = implementation.activity
        self._id: int | None = None
        key = EffectKey.parse(command.key)
        self._closes_run = command.closes_run or self._activity is CLOSE_RUN
        #: What the ledger's statements can name.
        self._values: dict[str, Any] = {
            "key": command.key,
            "root": key.instance,
            "runner": command.instance,
            "epoch": key.epoch,
            "step": key.step,
            "idx": key.index,
            "hash": command.payload_hash(),
            "pod": pod,
        }

    def run(self) -> R:
        """Return the result, done now or stored; of a failure nothing is left but its record."""
        try:
            match self._implementation:
                case Effect(perform=perform):
                    return self._once(lambda work: perform(work, self._command))
                case Observation(observe=observe):
                    return self._look_first(observe)
        except Exception as error:
            if not is_away(error):
                self._end("refused" if isinstance(error, _REFUSALS) else "failed", error)
            raise

    def _look_first(self, observe: Callable[[C], R]) -> R:
        with self._session.flight() as flight:
            start = self._start(flight)
            look = flight.send(sql.LOOK, self._values)
        self._id = _row(start)[0]
        stored = self._stored(_row(look))
        if stored is not None:
            self._repeat()
            return stored
        seen = observe(self._command)
        return self._once(lambda _work: seen)

    def _once(self, perform: Callable[[Work], R]) -> R:
        with self._session.flight() as flight:
            start = None if self._id is not None else self._start(flight)
            flight.send(sql.BEGIN)
            flight.send(sql.LOCK, self._locks())
            look = flight.send(sql.LOOK, self._values)
        if start is not None:
            self._id = _row(start)[0]
        stored = self._stored(_row(look))
        if stored is not None:
            self._repeat()
            return stored
        work = Work(self._session.connection, consumes=set(self._command.consumed_events))
        result = perform(work)
        self._commit(work, result)
        return result

    def _start(self, flight: Flight) -> Rows:
        attempt = flight.send(sql.START_ATTEMPT, self._values)
        flight.commit_here()
        return attempt

    def _locks(self) -> dict[str, Any]:
        """Order the locks the same for everybody: root, child, then keys by name."""
        root, runner = self._values["root"], self._values["runner"]
        locks = [(run_lock(root), self._closes_run and root == runner)]
        if runner != root:
            locks.append((run_lock(runner), self._closes_run))
        keys = {self._command.key}
        if isinstance(self._implementation, Effect):
            keys.update(self._implementation.touches(self._command))
        locks.extend((effect_lock(key), True) for key in sorted(keys))
        names, alone = zip(*locks, strict=True)
        return {"names": list(names), "alone": list(alone)}

    def _stored(self, row: tuple[Any, ...]) -> R | None:
        """Return the stored result, or ``None`` if the effect may happen now; else refuse."""
        kind, payload_hash, result, closed = row
        key = self._command.key
        if kind == "cancelled":
            raise StepCancelledError(f"{key} was cancelled before this attempt of it")
        if kind is not None:
            if payload_hash != self._values["hash"]:
                self._record_divergence(payload_hash)
                raise DivergenceError(f"{key} was done with another payload")
            return self._activity.output.model_validate_json(result)
        if closed:
            raise RunClosedError(f"{self._command.instance} has ended; {key} was not done before")
        return None

    def _commit(self, work: Work, result: R) -> None:
        values = {**self._values, "attempt": self._id, "result": result.model_dump_json()}
        with self._session.flight() as flight:
            self._consume(flight, work.consumes)
            if self._closes_run:
                flight.send(sql.CLOSE_RUN, values)
            for forbidden in work.forbids:
                key = EffectKey.parse(forbidden)
                named = {"key": forbidden, "epoch": key.epoch, "step": key.step, "idx": key.index}
                flight.send(sql.FORBID, {**values, **named})
            flight.send(sql.COMMIT_EFFECT, values)
            flight.send(sql.COMMIT)
            flight.commit_here()
            flight.send(sql.END_ATTEMPT, self._outcome("committed"))
        self._metrics.effects.labels(self._activity.name).inc()
        self._count("committed")

    def _repeat(self) -> None:
        """Leave the effect, but take the events: a turn that was lost had not seen them."""
        with self._session.flight() as flight:
            self._consume(flight, self._command.consumed_events)
            flight.send(sql.COMMIT)
            flight.commit_here()
            flight.send(sql.END_ATTEMPT, self._outcome("repeated"))
        self._count("repeated")

    def _consume(self, flight: Flight, event_ids: Iterable[str]) -> None:
        for event_id in sorted(event_ids):
            flight.send(sql.CONSUME_EVENT, {**self._values, "event_id": event_id})

    def _end(self, outcome: str, error: Exception | None = None) -> None:
        """Give up the transaction, if one is open, and record how the attempt ended."""
        with self._session.flight() as flight:
            flight.send(sql.ROLLBACK)
            flight.commit_here()
            if self._id is not None:
                flight.send(sql.END_ATTEMPT, self._outcome(outcome, error))
        self._count(outcome)

    def _record_divergence(self, stored_hash: str) -> None:
        offered = self._command.model_dump_json()
        with self._session.flight() as flight:
            flight.send(sql.ROLLBACK)
            flight.commit_here()
            values = {**self._values, "stored_hash": stored_hash, "offered": offered}
            flight.send(sql.RECORD_DIVERGENCE, values)
        self._metrics.divergences.labels(self._activity.name).inc()
        _log.error("divergence", key=self._command.key, offered=offered)

    def _outcome(self, outcome: str, error: Exception | None = None) -> dict[str, Any]:
        return {
            "attempt": self._id,
            "outcome": outcome,
            "error_type": type(error).__name__ if error else None,
            # PostgreSQL's text holds no NUL.
            "error": str(error).replace("\0", "")[:_LONGEST_ERROR] if error else None,
        }

    def _count(self, outcome: str) -> None:
        self._metrics.attempts.labels(self._activity.name, outcome).inc()
        if outcome == "repeated":
            self._metrics.repeated_attempts.labels(self._activity.name).inc()


def _row(cursor: Rows) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a statement of the ledger that always has a row had none")
    return row


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    reason = in_a_line(error) if error else ""
    _log.warning("database away, trying again", attempt=state.attempt_number, error=reason)
