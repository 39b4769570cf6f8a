"""The orchestrator with effect keys from the engine's task ids, which start again and shift."""

from __future__ import annotations

from typing import Any

from holdfast_contracts.core import Activity, EffectKey
from holdfast_orchestrator.__main__ import cli
from holdfast_orchestrator.durable import Run


def _key(run: Run, activity: Activity[Any, Any], index: int = 0) -> str:
    del index
    context: Any = run.ctx
    task = context._DaprWorkflowContext__obj._sequence_number  # noqa: SLF001 - not to be used
    return str(EffectKey(run.root, run.epoch, activity.name, task + 1))


Run.key = _key  # type: ignore[method-assign,assignment]
cli(["serve"])
