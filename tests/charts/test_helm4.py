"""Helm 4 takes the charts as Helm 3 does, and makes the same of them."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from tests.charts.conftest import CHARTS, Helm, everything_on, tool

#: Each Helm would otherwise render for the Kubernetes that it was built with.
KUBERNETES = "1.34.4"


def rendered(program: str, helm: Helm, chart: str, values: dict[str, Any]) -> list[object]:
    done = subprocess.run(
        [
            *(tool(program), "template", chart, chart, "--namespace", "holdfast"),
            *("--kube-version", KUBERNETES, "--include-crds", "--values", "-"),
        ],
        cwd=helm.charts,
        input=yaml.safe_dump(values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    documents = [one for one in yaml.safe_load_all(done.stdout) if one]
    return sorted(documents, key=lambda one: (one["kind"], one["metadata"]["name"]))


@pytest.mark.parametrize("chart", CHARTS)
def test_charts_pass_the_lint_of_helm_4(helm: Helm, chart: str) -> None:
    done = subprocess.run(
        [tool("helm4"), "lint", "--strict", chart],
        cwd=helm.charts,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chart", CHARTS)
def test_either_helm_makes_the_same_of_a_charts_defaults(helm: Helm, chart: str) -> None:
    made = rendered("helm4", helm, chart, {})

    assert made
    assert made == rendered("helm", helm, chart, {})


def test_either_helm_makes_the_same_of_all_that_can_be_switched_on(helm: Helm) -> None:
    values = everything_on()

    assert rendered("helm4", helm, "holdfast", values) == rendered("helm", helm, "holdfast", values)


def test_a_typo_is_refused_by_helm_4_too(helm: Helm) -> None:
    done = subprocess.run(
        [tool("helm4"), "template", "holdfast", "holdfast", "--set", "status-api.replica=2"],
        cwd=helm.charts,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "replica" in done.stderr
