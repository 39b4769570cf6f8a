"""The steps of the chain, and the note that is taken of its failure."""

from __future__ import annotations

from sqlalchemy import text

from holdfast_activity_worker.work import Work, effect
from holdfast_contracts.core import EffectKey
from holdfast_contracts.errors import InvalidValueError
from holdfast_contracts.task_chain import (
    ERROR_HANDLER,
    STEP1,
    STEP2,
    STEP3,
    AddOne,
    Double,
    ErrorHandled,
    HandleError,
    Square,
    StepResult,
)


@effect(STEP1)
def step1(_work: Work, command: AddOne) -> StepResult:
    """Add one."""
    return StepResult(value=command.value + 1)


@effect(STEP2)
def step2(_work: Work, command: Double) -> StepResult:
    """Double a value of at least 1; a chain that began below zero fails here."""
    if command.value < 1:
        raise InvalidValueError(f"step2 doubles values of at least 1, not {command.value}")
    return StepResult(value=command.value * 2)


@effect(STEP3)
def step3(_work: Work, command: Square) -> StepResult:
    """Square."""
    return StepResult(value=command.value**2)


@effect(ERROR_HANDLER)
def error_handler(work: Work, command: HandleError) -> ErrorHandled:
    """Put the failure that ended the chain on record."""
    work.connection.execute(
        text(
            "INSERT INTO work.chain_errors (key, instance, error) VALUES (:key, :instance, :error)"
        ),
        {
            "key": command.key,
            "instance": EffectKey.parse(command.key).instance,
            # PostgreSQL's text holds no NUL.
            "error": command.error.replace("\0", ""),
        },
    )
    return ErrorHandled(error=command.error.replace("\0", ""))
