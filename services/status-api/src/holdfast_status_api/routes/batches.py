"""``POST /batches``: load a batch of flight legs."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from sqlalchemy import Engine

from holdfast_status_api import bodies, legs
from holdfast_status_api.answers import BatchAnswer
from holdfast_status_api.document import answers
from holdfast_status_api.parameters import BatchQuery
from holdfast_status_api.settings import Settings


def api(settings: Settings, engine: Engine) -> APIBlueprint:
    """Return the route."""
    routes = APIBlueprint("batches", __name__)

    @routes.post(
        "/batches",
        summary="Load a batch of flight legs",
        responses=answers(
            {HTTPStatus.CREATED: BatchAnswer},
            HTTPStatus.BAD_REQUEST,
            HTTPStatus.CONFLICT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        ),
    )
    def load(query: BatchQuery) -> Response:
        """Take a CSV of IATA codes with the header origin,destination: all rows, or none."""
        rows = legs.check(bodies.read_csv(settings.largest_csv_bytes))
        batch_id = query.batch_id or uuid.uuid4().hex
        legs.store(engine, batch_id, rows)
        return BatchAnswer(batch_id=batch_id, legs=len(rows)).response(HTTPStatus.CREATED)

    return routes
