"""The worker with an effect key of its own making: random, so that a repeat finds nothing."""

from __future__ import annotations

from secrets import randbelow
from typing import Any

from holdfast_activity_worker import ledger
from holdfast_activity_worker.app import serve
from holdfast_activity_worker.settings import WorkerSettings
from holdfast_contracts.core import EffectKey

_attempt: Any = ledger._Attempt  # noqa: SLF001 - the rule that is taken out


def _with_random_key(session: Any, implementation: Any, command: Any, *more: Any) -> Any:
    key = EffectKey.parse(command.key)
    made_up = EffectKey(key.instance, key.epoch, key.step, 10 + randbelow(10**6))
    changed = command.model_copy(update={"key": str(made_up)})
    return _attempt(session, implementation, changed, *more)


ledger._Attempt = _with_random_key  # type: ignore[assignment,misc]  # noqa: SLF001
serve(WorkerSettings())
