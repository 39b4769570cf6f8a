"""One run of the benchmark: who is measured when, and what is kept of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console

from bench import floor, monitors, parked, recovery, status_reads
from bench.contestants import Contestant, all_contestants
from bench.contestants.holdfast import Holdfast
from bench.counts import Counters
from bench.ground import Ground
from bench.loads import Step, steps
from bench.machine import describe
from bench.plan import Plan, interleaved
from bench.processes import BenchError
from bench.progress import bar
from bench.results import Results
from holdfast_local.folders import repository

_COUNTED_CHAINS = 10


def not_asked(contestant: Contestant, plan: Plan) -> list[str]:
    """Say which fan-outs a contestant is spared."""
    most = contestant.most_items
    return [
        f"{contestant.name}: fan-out of {items:,}: it is asked for {most:,} at most"
        for items in plan.fan_outs
        if items > most
    ]


class Benchmark:
    """Everything that one run needs."""

    def __init__(self, plan: Plan, only: Sequence[str], console: Console, *, quick: bool) -> None:
        self._plan = plan
        self._ground = Ground()
        everybody = all_contestants(self._ground)
        known = [contestant.name for contestant in everybody]
        unknown = sorted(set(only) - set(known))
        if unknown:
            raise BenchError(f"{', '.join(unknown)}: the contestants are {', '.join(known)}")
        self._contestants = [one for one in everybody if not only or one.name in only]
        began = datetime.now(UTC).isoformat(timespec="minutes")
        self.results = Results(quick, began, {})
        self._progress = bar(console)

    @property
    def raw(self) -> Path:
        """Where the figures are kept, of a run that was interrupted, too."""
        return self._ground.folder / "measured.json"

    def run(self) -> Results:
        """Measure everybody and everything; what fails is noted and left out."""
        began = time.monotonic()
        shutil.rmtree(self._ground.folder, ignore_errors=True)
        self._ground.folder.mkdir(parents=True)
        blocks = 2 + len(self._contestants) * self._plan.repeats
        try:
            with self._progress:
                self._bar = self._progress.add_task("laying the ground", total=blocks)
                self._ground.lay()
                self.results.machine = describe(self._ground.folder)
                self._about_the_ground()
                for repeat, contestant in interleaved(self._prepared(), self._plan.repeats):
                    self._block(contestant, repeat)
                self._about_holdfast()
        finally:
            self._ground.clear()
            self.results.minutes = round((time.monotonic() - began) / 60, 1)
            self.results.write(self.raw)
        return self.results

    def _about_the_ground(self) -> None:
        self._step("floor", "floor", 0, lambda: floor.measure(self._ground))
        self._progress.advance(self._bar)
        # The ground is Holdfast's stack, ready; whoever comes first finds only the database.
        Holdfast(self._ground).tear_down()

    def _prepared(self) -> list[Contestant]:
        ready = []
        for contestant in self._contestants:
            self._tell(f"{contestant.title}: preparing")
            try:
                contestant.prepare()
            except Exception as error:  # noqa: BLE001 - noted; figures of an hour are not lost for it
                self._failed(contestant.title, "preparing", error)
                self._progress.advance(self._bar, self._plan.repeats)
                continue
            ready.append(contestant)
            self.results.failures += not_asked(contestant, self._plan)
            self.results.contestants[contestant.name] = {
                "title": contestant.title,
                "durability": contestant.durability,
                "versions": contestant.versions(),
            }
        return ready

    def _block(self, contestant: Contestant, repeat: int) -> None:
        def steps_in_turn() -> None:
            for what, take in steps(contestant, self._plan, repeat):
                if not self._step(contestant.name, what, repeat, take):
                    break

        self._while_up(contestant, steps_in_turn)
        self._progress.advance(self._bar)

    def _about_holdfast(self) -> None:
        for contestant in self._contestants:
            if isinstance(contestant, Holdfast):
                self._while_up(contestant, partial(self._alone, contestant))
            if contestant.parks and (self._plan.parks_all or isinstance(contestant, Holdfast)):
                take = partial(parked.measure, contestant, self._plan.parked_runs)
                park = partial(self._step, contestant.name, "parked runs", 0, take)
                self._while_up(contestant, park)
        self._progress.advance(self._bar)

    def _alone(self, holdfast: Holdfast) -> None:
        for what, take in self._steps_alone(holdfast):
            self._step(holdfast.name, what, 0, take)

    def _steps_alone(self, holdfast: Holdfast) -> Iterator[Step]:
        counters = Counters(holdfast.ground.stack)

        def counted() -> dict[str, float]:
            counters.enable()
            found = counters.of_chains(_COUNTED_CHAINS)
            return {f"count_{name}": value for name, value in found.items()}

        # First: whoever looks after runs that others leave waiting is not idle.
        yield "counts per activity", counted
        yield from status_reads.measure(holdfast, self._plan)
        yield from monitors.measure(holdfast, self._plan)
        # Last: what was killed goes on catching up for a while.
        yield from recovery.measure(holdfast, self._plan)

    def _while_up(self, contestant: Contestant, act: Callable[[], object]) -> None:
        self._tell(f"{contestant.title}: starting")
        try:
            try:
                contestant.set_up()
                act()
            finally:
                contestant.tear_down()
        except Exception as error:  # noqa: BLE001 - noted; figures of an hour are not lost for it
            self._failed(contestant.title, "starting or ending", error)
        self.results.write(self.raw)

    def _step(
        self, name: str, what: str, repeat: int, take: Callable[[], dict[str, float]]
    ) -> bool:
        self._tell(f"{name} #{repeat + 1}: {what}")
        try:
            self.results.add(name, repeat, take())
        except Exception as error:  # noqa: BLE001 - noted; figures of an hour are not lost for it
            self._failed(name, what, error)
            return False
        return True

    def _failed(self, name: str, what: str, error: Exception) -> None:
        # Where this clone lies is nobody's business who reads the report.
        said = str(error).replace(f"{repository()}/", "")
        self.results.failures.append(f"{name}: {what}: {said}")
        self._progress.console.print(f"[red]{name}: {what}:[/] {said}")

    def _tell(self, what: str) -> None:
        self._progress.update(self._bar, description=what)
        if not self._progress.console.is_terminal:
            self._progress.console.print(what)
