"""What accepts a run: its request, its place in the index and its audit entry, in one statement.

One statement is a transaction by itself, so this is one trip to the database. Three would be five:
two to say where the transaction begins and ends.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import CTE, Select, Table, bindparam, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip

from holdfast_status_api.states import State
from holdfast_status_api.tables import audit, requests, runs

_ASKED = (
    "instance_id",
    "workflow",
    "input",
    "idempotency_key",
    "payload_hash",
    "requested_by",
    "start_at",
    "deadline",
    "rerun_of",
    "rerun_event",
    "traceparent",
)
_AUDITED = ("subject", "role", "action", "target", "status", "address", "reason")


@cache
def accepting(*, audited: bool) -> Select[Any]:
    """Return what gives the time of acceptance, or nothing where the ID or the key is taken.

    It waits for a rival that is about to commit the same. Its parameters are the columns of the
    request and, if the change is somebody's deed, of the entry: `entry_parameters`.
    """
    accepted = (
        insert_or_skip(requests)
        .values({name: bindparam(name, type_=requests.c[name].type) for name in _ASKED})
        .on_conflict_do_nothing()
        .returning(requests.c.instance_id, requests.c.workflow, requests.c.accepted_at)
        .cte("accepted")
    )
    indexed = _inserted(
        runs,
        {
            "instance_id": accepted.c.instance_id,
            "workflow": accepted.c.workflow,
            "state": literal(State.PENDING),
            "accepted_at": accepted.c.accepted_at,
            "updated_at": accepted.c.accepted_at,
        },
    )
    told = select(accepted.c.accepted_at).add_cte(indexed)
    if not audited:
        return told
    entry = {name: bindparam(f"audit_{name}", type_=audit.c[name].type) for name in _AUDITED}
    return told.add_cte(_inserted(audit, entry, accepted))


def entry_parameters(entry: dict[str, Any] | None) -> dict[str, Any]:
    """Return an audit entry as parameters of the statement."""
    return {} if entry is None else {f"audit_{name}": value for name, value in entry.items()}


def _inserted(table: Table, values: dict[str, Any], once_for: CTE | None = None) -> CTE:
    rows = select(*values.values())
    if once_for is not None:
        rows = rows.select_from(once_for)
    return insert(table).from_select(list(values), rows).cte(f"into_{table.name}")
