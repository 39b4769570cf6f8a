from __future__ import annotations

import json
from datetime import timedelta

import pytest

from holdfast_contracts.request_escalation import HUMAN_APPROVAL, Approval, RecordDecision
from tests.unit.orchestrator.drive import EPOCH, Arrival, Drive
from tests.unit.orchestrator.worlds import OrderWorld


def approval(event_id: str = "e1", *, approved: bool = True, after: int = 0) -> Arrival:
    return Arrival(HUMAN_APPROVAL, {"approved": approved, "by": "ada"}, event_id, after=after)


def test_an_order_under_the_threshold_is_approved_at_once() -> None:
    drive = Drive("request_escalation", {"amount": 999.99}, OrderWorld())
    assert drive.output()["verdict"] == "approved"
    assert drive.steps() == ["auto_approve_activity"]


def test_an_order_at_the_threshold_waits_for_a_person() -> None:
    drive = Drive("request_escalation", {"amount": 1000}, OrderWorld(), arrivals=[approval()])
    assert drive.output() == {"verdict": "approved", "by": "ada", "amount": 1000}
    assert drive.steps() == ["record_decision", "process_approval_activity"]


def test_a_string_that_holds_an_order_is_an_order() -> None:
    drive = Drive("request_escalation", json.dumps({"amount": 5}), OrderWorld())
    assert drive.output()["verdict"] == "approved"


def test_a_rejection_is_carried_out_too() -> None:
    arrivals = [approval(approved=False)]
    drive = Drive("request_escalation", {"amount": 2000}, OrderWorld(), arrivals=arrivals)
    assert drive.output()["verdict"] == "rejected"


def test_without_an_approval_the_order_times_out_after_seven_days() -> None:
    drive = Drive("request_escalation", {"amount": 2000}, OrderWorld())
    assert drive.output()["verdict"] == "timed_out"
    assert drive.timers == [EPOCH + timedelta(days=7)]
    assert drive.steps() == ["record_decision", "handle_timeout_activity"]


def test_the_step_after_the_wait_is_local_whichever_way_it_ends() -> None:
    for arrivals in ([], [approval()]):
        drive = Drive("request_escalation", {"amount": 2000}, OrderWorld(), arrivals=arrivals)
        drive.run()
        assert drive.apps[0] == ("checkpoint", "")


def test_an_event_delivered_twice_is_taken_once() -> None:
    drive = Drive(
        "request_escalation", {"amount": 2000}, OrderWorld(), arrivals=[approval()], copies=2
    )
    assert drive.output()["verdict"] == "approved"
    assert drive.steps().count("record_decision") == 1


def test_something_that_is_no_approval_decides_nothing_but_the_time_out() -> None:
    odd = Arrival(HUMAN_APPROVAL, {}, "e0", raw={"event_id": "e0", "data": {"approved": "perhaps"}})
    drive = Drive("request_escalation", {"amount": 2000}, OrderWorld(), arrivals=[odd])
    drive.run()
    decision = next(c for name, c in drive.commands if name == "record_decision")
    assert (decision["approval"], decision["event_id"]) == (None, None)


def test_what_a_race_can_change_is_not_in_the_decisions_payload_hash() -> None:
    by_time_out = RecordDecision(key="k", instance="i")
    by_person = RecordDecision(
        key="k", instance="i", approval=Approval(approved=True, by="ada"), event_id="e"
    )
    assert by_time_out.payload_hash() == by_person.payload_hash()


@pytest.mark.parametrize("seed", range(5))
def test_every_prefix_of_an_escalation_replays_to_the_same_decisions(seed: int) -> None:
    arrivals = [approval(), approval("e2", approved=False, after=1)]
    drive = Drive("request_escalation", {"amount": 2000}, OrderWorld(), seed, arrivals=arrivals)
    drive.run()
    assert drive.replay_every_prefix() > 0
