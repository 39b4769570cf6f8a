"""A run's life against a model: what operators may do at any moment, and what never happens."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.integration.status_api.asking import problem
from tests.support.examples import ORDER, TRIP
from tests.support.runs import TERMINAL, wait_for_end, wait_for_state

pytestmark = pytest.mark.integration

#: Few enough that they are used again and again, also after their runs have ended.
NAMES = st.sampled_from(["a", "b"])
STARTS = st.sampled_from(
    [
        ("task_chain", 3),
        ("task_chain", -3),
        ("request_escalation", {"amount": 5}),
        ("request_escalation", ORDER),
        ("request_escalation", ORDER),
        ("book_trip", TRIP),
        ("book_trip", {}),
        ("nothing", 1),
    ]
)
SOMETIMES = st.sampled_from([False, False, True])
#: How an event may go on; what is not here stays as it is.
ONWARD = {
    "pending": {"pending", "delivered", "consumed", "expired"},
    "delivered": {"delivered", "consumed", "expired"},
}
#: No shrinking: a stack has a past, so a shorter walk is another one.
BOUNDS = settings(
    max_examples=50,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Known:
    """What the API has promised of a run, and what it was last seen to be."""

    workflow: str
    document: Any
    #: It starts in an hour, so in this test never.
    scheduled: bool = False
    suspended: bool = False
    approvals: list[bool] = field(default_factory=list)
    cancelled: bool = False
    terminated: bool = False
    events: list[str] = field(default_factory=list)
    state: str = "PENDING"
    end: dict[str, Any] | None = None
    purged: bool = False
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether it cannot end until somebody does something."""
        large = self.document == ORDER and not self.approvals
        return (self.scheduled or large) and not self.cancelled and not self.terminated

    @property
    def ends(self) -> bool:
        """Whether it ends although nobody does anything more."""
        return self.terminated or not (self.waits or self.suspended)

    @property
    def possible_ends(self) -> set[str]:
        """Return the states that it may end in."""
        states = set()
        if not self.scheduled and (self.document != ORDER or self.approvals):
            states.add("FAILED" if self.document == -3 else "COMPLETED")
        if self.cancelled:
            states.add("CANCELLED")
        if self.terminated:
            states.add("TERMINATED")
        return states

    def answers(self, alive: int, ended: int = 409) -> set[int]:
        """Return what it may answer, where that depends on whether it has ended."""
        if self.purged:
            return {410}
        if self.end is not None:
            return {ended}
        return {alive} if self.waits else {alive, ended}


class Lifecycle(RuleBasedStateMachine):
    """Do anything to a few runs at any moment; what is drawn does not hang on what is answered."""

    api: ClassVar[httpx.Client]

    def __init__(self) -> None:
        super().__init__()
        self.prefix = uuid.uuid4().hex
        self.runs: dict[str, Known] = {}

    def id_of(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def ask(
        self, name: str, allowed: Callable[[Known], set[int]], path: str, body: Any = None
    ) -> httpx.Response | None:
        """Post, and return the answer if it is a yes; it must be one that the model allows."""
        answer = self.api.post(path.format(run=self.id_of(name)), json=body or {})
        return self.judged(name, allowed, answer)

    def judged(
        self, name: str, allowed: Callable[[Known], set[int]], answer: httpx.Response
    ) -> httpx.Response | None:
        run = self.runs.get(name)
        codes = {404} if run is None else allowed(run)
        assert answer.status_code in codes, (answer.status_code, codes, run, answer.text)
        if answer.is_success:
            return answer
        problem(answer, answer.status_code)
        return None

    @initialize(name=NAMES, what=STARTS, scheduled=SOMETIMES)
    def first(self, name: str, what: tuple[str, Any], *, scheduled: bool) -> None:
        self.start(name, what, scheduled=scheduled)

    @rule(name=NAMES, what=STARTS, scheduled=SOMETIMES)
    def start(self, name: str, what: tuple[str, Any], *, scheduled: bool) -> None:
        workflow, document = what
        query = {"instance_id": self.id_of(name)}
        if scheduled:
            query["start_at"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        answer = self.api.post(f"/workflows/{workflow}", params=query, json=document)
        if workflow == "nothing" or not document:
            problem(answer, 404 if document else 422)
            return
        if name in self.runs:
            problem(answer, 409)
            return
        assert answer.status_code == 202, answer.text
        self.runs[name] = Known(workflow, document, scheduled)

    @rule(name=NAMES, approved=st.sampled_from([True, False, "perhaps"]))
    def decide(self, name: str, *, approved: bool | str) -> None:
        def allowed(run: Known) -> set[int]:
            if run.purged:
                return {410}
            if run.workflow != "request_escalation":
                return {404}
            return {422} if approved == "perhaps" else run.answers(202)

        body = {"approved": approved}
        if self.ask(name, allowed, "/runs/{run}/events/human_approval", body):
            self.runs[name].approvals.append(bool(approved))
            self.runs[name].events.append("human_approval")

    @rule(name=NAMES, suspends=st.booleans())
    def suspend_or_resume(self, name: str, *, suspends: bool) -> None:
        def allowed(run: Known) -> set[int]:
            return run.answers(409 if run.suspended is suspends else 202)

        action = "suspend" if suspends else "resume"
        if self.ask(name, allowed, f"/runs/{{run}}/{action}"):
            self.runs[name].suspended = suspends
            self.runs[name].events.append(action)

    @rule(name=NAMES)
    def cancel(self, name: str) -> None:
        def allowed(run: Known) -> set[int]:
            return run.answers(202 if run.workflow == "book_trip" else 409)

        answer = self.ask(name, allowed, "/runs/{run}/cancel")
        if answer is not None:
            run = self.runs[name]
            run.cancelled = True
            if answer.json()["event_id"] is not None:
                run.events += ["cancel", *(["resume"] if run.suspended else [])]
                run.suspended = False

    @rule(name=NAMES)
    def terminate(self, name: str) -> None:
        if self.ask(name, lambda run: run.answers(202), "/runs/{run}/terminate"):
            self.runs[name].terminated = True

    @rule(name=NAMES, new=NAMES)
    def rerun(self, name: str, new: str) -> None:
        def allowed(run: Known) -> set[int]:
            return run.answers(409, ended=409 if new in self.runs else 202)

        body = {"instance_id": self.id_of(new)}
        if self.ask(name, allowed, "/runs/{run}/rerun", body):
            source = self.runs[name]
            self.runs[new] = Known(source.workflow, source.document)

    @rule(name=NAMES)
    def rerun_a_saga_from_its_middle(self, name: str) -> None:
        if (run := self.runs.get(name)) is None or run.workflow == "book_trip":
            body = {"from_event": 0}
            self.ask(name, lambda run: run.answers(409), "/runs/{run}/rerun", body)

    @rule(name=NAMES)
    def purge(self, name: str) -> None:
        answer = self.api.delete(f"/runs/{self.id_of(name)}")
        if self.judged(name, lambda run: run.answers(409, ended=204), answer):
            self.runs[name].purged = True

    @rule(name=NAMES)
    def wait(self, name: str) -> None:
        """Let a run get as far as it gets by itself."""
        run = self.runs.get(name)
        if run is None or run.purged or run.end is not None:
            return
        if run.ends:
            wait_for_end(self.api, self.id_of(name), seconds=30)
        elif run.waits and not run.scheduled:
            state = "SUSPENDED" if run.suspended else "RUNNING"
            wait_for_state(self.api, self.id_of(name), state, seconds=30)

    @invariant()
    def every_run_is_as_it_may_be(self) -> None:
        for name, run in self.runs.items():
            answer = self.api.get(f"/status/{self.id_of(name)}")
            if run.purged:
                problem(answer, 410)
                continue
            assert answer.status_code == 200, answer.text
            self.see(run, answer.json())

    @invariant()
    def every_event_only_goes_on(self) -> None:
        for name, run in self.runs.items():
            answer = self.api.get(f"/runs/{self.id_of(name)}/events")
            if run.purged:
                problem(answer, 410)
                continue
            assert answer.status_code == 200, answer.text
            receipts = answer.json()["events"]
            assert [receipt["name"] for receipt in receipts] == run.events
            for receipt in receipts:
                before = run.receipts.get(receipt["event_id"])
                state = "pending" if before is None else before["state"]
                assert receipt["state"] in ONWARD.get(state, {state}), (before, receipt)
                if before is not None and before["state"] == "consumed":
                    assert receipt["consumed_at"] == before["consumed_at"]
                run.receipts[receipt["event_id"]] = receipt
            assert len(run.receipts) == len(receipts)

    def see(self, run: Known, status: dict[str, Any]) -> None:
        """Compare a run with what it was, and with what was done to it."""
        state = status["state"]
        if run.end is not None:
            assert status == run.end
            return
        assert state != "PENDING" or run.state == "PENDING", (run, status)
        run.state = state
        assert (status["finished_at"] is not None) is (state in TERMINAL)
        assert (status["workflow"], status["input"]) == (run.workflow, run.document)
        if state in TERMINAL:
            assert state in run.possible_ends, (run, status)
            run.end = status
            if state == "COMPLETED" and run.approvals and run.document == ORDER:
                first = "approved" if run.approvals[0] else "rejected"
                assert status["output"]["verdict"] == first
        elif run.scheduled:
            assert not run.terminated
            assert not run.cancelled

    def teardown(self) -> None:
        """End what is left; every run that is told to end ends, and as it may."""
        for name, run in self.runs.items():
            if not run.purged and run.end is None:
                self.terminate(name)
        for name, run in self.runs.items():
            if not run.purged and run.end is None:
                self.see(run, wait_for_end(self.api, self.id_of(name), seconds=30))


def test_whatever_operators_do_a_run_lives_as_the_model_says(api: httpx.Client) -> None:
    class OnThisStack(Lifecycle):
        pass

    OnThisStack.api = api
    run_state_machine_as_test(OnThisStack, settings=BOUNDS)
