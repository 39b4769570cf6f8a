"""The page says what was measured, how far the model is off, and what is extrapolated."""

from __future__ import annotations

import re
from dataclasses import replace

from bench.scaling.chart import chart
from bench.scaling.commands import page_of
from bench.scaling.plan import OUTSIDE
from tests.unit.bench.scaling import made


def row(page: str, first: str) -> list[str]:
    """Return the cells of the row of a table that begins so."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_page_shows_each_deployment_with_its_prediction_and_error() -> None:
    page = page_of(made.measured())

    for deployment in made.DEPLOYMENTS:
        cells = row(page, f"{deployment.orchestrators} + {deployment.workers}")
        assert cells[1] == f"**{made.rate(deployment, made.FULL):.3g}**"
        assert re.search(r"\([+-]0%\)", cells[-1])


def test_page_states_the_models_error_against_the_measurements() -> None:
    page = page_of(made.measured())

    assert re.search(r"off by \*\*0\.0%\*\*\s+on average, \*\*0\.0%\*\* at most", page)


def test_page_names_what_is_full_first() -> None:
    assert "On this machine: **the machine's CPU**, whatever the pods." in page_of(made.measured())


def test_page_labels_what_is_beyond_the_measured_rate() -> None:
    labels = row(page_of(made.measured()), "")

    assert all(label.startswith("**extrapolated**") for label in labels[2:])


def test_page_shows_the_arithmetic_of_shards() -> None:
    page = page_of(made.measured())

    assert re.search(r"etcd of a scheduler group: .* commits/s .* = \d+", page)
    assert re.search(r"disk of a database: .* TiB .* = \d+", page)


def test_page_names_what_could_not_be_measured() -> None:
    measured = made.measured()
    measured.failures.append("3+3 #3: no time\nwas left for it")

    assert "\n- 3+3 #3: no time was left for it\n" in page_of(measured)


def test_page_names_a_deployment_that_was_disturbed_in_every_repeat() -> None:
    measured = made.measured()
    last = made.DEPLOYMENTS[-1]
    for at, window in enumerate(measured.windows):
        if (window.deployment, window.load) == (last, made.FULL):
            others = {**window.cpu, OUTSIDE: window.cpu[OUTSIDE] + 0.5 * window.seconds}
            measured.windows[at] = replace(window, cpu=others)

    page = page_of(measured)

    assert f"\n- {last} under {made.FULL}: in every repeat something else used" in page
    assert f"| {last.orchestrators} + {last.workers} |" not in page
    assert chart(measured)["deployments"] == [str(one) for one in made.DEPLOYMENTS[:-1]]
