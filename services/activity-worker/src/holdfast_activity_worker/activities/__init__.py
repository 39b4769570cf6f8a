"""What the activities do: one module for each pattern, and the list of all of them."""

from __future__ import annotations

from typing import Any

from holdfast_activity_worker.activities import (
    batch_processing,
    book_trip,
    job_status_monitor,
    request_escalation,
    run,
    task_chain,
)
from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.work import Implementation


def implementations(sources: JobSources) -> tuple[Implementation[Any, Any], ...]:
    """Return the one implementation of every activity that the contract gives to the worker."""
    return (
        task_chain.step1,
        task_chain.step2,
        task_chain.step3,
        task_chain.error_handler,
        batch_processing.get_work_batch,
        batch_processing.process_work_item,
        batch_processing.process_results,
        job_status_monitor.check_job_status(sources),
        job_status_monitor.notify_complete,
        job_status_monitor.notify_failure,
        request_escalation.auto_approve_activity,
        request_escalation.record_decision,
        request_escalation.process_approval_activity,
        request_escalation.handle_timeout_activity,
        book_trip.book_flight,
        book_trip.book_hotel,
        book_trip.book_car,
        book_trip.cancel_flight,
        book_trip.cancel_hotel,
        book_trip.cancel_car,
        run.close_run,
    )
