"""What callers send about webhooks, as models."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from holdfast_status_api.webhooks.messages import RunEvent


class Subscription(BaseModel):
    """Where lifecycle events shall go, and which."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="An https or http URL; its address is checked, now and later.")
    types: list[RunEvent] = Field(
        default_factory=lambda: list(RunEvent),
        min_length=1,
        max_length=len(RunEvent),
        description="Which events; all, if it is left out.",
    )
    secret: Annotated[str, Field(pattern=r"^[\x21-\x7e]{16,256}$")] | None = Field(
        default=None, description="What signs the deliveries; made up if it is left out."
    )


class Redelivery(BaseModel):
    """Which dead letters to try again."""

    model_config = ConfigDict(extra="forbid")

    event_ids: Annotated[list[str], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="All, if it is left out."
    )
