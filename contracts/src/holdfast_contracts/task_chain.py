"""Task chaining: three steps, each fed by the one before it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, RootModel

from holdfast_contracts.core import Activity, Command, Model, Workflow

#: The largest input whose result, (2(x+1))², every JSON reader still holds exactly (RFC 8259,
#: section 6: integers up to 2^53 - 1).
LARGEST_INPUT = 47_453_131


class TaskChainInput(
    RootModel[Annotated[int, Field(strict=True, ge=-LARGEST_INPUT, le=LARGEST_INPUT)]]
):
    """A whole number. A negative one makes the second step fail."""

    model_config = ConfigDict(frozen=True)


class TaskChainOutput(RootModel[tuple[int, int, int]]):
    """The results of the three steps, in order."""

    model_config = ConfigDict(frozen=True)


class AddOne(Command):
    """Add one to the value."""

    value: int


class Double(Command):
    """Double the value, which must be positive."""

    value: int


class Square(Command):
    """Square the value."""

    value: int


class StepResult(Model):
    """What a step of the chain made of its value."""

    value: int


class HandleError(Command):
    """Take note of the failure that ended the chain."""

    error: str


class ErrorHandled(Model):
    """The failure is on record."""

    error: str


STEP1 = Activity("step1", AddOne, StepResult)
STEP2 = Activity("step2", Double, StepResult)
STEP3 = Activity("step3", Square, StepResult)
ERROR_HANDLER = Activity("error_handler", HandleError, ErrorHandled)

TASK_CHAIN = Workflow(
    "task_chain",
    TaskChainInput,
    TaskChainOutput,
    "Run three steps in order, each on the result of the one before.",
    activities=(STEP1, STEP2, STEP3, ERROR_HANDLER),
    rerun_from_event=True,
)
