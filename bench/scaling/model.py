"""The model: what each part costs always, for a run and for a step; and how far that is off.

On one machine the parts share the cores, so throughput ends where the sum of their demands meets
what there is (utilisation law): ``rate = (cores in use - idle) / cost of a run``. How many cores
are in use at that point is measured, too: a closed loop never uses quite all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

from bench.scaling.least_squares import fit
from bench.scaling.plan import CHAINS, Deployment, Load
from bench.scaling.windows import Measured, Window
from holdfast_chaos.catalogue import SCHEDULER

_COLUMNS = ("idle", "runs", "steps")
#: Fewer cannot be left out one by one.
_LEAST_DEPLOYMENTS = 3


class ModelError(ValueError):
    """The measurements do not carry a model; the text says why."""


@dataclass(frozen=True)
class Cost:
    """What something costs: for each pod and second, for each run, for each step."""

    idle: float
    run: float
    step: float

    def of(self, *, pods: float, runs: float, steps: float) -> float:
        """Return what it comes to, for so many of each (in a second)."""
        return self.idle * pods + self.run * runs + self.step * steps


@dataclass(frozen=True)
class Error:
    """One prediction of a model that has not seen what it predicts."""

    deployment: Deployment
    predicted: float
    measured: float

    @property
    def share(self) -> float:
        """How far it is off, as a share of what was measured."""
        return (self.predicted - self.measured) / self.measured


@dataclass(frozen=True)
class Model:
    """Every cost."""

    cpu: dict[str, Cost]
    #: Of the scheduler's members the busiest.
    busiest_scheduler: Cost
    counts: dict[str, Cost]
    #: The share of the machine that is in use when chains fill it.
    in_use: float
    steps_of_a_chain: float

    def demand(self, pods: Mapping[str, int], runs: float, steps: float) -> float:
        """Return the cores that a load takes, of all parts together."""
        return sum(
            cost.of(pods=pods.get(name, 1), runs=runs, steps=steps)
            for name, cost in self.cpu.items()
        )

    def chains_per_s(self, pods: Mapping[str, int], cores: float) -> float:
        """Return the rate of chains at which a machine of so many cores is full."""
        idle = self.demand(pods, 0, 0)
        each = self.demand(pods, 1, self.steps_of_a_chain) - idle
        return max(0.0, self.in_use * cores - idle) / each


def fitted(windows: Sequence[Window], full: Load, cores: int) -> Model:
    """Fit every cost to windows under different loads; raise ``ModelError`` if they cannot tell."""
    if not windows:
        raise ModelError("nothing was measured")
    at_full = [window for window in windows if window.load == full and window.runs]
    if not at_full:
        raise ModelError(f"nothing was measured under {full}")
    try:
        return Model(
            cpu={name: _cost(windows, _cpu_of(name), name) for name in _names(windows, _cpu)},
            busiest_scheduler=_cost(windows, lambda one: one.busiest.get(SCHEDULER, 0.0)),
            counts={name: _cost(windows, _count_of(name)) for name in _names(windows, _counts)},
            in_use=median(window.busy / window.seconds / cores for window in at_full),
            steps_of_a_chain=mean(window.steps / window.runs for window in at_full),
        )
    except ValueError as error:
        raise ModelError(str(error)) from error


def _cost(
    windows: Sequence[Window], of: Callable[[Window], float], component: str | None = None
) -> Cost:
    """Fit what grew in the windows; what a component costs when idle, it costs for each pod."""
    rows = [
        (window.pods.get(component or "", 1), window.runs_per_s, window.steps_per_s)
        for window in windows
    ]
    return Cost(*fit(rows, [of(window) / window.seconds for window in windows], _COLUMNS))


def _cpu(window: Window) -> Mapping[str, float]:
    return window.cpu


def _counts(window: Window) -> Mapping[str, float]:
    return window.counts


def _names(windows: Sequence[Window], table: Callable[[Window], Mapping[str, float]]) -> list[str]:
    return sorted({name for window in windows for name in table(window)})


def _cpu_of(name: str) -> Callable[[Window], float]:
    return lambda window: window.cpu.get(name, 0.0)


def _count_of(name: str) -> Callable[[Window], float]:
    return lambda window: window.counts.get(name, 0.0)


def throughput_errors(measured: Measured, full: Load) -> list[Error]:
    """Predict each deployment's throughput by a model of all others, and compare."""
    errors = []
    for deployment, model in _without_each(measured, full):
        seen = measured.at(deployment, full)
        errors.append(
            Error(
                deployment,
                model.chains_per_s(seen[0].pods, measured.cores),
                median(window.runs_per_s for window in seen),
            )
        )
    return errors


def cpu_errors(measured: Measured, full: Load) -> list[Error]:
    """Predict the cores in use in every loaded window by a model without its deployment."""
    errors = []
    for deployment, model in _without_each(measured, full):
        for window in measured.sound:
            if window.deployment == deployment and window.runs:
                demand = model.demand(window.pods, window.runs_per_s, window.steps_per_s)
                errors.append(Error(deployment, demand, window.busy / window.seconds))
    return errors


def _without_each(measured: Measured, full: Load) -> Iterable[tuple[Deployment, Model]]:
    deployments = measured.deployments()
    if len(deployments) < _LEAST_DEPLOYMENTS:
        raise ModelError(f"{len(deployments)} deployments: leaving out one takes more")
    for deployment in deployments:
        others = [window for window in measured.sound if window.deployment != deployment]
        if measured.at(deployment, full):
            yield deployment, fitted(others, full, measured.cores)


def full_load(measured: Measured) -> Load:
    """Return the load at which deployments are compared: the most chains in flight."""
    chains = {window.load for window in measured.sound if window.load.what == CHAINS}
    if not chains:
        raise ModelError("no chains were measured")
    return max(chains, key=lambda load: load.in_flight)


def utilisations(window: Window, cores: int, processes: Mapping[str, int]) -> dict[str, float]:
    """Return how busy each thing is that could be full, the fullest first.

    A service's Python has a core for each process of its busiest pod; a log can be synced for all
    of the time at most.
    """
    found = {"the machine's CPU": window.busy / cores}
    found |= {
        f"{name}: Python": window.busiest[name] / count
        for name, count in processes.items()
        if name in window.busiest
    }
    found |= {
        "database: syncing its log": window.counts.get("database_sync_seconds", 0.0),
        "scheduler: syncing etcd's log": window.counts.get("etcd_sync_seconds", 0.0),
    }
    shares = {name: seconds / window.seconds for name, seconds in found.items()}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
