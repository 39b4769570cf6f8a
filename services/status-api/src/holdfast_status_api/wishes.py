"""The bodies of actions. All of them may be left out."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from holdfast_contracts.core import InstanceId


class Reason(BaseModel):
    """Why. It is kept with the run, and in the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=500)] = ""


class Rerun(BaseModel):
    """How to run again."""

    model_config = ConfigDict(extra="forbid")

    instance_id: InstanceId | None = Field(
        default=None, description="The ID that the new run shall have; made up if it is not given."
    )
    from_event: Annotated[int, Field(ge=0, lt=2**32, strict=True)] | None = Field(
        default=None,
        description="The event_id of a TASK_SCHEDULED in the history, to keep what was before.",
    )


class Confirmation(Reason):
    """The token of the dry run, and why."""

    token: Annotated[str, Field(max_length=200)] | None = None
