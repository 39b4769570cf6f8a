"""Changes that are made again should a crash undo them, so they need not wait for the disk."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, func, select, true

#: A condition that holds always: a change with it is committed without the wait, as a single
#: statement. The setting ends with the transaction.
FORGETTABLE: Final[ColumnElement[bool]] = (
    select(func.set_config("synchronous_commit", "off", true())).scalar_subquery() == "off"
)
