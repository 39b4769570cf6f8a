"""What job sources call the three states that a monitor knows."""

from __future__ import annotations

from holdfast_contracts.errors import ActivityError
from holdfast_contracts.job_status_monitor import JobStatus

_WORDS = {
    JobStatus.RUNNING: (
        "running pending active queued waiting scheduled started starting created accepted "
        "in_progress processing"
    ),
    JobStatus.COMPLETED: "completed complete succeeded success successful done finished",
    JobStatus.FAILED: (
        "failed failure error errored cancelled canceled aborted timed_out timeout terminated"
    ),
}
_STATUS = {word: status for status, words in _WORDS.items() for word in words.split()}


class UnexpectedAnswerError(ActivityError):
    """The source answered something that is no status; it may know better next time."""


def status_of(word: object) -> JobStatus:
    """Return the state that a source means by its word."""
    if isinstance(word, str):
        status = _STATUS.get(word.strip().lower().replace("-", "_").replace(" ", "_"))
        if status is not None:
            return status
    raise UnexpectedAnswerError(f"the job's source gave {word!r} as its status")
