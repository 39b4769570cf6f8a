"""docs/scaling.md: what was measured, what the model makes of it, and how far it is off.

The text is in ``page.md.j2``; here is what is put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median
from typing import Any

from jinja2 import Environment, StrictUndefined

from bench.scaling.coefficients import off, steps_per_run
from bench.scaling.model import Error, Model, cpu_errors, throughput_errors, utilisations
from bench.scaling.plan import BATCHES, CLIENT, OUTSIDE, REST, Deployment, Load
from bench.scaling.windows import Measured
from holdfast_cli.capacity.coefficients import SERVICES, STATUS_API, Coefficients
from holdfast_cli.capacity.demand import Limits, Wish
from holdfast_cli.capacity.document import document
from holdfast_cli.capacity.shards import plan

RATES = (100.0, 1_000.0, 10_000.0)
IMAGE = "images/scaling.svg"
_TEMPLATE = Path(__file__).with_name("page.md.j2")
_NAMES = {
    CLIENT: "the measurement's client",
    REST: "all else on the nodes: Kubernetes",
    OUTSIDE: "outside of the nodes: container engine, kernel, others",
}
_BETWEEN = " \N{EN DASH} "
_DATABASE, _GROUP = ("of_each_shard", "database"), ("of_each_scheduler_group",)
#: What the table of rates shows, and where it is in the document of ``holdfast capacity``.
_ROWS: Mapping[str, tuple[str, ...]] = {
    "shards: namespaces with a database each": ("shards",),
    "scheduler groups of three": ("scheduler_groups",),
    "**in each shard:** activities/s": ("of_each_shard", "rate"),
    **{f"{name}, pods": ("of_each_shard", "services", name, "pods") for name in SERVICES},
    "database, cores": (*_DATABASE, "cores"),
    "database, commits/s": (*_DATABASE, "commits_per_s"),
    "database, disk writes/s: syncs and pages": (*_DATABASE, "disk_writes_per_s"),
    "database, log, MB/s": (*_DATABASE, "log_mb_per_s"),
    "database, `max_connections`": (*_DATABASE, "max_connections"),
    "database, runs of 30 days, GB": (*_DATABASE, "retained_gb"),
    "database, ledger of a year, GB": (*_DATABASE, "ledger_gb"),
    "**in each scheduler group:** cores of the busiest": (*_GROUP, "cores_of_the_busiest"),
    "etcd, commits/s": (*_GROUP, "etcd_commits_per_s"),
    "etcd, log, MB/s": (*_GROUP, "etcd_log_mb_per_s"),
    "etcd, disk of a member, GB": (*_GROUP, "disk_gb_of_a_member"),
    "**sum:** pods of the services": ("sum", "pods_of_services"),
    "cores asked for": ("sum", "cores"),
    "memory of the services, GiB": ("sum", "services_memory_gib"),
}


def page(measured: Measured, model: Model, costs: Coefficients, full: Load) -> str:
    """Return the page in Markdown."""
    machine, errors = measured.machine, throughput_errors(measured, full)
    at_full = [window for window in measured.sound if window.load == full]
    whole = plan(costs, Wish(RATES[-1]), Limits())
    short = plan(costs, Wish(RATES[-1], retention_days=1, ledger_days=30), Limits())
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(  # noqa: S701 - Markdown
        _TEMPLATE.read_text("utf-8")
    )
    text = template.render(
        began=measured.began,
        minutes=f"{measured.minutes:g}",
        status_apis=at_full[0].pods[STATUS_API],
        processor=machine["processor"],
        cores=measured.cores,
        memory=machine["memory_gib"],
        versions=", ".join(f"{name} {version}" for name, version in measured.versions.items()),
        load_before=machine["load_before"],
        load_under=_span([window.load_average for window in at_full]),
        steps=steps_per_run(measured),
        in_flight=full.in_flight,
        throughput=_throughput(measured, errors, full),
        image=IMAGE,
        windows=len(measured.sound),
        disturbed=len(measured.windows) - len(measured.sound),
        cpu=_cpu(measured, model),
        counts=_counts(model),
        in_use=f"{model.in_use:.0%}",
        levels={name: _number(value) for name, value in _levels(measured).items()},
        **_busy(measured, full),
        **_errors(errors, cpu_errors(measured, full)),
        highest=_number(costs.highest_rate),
        rates=_rates(costs),
        limits={
            name: int(value) if float(value).is_integer() else value
            for name, value in asdict(Limits()).items()
        },
        shard_rate=_number(RATES[-1]),
        arithmetic="\n".join(document(costs, whole)["arithmetic"]),
        short=f"{short.shards} namespaces and {short.scheduler_groups} scheduler groups",
        failures=[
            *(
                f"{one} under {full}: in every repeat something else used the machine."
                for one in measured.disturbed(full)
            ),
            *map(_one_line, measured.failures),
        ],
    )
    return text.strip() + "\n"


def _throughput(measured: Measured, errors: Sequence[Error], full: Load) -> str:
    predicted = {error.deployment: error for error in errors}
    rows = []
    for deployment, error in predicted.items():
        seen = measured.at(deployment, full)
        rates = [window.runs_per_s for window in seen]
        rows.append(
            (
                f"{deployment.orchestrators} + {deployment.workers}",
                f"**{_number(median(rates))}**",
                _span(rates),
                _number(median(window.steps_per_s for window in seen)),
                _number(_batches(measured, deployment)),
                _number(median(window.latencies_ms["p50"] for window in seen)),
                _number(median(window.latencies_ms["p99"] for window in seen)),
                f"{_number(error.predicted)} ({error.share:+.0%})",
            )
        )
    head = (
        "orchestrators + workers",
        "chains/s",
        f"lowest{_BETWEEN}highest",
        "activities/s",
        "activities/s in batches",
        "p50, ms",
        "p99, ms",
        "predicted without it",
    )
    return _table(head, rows)


def _batches(measured: Measured, deployment: Deployment) -> float | None:
    seen = [
        window.steps_per_s
        for window in measured.sound
        if window.deployment == deployment and window.load.what == BATCHES
    ]
    return median(seen) if seen else None


def _busy(measured: Measured, full: Load) -> dict[str, str]:
    """Return the table of what is how busy, and what is the fullest."""
    processes = {name: one["processes"] for name, one in measured.services.items()}
    names: list[str] = []
    rows, firsts = [], []
    for deployment in measured.deployments():
        tables = [
            utilisations(window, measured.cores, processes)
            for window in measured.at(deployment, full)
        ]
        if not tables:
            continue
        shares = {name: median(table[name] for table in tables) for name in tables[0]}
        names = names or list(shares)
        firsts.append(max(shares, key=lambda name, of=shares: of[name]))  # type: ignore[misc]
        rows.append((str(deployment), *(f"{shares[name]:.0%}" for name in names), firsts[-1]))
    same = len(set(firsts)) == 1
    first = f"**{firsts[0]}**, whatever the pods." if same else "it depends on the pods."
    return {"first": first, "busy": _table(("pods", *names, "fullest"), rows)}


def _cpu(measured: Measured, model: Model) -> str:
    steps = model.steps_of_a_chain
    each = {name: cost.step + cost.run / steps for name, cost in model.cpu.items()}
    rows = [
        (
            _NAMES.get(name, name),
            f"{1000 * model.cpu[name].idle:.1f}",
            f"{1000 * model.cpu[name].run:.2f}",
            f"{1000 * model.cpu[name].step:.2f}",
            f"**{1000 * each[name]:.2f}**",
            f"{each[name] / sum(each.values()):.0%}",
            _number(measured.memory_mib.get(name)),
        )
        for name in sorted(each, key=lambda name: -each[name])
    ]
    head = (
        "CPU, ms",
        "idle, per pod and second",
        "a run",
        "a step",
        "an activity of a chain",
        "share",
        "most memory of a pod, MiB",
    )
    return _table(head, rows)


def _counts(model: Model) -> str:
    steps = model.steps_of_a_chain
    rows = [
        (
            f"`{name}`",
            _number(cost.idle),
            _number(cost.run),
            _number(cost.step),
            f"**{_number(cost.step + cost.run / steps)}**",
        )
        for name, cost in model.counts.items()
    ]
    return _table(("count", "idle, per second", "a run", "a step", "an activity of a chain"), rows)


def _levels(measured: Measured) -> dict[str, float]:
    """Return sizes in MB."""
    return {
        name.replace("_bytes", "_mb"): value / 10**6 if name.endswith("_bytes") else value
        for name, value in measured.levels.items()
    }


def _errors(throughput: Sequence[Error], cpu: Sequence[Error]) -> dict[str, str | int]:
    naive = mean(
        abs(mean(other.measured for other in throughput if other is not one) / one.measured - 1)
        for one in throughput
    )
    found = {
        f"{what}_{which}": f"{share:.1%}"
        for what, errors in (("throughput", throughput), ("cpu", cpu))
        for which, share in zip(("mean", "most"), off(errors), strict=True)
    }
    return {**found, "naive": f"{naive:.1%}", "cpu_windows": len(cpu)}


def _rates(costs: Coefficients) -> str:
    found = [document(costs, plan(costs, Wish(rate), Limits())) for rate in RATES]
    rows = [("", *(_label(one) for one in found))]
    rows += [(told, *(_number(_at(one, path)) for one in found)) for told, path in _ROWS.items()]
    rows.append(("full first", *(one["of_each_shard"]["saturates_first"] for one in found)))
    return _table(("activities/s", *map(_number, RATES)), rows)


def _label(one: Mapping[str, Any]) -> str:
    times = _number(one["times_the_highest_measured_rate"])
    return "measured" if one["basis"] == "measured" else f"**extrapolated**, {times} times"


def _at(one: Mapping[str, Any], path: Iterable[str]) -> float | None:
    found: Any = one
    for name in path:
        found = found[name]
    return None if found is None else float(found)


def _span(values: Sequence[float]) -> str:
    return f"{_number(min(values))}{_BETWEEN}{_number(max(values))}"


def _number(value: float | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
