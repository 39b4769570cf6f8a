"""The end of a run whose last step had no effect to close it with."""

from __future__ import annotations

from holdfast_activity_worker.work import Work, effect
from holdfast_contracts.core import CLOSE_RUN, CloseRun, RunClosed


@effect(CLOSE_RUN)
def close_run(_work: Work, command: CloseRun) -> RunClosed:
    """Close the run; the ledger does it in the transaction of this effect."""
    return RunClosed(instance=command.instance)
