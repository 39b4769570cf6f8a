"""The worker that decides as it is asked, without a look at what the API has accepted."""

from __future__ import annotations

from holdfast_activity_worker.activities import request_escalation
from holdfast_activity_worker.app import serve
from holdfast_activity_worker.settings import WorkerSettings
from holdfast_activity_worker.work import Work


def _accepted_approval(_work: Work, _instance: str) -> None:
    """Find nothing, whatever was accepted."""


request_escalation._accepted_approval = _accepted_approval  # type: ignore[assignment]  # noqa: SLF001
serve(WorkerSettings())
