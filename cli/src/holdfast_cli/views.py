"""How each answer of the API looks as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from holdfast_cli.output import cell, fields, parse_time, printable, rows

Document = dict[str, Any]
_STATUS_FIELDS = (
    "instance_id",
    "workflow",
    "state",
    "custom_status",
    "origin",
    "requested_by",
    "accepted_at",
    "start_at",
    "started_at",
    "deadline",
    "updated_at",
    "finished_at",
    "rerun_of",
    "reason",
    "input",
    "output",
)


def status(document: Document) -> RenderableType:
    """Show a run, field by field."""
    shown: Document = {name: document.get(name) for name in _STATUS_FIELDS}
    shown["failure"] = failure(document)
    shown["note"] = (
        "the engine is away; this is what it said last" if document.get("stale") else None
    )
    return fields(shown)


def failure(document: Document) -> Text | None:
    """Return why a run failed, in one line, if it did."""
    found = document.get("failure")
    if not isinstance(found, dict):
        return None
    text = ": ".join(str(found[name]) for name in ("type", "message") if found.get(name))
    return Text(printable(text), style="red")


def accepted(document: Document) -> RenderableType:
    """Show what was just accepted."""
    return fields({name: value for name, value in document.items() if name != "links"})


def runs(document: Document) -> RenderableType:
    """Show a page of the list."""
    table = rows(
        ("INSTANCE ID", "WORKFLOW", "STATE", "ACCEPTED", "FINISHED", "BY"),
        (
            [
                run.get(name)
                for name in (
                    "instance_id",
                    "workflow",
                    "state",
                    "accepted_at",
                    "finished_at",
                    "requested_by",
                )
            ]
            for run in document["runs"]
        ),
        empty="No runs.",
    )
    cursor = document.get("next")
    return (
        Group(table, Text(f"\nmore: --cursor {printable(str(cursor))}", style="dim"))
        if cursor
        else table
    )


def history(document: Document) -> RenderableType:
    """Show what the engine wrote down, event by event."""
    return rows(
        ("#", "TIME", "EVENT", "NAME", "DETAIL"),
        (
            [
                event.get("event_id"),
                event.get("timestamp"),
                event.get("type"),
                event.get("name"),
                _history_detail(event),
            ]
            for event in document["events"]
        ),
        empty="No events.",
    )


def timeline(document: Document) -> RenderableType:
    """Show every attempt, and what came of it."""
    return rows(
        ("STARTED", "STEP", "RUN", "TOOK", "OUTCOME", "POD", "ERROR"),
        (
            [
                attempt.get("started_at"),
                step_name(attempt),
                attempt.get("runner"),
                took(attempt.get("started_at"), attempt.get("finished_at")),
                attempt.get("outcome") or "none yet",
                attempt.get("pod"),
                error_of(attempt),
            ]
            for attempt in document["attempts"]
        ),
        empty="No attempts.",
    )


def why(document: Document) -> RenderableType:
    """Show what the run waits for, and the commands that would free it."""
    lines: list[RenderableType] = [Text(printable(str(document.get("sentence", ""))))]
    lines += [Text(f"  {printable(str(command))}", "bold") for command in document["commands"]]
    return Group(*lines)


def events(document: Document) -> RenderableType:
    """Show every event that was accepted for a run."""
    return rows(
        ("EVENT ID", "NAME", "STATE", "ACCEPTED", "DELIVERED", "CONSUMED", "REASON"),
        (
            [
                event.get(name)
                for name in (
                    "event_id",
                    "name",
                    "state",
                    "accepted_at",
                    "delivered_at",
                    "consumed_at",
                    "reason",
                )
            ]
            for event in document["events"]
        ),
        empty="No events.",
    )


def catalogue(document: Document) -> RenderableType:
    """Show every workflow with the events that its runs take."""
    return rows(
        ("WORKFLOW", "EVENTS", "WHAT IT DOES"),
        (
            [
                flow["name"],
                ", ".join(event["name"] for event in flow.get("events", ())),
                flow.get("summary"),
            ]
            for flow in document["workflows"]
        ),
        empty="No workflows.",
    )


def step_name(entry: Document) -> str:
    """Name a step: with its number where it is repeated, and its epoch after a fresh start."""
    name = str(entry.get("step"))
    if entry.get("index"):
        name += f" #{entry['index']}"
    return f"{name} (epoch {entry['epoch']})" if entry.get("epoch") else name


def error_of(attempt: Document) -> str | None:
    """Return why an attempt failed, in one line, if it did."""
    parts = [str(attempt[name]) for name in ("error_type", "error") if attempt.get(name)]
    return ": ".join(parts) or None


def took(start: Any, end: Any) -> str | None:
    """Return how long something took, for people."""
    began, ended = parse_time(start), parse_time(end)
    if began is None or ended is None:
        return None
    return duration((ended - began).total_seconds())


def duration(seconds: float) -> str:
    """Return a number of seconds in two units at most."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    whole = int(seconds)
    for unit, name, lesser, part in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "m"),
        (60, "m", 1, "s"),
    ):
        if whole >= unit:
            return f"{whole // unit} {name} {whole % unit // lesser} {part}"
    return f"{seconds:.1f} s"


def plain(document: Document) -> RenderableType:
    """Show whatever has no view of its own, field by field."""
    return fields({name: cell(value) for name, value in document.items() if value is not None})


def _history_detail(event: Document) -> Any:
    reason = failure(event)
    if reason is not None:
        return reason.plain
    for name in ("result", "input", "fire_at", "instance_id"):
        if event.get(name) is not None:
            value = event[name]
            return f"at {value}" if name == "fire_at" else value
    return None
