"""Monitor: look at a job on a durable timer until it is done, then notify once.

For watching something that cannot call back. It survives any outage between two looks: the timer
is durable, a poll that was interrupted is repeated under its own key, and none is left out. It
continues as new every 50 polls, so a monitor of a year has a history as small as one of a day.
"""

from __future__ import annotations

from holdfast_contracts.job_status_monitor import (
    CHECK_JOB_STATUS,
    NOTIFY_COMPLETE,
    NOTIFY_FAILURE,
    POLLS_PER_EPOCH,
    CheckJobStatus,
    JobReport,
    JobStatus,
    JobStatusMonitorOutput,
    JobStatusMonitorTurn,
    NotifyComplete,
    NotifyFailure,
)
from holdfast_orchestrator.durable import Run, Steps, call, sleep


def job_status_monitor(run: Run, job: JobStatusMonitorTurn) -> Steps[JobStatusMonitorOutput | None]:
    """Return how the job ended, after the notification is in the outbox."""
    for poll in range(POLLS_PER_EPOCH):
        report = yield from call(
            run,
            CHECK_JOB_STATUS,
            CheckJobStatus(key=run.key(CHECK_JOB_STATUS, poll), instance=run.id, job_id=job.job_id),
        )
        if report.status is not JobStatus.RUNNING:
            polls = job.epoch * POLLS_PER_EPOCH + poll + 1
            yield from _notify(run, job, report, polls)
            return JobStatusMonitorOutput(
                job_id=job.job_id, status=report.status, polls=polls, detail=report.detail
            )
        yield from sleep(run, job.poll_interval_seconds)
    run.continue_as_new(
        job.model_copy(update={"epoch": job.epoch + 1, "taken_events": tuple(run.taken)})
    )
    return None


def _notify(run: Run, job: JobStatusMonitorTurn, report: JobReport, polls: int) -> Steps[None]:
    if report.status is JobStatus.COMPLETED:
        completed = NotifyComplete(
            key=run.key(NOTIFY_COMPLETE),
            instance=run.id,
            closes_run=True,
            job_id=job.job_id,
            polls=polls,
        )
        yield from call(run, NOTIFY_COMPLETE, completed)
    else:
        failed = NotifyFailure(
            key=run.key(NOTIFY_FAILURE),
            instance=run.id,
            closes_run=True,
            job_id=job.job_id,
            polls=polls,
            detail=report.detail,
        )
        yield from call(run, NOTIFY_FAILURE, failed)
