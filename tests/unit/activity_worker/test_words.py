from __future__ import annotations

import pytest

from holdfast_activity_worker.jobs.words import UnexpectedAnswerError, status_of
from holdfast_contracts.errors import is_permanent, is_unavailable
from holdfast_contracts.job_status_monitor import JobStatus


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("running", JobStatus.RUNNING),
        ("PENDING", JobStatus.RUNNING),
        ("In Progress", JobStatus.RUNNING),
        ("active", JobStatus.RUNNING),
        ("completed", JobStatus.COMPLETED),
        ("Complete", JobStatus.COMPLETED),
        ("succeeded", JobStatus.COMPLETED),
        (" failed ", JobStatus.FAILED),
        ("error", JobStatus.FAILED),
        ("timed-out", JobStatus.FAILED),
    ],
)
def test_common_words_are_understood_however_they_are_written(word: str, status: JobStatus) -> None:
    assert status_of(word) is status


@pytest.mark.parametrize("word", ["", "perhaps", None, 1, ["running"], {"state": "running"}])
def test_any_other_word_is_no_status(word: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        status_of(word)


def test_an_unexpected_answer_is_tried_again_and_counted() -> None:
    name = UnexpectedAnswerError.__name__
    assert not is_permanent(name)
    assert not is_unavailable(name)
