"""The orchestrator without the local step after a timer (rule 9 of the helpers)."""

from __future__ import annotations

from holdfast_orchestrator import durable
from holdfast_orchestrator.__main__ import cli
from holdfast_orchestrator.durable import Run, Steps


def _no_step(run: Run) -> Steps[None]:
    del run
    yield from ()


durable._checkpoint = _no_step  # noqa: SLF001 - the rule that is taken out
cli(["serve"])
