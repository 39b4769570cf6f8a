"""The filters of the list, which are those of the bulk actions, too."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from holdfast_cli.completions import STATES, complete_state, complete_workflow
from holdfast_cli.inputs import earlier

WorkflowName = Annotated[
    str | None,
    typer.Option(
        "--workflow",
        help="Only runs of this workflow.",
        autocompletion=complete_workflow,
        show_default=False,
    ),
]
States = Annotated[
    list[str] | None,
    typer.Option(
        "--state",
        help="Only runs in this state; repeatable.",
        autocompletion=complete_state,
        show_default=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since",
        help="Only runs accepted since then: a time such as 2030-01-31T08:00:00Z, or 2h ago as 2h.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Only runs accepted before then.", show_default=False),
]
Query = Annotated[
    str | None,
    typer.Option("--query", "-q", help="Only runs with this text in their ID.", show_default=False),
]


def filters(
    workflow: str | None,
    states: list[str] | None,
    since: str | None,
    until: str | None,
    query: str | None,
) -> dict[str, Any]:
    """Return what was given as parameters of the API; a state that there is none of ends it."""
    named = [state.upper() for state in states or ()]
    for state in named:
        if state not in STATES:
            raise typer.BadParameter(f"{state!r} is no state; they are {', '.join(STATES)}")
    found = {
        "workflow": workflow,
        "state": named or None,
        "since": None if since is None else earlier(since),
        "until": None if until is None else earlier(until),
        "q": query,
    }
    return {name: value for name, value in found.items() if value is not None}
