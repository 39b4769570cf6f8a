"""Writes the story of a made-up workload as every witness would tell it: a clean world."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast_chaos import facts
from holdfast_chaos.histories import HistoryEvent, RunHistory
from holdfast_chaos.model.geodesy import distance_km
from holdfast_chaos.observations import BatchSeen, EventSeen, Notebook, Poll, StartSeen
from holdfast_chaos.world import Aim, DeclaredRun, FaultRecord, World
from holdfast_contracts.batch_processing import CHILD_WIDTH
from holdfast_contracts.core import EffectKey

EPOCH = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=10)
LEGS = (("AMS", "JFK"), ("LHR", "SIN"), ("HEL", "NRT"), ("ABE", "ATL"), ("JFK", "LHR"))


@dataclass
class Tale:
    """One run's or child's history while it is being told."""

    instance: str
    workflow: str
    input: Any
    events: list[HistoryEvent] = field(default_factory=list)

    def add(self, at: datetime, kind: str, **more: Any) -> int:
        number = len(self.events)
        self.events.append(HistoryEvent(number, at, kind, **more))
        return number

    def end(self, at: datetime, status: str, output: Any) -> RunHistory:
        self.add(at, "EXECUTION_COMPLETED")
        failure = {"type": "TaskFailedError", "message": "…"} if status == "FAILED" else None
        return RunHistory(
            self.instance, self.workflow, status, self.input, output, failure, tuple(self.events)
        )


class Script:
    """Tells runs one after the other; `world` returns what all witnesses say."""

    def __init__(self) -> None:
        self.now = EPOCH
        self._ids = itertools.count(1)
        self.effects: list[facts.Effect] = []
        self.attempts: list[facts.Attempt] = []
        self.closed: list[facts.ClosedRun] = []
        self.consumed: list[facts.ConsumedEvent] = []
        self.decisions: list[facts.DecisionRow] = []
        self.bookings: list[facts.BookingRow] = []
        self.stock: dict[tuple[str, str], tuple[int, int]] = {}
        self.legs: list[facts.LegRow] = []
        self.results: list[facts.BatchResultRow] = []
        self.notices: list[facts.Notification] = []
        self.requests: list[facts.RequestRow] = []
        self.events: list[facts.EventRow] = []
        self.histories: dict[str, RunHistory] = {}
        self.runs: list[DeclaredRun] = []
        self.faults: list[FaultRecord] = []
        self.notebook = Notebook()

    def tick(self, seconds: float = 0.0) -> datetime:
        self.now += TICK + timedelta(seconds=seconds)
        return self.now

    def world(self) -> World:
        ledger = facts.LedgerFacts(
            effects=tuple(self.effects),
            attempts=tuple(self.attempts),
            closed_runs=tuple(self.closed),
            consumed_events=tuple(self.consumed),
            decisions=tuple(self.decisions),
            bookings=tuple(self.bookings),
            inventory=tuple(
                facts.Stock(kind, item, capacity, available)
                for (kind, item), (capacity, available) in self.stock.items()
            ),
            legs=tuple(self.legs),
            batch_results=tuple(self.results),
            notifications=tuple(self.notices),
            requests=tuple(self.requests),
            events=tuple(self.events),
            engine_rows=tuple(self.histories),
        )
        return World(
            runs=tuple(self.runs),
            ledger=ledger,
            histories=dict(self.histories),
            listed=tuple(self.histories),
            observations=self.notebook.observations(),
            faults=tuple(self.faults),
            sample=LEGS,
        )

    # What every run has in common.

    def begin(self, instance: str, workflow: str, given: Any) -> Tale:
        self.runs.append(DeclaredRun(instance, workflow, given))
        sent, accepted, seen = self.tick(), self.tick(), self.tick()
        self.requests.append(facts.RequestRow(instance, workflow, accepted))
        self.notebook.note(StartSeen(instance, workflow, sent, seen, 202))
        self.look(instance, "PENDING")
        tale = Tale(instance, workflow, given)
        tale.add(self.tick(), "EXECUTION_STARTED", name=workflow)
        self.look(instance, "RUNNING")
        return tale

    def finish(self, tale: Tale, status: str, output: Any, shown: str | None = None) -> None:
        self.histories[tale.instance] = tale.end(self.tick(), status, output)
        self.look(tale.instance, shown or status, output)
        self.look(tale.instance, shown or status, output)

    def look(self, instance: str, state: str, output: Any = None) -> None:
        self.notebook.note(Poll(instance, self.tick(), self.tick(), 200, state, output))

    def step(  # noqa: PLR0913 - one step in all its variants
        self,
        tale: Tale,
        step: str,
        result: Any,
        *,
        index: int = 0,
        epoch: int = 0,
        root: str | None = None,
        closes: bool = False,
        interrupted: bool = False,
    ) -> str:
        key = str(EffectKey(root or tale.instance, epoch, step, index))
        task = tale.add(self.tick(), "TASK_SCHEDULED", name=step, input={"key": key})
        if interrupted:
            self._attempt(key, tale, step, outcome=None)
            self.strike(["activity-worker"], tale.instance, key)
            self.tick(0.1)
        attempt = self._attempt(key, tale, step, outcome="committed")
        self._effect(key, tale, result, attempt)
        if closes:
            self.closed.append(facts.ClosedRun(tale.instance, key, self.now))
        tale.add(self.tick(), "TASK_COMPLETED", task_scheduled_id=task, result=result)
        return key

    def fail(self, tale: Tale, step: str, error: str) -> str:
        key = str(EffectKey(tale.instance, 0, step, 0))
        task = tale.add(self.tick(), "TASK_SCHEDULED", name=step, input={"key": key})
        self._attempt(key, tale, step, outcome="failed", error=error)
        failure = {"type": error, "message": "…"}
        tale.add(self.tick(), "TASK_FAILED", task_scheduled_id=task, failure=failure)
        return key

    def claim(self, tale: Tale, step: str) -> None:
        key = str(EffectKey(tale.instance, 0, step, 0))
        self._effect(key, tale, None, self.attempts[-1], kind=facts.CLAIMED)

    def timer(self, tale: Tale, seconds: float, *, fires: bool) -> datetime:
        created = self.tick()
        due = created + timedelta(seconds=seconds)
        number = tale.add(created, "TIMER_CREATED", fire_at=due)
        if fires:
            self.tick(seconds)
            tale.add(self.now, "TIMER_FIRED", timer_id=number)
        return due

    def send(self, tale: Tale, name: str, data: dict[str, Any]) -> str:
        event = f"event-{next(self._ids)}"
        sent, accepted, seen = self.tick(), self.tick(), self.tick()
        self.events.append(facts.EventRow(event, tale.instance, name, data, accepted))
        self.notebook.note(EventSeen(tale.instance, name, data, sent, seen, 202, event))
        tale.add(self.tick(), "EVENT_RAISED", name=name)
        return event

    def strike(self, components: Sequence[str], run: str | None, *keys: str) -> None:
        """Tell of a fault that strikes now, before the effects of these keys, and heals at once."""
        moment = self.tick()
        fault = FaultRecord(
            id=f"fault-{len(self.faults) + 1}",
            kind="kill",
            components=tuple(components),
            aim=Aim.BEFORE_EFFECT if keys else Aim.RANDOM,
            run=run,
            keys=keys,
            moment_at=moment,
            struck_at=moment,
            healed_at=self.tick(),
            before={name: f"{n}00" for n, name in enumerate(components, 1)},
            after={name: f"{n}01" for n, name in enumerate(components, 1)},
            in_flight=(run,) if run else (),
        )
        self.faults.append(fault)

    def _attempt(
        self, key: str, tale: Tale, step: str, outcome: str | None, error: str | None = None
    ) -> facts.Attempt:
        attempt = facts.Attempt(
            id=next(self._ids),
            key=key,
            instance=key.split("|", 1)[0],
            runner=tale.instance,
            step=step,
            pod=f"activity-worker/{100 + len(self.faults)}",
            started_at=self.tick(),
            outcome=outcome,
            error_type=error,
            error=error,
            finished_at=None if outcome is None else self.now + 3 * TICK / 2,
        )
        self.attempts.append(attempt)
        return attempt

    def _effect(
        self,
        key: str,
        tale: Tale,
        result: Any,
        attempt: facts.Attempt,
        kind: str = facts.DONE,
    ) -> None:
        parsed = EffectKey.parse(key)
        self.effects.append(
            facts.Effect(
                seq=next(self._ids),
                key=key,
                instance=parsed.instance,
                runner=tale.instance,
                epoch=parsed.epoch,
                step=parsed.step,
                index=parsed.index,
                kind=kind,
                payload_hash="0" * 64,
                result=result,
                attempt_id=attempt.id,
                pod=attempt.pod,
                committed_at=self.tick(),
            )
        )

    # The patterns.

    def chain(self, instance: str, value: int, *, interrupted: bool = False) -> None:
        tale = self.begin(instance, "task_chain", value)
        self.step(tale, "step1", {"value": value + 1}, interrupted=interrupted)
        if value < 0:
            self.fail(tale, "step2", "InvalidValueError")
            self.step(tale, "error_handler", {"error": "…"}, closes=True)
            self.finish(tale, "FAILED", None)
            return
        doubled = 2 * (value + 1)
        self.step(tale, "step2", {"value": doubled})
        self.step(tale, "step3", {"value": doubled**2}, closes=True)
        self.finish(tale, "COMPLETED", [value + 1, doubled, doubled**2])

    def batch(self, instance: str, count: int) -> None:
        legs = [LEGS[n % len(LEGS)] for n in range(count)]
        batch = f"batch-of-{instance}"
        self.notebook.note(BatchSeen(batch, tuple(legs)))
        tale = self.begin(instance, "batch_processing", {"batch_id": batch})
        self.step(tale, "get_work_batch", {"batch_id": batch, "count": count})
        for chunk in range(-(-count // CHILD_WIDTH)):
            name = f"{instance}:0:{chunk}" if count > CHILD_WIDTH else instance
            child = Tale(name, "batch_chunk", None) if count > CHILD_WIDTH else tale
            for index in range(chunk * CHILD_WIDTH, min((chunk + 1) * CHILD_WIDTH, count)):
                length = distance_km(*legs[index])
                self.legs.append(facts.LegRow(batch, index, *legs[index], length))
                result = {"distance_km": length}
                self.step(child, "process_work_item", result, index=index, root=instance)
            if child is not tale:
                self.step(child, "close_run", {}, index=chunk + 1, root=instance, closes=True)
                self.histories[child.instance] = child.end(self.tick(), "COMPLETED", {})
        total = sum(distance_km(*leg) for leg in legs)
        stored = {"count": count, "total_km": total}
        self.step(tale, "process_results", stored, closes=True)
        self.results.append(facts.BatchResultRow(batch, instance, count, total))
        self.finish(tale, "COMPLETED", {"batch_id": batch, **stored})

    def monitor(self, instance: str, polls: int, ended: str = "completed") -> None:
        job = {"job_id": "http://127.0.0.1:1/job", "poll_interval_seconds": 1.0}
        tale = self.begin(instance, "job_status_monitor", job)
        epoch = 0
        for poll in range(polls):
            epoch, index = divmod(poll, 50)
            if poll and index == 0:
                tale = Tale(instance, tale.workflow, {**job, "epoch": epoch})
                tale.add(self.tick(), "EXECUTION_STARTED", name=tale.workflow)
            last = poll == polls - 1
            report = {"status": ended if last else "running"}
            self.step(tale, "check_job_status", report, index=index, epoch=epoch)
            if not last:
                self.timer(tale, 1.0, fires=True)
        step = "notify_complete" if ended == "completed" else "notify_failure"
        key = f"{instance}|{epoch}|{step}|0"
        self.step(tale, step, {"notification_id": key}, epoch=epoch, closes=True)
        self.notices.append(facts.Notification(key, instance, step))
        self.finish(tale, "COMPLETED", {"status": ended, "polls": polls})

    def small_order(self, instance: str) -> None:
        tale = self.begin(instance, "request_escalation", {"amount": 250.0})
        outcome = {"verdict": "approved", "by": "policy", "amount": 250.0}
        self.step(tale, "auto_approve_activity", outcome, closes=True)
        self.finish(tale, "COMPLETED", outcome)

    def order(self, instance: str, *, approved: bool | None, window: float = 5.0) -> None:
        """Tell of an order that was approved, rejected, or (none) timed out."""
        given = {"amount": 2500.0, "approval_window_seconds": window}
        tale = self.begin(instance, "request_escalation", given)
        due = self.timer(tale, window, fires=approved is None)
        event, by, verdict = None, "timer", "timed_out"
        if approved is not None:
            verdict, by = ("approved" if approved else "rejected"), "somebody"
            event = self.send(tale, "human_approval", {"approved": approved, "by": by})
            assert self.now < due
        told = {"verdict": verdict, "by": by, "comment": "", "event_id": event}
        key = self.step(tale, "record_decision", told)
        row = facts.DecisionRow(instance, verdict, by, "", event, key, self.now)
        self.decisions.append(row)
        if event:
            self.consumed.append(facts.ConsumedEvent(event, instance, key, self.now))
        branch = "handle_timeout_activity" if approved is None else "process_approval_activity"
        outcome = {"verdict": verdict, "by": by, "amount": 2500.0}
        self.step(tale, branch, outcome, closes=True)
        self.finish(tale, "COMPLETED", outcome)

    def trip(self, instance: str, *, sold_out: str = "", cancel_after: int | None = None) -> None:
        """Tell of a trip that is booked, finds one kind sold out, or is cancelled."""
        given = {"traveller": "t", "flight": "AMS-JFK", "hotel": "Inn", "car": "compact"}
        tale = self.begin(instance, "book_trip", given)
        begun: list[tuple[str, bool]] = []
        status, outcome, event = "COMPLETED", "booked", None
        for number, kind in enumerate(("flight", "hotel", "car")):
            if cancel_after == number:
                event = self.send(tale, "cancel", {"reason": "changed plans"})
                outcome = "cancelled"
                break
            self.stock.setdefault((kind, given[kind]), (10, 10))
            if sold_out == kind:
                capacity, available = self.stock[kind, given[kind]]
                self.stock[kind, given[kind]] = (capacity - available, 0)
                self.fail(tale, f"book_{kind}", "SoldOutError")
                begun.append((kind, False))
                status, outcome = "FAILED", ""
                break
            self._book(tale, kind, given[kind], closes=kind == "car")
            begun.append((kind, True))
        if outcome != "booked":
            for kind, booked in reversed(begun):
                self._unbook(tale, kind, given[kind], booked=booked, last=kind == "flight")
            if not begun:
                self.step(tale, "close_run", {}, closes=True)
        if event:
            self.consumed.append(
                facts.ConsumedEvent(event, instance, self.effects[-1].key, self.now)
            )
        output = {"outcome": outcome} if status == "COMPLETED" else None
        self.finish(tale, status, output, "CANCELLED" if outcome == "cancelled" else None)

    def _book(self, tale: Tale, kind: str, item: str, *, closes: bool) -> None:
        key = f"{tale.instance}|0|book_{kind}|0"
        self.step(tale, f"book_{kind}", {"booking_id": key, "item": item}, closes=closes)
        at = self.effects[-1].committed_at
        self.bookings.append(facts.BookingRow(key, kind, item, tale.instance, "booked", at, None))
        capacity, available = self.stock[kind, item]
        self.stock[kind, item] = (capacity, available - 1)

    def _unbook(self, tale: Tale, kind: str, item: str, *, booked: bool, last: bool) -> None:
        self.step(tale, f"cancel_{kind}", {"undone": booked}, closes=last)
        if not booked:
            self.claim(tale, f"book_{kind}")
            return
        capacity, available = self.stock[kind, item]
        self.stock[kind, item] = (capacity, available + 1)
        key = f"{tale.instance}|0|book_{kind}|0"
        self.bookings = [
            facts.BookingRow(**{**b.__dict__, "state": "cancelled", "cancelled_at": self.now})
            if b.booking_id == key
            else b
            for b in self.bookings
        ]


def clean() -> World:
    """Return a world with every pattern and every end in it, and nothing wrong."""
    script = Script()
    script.chain("chain-1", 1)
    script.chain("chain-neg", -5)
    script.batch("small", 3)
    script.batch("large", 130)
    script.monitor("watch", 4)
    script.monitor("long-watch", 53)
    script.monitor("gone", 2, ended="failed")
    script.small_order("small-order")
    script.order("approved", approved=True)
    script.order("rejected", approved=False)
    script.order("timed-out", approved=None, window=2.0)
    script.trip("trip")
    script.trip("sold-out", sold_out="car")
    script.trip("cancelled", cancel_after=2)
    script.trip("cancelled-at-once", cancel_after=0)
    script.chain("after-kill", 7, interrupted=True)
    return script.world()
