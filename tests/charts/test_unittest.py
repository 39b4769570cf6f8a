"""helm-unittest's suites: each chart's own, and the one that the services share."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.charts.conftest import CHARTS, SERVICES, Helm, tool


def run(helm: Helm, chart: str, *suites: str) -> subprocess.CompletedProcess[str]:
    files = [part for suite in suites for part in ("--file", suite)]
    return subprocess.run(
        [tool("helm-unittest"), "--strict", *files, chart],
        cwd=helm.charts,
        capture_output=True,
        text=True,
        check=False,
    )


def passed(output: str) -> int:
    found = re.search(r"Tests:\s+(\d+) passed, \1 total", output)
    assert found, output
    return int(found[1])


@pytest.mark.parametrize("chart", CHARTS)
def test_suites_of_the_chart_pass(helm: Helm, chart: str) -> None:
    done = run(helm, chart, "tests/*_test.yaml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(done.stdout) >= 5


@pytest.mark.parametrize("chart", SERVICES)
def test_what_services_have_in_common_holds_for_each(helm: Helm, chart: str) -> None:
    done = run(helm, chart, "../common/tests/*_test.yaml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert passed(done.stdout) >= 30
