"""Take the measurement: deployment after deployment, to and fro, each under every load."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console

from bench.loads import STEPS_OF_A_CHAIN, percentile
from bench.machine import cpu_between, cpu_seconds, describe
from bench.plan import interleaved
from bench.processes import BenchError, Driver, Processes, driver
from bench.progress import bar
from bench.scaling.containers import Container, Containers, highest, summed
from bench.scaling.pace import Pace
from bench.scaling.plan import BATCHES, CHAINS, CLIENT, OUTSIDE, REST, Deployment, Load, Plan
from bench.scaling.services import services
from bench.scaling.site import SCALED, Site
from bench.scaling.windows import Measured, Window
from holdfast_chaos.waiting import pause
from holdfast_contracts.batch_processing import SAMPLE_LEGS
from holdfast_local.folders import repository


@dataclass(frozen=True)
class _Moment:
    """Everything that counts up, as it stood."""

    at: float
    cpu: Mapping[Container, float]
    nodes: float
    machine: tuple[float, float]
    client: Mapping[str, float]
    #: Of all disks of the machine.
    disk: Mapping[str, float]


class Scaling:
    """One measurement of a cluster."""

    def __init__(
        self, site: Site, plan: Plan, console: Console, kept: Path, *, more: bool = False
    ) -> None:
        """Begin anew, or with ``more`` where the last measurement ended."""
        self._site = site
        self._plan = plan
        self._kept = kept
        #: All activities, those of warming up, too.
        self._steps = 0
        self._running = Processes(repository() / ".run" / "bench-scaling")
        self._progress = bar(console)
        self.measured = Measured(
            began=datetime.now(UTC).isoformat(timespec="minutes"),
            machine=describe(repository()),
            versions=dict(site.versions),
            services=services(),
        )
        if more:
            self._go_on(Measured.read(kept))

    def _go_on(self, before: Measured) -> None:
        """Add to an earlier measurement of the same kind; its repeats come first."""
        self.measured.windows = before.windows
        self.measured.memory_mib = before.memory_mib
        self.measured.minutes = before.minutes
        self.measured.began = f"{before.began} and {self.measured.began}"

    def run(self) -> Measured:
        """Measure everything that there is time for; what was measured is kept in any case."""
        began = time.monotonic()
        blocks = list(interleaved(self._plan.deployments, self._plan.repeats))
        first = 1 + max((window.repeat for window in self.measured.windows), default=-1)
        try:
            with self._progress:
                self._bar = self._progress.add_task("starting", total=len(blocks))
                self._driver = self._drive()
                pages = self._site.counters.pages_written()
                longest = 0.0
                for number, deployment in blocks:
                    repeat = first + number
                    left = self._plan.minutes * 60 - (time.monotonic() - began)
                    if left < longest:
                        self._failed(f"{deployment} #{repeat + 1}", "no time was left for it")
                        continue
                    took = self._block(repeat, deployment)
                    longest = max(longest, took)
                pages = self._site.counters.pages_written() - pages
                self.measured.levels = {
                    **self._site.counters.levels(),
                    "database_pages_of_a_step": round(pages / max(1, self._steps), 4),
                }
        finally:
            self._running.end()
            minutes = self.measured.minutes + (time.monotonic() - began) / 60
            self.measured.minutes = round(minutes, 1)
            if self.measured.windows:
                self.measured.write(self._kept)
        return self.measured

    def _drive(self) -> Driver:
        return driver(
            self._running,
            "holdfast",
            {
                "BENCH_API_URL": self._site.url,
                "BENCH_API_TOKEN": self._site.token,
                "BENCH_SAMPLE_LEGS": str(SAMPLE_LEGS),
            },
        )

    def _block(self, repeat: int, deployment: Deployment) -> float:
        """Measure one deployment under every load, and return how long that took."""
        began = time.monotonic()
        name = f"{deployment} #{repeat + 1}"
        self._tell(f"{name}: scaling")
        counts = (deployment.orchestrators, deployment.workers)
        self._site.replicas.scale(dict(zip(SCALED, counts, strict=True)))
        containers, pods = self._site.containers(), self._site.pods()
        self._load(self._plan.warm_up)
        for load in self._plan.loads:
            self._tell(f"{name}: {load}")
            try:
                self._window(repeat, deployment, load, containers, pods)
            except BenchError as error:
                self._failed(f"{name}: {load}", str(error))
        for component, size in highest(containers.memory_mib()).items():
            known = self.measured.memory_mib.get(component, 0.0)
            self.measured.memory_mib[component] = round(max(known, size), 1)
        self._progress.advance(self._bar)
        return time.monotonic() - began

    def _window(
        self,
        repeat: int,
        deployment: Deployment,
        load: Load,
        containers: Containers,
        pods: Mapping[str, int],
    ) -> None:
        counters = self._site.counters.read()
        before = self._moment(containers)
        with Pace() as pace:
            runs, steps, latencies = self._load(load)
        after = self._moment(containers)
        grown = self._site.counters.read().since(counters)
        used = {one: after.cpu[one] - before.cpu[one] for one in containers.all}
        cpu = summed(used)
        cpu[CLIENT] = sum(cpu_between(before.client, after.client).values())
        busy, stolen = (now - then for now, then in zip(after.machine, before.machine, strict=True))
        nodes = after.nodes - before.nodes
        cpu[REST] = max(0.0, nodes - sum(used.values()))
        cpu[OUTSIDE] = max(0.0, busy - nodes - cpu[CLIENT])
        self.measured.windows.append(
            Window(
                deployment=deployment,
                repeat=repeat,
                load=load,
                seconds=round(after.at - before.at, 3),
                runs=runs,
                steps=steps,
                latencies_ms=latencies,
                pods=pods,
                cpu=_rounded(cpu),
                busiest=_rounded(highest(used)),
                counts=_rounded(grown | _more(after.disk, before.disk)),
                busy=round(busy, 3),
                stolen=round(stolen, 3),
                pace_ms=round(pace.milliseconds, 4),
                load_average=round(os.getloadavg()[0], 2),
            )
        )

    def _load(self, load: Load) -> tuple[int, int, dict[str, float]]:
        """Put the cluster under a load; return runs, activities and latencies."""
        if load.what == CHAINS:
            answer = self._driver.ask(do="chains", seconds=load.seconds, in_flight=load.in_flight)
            steps = STEPS_OF_A_CHAIN
        elif load.what == BATCHES:
            answer = self._driver.ask(
                do="fan_outs",
                seconds=load.seconds,
                in_flight=load.in_flight,
                items=self._plan.legs,
            )
            steps = self._plan.steps_of_a_batch
        else:
            pause(load.seconds)
            return 0, 0, {}
        taken = answer["latencies_ms"]
        self._steps += len(taken) * steps
        p99 = percentile(taken, 99)
        latencies = {"p50": round(median(taken), 1), "p99": round(p99, 1)}
        return len(taken), len(taken) * steps, latencies

    def _moment(self, containers: Containers) -> _Moment:
        times = psutil.cpu_times()
        at_work = times.user + times.nice + times.system + times.irq + times.softirq
        return _Moment(
            at=time.monotonic(),
            cpu=containers.cpu_seconds(),
            nodes=containers.node_seconds(self._site.nodes),
            machine=(at_work, times.steal),
            client=cpu_seconds(self._running.members()),
            disk=_disk(),
        )

    def _failed(self, what: str, why: str) -> None:
        self.measured.failures.append(f"{what}: {why}")
        self._progress.console.print(f"[red]{what}:[/] {why}", highlight=False)

    def _tell(self, what: str) -> None:
        self._progress.update(self._bar, description=what)
        if not self._progress.console.is_terminal:
            self._progress.console.print(what, highlight=False)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _disk() -> dict[str, float]:
    """Return what was written to the machine's disks, by everybody on it."""
    found = psutil.disk_io_counters()
    if found is None:
        return {}
    return {"machine_disk_writes": found.write_count, "machine_disk_bytes": found.write_bytes}


def _more(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: value - before[name] for name, value in after.items()}
