"""The filters of the list, which are those of the bulk actions, too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from holdfast_cli.completions import STATES, complete_state, complete_workflow
from holdfast_cli.inputs import earlier


def filters(
    *,
    workflow: Annotated[
        str | None,
        typer.Option(
            help="Only runs of this workflow.",
            autocompletion=complete_workflow,
            show_default=False,
        ),
    ] = None,
    states: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            help="Only runs in this state; repeatable.",
            autocompletion=complete_state,
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="Only runs accepted since then: a time such as 2030-01-31T08:00:00Z,"
            " or 2h ago as 2h.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only runs accepted before then.", show_default=False)
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query", "-q", help="Only runs with this text in their ID.", show_default=False
        ),
    ] = None,
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


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have the filters as options; it is given what they say as ``matching``."""
    options = inspect.signature(filters, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True)

    @wraps(command)
    def with_filters(**given: Any) -> None:
        matching = filters(**{name: given.pop(name) for name in options})
        command(**given, matching=matching)

    parameters = list(own.parameters.values())
    place = list(own.parameters).index("matching")
    parameters[place : place + 1] = options.values()
    with_filters.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_filters.__annotations__ = {one.name: one.annotation for one in parameters}
    return with_filters
