from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from holdfast_contracts.catalogue import PUBLIC_WORKFLOWS
from holdfast_contracts.core import RESUME, SUSPEND, Event
from holdfast_status_api.approvals import body_of
from holdfast_status_api.samples import sample_of

_EVENTS = {
    event.name: event
    for event in (
        *(event for flow in PUBLIC_WORKFLOWS.values() for event in flow.events),
        SUSPEND,
        RESUME,
    )
}


class Part(BaseModel):
    name: Annotated[str, Field(min_length=2)]
    spare: int = 7


class Whole(BaseModel):
    agreed: bool
    number: Annotated[int, Field(gt=4)]
    least: Annotated[float, Field(ge=0.5)]
    part: Part
    others: Annotated[list[Part], Field(min_length=1)]
    maybe: int | None
    note: str = ""


@pytest.mark.parametrize("event", _EVENTS.values(), ids=list(_EVENTS))
def test_the_sample_of_every_event_is_taken_as_its_data(event: Event) -> None:
    body_of(event).model_validate(sample_of(body_of(event)))


def test_a_sample_has_what_has_to_be_there_and_nothing_else() -> None:
    part: dict[str, Any] = {"name": "……"}
    sample = sample_of(Whole)
    assert sample == {
        "agreed": True,
        "number": 5,
        "least": 0.5,
        "part": part,
        "others": [part],
        "maybe": 1,
    }
    Whole.model_validate(sample)
