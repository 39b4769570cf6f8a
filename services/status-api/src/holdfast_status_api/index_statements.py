"""The statements of the run index, made once: to make one costs more than to send it."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    bindparam,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.sql.dml import ReturningUpdate

from holdfast_status_api.forgettable import FORGETTABLE
from holdfast_status_api.states import State, predecessors
from holdfast_status_api.tables import closed_runs, requests, runs

#: Callers who ask for one run within this time share one answer of the engine.
_FRESH_SECONDS = 0.05
#: How soon, and how seldom, a run that nobody asks for is looked at.
_SOONEST_SECONDS = 1.0
_SELDOM_SECONDS = 60.0
#: How long a process that asks the engine may keep all others from asking.
_ASKING_SECONDS = 3.0

#: Python's None is an empty column, not JSON's null.
_JSON = JSON(none_as_null=True)

#: A run as it is shown, of the index and of what was asked for.
_SHOWN = (
    runs,
    requests.c.input,
    requests.c.dispatched_at,
    requests.c.start_at,
    requests.c.deadline,
    requests.c.rerun_of,
    requests.c.requested_by,
    requests.c.origin,
    func.coalesce(
        runs.c.observed_at > func.clock_timestamp() - timedelta(seconds=_FRESH_SECONDS),
        literal(value=False),
    ).label("fresh"),
)
_OF_ONE_RUN = requests.c.instance_id == runs.c.instance_id

FIND = select(*_SHOWN).join(requests, _OF_ONE_RUN).where(runs.c.instance_id == bindparam("run"))


def _next_look() -> ColumnElement[Any]:
    now = func.clock_timestamp()
    return now + func.least(
        timedelta(seconds=_SELDOM_SECONDS),
        func.greatest(timedelta(seconds=_SOONEST_SECONDS), (now - runs.c.accepted_at) / 10),
    )


ASK = (
    update(runs)
    .where(
        runs.c.instance_id == bindparam("run"),
        runs.c.asked_at.is_(None)
        | (runs.c.asked_at < func.clock_timestamp() - timedelta(seconds=_ASKING_SECONDS)),
        FORGETTABLE,
    )
    .values(asked_at=func.clock_timestamp())
)
ASKED = (
    update(runs)
    .where(runs.c.instance_id == bindparam("run"), runs.c.asked_at.is_not(None), FORGETTABLE)
    .values(asked_at=None)
)
CLOSED = select(closed_runs.c.instance).where(
    closed_runs.c.instance.in_(bindparam("those", expanding=True))
)
HASTEN_CLOSED = (
    update(runs)
    .where(
        ~runs.c.terminal,
        runs.c.next_look_at > func.clock_timestamp() + timedelta(seconds=_SOONEST_SECONDS),
        select(closed_runs.c.instance).where(closed_runs.c.instance == runs.c.instance_id).exists(),
        FORGETTABLE,
    )
    .values(next_look_at=func.clock_timestamp())
)


def _putting_off() -> ReturningUpdate[tuple[str]]:
    """Return what gives runs that are due, and puts off the next look at each."""
    candidates = (
        select(runs.c.instance_id)
        .join(requests, requests.c.instance_id == runs.c.instance_id)
        .where(
            ~runs.c.terminal,
            requests.c.dispatched_at.is_not(None),
            runs.c.next_look_at <= func.clock_timestamp(),
        )
        .order_by(runs.c.next_look_at)
        .limit(bindparam("most", type_=Integer))
        .with_for_update(of=runs, skip_locked=True)
        # A CTE, not a sub-query: that could run, and lock, more than once.
        .cte("candidates")
    )
    return (
        update(runs)
        .where(runs.c.instance_id == candidates.c.instance_id, FORGETTABLE)
        .values(next_look_at=_next_look())
        .returning(runs.c.instance_id)
    )


DUE = _putting_off()


@cache
def absorbing(state: State) -> ReturningUpdate[Any]:
    """Return what takes in a report of that state, and gives the run if that changed it."""
    told_at = bindparam("engine_updated_at", type_=runs.c.updated_at.type)
    created_at = bindparam("engine_created_at", type_=runs.c.started_at.type)
    unchanged = runs.c.updated_at == told_at
    in_order = [
        runs.c.instance_id == bindparam("run"),
        _OF_ONE_RUN,
        ~runs.c.terminal,
        runs.c.state.in_(sorted(predecessors(state))),
    ]
    if not state.terminal:
        # The engine knows it, too. The end waits for the disk: from then on the index is asked.
        in_order += [runs.c.observed_at.is_(None) | (runs.c.updated_at <= told_at), FORGETTABLE]
    return (
        update(runs)
        .where(*in_order)
        .values(
            state=state,
            output=bindparam("engine_output", type_=_JSON),
            custom_status=bindparam("engine_custom_status", type_=_JSON),
            failure=bindparam("engine_failure", type_=_JSON),
            # A run from the middle of another one has that one's time of creation.
            started_at=func.greatest(created_at, runs.c.accepted_at),
            updated_at=told_at,
            finished_at=told_at if state.terminal else None,
            observed_at=func.clock_timestamp(),
            # Whoever asks often must not keep the refresher from one that stands still.
            next_look_at=case((unchanged, runs.c.next_look_at), else_=_next_look()),
            asked_at=None,
            wakes_at=case((unchanged, runs.c.wakes_at)),
        )
        .returning(*_SHOWN)
    )
