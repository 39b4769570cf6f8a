"""``holdfast capacity``: arithmetic on measured costs, labelled, and nothing for a bad wish."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast_cli.capacity import coefficients as kept
from tests.unit.cli.conftest import Cli

Write = Callable[[str, str], Path]
#: With a run of three steps a step costs: orchestrator 3 ms, worker 2 ms, status API 4 ms.
CPU = {
    "orchestrator": (0.0, 0.003, 0.002),
    "activity-worker": (0.0, 0.0, 0.002),
    "status-api": (0.2, 0.012, 0.0),
    "orchestrator-sidecar": (0.01, 0.003, 0.001),
    "activity-worker-sidecar": (0.01, 0.0, 0.001),
    "status-api-sidecar": (0.01, 0.0, 0.0),
    "scheduler": (0.02, 0.003, 0.003),
    "placement": (0.01, 0.0, 0.0),
    "postgresql": (0.0, 0.006, 0.002),
}


def cost(idle: float, run: float, step: float) -> dict[str, float]:
    return {"idle": idle, "run": run, "step": step}


def costs(**members: Any) -> str:
    service = {
        "processes": 1,
        "replicas": 2,
        "memory_request_mib": 256,
        "memory_limit_mib": 1024,
        "connections": 35,
        "sidecar_connections": 12,
    }
    document = {
        "schema": "holdfast.capacity",
        "version": 1,
        "measured": {
            "began": "2026-01-02T03:04+00:00",
            "cores": 2,
            "activities_per_s": 100.0,
            "error": {"throughput, mean": 0.04, "throughput, most": 0.09},
        },
        "cpu": {name: cost(*values) for name, values in CPU.items()},
        "busiest_scheduler": cost(0.0, 0.0, 0.001),
        "counts": {
            **{name: cost(5.0, 0.0, 1.0) for name in kept.COUNTS},
            "database_wal_bytes": cost(0.0, 0.0, 10_000.0),
            "etcd_commits": cost(0.0, 3.0, 4.0),
            "database_bytes_ledger": cost(0.0, 0.0, 1_000.0),
            "database_bytes_engine": cost(0.0, 6_000.0, 0.0),
        },
        "database_pages_of_a_step": 0.5,
        "memory_mib": {"orchestrator": 120.0},
        "services": {
            "orchestrator": {**service, "connections": 0},
            "activity-worker": service,
            "status-api": {**service, "processes": 2, "connections": 32, "sidecar_connections": 0},
        },
        **members,
    }
    return json.dumps(document)


@pytest.fixture
def plan(nowhere: Cli, write: Write) -> Callable[..., Any]:
    """Give a function that asks for a rate and returns the document."""
    write("costs.json", costs())

    def asked(*arguments: str) -> Any:
        done = nowhere("capacity", "--measured", "costs.json", "-o", "json", *arguments)
        assert (done.code, done.err) == (0, "")
        return json.loads(done.out)

    return asked


def test_pods_are_as_many_as_the_measured_cpu_takes(plan: Callable[..., Any]) -> None:
    kept = ("--retention-days", "0", "--ledger-days", "0")
    services = plan("--rate", "1000", *kept)["of_each_shard"]["services"]

    # 1,000/s of 3 ms are 3 cores; a process that may be busy to 0.7 takes ceil(3 / 0.7).
    assert services["orchestrator"]["pods"] == math.ceil(3 / 0.7)
    assert services["activity-worker"]["pods"] == math.ceil(2 / 0.7)
    # Two processes a pod, of which 0.2 cores go to idling.
    assert services["status-api"]["pods"] == math.ceil(4 / (2 * 0.7 - 0.2))


def test_no_service_has_fewer_pods_than_its_chart_gives_it(plan: Callable[..., Any]) -> None:
    services = plan("--rate", "0.1")["of_each_shard"]["services"]

    assert [one["pods"] for one in services.values()] == [2, 2, 2]


def test_longer_runs_share_what_a_run_costs_among_more_steps(plan: Callable[..., Any]) -> None:
    short, long = plan("--rate", "10"), plan("--rate", "10", "--steps-per-run", "30")

    assert (short["runs_per_s"], long["runs_per_s"]) == (3.33, 0.333)
    cores = [one["of_each_shard"]["database"]["cores_used"] for one in (short, long)]
    assert cores == [pytest.approx(10 * 0.004), pytest.approx(10 * 0.0022)]


def test_database_is_asked_for_commits_log_connections_and_disk(plan: Callable[..., Any]) -> None:
    database = plan("--rate", "60", "--retention-days", "2", "--ledger-days", "10")[
        "of_each_shard"
    ]["database"]

    assert database["commits_per_s"] == 60
    assert database["disk_writes_per_s"] == 60 + 30
    assert database["log_mb_per_s"] == 0.6
    assert database["connections"] == 2 * 12 + 2 * 47 + 2 * 32 + 8
    assert database["max_connections"] == 3 * 12 + 3 * 47 + 3 * 32 + 8
    day = 86_400
    # Of each second 20 runs of 6,000 bytes for the engine, and 60 bytes of the status schema.
    retained = (20 * 6_000 + 60) * 2 * day / 10**9
    ledger = 60 * 1_000 * 10 * day / 10**9
    assert database["retained_gb"] == pytest.approx(retained, rel=0.01)
    assert database["ledger_gb"] == pytest.approx(ledger, rel=0.01)
    assert database["disk_gb"] == pytest.approx((retained + ledger) / 0.7, rel=0.01)


@pytest.mark.parametrize(("rate", "basis"), [("99", "measured"), ("101", "extrapolated")])
def test_what_is_beyond_the_measured_rate_is_labelled(
    nowhere: Cli, plan: Callable[..., Any], rate: str, basis: str
) -> None:
    assert plan("--rate", rate)["basis"] == basis
    table = nowhere("capacity", "--rate", rate, "--measured", "costs.json").out
    assert ("EXTRAPOLATED" in table) == (basis == "extrapolated")
    assert "throughput, mean 4 %, throughput, most 9 %" in table


def test_rate_beyond_one_scheduler_group_has_more_of_them_with_the_arithmetic(
    plan: Callable[..., Any],
) -> None:
    found = plan("--rate", "10000", "--retention-days", "0", "--ledger-days", "0")

    # 5 commits for an activity: 50,000 a second, of which a group is taken to bear 7,000.
    assert found["scheduler_groups"] == 8
    assert (
        "etcd of a scheduler group: 50,000 commits/s / 7,000 commits/s (0.7 of 10000) = 8"
        in (found["arithmetic"])
    )
    assert found["of_each_scheduler_group"]["etcd_commits_per_s"] == 6250
    assert found["shards"] == 8
    assert found["of_each_shard"]["rate"] == 1250


def test_every_scheduler_group_has_as_many_namespaces_as_every_other(
    plan: Callable[..., Any],
) -> None:
    # 9 databases and 8 groups: two namespaces for each group.
    cores = ("--database-cores", "7", "--retention-days", "0", "--ledger-days", "0")
    found = plan("--rate", "10000", *cores)

    assert [line for line in found["arithmetic"] if line.startswith("CPU of a database")] == [
        "CPU of a database: 40 cores / 4.9 cores (0.7 of 7, less 0 idle) = 9"
    ]
    assert (found["scheduler_groups"], found["shards"]) == (8, 16)


def test_larger_parts_are_fewer(plan: Callable[..., Any]) -> None:
    assert (
        plan("--rate", "10000", "--etcd-commits", "100000")["scheduler_groups"]
        < (plan("--rate", "10000")["scheduler_groups"])
    )


def test_given_pods_are_taken_and_said_to_be_full_where_they_are(plan: Callable[..., Any]) -> None:
    shard = plan("--rate", "50", "--orchestrators", "1", "--workers", "3")["of_each_shard"]

    assert [one["pods"] for one in shard["services"].values()] == [1, 3, 2]
    assert shard["saturates_first"] == "orchestrator: Python"
    assert shard["full_at"]["orchestrator: Python"] == 333
    assert shard["full_at"]["activity-worker: Python"] == 1500


def test_part_that_is_full_first_depends_on_the_deployment(plan: Callable[..., Any]) -> None:
    shard = plan("--rate", "50", "--orchestrators", "9", "--workers", "1")["of_each_shard"]

    assert shard["saturates_first"] == "activity-worker: Python"


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf", "-inf", "many", ""])
def test_bad_rate_is_refused(nowhere: Cli, rate: str) -> None:
    done = nowhere("capacity", "--rate", rate)

    assert (done.code, done.out) == (2, "")


@pytest.mark.parametrize(
    "option",
    [
        ("--steps-per-run", "0"),
        ("--steps-per-run", "nan"),
        ("--retention-days", "-1"),
        ("--retention-days", "inf"),
        ("--ledger-days", "nan"),
        ("--busy", "0"),
        ("--busy", "1.1"),
        ("--database-cores", "nan"),
        ("--etcd-commits", "inf"),
        ("--orchestrators", "-1"),
    ],
)
def test_bad_option_is_refused(nowhere: Cli, write: Write, option: tuple[str, str]) -> None:
    write("costs.json", costs())

    done = nowhere("capacity", "--rate", "10", "--measured", "costs.json", *option)

    assert done.code in {2, 7}
    assert done.out == ""


def test_part_that_idles_away_all_it_may_do_is_told(nowhere: Cli, write: Write) -> None:
    cpu = {name: cost(*values) for name, values in CPU.items()}
    cpu["orchestrator"]["idle"] = 0.8
    write("costs.json", costs(cpu=cpu))

    done = nowhere("capacity", "--rate", "10", "--measured", "costs.json")

    assert (done.code, done.out) == (7, "")
    assert "orchestrator" in done.err


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        costs(version=2),
        costs(schema="x"),
        costs(cpu={}),
        costs(busiest_scheduler=cost(0, 0, -1)),
        costs(busiest_scheduler=cost(0, 0, math.nan)),
        costs(services={}),
        "[" * 100_000,
    ],
)
def test_file_without_costs_is_refused(nowhere: Cli, text: str) -> None:
    done = nowhere("capacity", "--rate", "10", "--measured", "-", stdin=text)

    assert (done.code, done.out) == (7, "")


def test_no_server_is_asked_and_none_is_needed(nowhere: Cli, write: Write) -> None:
    write("costs.json", costs())

    done = nowhere("capacity", "--rate", "10", "--measured", "costs.json", HOLDFAST_API="http://x")

    assert done.code == 0


def test_costs_come_with_the_command(nowhere: Cli) -> None:
    done = nowhere("capacity", "--rate", "10", "-o", "json")

    assert done.code == 0
    found = json.loads(done.out)
    assert found["basis"] == "measured"
    assert set(found["measured"]["error"]) >= {"throughput, mean", "throughput, most"}
