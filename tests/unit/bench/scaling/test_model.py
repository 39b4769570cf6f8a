"""The model finds the costs that measurements were made of, and says how far it is off."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bench.scaling.coefficients import as_text, coefficients, highest_rate, model_of, off
from bench.scaling.model import (
    Cost,
    ModelError,
    cpu_errors,
    fitted,
    full_load,
    throughput_errors,
    utilisations,
)
from bench.scaling.plan import OUTSIDE
from bench.scaling.windows import Measured
from holdfast_cli.capacity import coefficients as kept
from tests.unit.bench.scaling import made

SEED = 7


def near(cost: Cost) -> object:
    return pytest.approx((cost.idle, cost.run, cost.step), abs=1e-9)


@pytest.mark.parametrize("name", made.CPU)
def test_cost_of_each_part_is_what_the_measurements_were_made_of(name: str) -> None:
    found = model_of(made.measured()).cpu[name]

    assert (found.idle, found.run, found.step) == near(made.CPU[name])


def test_counts_and_the_busiest_scheduler_are_fitted_like_the_rest() -> None:
    model = model_of(made.measured())

    commits = model.counts["database_commits"]
    assert (commits.idle, commits.run, commits.step) == near(made.COUNTS["database_commits"])
    third = model.busiest_scheduler
    assert third.step == pytest.approx(made.CPU["scheduler"].step / 3)
    assert model.in_use == pytest.approx(made.IN_USE)


def test_throughput_that_was_left_out_is_predicted_from_the_others() -> None:
    errors = throughput_errors(made.measured(), made.FULL)

    assert {error.deployment for error in errors} == set(made.DEPLOYMENTS)
    for error in errors:
        assert error.measured == pytest.approx(made.rate(error.deployment, made.FULL))
        assert error.share == pytest.approx(0, abs=1e-6)


def test_more_pods_cost_more_when_nothing_runs_and_are_predicted_to() -> None:
    slow = made.rate(made.DEPLOYMENTS[-1], made.FULL)

    assert slow < made.rate(made.DEPLOYMENTS[0], made.FULL)


def test_noise_of_five_per_cent_leaves_an_error_of_about_that() -> None:
    noise = random.Random(SEED)  # noqa: S311 - repeatable from its seed
    measured = made.measured(lambda: noise.uniform(0.95, 1.05), repeats=3)

    for errors in (throughput_errors(measured, made.FULL), cpu_errors(measured, made.FULL)):
        average, most = off(errors)
        assert 0 < average <= most < 0.1


def test_what_costs_more_on_one_deployment_shows_as_error_and_is_not_hidden() -> None:
    measured = made.measured()
    odd = made.DEPLOYMENTS[-1]
    for at, window in enumerate(measured.windows):
        if window.deployment == odd and window.runs:
            seconds, busy = window.seconds * 2, window.busy * 2
            measured.windows[at] = replace(window, seconds=seconds, busy=busy)

    found = {error.deployment: error for error in throughput_errors(measured, made.FULL)}

    # Half as many runs, and the model of the others, which has not seen that, says all of them.
    assert found[odd].share == pytest.approx(1)


def test_window_in_which_somebody_else_used_the_machine_is_left_out() -> None:
    measured = made.measured()
    at = next(at for at, one in enumerate(measured.windows) if one.load == made.FULL)
    window = measured.windows[at]
    others = window.cpu[OUTSIDE] + 0.5 * window.seconds
    measured.windows[at] = replace(window, cpu={**window.cpu, OUTSIDE: others}, runs=1)

    assert len(measured.sound) == len(measured.windows) - 1
    assert off(throughput_errors(measured, made.FULL))[1] == pytest.approx(0, abs=1e-6)


def test_one_kind_of_load_cannot_tell_runs_from_steps() -> None:
    chains = [one for one in made.measured().windows if one.load != made.LOADS[-1]]

    with pytest.raises(ModelError, match="cannot be told"):
        fitted(chains, made.FULL, made.CORES)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_deployments_to_leave_one_out_are_told(count: int) -> None:
    measured = made.measured()
    kept_ones = made.DEPLOYMENTS[:count]
    measured.windows = [one for one in measured.windows if one.deployment in kept_ones]

    with pytest.raises(ModelError):
        throughput_errors(measured, made.FULL)


def test_measurement_without_chains_is_none() -> None:
    measured = made.measured()
    measured.windows = [one for one in measured.windows if not one.runs]

    with pytest.raises(ModelError):
        full_load(measured)


def test_fullest_comes_first() -> None:
    window = made.window(made.DEPLOYMENTS[0], made.FULL)
    processes = {"orchestrator": 1, "activity-worker": 1, "status-api": 2}

    shares = utilisations(window, made.CORES, processes)

    assert next(iter(shares)) == "the machine's CPU"
    assert shares["the machine's CPU"] == pytest.approx(made.IN_USE)
    python = window.cpu["orchestrator"] / window.seconds
    assert shares["orchestrator: Python"] == pytest.approx(python)
    # The busiest of two pods, which has two processes.
    status_api = window.cpu["status-api"] / 2 / 2 / window.seconds
    assert shares["status-api: Python"] == pytest.approx(status_api)


def test_file_of_the_command_holds_the_fitted_costs_and_the_error() -> None:
    measured = made.measured()

    found = kept.parsed(as_text(measured))

    assert found.cpu["postgresql"].step == pytest.approx(made.CPU["postgres"].step)
    assert found.highest_rate == pytest.approx(highest_rate(measured), rel=1e-4)
    error = coefficients(measured)["measured"]["error"]
    assert set(error) == {"throughput, mean", "throughput, most", "CPU, mean", "CPU, most"}


def test_highest_rate_is_that_of_the_best_deployment() -> None:
    best = max(made.rate(deployment, made.FULL) for deployment in made.DEPLOYMENTS)

    assert highest_rate(made.measured()) == pytest.approx(best * made.STEPS)


def test_measurement_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "scaling.json"
    measured = made.measured()
    measured.write(file)

    assert Measured.read(file) == measured
