"""What the scheduler remembers: a word that the status API leaves with it, to ask for it later.

The engine's timers and steps are jobs of the scheduler, and the sidecar shows them to nobody. A job
of the app's own is kept in the same place. If the word is gone, or another one, so are they.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from holdfast_servicekit.problems import Problem
from holdfast_servicekit.sidecar import SchedulerAwayError, Sidecar


class Word(BaseModel):
    """What the scheduler is to keep."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field(min_length=1, max_length=100)


def register(pages: Blueprint, sidecar: Sidecar) -> None:
    """Add the routes."""

    @pages.get("/scheduler/word")
    def recall() -> ResponseReturnValue:
        return jsonify(word=sidecar.recall())

    @pages.put("/scheduler/word")
    def remember() -> ResponseReturnValue:
        sidecar.remember(Word.model_validate(request.get_json()).word)
        return "", HTTPStatus.NO_CONTENT

    @pages.errorhandler(SchedulerAwayError)
    def away(error: SchedulerAwayError) -> Response:
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The scheduler is not available",
            str(error),
            headers={"Retry-After": "1"},
        ).response()
