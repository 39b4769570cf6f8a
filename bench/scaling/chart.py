"""The data of the chart, which the report's own environment draws."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.scaling.coefficients import model_of
from bench.scaling.model import full_load, throughput_errors
from bench.scaling.windows import Measured


def chart(measured: Measured) -> dict[str, Any]:
    """Return throughput by deployment, measured and predicted, and an activity's CPU by part."""
    model, full = model_of(measured), full_load(measured)
    errors = throughput_errors(measured, full)
    repeats = [
        [window.runs_per_s for window in measured.at(error.deployment, full)] for error in errors
    ]
    return {
        "deployments": [str(error.deployment) for error in errors],
        "measured": repeats,
        "median": [median(rates) for rates in repeats],
        "predicted": [error.predicted for error in errors],
        "milliseconds": {
            name: 1000 * (cost.step + cost.run / model.steps_of_a_chain)
            for name, cost in model.cpu.items()
        },
    }
