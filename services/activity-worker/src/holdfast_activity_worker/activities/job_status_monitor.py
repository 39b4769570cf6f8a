"""Look at a job, and put the news of its end into the outbox."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import text

from holdfast_activity_worker.jobs import JobSources
from holdfast_activity_worker.work import Observation, Work, effect
from holdfast_contracts.core import EffectKey
from holdfast_contracts.job_status_monitor import (
    CHECK_JOB_STATUS,
    NOTIFY_COMPLETE,
    NOTIFY_FAILURE,
    CheckJobStatus,
    JobReport,
    JobStatus,
    Notified,
    NotifyComplete,
    NotifyFailure,
)


def check_job_status(sources: JobSources) -> Observation[CheckJobStatus, JobReport]:
    """Ask the job's source; what it says is stored, so that a poll has one answer for ever."""

    def look(command: CheckJobStatus) -> JobReport:
        return sources.look(command.job_id)

    return Observation(CHECK_JOB_STATUS, look)


def observations(sources: JobSources) -> tuple[Observation[Any, Any], ...]:
    """Return the activities of this module that ask the job sources."""
    return (check_job_status(sources),)


@effect(NOTIFY_COMPLETE)
def notify_complete(work: Work, command: NotifyComplete) -> Notified:
    """Put the notification of a completed job into the outbox."""
    return _notify(work, command, JobStatus.COMPLETED, {})


@effect(NOTIFY_FAILURE)
def notify_failure(work: Work, command: NotifyFailure) -> Notified:
    """Put the notification of a failed job into the outbox."""
    return _notify(work, command, JobStatus.FAILED, {"detail": command.detail})


def _notify(
    work: Work,
    command: NotifyComplete | NotifyFailure,
    status: JobStatus,
    more: dict[str, Any],
) -> Notified:
    instance = EffectKey.parse(command.key).instance
    payload = {
        "instance": instance,
        "job_id": command.job_id,
        "status": status,
        "polls": command.polls,
        **more,
    }
    work.connection.execute(
        text(
            "INSERT INTO work.notifications (id, instance, kind, payload) "
            "VALUES (:id, :instance, :kind, CAST(:payload AS jsonb))"
        ),
        {
            "id": command.key,
            "instance": instance,
            "kind": f"holdfast.job.{status}",
            "payload": json.dumps(payload),
        },
    )
    return Notified(notification_id=command.key)
