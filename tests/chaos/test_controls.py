"""Negative controls on a real stack: one rule taken out turns exactly its invariant red."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from holdfast_chaos.client import Client
from holdfast_chaos.database import connect
from holdfast_chaos.injection import FaultPlan, Injector
from holdfast_chaos.invariants import check_all
from holdfast_chaos.observations import Notebook
from holdfast_chaos.observer import Observer
from holdfast_chaos.targets import Armed
from holdfast_chaos.targets.processes import Processes
from holdfast_chaos.world import Aim, DeclaredRun, Deed, FaultRecord
from holdfast_local.stack import Stack
from tests.support.clone import ROOT
from tests.support.judging import world_of
from tests.support.stacks import client_of, running_stack
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.control]

TRIP = {"traveller": "t", "flight": "AMS-JFK", "hotel": "Station Hotel", "car": "convertible"}


class Workload:
    """Runs on one stack, and what became of them."""

    def __init__(self, stack: Stack, api: httpx.Client) -> None:
        self.stack = stack
        self.runs: list[DeclaredRun] = []
        self.faults: list[FaultRecord] = []
        self._notebook = Notebook()
        self.client = Client(api, self._notebook)
        self.observer = Observer(self.client)
        self.observer.start()

    def start(self, instance: str, workflow: str, payload: Any) -> str:
        self.runs.append(DeclaredRun(instance, workflow, payload))
        self.client.start(workflow, payload, instance)
        self.observer.add(instance)
        return instance

    def end(self) -> None:
        eventually("all ended", lambda: not self.observer.in_flight(), seconds=90)

    def red(self) -> set[str]:
        self.end()
        world = world_of(self.stack, self.runs, self._notebook.observations(), self.faults)
        return {result.id for result in check_all(world) if not result.holds}


@contextmanager
def workload(service: str = "", module: str = "") -> Iterator[Workload]:
    with (
        running_stack(
            "test-control",
            commands={service: [sys.executable, "-m", f"tests.broken.{module}"]} if module else {},
            service_env={service: {"PYTHONPATH": str(ROOT)}} if module else {},
        ) as stack,
        client_of(stack, 10) as api,
    ):
        work = Workload(stack, api)
        try:
            yield work
        finally:
            work.observer.stop()


class Untouched(Processes):
    """A target on which nothing has an effect."""

    def arm(
        self,
        deed: Deed,
        components: Sequence[str],
        *,
        one: bool = False,
        prefer: Sequence[str] = (),
    ) -> Armed:
        """Aim at nobody."""
        return super().arm(deed, (), one=one, prefer=prefer)


def test_all_is_green_until_a_fault_does_nothing_or_a_ledger_row_is_deleted() -> None:
    with workload() as work:
        work.start("one", "task_chain", 1)
        assert work.red() == set()
        target = Untouched(work.stack, {"activity-worker": f"{work.stack.worker_url}/readyz"}, {})
        url = work.stack.database_url
        injector = Injector(target, url, work.observer.in_flight, heal_seconds=1.0)
        plan = FaultPlan("fault-1", ("activity-worker",), Aim.RANDOM)
        work.faults.append(injector.strike_now(plan))
        assert work.red() == {"F"}
        work.faults.clear()
        with connect(url) as connection:
            connection.execute("DELETE FROM work.effects WHERE step = 'step2'")
        assert work.red() == {"I2"}


def test_a_random_effect_key_turns_i2_red() -> None:
    with workload("activity-worker", "worker_with_random_keys") as work:
        work.start("one", "task_chain", 1)
        assert work.red() == {"I2"}


def test_a_key_from_the_task_id_turns_i2_red() -> None:
    with workload("orchestrator", "orchestrator_with_task_id_keys") as work:
        work.start("one", "task_chain", 1)
        assert work.red() == {"I2"}


def test_a_skipped_compensation_turns_i5_red() -> None:
    with workload("orchestrator", "orchestrator_without_a_compensation") as work:
        work.start("first", "book_trip", TRIP)
        work.end()
        work.start("second", "book_trip", TRIP)
        assert work.red() == {"I5"}


def test_no_decide_once_turns_i6_red() -> None:
    with workload("activity-worker", "worker_without_decide_once") as work:
        order = {"amount": 5000, "approval_window_seconds": 3.0}
        work.start("order", "request_escalation", order)
        eventually("the order waits", lambda: work.observer.states()["order"] == "RUNNING")
        # With no way to the orchestrator the accepted approval is not delivered in time.
        work.stack.stop("status-api-sidecar")
        work.client.send("order", "human_approval", {"approved": True, "by": "somebody"})
        eventually("the order is decided", lambda: _decided(work.stack), seconds=60)
        work.stack.start("status-api-sidecar")
        assert work.red() == {"I6"}


def _decided(stack: Stack) -> bool:
    with connect(stack.database_url, autocommit=True) as connection:
        return bool(connection.execute("SELECT 1 FROM work.decisions").fetchall())
