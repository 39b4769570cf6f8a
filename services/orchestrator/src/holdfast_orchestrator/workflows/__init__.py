"""The workflows, one module for each pattern, and the table that registers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from holdfast_contracts.batch_processing import BATCH_CHUNK, BATCH_PROCESSING
from holdfast_contracts.book_trip import BOOK_TRIP
from holdfast_contracts.core import Workflow
from holdfast_contracts.job_status_monitor import JOB_STATUS_MONITOR
from holdfast_contracts.request_escalation import REQUEST_ESCALATION
from holdfast_contracts.task_chain import TASK_CHAIN
from holdfast_orchestrator.durable import Steps
from holdfast_orchestrator.workflows.batch_processing import batch_chunk, batch_processing
from holdfast_orchestrator.workflows.book_trip import book_trip
from holdfast_orchestrator.workflows.job_status_monitor import job_status_monitor
from holdfast_orchestrator.workflows.request_escalation import request_escalation
from holdfast_orchestrator.workflows.task_chain import task_chain

IMPLEMENTATIONS: tuple[tuple[Workflow[Any, Any], Callable[..., Steps[Any]]], ...] = (
    (TASK_CHAIN, task_chain),
    (BATCH_PROCESSING, batch_processing),
    (BATCH_CHUNK, batch_chunk),
    (JOB_STATUS_MONITOR, job_status_monitor),
    (REQUEST_ESCALATION, request_escalation),
    (BOOK_TRIP, book_trip),
)
