"""What the scheduler remembers: words that the status API leaves with it, to ask for them later.

The engine's timers and steps are jobs of the scheduler, and the sidecar shows them to nobody. Jobs
of the app's own are kept in the same place. If a word is gone, or another one, so are they.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from holdfast_contracts.agreements import word_number
from holdfast_servicekit.problems import Problem
from holdfast_servicekit.sidecar import SchedulerAwayError, Sidecar


class Word(BaseModel):
    """What the scheduler is to keep."""

    model_config = ConfigDict(extra="forbid")

    #: Begins with its number, which is larger than those of all before.
    word: str = Field(pattern=r"^\d{1,18}-", max_length=100)
    #: Which of two words it replaces.
    place: Literal[0, 1]


def register(pages: Blueprint, sidecar: Sidecar) -> None:
    """Add the routes."""

    @pages.get("/scheduler/word")
    def recall() -> ResponseReturnValue:
        return jsonify(words=sidecar.recall())

    @pages.put("/scheduler/word")
    def remember() -> ResponseReturnValue:
        asked = Word.model_validate(request.get_json())
        if any(word_number(held) >= word_number(asked.word) for held in sidecar.recall()):
            # It was held up on its way, and must not replace a later one.
            raise Problem(HTTPStatus.CONFLICT, "The scheduler has a later word", asked.word)
        sidecar.remember(asked.word, asked.place)
        return "", HTTPStatus.NO_CONTENT

    @pages.errorhandler(SchedulerAwayError)
    def away(error: SchedulerAwayError) -> Response:
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The scheduler is not available",
            str(error),
            headers={"Retry-After": "1"},
        ).response()
