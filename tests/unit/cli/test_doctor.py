"""``holdfast doctor``, and its exit statuses."""

from __future__ import annotations

import json
from typing import Any

from tests.unit.cli.conftest import Cli
from tests.unit.cli.server import Api

FROZEN = {
    "instance_id": "order-1",
    "workflow": "request_escalation",
    "state": "RUNNING",
    "reason": "timer_overdue",
    "sentence": "The time 2031-01-01T12:00:00Z has passed and has not woken the run.",
    "since": "2031-01-01T12:00:00Z",
    "frozen_instance": "order-1",
    "command": "holdfast wf repair order-1",
    "links": {},
}


def diagnosis(**fields: Any) -> dict[str, Any]:
    return {
        "healthy": True,
        "frozen": [],
        "examined": 3,
        "left": 0,
        "memory": {"loss": None, "forgot_at": None},
        "strangers": [],
    } | fields


def test_healthy_exits_with_0(cli: Cli, api: Api) -> None:
    api.on("GET", "/doctor", diagnosis())

    done = cli("doctor")

    assert (done.code, done.out) == (0, "Nothing is frozen; 3 runs were looked at.\n")


def test_frozen_exits_with_9_and_shows_why_and_what_frees_it(cli: Cli, api: Api) -> None:
    memory = {"loss": "scheduler_lost", "forgot_at": "2031-01-01T11:00:00Z"}
    api.on(
        "GET",
        "/doctor",
        diagnosis(healthy=False, frozen=[FROZEN], memory=memory, left=2, strangers=["gone-1"]),
    )

    done = cli("doctor", "--workflow", "request_escalation")

    assert done.code == 9
    assert api.only.query == {"workflow": ["request_escalation"]}
    for said in (
        "1 of 3 that were looked at is frozen.",
        "The scheduler has lost its data: noticed at 2031-01-01 11:00:00Z.",
        "order-1",
        "timer_overdue",
        "has not woken the run",
        "holdfast wf repair order-1",
        "2 more may be frozen",
        "Steps were done for runs that nobody knows: gone-1",
        "To free them all: holdfast doctor --repair --workflow request_escalation",
    ):
        assert said in done.out


def test_json_is_the_answer_itself(cli: Cli, api: Api) -> None:
    answer = diagnosis(healthy=False, frozen=[FROZEN])
    api.on("GET", "/doctor", answer)

    done = cli("doctor", "-o", "json")

    assert (done.code, json.loads(done.out)) == (9, answer)


def test_repair_counts_first_and_says_how_to_go_on(cli: Cli, api: Api) -> None:
    api.on("GET", "/doctor", diagnosis(healthy=False, frozen=[FROZEN]))
    api.on("POST", "/bulk/repair", {"action": "repair", "count": 1, "token": "t-1"})

    done = cli("doctor", "--repair", "--reason", "volumes lost")

    assert done.code == 9
    assert api.asked[-1].json == {"reason": "volumes lost"}
    assert "Nothing has been done. To free 1 of them:" in done.out
    assert "  holdfast doctor --repair --reason 'volumes lost' --yes t-1\n" in done.out


def test_repair_of_a_healthy_installation_asks_for_no_token(cli: Cli, api: Api) -> None:
    api.on("GET", "/doctor", diagnosis())

    assert cli("doctor", "--repair").code == 0
    assert api.only.path == "/doctor"


def test_repair_with_the_token_does_it(cli: Cli, api: Api) -> None:
    done = {"action": "repair", "count": 2, "accepted": 2, "refused": []}
    api.on("POST", "/bulk/repair", done, 202)

    ended = cli("doctor", "--repair", "--yes", "t-1", "--state", "running")

    assert (ended.code, ended.out) == (0, "repair: accepted for 2 of 2 runs\n")
    assert api.only.json == {"token": "t-1"}
    assert api.only.query == {"state": ["RUNNING"]}


def test_repair_that_was_refused_for_one_exits_with_5(cli: Cli, api: Api) -> None:
    refused = [{"instance_id": "r1", "reason": "The run has finished"}]
    answer = {"action": "repair", "count": 1, "accepted": 0, "refused": refused}
    api.on("POST", "/bulk/repair", answer, 202)

    done = cli("doctor", "--repair", "--yes", "t-1")

    assert done.code == 5
    assert "refused: r1: The run has finished" in done.out


def test_yes_alone_is_a_mistake(cli: Cli) -> None:
    assert cli("doctor", "--yes", "t-1").code == 2
