"""The commands of ``python -m holdfast_local``."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from holdfast_local.demo import demo
from holdfast_local.errors import StackError
from holdfast_local.folders import repository
from holdfast_local.stack import ProcessInfo, Stack, names_of
from holdfast_local.toolchain_errors import ToolchainError

app = typer.Typer(
    help="Holdfast on this machine: the real engine, database and services as processes.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
_out = Console()
_err = Console(stderr=True)

Name = Annotated[str, typer.Option("--name", "-n", help="Which stack.")]


class Format(StrEnum):
    """How a result is written."""

    TABLE = "table"
    JSON = "json"


@app.command()
def up(name: Name = "default") -> None:
    """Start the stack, or what is missing of it, and return when it is ready."""
    stack = _stack(name)
    began = time.monotonic()
    with _ended_by_signals(), _failures():
        stack.up(_step)
    _out.print(f"[bold green]ready[/] after {time.monotonic() - began:.1f} s")
    _print_urls(stack)


@app.command()
def down(
    name: Name = "default",
    *,
    every: Annotated[bool, typer.Option("--all", help="Every stack of this clone.")] = False,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete its database, state and logs too.")
    ] = False,
) -> None:
    """Stop the stack; its database and scheduler keep their state for the next start."""
    for one in names_of(repository()) if every else [name]:
        with _failures(), _err.status(f"stopping {one}"):
            stack = _stack(one)
            stack.delete() if delete else stack.down()
        _out.print(f"[green]✓[/] {one} is {'deleted' if delete else 'down'}")


@app.command()
def status(
    name: Name = "default",
    output: Annotated[Format, typer.Option("--output", "-o", help="Format.")] = Format.TABLE,
) -> None:
    """Show each process with its memory, restarts and ports; exit 1 if any does not run."""
    stack = _stack(name)
    with _failures():
        infos = stack.status()
        if output is Format.JSON:
            typer.echo(json.dumps([asdict(info) for info in infos], indent=2))
        else:
            _out.print(_table(stack, infos))
            if stack.is_up():
                _print_urls(stack)
    if not all(info.is_live for info in infos):
        raise typer.Exit(1)


app.command()(demo)


def _stack(name: str) -> Stack:
    with _failures():
        return Stack(name)


def _table(stack: Stack, infos: list[ProcessInfo]) -> Table:
    table = Table(
        title=f"stack {stack.name}, memory in MiB", box=None, padding=(0, 2, 0, 0), pad_edge=False
    )
    table.add_column("process", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for column in ("pid", "restarts", "RSS", "USS", "PSS", "port"):
        table.add_column(column, justify="right", no_wrap=True)
    for info in infos:
        table.add_row(
            info.name,
            f"[green]up {info.uptime_seconds} s[/]" if info.is_live else f"[red]{info.state}[/]",
            str(info.pid or ""),
            str(info.restarts),
            *map(_mebibytes, (info.rss_bytes, info.uss_bytes, info.pss_bytes)),
            str(next(iter(info.ports.values()), "")),
        )
    sums = [sum(getattr(info, f"{kind}_bytes") for info in infos) for kind in ("rss", "uss", "pss")]
    table.add_row("total", "", "", "", *map(_mebibytes, sums), "")
    return table


def _mebibytes(number: int) -> str:
    return f"{number / 2**20:.0f}" if number else ""


def _print_urls(stack: Stack) -> None:
    """Print where the stack can be reached."""
    _out.print(f"  API       {stack.api_url}  (docs at {stack.api_url}/docs)", highlight=False)
    _out.print(f"  tokens    {stack.folder.tokens}  (one for each role)", highlight=False)
    _out.print(f"  logs      {stack.folder.logs}", highlight=False)
    _out.print(f"  connect   {stack.folder.descriptor}", highlight=False)


@contextmanager
def _step(title: str) -> Iterator[None]:
    began = time.monotonic()
    if title == "tools":  # shows its own progress where there is something to build
        yield
    else:
        with _err.status(f"{title} …"):
            yield
    _out.print(f"[green]✓[/] {title} [dim]{time.monotonic() - began:.1f} s[/]")


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does: with everything taken down."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what is wrong into its message and exit status 1, without a traceback."""
    try:
        yield
    except (StackError, ToolchainError) as error:
        _err.print(f"[bold red]✗[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
