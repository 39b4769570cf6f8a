"""The fitted model as the file that comes with the command line, which plans with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from statistics import mean, median
from typing import Any

from bench.scaling.model import (
    Cost,
    Error,
    Model,
    cpu_errors,
    fitted,
    full_load,
    throughput_errors,
)
from bench.scaling.windows import Measured
from holdfast_chaos.catalogue import PLACEMENT, POSTGRES, SCHEDULER
from holdfast_cli.capacity import coefficients as kept

#: What the command calls the parts that it plans for.
_PARTS = {
    **{f"{name}{part}": f"{name}{part}" for name in kept.SERVICES for part in ("", "-sidecar")},
    SCHEDULER: kept.SCHEDULER,
    PLACEMENT: kept.PLACEMENT,
    POSTGRES: kept.DATABASE,
}
#: Costs to so many digits: more would say more than the fit knows.
_DIGITS = 5


def model_of(measured: Measured) -> Model:
    """Fit the model to everything that was measured."""
    return fitted(measured.sound, full_load(measured), measured.cores)


def highest_rate(measured: Measured) -> float:
    """Return the most activities a second that a deployment ran as chains, repeats' median."""
    full = full_load(measured)
    return max(
        median(window.steps_per_s for window in measured.at(deployment, full))
        for deployment in measured.deployments()
        if measured.at(deployment, full)
    )


def steps_per_run(measured: Measured) -> list[int]:
    """Return how many activities the runs had that were measured, fewest first."""
    return sorted({round(one.steps / one.runs) for one in measured.sound if one.runs})


def off(errors: Iterable[Error]) -> tuple[float, float]:
    """Return how far predictions are off, as a share: on average, and at most."""
    shares = [abs(error.share) for error in errors]
    return mean(shares), max(shares)


def coefficients(measured: Measured) -> dict[str, Any]:
    """Return what the command plans with."""
    model, full = model_of(measured), full_load(measured)
    throughput, cpu = throughput_errors(measured, full), cpu_errors(measured, full)
    return {
        "schema": kept.SCHEMA,
        "version": kept.VERSION,
        "measured": {
            "began": measured.began,
            "processor": measured.machine["processor"],
            "cores": measured.cores,
            "versions": measured.versions,
            "steps_per_run": steps_per_run(measured),
            "activities_per_s": _digits(highest_rate(measured)),
            "error": {
                name: _digits(share, 2)
                for what, errors in (("throughput", throughput), ("CPU", cpu))
                for name, share in zip((f"{what}, mean", f"{what}, most"), off(errors), strict=True)
            },
        },
        "cpu": {told: _cost(model.cpu[name]) for name, told in _PARTS.items()},
        "busiest_scheduler": _cost(model.busiest_scheduler),
        "counts": {name: _cost(model.counts[name]) for name in kept.COUNTS},
        "database_pages_of_a_step": measured.levels["database_pages_of_a_step"],
        "memory_mib": {
            told: measured.memory_mib[name]
            for name, told in _PARTS.items()
            if name in measured.memory_mib
        },
        "services": measured.services,
    }


def as_text(measured: Measured) -> str:
    """Return the file's text, which is read before anybody gets it."""
    text = json.dumps(coefficients(measured), indent=1) + "\n"
    kept.parsed(text)
    return text


def _cost(cost: Cost) -> dict[str, float]:
    return {name: _digits(value) for name, value in asdict(cost).items()}


def _digits(value: float, digits: int = _DIGITS) -> float:
    return float(f"{value:.{digits}g}")
