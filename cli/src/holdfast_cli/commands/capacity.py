"""``holdfast capacity``: what a rate of activities needs."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from holdfast_cli.capacity import coefficients as costs
from holdfast_cli.capacity.coefficients import Coefficients, CoefficientsError
from holdfast_cli.capacity.demand import Limits, Wish
from holdfast_cli.capacity.document import document
from holdfast_cli.capacity.shards import plan
from holdfast_cli.errors import CliError, ExitCode
from holdfast_cli.inputs import file_bytes
from holdfast_cli.output import Format, fields, rows, show
from holdfast_cli.session import Output

_LIMITS = Limits()


def capacity(
    *,
    rate: Annotated[float, typer.Option("--rate", help="Activities a second.", show_default=False)],
    steps_per_run: Annotated[
        float,
        typer.Option(
            "--steps-per-run",
            min=1,
            help="Activities of a run. Chains of three and batches were measured; what is between"
            " is interpolated.",
        ),
    ] = 3,
    retention_days: Annotated[
        float, typer.Option("--retention-days", min=0, help="How long finished runs are kept.")
    ] = 30,
    ledger_days: Annotated[
        float,
        typer.Option("--ledger-days", min=0, help="For how long the ledger has to find room."),
    ] = 365,
    orchestrators: Annotated[
        int,
        typer.Option(
            "--orchestrators", min=0, help="Pods of it, to see how far they go. 0: what it takes."
        ),
    ] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, help="The same for the activity worker.")
    ] = 0,
    status_apis: Annotated[
        int, typer.Option("--status-apis", min=0, help="The same for the status API.")
    ] = 0,
    busy: Annotated[
        float,
        typer.Option("--busy", min=0.05, max=1, help="How busy what is planned may be."),
    ] = _LIMITS.busy,
    database_cores: Annotated[
        float,
        typer.Option("--database-cores", min=1, help="Assumed: the cores of one database."),
    ] = _LIMITS.database_cores,
    database_log: Annotated[
        float,
        typer.Option("--database-log", min=1, help="Assumed: MB/s of log that one takes."),
    ] = _LIMITS.database_wal_mb,
    database_connections: Annotated[
        int,
        typer.Option("--database-connections", min=1, help="Assumed: connections that one takes."),
    ] = _LIMITS.database_connections,
    database_disk: Annotated[
        float, typer.Option("--database-disk", min=0.01, help="Assumed: TiB of one's disk.")
    ] = _LIMITS.database_disk_tib,
    scheduler_cores: Annotated[
        float, typer.Option("--scheduler-cores", min=1, help="Assumed: the cores of a scheduler.")
    ] = _LIMITS.scheduler_cores,
    etcd_commits: Annotated[
        float,
        typer.Option(
            "--etcd-commits", min=1, help="Assumed: commits a second of a group of schedulers."
        ),
    ] = _LIMITS.etcd_commits,
    measured: Annotated[
        str | None,
        typer.Option(
            "--measured",
            metavar="FILE",
            help="Costs that `make bench-scaling` wrote; - is stdin. If not given, those that came"
            " with this command.",
            show_default=False,
        ),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say what a rate of activities needs: pods, CPU, database, disks, and how many shards.

    It asks no server. The costs were measured; what is said beyond the measured rate is
    extrapolated, and labelled so.
    """
    given = {
        costs.ORCHESTRATOR: orchestrators,
        costs.WORKER: workers,
        costs.STATUS_API: status_apis,
    }
    wish = Wish(rate, steps_per_run, retention_days, ledger_days, given)
    limits = Limits(
        database_cores=database_cores,
        database_wal_mb=database_log,
        database_connections=database_connections,
        database_disk_tib=database_disk,
        scheduler_cores=scheduler_cores,
        etcd_commits=etcd_commits,
        busy=busy,
    )
    if not (math.isfinite(rate) and rate > 0):
        raise typer.BadParameter(f"{rate:g} is no rate: it has to be above 0", param_hint="--rate")
    known = _known(measured)
    try:
        found = document(known, plan(known, wish, limits))
    except ValueError as error:
        raise CliError(ExitCode.INVALID, "Nothing can be planned so", str(error)) from None
    show(found, output, _table)


def _known(name: str | None) -> Coefficients:
    try:
        if name is None:
            return costs.packaged()
        return costs.parsed(file_bytes(name, "The costs").decode("utf-8", "replace"))
    except CoefficientsError as error:
        title = f"{name or 'The file of this command'} holds no measured costs"
        raise CliError(ExitCode.INVALID, title, str(error)) from None


def _table(found: dict[str, Any]) -> RenderableType:
    shard, scheduler = found["of_each_shard"], found["of_each_scheduler_group"]
    services = rows(
        ("SERVICE", "PODS", "CORES USED", "CPU REQUEST", "MEMORY", "FULL AT"),
        (
            [
                name,
                one["pods"],
                f"{_said(one['cores_of_a_pod'])} + {_said(one['cores_of_its_sidecar'])}",
                f"{one['cpu_request']}m + {one['sidecar_cpu_request']}m",
                f"{one['memory_request_mib']} to {one['memory_limit_mib']} MiB",
                f"{_said(shard['full_at'][f'{name}: Python'])}/s",
            ]
            for name, one in shard["services"].items()
        ),
        empty="",
    )
    return Group(
        _head(found),
        Text(),
        Text(_each("shard", found["shards"], shard["rate"]), style="bold"),
        services,
        Text("  each pod, service + sidecar", style="dim"),
        Text(),
        _named("database", shard["database"]),
        Text(),
        Text(_each("scheduler group", found["scheduler_groups"], None), style="bold"),
        _named("scheduler", scheduler),
        Text(),
        _named("sum", found["sum"]),
        Text(),
        Text("One of a kind, or more (asked for / what one bears = how many):", style="bold"),
        *(Text(f"  {line}") for line in found["arithmetic"]),
        Text(f"Full first: {shard['saturates_first']}."),
        Text(),
        Text(f"Fitted: {found['fitted']}. From the charts: {found['from_the_charts']}."),
        Text("Assumed: what one database and one scheduler group bear; there are options for it."),
    )


def _head(found: dict[str, Any]) -> RenderableType:
    measured = found["measured"]
    times = _said(found["times_the_highest_measured_rate"])
    most = f"{_said(measured['activities_per_s'])} activities/s on {measured['cores']} cores"
    basis = Text(f"measured: up to {most}", "green")
    if found["basis"] == "extrapolated":
        basis = Text(f"EXTRAPOLATED: {times} times what was measured, {most}", "bold yellow")
    return fields(
        {
            "rate": f"{_said(found['rate'])} activities/s, {_said(found['runs_per_s'])} runs/s"
            f" of {_said(found['steps_per_run'])}",
            "basis": basis,
            "model's error": _error(measured.get("error")),
            "measured on": measured.get("began"),
            "measured runs": _runs(measured.get("steps_per_run")),
        }
    )


def _error(error: Any) -> str | None:
    if not isinstance(error, dict):
        return None
    return ", ".join(
        f"{name.replace('_', ' ')} {100 * share:.0f} %" for name, share in error.items()
    )


def _runs(steps: Any) -> str | None:
    told = isinstance(steps, list) and len(steps) > 1
    return f"of {steps[0]} activities in a row, of {steps[-1]} in parallel" if told else None


def _each(what: str, count: int, rate: float | None) -> str:
    told = f"Each of {count} {what}s" if count > 1 else f"One {what}"
    return told if rate is None else f"{told}: {_said(rate)} activities/s"


def _named(head: str, values: dict[str, Any]) -> RenderableType:
    told = {name.replace("_", " "): _said(value) for name, value in values.items()}
    return Group(Text(head.upper()), fields({f"  {name}": value for name, value in told.items()}))


def _said(value: Any) -> str:
    if value is None:
        return "no bound"
    return f"{value:,.10g}" if isinstance(value, float | int) else str(value)
