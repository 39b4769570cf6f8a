"""Who plans with the charts' figures plans with what the charts say."""

from __future__ import annotations

import pytest

from bench.scaling.services import mib, services


def test_connections_are_those_of_the_budget_in_the_documentation() -> None:
    found = services()

    # docs/postgresql.md: N = 32 s + 35 w + 12 (o + w) + 8
    assert found["status-api"]["connections"] == 32
    assert found["activity-worker"]["connections"] == 35
    assert found["orchestrator"]["connections"] == 0
    assert [one["sidecar_connections"] for one in found.values()] == [12, 12, 0]


def test_memory_of_a_pod_is_that_of_service_and_sidecar() -> None:
    assert services()["orchestrator"]["memory_request_mib"] == 160 + 96
    assert services()["orchestrator"]["memory_limit_mib"] == 512 + 512


@pytest.mark.parametrize(("quantity", "expected"), [("96Mi", 96), ("2Gi", 2048)])
def test_memory_is_read_in_mib(quantity: str, expected: int) -> None:
    assert mib(quantity) == expected


@pytest.mark.parametrize("quantity", ["96", "96MB", "", "-1Mi"])
def test_memory_in_another_unit_is_refused_and_not_guessed(quantity: str) -> None:
    with pytest.raises(ValueError, match="no memory in Mi or Gi"):
        mib(quantity)
