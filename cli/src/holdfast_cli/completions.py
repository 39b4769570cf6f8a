"""Complete what only the server knows. A server that is slow or away completes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import typer

from holdfast_cli import config
from holdfast_cli.client import Client, part
from holdfast_cli.output import printable
from holdfast_cli.servers import Role, Selection, resolve, running_stacks

#: A shell stands still while it completes.
PATIENCE_SECONDS = 1.0
_MOST = 50
STATES = ("PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED", "CANCELLED")

#: Every workflow takes these.
_OF_EVERY_RUN = {"suspend": "Hold before the next step.", "resume": "Go on after a suspension."}
#: A choice lands on the user's command line, so it must be nothing but a word.
_WORD = re.compile(r"[A-Za-z0-9_.:-]+")

Choices = list[tuple[str, str]]


def complete_workflow(ctx: typer.Context, incomplete: str) -> Choices:
    """Complete the name of a workflow."""
    flows = _ask(ctx, "/workflows", "workflows")
    return _fitting([(flow.get("name"), flow.get("summary")) for flow in flows], incomplete)


def complete_run(ctx: typer.Context, incomplete: str) -> Choices:
    """Complete an instance ID, newest first."""
    runs = _ask(ctx, "/runs", "runs", limit=_MOST, q=incomplete or None)
    described = [
        (run.get("instance_id"), f"{run.get('workflow')} {run.get('state')}") for run in runs
    ]
    return _fitting(described, incomplete)


def complete_event(ctx: typer.Context, incomplete: str) -> Choices:
    """Complete the name of an event that the run takes, or any run if none is named yet."""
    run = ctx.params.get("instance_id") or ctx.params.get("instance_option")
    of_run = _workflow_of(ctx, run) if isinstance(run, str) else None
    events: dict[Any, Any] = dict(_OF_EVERY_RUN)
    for flow in _ask(ctx, "/workflows", "workflows"):
        if of_run in {None, flow.get("name")}:
            taken = [event for event in flow.get("events", ()) if isinstance(event, dict)]
            events.update({event.get("name"): event.get("summary") for event in taken})
    return _fitting(list(events.items()), incomplete)


def complete_state(incomplete: str) -> list[str]:
    """Complete the state of a run."""
    return [state for state in STATES if state.startswith(incomplete.upper())]


def complete_context(incomplete: str) -> Choices:
    """Complete the name of a context."""
    with suppress(Exception):
        known = config.load().contexts
        return [(name, one.api) for name, one in known.items() if name.startswith(incomplete)]
    return []


def complete_stack(incomplete: str) -> list[str]:
    """Complete the name of a local stack that is up."""
    with suppress(Exception):
        return [name for name in sorted(running_stacks()) if name.startswith(incomplete)]
    return []


def _fitting(described: list[tuple[Any, Any]], incomplete: str) -> Choices:
    return [
        (word, printable(str(what or "")))
        for word, what in described
        if isinstance(word, str) and _WORD.fullmatch(word) and word.startswith(incomplete)
    ]


def _workflow_of(ctx: typer.Context, run: str) -> str | None:
    return next(_ask(ctx, f"/status/{part(run)}", None), {}).get("workflow")


def _ask(
    ctx: typer.Context, path: str, member: str | None, **parameters: Any
) -> Iterator[dict[str, Any]]:
    """Yield the answer's members; nothing, whatever goes wrong: a shell has no use for it."""
    with suppress(Exception):
        # While a shell completes, the options before the command are parsed and nothing is run.
        given = ctx.find_root().params
        role = given.get("role")
        server = resolve(
            Selection(
                given.get("api"),
                given.get("context"),
                given.get("stack"),
                None if role is None else Role(role),
            )
        )
        with Client(server, patience_seconds=0, read_seconds=PATIENCE_SECONDS) as client:
            document = client.get(path, parameters).document
        found = [document] if member is None else document[member]
        yield from (one for one in found if isinstance(one, dict))
