"""What a campaign came to, as tables on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from holdfast_chaos.campaign import OFTEN_ENOUGH, Performance, Sum
from holdfast_chaos.coverage import KindCovered
from holdfast_chaos.soak import Soak
from holdfast_chaos.statistics import summary
from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.certificate import PASS

_MOST_VIOLATIONS = 20
_MB = 10**6


def show_performance(played: Performance, out: Console) -> None:
    """Print invariants, violations, kinds and totals of one performance."""
    certificate = played.certificate
    table = Table("", "holds when", "facts", "", box=box.SIMPLE_HEAD)
    for result in certificate.invariants:
        verdict = "[green]✓[/]" if result.holds else "[bold red]✗[/]"
        facts = f"{result.facts:,}"
        table.add_row(result.id, result.title, facts, verdict if result.applies else "-")
    out.print(table)
    for result in certificate.invariants:
        for violation in result.violations[:_MOST_VIOLATIONS]:
            out.print(f"[red]{result.id}[/] {violation}", highlight=False)
    out.print(kinds_table(certificate.kinds))
    effects, attempts = certificate.effects, certificate.attempts
    whole = summary(certificate.seconds())
    out.print(
        f"  {len(certificate.world.faults)} faults, {len(certificate.world.runs)} runs, seed "
        f"{certificate.seed}\n"
        f"  {effects['total']:,} effects: {effects['duplicated']} duplicated, "
        f"{effects['missing']} missing\n"
        f"  {attempts['total']:,} attempts: {attempts['repeated']} repeated, "
        f"{attempts['interrupted']} interrupted\n"
        f"  recovery p50 {whole['p50']} s, p99 {whole['p99']} s\n"
        f"  {played.files['html']}",
        highlight=False,
        soft_wrap=True,
    )
    passed = certificate.verdict == PASS
    out.print("[bold green]PASS[/]" if passed else "[bold red]FAIL[/]")


def show_campaign(total: Sum, folder: Path, out: Console) -> None:
    """Print what all seeds together came to."""
    data = total.as_json()
    out.print(kinds_table(total.kinds()))
    out.print(
        f"  {len(data['seeds'])} seeds, {data['faults']} faults ({data['void']} void), "
        f"{data['runs']} runs\n"
        f"  {data['effects']:,} effects: {data['duplicated']} duplicated, "
        f"{data['missing']} missing\n"
        f"  violations: {data['violations'] or 'none'}\n"
        f"  {_coverage(total)}\n"
        f"  {folder / 'campaign.json'}",
        highlight=False,
        soft_wrap=True,
    )
    out.print("[bold green]PASS[/]" if total.passed else "[bold red]FAIL[/]")


def _coverage(total: Sum) -> str:
    """Say whether a whole campaign met all that it is to meet."""
    if not total.whole:
        return "coverage: not judged, this is no whole campaign"
    core = ", ".join(total.core()) or "their runs"
    found = [f"{kind} {times}" for kind, times in total.too_seldom().items()]
    if found:
        return f"coverage: too seldom with {core} under way at once: {', '.join(found)}"
    return f"coverage: each kind {OFTEN_ENOUGH} times or more with {core} under way at once"


def show_soak(soaked: Soak, folder: Path, out: Console) -> None:
    """Print what grew, by how much."""
    table = Table("", "first MB", "last MB", "MB an hour", box=box.SIMPLE_HEAD)
    for trend in soaked.samples.trends():
        slope = "?" if trend.per_hour is None else f"{trend.per_hour / _MB:+.2f}"
        table.add_row(trend.name, f"{trend.first / _MB:.1f}", f"{trend.last / _MB:.1f}", slope)
    out.print(table)
    out.print(
        f"  {soaked.runs:,} runs, {soaked.faults} faults, {soaked.hours:.2f} h\n"
        f"  failed seeds: {soaked.failed or 'none'}\n"
        f"  {folder / 'soak.json'}",
        highlight=False,
        soft_wrap=True,
    )
    out.print("[bold green]PASS[/]" if soaked.passed else "[bold red]FAIL[/]")


def kinds_table(kinds: dict[str, KindCovered]) -> Table:
    """Return how often each kind of fault met a run of each workflow, and the recoveries."""
    workflows = [
        name for name in PUBLIC_WORKFLOWS if any(k.under_way[name] for k in kinds.values())
    ]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("fault", no_wrap=True)
    table.add_column("times", no_wrap=True, justify="right")
    for workflow in workflows:  # what gives way on a narrow terminal
        table.add_column(workflow.replace("_", " "), overflow="fold", justify="right")
    for heading in ("hit", "p50 s", "p99 s"):
        table.add_column(heading, no_wrap=True, justify="right")
    for name, kind in kinds.items():
        recovery = summary(kind.recoveries)
        table.add_row(
            name,
            str(kind.faults),
            *(str(kind.under_way[workflow]) for workflow in workflows),
            str(recovery["count"]),
            str(recovery["p50"]),
            str(recovery["p99"]),
        )
    return table
