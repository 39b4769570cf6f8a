"""Ways to break one thing in a world, each as an independent witness would see it broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from holdfast_chaos.histories import HistoryEvent, RunHistory
from holdfast_chaos.world import Aim, World

Break = Callable[[World], World]


def ledger(table: str, change: Callable[[tuple[Any, ...]], Iterable[Any]]) -> Break:
    """Change one table of the ledger."""

    def apply(world: World) -> World:
        rows = getattr(world.ledger, table)
        changed = tuple(change(rows))
        assert changed != rows, f"nothing in {table} was changed"
        return replace(world, ledger=replace(world.ledger, **{table: changed}))

    return apply


def drop(table: str, **match: Any) -> Break:
    """Delete the matching rows of a table."""
    return ledger(table, lambda rows: [row for row in rows if not _is(row, match)])


def twice(table: str, change: dict[str, Any] | None = None, **match: Any) -> Break:
    """Repeat the matching rows of a table, changed if so asked."""

    def repeat(rows: tuple[Any, ...]) -> Iterable[Any]:
        for row in rows:
            yield row
            if _is(row, match):
                yield replace(row, **(change or {}))

    return ledger(table, repeat)


def edit(
    table: str, change: dict[str, Any] | Callable[[Any], dict[str, Any]], **match: Any
) -> Break:
    """Change fields of the matching rows of a table."""

    def changed(row: Any) -> Any:
        return replace(row, **(change(row) if callable(change) else change))

    return ledger(table, lambda rows: [changed(row) if _is(row, match) else row for row in rows])


def history(
    instance: str, change: dict[str, Any] | Callable[[RunHistory], dict[str, Any]]
) -> Break:
    """Change fields of one run's history."""

    def apply(world: World) -> World:
        told = world.histories[instance]
        changed = replace(told, **(change(told) if callable(change) else change))
        return replace(world, histories={**world.histories, instance: changed})

    return apply


def told(instance: str, change: Callable[[HistoryEvent], HistoryEvent | None]) -> Break:
    """Change, or leave out, single events of one run's history."""

    def events(run: RunHistory) -> dict[str, Any]:
        changed = tuple(e for e in map(change, run.events) if e is not None)
        assert changed != run.events, f"nothing in the history of {instance} was changed"
        return {"events": changed}

    return history(instance, events)


def answer(instance: str, step: str, **change: Any) -> Break:
    """Change the end of a step in a run's history."""

    def apply(world: World) -> World:
        run = world.histories[instance]
        (task,) = (e.event_id for e in run.of_type("TASK_SCHEDULED") if e.name == step)
        return told(instance, lambda e: replace(e, **change) if e.task_scheduled_id == task else e)(
            world
        )

    return apply


def forget(instance: str, *steps: str) -> Break:
    """Leave steps out of a run's history, as if they had never been scheduled."""

    def apply(world: World) -> World:
        run = world.histories[instance]
        tasks = {e.event_id for e in run.of_type("TASK_SCHEDULED") if e.name in steps}
        gone: Callable[[HistoryEvent], bool] = lambda e: (  # noqa: E731
            e.task_scheduled_id in tasks or (e.type == "TASK_SCHEDULED" and e.event_id in tasks)
        )
        return told(instance, lambda e: None if gone(e) else e)(world)

    return apply


def append(instance: str, *events: dict[str, Any]) -> Break:
    """Let more events follow at the end of a run's history."""
    return history(
        instance,
        lambda h: {
            "events": (
                *h.events,
                *(HistoryEvent(timestamp=h.events[-1].timestamp, **event) for event in events),
            )
        },
    )


def seen(kind: str, change: Callable[[tuple[Any, ...]], Iterable[Any]]) -> Break:
    """Change what the client saw."""

    def apply(world: World) -> World:
        changed = tuple(change(getattr(world.observations, kind)))
        return replace(world, observations=replace(world.observations, **{kind: changed}))

    return apply


def fault(**change: Any) -> Break:
    """Change the fault of the world."""
    return lambda world: replace(
        world, faults=tuple(replace(fault, **change) for fault in world.faults)
    )


def both(*breaks: Break) -> Break:
    """Break several witnesses in the same way."""

    def apply(world: World) -> World:
        for each in breaks:
            world = each(world)
        return world

    return apply


def agreed(key: str, /, **change: Any) -> Break:
    """Let ledger and history agree that a step returned something else in some fields."""

    def apply(world: World) -> World:
        effect = world.ledger.effect[key]
        result = {**effect.result, **change}
        scheduled = world.histories[effect.runner].of_type("TASK_SCHEDULED")
        (task,) = (event.event_id for event in scheduled if event.input == {"key": key})
        return both(
            edit("effects", {"result": result}, key=key),
            told(
                effect.runner,
                lambda e: replace(e, result=result) if e.task_scheduled_id == task else e,
            ),
        )(world)

    return apply


def returned(instance: str, **change: Any) -> Break:
    """Let a run return something else in some fields."""
    return history(instance, lambda run: {"output": {**run.output, **change}})


def swap(first: str, second: str) -> Break:
    """Let two effects, by key, have been committed the other way round."""

    def apply(w: World) -> World:
        a, b = w.ledger.effect[first], w.ledger.effect[second]
        return both(
            edit("effects", {"seq": -b.seq}, key=first),
            edit("effects", {"seq": a.seq}, key=second),
            edit("effects", {"seq": b.seq}, key=first),
        )(w)

    return apply


def struck_again(**change: Any) -> Break:
    """Let another fault, changed like this, strike beside that of the world; it hit no run."""
    return lambda world: replace(
        world,
        faults=(
            *world.faults,
            replace(
                world.faults[0],
                **{"id": "again", "in_flight": (), "aim": Aim.RANDOM, **change},
            ),
        ),
    )


def _is(row: Any, match: dict[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in match.items())
