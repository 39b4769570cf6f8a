"""What every contestant is put through in a block: chains, fan-outs, and what they cost."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

from bench.contestants.base import Contestant
from bench.machine import cpu_between, cpu_seconds
from bench.plan import Plan

#: A step of a block: what it is called, and what takes it.
Step = tuple[str, Callable[[], dict[str, float]]]
STEPS_OF_A_CHAIN = 3


def steps(contestant: Contestant, plan: Plan, repeat: int) -> Iterator[Step]:
    """Yield the steps of one block."""
    yield "warm-up", partial(_warm_up, contestant, plan)
    for in_flight in plan.in_flight:
        if in_flight <= contestant.most_in_flight:
            yield (
                f"{in_flight} chains in flight",
                partial(chains, contestant, plan.seconds, in_flight),
            )
    for items in plan.fan_outs:
        if items <= contestant.most_items and (repeat == 0 or items < plan.once_from_items):
            yield f"fan-out of {items:,}", partial(fan_out, contestant, items)


def chains(contestant: Contestant, seconds: float, in_flight: int) -> dict[str, float]:
    """Return throughput, latencies and CPU time of chains."""
    name = f"chain_{in_flight}"
    before = cpu_seconds(contestant.members())
    answer = contestant.driver.ask(do="chains", seconds=seconds, in_flight=in_flight)
    used = cpu_between(before, cpu_seconds(contestant.members()))
    latencies = answer["latencies_ms"]
    activities = len(latencies) * STEPS_OF_A_CHAIN
    return {
        f"{name}_runs_per_s": len(latencies) / answer["seconds"],
        f"{name}_p50_ms": statistics.median(latencies),
        f"{name}_p99_ms": percentile(latencies, 99),
        **cost(name, used, activities),
    }


def fan_out(contestant: Contestant, items: int) -> dict[str, float]:
    """Return throughput and CPU time of one fan-out."""
    name = f"fan_out_{items}"
    before = cpu_seconds(contestant.members())
    seconds = contestant.driver.ask(do="fan_out", items=items)["seconds"]
    used = cpu_between(before, cpu_seconds(contestant.members()))
    return {
        f"{name}_items_per_s": items / seconds,
        f"{name}_seconds": seconds,
        **cost(name, used, items),
    }


def cost(name: str, used: dict[str, float], activities: int) -> dict[str, float]:
    """Return the CPU seconds of 1,000 activities, of all processes and of each."""
    each = {
        f"{name}_cpu_{process}": seconds * 1000 / activities for process, seconds in used.items()
    }
    return {f"{name}_cpu": sum(each.values()), **each}


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile; of few values, the highest stands for what is beyond them."""
    if len(values) < 2:  # noqa: PLR2004 - quantiles need two
        return max(values)
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _warm_up(contestant: Contestant, plan: Plan) -> dict[str, float]:
    """Have the threads and connections made that the loads need: what is new is slow once."""
    widest = max(n for n in plan.in_flight if n <= contestant.most_in_flight)
    contestant.driver.ask(do="chains", seconds=plan.warm_up_seconds, in_flight=widest)
    return {}
