"""Helm 4 takes the charts as Helm 3 does, and makes the same of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.charts.conftest import CHARTS, Document, Helm, everything_on

#: Each Helm would otherwise render for the Kubernetes that it was built with.
KUBERNETES = "1.34.4"


@pytest.fixture(scope="session")
def helm4(helm: Helm) -> Helm:
    return replace(helm, program="helm4")


def rendered(helm: Helm, chart: str, values: dict[str, Any]) -> list[Document]:
    made = helm.documents(chart, values, "--kube-version", KUBERNETES, "--include-crds")
    return sorted(made, key=lambda one: (one["kind"], one["metadata"]["name"]))


@pytest.mark.parametrize("chart", CHARTS)
def test_charts_pass_the_lint_of_helm_4(helm4: Helm, chart: str) -> None:
    done = helm4.run("lint", "--strict", chart)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_either_helm_makes_the_same_of_a_charts_defaults(
    helm: Helm, helm4: Helm, chart: str
) -> None:
    made = rendered(helm4, chart, {})

    assert made
    assert made == rendered(helm, chart, {})


def test_either_helm_makes_the_same_of_all_that_can_be_switched_on(helm: Helm, helm4: Helm) -> None:
    values = everything_on()

    assert rendered(helm4, "holdfast", values) == rendered(helm, "holdfast", values)


def test_a_typo_is_refused_by_helm_4_too(helm4: Helm) -> None:
    done = helm4.template("holdfast", {"status-api": {"replica": 2}})

    assert done.returncode != 0
    assert "replica" in done.stderr
