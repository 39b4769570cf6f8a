"""Liveness and readiness: two questions, two answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

#: Returns ``None`` when all is well, else one line that says what is not.
Check = Callable[[], str | None]


def blueprint(live: Check, ready: Mapping[str, Check]) -> Blueprint:
    """Answer ``/healthz`` from the process alone and ``/readyz`` from its dependencies, by name."""
    health = Blueprint("health", __name__)

    @health.get("/healthz")
    def healthz() -> ResponseReturnValue:
        problem = live()
        if problem is None:
            return jsonify(status="live")
        return jsonify(status="dead", problem=problem), HTTPStatus.SERVICE_UNAVAILABLE

    @health.get("/readyz")
    def readyz() -> ResponseReturnValue:
        missing = {name: problem for name, check in ready.items() if (problem := check())}
        if not missing:
            return jsonify(status="ready")
        return jsonify(status="not ready", missing=missing), HTTPStatus.SERVICE_UNAVAILABLE

    return health
