from __future__ import annotations

import pytest
from kubernetes.client import V1JobCondition

from holdfast_activity_worker.jobs.kubernetes import report
from holdfast_contracts.job_status_monitor import JobReport, JobStatus


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], JobReport(status=JobStatus.RUNNING)),
        (
            [V1JobCondition(type="SuccessCriteriaMet", status="True")],
            JobReport(status=JobStatus.RUNNING),
        ),
        (
            [V1JobCondition(type="Complete", status="False")],
            JobReport(status=JobStatus.RUNNING),
        ),
        (
            [V1JobCondition(type="Complete", status="True")],
            JobReport(status=JobStatus.COMPLETED, detail="Complete"),
        ),
        (
            [
                V1JobCondition(type="FailureTarget", status="True"),
                V1JobCondition(
                    type="Failed",
                    status="True",
                    reason="BackoffLimitExceeded",
                    message="Job has reached the specified backoff limit",
                ),
            ],
            JobReport(
                status=JobStatus.FAILED,
                detail="BackoffLimitExceeded: Job has reached the specified backoff limit",
            ),
        ),
    ],
)
def test_only_a_final_condition_ends_a_job(
    conditions: list[V1JobCondition], expected: JobReport
) -> None:
    assert report(conditions) == expected
