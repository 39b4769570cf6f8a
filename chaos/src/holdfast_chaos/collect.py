"""Gather what the three witnesses say of a finished workload."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast_chaos.engine import EngineReader
from holdfast_chaos.ledger import read_ledger
from holdfast_chaos.observations import Observations
from holdfast_chaos.world import Bounds, DeclaredRun, FaultRecord, World


def collect(  # noqa: PLR0913 - the parts of a world
    *,
    database_url: str,
    engine: EngineReader,
    runs: Sequence[DeclaredRun],
    observations: Observations,
    faults: Sequence[FaultRecord],
    sample: Sequence[tuple[str, str]] = (),
    jobs: Sequence[str] | None = None,
    bounds: Bounds | None = None,
    scope: str = "",
) -> World:
    """Return the world as it is now. It should be quiet: reading takes several moments.

    With a ``scope``, only what concerns instances whose names begin with it: others may have runs
    of their own on the same Holdfast.
    """
    listed = tuple(name for name in engine.instances() if name.startswith(scope))
    wanted = (*listed, *(run.instance for run in runs))
    return World(
        runs=tuple(runs),
        ledger=read_ledger(database_url, scope),
        histories=engine.histories(wanted),
        listed=listed,
        observations=observations,
        faults=tuple(faults),
        jobs=None if jobs is None else tuple(jobs),
        sample=tuple(sample),
        bounds=bounds or Bounds(),
    )
